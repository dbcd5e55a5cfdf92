//! Discord: an embed to a webhook (<https://discord.com/developers/docs/resources/webhook#execute-webhook>).
//!
//! Lengths are those of <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>, and Alertmanager's; together the texts of an embed
//! stay below its 6000. A yes is 204, or 200 if the URL has `wait`. Too many are told 429 with the wait in `Retry-After` and, more
//! exactly, in the body (<https://discord.com/developers/docs/topics/rate-limits#exceeding-a-rate-limit>); a webhook that is gone is 404, and must be left
//! alone.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::hosted::{Service, filled};
use crate::http::{Answer, Request, after_seconds};
use crate::message::{Message, Status};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters of an embed's title, of its description, and of the text above: Discord refuses more.
const TITLE_CHARACTERS_MAX: usize = 256;
const DESCRIPTION_CHARACTERS_MAX: usize = 4_096;
const CONTENT_CHARACTERS_MAX: usize = 2_000;
/// The bar beside an embed: red while firing, green when resolved.
const RED: u32 = 0x99_2d_22;
const GREEN: u32 = 0x2e_cc_71;

/// Keys of `discord_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) webhook_url: Option<Secret>,
    pub(crate) webhook_url_file: Option<PathBuf>,
    content: String,
    title: String,
    message: String,
    username: String,
    avatar_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            webhook_url: None,
            webhook_url_file: None,
            content: String::new(),
            title: r#"{{ template "discord.default.title" . }}"#.to_owned(),
            message: r#"{{ template "discord.default.message" . }}"#.to_owned(),
            username: String::new(),
            avatar_url: String::new(),
        }
    }
}

/// Discord, with the place to post to.
#[derive(Debug)]
pub(crate) struct Discord {
    pub(crate) settings: Settings,
    pub(crate) url: SecretSource,
}

impl Service for Discord {
    fn kind(&self) -> &'static str {
        "discord"
    }

    fn name(&self) -> &'static str {
        "Discord"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let mut body = filled([("username", settings.username.clone()), ("avatar_url", settings.avatar_url.clone())]);
        body.insert("content".to_owned(), truncate(&renderer.text(&settings.content)?, CONTENT_CHARACTERS_MAX).into());
        let embed = json!({
            "title": truncate(&renderer.text(&settings.title)?, TITLE_CHARACTERS_MAX),
            "description": truncate(&renderer.text(&settings.message)?, DESCRIPTION_CHARACTERS_MAX),
            "color": if message.status() == Status::Firing { RED } else { GREEN },
        });
        body.insert("embeds".to_owned(), json!([embed]));
        Ok(vec![Request::json(self.url.read().map_err(Failure::transient)?, &body.into())])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        let asked = answer.json()["retry_after"].as_f64().and_then(after_seconds);
        answer.check().map_err(|failure| Failure { retry_after: failure.retry_after.max(asked), ..failure })
    }
}
