//! Loads and evaluates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_lang::promql::series::Item;
use signalbox_lang::promql::{self, At, Expr, ExprKind, Function, VectorSelector};
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Batch, Error, Histogram, HistogramSample, Labels, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_query::promql::{MatrixSeries, Point, PromqlAnswer, PromqlRequest, Times, Value, VectorSample};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

use super::compare;
use super::histogram::Classic;
use super::script::{Eval, Load};

const MINUTE_MS: i64 = 60_000;

/// Where the samples are when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Head,
    Segments,
    /// The earlier half of each load in a segment, the later half in the head.
    Both,
}

impl Place {
    pub(super) const ALL: [Self; 3] = [Self::Head, Self::Segments, Self::Both];
}

pub(super) struct World {
    place: Place,
    store: Store,
    engine: Engine,
    /// After each `clear` another tenant: one store is opened once.
    tenant: Tenant,
    cleared: usize,
    _dir: tempfile::TempDir,
}

impl World {
    pub(super) async fn new(place: Place) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at_ns(86_400_000_000_000));
        let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
        let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
        // The scripts assume what Prometheus has behind a flag.
        let settings = Settings { promql_start_times: true, ..Settings::default() };
        let engine = Engine::new(store.clone(), clock, settings);
        Self { place, store, engine, tenant: Tenant::default(), cleared: 0, _dir: dir }
    }

    pub(super) fn clear(&mut self) {
        self.cleared += 1;
        self.tenant = Tenant::new(&format!("cleared-{}", self.cleared)).unwrap();
    }

    pub(super) async fn load(&self, load: &Load) {
        let last = load.series.iter().map(|(_, items, _)| items.len()).max().unwrap_or(0);
        let half = if self.place == Place::Both { last / 2 } else { last };
        self.append(load, 0..half).await;
        if self.place != Place::Head {
            self.store.flush().await.unwrap();
        }
        if half < last {
            self.append(load, half..last).await;
        }
    }

    async fn append(&self, load: &Load, positions: std::ops::Range<usize>) {
        let mut batch = MetricBatch::default();
        let mut classics: BTreeMap<(Labels, i64), Classic> = BTreeMap::new();
        for (labels, items, starts) in &load.series {
            let series = push_series(&mut batch, labels);
            for (position, item) in items.iter().enumerate().filter(|(position, _)| positions.contains(position)) {
                let ts_ms = load.step_ms * position as i64;
                let start_ms = starts[position].map_or(0, |offset_ms| ts_ms + offset_ms);
                match item {
                    Item::Gap => {}
                    Item::Float(value) => {
                        batch.samples.push_started(series, ts_ms, *value, start_ms);
                        if load.with_native {
                            add_classic(&mut classics, labels, ts_ms, *value);
                        }
                    }
                    Item::Histogram { histogram, .. } => {
                        batch.histograms.push(HistogramSample { series, ts_ms, start_ms, is_delta: false, histogram: Histogram::clone(histogram) });
                    }
                }
            }
        }
        for ((labels, ts_ms), classic) in classics {
            let series = push_series(&mut batch, &labels);
            batch.histograms.push(HistogramSample { series, ts_ms, start_ms: 0, is_delta: false, histogram: classic.convert() });
        }
        self.store.append(&self.tenant, vec![Batch::Metrics(batch)]).await.unwrap();
    }

    /// Evaluates in all ways that must have one answer.
    pub(super) async fn check(&self, eval: &Eval) -> Result<(), String> {
        let expr = match promql::parse(&eval.query) {
            Ok(expr) => expr,
            Err(error) => return self.check_failure(eval, &error),
        };
        let Times::Instant(at_ms) = eval.times else { return self.check_range(eval, expr).await };
        self.check_instant(eval, &expr, at_ms).await?;
        if self.place == Place::Head
            && let Some(pinned) = pin(&expr, at_ms)
        {
            let others = if at_ms == 0 { [-1_000, 1_000, 0, 0, 0] } else { [-10 * at_ms, 0, at_ms / 5, at_ms, 10 * at_ms] };
            for other_ms in others {
                self.check_instant(eval, &pinned, other_ms).await.map_err(|error| format!("as {pinned} at {other_ms} ms: {error}"))?;
            }
        }
        Ok(())
    }

    fn check_failure(&self, eval: &Eval, error: &Error) -> Result<(), String> {
        match &eval.fails {
            Some(pattern) if pattern.matches(error.message()) => Ok(()),
            Some(pattern) => Err(format!("fails with {:?}, want {pattern:?}", error.message())),
            None => Err(format!("fails with {:?}", error.message())),
        }
    }

    /// Evaluates an expression that was parsed from a text, or is the pinned one of it, whose places are the same.
    async fn evaluate(&self, text: &str, expr: &Expr, times: Times) -> Result<PromqlAnswer, Error> {
        let request = PromqlRequest { expr: expr.clone(), text: text.to_owned(), times, lookback: Some(Duration::from_secs(300)), timeout: None };
        self.engine.promql(&self.tenant, request).await
    }

    async fn check_range(&self, eval: &Eval, expr: Expr) -> Result<(), String> {
        match (self.evaluate(&eval.query, &expr, eval.times).await, &eval.fails) {
            (Err(error), _) => self.check_failure(eval, &error),
            (Ok(_), Some(_)) => Err("does not fail".into()),
            (Ok(answer), None) => {
                compare::check_annotations(eval, &answer)?;
                compare::check_value(eval, &answer.value)
            }
        }
    }

    /// At an instant, and as the middle step of a range.
    async fn check_instant(&self, eval: &Eval, expr: &Expr, at_ms: i64) -> Result<(), String> {
        let answer = match (self.evaluate(&eval.query, expr, Times::Instant(at_ms)).await, &eval.fails) {
            (Err(error), _) => return self.check_failure(eval, &error),
            (Ok(_), Some(_)) => return Err("does not fail".into()),
            (Ok(answer), None) => answer,
        };
        compare::check_annotations(eval, &answer)?;
        compare::check_value(eval, &answer.value)?;
        let asks_for_times = ["start()", "end()", "range()", "step()"].iter().any(|word| eval.query.contains(word));
        if eval.samples_at.is_some() || eval.text.is_some() || asks_for_times {
            return Ok(());
        }
        let times = Times::Range { start_ms: at_ms - MINUTE_MS, end_ms: at_ms + MINUTE_MS, step_ms: MINUTE_MS };
        let range = self.evaluate(&eval.query, expr, times).await.map_err(|error| format!("as a range: fails with {:?}", error.message()))?;
        let Value::Matrix(series) = range.value else { return Err(format!("a range is {:?}", range.value)) };
        if eval.is_ordered {
            return Ok(());
        }
        compare::check_sorted(&series)?;
        let middle = match (middle(&series, at_ms), &answer.value) {
            (samples, Value::Scalar(..)) => match samples.as_slice() {
                [VectorSample { point: Point::Float(value), .. }] => Value::Scalar(at_ms, *value),
                other => return Err(format!("a range of a scalar is {other:?}")),
            },
            (samples, _) => Value::Vector(samples),
        };
        compare::check_value(eval, &middle).map_err(|error| format!("as a range: {error}"))
    }
}

