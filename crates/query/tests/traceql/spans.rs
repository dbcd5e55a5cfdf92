//! Plain spans, random traces of them, and the batches that they go into the store as.

use signalbox_model::attributes::{AttributeValue, write_json};
use signalbox_model::builder::{EventRow, LinkRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, SpanId, TraceId};
use signalbox_testkit::mutate::Random;

use crate::world::{SECOND, T0};

/// Within which all spans start, and less than a search looks around: 25 minutes.
pub(super) const SPREAD_NS: i64 = 1_500 * SECOND;

pub(super) type Attributes = Vec<(String, AttributeValue)>;

#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace_id: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) start_ns: i64,
    pub(super) duration_ns: i64,
    pub(super) name: String,
    pub(super) kind: i32,
    pub(super) status: i32,
    pub(super) message: String,
    pub(super) resource: Attributes,
    pub(super) scope_name: String,
    pub(super) scope_version: String,
    pub(super) scope: Attributes,
    pub(super) attributes: Attributes,
    pub(super) events: Vec<Event>,
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) at_ns: i64,
    pub(super) name: String,
    pub(super) attributes: Attributes,
}

#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) attributes: Attributes,
}

impl Span {
    pub(super) fn service(&self) -> &str {
        match self.resource.iter().find(|(name, _)| name == "service.name") {
            Some((_, AttributeValue::String(service))) => service,
            _ => "",
        }
    }
}

