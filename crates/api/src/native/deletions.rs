//! `GET /api/v1/logs/deletions`: who had log records deleted, when, which, how many, and what became of it; newest first.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `state` | only those that are `asked`, `masked`, `cancelling`, `erased`, `cancelled` or `failed`; may be repeated | any |
//! | `start`, `end` | only those of records in this range: RFC 3339, seconds or nanoseconds since 1970, or `now-1h` | any |
//! | `request` | only the one of this name | any |
//! | `limit` | deletions, 1 to 1000 | 100 |
//!
//! ```json
//! {"deletions": [{"request": "289e1889", "state": "erased", "query": "{app=\"cart\"} |= \"4111\"", "start": "2023-11-14T22:13:20Z",
//!   "end": "2023-11-15T22:13:20Z", "asked_at": "2023-11-15T22:13:21Z", "asker": "10.0.0.7:51234 for 192.0.2.1, logcli/3.8.0",
//!   "records": 60, "masked_at": "2023-11-15T22:13:21.5Z", "ended_at": "2023-11-15T23:00:00Z", "note": ""}]}
//! ```
//!
//! `records`, `masked_at` and `ended_at` are there once they are known. Records that are `masked` are in no answer, and once they are
//! `erased` in no segment. Errors are those of SQL. How long deletions are listed is `api.loki.deletions_kept_days`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use signalbox_meta::{LogDeletion, LogDeletionFilter, LogDeletionState};
use signalbox_model::{Error, Result, Tenant};

use super::search::{instant, time};
use crate::ApiState;
use crate::http::{Asker, Params};
use crate::log_deletion;

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// Lists deletions.
pub(super) async fn list(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Response {
    match answer(&state, &tenant, &params).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(error) => super::sql::refuse(&error),
    }
}

async fn answer(state: &ApiState, tenant: &Tenant, params: &Params) -> Result<Value> {
    let deletions = log_deletion::list(state, &filter(tenant, params, state.engine.clock().now_ns())?).await?;
    Ok(json!({ "deletions": deletions.iter().map(show).collect::<Vec<_>>() }))
}

fn filter(tenant: &Tenant, params: &Params, now_ns: i64) -> Result<LogDeletionFilter> {
    let state = |word: &str| {
        let words = || LogDeletionState::ALL.map(LogDeletionState::as_str).join(", ");
        LogDeletionState::of(word).ok_or_else(|| Error::invalid(format!("cannot read state {word:?}: want one of {}", words())))
    };
    let limit = match params.get("limit") {
        None => LIMIT_DEFAULT,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| Error::invalid(format!("cannot read limit {text:?}: want a number from 1 to {LIMIT_MAX}")))?
        }
    };
    let bound_ns = |name: &str| params.get(name).map(|text| instant(name, text, now_ns)).transpose();
    Ok(LogDeletionFilter {
        tenant: Some(tenant.to_string()),
        states: params.all("state").filter(|word| !word.is_empty()).map(state).collect::<Result<_>>()?,
        request: params.get("request").map(str::to_owned),
        start_ns: bound_ns("start")?,
        end_ns: bound_ns("end")?,
        limit,
    })
}

fn show(deletion: &LogDeletion) -> Value {
    let mut shown = Map::new();
    let mut say = |name: &str, value: Option<Value>| drop(value.map(|value| shown.insert(name.to_owned(), value)));
    say("request", Some(json!(deletion.request)));
    say("state", Some(json!(deletion.state.as_str())));
    say("query", Some(json!(deletion.query)));
    say("start", Some(json!(time(deletion.start_ns))));
    say("end", Some(json!(time(deletion.end_ns))));
    say("asked_at", Some(json!(time(deletion.asked_at_ns))));
    say("asker", Some(json!(deletion.asker)));
    say("records", deletion.records.map(|records| json!(records)));
    say("masked_at", deletion.masked_at_ns.map(|at_ns| json!(time(at_ns))));
    say("ended_at", deletion.ended_at_ns.map(|at_ns| json!(time(at_ns))));
    say("note", Some(json!(deletion.note)));
    Value::Object(shown)
}
