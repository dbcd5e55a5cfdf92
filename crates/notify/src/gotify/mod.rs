//! Gotify: a message of an application (<https://gotify.net/docs/pushmsg>).
//!
//! A yes is 200, a no for good 400, 401 or 403 (<https://gotify.net/api-docs>). The server itself knows neither longest texts nor too
//! many messages; a proxy before it may (413, 429). But it keeps title and message in columns of type `text`
//! (<https://github.com/gotify/server/blob/master/model/message.go>), which in MySQL and MariaDB have 65,535 bytes
//! (<https://mariadb.com/docs/server/reference/data-types/string-data-types/text>): more is an error of the database, 500, for as long as one tries.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::hosted::Service;
use crate::http::Request;
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate_bytes};

/// Bytes of a title and of a message.
const TEXT_BYTES_MAX: usize = 65_535;

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
        let (title, message) = (truncate_bytes(&renderer.text(&settings.title)?, TEXT_BYTES_MAX), renderer.text(&settings.message)?);
        // A message without a text is refused.
        let message = if message.trim().is_empty() { title.clone() } else { truncate_bytes(message.trim(), TEXT_BYTES_MAX) };
        let body = json!({"title": title, "message": message, "priority": level});
        let url = Secret::new(format!("{}/message", self.url.reveal().trim_end_matches('/')));
        let token = self.token.read().map_err(Failure::transient)?;
        Ok(vec![Request::json(url, &body).header("X-Gotify-Key", token.reveal())])
    }
}
