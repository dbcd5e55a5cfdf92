//! Service performance monitoring: rates of calls and errors and quantiles of latencies, from the spans themselves.
//!
//! Jaeger asks a metrics store for `rate(calls[ratePer])` at every step. Here spans are counted in grains of a step, and the
//! value at an instant is that of the grains of the window before it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_lang::traceql::tree::{
    Attribute, CompareOp, FieldExpr, Intrinsic, MetricsExpr, MetricsFunction, Pipeline, Query, Root, Scope, SpansetExpr, Stage, Static,
};
use signalbox_model::{Error, Result, Tenant};
use signalbox_query::Engine;
use signalbox_query::traceql::{MetricsRequest, MetricsSeries};

use super::answer::{Refusal, Structured, respond};
use super::params::{boolean, integer, kind};
use super::{shown_service, stored_service};
use crate::ApiState;
use crate::http::{Asker, Params};
use crate::trace_search::{any, compare};

const NANOS_PER_MILLI: i64 = 1_000_000;
const LOOKBACK_DEFAULT_MS: i64 = 3_600_000;
const STEP_DEFAULT_MS: i64 = 5_000;
const RATE_DEFAULT_MS: i64 = 600_000;
const SERVER: i32 = 2;
const ERROR: i32 = 2;
/// Steps of one answer, the window before it included: Prometheus' bound.
const STEPS_MAX: i64 = 11_000;
/// Grains of one answer, so far as steps leave the choice.
const GRAINS: i64 = 2_000;
const GRAIN_MIN_NS: i64 = 1_000_000_000;
/// Services that one request may name.
const SERVICES_MAX: usize = 1_000;
const SERVICE_LABEL: &str = "resource.service.name";
const NAME_LABEL: &str = "name";
const BUCKET_LABEL: &str = "__bucket";

/// What is asked.
#[derive(Debug)]
struct Asked {
    services: Vec<String>,
    kinds: Vec<i32>,
    is_by_operation: bool,
    /// The last instant, nanoseconds since the Unix epoch.
    end_ns: i64,
    step_ns: i64,
    /// Distances between the first and the last instant.
    steps: usize,
    /// Spans are counted in grains, of which a step has so many: the engine counts from whole multiples on, and instants may
    /// be anywhere.
    grains_per_step: usize,
    /// Grains of the window before an instant.
    window: usize,
}

/// Service, and operation if it is asked by operation.
type Key = (String, Option<String>);
/// A value for each grain from the first of the first window to the last, or for each instant.
type Values = Vec<f64>;

impl Asked {
    fn parse(params: &Params, now_ns: i64) -> Result<Self> {
        let services: Vec<String> = params.all("service").map(|service| stored_service(service).to_owned()).collect();
        if services.is_empty() {
            return Err(Error::invalid("unable to parse param 'service': please provide at least one service name"));
        }
        if services.len() > SERVICES_MAX {
            return Err(Error::invalid(format!("unable to parse param 'service': want at most {SERVICES_MAX}")));
        }
        let kinds = params.all("spanKind").map(kind).collect::<Result<Vec<_>>>()?;
        let positive = |name: &str, default: i64| match integer(params, name)?.unwrap_or(default) {
            ms if ms > 0 => Ok(ms.saturating_mul(NANOS_PER_MILLI)),
            _ => Err(Error::invalid(format!("unable to parse param '{name}': want more than 0 milliseconds"))),
        };
        let (lookback_ns, step_ns) = (positive("lookback", LOOKBACK_DEFAULT_MS)?, positive("step", STEP_DEFAULT_MS)?);
        let (steps, window) = (lookback_ns / step_ns, (positive("ratePer", RATE_DEFAULT_MS)? / step_ns).max(1));
        let total = steps.saturating_add(window);
        if total > STEPS_MAX {
            return Err(Error::invalid(format!("cannot answer more than {STEPS_MAX} steps: ask for a longer step or a shorter lookback")));
        }
        let most = (GRAINS / total).min(step_ns / GRAIN_MIN_NS).max(1);
        let grains_per_step = (1..=most).rev().find(|grains| step_ns % grains == 0).unwrap_or(1);
        Ok(Self {
            services,
            kinds: if kinds.is_empty() { vec![SERVER] } else { kinds },
            is_by_operation: boolean(params, "groupByOperation")?,
            end_ns: integer(params, "endTs")?.map_or(now_ns, |ms| ms.saturating_mul(NANOS_PER_MILLI)),
            step_ns,
            steps: usize::try_from(steps).unwrap_or(0),
            grains_per_step: usize::try_from(grains_per_step).unwrap_or(1),
            window: usize::try_from(window.saturating_mul(grains_per_step)).unwrap_or(1),
        })
    }

