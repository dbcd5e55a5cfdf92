//! TraceQL metrics: series by steps, and series of one value.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use signalbox_lang::traceql::tree::{Root, Static};
use signalbox_model::{Error, Owners, Result};
use signalbox_proto::tempo;
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest, MetricsSeries, SpanExemplar};

use super::params::{self, Format, Refusal};
use super::search::{metrics, parse};
use super::values::{go_duration, key_value};
use crate::ApiState;
use crate::http::{Askers, Params};

/// Exemplars of a query at most; without a wish or a hint there are none.
pub(super) const EXEMPLARS_MAX: u32 = 100;
/// Series of an answer at most, and if the query does not say how many.
pub(super) const SERIES_MAX: u32 = 1_000;
/// Steps of a range at most.
const STEPS_MAX: u64 = 10_000;
const NANOS_PER_MILLI: i64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// `GET /api/metrics/query_range`
pub(super) async fn range(State(state): State<ApiState>, Askers(owners): Askers, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let asked = params::metrics_range(&params, state.engine.clock().now_ns())?;
    // Only a step that is not there is chosen.
    if asked.step == 0 && params.get("step").is_some() && asked.end > asked.start {
        return Err(too_small(0, asked.end - asked.start).into());
    }
    Ok(Format::of(&headers).answer(&by_steps(&state, &owners, &asked).await?))
}

/// `GET /api/metrics/query`
pub(super) async fn instant(State(state): State<ApiState>, Askers(owners): Askers, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let asked = params::metrics_instant(&params, state.engine.clock().now_ns())?;
    Ok(Format::of(&headers).answer(&at_once(&state, &owners, &asked).await?))
}

/// Answers a query by steps.
pub(super) async fn by_steps(state: &ApiState, owners: &Owners, asked: &tempo::QueryRangeRequest) -> Result<tempo::QueryRangeResponse> {
    let steps = if asked.instant == Some(true) { Steps::whole(asked.start, asked.end)? } else { Steps::aligned(asked.start, asked.end, asked.step)? };
    let answer = ask(state, owners, &asked.query, steps, asked.exemplars.min(EXEMPLARS_MAX)).await?;
    let (series, status, message) = bounded(answer.series, at_most(asked.max_series, SERIES_MAX));
    let series = series.iter().map(time_series).collect();
    Ok(tempo::QueryRangeResponse { series, metrics: Some(metrics(&answer.cost)), status, message })
}

/// Answers a query over its range as one step.
pub(super) async fn at_once(state: &ApiState, owners: &Owners, asked: &tempo::QueryInstantRequest) -> Result<tempo::QueryInstantResponse> {
    let answer = ask(state, owners, &asked.query, Steps::whole(asked.start, asked.end)?, 0).await?;
    let (series, status, message) = bounded(answer.series, SERIES_MAX);
    let one = |series: &MetricsSeries| Some(tempo::InstantSeries { labels: labels(&series.labels), value: series.points.first()?.1 });
    Ok(tempo::QueryInstantResponse { series: series.iter().filter_map(one).collect(), metrics: Some(metrics(&answer.cost)), status, message })
}

async fn ask(state: &ApiState, owners: &Owners, text: &str, steps: Steps, exemplars_max: u32) -> Result<MetricsAnswer> {
    let query = parse(text)?;
    if matches!(query.root, Root::Spansets(_)) {
        return Err(Error::invalid("invalid TraceQL query: it makes no series: end it with a function such as | rate(), or ask /api/search"));
    }
    let Steps { start_ns, end_ns, step_ns } = steps;
    state.engine.traceql_metrics(owners, MetricsRequest { query, start_ns, end_ns, step_ns, exemplars_max: exemplars_max as usize }).await
}

/// What was asked for, within the bound; 0 asks for the bound.
fn at_most(asked: u32, max: u32) -> u32 {
    if asked == 0 { max } else { asked.min(max) }
}

/// Where steps lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    start_ns: i64,
    end_ns: i64,
    step_ns: i64,
}

impl Steps {
    /// The whole range as one step.
    fn whole(start_ns: u64, end_ns: u64) -> Result<Self> {
        let (start_ns, end_ns) = in_order(start_ns, end_ns)?;
        Ok(Self { start_ns, end_ns, step_ns: end_ns - start_ns })
    }

    /// Steps that end at multiples of their length, so that a range that moves with the clock keeps its steps; the first ends
    /// at or before the start. A length of 0 is chosen to suit the range.
    fn aligned(start: u64, end: u64, step: u64) -> Result<Self> {
        let (start_ns, end_ns) = in_order(start, end)?;
        let step = if step == 0 { default_step_ns(end - start) } else { step };
        if (end - start) / step > STEPS_MAX {
            return Err(too_small(step, end - start));
        }
        let step_ns = clamped(step);
        let first_ns = start_ns - start_ns % step_ns;
        let last_ns = end_ns.checked_add((step_ns - end_ns % step_ns) % step_ns).ok_or_else(|| Error::invalid("the range ends too late"))?;
        Ok(Self { start_ns: first_ns.saturating_sub(step_ns), end_ns: last_ns, step_ns })
    }
}

