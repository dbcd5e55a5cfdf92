//! Alertmanager's HTTP API, version 2: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.
//!
//! What Prometheus and other rulers send alerts to, what `amtool`, Grafana and karma ask. Who keeps alerts is not known here:
//! `app` gives an [`AlertDesk`]. An answer of 200 to a silence or to alerts means that they are on stable storage. Errors are
//! JSON texts, as there.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::Value;
use signalbox_lang::matchers;
use signalbox_model::{Error, MatchOp, Matcher};

use crate::ApiState;
use crate::http::{Params, status as status_of};

mod alerts;
mod desk;
mod route_desk;
mod settings;
mod silences;
mod status;

pub use settings::Settings;

pub use desk::{AlertDesk, DeskAlert, DeskGroup, DeskPeers, DeskSilence, DeskWay, DeskWayStep, NoAlerts, PostedAlert};
pub use route_desk::{DeskChannel, DeskMatch, DeskReceiver, DeskRoute, DeskStep, DeskTimings, ReceiverTest, TestAnswer};

/// The API, to be mounted where Alertmanager's clients look for it.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/v2/status", get(status::status))
        .route("/api/v2/receivers", get(status::receivers))
        .route("/api/v2/alerts", get(alerts::list).post(alerts::post))
        .route("/api/v2/alerts/groups", get(alerts::groups))
        .route("/api/v2/silences", get(silences::list).post(silences::set))
        .route("/api/v2/silence/{id}", get(silences::one).delete(silences::expire))
        .route("/-/healthy", get(status::healthy))
        .route("/-/ready", get(status::healthy))
        .route("/api/v1/{*rest}", get(status::gone).merge(post(status::gone)))
        .with_state(state)
}

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (status_of(&self.0), axum::Json(Value::String(self.0.message().to_owned()))).into_response()
    }
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal(Error::invalid(message))
}

/// A boolean parameter; `true` if it is not given.
fn flag(params: &Params, name: &str) -> Result<bool, Refusal> {
    match params.get(name) {
        None => Ok(true),
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "ok" | "y" | "on" | "selected" | "checked" | "t" | "enabled" => Ok(true),
            "false" | "0" | "no" | "n" | "off" | "f" | "disabled" => Ok(false),
            _ => Err(bad(format!("{name} in query must be of type boolean: {text:?}"))),
        },
    }
}

/// The matchers of all `filter` parameters.
fn filters(params: &Params) -> Result<Vec<Matcher>, Refusal> {
    params.all("filter").map(|text| matchers::parse_one(text).map_err(|error| bad(format!("bad matcher format: {}", error.message())))).collect()
}

/// The matchers of all `receiver_matchers` parameters.
fn receiver_matchers(params: &Params) -> Result<Vec<Matcher>, Refusal> {
    let read = |text| matchers::parse_one(text).map_err(|error| bad(format!("failed to parse receiver_matchers param: {}", error.message())));
    params.all("receiver_matchers").map(read).collect()
}

/// Whether names and values hold all matchers; one of the empty value asks whether a name is there.
fn holds<'a>(filters: &[Matcher], mut value_of: impl FnMut(&str) -> Option<&'a str>) -> bool {
    filters.iter().all(|filter| {
        let value = value_of(&filter.name);
        let is_negative = matches!(filter.op, MatchOp::NotEqual | MatchOp::NotRegex);
        (filter.value.is_empty() && value.is_some() == is_negative) || filter.matches(value.unwrap_or_default())
    })
}

/// RFC 3339 with milliseconds.
fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "0001-01-01T00:00:00.000Z".to_owned(), |time| format!("{time:.3}"))
}

/// Milliseconds since the Unix epoch of a text in RFC 3339; Go's moment that never was is none.
fn read_time(name: &str, text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with("0001-01-01T00:00:00")) else { return Ok(None) };
    let time: jiff::Timestamp = text.parse().map_err(|_| bad(format!("{name} must be a date-time: {text:?}")))?;
    Ok(Some(time.as_millisecond()))
}

/// What is not there.
fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

#[cfg(test)]
mod tests;
