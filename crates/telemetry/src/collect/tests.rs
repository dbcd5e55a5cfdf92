//! The layer, driven through `tracing` itself.

use tracing::{error, info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::setup::quiet;

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ns(&self) -> i64 {
        42
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(7)
    }
}

fn collected(traces_per_second_max: u32, work: impl FnOnce()) -> (Vec<LogRecord>, Vec<SpanRecord>) {
    let queue = Arc::new(Queue::default());
    let collector = Collector::new(Arc::clone(&queue), Arc::new(StoppedClock), traces_per_second_max);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(collector), work);
    queue.take()
}

#[test]
fn a_span_keeps_its_fields_and_its_parent() {
    let (logs, spans) = collected(10, || {
        let request = info_span!("request", otel.name = "GET /x", otel.kind = "server", otel.status_code = tracing::field::Empty, size = 7, path = "/x");
        let _entered = request.enter();
        info_span!("query").in_scope(|| error!(rows = 3, is_cut = true, "cannot go on"));
        request.record("otel.status_code", "error");
    });
    let [query, request] = spans.as_slice() else { panic!("two spans: {spans:?}") };
    assert_eq!((request.name.as_str(), request.kind, request.status_code, request.parent_span_id), ("GET /x", 2, 2, None));
    assert_eq!(request.attributes, [("size", AttributeValue::Int(7)), ("path", AttributeValue::String("/x".to_owned()))]);
    assert_eq!((query.trace_id, query.parent_span_id), (request.trace_id, Some(request.span_id)));
    let [record] = logs.as_slice() else { panic!("one record: {logs:?}") };
    assert_eq!((record.body.as_str(), record.severity_number, record.timestamp_ns), ("cannot go on", 17, 42));
    assert_eq!(record.span, Some((query.trace_id, query.span_id)));
    assert_eq!(record.attributes, [("rows", AttributeValue::Int(3)), ("is_cut", AttributeValue::Bool(true))]);
}

#[test]
fn nothing_in_a_quiet_span_is_collected() {
    let (logs, spans) = collected(10, || {
        quiet().in_scope(|| {
            info!("stored");
            info_span!("flush").in_scope(|| error!("failed"));
        });
    });
    assert_eq!((logs, spans), (vec![], vec![]));
}

#[test]
fn past_the_pace_there_are_logs_without_traces() {
    let (logs, spans) = collected(2, || {
        for _ in 0..5 {
            info_span!("request").in_scope(|| info_span!("query").in_scope(|| info!("here")));
        }
    });
    assert_eq!((logs.len(), spans.len()), (5, 4));
    assert_eq!(logs.iter().filter(|record| record.span.is_some()).count(), 2);
}

#[test]
fn the_trace_of_a_caller_goes_on() {
    let (_, spans) = collected(10, || {
        drop(info_span!("request", traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        drop(info_span!("request", traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
        drop(info_span!("request", traceparent = "nonsense"));
    });
    let [continued, fresh] = spans.as_slice() else { panic!("two spans: {spans:?}") };
    assert_eq!(continued.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(continued.parent_span_id.map(|id| id.to_string()).as_deref(), Some("b7ad6b7169203331"));
    assert_eq!(fresh.parent_span_id, None);
}

#[test]
fn a_flood_is_cut_and_counted() {
    let dropped = crate::registry().counter(crate::names::TELEMETRY_DROPPED_RECORDS_TOTAL, &[("signal", "logs")]);
    let before = dropped.get();
    let (logs, _) = collected(10, || (0..crate::queue::RECORDS_MAX + 5).for_each(|_| info!("again")));
    assert_eq!((logs.len(), dropped.get() - before), (crate::queue::RECORDS_MAX, 5));
}

#[test]
fn long_text_is_cut() {
    let (logs, _) = collected(10, || info!("{}", "ä".repeat(10_000)));
    assert_eq!(logs.first().map(|record| record.body.len()), Some(4096));
}
