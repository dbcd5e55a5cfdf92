//! What Jaeger's query service does to a trace before it shows it, unless the raw trace is asked for: identifiers made
//! unique, attributes sorted, repeated spans removed, clocks brought together, and a word about all that is odd.
//!
//! One thing differs: events stay in the order of time, where Jaeger sorts them by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;
use signalbox_model::{SpanId, TraceId};
use signalbox_query::rows::{Attributes, Resource, Scope, Span};
use signalbox_query::traceql::Trace;

mod skew;

/// Where Jaeger keeps what it has to say of a span when there is no other place.
pub(super) const WARNINGS: &str = "@jaeger@warnings";
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
/// Attributes that say how a span was made: they belong to the resource.
const LIBRARY_KEYS: [&str; 5] = ["telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version", "telemetry.distro.name", "telemetry.distro.version"];
/// Attributes that old clients send as an IPv4 address packed into a number.
const ADDRESS_KEYS: [&str; 2] = ["ip", "peer.ipv4"];

/// A span as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShownSpan {
    pub(super) span: Span,
    /// What is odd about it.
    pub(super) warnings: Vec<String>,
}

/// A trace as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShownTrace {
    pub(super) trace_id: TraceId,
    /// By start, as they were stored.
    pub(super) spans: Vec<ShownSpan>,
}

/// What is done to a trace before it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adjustment {
    /// Nothing.
    Raw,
    /// What Jaeger does; clocks are corrected by at most so many nanoseconds, 0 only says what it would be.
    Standard { skew_max_ns: i64 },
}

impl ShownTrace {
    pub(super) fn new(trace: Trace, adjustment: Adjustment) -> Self {
        let mut spans: Vec<ShownSpan> = trace.spans.into_iter().map(ShownSpan::new).collect();
        if let Adjustment::Standard { skew_max_ns } = adjustment {
            make_ids_unique(&mut spans);
            spans.iter_mut().for_each(ShownSpan::sort);
            sort_shared(&mut spans);
            remove_repeated(&mut spans);
            skew::correct(&mut spans, skew_max_ns);
            spans.iter_mut().for_each(ShownSpan::tidy);
        }
        Self { trace_id: trace.trace_id, spans }
    }

    /// Back as a trace, with what is odd in an attribute, for formats without a field for it.
    pub(super) fn into_trace(self) -> Trace {
        let noted = |shown: ShownSpan| {
            let mut span = shown.span;
            if !shown.warnings.is_empty() {
                let warnings = shown.warnings.into_iter().map(AttributeValue::String).collect();
                span.attributes.push((WARNINGS.to_owned(), AttributeValue::Array(warnings)));
            }
            span
        };
        Trace { trace_id: self.trace_id, spans: self.spans.into_iter().map(noted).collect() }
    }
}

impl ShownSpan {
    fn new(mut span: Span) -> Self {
        let mut warnings = Vec::new();
        span.attributes.retain(|(key, value)| {
            if key == WARNINGS {
                match value {
                    AttributeValue::Array(items) => warnings.extend(items.iter().map(AttributeValue::to_text)),
                    other => warnings.push(other.to_text()),
                }
            }
            key != WARNINGS
        });
        if span.duration_ns < 0 {
            warnings.push("the span ends before it starts".to_owned());
        }
        Self { span, warnings }
    }

    fn sort(&mut self) {
        let by_key = |attributes: &mut Attributes| attributes.sort_by(|left, right| left.0.cmp(&right.0));
        by_key(&mut self.span.attributes);
        self.span.events.iter_mut().for_each(|event| by_key(&mut event.attributes));
        self.span.links.iter_mut().for_each(|link| by_key(&mut link.attributes));
    }

    /// Addresses as text, attributes of the library at the resource, no links to nowhere.
    fn tidy(&mut self) {
        let span = &mut self.span;
        write_addresses(&mut span.attributes);
        if span.resource.attributes.iter().any(is_packed_address) {
            write_addresses(&mut Arc::make_mut(&mut span.resource).attributes);
        }
        if span.attributes.iter().any(|(key, _)| LIBRARY_KEYS.contains(&key.as_str())) {
            self.move_library_attributes();
        }
        let links = self.span.links.len();
        self.span.links.retain(|link| link.trace_id.is_some());
        self.warnings.extend((self.span.links.len()..links).map(|_| "Invalid span link removed".to_owned()));
    }

