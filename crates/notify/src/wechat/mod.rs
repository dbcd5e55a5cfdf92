//! WeChat for work: a message of an application, after asking for a token
//! (<https://developer.work.weixin.qq.com/document/path/90236>: a text and a text in Markdown have at most 2048 bytes each; the 4096
//! that one reads of are those of the robots of groups, another interface). More than 30 messages a minute or 1000 an hour from one
//! application to one member are dropped, and answered with a yes all the same: nobody can know.
//!
//! A yes is `errcode` 0 with status 200. Codes are those of <https://developer.work.weixin.qq.com/document/path/90313>.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;
use signalbox_lang::template::query_escape;

use crate::hosted::{Service, filled};
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate_bytes};

/// Codes of answers that pass: the system is busy, the token is invalid or old, too many calls, too many at a time.
const PASSING: [i64; 5] = [-1, 40_014, 42_001, 45_009, 45_033];
/// Bytes of a message: of a longer one WeChat cuts the end off, be it in the middle of a character or of markup.
const MESSAGE_BYTES_MAX: usize = 2_048;

/// Keys of `wechat_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_secret: Option<Secret>,
    pub(crate) api_secret_file: Option<PathBuf>,
    pub(crate) api_url: Option<Secret>,
    pub(crate) corp_id: Option<String>,
    message: String,
    message_type: String,
    to_user: String,
    to_party: String,
    to_tag: String,
    agent_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"wechat.default.{name}\" . }}}}");
        Self {
            api_secret: None,
            api_secret_file: None,
            api_url: None,
            corp_id: None,
            message: template("message"),
            message_type: "text".to_owned(),
            to_user: template("to_user"),
            to_party: template("to_party"),
            to_tag: template("to_tag"),
            agent_id: template("agent_id"),
        }
    }
}

impl Settings {
    /// What Alertmanager refuses too.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.message_type.as_str() {
            "text" | "markdown" => Ok(()),
            other => Err(format!("weChat message type {other:?} does not match valid options ^(text|markdown)$")),
        }
    }
}

/// WeChat, with the company and the secret of its application.
#[derive(Debug)]
pub(crate) struct WeChat {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) corp_id: String,
    pub(crate) secret: SecretSource,
}

impl WeChat {
    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.url.reveal().trim_end_matches('/'))
    }
}

fn code(answer: &Answer, what: &str) -> Result<(), Failure> {
    answer.check()?;
    let json = answer.json();
    let text = format!("WeChat refused the {what}: {}", json["errmsg"].as_str().unwrap_or("no reason given"));
    match json["errcode"].as_i64() {
        Some(0) => Ok(()),
        Some(code) if !PASSING.contains(&code) => Err(Failure::permanent(text)),
        _ => Err(Failure { retry_after: answer.retry_after, ..Failure::transient(text) }),
    }
}

impl Service for WeChat {
    fn kind(&self) -> &'static str {
        "wechat"
    }

    fn name(&self) -> &'static str {
        "WeChat"
    }

    fn login(&self, renderer: &Renderer<'_>) -> Result<Option<Request>, Failure> {
        let secret = renderer.text(self.secret.read().map_err(Failure::transient)?.reveal())?;
        let url = format!("{}?corpid={}&corpsecret={}", self.at("gettoken"), query_escape(&renderer.text(&self.corp_id)?), query_escape(&secret));
        // WeChat gives the same token until it is old, so that none is kept here.
        Ok(Some(Request { method: "GET", url: Secret::new(url), headers: Vec::new(), content_type: "application/json".to_owned(), body: String::new() }))
    }

    fn admit(&self, answer: &Answer, requests: &mut [Request]) -> Result<(), Failure> {
        code(answer, "token")?;
        let json = answer.json();
        let token = json["access_token"].as_str().filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Failure::permanent(format!("invalid APISecret for CorpID: {}", self.corp_id)))?;
        for request in requests {
            request.url = Secret::new(format!("{}?access_token={}", request.url.reveal(), query_escape(token)));
        }
        Ok(())
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let mut body = filled([
            ("touser", renderer.text(&settings.to_user)?),
            ("toparty", renderer.text(&settings.to_party)?),
            ("totag", renderer.text(&settings.to_tag)?),
            ("agentid", renderer.text(&settings.agent_id)?),
        ]);
        body.insert("msgtype".to_owned(), settings.message_type.as_str().into());
        body.insert("safe".to_owned(), "0".into());
        body.insert(settings.message_type.clone(), json!({"content": truncate_bytes(&renderer.text(&settings.message)?, MESSAGE_BYTES_MAX)}));
        Ok(vec![Request::json(Secret::new(self.at("message/send")), &body.into())])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        code(answer, "message")
    }
}
