//! `query` and `query_range`.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use signalbox_lang::promql::ValueType;
use signalbox_lang::text::quote;
use signalbox_model::Owners;
use signalbox_query::promql::{PromqlAnswer, PromqlRequest, SampleCounts, Times};

use super::params::{self, optional_instant_ms};
use super::refusal::Refusal;
use super::{number, render};
use crate::ApiState;
use crate::http::{Askers, Params};

/// `GET|POST /query`
pub(super) async fn instant(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let limit = params::limit(&params)?;
    let at_ms = optional_instant_ms(&params, "time")?.unwrap_or_else(|| state.engine.clock().now_ms());
    evaluate(&state, &owners, &params, Times::Instant(at_ms), limit).await
}

/// `GET|POST /query_range`
pub(super) async fn range(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let limit = params::limit(&params)?;
    let times = params::steps(&params)?;
    let expr = params::query(&params)?;
    let kind = expr.value_type();
    if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
        let reason = format!("invalid expression type \"{}\" for range query, must be Scalar or instant Vector", kind.as_str());
        return Err(Refusal::parameter("query", reason));
    }
    evaluate(&state, &owners, &params, times, limit).await
}

async fn evaluate(state: &ApiState, owners: &Owners, params: &Params, times: Times, limit: Option<usize>) -> Result<Response, Refusal> {
    let timeout = params::timeout(params)?;
    let lookback = params::lookback(params)?;
    let expr = params::query(params)?;
    let text = params.get("query").unwrap_or_default().to_owned();
    let stats = Stats::of(params);
    let request = PromqlRequest { expr, text, times, lookback, timeout };
    let started = state.engine.clock().monotonic();
    let counted = stats.is_some();
    let answered = if counted { state.engine.promql_counted(owners, request).await } else { state.engine.promql(owners, request).await };
    let mut answer = answered?;
    let took = state.engine.clock().monotonic().saturating_sub(started);
    if let Some(Stats::Unknown(word)) = stats {
        let word = quote(word);
        answer
            .warnings
            .push(format!("value {word} for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\""));
    }
    let stats = stats.map(|stats| stats.render(&answer, took));
    Ok(render::answer(answer, limit, stats))
}

/// What a request wants to know of its cost.
#[derive(Debug, Clone, Copy)]
enum Stats<'a> {
    True,
    /// By step, too.
    All,
    /// As `true`, with a warning.
    Unknown(&'a str),
}

impl<'a> Stats<'a> {
    fn of(params: &'a Params) -> Option<Self> {
        params.get("stats").map(|word| match word {
            "true" => Self::True,
            "all" => Self::All,
            word => Self::Unknown(word),
        })
    }

    /// Prometheus' shape. Preparation, waiting and sorting are not measured apart; the peak is at most what was read.
    fn render(self, answer: &PromqlAnswer, took: Duration) -> String {
        let mut seconds = String::new();
        number::write_plain(&mut seconds, took.as_secs_f64());
        let mut out = format!(
            "{{\"timings\":{{\"evalTotalTime\":{seconds},\"resultSortTime\":0,\"queryPreparationTime\":0,\"innerEvalTime\":{seconds},\
             \"execQueueTime\":0,\"execTotalTime\":{seconds}}},\"samples\":{{"
        );
        if let Some(counts) = &answer.counts {
            for (name, samples) in [("totalQueryableSamples", &counts.taken), ("samplesRead", &counts.read)] {
                if matches!(self, Self::All) {
                    out.push_str(&format!("\"{name}PerStep\":["));
                    write_steps(&mut out, counts, samples);
                    out.push_str("],");
                }
                out.push_str(&format!("\"{name}\":{},", samples.iter().sum::<u64>()));
            }
        }
        out.push_str(&format!("\"peakSamples\":{}}}}}", answer.samples_read));
        out
    }
}

/// `[time, samples]` of each step.
fn write_steps(out: &mut String, counts: &SampleCounts, samples: &[u64]) {
    let mut ts_ms = counts.start_ms;
    for (step, samples) in samples.iter().enumerate() {
        out.push_str(if step > 0 { ",[" } else { "[" });
        number::write_short_time(out, ts_ms);
        out.push_str(&format!(",{samples}]"));
        ts_ms = ts_ms.saturating_add(counts.step_ms);
    }
}
