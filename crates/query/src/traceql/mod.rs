//! Traces over one snapshot: one by its identifier, without a time range; TraceQL, whole.
//!
//! | part | here |
//! |---|---|
//! | searches, newest traces first | `search.rs` |
//! | series of spans | `metrics/` |
//! | names and values to ask for | `tags.rs` |
//! | which columns a query looks at, and the values in a batch | `fields.rs`, `columns.rs`, `items.rs` |
//! | conditions over columns, and what of them the store decides | `sieve.rs`, `bounds.rs` |
//! | expressions and values | `expr.rs`, `value.rs` |
//! | the spans of a trace, and how they hang together | `gather.rs`, `trace.rs`, `relate.rs` |
//! | pipelines over sets of spans | `pipeline.rs` |

use std::collections::HashMap;

use signalbox_lang::traceql::SpanFilter;
use signalbox_model::schema;
use signalbox_model::{Error, Result, Table, Tenant, TimeRange, TraceId};
use signalbox_store::{ScanRequest, Snapshot};

use crate::Engine;
use crate::leash::Leash;
use crate::rows::{CONDITION_COLUMNS, Shared, Span, SpanColumns, spans};

pub mod critical_path;
pub mod diff;
pub mod forest;
pub mod population;

mod answer;
mod bounds;
mod columns;
mod dependencies;
mod expr;
mod fields;
mod filter;
mod gather;
mod items;
mod listing;
mod metrics;
mod pipeline;
mod relate;
mod search;
mod sieve;
mod tags;
#[cfg(test)]
mod tests;
mod trace;
mod value;

pub use answer::{
    FoundSpan, MetricsAnswer, MetricsRequest, MetricsSeries, SearchAnswer, SearchCost, SearchRequest, ServiceSpans, SpanExemplar, SpanSet, TraceSummary,
};
pub use dependencies::Dependency;
pub use filter::TagMatch;
pub use listing::{Operation, TagScope, Tags};
pub use tags::{TagNamesRequest, TagValues, TagValuesRequest};

use filter::Filter;

/// Spans that one trace, or all traces of one answer, may have.
const SPANS_MAX: usize = 1_000_000;
/// Traces that are looked at to find those of a wanted duration.
const CANDIDATES_MAX: usize = 2_000;

/// All spans of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Which.
    pub trace_id: TraceId,
    /// The spans, by start.
    pub spans: Vec<Span>,
}

impl Trace {
    /// First start of a span, in nanoseconds since the Unix epoch.
    pub fn start_ns(&self) -> i64 {
        self.spans.iter().map(|span| span.start_ns).min().unwrap_or(0)
    }

    /// From the first start to the last end, in nanoseconds.
    pub fn duration_ns(&self) -> i64 {
        let end_ns = self.spans.iter().map(Span::end_ns).max().unwrap_or(0);
        end_ns.saturating_sub(self.start_ns())
    }

    /// The span without a parent; in a trace that lacks it, the first whose parent is not here.
    pub fn root(&self) -> Option<&Span> {
        let ids: std::collections::HashSet<_> = self.spans.iter().filter_map(|span| span.span_id).collect();
        let orphan = || self.spans.iter().find(|span| span.parent_span_id.is_some_and(|parent| !ids.contains(&parent)));
        self.spans.iter().find(|span| span.parent_span_id.is_none()).or_else(orphan)
    }
}

/// A question for traces with a span that holds the filter and all tags.
#[derive(Debug, Clone)]
pub struct TraceSearch {
    /// Conditions of a span.
    pub filter: SpanFilter,
    /// Attributes of the same span, compared as text.
    pub tags: Vec<TagMatch>,
    /// The span starts in this range.
    pub range: TimeRange,
    /// How long the whole trace takes at least.
    pub trace_duration_min_ns: Option<i64>,
    /// How long the whole trace takes at most.
    pub trace_duration_max_ns: Option<i64>,
    /// How many traces at most.
    pub limit: usize,
}

/// A trace that was found.
#[derive(Debug, Clone)]
pub struct FoundTrace {
    /// The whole trace.
    pub trace: Trace,
    /// Which of its spans hold the filter, by index.
    pub matched: Vec<usize>,
}

impl Engine {
    /// A trace, wherever in time it is; `None` if there is no span of it.
    ///
    /// # Errors
    /// `Limit` for a trace of more than a million spans; `Timeout`; of the disk.
    pub async fn trace(&self, tenant: &Tenant, trace_id: TraceId) -> Result<Option<Trace>> {
        let snapshot = self.store.snapshot(tenant);
        let question = self.blocking(move |leash| {
            let trace = fetch(&snapshot, trace_id, &mut Shared::default(), leash)?;
            Ok((!trace.spans.is_empty()).then_some(trace))
        });
        self.watched("trace", trace_id, question).await
    }

    /// The newest traces with a span that fits, by the start of that span.
    ///
    /// # Errors
    /// `Invalid` for a limit above the settings; `Limit`, `Timeout`; of the disk.
    pub async fn search_traces(&self, tenant: &Tenant, search: TraceSearch) -> Result<Vec<FoundTrace>> {
        if search.limit as u64 > self.settings.results_max {
            return Err(Error::invalid(format!("cannot answer {} traces: want at most {}", search.limit, self.settings.results_max)));
        }
        let snapshot = self.store.snapshot(tenant);
        let text = search.filter.to_string();
        self.watched("traceql", text, self.blocking(move |leash| find(&snapshot, &search, leash))).await
    }
}

