//! Google Chat: a text to a webhook of a space; messages about a group go into one thread
//! (<https://developers.google.com/workspace/chat/quickstart/webhooks>).
//!
//! A message has at most 32,000 bytes, text and cards together
//! (<https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create>). A space takes one a second;
//! more are told 429, to be tried again after growing times (<https://developers.google.com/workspace/chat/limits>).

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::hosted::{Service, group_hash};
use crate::http::Request;
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate_bytes};

/// Bytes of a text: a message has 32,000, and JSON escapes quotes and line ends.
const MESSAGE_BYTES_MAX: usize = 28_000;

/// Keys of `googlechat_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) webhook_url: Option<Secret>,
    pub(crate) webhook_url_file: Option<PathBuf>,
    message: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            webhook_url: None,
            webhook_url_file: None,
            message: r#"{{ template "__subject" . }} {{ .CommonAnnotations.SortedPairs.Values | join " " }}{{ template "__firing_and_resolved" . }}"#
                .to_owned(),
        }
    }
}

/// Google Chat, with the place to post to.
#[derive(Debug)]
pub(crate) struct GoogleChat {
    pub(crate) settings: Settings,
    pub(crate) url: SecretSource,
}

impl Service for GoogleChat {
    fn kind(&self) -> &'static str {
        "googlechat"
    }

    fn name(&self) -> &'static str {
        "Google Chat"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let text = truncate_bytes(renderer.text(&self.settings.message)?.trim(), MESSAGE_BYTES_MAX);
        let url = self.url.read().map_err(Failure::transient)?;
        let mut url = url.reveal().to_owned();
        // Without it the key of the thread is ignored; the operator may have chosen another way.
        if !url.contains("messageReplyOption=") {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
        }
        Ok(vec![Request::json(Secret::new(url), &json!({"text": text, "thread": {"threadKey": group_hash(message)}}))])
    }
}
