//! DingTalk: a text in Markdown to a robot of a group, signed if the robot wants that
//! (<https://open.dingtalk.com/document/orgapp/custom-robot-access>).
//!
//! A yes is `errcode` 0 with status 200. Of the codes those pass that say that the system is busy (-1) or that there were too many messages
//! (130101, 410100 of robots, 660026, 90030 of webhooks over their limit): the page allows 20 a minute, and blocks for ten minutes who
//! sends more.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use signalbox_lang::template::query_escape;

use crate::hosted::{Service, signature};
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate_bytes};

/// Bytes of a message: a request has 20 KB, and JSON escapes quotes and line ends.
const MESSAGE_BYTES_MAX: usize = 15_000;
/// The code of a system that is busy.
const BUSY: i64 = -1;
/// Codes of too many messages: a robot that sent more than 20 in a minute is not heard for ten.
const LIMITED: [i64; 4] = [90_030, 130_101, 410_100, 660_026];
/// How long that lasts.
const LIMITED_FOR: Duration = Duration::from_secs(600);

/// Keys of `dingtalk_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) webhook_url: Option<Secret>,
    pub(crate) webhook_url_file: Option<PathBuf>,
    pub(crate) secret: Option<Secret>,
    pub(crate) secret_file: Option<PathBuf>,
    title: String,
    message: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            webhook_url: None,
            webhook_url_file: None,
            secret: None,
            secret_file: None,
            title: r#"{{ template "__subject" . }}"#.to_owned(),
            message: r#"{{ .CommonAnnotations.SortedPairs.Values | join " " }}{{ template "__firing_and_resolved_markdown" . }}"#.to_owned(),
        }
    }
}

/// DingTalk, with the place to post to.
#[derive(Debug)]
pub(crate) struct DingTalk {
    pub(crate) settings: Settings,
    pub(crate) url: SecretSource,
    pub(crate) secret: Option<SecretSource>,
}

impl Service for DingTalk {
    fn kind(&self) -> &'static str {
        "dingtalk"
    }

    fn name(&self) -> &'static str {
        "DingTalk"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let text = truncate_bytes(renderer.text(&self.settings.message)?.trim(), MESSAGE_BYTES_MAX);
        let body = json!({"msgtype": "markdown", "markdown": {"title": renderer.text(&self.settings.title)?, "text": text}});
        let mut url = self.url.read().map_err(Failure::transient)?;
        if let Some(secret) = &self.secret {
            let (secret, ms) = (secret.read().map_err(Failure::transient)?, renderer.now_ns().div_euclid(1_000_000));
            let sign = signature(secret.reveal(), &format!("{ms}\n{}", secret.reveal()));
            let separator = if url.reveal().contains('?') { '&' } else { '?' };
            url = Secret::new(format!("{}{separator}timestamp={ms}&sign={}", url.reveal(), query_escape(&sign)));
        }
        Ok(vec![Request::json(url, &body)])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check()?;
        let json = answer.json();
        let why = json["errmsg"].as_str().unwrap_or("no reason given");
        match json["errcode"].as_i64() {
            Some(0) => Ok(()),
            Some(BUSY) => Err(Failure::transient(format!("DingTalk refused the message: {why}"))),
            Some(code) if LIMITED.contains(&code) => {
                Err(Failure { retry_after: Some(LIMITED_FOR), ..Failure::transient(format!("DingTalk refused the message: {why}")) })
            }
            _ => Err(answer.refused("DingTalk", why)),
        }
    }
}
