//! `query` and `query_range`.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use signalbox_lang::promql::ValueType;
use signalbox_model::Tenant;
use signalbox_query::promql::{PromqlAnswer, PromqlRequest, Times};

use super::params::{self, optional_instant_ms};
use super::refusal::Refusal;
use super::{number, render};
use crate::ApiState;
use crate::http::{Asker, Params};

/// `GET|POST /query`
pub(super) async fn instant(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let limit = params::limit(&params)?;
    let at_ms = optional_instant_ms(&params, "time")?.unwrap_or_else(|| state.engine.clock().now_ms());
    evaluate(&state, &tenant, &params, Times::Instant(at_ms), limit).await
}

/// `GET|POST /query_range`
pub(super) async fn range(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let limit = params::limit(&params)?;
    let times = params::steps(&params)?;
    let expr = params::query(&params)?;
    let kind = expr.value_type();
    if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
        let reason = format!("invalid expression type \"{}\" for range query, must be Scalar or instant Vector", kind.as_str());
        return Err(Refusal::parameter("query", reason));
    }
    evaluate(&state, &tenant, &params, times, limit).await
}

async fn evaluate(state: &ApiState, tenant: &Tenant, params: &Params, times: Times, limit: Option<usize>) -> Result<Response, Refusal> {
    let timeout = params::timeout(params)?;
    let lookback = params::lookback(params)?;
    let expr = params::query(params)?;
    let text = params.get("query").unwrap_or_default().to_owned();
    let started = state.engine.clock().monotonic();
    let answer = state.engine.promql(tenant, PromqlRequest { expr, text, times, lookback, timeout }).await?;
    let took = state.engine.clock().monotonic().saturating_sub(started);
    let stats = params.get("stats").map(|_| stats(&answer, took));
    Ok(render::answer(answer, limit, stats))
}

/// Prometheus' shape. Preparation, waiting and sorting are not measured apart; the peak is at most all samples.
fn stats(answer: &PromqlAnswer, took: Duration) -> String {
    let mut seconds = String::new();
    number::write_plain(&mut seconds, took.as_secs_f64());
    let samples = answer.samples_read;
    format!(
        "{{\"timings\":{{\"evalTotalTime\":{seconds},\"resultSortTime\":0,\"queryPreparationTime\":0,\"innerEvalTime\":{seconds},\
         \"execQueueTime\":0,\"execTotalTime\":{seconds}}},\"samples\":{{\"totalQueryableSamples\":{samples},\"peakSamples\":{samples}}}}}"
    )
}
