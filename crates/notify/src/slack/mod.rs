//! Slack: one attachment to an incoming webhook, or to `chat.postMessage` with an app's token
//! (<https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments/>). With `update_message` what an app
//! posted about a group is changed by `chat.update` (<https://docs.slack.dev/reference/methods/chat.update/>) until the group is over: its next alert
//! is a message of its own. What Slack calls a message, its channel and its time, is kept with the outbox.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::hosted::{Service, filled};
use crate::http::{Answer, Request};
use crate::message::{Message, Reason};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters that a title may have, by the page of attachments and Alertmanager.
const TITLE_CHARACTERS_MAX: usize = 1_024;
/// Errors of Slack's API that pass: <https://api.slack.com/methods/chat.postMessage#errors>.
const PASSING: [&str; 7] = ["ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];

/// Errors of `chat.update` about a message that cannot be changed any more: <https://docs.slack.dev/reference/methods/chat.update/#errors>.
const GONE: [&str; 3] = ["message_not_found", "cant_update_message", "edit_window_closed"];
/// Where a message is posted, and where one is changed.
const POST: &str = "/chat.postMessage";
const UPDATE: &str = "/chat.update";

/// Keys of `slack_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_url: Option<Secret>,
    pub(crate) api_url_file: Option<PathBuf>,
    pub(crate) app_token: Option<Secret>,
    pub(crate) app_token_file: Option<PathBuf>,
    pub(crate) app_url: Option<Secret>,
    update_message: bool,
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
    fn check(&self) -> Result<(), String> {
        for action in &self.actions {
            if action.url.is_empty() && action.name.is_empty() {
                return Err("missing name or url in Slack action configuration".to_owned());
            }
        }
        Ok(())
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
    settings: Settings,
    url: SecretSource,
}

/// A message that was posted.
struct Posted<'a> {
    channel: &'a str,
    ts: &'a str,
}

impl<'a> Posted<'a> {
    /// From what [`Service::handle`] made of it.
    fn read(handle: &'a str) -> Option<Self> {
        handle.split_once(' ').map(|(channel, ts)| Self { channel, ts })
    }
}

impl Slack {
    /// From an entry of `alertmanager.yml`, with what it and `global` say about where to post.
    pub(crate) fn new(settings: Settings, url: SecretSource) -> Result<Self, String> {
        settings.check()?;
        // A file says it too late.
        let is_app = matches!(&url, SecretSource::Text(url) if url.reveal().ends_with(POST));
        if settings.update_message && !is_app {
            return Err("update_message can only be used with bot tokens. api_url must be set to https://slack.com/api/chat.postMessage".to_owned());
        }
        Ok(Self { settings, url })
    }

    /// The message of the group that can be changed. The first one after all was well is a new one.
    fn posted<'a>(&self, message: &Message, renderer: &'a Renderer<'_>) -> Option<Posted<'a>> {
        let is_first = !self.settings.update_message || message.reason == Reason::FirstNotification;
        renderer.handle().filter(|_| !is_first).and_then(Posted::read)
    }

    fn post(&self, renderer: &Renderer<'_>, posted: Option<&Posted<'_>>) -> Result<Request, Failure> {
        let settings = &self.settings;
        let channel = posted.map_or_else(|| renderer.text(&settings.channel), |posted| Ok(posted.channel.to_owned()))?;
        let mut body = filled([
            ("channel", channel),
            ("ts", posted.map_or_else(String::new, |posted| posted.ts.to_owned())),
            ("username", renderer.text(&settings.username)?),
            ("icon_emoji", renderer.text(&settings.icon_emoji)?),
            ("icon_url", renderer.text(&settings.icon_url)?),
            ("text", renderer.text(&settings.message_text)?),
        ]);
        if settings.link_names {
            body.insert("link_names".to_owned(), true.into());
        }
        body.insert("attachments".to_owned(), json!([settings.attachment(renderer)?]));
        let mut url = self.url.read().map_err(Failure::transient)?;
        if let Some(base) = url.reveal().strip_suffix(POST).filter(|_| posted.is_some()) {
            url = Secret::new(format!("{base}{UPDATE}"));
        }
        Ok(Request::json(url, &body.into()))
    }
}

impl Service for Slack {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn name(&self) -> &'static str {
        "Slack"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        Ok(vec![self.post(renderer, self.posted(message, renderer).as_ref())?])
    }

    fn follow_up(&self, answers: &[Answer], _message: &Message, renderer: &Renderer<'_>) -> Result<Option<Request>, Failure> {
        // Somebody deleted the message: another one takes its place.
        match answers.iter().filter(|answer| is_gone(answer)).count() {
            0 => Ok(None),
            1 if answers.len() == 1 => self.post(renderer, None).map(Some),
            1 => Ok(None),
            _ => Err(Failure::permanent("Slack refused the message: it cannot be changed, and none takes its place")),
        }
    }

    fn handle(&self, answer: &Answer) -> Option<String> {
        let json = answer.json();
        let (channel, ts) = (json["channel"].as_str()?, json["ts"].as_str()?);
        (self.settings.update_message && !channel.contains(' ')).then(|| format!("{channel} {ts}"))
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check()?;
        // A webhook answers `ok`, the API with JSON that says whether it is.
        let json = answer.json();
        if json["ok"] == true || answer.body.trim() == "ok" || is_gone(answer) {
            return Ok(());
        }
        let error = json["error"].as_str().unwrap_or(answer.body.as_str());
        if PASSING.contains(&error) {
            return Err(Failure { retry_after: answer.retry_after, ..Failure::transient(format!("Slack refused the message: {error}")) });
        }
        Err(answer.refused("Slack", error))
    }
}

/// Whether what was to be changed cannot be.
fn is_gone(answer: &Answer) -> bool {
    answer.json()["error"].as_str().is_some_and(|error| GONE.contains(&error))
}