    fn move_library_attributes(&mut self) {
        let span = &mut self.span;
        let (moved, kept): (Attributes, Attributes) =
            std::mem::take(&mut span.attributes).into_iter().partition(|(key, _)| LIBRARY_KEYS.contains(&key.as_str()));
        span.attributes = kept;
        for (key, value) in moved {
            match span.resource.get(&key) {
                Some(known) if *known != value => {
                    self.warnings.push(format!("conflicting values between Span and Resource for attribute {key}"));
                    span.attributes.push((key, value));
                }
                Some(_) => {}
                None => Arc::make_mut(&mut span.resource).attributes.push((key, value)),
            }
        }
    }
}

/// Gives server spans that share the identifier of the client span which called them, as Zipkin's do, one of their own: a
/// child of the client span, and the parent of the client's children.
fn make_ids_unique(spans: &mut [ShownSpan]) {
    let clients: HashSet<SpanId> = spans.iter().filter(|shown| shown.span.kind == CLIENT).filter_map(|shown| shown.span.span_id).collect();
    let is_shared = |span: &Span| span.kind == SERVER && span.span_id.is_some_and(|id| clients.contains(&id));
    if !spans.iter().any(|shown| is_shared(&shown.span)) {
        return;
    }
    let used: HashSet<SpanId> = spans.iter().filter_map(|shown| shown.span.span_id).collect();
    let mut fresh = (1u64..).filter_map(|number| SpanId::from_slice(&number.to_be_bytes())).filter(|id| !used.contains(id));
    let mut replaced: HashMap<SpanId, SpanId> = HashMap::new();
    for shown in spans.iter_mut().filter(|shown| is_shared(&shown.span)) {
        let (Some(shared), Some(own)) = (shown.span.span_id, fresh.next()) else { continue };
        replaced.insert(shared, own);
        shown.span.parent_span_id = Some(shared);
        shown.span.span_id = Some(own);
    }
    let fresh_ids: HashSet<SpanId> = replaced.values().copied().collect();
    // A server span stays the child of its client span.
    for shown in spans.iter_mut().filter(|shown| !shown.span.span_id.is_some_and(|id| fresh_ids.contains(&id))) {
        if let Some(own) = shown.span.parent_span_id.and_then(|parent| replaced.get(&parent)) {
            shown.span.parent_span_id = Some(*own);
        }
    }
}

/// Sorts the attributes of resources and scopes, each once however many spans share it.
fn sort_shared(spans: &mut [ShownSpan]) {
    fn sorted<T: Clone>(seen: &mut HashMap<*const T, (Arc<T>, Arc<T>)>, shared: &Arc<T>, attributes: impl Fn(&mut T) -> &mut Attributes) -> Arc<T> {
        // The unsorted one is kept too, so that its place is nobody else's meanwhile.
        let (_, sorted) = seen.entry(Arc::as_ptr(shared)).or_insert_with(|| {
            let mut sorted = T::clone(shared);
            attributes(&mut sorted).sort_by(|left, right| left.0.cmp(&right.0));
            (Arc::clone(shared), Arc::new(sorted))
        });
        Arc::clone(sorted)
    }
    let (mut resources, mut scopes) = (HashMap::new(), HashMap::new());
    for shown in spans {
        shown.span.resource = sorted(&mut resources, &shown.span.resource, |resource: &mut Resource| &mut resource.attributes);
        shown.span.scope = sorted(&mut scopes, &shown.span.scope, |scope: &mut Scope| &mut scope.attributes);
    }
}

/// Keeps the first of spans that are equal in everything.
fn remove_repeated(spans: &mut Vec<ShownSpan>) {
    let mut known: HashMap<Option<SpanId>, Vec<usize>> = HashMap::new();
    let mut is_kept = vec![true; spans.len()];
    for (index, shown) in spans.iter().enumerate() {
        let alike = known.entry(shown.span.span_id).or_default();
        if alike.iter().any(|first| spans[*first].span == shown.span) {
            is_kept[index] = false;
        } else {
            alike.push(index);
        }
    }
    let mut kept = is_kept.iter();
    spans.retain(|_| kept.next().copied().unwrap_or(true));
}

fn is_packed_address((key, value): &(String, AttributeValue)) -> bool {
    ADDRESS_KEYS.contains(&key.as_str()) && matches!(value, AttributeValue::Int(_) | AttributeValue::Double(_))
}

fn write_addresses(attributes: &mut Attributes) {
    for attribute in attributes.iter_mut().filter(|attribute| is_packed_address(attribute)) {
        // The lower 32 bits are the address, whatever the sign.
        let packed = match attribute.1 {
            AttributeValue::Int(number) => number as u32,
            AttributeValue::Double(number) => number as u32,
            _ => continue,
        };
        attribute.1 = AttributeValue::String(std::net::Ipv4Addr::from(packed).to_string());
    }
}

#[cfg(test)]
mod tests;
