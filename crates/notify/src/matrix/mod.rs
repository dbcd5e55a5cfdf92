//! Matrix: a text into a room; a repeated attempt has the same transaction, of which the server takes one
//! (<https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>).

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;
use signalbox_lang::template::query_escape;

use crate::hosted::Service;
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Characters of a message: an event has 65,536 bytes (<https://spec.matrix.org/latest/client-server-api/#size-limits>), and a character at most six in JSON.
const MESSAGE_CHARACTERS_MAX: usize = 10_000;

/// Keys of `matrix_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) url: Option<Secret>,
    pub(crate) access_token: Option<Secret>,
    pub(crate) access_token_file: Option<PathBuf>,
    pub(crate) room_id: String,
    message: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            access_token: None,
            access_token_file: None,
            room_id: String::new(),
            message: r#"{{ template "__subject" . }} {{ .CommonAnnotations.SortedPairs.Values | join " " }}{{ template "__firing_and_resolved" . }}"#
                .to_owned(),
        }
    }
}

/// Stands in a URL where the id of a room will.
const ROOM_TO_COME: &str = "{room}";

/// Matrix, with the home server to post to.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    pub(crate) access_token: SecretSource,
}

impl Matrix {
    fn room(&self, renderer: &Renderer<'_>) -> Result<String, Failure> {
        Ok(renderer.text(&self.settings.room_id)?.trim().to_owned())
    }
}

impl Service for Matrix {
    fn kind(&self) -> &'static str {
        "matrix"
    }

    fn name(&self) -> &'static str {
        "Matrix"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let text = truncate(renderer.text(&self.settings.message)?.trim(), MESSAGE_CHARACTERS_MAX);
        let room = self.room(renderer)?;
        // The server knows rooms by their ids only: what an alias means is asked first, and put in here.
        let room = if room.starts_with('#') { ROOM_TO_COME.to_owned() } else { query_escape(&room) };
        let base = self.url.reveal().trim_end_matches('/');
        let url = format!("{base}/_matrix/client/v3/rooms/{room}/send/m.room.message/signalbox.{}", renderer.key());
        let token = self.access_token.read().map_err(Failure::transient)?;
        let request = Request::json(Secret::new(url), &json!({"msgtype": "m.text", "body": text})).method("PUT");
        Ok(vec![request.header("Authorization", format!("Bearer {}", token.reveal()))])
    }

    fn login(&self, renderer: &Renderer<'_>) -> Result<Option<Request>, Failure> {
        let room = self.room(renderer)?;
        if !room.starts_with('#') {
            return Ok(None);
        }
        let base = self.url.reveal().trim_end_matches('/');
        let url = Secret::new(format!("{base}/_matrix/client/v3/directory/room/{}", query_escape(&room)));
        Ok(Some(Request { method: "GET", url, headers: Vec::new(), content_type: "application/json".to_owned(), body: String::new() }))
    }

    fn admit(&self, answer: &Answer, requests: &mut [Request]) -> Result<(), Failure> {
        self.judge(answer)?;
        let json = answer.json();
        let room = json["room_id"].as_str().ok_or_else(|| answer.refused("Matrix", "found no room_id in the answer"))?;
        for request in requests {
            request.url = Secret::new(request.url.reveal().replacen(ROOM_TO_COME, &query_escape(room), 1));
        }
        Ok(())
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        // Before version 1.10 how long to wait stood in the body alone, in milliseconds
        // (<https://spec.matrix.org/latest/client-server-api/#rate-limiting>).
        let asked = answer.json()["retry_after_ms"].as_u64().map(std::time::Duration::from_millis);
        answer.check().map_err(|failure| Failure { retry_after: failure.retry_after.or(asked), ..failure })
    }
}