fn push_series(batch: &mut MetricBatch, labels: &Labels) -> u32 {
    batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels: labels.clone() });
    batch.series.len() as u32 - 1
}

fn add_classic(classics: &mut BTreeMap<(Labels, i64), Classic>, labels: &Labels, ts_ms: i64, value: f64) {
    let base = |suffix: &str| {
        let name = labels.metric_name().strip_suffix(suffix)?;
        let mut builder = labels.to_builder();
        builder.set(METRIC_NAME, name).remove("le");
        Some((builder.build(), ts_ms))
    };
    if let (Some(key), Some(bound)) = (base("_bucket"), labels.get("le").and_then(|bound| bound.parse().ok())) {
        classics.entry(key).or_default().buckets.push((bound, value));
    } else if let Some(key) = base("_count") {
        classics.entry(key).or_default().count = Some(value);
    } else if let Some(key) = base("_sum") {
        classics.entry(key).or_default().sum = value;
    }
}

fn middle(series: &[MatrixSeries], at_ms: i64) -> Vec<VectorSample> {
    let mut samples = Vec::new();
    for series in series {
        let sample = |point| VectorSample { labels: series.labels.clone(), ts_ms: at_ms, point };
        let floats = series.floats.iter().filter(|(ts_ms, _)| *ts_ms == at_ms).map(|(_, value)| sample(Point::Float(*value)));
        let histograms = series.histograms.iter().filter(|(ts_ms, _)| *ts_ms == at_ms).map(|(_, value)| sample(Point::Histogram(value.clone())));
        samples.extend(floats.chain(histograms));
    }
    samples
}

/// The expression with `@ at` at every selector, which has the same value at any time; `None` if a function in it has not.
fn pin(expr: &Expr, at_ms: i64) -> Option<Expr> {
    let mut is_fixed = true;
    expr.visit(&mut |below| {
        if let ExprKind::Call(call) = &below.kind {
            is_fixed &= !depends_on_time(call.function);
        }
    });
    let mut pinned = expr.clone();
    pin_below(&mut pinned, at_ms);
    is_fixed.then_some(pinned)
}

fn depends_on_time(function: Function) -> bool {
    let name = function.signature().name;
    let names = ["days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year", "predict_linear", "time", "timestamp"];
    names.contains(&name) || ["start", "end", "range", "step"].contains(&name)
}

fn pin_below(expr: &mut Expr, at_ms: i64) {
    let pin_selector = |selector: &mut VectorSelector| match selector.at {
        Some(At::Timestamp(_)) => {}
        _ => selector.at = Some(At::Timestamp(at_ms)),
    };
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => {}
        ExprKind::VectorSelector(selector) => pin_selector(selector),
        ExprKind::MatrixSelector(matrix) => pin_selector(&mut matrix.selector),
        // What is below a subquery with a time is evaluated at the times of the subquery.
        ExprKind::Subquery(subquery) => {
            if !matches!(subquery.at, Some(At::Timestamp(_))) {
                subquery.at = Some(At::Timestamp(at_ms));
            }
        }
        ExprKind::Call(call) => call.args.iter_mut().for_each(|arg| pin_below(arg, at_ms)),
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.iter_mut().for_each(|param| pin_below(param, at_ms));
            pin_below(&mut aggregate.expr, at_ms);
        }
        ExprKind::Binary(binary) => {
            pin_below(&mut binary.lhs, at_ms);
            pin_below(&mut binary.rhs, at_ms);
        }
        ExprKind::Unary(unary) => pin_below(&mut unary.expr, at_ms),
        ExprKind::Paren(inner) => pin_below(inner, at_ms),
    }
}
