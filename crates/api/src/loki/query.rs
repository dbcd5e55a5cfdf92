//! `query_range` and `query`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use signalbox_lang::logql::{Expr, LogExpr};
use signalbox_model::{Error, Owners, Result, TimeRange};
use signalbox_proto::loki::{Sample, SampleStream};
use signalbox_query::logql::{Direction, LogAnswer, LogRequest, MetricRequest, MetricSeries, MetricValue};

use super::answer::{self, Form, pairs};
use super::params::{self, HOUR_NS, Manner, Refusal};
use super::render::{self, Asked, Encoding};
use super::statistics::{self, Read};
use crate::ApiState;
use crate::http::{Askers, Params};

const NANOS_PER_MILLISECOND: i64 = 1_000_000;

/// `GET|POST /query_range`
pub(super) async fn range(State(state): State<ApiState>, Askers(owners): Askers, form: Form, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let range = params::range(&params, state.engine.clock().now_ns(), HOUR_NS)?;
    let manner = Manner::of(&params, range)?;
    match params::query(&params)? {
        Expr::Logs(expr) => {
            params::within(manner.limit, state.engine.settings().results_max)?;
            let asked = Asked { form, encoding: Encoding::of(&headers), direction: manner.direction, limit: manner.limit };
            Ok(logs(&state, &owners, expr, range, manner.interval_ns, &asked).await?)
        }
        Expr::Metric(expr) => {
            // The end of a range is one of the instants.
            let end_ns = if params.get("end").is_some() { range.end_ns.saturating_add(1) } else { range.end_ns };
            let (start_ns, end_ns) = aligned(range.start_ns, end_ns, manner.step_ns);
            Ok(metric(&state, &owners, form, MetricRequest { expr, start_ns, end_ns, step_ns: manner.step_ns }).await?)
        }
    }
}

/// Bounds of a range at multiples of its step, outward: Loki has points there and nowhere else, so that those of a question that
/// is asked again a moment later are the same.
fn aligned(start_ns: i64, end_ns: i64, step_ns: i64) -> (i64, i64) {
    let over = end_ns.rem_euclid(step_ns);
    (start_ns.saturating_sub(start_ns.rem_euclid(step_ns)), if over == 0 { end_ns } else { end_ns.saturating_add(step_ns - over) })
}

/// `GET|POST /query`: series at an instant.
pub(super) async fn instant(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    params::count(&params, "limit", params::LIMIT_DEFAULT)?;
    let time_ns = params.get("time").map(params::instant_ns).transpose()?.unwrap_or_else(|| state.engine.clock().now_ns());
    params::direction(&params)?;
    match params::query(&params)? {
        // The words of Loki: clients show them.
        Expr::Logs(_) => {
            let message = "log queries are not supported as an instant query type, please change your query to a range query type";
            Err(Error::invalid(message).into())
        }
        Expr::Metric(expr) => Ok(metric(&state, &owners, form, MetricRequest { expr, start_ns: time_ns, end_ns: time_ns, step_ns: 0 }).await?),
    }
}

async fn metric(state: &ApiState, owners: &Owners, form: Form, request: MetricRequest) -> Result<Response> {
    let (started, start_ns) = (state.engine.clock().monotonic(), request.start_ns);
    let answer = state.engine.logql(owners, request).await?;
    let took = state.engine.clock().monotonic().saturating_sub(started);
    let (kind, result) = samples(&answer.value, start_ns);
    let read = Read { rows: answer.rows_read, bytes: answer.bytes_read, entries: result.len() };
    Ok(form.answer(answer::metric(kind, result, statistics::of(&read, took))))
}

/// Kind and series of an answer; a number at an instant is a series without labels.
fn samples(value: &MetricValue, time_ns: i64) -> (&'static str, Vec<SampleStream>) {
    let sample = |(time_ns, value): &(i64, f64)| Sample { value: *value, timestamp_ms: time_ns.div_euclid(NANOS_PER_MILLISECOND) };
    let stream = |series: &MetricSeries| SampleStream { labels: pairs(&series.labels), samples: series.points.iter().map(sample).collect() };
    match value {
        MetricValue::Scalar(value) => ("scalar", vec![SampleStream { labels: Vec::new(), samples: vec![sample(&(time_ns, *value))] }]),
        MetricValue::Vector(series) => ("vector", series.iter().map(stream).collect()),
        MetricValue::Matrix(series) => ("matrix", series.iter().map(stream).collect()),
    }
}

async fn logs(state: &ApiState, owners: &Owners, expr: LogExpr, range: TimeRange, interval_ns: i64, asked: &Asked) -> Result<Response> {
    let started = state.engine.clock().monotonic();
    let request = LogRequest { expr, range, limit: asked.limit, direction: asked.direction };
    let answer = if interval_ns > 0 { thinned(state, owners, request, interval_ns).await? } else { state.engine.logs(owners, request).await? };
    let took = state.engine.clock().monotonic().saturating_sub(started);
    Ok(render::streams(&answer, asked, took))
}

/// Records that lie an interval apart at least, each the first after the one before.
async fn thinned(state: &ApiState, owners: &Owners, request: LogRequest, interval_ns: i64) -> Result<LogAnswer> {
    /// Records that are read at a time: what lies between two that are kept is read in vain.
    const PAGE: usize = 1_000;
    let (mut answer, mut range) = (LogAnswer::default(), request.range);
    loop {
        let page = state.engine.logs(owners, LogRequest { range, limit: PAGE, ..request.clone() }).await?;
        answer.rows_read += page.rows_read;
        answer.bytes_read += page.bytes_read;
        let is_last = page.entries.len() < PAGE;
        for entry in page.entries {
            let time_ns = entry.record.timestamp_ns;
            if !range.contains_ns(time_ns) {
                continue;
            }
            answer.entries.push(entry);
            if answer.entries.len() == request.limit {
                return Ok(answer);
            }
            match request.direction {
                Direction::Forward => range.start_ns = time_ns.saturating_add(interval_ns),
                Direction::Backward => range.end_ns = time_ns.saturating_sub(interval_ns),
            }
        }
        if is_last || range.start_ns > range.end_ns {
            return Ok(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn ranges_grow_to_multiples_of_their_step() {
        assert_eq!([aligned(1, 20, 7), aligned(0, 21, 7), aligned(14, 14, 7), aligned(-1, 15, 7)], [(0, 21), (0, 21), (14, 14), (-7, 21)]);
        assert_eq!(aligned(i64::MIN, i64::MAX, 7), (i64::MIN, i64::MAX));
    }
}
