//! Filling the tree, a batch at a time.

use std::collections::HashMap;

use arrow::array::{Array, RecordBatch, TimestampNanosecondArray, UInt64Array};
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Result};

use super::buckets::{BucketSet, Dictionary, Place};
use super::dates::Rounder;
use super::measure::{Measures, Ranking, TopRows};
use super::{Aggregation, DateHistogram, Histogram, Kind, NESTING_MAX, NODES_MAX, NumberRange, Terms};
use crate::logs::LogFilter;
use crate::rows::{LogRecord, column};
use crate::search::compiled::Compiled;
use crate::search::field::Field;
use crate::search::times;
use crate::search::value::Value;
use crate::search::view::Probe;

/// Records by time and arrival.
pub(crate) type Hits = HashMap<(i64, u64), LogRecord>;

/// A tree of aggregations that is being filled.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(super) node: Node,
    pub(super) children: Vec<(String, Collector)>,
}

#[derive(Debug)]
pub(super) enum Node {
    Dates { asked: DateHistogram, probe: Probe, rounder: Rounder, buckets: BucketSet },
    Numbers { asked: Histogram, probe: Probe, buckets: BucketSet },
    Terms { asked: Terms, probe: Probe, values: Dictionary, buckets: BucketSet },
    Filters { names: Vec<String>, filters: Vec<Compiled>, buckets: BucketSet },
    Filter { filter: Compiled, buckets: BucketSet },
    Ranges { ranges: Vec<NumberRange>, probe: Probe, buckets: BucketSet },
    Measures { probe: Probe, measures: Measures },
    TopHits(TopRows),
    TopMetrics { probes: Vec<Probe>, sort: Probe, ranking: Ranking },
}

impl Collector {
    /// An empty tree.
    ///
    /// # Errors
    /// `Invalid` for one too deep or too large, and for a filter that cannot be compiled.
    pub(crate) fn new(aggregation: &Aggregation) -> Result<Self> {
        Self::below(aggregation, 0, &mut 0)
    }

    fn below(aggregation: &Aggregation, depth: usize, nodes: &mut usize) -> Result<Self> {
        *nodes += 1;
        if depth >= NESTING_MAX || *nodes > NODES_MAX {
            return Err(Error::invalid(format!("cannot aggregate: want at most {NESTING_MAX} levels and {NODES_MAX} aggregations")));
        }
        let probe = |field: &Field| Probe::new(field.clone());
        let node = match &aggregation.kind {
            Kind::DateHistogram(asked) => {
                Node::Dates { probe: probe(&asked.field), rounder: Rounder::new(asked.rounding.clone()), asked: asked.clone(), buckets: BucketSet::default() }
            }
            Kind::Histogram(asked) => Node::Numbers { probe: probe(&asked.field), asked: asked.clone(), buckets: BucketSet::default() },
            Kind::Terms(asked) => {
                Node::Terms { probe: probe(&asked.field), asked: asked.clone(), values: Dictionary::default(), buckets: BucketSet::default() }
            }
            Kind::Filters(filters) => Node::Filters {
                names: filters.iter().map(|(name, _)| name.clone()).collect(),
                filters: filters.iter().map(|(_, filter)| Compiled::new(filter)).collect::<Result<_>>()?,
                buckets: BucketSet::default(),
            },
            Kind::Filter(filter) => Node::Filter { filter: Compiled::new(filter)?, buckets: BucketSet::default() },
            Kind::Range(field, ranges) => Node::Ranges { ranges: ranges.clone(), probe: probe(field), buckets: BucketSet::default() },
            Kind::Measure(field, measure) => Node::Measures { probe: probe(field), measures: Measures::stats(*measure) },
            Kind::Cardinality(field) => Node::Measures { probe: probe(field), measures: Measures::Cardinality(Vec::new()) },
            Kind::Percentiles(field, percents) => Node::Measures { probe: probe(field), measures: Measures::Percentiles(percents.clone(), Vec::new()) },
            Kind::TopHits(asked) => Node::TopHits(TopRows::new(asked)),
            Kind::TopMetrics(asked) => {
                Node::TopMetrics { probes: asked.fields.iter().map(probe).collect(), sort: probe(&asked.sort), ranking: Ranking::new(asked) }
            }
        };
        let child = |(name, child): &(String, Aggregation)| Ok((name.clone(), Self::below(child, depth + 1, nodes)?));
        let children = aggregation.children.iter().map(child).collect::<Result<_>>()?;
        Ok(Self { node, children })
    }

