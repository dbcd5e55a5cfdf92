//! One pass over the records that fit: the first of them, how many, facets and aggregations.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{TimestampNanosecondArray, UInt64Array};
use signalbox_model::{Result, Table, Tenant, TimeRange, schema};
use signalbox_store::{Division, ScanRequest, Snapshot};

use super::aggregate::{Aggregation, Answer, Collector, Finish, Hits};
use super::compiled::Compiled;
use super::facets::{Facet, FacetRequest, Facets};
use super::field::{Field, is_named};
use super::filter::{Condition, Filter};
use super::narrow;
use crate::Engine;
use crate::budget::Share;
use crate::leash::Leash;
use crate::logs::{Best, Direction, First, LogFilter, best_rank, rank, read_chosen};
use crate::rows::{LogRecord, Resource, Texts, column};

/// Records asked for with their count, facets and aggregations.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// What they hold.
    pub filter: Filter,
    /// When they happened.
    pub range: TimeRange,
    /// How many are answered at most; 0 for none.
    pub limit: usize,
    /// Which come first.
    pub direction: Direction,
    /// Only records after this one; counts and aggregations know nothing of it.
    pub after: Option<After>,
    /// How many of those that fit are counted, at least if there are so many; `None` counts none.
    pub count_to: Option<u64>,
    /// Facets.
    pub facets: Option<FacetRequest>,
    /// Aggregations by name.
    pub aggregations: Vec<(String, Aggregation)>,
    /// How long it may take, if that is less than the setting.
    pub timeout: Option<Duration>,
}

/// A place in the order of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Time in nanoseconds.
    pub time_ns: i64,
    /// Order of arrival.
    pub sequence: u64,
    /// Bits of the order of arrival that are known.
    pub mask: u64,
}

impl After {
    /// The place of a record.
    pub fn exactly(time_ns: i64, sequence: u64) -> Self {
        Self { time_ns, sequence, mask: u64::MAX }
    }

    fn is_before(&self, (time_ns, sequence): (i64, u64), direction: Direction) -> bool {
        rank(time_ns, sequence & self.mask, direction) > rank(self.time_ns, self.sequence & self.mask, direction)
    }
}

impl SearchRequest {
    /// The newest records, nothing else.
    pub fn newest(filter: Filter, range: TimeRange, limit: usize) -> Self {
        Self { filter, range, limit, direction: Direction::Backward, after: None, count_to: None, facets: None, aggregations: Vec::new(), timeout: None }
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct SearchAnswer {
    /// The first records, in order.
    pub records: Vec<LogRecord>,
    /// How many fit, if they were counted; if as many as were to be counted, maybe more.
    pub total: Option<u64>,
    /// Facets, those that were named first.
    pub facets: Vec<Facet>,
    /// Aggregations by name, in the order of the request.
    pub aggregations: Vec<(String, Answer)>,
    /// Rows that were looked at.
    pub rows_read: u64,
    /// Bytes of lines that were looked at.
    pub bytes_read: u64,
}

impl Engine {
    /// Records that fit, and what they have in common; `text` is the question as it was asked.
    ///
    /// # Errors
    /// `Invalid` for a filter or an aggregation that makes no sense; `Limit` for an answer too large; `Unavailable` for
    /// memory that others hold; `Timeout`; of the disk.
    pub async fn search(&self, tenant: &Tenant, request: SearchRequest, text: &str) -> Result<SearchAnswer> {
        let snapshot = self.store.snapshot(tenant);
        let budget = Arc::clone(&self.budget);
        let timeout = request.timeout;
        let run = move |leash: &Leash| Run::new(&snapshot, &request, leash, Share::of(&budget))?.finish();
        self.watched("search", text.to_owned(), self.blocking_within(timeout, run)).await
    }
}

struct Run<'a> {
    snapshot: &'a Snapshot,
    request: &'a SearchRequest,
    leash: &'a Leash,
    share: Share,
    best: Best,
    facets: Option<Facets>,
    collectors: Vec<Collector>,
    total: u64,
    answer: SearchAnswer,
}

impl<'a> Run<'a> {
    fn new(snapshot: &'a Snapshot, request: &'a SearchRequest, leash: &'a Leash, share: Share) -> Result<Self> {
        let first = First { range: request.range, limit: request.limit, direction: request.direction };
        let collectors = request.aggregations.iter().map(|(_, aggregation)| Collector::new(aggregation)).collect::<Result<_>>()?;
        let facets = request.facets.as_ref().map(Facets::new);
        Ok(Self { snapshot, request, leash, share, best: Best::new(&first), facets, collectors, total: 0, answer: SearchAnswer::default() })
    }

