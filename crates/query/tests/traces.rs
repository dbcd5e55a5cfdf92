//! Traces: by identifier, by conditions, with every field.

use signalbox_lang::traceql;
use signalbox_model::TimeRange;
use signalbox_model::attributes::AttributeValue;
use signalbox_query::traceql::{TagMatch, TagScope, TraceSearch};

use crate::world::{SECOND, T0, World, span_id, trace_id, worlds};

fn search(query: &str, limit: usize) -> TraceSearch {
    TraceSearch {
        filter: traceql::parse(query).unwrap(),
        tags: Vec::new(),
        range: TimeRange::ALL,
        trace_duration_min_ns: None,
        trace_duration_max_ns: None,
        limit,
    }
}

async fn found(world: &World, search: TraceSearch) -> Vec<u8> {
    let found = world.engine.search_traces(&world.tenant, search).await.unwrap();
    assert!(found.iter().all(|found| found.trace.spans.len() == 2 && !found.matched.is_empty()));
    found.iter().map(|found| found.trace.trace_id.as_bytes()[0]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_the_newest_traces_that_fit() {
    let cases: &[(&str, usize, &[u8])] = &[
        ("{}", 3, &[20, 19, 18]),
        ("{ resource.service.name = \"cart\" }", 2, &[20, 19]),
        ("{ resource.service.name = \"nobody\" }", 2, &[]),
        ("{ name = \"GET /cart\" && duration >= 190ms }", 9, &[20, 19]),
        ("{ name =~ \"H.*ALL\" && status = error }", 9, &[20, 15, 10, 5]),
        ("{ status = error && resource.service.name = \"shop\" }", 9, &[]),
        ("{ span.http.status_code = 500 }", 9, &[20, 16, 12, 8, 4]),
        ("{ .http.status_code >= 300.5 && .cached = true }", 2, &[20, 16]),
        ("{ .http.status_code = \"500\" }", 2, &[]),
        ("{ .cached != true }", 2, &[19, 17]),
        ("{ .db.system = nil && .cached = true }", 2, &[20, 18]),
        ("{ .replicas = 3 && kind = client }", 1, &[20]),
        ("{ .replicas = 3 && .cached = true }", 1, &[]),
        ("{ statusMessage = \"gone\" || .http.status_code = 500 }", 3, &[20, 16, 15]),
        ("{ .http.method =~ \"P.*\" }", 1, &[]),
        ("{ false }", 1, &[]),
    ];
    for (place, world) in worlds().await {
        for (query, limit, want) in cases {
            assert_eq!(found(&world, search(query, *limit)).await, *want, "{place}: {query}");
        }
        let tags = |name: &str, value: &str| TraceSearch { tags: vec![TagMatch { name: name.into(), value: value.into() }], ..search("{}", 2) };
        assert_eq!(found(&world, tags("http.status_code", "500")).await, [20, 16], "{place}");
        assert_eq!(found(&world, tags("error", "true")).await, [20, 15], "{place}");
        assert_eq!(found(&world, tags("span.kind", "client")).await, [20, 19], "{place}");
        assert_eq!(found(&world, tags("k8s.pod.name", "cart-1")).await, [20, 19], "{place}");
        assert_eq!(found(&world, tags("k8s.pod.name", "cart-2")).await, [0; 0], "{place}");
        let range = TimeRange::from_ns(T0 + 30 * SECOND, T0 + 50 * SECOND);
        assert_eq!(found(&world, TraceSearch { range, ..search("{ kind = server }", 9) }).await, [5, 4, 3], "{place}");
        let durations = TraceSearch { trace_duration_min_ns: Some(30_000_000), trace_duration_max_ns: Some(50_000_000), ..search("{}", 9) };
        assert_eq!(found(&world, durations).await, [5, 4, 3], "{place}");
    }
}

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
        let tags = world.engine.span_tags(&world.tenant, TimeRange::ALL).await.unwrap();
        assert_eq!(tags.span.into_iter().collect::<Vec<_>>(), ["cached", "db.system", "http.method", "http.status_code", "raw"], "{place}");
        assert_eq!(tags.resource.into_iter().collect::<Vec<_>>(), ["k8s.pod.name", "replicas", "service.name"], "{place}");
        let values = world.engine.span_tag_values(&world.tenant, TagScope::Any, "http.status_code", TimeRange::ALL).await.unwrap();
        assert_eq!(values, [AttributeValue::Int(200), AttributeValue::Int(500)], "{place}");
        let calls = world.engine.dependencies(&world.tenant, TimeRange::ALL).await.unwrap();
        assert_eq!((calls.len(), calls[0].parent.as_str(), calls[0].child.as_str(), calls[0].calls), (1, "shop", "cart", 20), "{place}");
    }
}