/// Spans as one batch.
pub(super) fn batch(spans: &[&Span]) -> Batch {
    let mut builder = SpanBuilder::default();
    for span in spans {
        builder.set_resource(&json(&span.resource), span.service());
        let mut scope = vec![
            ("$name".to_owned(), AttributeValue::String(span.scope_name.clone())),
            ("$version".to_owned(), AttributeValue::String(span.scope_version.clone())),
        ];
        scope.extend(span.scope.iter().cloned());
        builder.set_scope(&json(&scope));
        append(builder.attributes(), &span.attributes);
        for event in &span.events {
            append(builder.event_attributes(), &event.attributes);
            builder.close_event(&EventRow { timestamp_ns: event.at_ns, name: &event.name, dropped_attributes_count: 0 });
        }
        for link in &span.links {
            append(builder.link_attributes(), &link.attributes);
            builder.close_link(&LinkRow { trace_id: link.trace_id, span_id: link.span_id, trace_state: "", flags: 0, dropped_attributes_count: 0 });
        }
        builder.close_row(&SpanRow {
            trace_id: span.trace_id,
            span_id: span.id,
            parent_span_id: span.parent,
            start_ns: span.start_ns,
            end_ns: span.start_ns + span.duration_ns,
            name: &span.name,
            kind: span.kind,
            status_code: span.status,
            status_message: &span.message,
            trace_state: "",
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    Batch::Traces(builder.finish())
}

fn append(builder: &mut signalbox_model::builder::AttributesBuilder, attributes: &Attributes) {
    for (name, value) in attributes {
        builder.append(name, value);
    }
}

fn json(attributes: &Attributes) -> String {
    let mut text = String::new();
    write_json(&mut text, &AttributeValue::Map(attributes.clone()));
    text
}

pub(super) fn pick<T: Copy>(random: &mut Random, items: &[T]) -> T {
    items[random.below(items.len())]
}

pub(super) fn chance(random: &mut Random, percent: usize) -> bool {
    random.below(100) < percent
}

/// Random traces: late roots, missing parents, several roots, circles, shared identifiers, skewed clocks, equal times.
pub(super) fn traces(random: &mut Random, count: usize) -> Vec<Vec<Span>> {
    (0..count).map(|number| trace(random, number)).collect()
}

fn trace(random: &mut Random, number: usize) -> Vec<Span> {
    let mut id = [0; 16];
    // Some identifiers have leading zeros.
    let zeros = if chance(random, 30) { 3 } else { 0 };
    for byte in &mut id[zeros..15] {
        *byte = random.below(256) as u8;
    }
    id[15] = number as u8 + 1;
    let trace_id = TraceId::from_slice(&id).unwrap();
    let size = if chance(random, 4) { 30 + random.below(171) } else { 1 + random.below(12) };
    let start_ns = T0 + random.below(SPREAD_NS as usize / 2) as i64;
    // A coarse clock makes equal times.
    let grain_ns = pick(random, &[1, 1_000_000, SECOND]);
    let services: Vec<Attributes> = (0..3).map(|_| resource(random)).collect();
    let mut spans: Vec<Span> = Vec::new();
    for at in 0..size {
        let parent = match random.below(20) {
            0 if at > 0 => None,
            1 => Some(span_id(9_000 + random.below(3) as u64)),
            // Itself, or one that comes later: circles.
            2 => Some(span_id(1 + random.below(size) as u64)),
            _ if at > 0 => Some(spans[random.below(at)].id),
            _ => None,
        };
        let id = if at > 0 && chance(random, 5) { spans[random.below(at)].id } else { span_id(at as u64 + 1) };
        let offset_ns = random.below(SPREAD_NS as usize / 4) as i64 * i64::from(chance(random, 30));
        let near_ns = random.below(3_000_000_000) as i64 - 500_000_000;
        let mut start_ns = start_ns + (offset_ns + near_ns) / grain_ns * grain_ns;
        while spans.iter().any(|other| other.id == id && other.start_ns == start_ns) {
            start_ns += 1;
        }
        let resource = services[random.below(services.len())].clone();
        spans.push(span(random, trace_id, id, parent, start_ns, resource));
    }
    if chance(random, 20) {
        // The root arrives late or never.
        spans.remove(0);
    }
    if spans.is_empty() { vec![span(random, trace_id, span_id(1), None, start_ns, Vec::new())] } else { spans }
}

fn span_id(number: u64) -> SpanId {
    SpanId::from_slice(&(number * 0x0123_4567_89ab).to_be_bytes()).unwrap()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::String(value.to_owned())
}

fn resource(random: &mut Random) -> Attributes {
    let mut resource = Vec::new();
    if !chance(random, 10) {
        resource.push(("service.name".to_owned(), text(pick(random, &["cart", "shop", "pay"]))));
    }
    if chance(random, 60) {
        resource.push(("zone".to_owned(), text(pick(random, &["x", "y", ""]))));
    }
    if chance(random, 50) {
        resource.push(("a".to_owned(), mixed(random)));
    }
    if chance(random, 30) {
        resource.push(("tags".to_owned(), array(random)));
    }
    resource
}

/// Values of several types under one name.
fn mixed(random: &mut Random) -> AttributeValue {
    match random.below(8) {
        0 => text(pick(random, &["x", "1", "y"])),
        1 => AttributeValue::Double(pick(random, &[0.5, 1.0, 2.5, -1.25])),
        2 => AttributeValue::Bool(chance(random, 50)),
        _ => AttributeValue::Int(random.below(6) as i64 - 1),
    }
}

fn array(random: &mut Random) -> AttributeValue {
    let length = 1 + random.below(3);
    AttributeValue::Array(if chance(random, 60) {
        (0..length).map(|_| text(pick(random, &["x", "y", "z"]))).collect()
    } else {
        (0..length).map(|_| AttributeValue::Int(random.below(4) as i64)).collect()
    })
}

fn span(random: &mut Random, trace_id: TraceId, id: SpanId, parent: Option<SpanId>, start_ns: i64, resource: Attributes) -> Span {
    let status = pick(random, &[0, 0, 0, 1, 2]);
    let has_scope = chance(random, 60);
    let events = (0..random.below(4) * usize::from(chance(random, 40)))
        .map(|_| Event {
            at_ns: start_ns + random.below(2_000_000) as i64,
            name: pick(random, &["exception", "retry", ""]).to_owned(),
            attributes: item(random),
        })
        .collect();
    let links = (0..random.below(3) * usize::from(chance(random, 30)))
        .map(|_| Link { trace_id: TraceId::from_slice(&[7; 16]).unwrap(), span_id: span_id(1 + random.below(3) as u64), attributes: item(random) })
        .collect();
    let any_ns = random.below(5_000_000_000) as i64;
    Span {
        trace_id,
        id,
        parent,
        start_ns,
        duration_ns: pick(random, &[0, 1, 1_500, 20_000_000, 20_000_000, 350_000_000, SECOND, 2 * SECOND, any_ns]),
        name: pick(random, &["GET /", "POST /", "query", "query", ""]).to_owned(),
        kind: random.below(6) as i32,
        status,
        message: if status == 2 && chance(random, 70) { pick(random, &["gone", "late"]).to_owned() } else { String::new() },
        resource,
        scope_name: if has_scope { pick(random, &["grpc", "http"]).to_owned() } else { String::new() },
        scope_version: if has_scope && chance(random, 50) { "1.2".to_owned() } else { String::new() },
        scope: if has_scope && chance(random, 50) { vec![("language".to_owned(), text("rust"))] } else { Vec::new() },
        attributes: own(random),
        events,
        links,
    }
}

fn item(random: &mut Random) -> Attributes {
    let mut attributes = Vec::new();
    if chance(random, 60) {
        attributes.push(("why".to_owned(), text(pick(random, &["x", "y"]))));
    }
    if chance(random, 50) {
        attributes.push(("a".to_owned(), mixed(random)));
    }
    attributes
}

fn own(random: &mut Random) -> Attributes {
    let mut attributes = Vec::new();
    let mut push = |random: &mut Random, percent, name: &str, value: fn(&mut Random) -> AttributeValue| {
        if chance(random, percent) {
            attributes.push((name.to_owned(), value(random)));
        }
    };
    push(random, 60, "a", mixed);
    push(random, 60, "b", |random| text(pick(random, &["x", "y", "z", ""])));
    push(random, 50, "http.status_code", |random| AttributeValue::Int(pick(random, &[200, 200, 404, 500])));
    push(random, 40, "ok", |random| AttributeValue::Bool(chance(random, 50)));
    push(random, 40, "ratio", |random| AttributeValue::Double(random.below(1_000) as f64 / 7.0));
    push(random, 30, "tags", array);
    push(random, 20, "raw", |_| AttributeValue::Bytes(vec![0, 255]));
    push(random, 20, "zone", |random| text(pick(random, &["x", "z"])));
    push(random, 20, "map", |_| AttributeValue::Map(vec![("k".to_owned(), AttributeValue::Int(1))]));
    attributes
}
