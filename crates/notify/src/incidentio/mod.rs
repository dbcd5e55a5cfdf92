//! incident.io: the JSON of Alertmanager's webhook to an alert source (<https://docs.incident.io/alerts/prometheus>). Alerts are
//! told apart there by their fingerprints, so that a repeated message makes no second one.
//!
//! A request has at most 512 KB, and 429 passes: both as Alertmanager has it. Of a larger message only the first alert is told.

use std::path::PathBuf;

use serde::Deserialize;

use crate::hosted::Service;
use crate::http::Request;
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::Renderer;
use crate::webhook::payload;

/// Bytes of a request.
const REQUEST_BYTES_MAX: usize = 512 << 10;
/// The version of the form.
const VERSION: &str = "1";

/// Keys of `incidentio_configs`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) url: Option<Secret>,
    pub(crate) url_file: Option<PathBuf>,
    pub(crate) alert_source_token: Option<Secret>,
    pub(crate) alert_source_token_file: Option<PathBuf>,
    pub(crate) max_alerts: u64,
}

/// incident.io, with the place to post to.
#[derive(Debug)]
pub(crate) struct IncidentIo {
    pub(crate) url: SecretSource,
    pub(crate) max_alerts: u64,
}

impl Service for IncidentIo {
    fn kind(&self) -> &'static str {
        "incidentio"
    }

    fn name(&self) -> &'static str {
        "incident.io"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let of_alerts = |max_alerts| payload::render(&payload::shortened(message, max_alerts), renderer.route_labels(), VERSION);
        let mut body = of_alerts(self.max_alerts);
        if body.len() > REQUEST_BYTES_MAX {
            body = of_alerts(1);
        }
        let url = self.url.read().map_err(Failure::transient)?;
        Ok(vec![Request { method: "POST", url, headers: Vec::new(), content_type: "application/json".to_owned(), body }])
    }
}
