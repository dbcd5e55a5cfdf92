//! One pass over the records that fit: the first of them, how many, facets and aggregations.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::{RecordBatch, TimestampNanosecondArray, UInt64Array};
use signalbox_model::{Result, Table, Tenant, TimeRange, schema};
use signalbox_store::{Division, Places, ScanPart, ScanRequest, Snapshot};

use super::aggregate::{Aggregation, Answer, Collector, Finish, Hits};
use super::compiled::Compiled;
use super::facets::{Facet, FacetRequest, Facets};
use super::field::{Field, is_named};
use super::filter::{Condition, Filter};
use super::narrow;
use crate::Engine;
use crate::ahead::{self, Bounds, Make, Take, own_bytes};
use crate::budget::Share;
use crate::leash::Leash;
use crate::logs::{Best, Direction, First, LogFilter, best_rank, expected, rank, read_chosen};
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
    /// Where records that fit are.
    places: Places,
    answer: SearchAnswer,
}

impl<'a> Run<'a> {
    fn new(snapshot: &'a Snapshot, request: &'a SearchRequest, leash: &'a Leash, share: Share) -> Result<Self> {
        let first = First { range: request.range, limit: request.limit, direction: request.direction };
        let collectors = request.aggregations.iter().map(|(_, aggregation)| Collector::new(aggregation)).collect::<Result<_>>()?;
        let facets = request.facets.as_ref().map(Facets::new);
        Ok(Self {
            snapshot,
            request,
            leash,
            share,
            best: Best::new(&first),
            facets,
            collectors,
            total: 0,
            places: Places::default(),
            answer: SearchAnswer::default(),
        })
    }

