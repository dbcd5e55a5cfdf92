//! Telegram: `sendMessage` of a bot (<https://core.telegram.org/bots/api#sendmessage>, which says how many characters it may have).
//!
//! A yes is `ok`; 429 passes after `parameters.retry_after` seconds of the body
//! (<https://core.telegram.org/bots/api#responseparameters>). Alertmanager tries everything again; here a token that is wrong
//! (401), a chat that is not there (400) or that put the bot out (403) is a no for good.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::hosted::Service;
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters that a message may have.
const MESSAGE_CHARACTERS_MAX: usize = 4_096;
/// What is sent instead of HTML that is longer: cut anywhere, its tags would not close, and Telegram would refuse it.
const TOO_LONG: &str =
    "The notification could not be sent: message length exceeds Telegram limits. Please check the template used for producing the message content.";

/// Keys of `telegram_configs`; the message is a template.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_url: Option<Secret>,
    pub(crate) bot_token: Option<Secret>,
    pub(crate) bot_token_file: Option<PathBuf>,
    pub(crate) chat_id: i64,
    pub(crate) chat_id_file: Option<PathBuf>,
    message_thread_id: i64,
    message: String,
    disable_notifications: bool,
    parse_mode: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_url: None,
            bot_token: None,
            bot_token_file: None,
            chat_id: 0,
            chat_id_file: None,
            message_thread_id: 0,
            message: r#"{{ template "telegram.default.message" . }}"#.to_owned(),
            disable_notifications: false,
            parse_mode: "HTML".to_owned(),
        }
    }
}

impl Settings {
    /// What Alertmanager refuses too.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        match (self.chat_id, &self.chat_id_file) {
            (0, None) => return wrong("missing chat_id or chat_id_file on telegram_config"),
            (0, Some(_)) | (_, None) => {}
            _ => return wrong("at most one of chat_id & chat_id_file must be configured"),
        }
        match self.parse_mode.as_str() {
            "" | "Markdown" | "MarkdownV2" | "HTML" => Ok(()),
            _ => wrong("unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string"),
        }
    }
}

/// Telegram, with the bot and the chat.
#[derive(Debug)]
pub(crate) struct Telegram {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) bot_token: SecretSource,
}

impl Telegram {
    fn chat_id(&self) -> Result<i64, Failure> {
        let Some(file) = &self.settings.chat_id_file else { return Ok(self.settings.chat_id) };
        let text = SecretSource::File(file.clone()).read().map_err(Failure::transient)?;
        text.reveal().parse().map_err(|_| Failure::transient(format!("cannot parse chat_id from {}", file.display())))
    }
}

impl Service for Telegram {
    fn kind(&self) -> &'static str {
        "telegram"
    }

    fn name(&self) -> &'static str {
        "Telegram"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let text = if settings.parse_mode == "HTML" {
            let text = renderer.html(&settings.message)?;
            if text.chars().count() > MESSAGE_CHARACTERS_MAX { TOO_LONG.to_owned() } else { text }
        } else {
            truncate(&renderer.text(&settings.message)?, MESSAGE_CHARACTERS_MAX)
        };
        let mut body = json!({"chat_id": self.chat_id()?.to_string(), "text": text, "disable_web_page_preview": true});
        if settings.disable_notifications {
            body["disable_notification"] = true.into();
        }
        if settings.message_thread_id != 0 {
            body["message_thread_id"] = settings.message_thread_id.into();
        }
        if !settings.parse_mode.is_empty() {
            body["parse_mode"] = settings.parse_mode.as_str().into();
        }
        let token = self.bot_token.read().map_err(Failure::transient)?;
        let url = format!("{}/bot{}/sendMessage", self.url.reveal().trim_end_matches('/'), token.reveal());
        Ok(vec![Request::json(Secret::new(url), &body)])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        // How long to wait stands in the body: there is no Retry-After.
        let json = answer.json();
        let asked = json["parameters"]["retry_after"].as_u64().map(std::time::Duration::from_secs);
        answer.check().map_err(|failure| Failure { retry_after: failure.retry_after.or(asked), ..failure })?;
        if json["ok"] == Value::Bool(true) { Ok(()) } else { Err(answer.refused("Telegram", json["description"].as_str().unwrap_or("no reason given"))) }
    }
}