    fn grain_ns(&self) -> i64 {
        self.step_ns / self.grains_per_step as i64
    }

    fn grains(&self) -> usize {
        self.steps * self.grains_per_step + self.window
    }

    /// End of the last grain: the first that is not before the last instant.
    fn last_ns(&self) -> i64 {
        let over_ns = self.end_ns.rem_euclid(self.grain_ns());
        if over_ns == 0 { self.end_ns } else { self.end_ns.saturating_add(self.grain_ns() - over_ns) }
    }

    /// Start of the first grain of the first window.
    fn start_ns(&self) -> i64 {
        self.last_ns().saturating_sub(self.grain_ns().saturating_mul(self.grains() as i64))
    }

    fn request(&self, is_failed: bool, function: impl FnOnce(Vec<Attribute>) -> MetricsFunction) -> MetricsRequest {
        let service = || Attribute::Named(Scope::Resource, "service.name".to_owned());
        let named = |name: &String| match name.as_str() {
            "" => compare(service(), CompareOp::Equal, Static::Nil),
            name => compare(service(), CompareOp::Equal, Static::Text(name.to_owned())),
        };
        let of_kind = |kind: &i32| compare(Attribute::Intrinsic(Intrinsic::Kind), CompareOp::Equal, Static::Kind(*kind));
        let mut condition = and(any(self.services.iter().map(named).collect()), any(self.kinds.iter().map(of_kind).collect()));
        if is_failed {
            condition = and(condition, compare(Attribute::Intrinsic(Intrinsic::Status), CompareOp::Equal, Static::Status(ERROR)));
        }
        let mut by = vec![service()];
        by.extend(self.is_by_operation.then_some(Attribute::Intrinsic(Intrinsic::Name)));
        let pipeline = Pipeline { stages: vec![Stage::Spanset(SpansetExpr::Filter(Some(condition)))] };
        MetricsRequest {
            query: Query { root: Root::Metrics(MetricsExpr::Spans { pipeline, function: function(by) }), hints: Vec::new() },
            start_ns: self.start_ns(),
            end_ns: self.last_ns(),
            step_ns: self.grain_ns(),
            exemplars_max: 0,
        }
    }

    /// The grains of a series.
    fn grains_of(&self, series: &MetricsSeries) -> Values {
        let mut grains = vec![0.0; self.grains()];
        for (end_ns, value) in &series.points {
            // The end of a grain belongs to the grain before it.
            let place = end_ns.saturating_sub(self.start_ns()).saturating_sub(1).div_euclid(self.grain_ns());
            if let Some(grain) = usize::try_from(place).ok().and_then(|place| grains.get_mut(place)) {
                *grain += value;
            }
        }
        grains
    }

    /// Sums of the window before each instant.
    fn windows(&self, grains: &[f64]) -> Values {
        let sum = |step: usize| grains[step * self.grains_per_step..][..self.window].iter().sum();
        (0..=self.steps).map(sum).collect()
    }

    fn key(&self, series: &MetricsSeries) -> Key {
        let label = |name: &str| {
            let value = series.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value);
            if let Some(Static::Text(text)) = value { text.clone() } else { String::new() }
        };
        (shown_service(&label(SERVICE_LABEL)).to_owned(), self.is_by_operation.then(|| label(NAME_LABEL)))
    }

    /// Calls in the window before each instant.
    async fn counts(&self, engine: &Engine, tenant: &Tenant, is_failed: bool) -> Result<BTreeMap<Key, Values>> {
        let answer = engine.traceql_metrics(tenant, self.request(is_failed, |by| MetricsFunction::CountOverTime { by })).await?;
        Ok(answer.series.iter().map(|series| (self.key(series), self.windows(&self.grains_of(series)))).collect())
    }

    /// The answer in Jaeger's model of metrics; instants without a value are left out.
    fn family(&self, name: &str, help: &str, series: impl IntoIterator<Item = (Key, Vec<Option<f64>>)>) -> Value {
        let metric = |((service, operation), values): (Key, Vec<Option<f64>>)| {
            let mut labels = vec![json!({ "name": "service_name", "value": service })];
            labels.extend(operation.map(|operation| json!({ "name": "operation", "value": operation })));
            let point = |(step, value): (usize, Option<f64>)| {
                let at_ns = self.end_ns.saturating_sub(self.step_ns.saturating_mul((self.steps - step) as i64));
                Some(json!({ "gaugeValue": { "doubleValue": value? }, "timestamp": timestamp(at_ns) }))
            };
            json!({ "labels": labels, "metricPoints": values.into_iter().enumerate().filter_map(point).collect::<Vec<_>>() })
        };
        let (name, help) = match self.is_by_operation {
            true => (name.replacen("service", "service_operation", 1), format!("{help} & operation")),
            false => (name.to_owned(), help.to_owned()),
        };
        json!({ "name": name, "type": "GAUGE", "help": help, "metrics": series.into_iter().map(metric).collect::<Vec<_>>() })
    }
}

