//! Events and links of the spans of T1, for whoever wants some: what instrumentation of RPC, of caches and of logging writes.
//!
//! They are drawn from the identifier of the span, so that spans are the same with them and without.

use super::draw::Draw;
use super::logs::{self, Value};
use super::wire;

const MESSAGES: [&str; 6] =
    ["cache miss for {}", "loaded {} rows", "acquired lock after {} us", "sending {} bytes", "validated request {}", "feature flag rollout-{} is on"];
const SEVERITIES: [&str; 4] = ["DEBUG", "INFO", "INFO", "WARN"];
const REASONS: [&str; 3] = ["deadline exceeded", "connection reset by peer", "unavailable: upstream connect error"];
/// One span in so many has a link.
const SPANS_PER_LINK: u64 = 10;
/// How many traces back a link leads at most.
const TRACES_BACK: u64 = 100;

/// Something that happened during a span.
#[derive(Debug, Clone)]
pub(super) struct Event {
    at_ns: u64,
    name: &'static str,
    attributes: Vec<(&'static str, Value)>,
}

/// Another span that a span comes of.
#[derive(Debug, Clone)]
pub(super) struct Link {
    trace: [u8; 16],
    span: u64,
    attributes: Vec<(&'static str, Value)>,
}

/// Up to so many events of a span, by time.
pub(super) fn events(most: u64, span: u64, (start_ns, end_ns): (u64, u64)) -> Vec<Event> {
    let mut draw = Draw::new(0xe7e7, span);
    let count = draw.below(most + 1);
    let mut times: Vec<u64> = (0..count).map(|_| start_ns + draw.below(end_ns - start_ns + 1)).collect();
    times.sort_unstable();
    times.into_iter().enumerate().map(|(number, at_ns)| event(&mut draw, number, at_ns)).collect()
}

fn event(draw: &mut Draw, number: usize, at_ns: u64) -> Event {
    let text = |text: &str| Value::Text(text.to_owned());
    let int = |number: u64| Value::Int(number.cast_signed());
    let (name, attributes) = match draw.below(8) {
        0..4 => {
            let message = MESSAGES[draw.below(6) as usize].replace("{}", &draw.below(10_000).to_string());
            ("log", vec![("log.severity", text(SEVERITIES[draw.below(4) as usize])), ("log.message", Value::Text(message))])
        }
        4..7 => {
            let kind = if number.is_multiple_of(2) { "SENT" } else { "RECEIVED" };
            let attributes =
                vec![("rpc.message.type", text(kind)), ("rpc.message.id", int(number as u64 + 1)), ("rpc.message.uncompressed_size", int(draw.below(4_096)))];
            ("rpc.message", attributes)
        }
        _ => ("retry", vec![("retry.attempt", int(1 + draw.below(3))), ("retry.reason", text(REASONS[draw.below(3) as usize]))]),
    };
    Event { at_ns, name, attributes }
}

/// The links of a span of trace `number`, to traces before it.
pub(super) fn links(seed: u64, number: u64, span: u64) -> Vec<Link> {
    let mut draw = Draw::new(0x114c, span);
    if number == 0 || draw.below(SPANS_PER_LINK) > 0 {
        return Vec::new();
    }
    let trace = logs::trace_id(seed, number - 1 - draw.below(number.min(TRACES_BACK)));
    vec![Link { trace, span: draw.next(), attributes: vec![("messaging.operation", Value::Text("process".to_owned()))] }]
}

pub(super) fn encode_event(row: &mut Vec<u8>, event: &Event) {
    let mut out = Vec::new();
    wire::fixed64(&mut out, 1, event.at_ns);
    wire::bytes(&mut out, 2, event.name.as_bytes());
    for (name, value) in &event.attributes {
        logs::attribute(&mut out, 3, name, value);
    }
    wire::bytes(row, 11, &out);
}

pub(super) fn encode_link(row: &mut Vec<u8>, link: &Link) {
    let mut out = Vec::new();
    wire::bytes(&mut out, 1, &link.trace);
    wire::bytes(&mut out, 2, &link.span.to_be_bytes());
    for (name, value) in &link.attributes {
        logs::attribute(&mut out, 4, name, value);
    }
    wire::bytes(row, 13, &out);
}
