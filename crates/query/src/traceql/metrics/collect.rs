//! Spans to series: groups by labels, in each a value a step.

use std::collections::BTreeMap;

use arrow::array::{FixedSizeBinaryArray, TimestampNanosecondArray};
use arrow::record_batch::RecordBatch;
use signalbox_lang::traceql::tree::{Aggregate, MetricsFunction};
use signalbox_model::schema;
use signalbox_model::{Error, Result, SpanId, TraceId};

use super::exemplars::Exemplars;
use super::groups::{Groups, codes_of};
use super::log2::{bucket_max, bucket_of, quantile};
use super::series::{NAME, Series};
use super::steps::Steps;
use crate::budget::Share;
use crate::rows::{column, span_id, trace_id};
use crate::traceql::columns::Columns;
use crate::traceql::fields::Fields;
use crate::traceql::pipeline::aggregate_name;
use crate::traceql::value::Value;

/// Series that one function may make.
const SERIES_MAX: usize = 100_000;

/// What is made of the spans of a group.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Count,
    Rate,
    Over(Aggregate),
    Quantiles(Vec<f64>),
    Histogram,
}

/// A bucket of values: whether they are seconds, and the power of two of their nanoseconds, or of themselves.
type Bucket = (bool, u8);

/// The values of a group, by step.
enum Values {
    Counts(Vec<u64>),
    Numbers(Vec<f64>),
    Means(Vec<(f64, u64)>),
    Buckets(BTreeMap<Bucket, Vec<u64>>),
}

/// Makes series of spans.
pub(super) struct Collector<'a> {
    kind: Kind,
    /// Slots of labels.
    by: Vec<usize>,
    /// Names of labels.
    names: Vec<String>,
    field: Option<usize>,
    steps: Steps,
    groups: Groups,
    values: Vec<Values>,
    exemplars: Exemplars<(usize, Option<Bucket>)>,
    share: &'a Share,
    bytes: u64,
}

impl<'a> Collector<'a> {
    /// Takes slots for what the function looks at; `None` for `compare`.
    pub(super) fn new(function: &MetricsFunction, fields: &mut Fields, steps: Steps, exemplars_max: usize, share: &'a Share) -> Option<Self> {
        let (kind, field, by) = match function {
            MetricsFunction::Rate { by } => (Kind::Rate, None, by),
            MetricsFunction::CountOverTime { by } => (Kind::Count, None, by),
            MetricsFunction::OverTime { aggregate, field, by } => (Kind::Over(*aggregate), Some(field), by),
            MetricsFunction::QuantileOverTime { field, quantiles, by } => (Kind::Quantiles(quantiles.clone()), Some(field), by),
            MetricsFunction::HistogramOverTime { field, by } => (Kind::Histogram, Some(field), by),
            MetricsFunction::Compare { .. } => return None,
        };
        let field = field.map(|field| fields.slot(field));
        let slots = by.iter().map(|attribute| fields.slot(attribute)).collect();
        let names = by.iter().map(ToString::to_string).collect();
        let exemplars = Exemplars::new(exemplars_max, steps.range());
        let mut collector = Self { kind, by: slots, names, field, steps, groups: Groups::default(), values: Vec::new(), exemplars, share, bytes: 0 };
        if collector.by.is_empty() {
            // Without labels there is a series even of no spans.
            collector.groups.of(Vec::new());
        }
        Some(collector)
    }

    /// Slots that are looked at.
    pub(super) fn slots(&self) -> Vec<usize> {
        self.by.iter().copied().chain(self.field).collect()
    }

