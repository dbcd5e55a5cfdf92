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
//! | clocks that disagree | `forest.rs`, `skew.rs` |

use signalbox_model::schema;
use signalbox_model::{Error, Owners, Result, Table, TimeRange, TraceId};
use signalbox_store::{ScanRequest, Snapshot};

use crate::Engine;
use crate::leash::Leash;
use crate::rows::{Shared, Span, spans};

pub mod critical_path;
pub mod diff;
pub mod forest;
pub mod population;
pub mod skew;

mod answer;
mod bounds;
mod columns;
mod dependencies;
mod every;
mod expr;
mod fields;
mod gather;
mod items;
mod listing;
mod metrics;
mod moment;
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
pub(crate) use every::{ToldSpan, every_span, text};
pub use listing::Operation;
pub use moment::Moment;
pub use tags::{TagNamesRequest, TagValues, TagValuesRequest};

/// Spans that one trace may have.
const SPANS_MAX: usize = 1_000_000;

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

impl Engine {
    /// A trace, wherever in time it is; `None` if there is no span of it.
    ///
    /// # Errors
    /// `Limit` for a trace of more than a million spans; `Timeout`; of the disk.
    pub async fn trace(&self, owners: impl Into<Owners>, trace_id: TraceId) -> Result<Option<Trace>> {
        self.trace_at(&self.moment(owners), trace_id).await
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
