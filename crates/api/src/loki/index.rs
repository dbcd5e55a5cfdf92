//! How much there is: `index/stats`, `index/volume`, `index/volume_range`, `index/shards`.
//!
//! Bytes are those of lines. A chunk is a part of the store that may hold records of the range: a segment, or what is in
//! memory. There is one shard, which is everything: a question is split inside.

use std::cmp::Reverse;

use axum::extract::State;
use axum::response::Response;
use signalbox_lang::logql::LogExpr;
use signalbox_model::{Error, MatchOp, Matcher, Owners, Result, TimeRange};
use signalbox_proto::loki::{Answer, Bounds, IndexStats, Sample, SampleStream, Shard, Shards, ShardsResponse, Statistics, StatsResponse};
use signalbox_query::logql::{Volume, VolumeBy, VolumeRequest, VolumeSeries};

use super::answer::{self, Form, pairs};
use super::params::{self, HOUR_NS, Manner, Refusal};
use super::statistics::{self, Read};
use crate::ApiState;
use crate::http::{Askers, Params};

const NANOS_PER_MILLISECOND: i64 = 1_000_000;
/// How much before its end a step is told, but for the last; as in Loki.
const STEP_GAP_NS: i64 = 1_000_000;
/// Series of volumes in an answer when the request does not say; as in Loki.
const LIMIT_DEFAULT: usize = 100;

/// `GET|POST /index/stats`
pub(super) async fn stats(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    Manner::of(&params, range)?;
    Ok(form.answer(Answer::Stats(StatsResponse { response: Some(stats_of(&state, &owners, &params, range).await?) })))
}

/// `GET|POST /index/shards`
pub(super) async fn shards(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    Manner::of(&params, range)?;
    // Loki wants to know how large a part is to be; here there is one.
    if params.get("targetBytesPerShard").is_none() {
        return Err(Error::invalid("targetBytesPerShard must be a positive value").into());
    }
    let shard = Shard { bounds: Some(Bounds { min: 0, max: u64::MAX }), stats: Some(stats_of(&state, &owners, &params, range).await?) };
    let response = Some(Shards { shards: vec![shard], statistics: Some(Statistics::default()) });
    Ok(form.answer(Answer::Shards(ShardsResponse { response })))
}

async fn stats_of(state: &ApiState, owners: &Owners, params: &Params, range: TimeRange) -> Result<IndexStats> {
    let request = VolumeRequest { expr: params::records(params)?, range, step_ns: 0, by: VolumeBy::Stream };
    let answer = state.engine.log_volume(owners, request).await?;
    let totals: Vec<Volume> = answer.series.iter().map(VolumeSeries::total).collect();
    Ok(IndexStats {
        streams: answer.series.len() as u64,
        chunks: answer.parts,
        bytes: totals.iter().map(|volume| volume.bytes).sum(),
        entries: totals.iter().map(|volume| volume.entries).sum(),
    })
}

/// `GET|POST /index/volume`: bytes by labels, over the whole range.
pub(super) async fn volume(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    params::direction(&params)?;
    Ok(volumes(&state, &owners, form, &params, range, 0).await?)
}

/// `GET|POST /index/volume_range`: bytes by labels, at the end of each step; steps begin at multiples of their length.
pub(super) async fn volume_range(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    let step_ns = params::bounded_step_ns(&params, range)?;
    params::direction(&params)?;
    Ok(volumes(&state, &owners, form, &params, range, step_ns).await?)
}

async fn volumes(state: &ApiState, owners: &Owners, form: Form, params: &Params, range: TimeRange, step_ns: i64) -> Result<Response> {
    let mut expr = params::records(params)?;
    // As Loki does it: 0 asks for the default.
    let limit = if params.get("limit") == Some("0") { LIMIT_DEFAULT } else { params::count(params, "limit", LIMIT_DEFAULT)? };
    let by = by(params, &mut expr)?;
    let started = state.engine.clock().monotonic();
    let answer = state.engine.log_volume(owners, VolumeRequest { expr, range, step_ns, by }).await?;
    let took = state.engine.clock().monotonic().saturating_sub(started);
    let mut series = answer.series;
    // Stable: of equal volumes those with the lesser labels come first.
    series.sort_by_key(|series| Reverse(series.total().bytes));
    series.truncate(limit);
    let totals: Vec<Volume> = series.iter().map(VolumeSeries::total).collect();
    let read = Read { rows: answer.rows_read, bytes: totals.iter().map(|volume| volume.bytes).sum(), entries: series.len() };
    // The end of a range is not in it.
    let end_ns = if params.get("end").is_some() { range.end_ns.saturating_add(1) } else { range.end_ns };
    let time_ns = |step: i64| match (step + 1).saturating_mul(step_ns) {
        step_end_ns if step_ns > 0 && step_end_ns < end_ns => step_end_ns - STEP_GAP_NS,
        _ => end_ns,
    };
    let sample = |(step, volume): &(i64, Volume)| Sample { value: volume.bytes as f64, timestamp_ms: time_ns(*step).div_euclid(NANOS_PER_MILLISECOND) };
    let stream = |series: &VolumeSeries| SampleStream { labels: pairs(&series.labels), samples: series.steps.iter().map(sample).collect() };
    // As Loki does it: a vector unless a series has more than one value.
    let is_matrix = series.iter().any(|series| series.steps.len() > 1);
    let kind = if is_matrix { "matrix" } else { "vector" };
    Ok(form.answer(answer::metric(kind, series.iter().map(stream).collect(), statistics::of(&read, took))))
}

/// `targetLabels` and `aggregateBy`. Streams without a target label do not count; without targets the labels are those that
/// the selector names, or all if it names none.
fn by(params: &Params, expr: &mut LogExpr) -> Result<VolumeBy> {
    let targets: Vec<String> = params.get("targetLabels").unwrap_or("").split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for target in &targets {
        if !expr.matchers.iter().any(|matcher| matcher.name == *target) {
            expr.matchers.push(Matcher::new(target, MatchOp::Regex, ".+")?);
        }
    }
    match params.get("aggregateBy") {
        None | Some("series") => {
            let names = if targets.is_empty() { expr.matchers.iter().map(|matcher| matcher.name.clone()).collect() } else { targets };
            Ok(if names.is_empty() { VolumeBy::Stream } else { VolumeBy::Labels(names) })
        }
        Some("labels") => Ok(VolumeBy::EachLabel(targets)),
        Some(other) => Err(Error::invalid(format!("invalid aggregation option {other:?}: want series or labels"))),
    }
}