fn fetch(snapshot: &Snapshot, trace_id: TraceId, shared: &mut Shared, leash: &Leash) -> Result<Trace> {
    let request = ScanRequest { trace_id: Some(trace_id), ..ScanRequest::all(TimeRange::ALL) };
    let mut found = Vec::new();
    for part in snapshot.scan(Table::Spans, &request)? {
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let ids: &arrow::array::FixedSizeBinaryArray = crate::rows::column(&rows, schema::TRACE_ID)?;
            let wanted: Vec<usize> = (0..rows.num_rows()).filter(|row| ids.value(*row) == trace_id.as_bytes()).collect();
            if found.len() + wanted.len() > SPANS_MAX {
                return Err(Error::limit(format!("cannot answer trace {trace_id}: it has more than {SPANS_MAX} spans")));
            }
            if !wanted.is_empty() {
                found.extend(spans(&rows, &wanted, shared)?);
            }
        }
    }
    found.sort_by_key(|span| (span.start_ns, std::cmp::Reverse(span.duration_ns)));
    Ok(Trace { trace_id, spans: found })
}

fn find(snapshot: &Snapshot, search: &TraceSearch, leash: &Leash) -> Result<Vec<FoundTrace>> {
    let mut filter = Filter::new(&search.filter, &search.tags)?;
    let is_filtered_later = search.trace_duration_min_ns.is_some() || search.trace_duration_max_ns.is_some();
    let wanted = if is_filtered_later { CANDIDATES_MAX.max(search.limit) } else { search.limit };
    let candidates = candidates(snapshot, search, wanted, &mut filter, leash)?;
    let (mut found, mut shared, mut spans_total) = (Vec::new(), Shared::default(), 0);
    for (trace_id, _) in candidates {
        if found.len() == search.limit {
            break;
        }
        let trace = fetch(snapshot, trace_id, &mut shared, leash)?;
        let duration_ns = trace.duration_ns();
        let is_too_short = search.trace_duration_min_ns.is_some_and(|min| duration_ns < min);
        if is_too_short || search.trace_duration_max_ns.is_some_and(|max| duration_ns > max) {
            continue;
        }
        spans_total += trace.spans.len();
        if spans_total > SPANS_MAX {
            return Err(Error::limit(format!("the answer has more than {SPANS_MAX} spans: ask for fewer traces")));
        }
        let is_matched = |index: &usize| search.range.contains_ns(trace.spans[*index].start_ns) && filter.matches(&trace.spans[*index]);
        let matched = (0..trace.spans.len()).filter(is_matched).collect();
        found.push(FoundTrace { trace, matched });
    }
    Ok(found)
}

/// The traces whose newest fitting span is newest, in that order.
fn candidates(snapshot: &Snapshot, search: &TraceSearch, wanted: usize, filter: &mut Filter, leash: &Leash) -> Result<Vec<(TraceId, i64)>> {
    let mut projection: Vec<usize> = CONDITION_COLUMNS.iter().map(|name| schema::index(&schema::spans(), name)).collect();
    projection.sort_unstable();
    let request = ScanRequest { projection: Some(projection), services: filter.services(), ..ScanRequest::all(search.range) };
    let mut parts = snapshot.scan(Table::Spans, &request)?;
    parts.sort_by_key(|part| std::cmp::Reverse(part.range.end_ns));
    let (mut newest, mut settled_ns) = (HashMap::new(), i64::MIN);
    for part in parts {
        if wanted == 0 || part.range.end_ns < settled_ns {
            break;
        }
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let columns = SpanColumns::of(&rows)?;
            let is_near = |row: &usize| {
                let start_ns = columns.timestamp.value(*row);
                start_ns >= settled_ns && search.range.contains_ns(start_ns)
            };
            for row in filter.retain(&columns, (0..rows.num_rows()).filter(is_near).collect()) {
                let Some(trace_id) = crate::rows::trace_id(columns.trace_id, row) else { continue };
                let start_ns = columns.timestamp.value(row);
                newest.entry(trace_id).and_modify(|newest: &mut i64| *newest = start_ns.max(*newest)).or_insert(start_ns);
            }
            if newest.len() >= 2 * wanted {
                settled_ns = keep_newest(&mut newest, wanted);
            }
        }
        if newest.len() >= wanted {
            settled_ns = keep_newest(&mut newest, wanted);
        }
    }
    Ok(sorted(newest))
}

/// Forgets all but the newest; answers the oldest time that is still wanted.
fn keep_newest(newest: &mut HashMap<TraceId, i64>, wanted: usize) -> i64 {
    let kept = sorted(std::mem::take(newest)).into_iter().take(wanted);
    newest.extend(kept);
    newest.values().copied().min().unwrap_or(i64::MIN)
}

fn sorted(newest: HashMap<TraceId, i64>) -> Vec<(TraceId, i64)> {
    let mut sorted: Vec<(TraceId, i64)> = newest.into_iter().collect();
    sorted.sort_by_key(|(trace_id, start_ns)| (std::cmp::Reverse(*start_ns), *trace_id));
    sorted
}