/// `GET /api/metrics/calls`
pub(super) async fn calls(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let asked = Asked::parse(&params, state.engine.clock().now_ns())?;
    let window_seconds = asked.window as f64 * asked.grain_ns() as f64 / 1e9;
    let rates = asked.counts(&state.engine, &tenant, false).await?;
    let rates = rates.into_iter().map(|(key, counts)| (key, counts.into_iter().map(|count| Some(count / window_seconds)).collect()));
    Ok(respond(&asked.family("service_call_rate", "calls/sec, grouped by service", rates), &params))
}

/// `GET /api/metrics/errors`
pub(super) async fn errors(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let asked = Asked::parse(&params, state.engine.clock().now_ns())?;
    let calls = asked.counts(&state.engine, &tenant, false).await?;
    let failed = asked.counts(&state.engine, &tenant, true).await?;
    let shares = calls.into_iter().map(|(key, calls)| {
        let of_key = failed.get(&key);
        let share = |(instant, calls): (usize, f64)| (calls > 0.0).then(|| of_key.map_or(0.0, |failed| failed[instant]) / calls);
        let shares = calls.into_iter().enumerate().map(share).collect();
        (key, shares)
    });
    let help = "error rate, computed as a fraction of errors/sec over calls/sec, grouped by service";
    Ok(respond(&asked.family("service_error_rate", help, shares), &params))
}

/// `GET /api/metrics/latencies`
pub(super) async fn latencies(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let quantile = params.get("quantile").and_then(|text| text.parse::<f64>().ok()).filter(|quantile| (0.0..=1.0).contains(quantile));
    let quantile = quantile.ok_or_else(|| Error::invalid("unable to parse param 'quantile': want a number from 0 to 1"))?;
    let asked = Asked::parse(&params, state.engine.clock().now_ns())?;
    let field = Attribute::Intrinsic(Intrinsic::Duration);
    let answer = state.engine.traceql_metrics(&tenant, asked.request(false, |by| MetricsFunction::HistogramOverTime { field, by })).await?;
    // Upper bounds in milliseconds, and the windows of each.
    let mut histograms: BTreeMap<Key, Vec<(f64, Values)>> = BTreeMap::new();
    for series in &answer.series {
        if let Some(bound_ms) = bound_ms(series) {
            histograms.entry(asked.key(series)).or_default().push((bound_ms, asked.windows(&asked.grains_of(series))));
        }
    }
    let quantiles = histograms.into_iter().map(|(key, mut buckets)| {
        buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        let at = |instant: usize| quantile_of(quantile, buckets.iter().map(|(bound_ms, windows)| (*bound_ms, windows[instant])));
        let values = (0..=asked.steps).map(at).collect();
        (key, values)
    });
    let help = format!("{quantile:.2}th quantile latency, grouped by service");
    Ok(respond(&asked.family("service_latencies", &help, quantiles), &params))
}

/// `GET /api/metrics/minstep`: milliseconds; spans are counted in steps of any length.
pub(super) async fn min_step(params: Params) -> Response {
    Structured::of(1).respond(&params)
}

fn and(left: FieldExpr, right: FieldExpr) -> FieldExpr {
    FieldExpr::And(Box::new(left), Box::new(right))
}

/// Upper bound of the bucket that a series of a histogram counts, in milliseconds.
fn bound_ms(series: &MetricsSeries) -> Option<f64> {
    match series.labels.iter().find(|(label, _)| label == BUCKET_LABEL)?.1 {
        Static::Float(seconds) => Some(seconds * 1e3),
        Static::Int(seconds) => Some(seconds as f64 * 1e3),
        Static::Duration(ns) => Some(ns as f64 / 1e6),
        _ => None,
    }
}

/// A quantile of counts by upper bounds that double, the values of a bucket spread evenly over their logarithms.
fn quantile_of(quantile: f64, buckets: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let total: f64 = buckets.clone().map(|(_, count)| count).sum();
    if total <= 0.0 {
        return None;
    }
    let (wanted, mut below, mut last) = (quantile * total, 0.0, 0.0);
    for (bound, count) in buckets.filter(|(_, count)| *count > 0.0) {
        if below + count >= wanted {
            return Some(bound / 2.0 * ((wanted - below) / count).clamp(0.0, 1.0).exp2());
        }
        (below, last) = (below + count, bound);
    }
    Some(last)
}

/// As protobuf's JSON writes a time.
fn timestamp(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
