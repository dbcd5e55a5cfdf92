//! Webex: a message to a room (<https://developer.webex.com/docs/api/v1/messages/create-a-message>).

use serde::Deserialize;
use serde_json::json;

use crate::hosted::Service;
use crate::http::Request;
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::Secret;
use crate::template::{Renderer, truncate_bytes};

/// Bytes that a message may have.
const MESSAGE_BYTES_MAX: usize = 7_439;

/// Keys of `webex_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_url: Option<Secret>,
    pub(crate) room_id: String,
    message: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { api_url: None, room_id: String::new(), message: r#"{{ template "webex.default.message" . }}"#.to_owned() }
    }
}

/// Webex, with the place to post to.
#[derive(Debug)]
pub(crate) struct Webex {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
}

impl Service for Webex {
    fn kind(&self) -> &'static str {
        "webex"
    }

    fn name(&self) -> &'static str {
        "Webex"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let message = truncate_bytes(&renderer.text(&self.settings.message)?, MESSAGE_BYTES_MAX);
        Ok(vec![Request::json(self.url.clone(), &json!({"markdown": message, "roomId": renderer.text(&self.settings.room_id)?}))])
    }
}
