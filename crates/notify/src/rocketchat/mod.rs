//! Rocket.Chat: `chat.postMessage` of its REST API (<https://developer.rocket.chat/apidocs/post-message>). A yes is `success`. How long a title may be is
//! Alertmanager's number; the server has none but that of a message, which is a setting of it.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::hosted::{Service, filled};
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::slack::Field;
use crate::template::{Renderer, truncate};

/// Characters that a title may have.
const TITLE_CHARACTERS_MAX: usize = 1_024;

/// Keys of `rocketchat_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_url: Option<Secret>,
    pub(crate) token_id: Option<Secret>,
    pub(crate) token_id_file: Option<PathBuf>,
    pub(crate) token: Option<Secret>,
    pub(crate) token_file: Option<PathBuf>,
    channel: String,
    color: String,
    title: String,
    title_link: String,
    text: String,
    fields: Vec<Field>,
    short_fields: bool,
    emoji: String,
    icon_url: String,
    image_url: String,
    thumb_url: String,
    #[allow(dead_code, reason = "taken, without effect, as Alertmanager does")]
    link_names: bool,
    actions: Vec<Action>,
}

/// A button. The other keys are those that Alertmanager takes as well, without effect: Rocket.Chat knows nothing but buttons.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(dead_code, reason = "taken, without effect, as Alertmanager does")]
struct Action {
    text: String,
    url: String,
    msg: String,
    #[serde(rename = "type")]
    kind: String,
    imageurl: String,
    iswebview: bool,
    webviewheightratio: String,
    msginchatwindow: bool,
    msgprocessingtype: String,
}

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"rocketchat.default.{name}\" . }}}}");
        Self {
            api_url: None,
            token_id: None,
            token_id_file: None,
            token: None,
            token_file: None,
            channel: String::new(),
            color: r#"{{ if eq .Status "firing" }}red{{ else }}green{{ end }}"#.to_owned(),
            title: template("title"),
            title_link: template("titlelink"),
            text: template("text"),
            fields: Vec::new(),
            short_fields: false,
            emoji: template("emoji"),
            icon_url: template("iconurl"),
            image_url: String::new(),
            thumb_url: String::new(),
            link_names: false,
            actions: Vec::new(),
        }
    }
}

/// Rocket.Chat, with who posts.
#[derive(Debug)]
pub(crate) struct RocketChat {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) token_id: SecretSource,
    pub(crate) token: SecretSource,
}

impl RocketChat {
    fn attachment(&self, renderer: &Renderer<'_>) -> Result<Value, Failure> {
        let settings = &self.settings;
        let mut attachment = filled([
            ("title", truncate(&renderer.text(&settings.title)?, TITLE_CHARACTERS_MAX)),
            ("title_link", renderer.text(&settings.title_link)?),
            ("text", renderer.text(&settings.text)?),
            ("image_url", renderer.text(&settings.image_url)?),
            ("thumb_url", renderer.text(&settings.thumb_url)?),
            ("color", renderer.text(&settings.color)?),
        ]);
        let fields: Vec<Value> = settings.fields.iter().map(|field| field.render(renderer, settings.short_fields)).collect::<Result<_, _>>()?;
        let mut actions = Vec::new();
        for action in &settings.actions {
            let button = [
                ("type", "button".to_owned()),
                ("text", renderer.text(&action.text)?),
                ("url", renderer.text(&action.url)?),
                ("msg", renderer.text(&action.msg)?),
            ];
            actions.push(Value::Object(filled(button)));
        }
        for (name, list) in [("fields", fields), ("actions", actions)] {
            if !list.is_empty() {
                attachment.insert(name.to_owned(), list.into());
            }
        }
        Ok(attachment.into())
    }
}

impl Service for RocketChat {
    fn kind(&self) -> &'static str {
        "rocketchat"
    }

    fn name(&self) -> &'static str {
        "Rocket.Chat"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let mut body = filled([
            ("channel", renderer.text(&settings.channel)?),
            ("emoji", renderer.text(&settings.emoji)?),
            ("avatar", renderer.text(&settings.icon_url)?),
        ]);
        body.insert("attachments".to_owned(), json!([self.attachment(renderer)?]));
        let url = Secret::new(format!("{}/api/v1/chat.postMessage", self.url.reveal().trim_end_matches('/')));
        let (token, token_id) = (self.token.read().map_err(Failure::transient)?, self.token_id.read().map_err(Failure::transient)?);
        Ok(vec![Request::json(url, &body.into()).header("X-Auth-Token", token.reveal()).header("X-User-Id", token_id.reveal())])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check()?;
        let json = answer.json();
        match json["success"].as_bool() {
            Some(true) => Ok(()),
            Some(false) => Err(answer.refused("Rocket.Chat", json["error"].as_str().unwrap_or("no reason given"))),
            None => Err(Failure::transient("cannot read the answer of Rocket.Chat: want JSON with success")),
        }
    }
}