    /// Names of the columns that it looks at.
    pub(crate) fn columns(&self, columns: &mut Vec<&'static str>) {
        match &self.node {
            Node::Dates { probe, .. } | Node::Numbers { probe, .. } | Node::Terms { probe, .. } | Node::Ranges { probe, .. } | Node::Measures { probe, .. } => {
                columns.extend(probe.field().columns());
            }
            Node::Filters { filters, .. } => columns.extend(filters.iter().flat_map(LogFilter::columns)),
            Node::Filter { filter, .. } => columns.extend(filter.columns()),
            Node::TopHits(_) => columns.extend([schema::TIMESTAMP, schema::SEQUENCE]),
            Node::TopMetrics { probes, sort, .. } => columns.extend(probes.iter().chain([sort]).flat_map(|probe| probe.field().columns())),
        }
        self.children.iter().for_each(|(_, child)| child.columns(columns));
    }

    /// Takes rows of a batch that all are in the one bucket there is at the top.
    pub(crate) fn collect(&mut self, rows: &RecordBatch, candidates: &[usize]) -> Result<()> {
        let places: Vec<Place> = candidates.iter().map(|row| Place { row: *row, bucket: 0 }).collect();
        self.take(rows, &places)
    }

    fn take(&mut self, rows: &RecordBatch, places: &[Place]) -> Result<()> {
        let inner = match &mut self.node {
            Node::Dates { asked, probe, rounder, buckets } => {
                let mut keys = |time_ns: Option<i64>| time_ns.or(asked.missing_ns).map(|time_ns| rounder.round(time_ns));
                dates(probe, rows, places, &mut |place, time_ns, inner: &mut Vec<Place>| {
                    if let Some(key) = keys(time_ns) {
                        inner.push(Place { row: place.row, bucket: buckets.count(place.bucket, key) });
                    }
                })?
            }
            Node::Numbers { asked, probe, buckets } => {
                let key = |number: f64| ((number - asked.offset) / asked.interval).floor() as i64;
                each(probe, rows, places, buckets, &mut |value, keys| keys.extend(number_of(asked.field.is_time(), value).map(key)), asked.missing.map(key))?
            }
            Node::Terms { asked, probe, values, buckets } => {
                let missing = asked.missing.as_ref().map(|missing| i64::from(values.number(missing, 's')));
                let is_wanted =
                    |text: &str| (asked.include.is_empty() || asked.include.iter().any(|term| term == text)) && !asked.exclude.iter().any(|term| term == text);
                let mut take = |value: &Value<'_>, keys: &mut Vec<i64>| {
                    if is_wanted(&value.text) {
                        keys.push(values.number(&value.text, value.letter).into());
                    }
                };
                each(probe, rows, places, buckets, &mut take, missing)?
            }
            Node::Ranges { ranges, probe, buckets } => {
                let is_time = probe.field().is_time();
                let holds = |range: &NumberRange, number: f64| range.from.is_none_or(|from| from <= number) && range.to.is_none_or(|to| number < to);
                let mut take = |value: &Value<'_>, keys: &mut Vec<i64>| {
                    if let Some(number) = number_of(is_time, value) {
                        keys.extend((0i64..).zip(ranges.iter()).filter(|(_, range)| holds(range, number)).map(|(position, _)| position));
                    }
                };
                each(probe, rows, places, buckets, &mut take, None)?
            }
            Node::Filters { filters, buckets, .. } => {
                let mut inner = Vec::new();
                for (position, filter) in (0i64..).zip(filters) {
                    fitting(filter, rows, places, &mut |place| inner.push(Place { row: place.row, bucket: buckets.count(place.bucket, position) }))?;
                }
                inner
            }
            Node::Filter { filter, buckets } => {
                let mut inner = Vec::new();
                fitting(filter, rows, places, &mut |place| inner.push(Place { row: place.row, bucket: buckets.count(place.bucket, 0) }))?;
                inner
            }
            Node::Measures { probe, measures } => return measures.take(probe, rows, places),
            Node::TopHits(best) => {
                let (times, sequences): (&TimestampNanosecondArray, &UInt64Array) = (column(rows, schema::TIMESTAMP)?, column(rows, schema::SEQUENCE)?);
                places.iter().for_each(|place| best.take(place.bucket, (times.value(place.row), sequences.value(place.row))));
                return Ok(());
            }
            Node::TopMetrics { probes, sort, ranking } => return ranking.take(probes, sort, rows, places),
        };
        if !inner.is_empty() {
            for (_, child) in &mut self.children {
                child.take(rows, &inner)?;
            }
        }
        Ok(())
    }

    /// About how many bytes it holds.
    pub(crate) fn held(&self) -> usize {
        let own = match &self.node {
            Node::Dates { buckets, .. }
            | Node::Numbers { buckets, .. }
            | Node::Filters { buckets, .. }
            | Node::Filter { buckets, .. }
            | Node::Ranges { buckets, .. } => buckets.held(),
            Node::Terms { buckets, values, .. } => buckets.held() + values.held(),
            Node::Measures { measures, .. } => measures.held(),
            Node::TopHits(best) => best.held(),
            Node::TopMetrics { ranking, .. } => ranking.held(),
        };
        own + self.children.iter().map(|(_, child)| child.held()).sum::<usize>()
    }

    /// Rows that are part of the answer, by time and arrival.
    pub(crate) fn chosen(&mut self, chosen: &mut Vec<(i64, u64)>) {
        if let Node::TopHits(best) = &mut self.node {
            best.chosen(chosen);
        }
        self.children.iter_mut().for_each(|(_, child)| child.chosen(chosen));
    }
}

