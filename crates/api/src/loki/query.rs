//! `query_range` and `query`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use signalbox_lang::logql::{Expr, LogExpr};
use signalbox_model::{Result, Tenant, TimeRange};
use signalbox_query::logql::{LogRequest, MetricRequest};

use super::params::{self, Refusal};
use super::render::{self, Encoding};
use crate::ApiState;
use crate::http::{Asker, Params};

const HOUR_NS: i64 = 3_600_000_000_000;

/// `GET|POST /query_range`
pub(super) async fn range(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    match params::query(&params)? {
        Expr::Logs(expr) => Ok(logs(&state, &tenant, &headers, &params, expr, range).await?),
        Expr::Metric(expr) => {
            let step_ns = params::step_ns(&params)?;
            // The end of a range is one of the instants.
            let end_ns = if params.get("end").is_some() { range.end_ns.saturating_add(1) } else { range.end_ns };
            Ok(metric(&state, &tenant, MetricRequest { expr, start_ns: range.start_ns, end_ns, step_ns }).await?)
        }
    }
}

/// `GET|POST /query`: series at an instant; records of the hour before it.
pub(super) async fn instant(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let time_ns = params.get("time").map(params::instant_ns).transpose()?.unwrap_or_else(|| state.engine.clock().now_ns());
    match params::query(&params)? {
        Expr::Logs(expr) => Ok(logs(&state, &tenant, &headers, &params, expr, TimeRange::from_ns(time_ns.saturating_sub(HOUR_NS), time_ns)).await?),
        Expr::Metric(expr) => Ok(metric(&state, &tenant, MetricRequest { expr, start_ns: time_ns, end_ns: time_ns, step_ns: 0 }).await?),
    }
}

async fn metric(state: &ApiState, tenant: &Tenant, request: MetricRequest) -> Result<Response> {
    let (started, start_ns) = (state.engine.clock().monotonic(), request.start_ns);
    let answer = state.engine.logql(tenant, request).await?;
    let took = state.engine.clock().monotonic().saturating_sub(started);
    Ok(render::metric(&answer, start_ns, took))
}

async fn logs(state: &ApiState, tenant: &Tenant, headers: &HeaderMap, params: &Params, expr: LogExpr, range: TimeRange) -> Result<Response> {
    let limit = params::limit(params, state.engine.settings().results_max)?;
    let direction = params::direction(params)?;
    let started = state.engine.clock().monotonic();
    let answer = state.engine.logs(tenant, LogRequest { expr, range, limit, direction }).await?;
    let took = state.engine.clock().monotonic().saturating_sub(started);
    Ok(render::streams(&answer, Encoding::of(headers), took))
}