    fn finish(mut self) -> Result<SearchAnswer> {
        for filter in branches(resolved(self.snapshot, &self.request.filter, self.request.range, self.leash)?) {
            self.read(&filter)?;
        }
        let Self { request, leash, best, collectors, facets, places, mut answer, total, .. } = self;
        answer.records = read_chosen(places.clone(), best.finish(), request.direction, leash)?;
        answer.total = request.count_to.map(|_| total);
        answer.facets = facets.map(Facets::finish).unwrap_or_default();
        let mut collectors = collectors;
        let mut chosen = Vec::new();
        collectors.iter_mut().for_each(|collector| collector.chosen(&mut chosen));
        chosen.sort_unstable();
        chosen.dedup();
        let records = read_chosen(places, chosen, request.direction, leash)?;
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

    /// Whether all records that fit are looked at.
    fn reads_all(&self) -> bool {
        self.facets.is_some() || !self.collectors.is_empty() || self.request.count_to == Some(u64::MAX)
    }

    fn read(&mut self, filter: &Filter) -> Result<()> {
        let request = self.request;
        let compiled = Compiled::new(filter)?;
        let (range, limits) = (request.range, compiled.range());
        if limits.start_ns > limits.end_ns || range.start_ns > range.end_ns {
            return Ok(());
        }
        let mut scan = ScanRequest::all(range);
        compiled.narrow(&mut scan);
        scan.projection = Some(self.projection(&compiled));
        scan.division = if self.reads_all() { Division::ByGroup } else { Division::ByTime };
        let mut parts = self.snapshot.scan(Table::Logs, &scan)?;
        parts.sort_by_key(|part| best_rank(&part.range, request.direction));
        let worst_ns = AtomicI64::new(self.worst_ns());
        let sifter = |filter: Compiled| Sifter { filter, request, worst_ns: &worst_ns };
        let leash = self.leash;
        let places: Vec<Places> = parts.iter().map(ScanPart::places).collect();
        let mut reading = Reading { sifter: sifter(compiled), run: self, found: vec![false; parts.len()] };
        ahead::in_order(parts, leash, &|| Compiled::new(filter).map(sifter), &mut reading)?;
        let Reading { run, found, .. } = reading;
        places.iter().zip(found).filter(|(_, is_found)| *is_found).for_each(|(places, _)| run.places.add(places));
        Ok(())
    }

    /// An instant such that nothing is wanted of records further on in order.
    fn worst_ns(&self) -> i64 {
        match self.request.direction {
            _ if self.is_enough() => self.best.worst_ns(),
            Direction::Forward => i64::MAX,
            Direction::Backward => i64::MIN,
        }
    }

    fn take(&mut self, Sifted { rows, mut candidates, rows_read, bytes_read, .. }: Sifted) -> Result<()> {
        let request = self.request;
        self.answer.rows_read += rows_read;
        self.answer.bytes_read += bytes_read;
        let Some(rows) = rows else { return Ok(()) };
        let (times, worst_ns): (&TimestampNanosecondArray, _) = (column(&rows, schema::TIMESTAMP)?, self.worst_ns());
        // More may be known than when they were looked for.
        candidates.retain(|row| is_before(times.value(*row), worst_ns, request.direction));
        if candidates.is_empty() {
            return Ok(());
        }
        self.total += candidates.len() as u64;
        if request.limit > 0 {
            let sequences: &UInt64Array = column(&rows, schema::SEQUENCE)?;
            let is_after = |row: (i64, u64)| request.after.is_none_or(|after| after.is_before(row, request.direction));
            self.best.take(candidates.iter().map(|row| (times.value(*row), sequences.value(*row))).filter(|row| is_after(*row)));
        }
        for collector in &mut self.collectors {
            collector.collect(&rows, &candidates)?;
        }
        if let Some(facets) = &mut self.facets {
            facets.collect(&rows, &candidates)?;
        }
        self.cover()
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

/// Looks for records that fit, in one thread.
struct Sifter<'a> {
    filter: Compiled,
    request: &'a SearchRequest,
    /// What [`Run::worst_ns`] was not long ago.
    worst_ns: &'a AtomicI64,
}

/// A batch with rows that fit, and which these are; how many rows and bytes of lines were looked at.
struct Sifted {
    part: usize,
    rows: Option<RecordBatch>,
    candidates: Vec<usize>,
    rows_read: u64,
    bytes_read: u64,
}

impl Make for Sifter<'_> {
    type Made = Sifted;

    fn make(&mut self, part: &Bounds, rows: RecordBatch) -> Result<Option<Sifted>> {
        let (times, worst_ns): (&TimestampNanosecondArray, _) = (column(&rows, schema::TIMESTAMP)?, self.worst_ns.load(Ordering::Relaxed));
        let is_wanted = |time_ns: i64| self.request.range.contains_ns(time_ns) && is_before(time_ns, worst_ns, self.request.direction);
        let mut candidates: Vec<usize> = (0..rows.num_rows()).filter(|row| is_wanted(times.value(*row))).collect();
        let bytes_read = self.filter.retain(&rows, &mut candidates)?;
        let rows_read = rows.num_rows() as u64;
        let rows = Some(rows).filter(|_| !candidates.is_empty());
        Ok(Some(Sifted { part: part.number, rows, candidates, rows_read, bytes_read }))
    }

    fn bytes(made: &Sifted) -> usize {
        size_of::<Sifted>() + made.rows.as_ref().map_or(0, own_bytes) + made.candidates.capacity() * size_of::<usize>()
    }
}

/// Reads for a run.
struct Reading<'r, 'a> {
    sifter: Sifter<'r>,
    run: &'r mut Run<'a>,
    /// Parts in which records were found.
    found: Vec<bool>,
}

impl Take<Sifted> for Reading<'_, '_> {
    fn wants(&mut self, part: &Bounds) -> bool {
        let request = self.run.request;
        self.run.best.sort_out();
        self.sifter.worst_ns.store(self.run.worst_ns(), Ordering::Relaxed);
        let is_settled = || self.run.best.is_settled(best_rank(&part.range, request.direction));
        !(self.run.is_enough() && (request.limit == 0 || is_settled()))
    }

    fn ahead(&self, rest: &[Bounds]) -> usize {
        let (run, rows_read) = (&self.run, self.run.answer.rows_read);
        if run.reads_all() {
            return rest.len();
        }
        let counted = run.request.count_to.map_or(0, |count| expected(run.total, count, rows_read, rest));
        counted.max(run.best.ahead(rows_read, rest))
    }

    fn take(&mut self, sifted: Sifted) -> Result<()> {
        self.found[sifted.part] |= sifted.rows.is_some();
        self.run.take(sifted)?;
        self.sifter.worst_ns.store(self.run.worst_ns(), Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, part: &Bounds, rows: RecordBatch) -> Result<()> {
        self.sifter.make(part, rows)?.map_or(Ok(()), |sifted| self.take(sifted))
    }
}

/// Whether a record of this time does not come behind an instant in order.
fn is_before(time_ns: i64, instant_ns: i64, direction: Direction) -> bool {
    match direction {
        Direction::Forward => time_ns <= instant_ns,
        Direction::Backward => time_ns >= instant_ns,
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
