//! `patterns`: how often lines of one pattern came.

use axum::extract::State;
use axum::response::Response;
use signalbox_proto::loki::{self, Answer, PatternSample, Patterns, PatternsResponse};
use signalbox_query::logql::{PatternSeries, PatternsRequest};

use super::answer::Form;
use super::params::{self, HOUR_NS, Refusal};
use crate::ApiState;
use crate::http::{Askers, Params};

const NANOS_PER_MILLISECOND: i64 = 1_000_000;
/// Patterns in an answer when the request does not say.
const LIMIT_DEFAULT: usize = 1_000;

/// `GET|POST /patterns`: by pattern and level, the most frequent first. Instants are begins of steps, in seconds.
pub(super) async fn patterns(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    // Instants are whole seconds, and so are steps.
    let step_ns = (params::bounded_step_ns(&params, range)? / 1_000_000_000).max(1) * 1_000_000_000;
    let limit = params::count(&params, "limit", LIMIT_DEFAULT)?;
    let request = PatternsRequest { expr: params::records(&params)?, range, step_ns, limit };
    let found = state.engine.log_patterns(&owners, request).await?;
    let sample = |(at_ns, count): &(i64, u64)| PatternSample { timestamp_ms: at_ns / NANOS_PER_MILLISECOND, value: i64::try_from(*count).unwrap_or(i64::MAX) };
    let series = |series: PatternSeries| {
        let samples = series.points.iter().map(sample).collect();
        loki::PatternSeries { pattern: series.pattern, samples, level: series.level }
    };
    let response = Some(Patterns { series: found.into_iter().map(series).collect() });
    Ok(form.answer(Answer::Patterns(PatternsResponse { response })))
}