fn too_small(step_ns: u64, range_ns: u64) -> Error {
    let (asked, least) = (go_duration(clamped(step_ns)), go_duration(clamped(range_ns.div_ceil(STEPS_MAX))));
    Error::invalid(format!("step of {asked} is too small, minimum step for given range is {least}"))
}

fn clamped(nanoseconds: u64) -> i64 {
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

fn in_order(start_ns: u64, end_ns: u64) -> Result<(i64, i64)> {
    if start_ns >= end_ns {
        return Err(Error::invalid("end must be greater than start"));
    }
    match (i64::try_from(start_ns), i64::try_from(end_ns)) {
        (Ok(start_ns), Ok(end_ns)) => Ok((start_ns, end_ns)),
        _ => Err(Error::invalid("the range lies beyond the year 2262")),
    }
}

/// About 240 steps, of a length that people use.
fn default_step_ns(range_ns: u64) -> u64 {
    let wanted = range_ns / 240;
    let units: &[u64] = if range_ns < 60 * SECOND_NS {
        &[SECOND_NS / 20]
    } else {
        &[3_600 * SECOND_NS, 300 * SECOND_NS, 60 * SECOND_NS, 15 * SECOND_NS, 5 * SECOND_NS, SECOND_NS]
    };
    let least = units.last().copied().unwrap_or(SECOND_NS);
    units.iter().copied().find(|unit| wanted > *unit).map_or(least, |unit| wanted / unit * unit)
}

/// Series within the bound, and what is said about those that are not.
fn bounded(mut series: Vec<MetricsSeries>, max: u32) -> (Vec<MetricsSeries>, i32, String) {
    if series.len() <= max as usize {
        return (series, tempo::PartialStatus::Complete as i32, String::new());
    }
    series.truncate(max as usize);
    let message = format!(
        "Response exceeds maximum series limit of {max}, a partial response is returned. Warning: the accuracy of each individual value is not guaranteed."
    );
    (series, tempo::PartialStatus::Partial as i32, message)
}

fn time_series(series: &MetricsSeries) -> tempo::TimeSeries {
    let sample = |(at_ns, value): &(i64, f64)| tempo::Sample { timestamp_ms: at_ns.div_euclid(NANOS_PER_MILLI), value: *value };
    tempo::TimeSeries {
        labels: labels(&series.labels),
        samples: series.points.iter().map(sample).collect(),
        exemplars: series.exemplars.iter().map(exemplar).collect(),
    }
}

fn exemplar(exemplar: &SpanExemplar) -> tempo::Exemplar {
    let trace = ("trace:id".to_owned(), Static::Text(exemplar.trace_id.to_string()));
    let span = exemplar.span_id.map(|id| ("span:id".to_owned(), Static::Text(id.to_string())));
    let labels: Vec<(String, Static)> = exemplar.labels.iter().cloned().chain([trace]).chain(span).collect();
    tempo::Exemplar { labels: self::labels(&labels), value: exemplar.value, timestamp_ms: exemplar.at_ns.div_euclid(NANOS_PER_MILLI) }
}

fn labels(labels: &[(String, Static)]) -> Vec<signalbox_proto::otlp::common::v1::KeyValue> {
    labels.iter().map(|(name, value)| key_value(name, value)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn steps_end_at_multiples_of_their_length() {
        let s = SECOND_NS;
        let steps = |start: u64, end: u64, step: u64| Steps::aligned(start, end, step).map(|steps| (steps.start_ns, steps.end_ns, steps.step_ns));
        let want = |start: u64, end: u64, step: u64| (start as i64, end as i64, step as i64);
        assert_eq!(steps(1_007 * s, 1_093 * s, 10 * s).unwrap(), want(990 * s, 1_100 * s, 10 * s));
        assert_eq!(steps(1_000 * s, 1_100 * s, 10 * s).unwrap(), want(990 * s, 1_100 * s, 10 * s));
        // An hour makes steps of 15 s, a day of 5 minutes, ten seconds of 50 ms.
        for (range, step) in [(3_600 * s, 15 * s), (86_400 * s, 300 * s), (10 * s, s / 20), (40 * s, 3 * s / 20), (90 * s, s)] {
            assert_eq!(default_step_ns(range), step, "{range}");
        }
        assert_eq!(steps(s, s, s).unwrap_err().message(), "end must be greater than start");
        let message = steps(0, 86_400 * s, s / 1000).unwrap_err().message().to_owned();
        assert_eq!(message, "step of 1ms is too small, minimum step for given range is 8.64s");
        assert!(steps(0, u64::MAX, 0).is_err() && steps(0, i64::MAX as u64, i64::MAX as u64 - 1).is_err() && Steps::whole(5, 4).is_err());
    }
}
