//! What a webhook is told: Alertmanager's JSON, one of a few other forms, or what the configuration makes of the message.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::payload;
use crate::hosted::expand_all;
use crate::message::{Message, Status};
use crate::retry::Failure;
use crate::template::Renderer;

/// The version of Alertmanager's form.
const VERSION: &str = "4";
/// The list of alerts of the default templates.
const LIST: &str = r#"{{ template "__firing_and_resolved" . }}"#;
const SUBJECT: &str = r#"{{ template "__subject" . }}"#;

/// A form that is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// The JSON of Alertmanager, version 4.
    #[default]
    Alertmanager,
    /// What Slack's incoming webhooks take, and with them Mattermost, Rocket.Chat, Discord (`/slack`) and others.
    Slack,
    /// A CloudEvent 1.0 in structured mode, with Alertmanager's JSON as its data.
    Cloudevents,
    /// Plain text: the subject and the alerts.
    Plain,
}

/// What the body of a request is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Preset(Preset),
    /// JSON whose texts are templates: whatever a label holds, it stays JSON.
    Payload(Value),
    /// A text that is a template, and its type.
    Text {
        template: String,
        content_type: String,
    },
}

/// The identity of a message for forms that have one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) key: &'a str,
    pub(super) enqueued_at_ns: i64,
}

impl Form {
    /// The body and its type, for what is shown of a message.
    pub(super) fn render(&self, shown: &Message, renderer: &Renderer<'_>, identity: Identity<'_>) -> Result<(String, String), Failure> {
        let json = "application/json";
        let (body, content_type) = match self {
            Self::Preset(Preset::Alertmanager) => (payload::render(shown, renderer.route_labels(), VERSION), json),
            Self::Preset(Preset::Slack) => (slack(shown, renderer)?.to_string(), json),
            Self::Preset(Preset::Cloudevents) => (cloud_event(shown, renderer, identity)?.to_string(), "application/cloudevents+json; charset=utf-8"),
            Self::Preset(Preset::Plain) => (format!("{}\n{}\n", renderer.text(SUBJECT)?.trim(), renderer.text(LIST)?.trim()), "text/plain; charset=utf-8"),
            Self::Payload(value) => (expand_all(renderer, value)?.to_string(), json),
            Self::Text { template, content_type } => (renderer.text(template)?, content_type.as_str()),
        };
        Ok((body, content_type.to_owned()))
    }
}

fn slack(shown: &Message, renderer: &Renderer<'_>) -> Result<Value, Failure> {
    let color = if shown.status() == Status::Firing { "danger" } else { "good" };
    let title = renderer.text(SUBJECT)?.trim().to_owned();
    let attachment = json!({"color": color, "fallback": title, "title_link": shown.external_url, "text": renderer.text(LIST)?.trim()});
    Ok(json!({"text": title, "attachments": [attachment]}))
}

fn cloud_event(shown: &Message, renderer: &Renderer<'_>, identity: Identity<'_>) -> Result<Value, Failure> {
    let data: Value = serde_json::from_str(&payload::render(shown, renderer.route_labels(), VERSION)).map_err(|error| Failure::permanent(error.to_string()))?;
    Ok(json!({
        "specversion": "1.0",
        "id": identity.key,
        "source": if shown.external_url.is_empty() { "signalbox" } else { &shown.external_url },
        "type": format!("io.signalbox.alert.{}", shown.status().as_str()),
        "subject": shown.group_key,
        "time": crate::instant::rfc3339(identity.enqueued_at_ns),
        "datacontenttype": "application/json",
        "data": data,
    }))
}
