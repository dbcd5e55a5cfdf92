//! What TraceQL answers: sets of spans of traces, and series.

use std::sync::Arc;

use signalbox_lang::traceql::tree::{Attribute, Query, Static};
use signalbox_model::{SpanId, TimeRange, TraceId};

/// A question for sets of spans.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// A search, not a metrics query.
    pub query: Query,
    /// Spans start in this range.
    pub range: TimeRange,
    /// How long the whole trace takes at least, in nanoseconds.
    pub trace_duration_min_ns: Option<i64>,
    /// How long the whole trace takes at most, in nanoseconds.
    pub trace_duration_max_ns: Option<i64>,
    /// How many traces at most: the newest, unless the hint `most_recent=false` is given.
    pub limit: usize,
    /// How many spans of each set at most are told; 0 is no bound.
    pub spans_per_set: usize,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct SearchAnswer {
    /// Traces, newest start first.
    pub traces: Vec<TraceSummary>,
    /// What it cost.
    pub cost: SearchCost,
}

/// What a question cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchCost {
    /// Traces whose spans were looked at.
    pub traces: u64,
    /// Spans that were looked at.
    pub spans: u64,
    /// Parts of the store that were read, and of how many.
    pub parts: u64,
    /// Parts of the store in the range.
    pub parts_total: u64,
}

/// A trace that was found.
#[derive(Debug, Clone)]
pub struct TraceSummary {
    /// Which.
    pub trace_id: TraceId,
    /// First start of a span, nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// From the first start to the last end, in nanoseconds.
    pub duration_ns: i64,
    /// Service of the root; `None` while the root is not there.
    pub root_service: Option<Arc<str>>,
    /// Name of the root; `None` while the root is not there.
    pub root_name: Option<Arc<str>>,
    /// Spans by service, sorted by service.
    pub services: Vec<ServiceSpans>,
    /// Sets that the query left, at least one.
    pub sets: Vec<SpanSet>,
}

/// How many spans of a trace are of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpans {
    /// The service.
    pub service: Arc<str>,
    /// Its spans.
    pub spans: u64,
    /// Those of them with status error.
    pub errors: u64,
}

/// A set of spans of one trace.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanSet {
    /// How many spans are in it, told or not.
    pub matched: u64,
    /// What the set is called: values of `by(…)` and of aggregates, by their text, as Tempo names them (`by(name)`, `count()`).
    pub attributes: Vec<(String, Static)>,
    /// Spans, by start.
    pub spans: Vec<FoundSpan>,
}

/// A span that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundSpan {
    /// Which; `None` only where the source sent none.
    pub span_id: Option<SpanId>,
    /// Name of the operation.
    pub name: Arc<str>,
    /// Nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Nanoseconds.
    pub duration_ns: i64,
    /// Values of the fields that the query names in conditions or selects, and that the span has.
    pub attributes: Vec<(Attribute, Static)>,
}

/// A question for series.
#[derive(Debug, Clone)]
pub struct MetricsRequest {
    /// A metrics query, not a search.
    pub query: Query,
    /// Start of the first step, nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// End of the last step, nanoseconds since the Unix epoch.
    pub end_ns: i64,
    /// Length of a step in nanoseconds, above 0. The whole range as one step makes an instant query.
    pub step_ns: i64,
    /// How many exemplars of all series together at most.
    pub exemplars_max: usize,
}

/// What a metrics query answers.
#[derive(Debug, Clone, Default)]
pub struct MetricsAnswer {
    /// Series, sorted by labels.
    pub series: Vec<MetricsSeries>,
    /// What it cost.
    pub cost: SearchCost,
}

/// A series.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsSeries {
    /// Labels by the text of the attribute (`resource.service.name`, `name`), `p`, `__bucket`, `__meta_type`, …; `Nil` where spans
    /// lack the attribute.
    pub labels: Vec<(String, Static)>,
    /// Time of the end of each step in nanoseconds since the Unix epoch, and the value; steps without a value are left out.
    pub points: Vec<(i64, f64)>,
    /// Spans that stand for many.
    pub exemplars: Vec<SpanExemplar>,
}

/// A span that stands for many of its series and step.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanExemplar {
    /// Nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// Its value.
    pub value: f64,
    /// Its trace.
    pub trace_id: TraceId,
    /// The span itself.
    pub span_id: Option<SpanId>,
    /// Values of the labels of the series.
    pub labels: Vec<(String, Static)>,
}