    fn finish(mut self) -> Result<SearchAnswer> {
        for filter in compiled(self.snapshot, &self.request.filter, self.request.range, self.leash)? {
            self.read(filter)?;
        }
        let Self { snapshot, request, leash, best, collectors, facets, mut answer, total, .. } = self;
        let first = First { range: request.range, limit: request.limit, direction: request.direction };
        let all = || ScanRequest::all(TimeRange::ALL);
        answer.records = read_chosen(snapshot, best.finish(), &first, all(), leash)?;
        answer.total = request.count_to.map(|_| total);
        answer.facets = facets.map(Facets::finish).unwrap_or_default();
        let mut collectors = collectors;
        let mut chosen = Vec::new();
        collectors.iter_mut().for_each(|collector| collector.chosen(&mut chosen));
        chosen.sort_unstable();
        chosen.dedup();
        let records = read_chosen(snapshot, chosen, &first, all(), leash)?;
        let hits: Hits = records.into_iter().map(|record| ((record.timestamp_ns, record.sequence), record)).collect();
        let mut finish = Finish::new(&hits);
        for ((name, _), collector) in request.aggregations.iter().zip(collectors) {
            answer.aggregations.push((name.clone(), collector.finish(&mut finish)?));
        }
        Ok(answer)
    }

    /// Whether nothing but the first records is missing, so that reading may stop as soon as they are known.
    fn is_enough(&self) -> bool {
        self.request.count_to.is_none_or(|count| self.total >= count) && self.facets.is_none() && self.collectors.is_empty()
    }

    fn read(&mut self, mut filter: Compiled) -> Result<()> {
        let request = self.request;
        let (range, limits) = (request.range, filter.range());
        if limits.start_ns > limits.end_ns || range.start_ns > range.end_ns {
            return Ok(());
        }
        let mut scan = ScanRequest::all(range);
        filter.narrow(&mut scan);
        scan.projection = Some(self.projection(&filter));
        let reads_all = request.facets.is_some() || !self.collectors.is_empty() || request.count_to == Some(u64::MAX);
        scan.division = if reads_all { Division::BySegment } else { Division::ByTime };
        let mut parts = self.snapshot.scan(Table::Logs, &scan)?;
        parts.sort_by_key(|part| best_rank(part, request.direction));
        let is_after = |row: (i64, u64)| request.after.is_none_or(|after| after.is_before(row, request.direction));
        for part in parts {
            if self.is_enough() && (request.limit == 0 || self.best.is_settled(best_rank(&part, request.direction))) {
                break;
            }
            for rows in part.read()? {
                self.leash.check()?;
                let rows = rows?;
                let times: &TimestampNanosecondArray = column(&rows, schema::TIMESTAMP)?;
                self.answer.rows_read += rows.num_rows() as u64;
                let (best, is_enough) = (&self.best, self.is_enough());
                let is_wanted = |time_ns: i64| range.contains_ns(time_ns) && !(is_enough && best.is_settled(rank(time_ns, 0, request.direction).0));
                let mut candidates: Vec<usize> = (0..rows.num_rows()).filter(|row| is_wanted(times.value(*row))).collect();
                self.answer.bytes_read += filter.retain(&rows, &mut candidates)?;
                if candidates.is_empty() {
                    continue;
                }
                self.total += candidates.len() as u64;
                if request.limit > 0 {
                    let sequences: &UInt64Array = column(&rows, schema::SEQUENCE)?;
                    self.best.take(candidates.iter().map(|row| (times.value(*row), sequences.value(*row))).filter(|row| is_after(*row)));
                }
                for collector in &mut self.collectors {
                    collector.collect(&rows, &candidates)?;
                }
                if let Some(facets) = &mut self.facets {
                    facets.collect(&rows, &candidates)?;
                }
                self.cover()?;
            }
            self.best.sort_out();
        }
        Ok(())
    }

    fn cover(&self) -> Result<()> {
        let held: usize = self.collectors.iter().map(Collector::held).sum::<usize>() + self.facets.as_ref().map_or(0, Facets::held);
        self.share.cover(held as u64)
    }

