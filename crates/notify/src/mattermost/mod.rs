//! Mattermost: attachments to an incoming webhook (<https://developers.mattermost.com/integrate/webhooks/incoming/>).
//!
//! A yes is 200. How long a text may be is Mattermost's `PostMessageMaxRunesV2`, and Alertmanager's; 429 passes.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::hosted::{Service, filled};
use crate::http::Request;
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters that a text may have.
const TEXT_CHARACTERS_MAX: usize = 16_383;

/// Keys of `mattermost_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) webhook_url: Option<Secret>,
    pub(crate) webhook_url_file: Option<PathBuf>,
    channel: String,
    username: String,
    text: String,
    fallback: String,
    color: String,
    pretext: String,
    author_name: String,
    author_link: String,
    author_icon: String,
    title: String,
    title_link: String,
    fields: Vec<Field>,
    thumb_url: String,
    footer: String,
    footer_icon: String,
    image_url: String,
    icon_url: String,
    icon_emoji: String,
    attachments: Vec<Attachment>,
    #[serde(rename = "type")]
    kind: String,
    props: Option<Props>,
    priority: Option<Priority>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Attachment {
    fallback: String,
    color: String,
    pretext: String,
    text: String,
    author_name: String,
    author_link: String,
    author_icon: String,
    title: String,
    title_link: String,
    fields: Vec<Field>,
    thumb_url: String,
    footer: String,
    footer_icon: String,
    image_url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    title: String,
    value: String,
    short: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Props {
    card: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Priority {
    priority: String,
    requested_ack: bool,
    persistent_notifications: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"mattermost.default.{name}\" . }}}}");
        Self {
            webhook_url: None,
            webhook_url_file: None,
            channel: String::new(),
            username: template("username"),
            text: template("text"),
            fallback: template("fallback"),
            color: template("color"),
            pretext: String::new(),
            author_name: String::new(),
            author_link: String::new(),
            author_icon: String::new(),
            title: template("title"),
            title_link: template("titlelink"),
            fields: Vec::new(),
            thumb_url: String::new(),
            footer: String::new(),
            footer_icon: String::new(),
            image_url: String::new(),
            icon_url: String::new(),
            icon_emoji: String::new(),
            attachments: Vec::new(),
            kind: String::new(),
            props: None,
            priority: None,
        }
    }
}

impl Settings {
    /// The attachment that the keys of the entry itself describe.
    fn own(&self) -> Attachment {
        Attachment {
            fallback: self.fallback.clone(),
            color: self.color.clone(),
            pretext: self.pretext.clone(),
            text: self.text.clone(),
            author_name: self.author_name.clone(),
            author_link: self.author_link.clone(),
            author_icon: self.author_icon.clone(),
            title: self.title.clone(),
            title_link: self.title_link.clone(),
            fields: self.fields.clone(),
            thumb_url: self.thumb_url.clone(),
            footer: self.footer.clone(),
            footer_icon: self.footer_icon.clone(),
            image_url: self.image_url.clone(),
        }
    }
}

impl Attachment {
    fn render(&self, renderer: &Renderer<'_>) -> Result<Value, Failure> {
        let mut attachment = filled([
            ("fallback", renderer.text(&self.fallback)?),
            ("color", renderer.text(&self.color)?),
            ("pretext", renderer.text(&self.pretext)?),
            ("text", truncate(&renderer.text(&self.text)?, TEXT_CHARACTERS_MAX)),
            ("author_name", renderer.text(&self.author_name)?),
            ("author_link", renderer.text(&self.author_link)?),
            ("author_icon", renderer.text(&self.author_icon)?),
            ("title", renderer.text(&self.title)?),
            ("title_link", renderer.text(&self.title_link)?),
            ("thumb_url", renderer.text(&self.thumb_url)?),
            ("footer", renderer.text(&self.footer)?),
            ("footer_icon", renderer.text(&self.footer_icon)?),
            ("image_url", renderer.text(&self.image_url)?),
        ]);
        let mut fields = Vec::new();
        for field in &self.fields {
            let mut rendered = filled([("title", renderer.text(&field.title)?), ("value", renderer.text(&field.value)?)]);
            rendered.extend(field.short.map(|short| ("short".to_owned(), short.into())));
            fields.push(Value::Object(rendered));
        }
        if !fields.is_empty() {
            attachment.insert("fields".to_owned(), fields.into());
        }
        Ok(attachment.into())
    }
}

impl Priority {
    /// Only a message above the standard can ask for more.
    fn render(&self, renderer: &Renderer<'_>) -> Result<Value, Failure> {
        let asked = renderer.text(&self.priority)?.to_lowercase();
        let level = if matches!(asked.as_str(), "urgent" | "important") { asked.as_str() } else { "standard" };
        let mut priority = json!({"priority": level});
        if self.requested_ack && level != "standard" {
            priority["requested_ack"] = true.into();
        }
        if self.persistent_notifications && level == "urgent" {
            priority["persistent_notifications"] = true.into();
        }
        Ok(priority)
    }
}

/// Mattermost, with the place to post to.
#[derive(Debug)]
pub(crate) struct Mattermost {
    pub(crate) settings: Settings,
    pub(crate) url: SecretSource,
}

impl Service for Mattermost {
    fn kind(&self) -> &'static str {
        "mattermost"
    }

    fn name(&self) -> &'static str {
        "Mattermost"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        // Beside attachments of its own, the text of the entry is that of the message.
        let (text, attachments) = if settings.attachments.is_empty() {
            (String::new(), vec![settings.own().render(renderer)?])
        } else {
            let rendered: Result<Vec<Value>, Failure> = settings.attachments.iter().map(|attachment| attachment.render(renderer)).collect();
            (truncate(&renderer.text(&settings.text)?, TEXT_CHARACTERS_MAX), rendered?)
        };
        let mut body = filled([
            ("text", text),
            ("channel", renderer.text(&settings.channel)?),
            ("username", renderer.text(&settings.username)?),
            ("icon_url", renderer.text(&settings.icon_url)?),
            ("icon_emoji", renderer.text(&settings.icon_emoji)?),
            ("type", renderer.text(&settings.kind)?),
        ]);
        body.insert("attachments".to_owned(), attachments.into());
        if let Some(Props { card }) = settings.props.as_ref().filter(|props| !props.card.is_empty()) {
            body.insert("props".to_owned(), json!({"card": renderer.text(card)?}));
        }
        if let Some(priority) = settings.priority.as_ref().filter(|priority| !priority.priority.is_empty()) {
            body.insert("priority".to_owned(), priority.render(renderer)?);
        }
        Ok(vec![Request::json(self.url.read().map_err(Failure::transient)?, &body.into())])
    }
}
