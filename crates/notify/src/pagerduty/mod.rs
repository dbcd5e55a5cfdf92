//! PagerDuty's Events API v2: a group of alerts is an incident, known by the hash of its key
//! (<https://developer.pagerduty.com/docs/events-api-v2-overview>); and version 1 for keys of services that are that old.
//!
//! A yes is 202 (200 of version 1), a no for good 400; 429 passes, and of version 1 403, which says that there were too many
//! (<https://developer.pagerduty.com/docs/events-api-v2-overview#response-codes--retry-logic>,
//! <https://developer.pagerduty.com/docs/events-api-v1-overview>). Lengths are those of the same pages, and Alertmanager's.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::hosted::{Service, expand_all, filled, group_hash};
use crate::http::{Answer, Request};
use crate::message::{Message, Status};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters that a summary may have.
const SUMMARY_CHARACTERS_MAX: usize = 1_024;
/// Bytes that an event may have.
const EVENT_BYTES_MAX: usize = 512_000;

/// Keys of `pagerduty_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) routing_key: Option<Secret>,
    pub(crate) routing_key_file: Option<PathBuf>,
    pub(crate) service_key: Option<Secret>,
    pub(crate) service_key_file: Option<PathBuf>,
    pub(crate) url: Option<Secret>,
    client: String,
    client_url: String,
    description: String,
    details: Map<String, Value>,
    images: Vec<Image>,
    links: Vec<Link>,
    source: Option<String>,
    severity: String,
    class: String,
    component: String,
    group: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Image {
    src: String,
    alt: String,
    href: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Link {
    href: String,
    text: String,
}

/// What stands in place of details that are too many.
const TOO_LARGE: &str = "Custom details have been removed because the original event exceeds the maximum size of 512KB";

/// Details that every event has, unless they are configured.
const DETAILS: [(&str, &str); 4] = [
    ("firing", "{{ .Alerts.Firing | toJson }}"),
    ("resolved", "{{ .Alerts.Resolved | toJson }}"),
    ("num_firing", "{{ .Alerts.Firing | len }}"),
    ("num_resolved", "{{ .Alerts.Resolved | len }}"),
];

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"pagerduty.default.{name}\" . }}}}");
        Self {
            routing_key: None,
            routing_key_file: None,
            service_key: None,
            service_key_file: None,
            url: None,
            client: template("client"),
            client_url: template("clientURL"),
            description: template("description"),
            details: Map::new(),
            images: Vec::new(),
            links: Vec::new(),
            source: None,
            severity: "error".to_owned(),
            class: String::new(),
            component: String::new(),
            group: String::new(),
        }
    }
}

/// PagerDuty, with the place to post to.
#[derive(Debug)]
pub(crate) struct PagerDuty {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) key: SecretSource,
    pub(crate) version: Version,
}

/// Versions of the Events API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// With the key of a service.
    One,
    /// With a routing key.
    Two,
}

impl PagerDuty {
    fn payload(&self, renderer: &Renderer<'_>) -> Result<Map<String, Value>, Failure> {
        let settings = &self.settings;
        let mut payload = filled([
            ("class", renderer.text(&settings.class)?),
            ("component", renderer.text(&settings.component)?),
            ("group", renderer.text(&settings.group)?),
        ]);
        let summary = truncate(&renderer.text(&settings.description)?, SUMMARY_CHARACTERS_MAX);
        let source = settings.source.as_deref().filter(|source| !source.is_empty()).unwrap_or(&settings.client);
        for (name, text) in [("summary", summary), ("source", renderer.text(source)?), ("severity", renderer.text(&settings.severity)?)] {
            payload.insert(name.to_owned(), text.into());
        }
        payload.insert("custom_details".to_owned(), self.details(renderer)?);
        Ok(payload)
    }

    fn details(&self, renderer: &Renderer<'_>) -> Result<Value, Failure> {
        let mut details = self.settings.details.clone();
        for (name, text) in DETAILS {
            details.entry(name).or_insert_with(|| text.into());
        }
        expand_all(renderer, &details.into())
    }

    /// The event of version 1.
    fn first(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Request, Failure> {
        let settings = &self.settings;
        let service_key = renderer.text(self.key.read().map_err(Failure::transient)?.reveal())?;
        if service_key.is_empty() {
            return Err(Failure::permanent("service key cannot be empty"));
        }
        let firing = message.status() == Status::Firing;
        let described = truncate(&renderer.text(&settings.description)?, SUMMARY_CHARACTERS_MAX);
        let mut event = filled([
            ("service_key", service_key),
            ("event_type", if firing { "trigger" } else { "resolve" }.to_owned()),
            ("incident_key", group_hash(message)),
            ("description", described),
            ("client", if firing { renderer.text(&settings.client)? } else { String::new() }),
            ("client_url", if firing { renderer.text(&settings.client_url)? } else { String::new() }),
        ]);
        event.insert("details".to_owned(), self.details(renderer)?);
        let request = Request::json(self.url.clone(), &Value::Object(event.clone()));
        if request.body.len() <= EVENT_BYTES_MAX {
            return Ok(request);
        }
        event.insert("details".to_owned(), json!({"error": TOO_LARGE}));
        Ok(Request::json(self.url.clone(), &Value::Object(event)))
    }
}

impl Service for PagerDuty {
    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn name(&self) -> &'static str {
        "PagerDuty"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        if self.version == Version::One {
            return Ok(vec![self.first(message, renderer)?]);
        }
        let settings = &self.settings;
        let routing_key = renderer.text(self.key.read().map_err(Failure::transient)?.reveal())?;
        if routing_key.is_empty() {
            return Err(Failure::permanent("routing key cannot be empty"));
        }
        let mut payload = self.payload(renderer)?;
        let mut event = filled([("client", renderer.text(&settings.client)?), ("client_url", renderer.text(&settings.client_url)?)]);
        let action = if message.status() == Status::Firing { "trigger" } else { "resolve" };
        for (name, text) in [("routing_key", routing_key), ("event_action", action.to_owned()), ("dedup_key", group_hash(message))] {
            event.insert(name.to_owned(), text.into());
        }
        let (mut images, mut links) = (Vec::new(), Vec::new());
        for image in &settings.images {
            let src = renderer.text(&image.src)?;
            if !src.is_empty() {
                images.push(json!({"src": src, "alt": renderer.text(&image.alt)?, "href": renderer.text(&image.href)?}));
            }
        }
        for link in &settings.links {
            let href = renderer.text(&link.href)?;
            if !href.is_empty() {
                links.push(json!({"href": href, "text": renderer.text(&link.text)?}));
            }
        }
        for (name, list) in [("images", images), ("links", links)] {
            if !list.is_empty() {
                event.insert(name.to_owned(), list.into());
            }
        }
        event.insert("payload".to_owned(), payload.clone().into());
        let mut request = Request::json(self.url.clone(), &Value::Object(event.clone()));
        if request.body.len() > EVENT_BYTES_MAX {
            payload.insert("custom_details".to_owned(), json!({"error": TOO_LARGE}));
            event.insert("payload".to_owned(), payload.into());
            request = Request::json(self.url.clone(), &Value::Object(event));
        }
        Ok(vec![request])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        // Version 1 says "too many" with a status that else is for good.
        let is_limited = self.version == Version::One && answer.status == 403;
        answer.check().map_err(|failure| Failure { is_transient: failure.is_transient || is_limited, ..failure })
    }
}
