//! `delete`: requests to delete log records.
//!
//! A request is carried out before it is answered: its records are in no later answer, and leave the disk with the next merge
//! of their segments. Until then it is `received` and can be cancelled, afterwards `processed`, as in Loki; it is listed for as long
//! as the settings say. One that failed was answered so, and one that was cancelled is no more: neither is listed here, as in
//! Loki, while `/api/v1/logs/deletions` tells of both.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use signalbox_lang::logql::{self, Expr};
use signalbox_meta::{LogDeletion, LogDeletionFilter, LogDeletionState};
use signalbox_model::{Error, TimeRange};
use signalbox_query::admin::Undelete;

use super::answer;
use super::params::{self, Refusal};
use crate::ApiState;
use crate::http::{Asker, Caller, Params};
use crate::log_deletion::{self, Cancelled, Order};

const SECOND_NS: i64 = 1_000_000_000;
/// The header in which Loki names a request that it took.
const REQUEST_ID: &str = "x-delete-request-id";
/// Requests that are listed at most, the newest.
const LISTED_MAX: u32 = 1_000;

/// `POST|PUT /delete?query=&start=&end=`
pub(super) async fn add(State(state): State<ApiState>, Asker(tenant): Asker, Caller(caller): Caller, params: Params) -> Result<Response, Refusal> {
    if let Some(refusal) = refusal(&state) {
        return Ok(refusal);
    }
    let query = params.get("query").ok_or_else(|| Error::invalid("query not set"))?;
    let Expr::Logs(expr) = logql::parse(query)? else {
        return Err(Error::invalid("cannot delete by a metric query: want a query for log records").into());
    };
    let now_ns = state.engine.clock().now_ns();
    let start_ns = time_ns(&params, "start")?.ok_or_else(|| Error::invalid("start time not set"))?;
    let end_ns = time_ns(&params, "end")?.unwrap_or(now_ns);
    if end_ns > now_ns {
        return Err(Error::invalid("deletes in the future are not allowed").into());
    }
    if start_ns >= end_ns {
        return Err(Error::invalid("start time can't be greater than or equal to end time").into());
    }
    let order = Order { tenant: &tenant, expr, query, range: TimeRange::from_ns(start_ns, end_ns), asker: &caller };
    let request = log_deletion::delete(&state, order).await?;
    Ok((StatusCode::NO_CONTENT, [(REQUEST_ID, request)]).into_response())
}

/// `GET /delete?start=&end=`: the requests of which something may become or has become something, oldest first.
pub(super) async fn list(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    use LogDeletionState::{Asked, Cancelling, Erased, Masked};
    if let Some(refusal) = refusal(&state) {
        return Ok(refusal);
    }
    let (start_ns, end_ns) = match (time_ns(&params, "start")?, time_ns(&params, "end")?) {
        (Some(start_ns), Some(end_ns)) => (Some(start_ns), Some(end_ns)),
        _ => (None, None),
    };
    let states = vec![Asked, Masked, Cancelling, Erased];
    let filter = LogDeletionFilter { tenant: Some(tenant.to_string()), states, start_ns, end_ns, limit: LISTED_MAX, ..LogDeletionFilter::default() };
    let requests: Vec<Value> = log_deletion::list(&state, &filter).await?.iter().rev().map(render).collect();
    Ok(axum::Json(json!(requests)).into_response())
}

fn render(deletion: &LogDeletion) -> Value {
    json!({
        "request_id": deletion.request,
        // Whole, for logcli reads integers; one second too many rather than too few.
        "start_time": deletion.start_ns.div_euclid(SECOND_NS),
        "end_time": deletion.end_ns.saturating_add(SECOND_NS - 1).div_euclid(SECOND_NS),
        "query": deletion.query,
        "status": if deletion.state.is_over() { "processed" } else { "received" },
        "created_at": answer::seconds(deletion.asked_at_ns.div_euclid(1_000_000)),
        // Whose it is the client knows; Loki writes the key, and so empty.
        "user_id": "",
        "deleted_lines": deletion.records.unwrap_or_default(),
    })
}

/// `DELETE /delete?request_id=&force=`: the records are back. Without force only if all of them still can be.
pub(super) async fn cancel(State(state): State<ApiState>, Asker(tenant): Asker, Caller(caller): Caller, params: Params) -> Result<Response, Refusal> {
    if let Some(refusal) = refusal(&state) {
        return Ok(refusal);
    }
    let id = params.get("request_id").ok_or_else(|| Error::invalid("request_id not set"))?;
    let which = if params.get("force") == Some("true") { Undelete::Remains } else { Undelete::Whole };
    // The words of Loki.
    Ok(match log_deletion::cancel(&state, &tenant, id, which, &caller).await? {
        Cancelled::Done => StatusCode::NO_CONTENT.into_response(),
        Cancelled::PartlyErased => {
            let message = "Cancellation of partially completed delete request is not allowed. To force, use the ?force query parameter";
            (StatusCode::BAD_REQUEST, message).into_response()
        }
        Cancelled::TooLate => (StatusCode::BAD_REQUEST, "deletion of request which is in process or already processed is not allowed").into_response(),
        Cancelled::Unknown => (StatusCode::NOT_FOUND, "could not find delete request with given id").into_response(),
    })
}

/// An instant under a name, in the words that deletion has for one that is none.
fn time_ns(params: &Params, name: &str) -> Result<Option<i64>, Error> {
    let invalid = |_| Error::invalid(format!("invalid {name} time: require unix seconds or RFC3339 format"));
    params.get(name).map(params::instant_ns).transpose().map_err(invalid)
}

fn refusal(state: &ApiState) -> Option<Response> {
    let message = "deletion is not enabled: set api.loki.delete in the configuration";
    (!state.loki.settings.delete).then(|| (StatusCode::FORBIDDEN, message).into_response())
}
