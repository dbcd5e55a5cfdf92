//! `patterns`: how often lines of one pattern came.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_query::logql::{PatternSeries, PatternsRequest};

use super::params::{self, HOUR_NS, Refusal};
use super::render;
use crate::ApiState;
use crate::http::{Askers, Params};

/// Patterns in an answer when the request does not say.
const LIMIT_DEFAULT: usize = 1_000;

/// `GET|POST /patterns`: by pattern and level, the most frequent first. Instants are begins of steps, in seconds.
pub(super) async fn patterns(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    // Instants are whole seconds, and so are steps.
    let step_ns = (params::counted_step_ns(&params, range)? / 1_000_000_000).max(1) * 1_000_000_000;
    let limit = params::count(&params, "limit", LIMIT_DEFAULT)?;
    let request = PatternsRequest { expr: params::records(&params)?, range, step_ns, limit };
    let found = state.engine.log_patterns(&owners, request).await?;
    let samples = |series: &PatternSeries| series.points.iter().map(|(at_ns, count)| json!([at_ns / 1_000_000_000, count])).collect::<Vec<_>>();
    let data: Vec<Value> = found.iter().map(|series| json!({ "pattern": series.pattern, "level": series.level, "samples": samples(series) })).collect();
    Ok(render::success(json!(data)))
}