    /// Columns that are looked at besides.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec![schema::TIMESTAMP];
        if !self.exemplars.is_full() {
            columns.extend([schema::TRACE_ID, schema::SPAN_ID]);
        }
        columns
    }

    /// Adds rows of a batch, all within the steps.
    ///
    /// # Errors
    /// `Limit` for too many series, `Unavailable` for too much memory.
    pub(super) fn add_rows(&mut self, rows: &RecordBatch, columns: &Columns<'_>, wanted: &[usize]) -> Result<()> {
        let times: &TimestampNanosecondArray = column(rows, schema::TIMESTAMP)?;
        let groups = self.groups_of(columns, wanted)?;
        let reader = self.field.and_then(|field| columns.reader(field));
        for (row, group) in wanted.iter().copied().zip(&groups) {
            let at_ns = times.value(row);
            let value = reader.map_or(Value::Nil, |reader| reader.value(row));
            self.add_value(*group, self.steps.of(at_ns), &value);
        }
        if !self.exemplars.is_full() {
            let (traces, spans): (&FixedSizeBinaryArray, &FixedSizeBinaryArray) = (column(rows, schema::TRACE_ID)?, column(rows, schema::SPAN_ID)?);
            for (row, group) in wanted.iter().copied().zip(&groups) {
                let at_ns = times.value(row);
                if self.exemplars.wants(at_ns)
                    && let Some(trace_id) = trace_id(traces, row)
                {
                    let value = reader.map_or(Value::Nil, |reader| reader.value(row));
                    self.add_exemplar(*group, at_ns, trace_id, span_id(spans, row), &value);
                }
            }
        }
        self.cover()
    }

    /// Adds a span that starts within the steps.
    ///
    /// # Errors
    /// As [`Self::add_rows`].
    pub(super) fn add_span(&mut self, at_ns: i64, trace_id: TraceId, span_id: Option<SpanId>, value_of: &impl Fn(usize) -> Value) -> Result<()> {
        let labels = self.by.iter().map(|slot| value_of(*slot).first().clone()).collect();
        let group = self.groups.of(labels);
        self.grow()?;
        let value = self.field.map_or(Value::Nil, value_of);
        self.add_value(group, self.steps.of(at_ns), &value);
        if self.exemplars.wants(at_ns) {
            self.add_exemplar(group, at_ns, trace_id, span_id, &value);
        }
        Ok(())
    }

    /// The group of each row.
    fn groups_of(&mut self, columns: &Columns<'_>, wanted: &[usize]) -> Result<Vec<usize>> {
        let found = if self.by.is_empty() {
            let only = self.groups.of(Vec::new());
            vec![only; wanted.len()]
        } else {
            let codes = self.by.iter().map(|slot| codes_of(columns.reader(*slot), wanted)).collect::<Vec<_>>();
            self.groups.of_codes(&codes, wanted.len())
        };
        self.grow()?;
        Ok(found)
    }

    /// Makes values for groups that have none.
    fn grow(&mut self) -> Result<()> {
        let steps = self.steps.count();
        while self.values.len() < self.groups.len() {
            if self.values.len() == SERIES_MAX {
                return Err(Error::limit(format!("cannot make more than {SERIES_MAX} series: group by fewer attributes, or by attributes with fewer values")));
            }
            self.bytes += 256 + 16 * steps as u64;
            self.values.push(match &self.kind {
                Kind::Count | Kind::Rate => Values::Counts(vec![0; steps]),
                Kind::Over(Aggregate::Avg) => Values::Means(vec![(0.0, 0); steps]),
                Kind::Over(_) => Values::Numbers(vec![f64::NAN; steps]),
                Kind::Quantiles(_) | Kind::Histogram => Values::Buckets(BTreeMap::new()),
            });
        }
        Ok(())
    }

    fn cover(&self) -> Result<()> {
        self.share.cover(self.bytes)
    }

    fn add_value(&mut self, group: usize, step: usize, value: &Value) {
        match &mut self.values[group] {
            Values::Counts(counts) => counts[step] += 1,
            Values::Numbers(numbers) => {
                if let Some(number) = scaled(value) {
                    let Kind::Over(aggregate) = &self.kind else { return };
                    let slot = &mut numbers[step];
                    *slot = match aggregate {
                        _ if slot.is_nan() => number,
                        Aggregate::Min => slot.min(number),
                        Aggregate::Max => slot.max(number),
                        _ => *slot + number,
                    };
                }
            }
            Values::Means(means) => {
                if let Some(number) = scaled(value) {
                    means[step].0 += number;
                    means[step].1 += 1;
                }
            }
            Values::Buckets(buckets) => {
                if let Some(bucket) = bucketed(value) {
                    let steps = self.steps.count();
                    let counts = buckets.entry(bucket).or_insert_with(|| {
                        self.bytes += 64 + 8 * steps as u64;
                        vec![0; steps]
                    });
                    counts[step] += 1;
                }
            }
        }
    }

    fn add_exemplar(&mut self, group: usize, at_ns: i64, trace_id: TraceId, span_id: Option<SpanId>, value: &Value) {
        let bucket = bucketed(value);
        let number = match &self.kind {
            Kind::Histogram | Kind::Quantiles(_) if bucket.is_none() => return,
            Kind::Count | Kind::Rate | Kind::Histogram => f64::NAN,
            Kind::Over(_) | Kind::Quantiles(_) => match scaled(value) {
                Some(number) => number,
                None => return,
            },
        };
        self.exemplars.take((group, bucket), at_ns, number, trace_id, span_id);
    }

    /// The series.
    ///
    /// # Errors
    /// As [`Self::add_rows`].
    pub(super) fn finish(mut self) -> Result<Vec<Series>> {
        self.grow()?;
        let rate = 1.0 / self.steps.step_seconds();
        let (values, kind) = (std::mem::take(&mut self.values), self.kind.clone());
        let mut series = Vec::with_capacity(values.len());
        for (group, values) in values.into_iter().enumerate() {
            let mut push = |labels, values, exemplars| series.push(Series { labels, values, exemplars });
            match (values, &kind) {
                (Values::Counts(counts), kind) => {
                    let scale = if *kind == Kind::Rate { rate } else { 1.0 };
                    push(self.labels(group, None), counts.iter().map(|count| *count as f64 * scale).collect(), self.exemplars.of(|of| of.0 == group));
                }
                (Values::Numbers(numbers), _) => push(self.labels(group, None), numbers, self.exemplars.of(|of| of.0 == group)),
                (Values::Means(means), _) => {
                    let mean = |(sum, count): &(f64, u64)| if *count == 0 { f64::NAN } else { sum / *count as f64 };
                    push(self.labels(group, None), means.iter().map(mean).collect(), self.exemplars.of(|of| of.0 == group));
                }
                // Spans without a bucket make no series.
                (Values::Buckets(buckets), Kind::Quantiles(quantiles)) if !buckets.is_empty() => {
                    for (p, values, exemplars) in self.quantiles(group, &buckets, quantiles) {
                        push(self.labels(group, Some(("p", Value::Float(p)))), values, exemplars);
                    }
                }
                (Values::Buckets(buckets), _) => {
                    for (bucket, counts) in buckets {
                        let label = ("__bucket", Value::Float(max_of(bucket)));
                        let exemplars = self.exemplars.of(|of| *of == (group, Some(bucket)));
                        push(self.labels(group, Some(label)), counts.iter().map(|count| *count as f64).collect(), exemplars);
                    }
                }
            }
        }
        series.retain(|series| series.values.iter().any(|value| !value.is_nan()));
        Ok(series)
    }

    /// The series of quantiles of a group; an exemplar goes to the one whose value over all time is nearest.
    fn quantiles(&self, group: usize, buckets: &BTreeMap<Bucket, Vec<u64>>, quantiles: &[f64]) -> Vec<(f64, Vec<f64>, Vec<super::series::Exemplar>)> {
        let of_step = |step: Option<usize>| {
            let count = |counts: &Vec<u64>| step.map_or_else(|| counts.iter().sum(), |step| counts[step]);
            let mut found: Vec<(f64, u64)> = buckets.iter().map(|(bucket, counts)| (max_of(*bucket), count(counts))).filter(|(_, count)| *count > 0).collect();
            found.sort_by(|left, right| left.0.total_cmp(&right.0));
            found
        };
        let overall: Vec<f64> = quantiles.iter().map(|p| quantile(*p, &of_step(None))).collect();
        let by_step: Vec<Vec<(f64, u64)>> = (0..self.steps.count()).map(|step| of_step(Some(step))).collect();
        let exemplars = self.exemplars.of(|of| of.0 == group);
        let nearest = |value: f64| (0..overall.len()).min_by(|left, right| (overall[*left] - value).abs().total_cmp(&(overall[*right] - value).abs()));
        let one = |(place, p): (usize, &f64)| {
            let own = exemplars.iter().filter(|exemplar| nearest(exemplar.value) == Some(place)).cloned().collect();
            (*p, by_step.iter().map(|buckets| quantile(*p, buckets)).collect(), own)
        };
        quantiles.iter().enumerate().map(one).collect()
    }

    /// Labels that a group has values for; the first one if it has none; the name of the function if there are none to have.
    fn labels(&self, group: usize, more: Option<(&str, Value)>) -> Vec<(String, Value)> {
        let values = self.groups.values(group);
        let mut labels: Vec<(String, Value)> = self.names.iter().cloned().zip(values.iter().cloned()).filter(|(_, value)| !value.is_nil()).collect();
        match more {
            Some((name, value)) => labels.push((name.to_owned(), value)),
            None if labels.is_empty() => labels.push(match self.names.first() {
                Some(name) => (name.clone(), Value::Nil),
                None => (NAME.to_owned(), Value::from(self.function())),
            }),
            None => {}
        }
        labels
    }

    fn function(&self) -> String {
        match &self.kind {
            Kind::Count => "count_over_time".to_owned(),
            Kind::Rate => "rate".to_owned(),
            Kind::Over(aggregate) => format!("{}_over_time", aggregate_name(*aggregate)),
            Kind::Quantiles(_) => "quantile_over_time".to_owned(),
            Kind::Histogram => "histogram_over_time".to_owned(),
        }
    }
}

/// A number as series have it: durations in seconds.
fn scaled(value: &Value) -> Option<f64> {
    match value.first() {
        Value::Duration(value) => Some(*value as f64 / 1e9),
        other => other.number().filter(|number| !number.is_nan()),
    }
}

/// Only integers and durations have buckets.
fn bucketed(value: &Value) -> Option<Bucket> {
    match value.first() {
        Value::Duration(value) => Some((true, bucket_of(*value as f64)?)),
        Value::Int(value) => Some((false, bucket_of(*value as f64)?)),
        _ => None,
    }
}

fn max_of((is_seconds, bucket): Bucket) -> f64 {
    if is_seconds { bucket_max(bucket) / 1e9 } else { bucket_max(bucket) }
}
