//! Microsoft Teams: an adaptive card to a workflow (`msteamsv2_configs`), or a message card to a connector of the older kind
//! (`msteams_configs`)
//! (<https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
//!
//! A message has at most 28 KB, and more than four a second are told 429
//! (<https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>). A workflow
//! answers 202. A connector answers 200 with `1`, and 200 as well when Teams behind it refused: then the body says `returned HTTP
//! error 429` and such.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::hosted::Service;
use crate::http::{Answer, Request};
use crate::message::{Message, Status};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate_bytes};

/// Keys of both; texts are templates.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) webhook_url: Option<Secret>,
    pub(crate) webhook_url_file: Option<PathBuf>,
    title: Option<String>,
    pub(crate) summary: Option<String>,
    text: Option<String>,
}

/// Which card is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// To a workflow.
    Adaptive,
    /// To a connector.
    Message,
}

/// Bytes of a text: a message has 28 KB with all that is around it, and JSON escapes quotes and line ends.
const TEXT_BYTES_MAX: usize = 20_000;
/// Bytes of a title or a summary.
const TITLE_BYTES_MAX: usize = 1_000;
/// What a connector says when Teams behind it did not take the message, before the status.
const REFUSED: &str = "returned HTTP error ";

/// Microsoft Teams, with the place to post to.
#[derive(Debug)]
pub(crate) struct Teams {
    pub(crate) settings: Settings,
    pub(crate) card: Card,
    pub(crate) url: SecretSource,
}

impl Teams {
    fn text(&self, renderer: &Renderer<'_>, own: Option<&String>, name: &str) -> Result<String, Failure> {
        match own {
            Some(text) => renderer.text(text),
            None => renderer.text(&format!("{{{{ template \"{}.default.{name}\" . }}}}", self.kind())),
        }
    }
}

impl Service for Teams {
    fn kind(&self) -> &'static str {
        match self.card {
            Card::Adaptive => "msteamsv2",
            Card::Message => "msteams",
        }
    }

    fn name(&self) -> &'static str {
        "Microsoft Teams"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let is_firing = message.status() == Status::Firing;
        let title = truncate_bytes(&self.text(renderer, self.settings.title.as_ref(), "title")?, TITLE_BYTES_MAX);
        let text = truncate_bytes(&self.text(renderer, self.settings.text.as_ref(), "text")?, TEXT_BYTES_MAX);
        let body = match self.card {
            Card::Adaptive => json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": Value::Null,
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.2",
                        "body": [
                            {
                                "type": "TextBlock", "text": title, "weight": "Bolder", "size": "Medium", "wrap": true, "style": "heading",
                                "color": if is_firing { "Attention" } else { "Good" },
                            },
                            {"type": "TextBlock", "text": text, "wrap": true},
                        ],
                        "msteams": {"width": "full"},
                    },
                }],
            }),
            Card::Message => json!({
                "@context": "http://schema.org/extensions",
                "type": "MessageCard",
                "title": title,
                "summary": truncate_bytes(&self.text(renderer, self.settings.summary.as_ref(), "summary")?, TITLE_BYTES_MAX),
                "text": text,
                "themeColor": if is_firing { "8C1A1A" } else { "2DC72D" },
            }),
        };
        Ok(vec![Request::json(self.url.read().map_err(Failure::transient)?, &body)])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check()?;
        let Some((_, rest)) = answer.body.split_once(REFUSED) else { return Ok(()) };
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Answer { status: digits.parse().unwrap_or(500), ..answer.clone() }.check()
    }
}
