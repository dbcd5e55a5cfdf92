//! Reading the spans of traces, with the columns that a query looks at and no others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, TimestampNanosecondArray};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, Table, TimeRange, TraceId};
use signalbox_store::{ScanRequest, Snapshot};

use super::answer::SearchCost;
use super::columns::Columns;
use super::fields::{Fields, is_of_trace};
use super::trace::{Member, TraceSpans};
use super::value::Value;
use crate::budget::Share;
use crate::leash::Leash;
use crate::rows::{Shared, Texts, column, span_id, trace_id};

/// Spans that are held at one time at most.
const SPANS_MAX: usize = 5_000_000;
/// Traces that are looked up by their identifiers; more are found by reading all.
const BY_ID_MAX: usize = 20_000;
/// OTLP status of an error.
const STATUS_ERROR: i32 = 2;

/// Columns of every span.
const COLUMNS: [&str; 9] = [
    schema::TIMESTAMP,
    traces::DURATION_NS,
    schema::TRACE_ID,
    schema::SPAN_ID,
    traces::PARENT_SPAN_ID,
    schema::SERVICE,
    traces::NAME,
    traces::KIND,
    traces::STATUS_CODE,
];

/// Which traces.
pub(super) enum Which<'a> {
    These(&'a HashSet<TraceId>),
    /// Those of a part of all identifiers: which of how many.
    Share(u64, u64),
}

impl Which<'_> {
    fn has(&self, id: &[u8]) -> bool {
        match self {
            Self::These(these) => TraceId::from_slice(id).is_some_and(|id| these.contains(&id)),
            Self::Share(_, 1) => true,
            Self::Share(which, of) => id.iter().rev().take(8).fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))) % of == *which,
        }
    }
}

/// Reads traces of a snapshot.
pub(super) struct Gatherer<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) fields: &'a Fields,
    pub(super) needs_tree: bool,
    pub(super) leash: &'a Leash,
    pub(super) share: &'a Share,
    pub(super) cost: SearchCost,
    shared: Shared,
    texts: HashSet<Arc<str>>,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, fields: &'a Fields, needs_tree: bool, leash: &'a Leash, share: &'a Share) -> Self {
        Self { snapshot, fields, needs_tree, leash, share, cost: SearchCost::default(), shared: Shared::default(), texts: HashSet::new() }
    }

    /// Traces with the spans that start in a range, in any order.
    ///
    /// # Errors
    /// `Limit` for too many spans, `Unavailable` for too much memory; `Timeout`, `Canceled`; of the disk.
    pub(super) fn gather(&mut self, which: &Which<'_>, range: TimeRange) -> Result<Vec<TraceSpans>> {
        let slots: Vec<usize> = (0..self.fields.attributes().len()).filter(|slot| !is_of_trace(&self.fields.attributes()[*slot])).collect();
        let mut traces = Vec::new();
        if let Which::These(these) = which
            && these.len() <= BY_ID_MAX
        {
            traces.extend(these.iter().copied());
            traces.sort_unstable();
        }
        let scan = self.fields.scan(&slots, &COLUMNS, ScanRequest { traces: traces.into(), ..ScanRequest::all(range) });
        let mut found: HashMap<TraceId, Vec<Member>> = HashMap::new();
        let (mut spans, mut bytes) = (0, 0);
        for part in self.snapshot.scan(Table::Spans, &scan)? {
            for rows in part.read()? {
                self.leash.check()?;
                let rows = rows?;
                let (ids, times): (&FixedSizeBinaryArray, &TimestampNanosecondArray) = (column(&rows, schema::TRACE_ID)?, column(&rows, schema::TIMESTAMP)?);
                let wanted: Vec<usize> = (0..rows.num_rows()).filter(|row| which.has(ids.value(*row)) && range.contains_ns(times.value(*row))).collect();
                if wanted.is_empty() {
                    continue;
                }
                spans += wanted.len();
                self.cost.spans += wanted.len() as u64;
                if spans > SPANS_MAX {
                    return Err(Error::limit(format!("cannot look at more than {SPANS_MAX} spans at once: ask for a shorter range")));
                }
                bytes += self.members(&rows, &wanted, &slots, &mut found)?;
                self.share.cover(bytes)?;
            }
        }
        self.cost.traces += found.len() as u64;
        Ok(found.into_iter().map(|(id, spans)| TraceSpans::new(id, spans, self.needs_tree)).collect())
    }

    /// Adds rows to the traces that they are of; answers about how many bytes they hold.
    fn members(&mut self, rows: &RecordBatch, wanted: &[usize], slots: &[usize], found: &mut HashMap<TraceId, Vec<Member>>) -> Result<u64> {
        let columns = Columns::of(rows, self.fields, slots, &mut self.shared)?;
        let (trace_ids, span_ids): (&FixedSizeBinaryArray, &FixedSizeBinaryArray) = (column(rows, schema::TRACE_ID)?, column(rows, schema::SPAN_ID)?);
        let parents: &FixedSizeBinaryArray = column(rows, traces::PARENT_SPAN_ID)?;
        let (times, durations): (&TimestampNanosecondArray, &Int64Array) = (column(rows, schema::TIMESTAMP)?, column(rows, traces::DURATION_NS)?);
        let (kinds, statuses): (&Int32Array, &Int32Array) = (column(rows, traces::KIND)?, column(rows, traces::STATUS_CODE)?);
        let mut services = Interned::of(Texts::of(rows, schema::SERVICE)?);
        let mut names = Interned::of(Texts::of(rows, traces::NAME)?);
        let attributes = self.fields.attributes().len();
        for row in wanted.iter().copied() {
            let Some(id) = trace_id(trace_ids, row) else { continue };
            let mut values = vec![Value::Nil; attributes].into_boxed_slice();
            for slot in slots {
                values[*slot] = columns.value(*slot, row);
            }
            let member = Member {
                span_id: span_id(span_ids, row),
                parent_id: span_id(parents, row),
                start_ns: times.value(row),
                duration_ns: durations.value(row),
                kind: kinds.value(row),
                is_error: statuses.value(row) == STATUS_ERROR,
                service: services.get(row, &mut self.texts),
                name: names.get(row, &mut self.texts),
                values,
            };
            found.entry(id).or_default().push(member);
        }
        Ok((wanted.len() * (size_of::<Member>() + attributes * size_of::<Value>() + 32)) as u64)
    }
}

/// Texts by code, each once in memory.
struct Interned<'a> {
    texts: Texts<'a>,
    known: Vec<Option<Arc<str>>>,
}

impl<'a> Interned<'a> {
    fn of(texts: Texts<'a>) -> Self {
        Self { texts, known: vec![None; texts.distinct()] }
    }

    fn get(&mut self, row: usize, all: &mut HashSet<Arc<str>>) -> Arc<str> {
        let code = self.texts.code(row);
        let text = self.texts.value(code);
        let mut intern = || match all.get(text) {
            Some(known) => Arc::clone(known),
            None => {
                let made: Arc<str> = Arc::from(text);
                all.insert(Arc::clone(&made));
                made
            }
        };
        match self.known.get_mut(code) {
            Some(known) => Arc::clone(known.get_or_insert_with(intern)),
            None => intern(),
        }
    }
}
