//! Gotify: a message of an application (<https://gotify.net/docs/pushmsg>).
//!
//! A yes is 200, a no for good 400, 401 or 403 (<https://gotify.net/api-docs>). The server knows neither longest texts nor too
//! many messages; a proxy before it may (413, 429).

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::hosted::Service;
use crate::http::Request;
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::Renderer;

/// Keys of `gotify_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) url: Option<Secret>,
    pub(crate) token: Option<Secret>,
    pub(crate) token_file: Option<PathBuf>,
    title: String,
    message: String,
    priority: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            token: None,
            token_file: None,
            title: r#"{{ template "__subject" . }}"#.to_owned(),
            message: r#"{{ .CommonAnnotations.SortedPairs.Values | join " " }}{{ template "__firing_and_resolved" . }}"#.to_owned(),
            priority: r#"{{ if eq .Status "firing" }}8{{ else }}2{{ end }}"#.to_owned(),
        }
    }
}

/// Gotify, with the server to post to.
#[derive(Debug)]
pub(crate) struct Gotify {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) token: SecretSource,
}

impl Service for Gotify {
    fn kind(&self) -> &'static str {
        "gotify"
    }

    fn name(&self) -> &'static str {
        "Gotify"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let priority = renderer.text(&settings.priority)?;
        let level: i64 = priority.trim().parse().map_err(|_| Failure::permanent(format!("priority: found {priority:?}: want a number")))?;
        let (title, message) = (renderer.text(&settings.title)?, renderer.text(&settings.message)?);
        // A message without a text is refused.
        let message = if message.trim().is_empty() { &title } else { message.trim() };
        let body = json!({"title": title, "message": message, "priority": level});
        let url = Secret::new(format!("{}/message", self.url.reveal().trim_end_matches('/')));
        let token = self.token.read().map_err(Failure::transient)?;
        Ok(vec![Request::json(url, &body).header("X-Gotify-Key", token.reveal())])
    }
}
