//! Opsgenie's Alert API: a group of alerts is an alert there, whose alias is the hash of the group's key
//! (<https://docs.opsgenie.com/docs/alert-api>). A yes is 202; 429 passes (<https://docs.opsgenie.com/docs/api-rate-limiting>).
//!
//! Lengths are those of <https://docs.opsgenie.com/docs/alert-api#create-alert>: longer texts are refused with 422. Alertmanager cuts the message alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::hosted::{Service, filled, group_hash, split};
use crate::http::Request;
use crate::message::{Message, Status};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters that a message may have.
const MESSAGE_CHARACTERS_MAX: usize = 130;
/// Characters that the other texts may have.
const DESCRIPTION_CHARACTERS_MAX: usize = 15_000;
const NOTE_CHARACTERS_MAX: usize = 25_000;
const ENTITY_CHARACTERS_MAX: usize = 512;

/// Keys of `opsgenie_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_key: Option<Secret>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) api_url: Option<Secret>,
    message: String,
    description: String,
    source: String,
    details: BTreeMap<String, String>,
    entity: String,
    responders: Vec<Responder>,
    actions: String,
    tags: String,
    note: String,
    priority: String,
    update_alerts: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Responder {
    id: String,
    name: String,
    username: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"opsgenie.default.{name}\" . }}}}");
        Self {
            api_key: None,
            api_key_file: None,
            api_url: None,
            message: template("message"),
            description: template("description"),
            source: template("source"),
            details: BTreeMap::new(),
            entity: String::new(),
            responders: Vec::new(),
            actions: String::new(),
            tags: String::new(),
            note: String::new(),
            priority: String::new(),
            update_alerts: false,
        }
    }
}

impl Settings {
    /// What Alertmanager refuses too.
    pub(crate) fn check(&self) -> Result<(), String> {
        for Responder { id, name, username, kind } in &self.responders {
            if id.is_empty() && name.is_empty() && username.is_empty() {
                return Err("opsGenieConfig responder has to have at least one of id, username or name specified".to_owned());
            }
            let is_known = matches!(kind.to_lowercase().as_str(), "team" | "teams" | "user" | "escalation" | "schedule");
            if !is_known && !kind.contains("{{") {
                return Err(format!("opsGenieConfig responder type {kind:?} does not match valid options ^(team|teams|user|escalation|schedule)$"));
            }
        }
        Ok(())
    }
}

/// Opsgenie, with the place to post to.
#[derive(Debug)]
pub(crate) struct Opsgenie {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) api_key: SecretSource,
}

impl Opsgenie {
    fn responders(&self, renderer: &Renderer<'_>) -> Result<Vec<Value>, Failure> {
        let mut responders = Vec::new();
        for responder in &self.settings.responders {
            let kind = renderer.text(&responder.kind)?.to_lowercase();
            let name = renderer.text(&responder.name)?;
            if kind == "teams" {
                responders.extend(split(&name).into_iter().map(|team| json!({"name": team, "type": "team"})));
                continue;
            }
            let known = filled([("id", renderer.text(&responder.id)?), ("name", name), ("username", renderer.text(&responder.username)?)]);
            // One whose templates came to nothing is none.
            if known.is_empty() {
                continue;
            }
            responders.push(Value::Object(known.into_iter().chain([("type".to_owned(), kind.into())]).collect()));
        }
        Ok(responders)
    }

    fn creation(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Map<String, Value>, Failure> {
        let settings = &self.settings;
        let mut details = message.common_labels();
        for (name, text) in &settings.details {
            details.insert(name.clone(), renderer.text(text)?);
        }
        let mut body = filled([
            ("alias", group_hash(message)),
            ("description", truncate(&renderer.text(&settings.description)?, DESCRIPTION_CHARACTERS_MAX)),
            ("note", truncate(&renderer.text(&settings.note)?, NOTE_CHARACTERS_MAX)),
            ("priority", renderer.text(&settings.priority)?),
            ("entity", truncate(&renderer.text(&settings.entity)?, ENTITY_CHARACTERS_MAX)),
        ]);
        body.insert("message".to_owned(), truncate(&renderer.text(&settings.message)?, MESSAGE_CHARACTERS_MAX).into());
        body.insert("source".to_owned(), renderer.text(&settings.source)?.into());
        body.insert("details".to_owned(), json!(details));
        let (tags, actions) = (renderer.text(&settings.tags)?, renderer.text(&settings.actions)?);
        for (name, list) in [("responders", self.responders(renderer)?), ("tags", listed(&tags)), ("actions", listed(&actions))] {
            if !list.is_empty() {
                body.insert(name.to_owned(), list.into());
            }
        }
        Ok(body)
    }
}

fn listed(text: &str) -> Vec<Value> {
    split(text).into_iter().map(Value::from).collect()
}

impl Service for Opsgenie {
    fn kind(&self) -> &'static str {
        "opsgenie"
    }

    fn name(&self) -> &'static str {
        "Opsgenie"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let base = format!("{}/v2/alerts", self.url.reveal().trim_end_matches('/'));
        let key = renderer.text(self.api_key.read().map_err(Failure::transient)?.reveal())?;
        let alias = group_hash(message);
        let at = |what: &str| Secret::new(format!("{base}/{alias}/{what}?identifierType=alias"));
        let mut requests = Vec::new();
        if message.status() == Status::Resolved {
            requests.push(Request::json(at("close"), &json!({"source": renderer.text(&self.settings.source)?})));
        } else {
            let body = self.creation(message, renderer)?;
            let (text, description) = (body["message"].clone(), body.get("description").cloned());
            requests.push(Request::json(Secret::new(&base), &body.into()));
            if self.settings.update_alerts {
                requests.push(Request::json(at("message"), &json!({"message": text})).method("PUT"));
                requests.push(Request::json(at("description"), &json!({"description": description})).method("PUT"));
            }
        }
        Ok(requests.into_iter().map(|request| request.header("Authorization", format!("GenieKey {key}"))).collect())
    }
}
