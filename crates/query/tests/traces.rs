//! Traces: by identifier, with every field; services, operations, calls.

use signalbox_model::TimeRange;
use signalbox_model::attributes::AttributeValue;

use crate::world::{SECOND, T0, span_id, trace_id, worlds};

#[tokio::test(flavor = "multi_thread")]
async fn every_field_comes_back() {
    for (place, world) in worlds().await {
        let trace = world.engine.trace(&world.tenant, trace_id(5)).await.unwrap().unwrap();
        let [server, client] = trace.spans.as_slice() else { panic!("{place}: {trace:?}") };
        assert_eq!((server.span_id, server.parent_span_id, client.parent_span_id), (Some(span_id(1)), None, Some(span_id(1))), "{place}");
        assert_eq!((server.start_ns, server.duration_ns), (T0 + 50 * SECOND, 50_000_000), "{place}");
        assert_eq!((server.name.as_str(), server.kind, server.service.as_str()), ("GET /cart", 2, "shop"), "{place}");
        assert_eq!((server.trace_state.as_str(), server.flags), ("a=b", 0x101), "{place}");
        assert_eq!((server.dropped_attributes_count, server.dropped_events_count, server.dropped_links_count), (1, 2, 3), "{place}");
        let attributes = [
            ("http.method".to_owned(), AttributeValue::String("GET".to_owned())),
            ("http.status_code".to_owned(), AttributeValue::Int(200)),
            ("cached".to_owned(), AttributeValue::Bool(false)),
            ("raw".to_owned(), AttributeValue::Bytes(vec![0, 255])),
        ];
        assert_eq!(server.attributes, attributes, "{place}");
        assert_eq!((client.status_code, client.status_message.as_str(), client.trace_state.as_str()), (2, "gone", ""), "{place}");
        let event = &client.events[0];
        assert_eq!((event.timestamp_ns, event.name.as_str(), event.dropped_attributes_count), (T0 + 50 * SECOND + 2_000, "retry", 4), "{place}");
        assert_eq!(event.attributes, [("attempt".to_owned(), AttributeValue::Int(1))], "{place}");
        let link = &client.links[0];
        assert_eq!((link.trace_id, link.span_id), (Some(trace_id(99)), Some(span_id(9))), "{place}");
        assert_eq!((link.trace_state.as_str(), link.flags, link.dropped_attributes_count), ("c=d", 1, 5), "{place}");
        assert_eq!(link.attributes, [("why".to_owned(), AttributeValue::String("batch".to_owned()))], "{place}");
        assert_eq!(client.resource.get("replicas"), Some(&AttributeValue::Int(3)), "{place}");
        assert_eq!(trace.root().unwrap().name, "GET /cart", "{place}");
        assert!(world.engine.trace(&world.tenant, trace_id(77)).await.unwrap().is_none(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_what_there_is() {
    for (place, world) in worlds().await {
        let services: Vec<_> = world.engine.services(&world.tenant).await.unwrap().into_iter().collect();
        assert_eq!(services, ["cart", "shop"], "{place}");
        let operations: Vec<_> =
            world.engine.operations(&world.tenant, "cart").await.unwrap().into_iter().map(|operation| (operation.name, operation.kind)).collect();
        assert_eq!(operations, [("HGETALL".to_owned(), 3)], "{place}");
        let calls = world.engine.dependencies(&world.tenant, TimeRange::ALL).await.unwrap();
        let calls: Vec<_> = calls.iter().map(|call| (call.parent.as_str(), call.child.as_str(), call.calls)).collect();
        assert_eq!(calls, [("cart", "redis", 20), ("shop", "cart", 20)], "{place}");
    }
}
