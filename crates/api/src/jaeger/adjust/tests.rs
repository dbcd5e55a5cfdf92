//! Traces before and after.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;
use signalbox_model::{SpanId, TraceId};
use signalbox_query::rows::{Resource, Scope, Span, SpanEvent, SpanLink};
use signalbox_query::traceql::Trace;

use super::{Adjustment, ShownTrace};

const MS: i64 = 1_000_000;

fn id(number: u8) -> SpanId {
    SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 0, number]).unwrap()
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::String(text.to_owned())
}

/// A span of a host, from a millisecond to a millisecond.
fn span(number: u8, parent: u8, host: &str, kind: i32, from: i64, to: i64) -> Span {
    let attributes = vec![("service.name".to_owned(), text("shop")), ("host.name".to_owned(), text(host))];
    Span {
        trace_id: TraceId::from_hex("1").unwrap(),
        span_id: Some(id(number)),
        parent_span_id: (parent > 0).then(|| id(parent)),
        start_ns: from * MS,
        duration_ns: (to - from) * MS,
        service: "shop".to_owned(),
        name: "get".to_owned(),
        kind,
        status_code: 0,
        status_message: String::new(),
        trace_state: String::new(),
        flags: 1,
        resource: Arc::new(Resource { attributes, ..Resource::default() }),
        scope: Arc::new(Scope::default()),
        attributes: Vec::new(),
        events: vec![SpanEvent { timestamp_ns: from * MS, name: "began".to_owned(), attributes: Vec::new(), dropped_attributes_count: 0 }],
        links: Vec::new(),
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
    }
}

fn adjusted(spans: Vec<Span>, skew_max_ms: i64) -> ShownTrace {
    ShownTrace::new(Trace { trace_id: TraceId::from_hex("1").unwrap(), spans }, Adjustment::Standard { skew_max_ns: skew_max_ms * MS })
}

/// Start, first event and warnings of each span.
fn seen(trace: &ShownTrace) -> Vec<(i64, i64, Vec<&str>)> {
    let of = |shown: &'_ super::ShownSpan| (shown.span.start_ns / MS, shown.span.events[0].timestamp_ns / MS);
    trace.spans.iter().map(|shown| (of(shown).0, of(shown).1, shown.warnings.iter().map(String::as_str).collect())).collect()
}

#[test]
fn server_spans_that_share_an_identifier_get_their_own() {
    let trace = adjusted(vec![span(9, 0, "a", 1, 0, 50), span(7, 9, "a", 3, 0, 10), span(7, 9, "b", 2, 1, 9), span(8, 7, "b", 1, 2, 3)], 0);
    let ids: Vec<_> = trace.spans.iter().map(|shown| (shown.span.span_id.unwrap(), shown.span.parent_span_id)).collect();
    assert_eq!(ids, [(id(9), None), (id(7), Some(id(9))), (id(1), Some(id(7))), (id(8), Some(id(1)))]);
}

#[test]
fn clocks_are_brought_together_along_the_tree() {
    // Another host, 100 ms ahead, with a child of its own host; the way takes 2 ms.
    let spans = || vec![span(1, 0, "a", 3, 0, 10), span(2, 1, "b", 2, 102, 108), span(3, 2, "b", 1, 103, 104)];
    let said = "This span's timestamps were adjusted by -100ms";
    assert_eq!(seen(&adjusted(spans(), 1_000)), [(0, 0, vec![]), (2, 2, vec![said]), (3, 3, vec![said])]);
    let said = "clock skew adjustment disabled; not applying calculated delta of -100ms";
    assert_eq!(seen(&adjusted(spans(), 0))[1..], [(102, 102, vec![said]), (103, 103, vec![said])]);
    let said = "max clock skew adjustment delta of 50ms exceeded; not applying calculated delta of -100ms";
    assert_eq!(seen(&adjusted(spans(), 50))[1], (102, 102, vec![said]));
    // The same host: nothing to correct.
    assert_eq!(seen(&adjusted(vec![span(1, 0, "a", 3, 0, 10), span(2, 1, "a", 2, 102, 108)], 1_000))[1], (102, 102, vec![]));
    // Longer than its parent: only not before it.
    assert_eq!(seen(&adjusted(vec![span(1, 0, "a", 3, 10, 20), span(2, 1, "b", 2, 7, 40)], 1_000))[1].0, 10);
}

#[test]
fn says_what_it_cannot_correct() {
    let mut twin = span(2, 1, "b", 2, 1, 3);
    twin.name = "other".to_owned();
    let trace = adjusted(vec![span(1, 0, "a", 1, 0, 10), span(2, 1, "a", 2, 1, 2), twin, span(4, 5, "a", 1, 0, 1)], 0);
    assert_eq!(seen(&trace)[2].2, ["duplicate span IDs; skipping clock skew adjustment"]);
    assert_eq!(seen(&trace)[3].2, ["parent span ID=0000000000000005 is not in the trace; skipping clock skew adjustment"]);
    // A circle has no root and ends.
    assert_eq!(seen(&adjusted(vec![span(1, 2, "a", 1, 0, 1), span(2, 1, "b", 1, 5, 6)], 0)), [(0, 0, vec![]), (5, 5, vec![])]);
}

#[test]
fn repeated_spans_are_shown_once() {
    let trace = adjusted(vec![span(1, 0, "a", 1, 0, 10), span(1, 0, "a", 1, 0, 10)], 0);
    assert_eq!(seen(&trace), [(0, 0, vec![])]);
}

#[test]
fn attributes_are_tidied() {
    let mut odd = span(1, 0, "a", 1, 0, 10);
    let attribute = |key: &str, value: AttributeValue| (key.to_owned(), value);
    odd.attributes = vec![
        attribute("z", text("last")),
        attribute("ip", AttributeValue::Int(0x0808_0808)),
        attribute("telemetry.sdk.name", text("otel")),
        attribute("@jaeger@warnings", AttributeValue::Array(vec![text("as sent")])),
        attribute("a", AttributeValue::Int(1)),
    ];
    odd.links = vec![SpanLink { trace_id: None, span_id: None, trace_state: String::new(), flags: 0, attributes: Vec::new(), dropped_attributes_count: 0 }];
    let trace = adjusted(vec![odd.clone()], 0);
    let shown = &trace.spans[0];
    assert_eq!(shown.span.attributes, [attribute("a", AttributeValue::Int(1)), attribute("ip", text("8.8.8.8")), attribute("z", text("last"))]);
    assert_eq!(shown.span.resource.get("telemetry.sdk.name"), Some(&text("otel")));
    assert_eq!(shown.span.links, []);
    assert_eq!(shown.warnings, ["as sent", "Invalid span link removed"]);
    let noted = trace.into_trace();
    assert_eq!(
        noted.spans[0].attributes.last(),
        Some(&attribute("@jaeger@warnings", AttributeValue::Array(vec![text("as sent"), text("Invalid span link removed")])))
    );
    // Raw is as it came.
    odd.attributes.remove(3);
    let raw = ShownTrace::new(Trace { trace_id: TraceId::from_hex("1").unwrap(), spans: vec![odd.clone()] }, Adjustment::Raw);
    assert_eq!((&raw.spans[0].span, raw.spans[0].warnings.len()), (&odd, 0));
}