/// The number that a value is; of an instant its milliseconds, as Elasticsearch counts.
pub(super) fn number_of(is_time: bool, value: &Value<'_>) -> Option<f64> {
    if is_time { value.number().map(|nanoseconds| (nanoseconds / 1e6).floor()) } else { value.number() }
}

/// Counts every row in the bucket of each key of its values; in that of `missing` if it has no value.
fn each(
    probe: &mut Probe,
    rows: &RecordBatch,
    places: &[Place],
    buckets: &mut BucketSet,
    keys_of: &mut dyn FnMut(&Value<'_>, &mut Vec<i64>),
    missing: Option<i64>,
) -> Result<Vec<Place>> {
    let (mut view, mut inner, mut keys) = (probe.open(rows)?, Vec::with_capacity(places.len()), Vec::new());
    for place in places {
        let mut has_value = false;
        keys.clear();
        view.each(place.row, &mut |value| {
            has_value = true;
            keys_of(&value, &mut keys);
        });
        if !has_value {
            keys.extend(missing);
        }
        if keys.len() > 1 {
            // A row counts once in a bucket, however often it has the value.
            keys.sort_unstable();
            keys.dedup();
        }
        inner.extend(keys.iter().map(|key| Place { row: place.row, bucket: buckets.count(place.bucket, *key) }));
    }
    Ok(inner)
}

/// Takes a place and its instant, and hands on places of buckets.
type Dated<'d> = &'d mut dyn FnMut(&Place, Option<i64>, &mut Vec<Place>);

/// Hands on the instant of each row, `None` where it has none.
fn dates(probe: &mut Probe, rows: &RecordBatch, places: &[Place], visit: Dated<'_>) -> Result<Vec<Place>> {
    let mut inner = Vec::with_capacity(places.len());
    let name = match probe.field() {
        Field::Timestamp => Some(schema::TIMESTAMP),
        Field::ObservedTimestamp => Some(logs::OBSERVED_TIMESTAMP),
        _ => None,
    };
    if let Some(name) = name {
        let times: &TimestampNanosecondArray = column(rows, name)?;
        for place in places {
            visit(place, times.is_valid(place.row).then(|| times.value(place.row)), &mut inner);
        }
        return Ok(inner);
    }
    let mut view = probe.open(rows)?;
    for place in places {
        let mut time_ns = None;
        view.each(place.row, &mut |value| time_ns = time_ns.or(times::of_value(&value)));
        visit(place, time_ns, &mut inner);
    }
    Ok(inner)
}

/// Hands on the places whose row fits.
fn fitting(filter: &mut Compiled, rows: &RecordBatch, places: &[Place], visit: &mut dyn FnMut(&Place)) -> Result<()> {
    let mut candidates: Vec<usize> = places.iter().map(|place| place.row).collect();
    candidates.sort_unstable();
    candidates.dedup();
    filter.retain(rows, &mut candidates)?;
    places.iter().filter(|place| candidates.binary_search(&place.row).is_ok()).for_each(visit);
    Ok(())
}
