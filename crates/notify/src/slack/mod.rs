//! Slack: one attachment to an incoming webhook, or to `chat.postMessage` with an app's token
//! (<https://api.slack.com/reference/messaging/attachments>).

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::hosted::{Service, filled};
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters that a title may have.
const TITLE_CHARACTERS_MAX: usize = 1_024;
/// Errors of Slack's API that pass: <https://api.slack.com/methods/chat.postMessage#errors>.
const PASSING: [&str; 7] = ["ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];

/// Keys of `slack_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_url: Option<Secret>,
    pub(crate) api_url_file: Option<PathBuf>,
    pub(crate) app_token: Option<Secret>,
    pub(crate) app_token_file: Option<PathBuf>,
    pub(crate) app_url: Option<Secret>,
    pub(crate) update_message: bool,
    channel: String,
    username: String,
    color: String,
    title: String,
    title_link: String,
    pretext: String,
    text: String,
    message_text: String,
    fields: Vec<Field>,
    short_fields: bool,
    footer: String,
    fallback: String,
    callback_id: String,
    icon_emoji: String,
    icon_url: String,
    image_url: String,
    thumb_url: String,
    link_names: bool,
    mrkdwn_in: Vec<String>,
    actions: Vec<Action>,
}

/// A name and a value beside one another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    pub(crate) title: String,
    pub(crate) value: String,
    pub(crate) short: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
    text: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    style: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
    confirm: Option<Confirm>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirm {
    text: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    ok_text: String,
    #[serde(default)]
    dismiss_text: String,
}

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"slack.default.{name}\" . }}}}");
        Self {
            api_url: None,
            api_url_file: None,
            app_token: None,
            app_token_file: None,
            app_url: None,
            update_message: false,
            channel: String::new(),
            username: template("username"),
            color: template("color"),
            title: template("title"),
            title_link: template("titlelink"),
            pretext: template("pretext"),
            text: template("text"),
            message_text: String::new(),
            fields: Vec::new(),
            short_fields: false,
            footer: template("footer"),
            fallback: template("fallback"),
            callback_id: template("callbackid"),
            icon_emoji: template("iconemoji"),
            icon_url: template("iconurl"),
            image_url: String::new(),
            thumb_url: String::new(),
            link_names: false,
            mrkdwn_in: Vec::new(),
            actions: Vec::new(),
        }
    }
}

impl Settings {
    /// What Alertmanager refuses too.
    pub(crate) fn check(&self) -> Result<(), String> {
        for action in &self.actions {
            if action.url.is_empty() && action.name.is_empty() {
                return Err("missing name or url in Slack action configuration".to_owned());
            }
        }
        if self.update_message { Err("update_message is not supported".to_owned()) } else { Ok(()) }
    }

    fn attachment(&self, renderer: &Renderer<'_>) -> Result<Value, Failure> {
        let mut attachment = filled([
            ("title", truncate(&renderer.text(&self.title)?, TITLE_CHARACTERS_MAX)),
            ("title_link", renderer.text(&self.title_link)?),
            ("pretext", renderer.text(&self.pretext)?),
            ("fallback", renderer.text(&self.fallback)?),
            ("callback_id", renderer.text(&self.callback_id)?),
            ("image_url", renderer.text(&self.image_url)?),
            ("thumb_url", renderer.text(&self.thumb_url)?),
            ("footer", renderer.text(&self.footer)?),
            ("color", renderer.text(&self.color)?),
        ]);
        attachment.insert("text".to_owned(), renderer.text(&self.text)?.into());
        let markdown = if self.mrkdwn_in.is_empty() { json!(["fallback", "pretext", "text"]) } else { json!(self.mrkdwn_in) };
        attachment.insert("mrkdwn_in".to_owned(), markdown);
        let fields: Vec<Value> = self.fields.iter().map(|field| field.render(renderer, self.short_fields)).collect::<Result<_, _>>()?;
        let actions: Vec<Value> = self.actions.iter().map(|action| action.render(renderer)).collect::<Result<_, _>>()?;
        for (name, list) in [("fields", fields), ("actions", actions)] {
            if !list.is_empty() {
                attachment.insert(name.to_owned(), list.into());
            }
        }
        Ok(attachment.into())
    }
}

impl Field {
    pub(crate) fn render(&self, renderer: &Renderer<'_>, is_short: bool) -> Result<Value, Failure> {
        Ok(json!({"title": renderer.text(&self.title)?, "value": renderer.text(&self.value)?, "short": self.short.unwrap_or(is_short)}))
    }
}

impl Action {
    fn render(&self, renderer: &Renderer<'_>) -> Result<Value, Failure> {
        // A link is no message action: what belongs to one is left out.
        let is_link = !self.url.is_empty();
        let of_message = |text: &str| if is_link { Ok(String::new()) } else { renderer.text(text) };
        let mut action = filled([
            ("type", renderer.text(&self.kind)?),
            ("text", renderer.text(&self.text)?),
            ("url", renderer.text(&self.url)?),
            ("style", renderer.text(&self.style)?),
            ("name", of_message(&self.name)?),
            ("value", of_message(&self.value)?),
        ]);
        if let (Some(confirm), false) = (&self.confirm, is_link) {
            let confirm = filled([
                ("text", renderer.text(&confirm.text)?),
                ("title", renderer.text(&confirm.title)?),
                ("ok_text", renderer.text(&confirm.ok_text)?),
                ("dismiss_text", renderer.text(&confirm.dismiss_text)?),
            ]);
            action.insert("confirm".to_owned(), confirm.into());
        }
        Ok(action.into())
    }
}

/// Slack, with the place to post to.
#[derive(Debug)]
pub(crate) struct Slack {
    pub(crate) settings: Settings,
    pub(crate) url: SecretSource,
}

impl Service for Slack {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn name(&self) -> &'static str {
        "Slack"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let mut body = filled([
            ("channel", renderer.text(&settings.channel)?),
            ("username", renderer.text(&settings.username)?),
            ("icon_emoji", renderer.text(&settings.icon_emoji)?),
            ("icon_url", renderer.text(&settings.icon_url)?),
            ("text", renderer.text(&settings.message_text)?),
        ]);
        if settings.link_names {
            body.insert("link_names".to_owned(), true.into());
        }
        body.insert("attachments".to_owned(), json!([settings.attachment(renderer)?]));
        Ok(vec![Request::json(self.url.read().map_err(Failure::transient)?, &body.into())])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check()?;
        // A webhook answers `ok`, the API with JSON that says whether it is.
        let json = answer.json();
        if json["ok"] == true || answer.body.trim() == "ok" {
            return Ok(());
        }
        let error = json["error"].as_str().unwrap_or(answer.body.as_str());
        if PASSING.contains(&error) {
            return Err(Failure { retry_after: answer.retry_after, ..Failure::transient(format!("Slack refused the message: {error}")) });
        }
        Err(answer.refused("Slack", error))
    }
}
