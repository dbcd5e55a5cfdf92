//! Webex: a message to a room (<https://developer.webex.com/docs/api/v1/messages/create-a-message>, which also says how many bytes it may have).
//!
//! 429, and 423 for a room that is locked for a moment, pass after the time in `Retry-After`
//! (<https://developer.webex.com/docs/basics#api-errors>).

use serde::Deserialize;
use serde_json::json;

use crate::hosted::Service;
use crate::http::{Answer, Request};
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

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check().map_err(|failure| Failure { is_transient: failure.is_transient || answer.status == 423, ..failure })
    }
}
