//! Feishu, also called Lark: a text to a bot of a group, signed if the bot wants that
//! (<https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>, whose numbers these are: the body of a request has at most
//! 20 KB, a bot takes 100 messages a minute and 5 a second; 11232 is what it says to more, and to others at full and half hours, when
//! many send: it passes).
//!
//! A yes is `code` 0; whether a no passes is told by the code too, whatever the status. Who is limited by the gateway before the bot
//! (99991400, with status 429 or 400) is told by a header after how many seconds it takes more
//! (<https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control>).

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::hosted::{Service, signature};
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate_bytes};

/// Bytes of a message: a request has 20 KB, and JSON escapes quotes and line ends.
const MESSAGE_BYTES_MAX: usize = 15_000;
/// Codes of too many messages: of the bot, and of the gateway.
const LIMITED: [i64; 2] = [11_232, 99_991_400];
/// The code of a bad request, and of too many ones as well: only the text tells them apart.
const BAD_REQUEST: i64 = 9_499;

/// Keys of `feishu_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) webhook_url: Option<Secret>,
    pub(crate) webhook_url_file: Option<PathBuf>,
    pub(crate) secret: Option<Secret>,
    pub(crate) secret_file: Option<PathBuf>,
    message: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            webhook_url: None,
            webhook_url_file: None,
            secret: None,
            secret_file: None,
            message: r#"{{ template "__subject" . }} {{ .CommonAnnotations.SortedPairs.Values | join " " }}{{ template "__firing_and_resolved" . }}"#
                .to_owned(),
        }
    }
}

/// Feishu, with the place to post to.
#[derive(Debug)]
pub(crate) struct Feishu {
    pub(crate) settings: Settings,
    pub(crate) url: SecretSource,
    pub(crate) secret: Option<SecretSource>,
}

impl Service for Feishu {
    fn kind(&self) -> &'static str {
        "feishu"
    }

    fn name(&self) -> &'static str {
        "Feishu"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let text = truncate_bytes(renderer.text(&self.settings.message)?.trim(), MESSAGE_BYTES_MAX);
        let mut body = json!({"msg_type": "text", "content": {"text": text}});
        if let Some(secret) = &self.secret {
            let (secret, seconds) = (secret.read().map_err(Failure::transient)?, renderer.now_ns().div_euclid(1_000_000_000));
            // The text that is signed is the key here, and nothing is what is signed.
            body["sign"] = signature(&format!("{seconds}\n{}", secret.reveal()), "").into();
            body["timestamp"] = seconds.to_string().into();
        }
        Ok(vec![Request::json(self.url.read().map_err(Failure::transient)?, &body)])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        let json = answer.json();
        let why = json["msg"].as_str().or(json["StatusMessage"].as_str()).unwrap_or("no reason given");
        let is_limited = |code| LIMITED.contains(&code) || code == BAD_REQUEST && why.to_ascii_lowercase().contains("too many");
        match json["code"].as_i64().or(json["StatusCode"].as_i64()) {
            Some(0) => answer.check(),
            Some(code) if is_limited(code) => {
                Err(Failure { retry_after: answer.retry_after, ..Failure::transient(format!("Feishu refused the message: {why}")) })
            }
            _ if answer.check().is_err() => answer.check(),
            _ => Err(answer.refused("Feishu", why)),
        }
    }
}
