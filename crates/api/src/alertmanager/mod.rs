//! Alertmanager's HTTP API, version 2: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>. Beside it Mimir's for
//! the configuration (`configuration.rs`).
//!
//! What Prometheus and other rulers send alerts to, what `amtool`, Grafana and karma ask. Who keeps alerts is not known here:
//! `app` gives an [`AlertDesk`]. An answer of 200 to a silence or to alerts means that they are on stable storage. What is refused
//! has the status and the shape that it has there.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use signalbox_lang::matchers;
use signalbox_model::{MatchOp, Matcher};

use crate::ApiState;
use crate::http::Params;

mod alerts;
mod configuration;
mod desk;
mod refusal;
mod route_desk;
mod settings;
mod silences;
mod status;

pub(crate) use refusal::Refusal;
pub use settings::Settings;

pub use configuration::DeskConfig;
pub use desk::{AlertDesk, DeskAlert, DeskGroup, DeskPeers, DeskSilence, DeskWay, DeskWayStep, NoAlerts, PostedAlert, Telling};
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
        .route("/api/v1/alerts", get(configuration::get).post(configuration::set).delete(configuration::delete))
        .route("/api/v1/{*rest}", get(status::gone).merge(post(status::gone)))
        .fallback(refusal::nothing_there)
        .method_not_allowed_fallback(refusal::wrong_method)
        .with_state(state)
}

/// A boolean parameter; `true` if it is not given, and as in Alertmanager false is whatever is not true.
fn flag(params: &Params, name: &str) -> bool {
    const TRUE: [&str; 10] = ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];
    params.get(name).is_none_or(|text| TRUE.contains(&text.to_ascii_lowercase().as_str()))
}

/// One matcher, its complaint in Alertmanager's words.
fn matcher(text: &str) -> Result<Matcher, String> {
    if text.trim().is_empty() {
        return Err(format!("bad matcher format: {text}"));
    }
    matchers::parse_one(text).map_err(|error| error.message().to_owned())
}

/// The matchers of all `filter` parameters.
fn filters(params: &Params) -> Result<Vec<Matcher>, Refusal> {
    params.all("filter").map(|text| matcher(text).map_err(Refusal::bad)).collect()
}

/// The matchers of all `receiver_matchers` parameters.
fn receiver_matchers(params: &Params) -> Result<Vec<Matcher>, Refusal> {
    let read = |text| matcher(text).map_err(|why| Refusal::bad(format!("failed to parse receiver_matchers param: {why}")));
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

/// Milliseconds since the Unix epoch of a date and time, in UTC if it names no zone; Go's moment that never was is none.
fn read_time(body: &str, text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with("0001-01-01T00:00:00")) else { return Ok(None) };
    let without_zone = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp());
    let time = text.parse::<jiff::Timestamp>().ok().or_else(without_zone);
    let time = time.ok_or_else(|| Refusal::unreadable(body, format!("parsing time {text:?}: want RFC 3339, such as 2006-01-02T15:04:05Z")))?;
    Ok(Some(time.as_millisecond()))
}

/// What is not there.
fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

#[cfg(test)]
mod tests;
