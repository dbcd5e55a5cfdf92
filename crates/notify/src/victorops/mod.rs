//! VictorOps, now Splunk On-Call: its REST endpoint; a group of alerts is an entity, known by the hash of its key
//! (<https://help.victorops.com/knowledge-base/rest-endpoint-integration-guide/>).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::hosted::{Service, group_hash};
use crate::http::Request;
use crate::message::{Message, Status};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters that a state message may have, as Alertmanager has it: the service cuts longer ones (20 KB).
const MESSAGE_CHARACTERS_MAX: usize = 20_480;
/// Fields that have keys of their own.
const RESERVED: [&str; 7] = ["routing_key", "message_type", "state_message", "entity_display_name", "monitoring_tool", "entity_id", "entity_state"];

/// Keys of `victorops_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_key: Option<Secret>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) api_url: Option<Secret>,
    routing_key: String,
    message_type: String,
    state_message: String,
    entity_display_name: String,
    monitoring_tool: String,
    custom_fields: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"victorops.default.{name}\" . }}}}");
        Self {
            api_key: None,
            api_key_file: None,
            api_url: None,
            routing_key: String::new(),
            message_type: "CRITICAL".to_owned(),
            state_message: template("state_message"),
            entity_display_name: template("entity_display_name"),
            monitoring_tool: template("monitoring_tool"),
            custom_fields: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// What Alertmanager refuses too.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.routing_key.is_empty() {
            return Err("missing Routing key in VictorOps config".to_owned());
        }
        match RESERVED.iter().find(|name| self.custom_fields.contains_key(**name)) {
            Some(name) => Err(format!("victorOps config contains custom field {name} which cannot be used as it conflicts with the fixed/static fields")),
            None => Ok(()),
        }
    }
}

/// VictorOps, with the place to post to.
#[derive(Debug)]
pub(crate) struct VictorOps {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) api_key: SecretSource,
}

impl Service for VictorOps {
    fn kind(&self) -> &'static str {
        "victorops"
    }

    fn name(&self) -> &'static str {
        "VictorOps"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let asked = renderer.text(&settings.message_type)?;
        let kind = match message.status() {
            Status::Resolved => "RECOVERY",
            Status::Firing if matches!(asked.as_str(), "INFO" | "WARNING" | "CRITICAL") => asked.as_str(),
            Status::Firing => "CRITICAL",
        };
        let mut body = json!({
            "message_type": kind,
            "entity_id": group_hash(message),
            "entity_display_name": renderer.text(&settings.entity_display_name)?,
            "state_message": truncate(&renderer.text(&settings.state_message)?, MESSAGE_CHARACTERS_MAX),
            "monitoring_tool": renderer.text(&settings.monitoring_tool)?,
        });
        for (name, text) in &settings.custom_fields {
            body[name] = renderer.text(text)?.into();
        }
        let key = self.api_key.read().map_err(Failure::transient)?;
        let base = self.url.reveal().trim_end_matches('/');
        Ok(vec![Request::json(Secret::new(format!("{base}/{}/{}", key.reveal(), renderer.text(&settings.routing_key)?)), &body)])
    }
}