    fn projection(&self, filter: &Compiled) -> Vec<usize> {
        let mut names = filter.columns();
        names.push(schema::TIMESTAMP);
        if self.request.limit > 0 {
            names.push(schema::SEQUENCE);
        }
        self.collectors.iter().for_each(|collector| collector.columns(&mut names));
        self.facets.iter().for_each(|facets| facets.columns(&mut names));
        let mut columns: Vec<usize> = names.into_iter().map(|name| schema::index(&schema::logs(), name)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

/// What finds the records that fit, in a pass each: no record fits two of them. Reads resources first.
///
/// # Errors
/// Of [`Compiled::new`]; `Timeout`, `Canceled`; of the disk.
pub(crate) fn compiled(snapshot: &Snapshot, filter: &Filter, range: TimeRange, leash: &Leash) -> Result<Vec<Compiled>> {
    branches(resolved(snapshot, filter, range, leash)?).iter().map(Compiled::new).collect()
}

/// The same filter, with attributes that no resource has looked for in records alone: only their text lets a scan skip
/// pages. Reads the one column of resources for it.
fn resolved(snapshot: &Snapshot, filter: &Filter, range: TimeRange, leash: &Leash) -> Result<Filter> {
    let names: HashSet<&str> = needed(filter).into_iter().collect();
    if names.is_empty() {
        return Ok(filter.clone());
    }
    let mut scan = ScanRequest::all(range);
    narrow::Narrow::of(filter).apply(&mut scan);
    let resource = schema::index(&schema::logs(), schema::RESOURCE);
    // What the text says is of the rows, not of their resources; but rows it leaves out cannot fit.
    scan.projection = Some(vec![schema::index(&schema::logs(), schema::TIMESTAMP), resource]);
    scan.division = Division::BySegment;
    let (mut lacking, mut seen) = (names, HashSet::new());
    for part in snapshot.scan(Table::Logs, &scan)? {
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let texts = Texts::of(&rows, schema::RESOURCE)?;
            for code in 0..texts.distinct() {
                let json = texts.value(code);
                if seen.contains(json) {
                    continue;
                }
                let attributes = Resource::from_json(json).attributes;
                lacking.retain(|name| !attributes.iter().any(|(key, _)| is_named(key, name) || is_below(key, name)));
                seen.insert(json.to_owned());
            }
            if lacking.is_empty() {
                return Ok(filter.clone());
            }
        }
    }
    Ok(owned(filter, &lacking))
}

/// Whether a map of the first name may hold the second.
fn is_below(key: &str, name: &str) -> bool {
    name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))
}

/// Names of attributes whose text would narrow the scan, if only records had them.
fn needed(filter: &Filter) -> Vec<&str> {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().flat_map(needed).collect(),
        Filter::Field(Field::Attribute(name), condition) if narrow::is_narrowing(&Field::Own(name.clone()), condition) => vec![name],
        _ => Vec::new(),
    }
}

fn owned(filter: &Filter, names: &HashSet<&str>) -> Filter {
    let each = |filters: &[Filter]| filters.iter().map(|filter| owned(filter, names)).collect();
    match filter {
        Filter::And(filters) => Filter::And(each(filters)),
        Filter::Or(filters) => Filter::Or(each(filters)),
        Filter::Not(inner) => Filter::Not(Box::new(owned(inner, names))),
        Filter::Field(Field::Attribute(name), condition) if names.contains(name.as_str()) => Filter::Field(Field::Own(name.clone()), condition.clone()),
        other => other.clone(),
    }
}

/// Filters that no record fits two of, and every record that fits the first filter fits one of: what may be a trace or a word is
/// looked for as each, because each narrows the scan in its own way.
fn branches(filter: Filter) -> Vec<Filter> {
    let parts = match &filter {
        Filter::And(filters) => filters.clone(),
        Filter::Or(_) => vec![filter.clone()],
        _ => return vec![filter],
    };
    let is_trace = |filter: &Filter| matches!(filter, Filter::Field(Field::TraceId, Condition::Text(_)));
    let Some(at) = parts.iter().position(|part| matches!(part, Filter::Or(either) if either.len() == 2 && is_trace(&either[0]))) else {
        return vec![filter];
    };
    let mut rest = parts;
    let Filter::Or(mut either) = rest.remove(at) else { return vec![filter] };
    let trace = either.remove(0);
    let with = |more: Vec<Filter>| Filter::all_of(rest.iter().cloned().chain(more));
    vec![with(vec![trace.clone()]), with(vec![either.remove(0), trace.negated()])]
}
