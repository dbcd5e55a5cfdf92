//! `delete`: requests to delete log records.
//!
//! A request is carried out before it is answered: its records are in no later answer, and leave the disk with the next merge
//! of their segments. So a request is processed from the start and cannot be cancelled; it is listed until its records have
//! left the disk. One that selects nothing leaves nothing to list.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use signalbox_lang::logql::{self, Expr};
use signalbox_model::{Error, TimeRange};
use signalbox_query::admin::LogDeletion;

use super::answer;
use super::params::{self, Refusal};
use crate::ApiState;
use crate::http::{Asker, Params};

const SECOND_NS: i64 = 1_000_000_000;
/// The header in which Loki names a request that it took.
const REQUEST_ID: &str = "x-delete-request-id";

/// What a deletion that was asked for here keeps of its request, as one text.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    id: &'a str,
    range: TimeRange,
    query: &'a str,
}

impl<'a> Request<'a> {
    fn to_reason(&self) -> String {
        format!("request {} from {} to {}: {}", self.id, self.range.start_ns, self.range.end_ns, self.query)
    }

    /// `None` for the reason of a deletion that somebody else asked for.
    fn of_reason(reason: &'a str) -> Option<Self> {
        let (id, rest) = reason.strip_prefix("request ")?.split_once(" from ")?;
        let (start, rest) = rest.split_once(" to ")?;
        let (end, query) = rest.split_once(": ")?;
        Some(Self { id, range: TimeRange::from_ns(start.parse().ok()?, end.parse().ok()?), query })
    }
}

/// `POST|PUT /delete?query=&start=&end=`
pub(super) async fn add(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
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
    let id = format!("{:08x}", crc32c::crc32c(format!("{now_ns} {tenant} {start_ns} {end_ns} {query}").as_bytes()));
    let request = Request { id: &id, range: TimeRange::from_ns(start_ns, end_ns), query };
    let rows = state.engine.delete_logs(&tenant, expr, request.range, &request.to_reason()).await?;
    tracing::info!(%tenant, request = %id, query, start_ns, end_ns, rows, "delete request {id} of tenant {tenant} deleted {rows} log records");
    Ok((StatusCode::NO_CONTENT, [(REQUEST_ID, id)]).into_response())
}

/// `GET /delete?start=&end=`: the requests whose records have not all left the disk, oldest first.
pub(super) async fn list(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    if let Some(refusal) = refusal(&state) {
        return Ok(refusal);
    }
    let range = match (time_ns(&params, "start")?, time_ns(&params, "end")?) {
        (Some(start_ns), Some(end_ns)) => TimeRange::from_ns(start_ns, end_ns),
        _ => TimeRange::ALL,
    };
    let deletions = state.engine.log_deletions(&tenant);
    let requests: Vec<Value> = deletions.iter().filter_map(|deletion| render(deletion, &range)).collect();
    Ok(axum::Json(json!(requests)).into_response())
}

fn render(deletion: &LogDeletion, range: &TimeRange) -> Option<Value> {
    let request = Request::of_reason(&deletion.reason).filter(|request| request.range.overlaps(range))?;
    Some(json!({
        "request_id": request.id,
        // Whole, for logcli reads integers; one second too many rather than too few.
        "start_time": request.range.start_ns.div_euclid(SECOND_NS),
        "end_time": request.range.end_ns.saturating_add(SECOND_NS - 1).div_euclid(SECOND_NS),
        "query": request.query,
        "status": "processed",
        "created_at": answer::seconds(deletion.created_at_ns.div_euclid(1_000_000)),
        // Whose it is the client knows; Loki writes the key, and so empty.
        "user_id": "",
        "deleted_lines": deletion.rows,
    }))
}

/// `DELETE /delete?request_id=`: too late, always.
pub(super) async fn cancel(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    if let Some(refusal) = refusal(&state) {
        return Ok(refusal);
    }
    let id = params.get("request_id").ok_or_else(|| Error::invalid("request_id not set"))?;
    let deletions = state.engine.log_deletions(&tenant);
    let is_known = deletions.iter().any(|deletion| Request::of_reason(&deletion.reason).is_some_and(|request| request.id == id));
    // The words of Loki.
    Ok(if is_known {
        (StatusCode::BAD_REQUEST, "deletion of request which is in process or already processed is not allowed").into_response()
    } else {
        (StatusCode::NOT_FOUND, "could not find delete request with given id").into_response()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back_from_their_reasons() {
        let request = Request { id: "0a1b2c3d", range: TimeRange::from_ns(-5, 7), query: "{a=\" from x to y: \"} |= \": \"" };
        assert_eq!(Request::of_reason(&request.to_reason()), Some(request));
        for other in ["", "request", "request x from 1 to", "request x from a to 2: q", "an order of the keeper"] {
            assert_eq!(Request::of_reason(other), None, "{other}");
        }
    }
}
