//! TraceQL searches over the same world in the head, in segments, and in both.

use std::sync::Arc;

use signalbox_lang::traceql::parse_query;
use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Scope, Static};
use signalbox_model::builder::{SpanBuilder, SpanRow};
use signalbox_model::{Batch, SpanBatch, Tenant, TimeRange};
use signalbox_query::traceql::{SearchAnswer, SearchRequest, TagNamesRequest, TagValuesRequest};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

use crate::world::{SECOND, SHOP, T0, World, span_id, trace_id, worlds};

fn request(query: &str, limit: usize) -> SearchRequest {
    SearchRequest {
        query: parse_query(query).unwrap_or_else(|error| panic!("{query}: {error:?}")),
        range: TimeRange::ALL,
        trace_duration_min_ns: None,
        trace_duration_max_ns: None,
        limit,
        spans_per_set: 0,
    }
}

async fn search(world: &World, request: SearchRequest) -> SearchAnswer {
    world.engine.traceql_search(&world.tenant, request).await.unwrap()
}

fn numbers(answer: &SearchAnswer) -> Vec<u8> {
    answer.traces.iter().map(|trace| trace.trace_id.as_bytes()[0]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_the_newest_traces_of_which_spans_are_left() {
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
        ("{ event:name = \"retry\" && event.attempt = 1 }", 1, &[20]),
        ("{ event.attempt > 1 }", 1, &[]),
        ("{ event:timeSinceStart = 1us && name = \"HGETALL\" }", 1, &[20]),
        ("{ link:traceID = \"63636363636363636363636363636363\" && link.why = \"batch\" }", 1, &[20]),
        ("{ instrumentation:name = \"lib\" && instrumentation.language = \"rust\" && span:id = \"0101010101010101\" }", 1, &[20]),
        ("{ trace:id = \"05050505050505050505050505050505\" }", 9, &[5]),
        ("{ trace:id = \"5050505050505050505050505050505\" }", 9, &[5]),
        ("{ span:parentID = \"0101010101010101\" && status = error }", 2, &[20, 15]),
        ("{ rootName = \"GET /cart\" && name = \"HGETALL\" && trace:duration > 195ms }", 9, &[20]),
        ("{ span:childCount = 1 && duration < 15ms }", 9, &[1]),
        ("{ nestedSetParent < 0 && duration < 15ms }", 9, &[1]),
        ("{ nestedSetLeft = 2 && status = error }", 9, &[20, 15, 10, 5]),
        ("{ .http.status_code = 500 } > { status = error }", 9, &[20]),
        ("{ .http.status_code = 500 } >> { } ", 9, &[20, 16, 12, 8, 4]),
        ("{ status = error } < { .http.status_code = 500 }", 9, &[20]),
        ("{ status = error } !< { .http.status_code = 500 }", 9, &[16, 12, 8, 4]),
        ("{ .http.status_code = 500 } && { status = error }", 9, &[20]),
        ("{ .http.status_code = 500 } || { status = error }", 3, &[20, 16, 15]),
        ("{ } | count() > 1", 1, &[20]),
        ("{ status = error } | count() > 1", 1, &[]),
        ("{ } | by(resource.service.name) | count() > 1", 1, &[]),
        ("{ } | by(resource.service.name) | coalesce() | count() = 2", 1, &[20]),
        ("({ } | avg(duration) > 100ms) && { status = error }", 9, &[20]),
        ("{ } | max(duration) < 25ms", 9, &[2, 1]),
        ("{ duration > 2 * 50ms && .http.status_code + 1 = 501 }", 9, &[20, 16, 12]),
        ("{ !(.cached = true) && kind = server }", 2, &[19, 17]),
    ];
    for (place, world) in worlds().await {
        for (query, limit, want) in cases {
            assert_eq!(numbers(&search(&world, request(query, *limit)).await), *want, "{place}: {query}");
        }
        let range = TimeRange::from_ns(T0 + 30 * SECOND, T0 + 50 * SECOND);
        assert_eq!(numbers(&search(&world, SearchRequest { range, ..request("{ kind = server }", 9) }).await), [5, 4, 3], "{place}");
        let durations = SearchRequest { trace_duration_min_ns: Some(30_000_000), trace_duration_max_ns: Some(50_000_000), ..request("{}", 9) };
        assert_eq!(numbers(&search(&world, durations).await), [5, 4, 3], "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_of_traces_what_was_asked() {
    for (place, world) in worlds().await {
        let answer =
            search(&world, request("{ } >> { status = error } | by(span.db.system) | count() > 0 | select(span.db.system, resource.k8s.pod.name)", 1)).await;
        let trace = &answer.traces[0];
        assert_eq!((trace.start_ns, trace.duration_ns), (T0 + 200 * SECOND, 200_000_000), "{place}");
        assert_eq!((trace.root_service.as_deref(), trace.root_name.as_deref()), (Some("shop"), Some("GET /cart")), "{place}");
        let services: Vec<_> = trace.services.iter().map(|own| (own.service.as_ref(), own.spans, own.errors)).collect();
        assert_eq!(services, [("cart", 1, 1), ("shop", 1, 0)], "{place}");
        let [set] = trace.sets.as_slice() else { panic!("{place}: {trace:?}") };
        let redis = Static::Text("redis".to_owned());
        assert_eq!(set.attributes, [("by(span.db.system)".to_owned(), redis.clone()), ("count()".to_owned(), Static::Int(1))], "{place}");
        let span = &set.spans[0];
        assert_eq!((span.name.as_ref(), span.duration_ns, set.matched), ("HGETALL", 5_000_000, 1), "{place}");
        let shown: Vec<_> = span.attributes.iter().map(|(attribute, value)| (attribute.to_string(), value.clone())).collect();
        let want = [("status", Static::Status(2)), ("span.db.system", redis), ("resource.k8s.pod.name", Static::Text("cart-1".to_owned()))];
        assert_eq!(shown, want.map(|(name, value)| (name.to_owned(), value)), "{place}");
        let bounded = search(&world, SearchRequest { spans_per_set: 1, ..request("{}", 1) }).await;
        assert_eq!((bounded.traces[0].sets[0].matched, bounded.traces[0].sets[0].spans.len()), (2, 1), "{place}");
        let error = world.engine.traceql_search(&world.tenant, request("{ } | by(name) | { } ~ ({ } | by(kind))", 1)).await;
        assert!(error.is_ok() || error.unwrap_err().message().contains("coalesce()"), "{place}");
        assert!(world.engine.traceql_search(&world.tenant, request("{ } | rate()", 1)).await.is_err(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_names_and_values() {
    let scopes = [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];
    for (place, world) in worlds().await {
        let names = async |query: Option<&str>, scopes: &[Scope]| {
            let request = TagNamesRequest { scopes: scopes.to_vec(), range: TimeRange::ALL, query: query.map(|query| parse_query(query).unwrap()) };
            let found = world.engine.traceql_tag_names(&world.tenant, request).await.unwrap();
            found
                .iter()
                .map(|(scope, names)| format!("{}: {}", scope.as_str(), names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")))
                .collect::<Vec<_>>()
        };
        let all = [
            "span: cached db.system http.method http.status_code raw",
            "resource: k8s.pod.name replicas service.name",
            "event: attempt",
            "link: why",
            "instrumentation: language",
        ];
        assert_eq!(names(None, &scopes).await, all, "{place}");
        let of_cart = ["span: db.system", "resource: k8s.pod.name replicas service.name", "event: attempt"];
        assert_eq!(names(Some("{ resource.service.name = \"cart\" && trace:duration > 1ms }"), &scopes[..3]).await, of_cart, "{place}");
        assert_eq!(names(Some("{ false }"), &scopes[..1]).await, ["span: "], "{place}");
        let values = async |attribute: Attribute, query: Option<&str>, limit: usize| {
            let request = TagValuesRequest { attribute, range: TimeRange::ALL, query: query.map(|query| parse_query(query).unwrap()), limit };
            let found = world.engine.traceql_tag_values(&world.tenant, request).await.unwrap();
            (found.values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), found.is_complete)
        };
        let named = |scope, name: &str| Attribute::Named(scope, name.to_owned());
        let cases = [
            (named(Scope::Span, "http.status_code"), None, "200 500"),
            (named(Scope::Any, "http.status_code"), Some("{ span.cached = false }"), "200"),
            (named(Scope::Any, "replicas"), None, "3"),
            (named(Scope::Resource, "service.name"), None, "`cart` `shop`"),
            (named(Scope::Event, "attempt"), None, "1"),
            (named(Scope::Span, "cached"), None, "false true"),
            (Attribute::Intrinsic(Intrinsic::Name), Some("{ kind = client }"), "`HGETALL`"),
            (Attribute::Intrinsic(Intrinsic::Status), None, "unset ok error"),
            (Attribute::Intrinsic(Intrinsic::Kind), Some("{ }"), "server client"),
            (Attribute::Intrinsic(Intrinsic::RootService), None, "`shop`"),
            (Attribute::Intrinsic(Intrinsic::EventName), None, "`retry`"),
            (Attribute::Intrinsic(Intrinsic::Duration), None, ""),
        ];
        for (attribute, query, want) in cases {
            assert_eq!(values(attribute.clone(), query, 100).await, (want.to_owned(), true), "{place}: {attribute}");
        }
        let (some, is_complete) = values(named(Scope::Span, "http.status_code"), None, 1).await;
        assert_eq!((some.len(), is_complete), (3, false), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_named_is_whole_however_long_it_takes() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let clock = Arc::new(ManualClock::at_ns(T0 + 100_000 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    let tenant = Tenant::default();
    for number in 1..5_u8 {
        let mut builder = SpanBuilder::default();
        builder.set_resource(SHOP, "shop");
        let start_ns = T0 + i64::from(number) * 7_200 * SECOND;
        let parent_span_id = (number > 1).then(|| span_id(1));
        builder.close_row(&SpanRow {
            trace_id: trace_id(1),
            span_id: span_id(number),
            parent_span_id,
            start_ns,
            end_ns: start_ns + SECOND,
            name: "step",
            kind: 1,
            status_code: 0,
            status_message: "",
            trace_state: "",
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
        let batch: SpanBatch = builder.finish();
        store.append(&tenant, vec![Batch::Traces(batch)]).await.unwrap();
        if number % 2 == 0 {
            store.flush().await.unwrap();
        }
    }
    let world = World { engine: Engine::new(store, clock, Settings::default()), tenant, dir };
    let matched = async |query: &str| search(&world, request(query, 1)).await.traces[0].sets[0].matched;
    assert_eq!(matched("{ trace:id = \"01010101010101010101010101010101\" && name = \"step\" }").await, 4);
    // Others are found within an hour of the newest span that is answered.
    assert_eq!(matched("{ name = \"step\" }").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_queries_do_not_recurse() {
    let (_, world) = worlds().await.swap_remove(0);
    for (piece, between, whole) in [
        (".cached = true", " || ", "{ @ }"),
        (".cached != nil", " && ", "{ @ }"),
        ("span.http.status_code", " + ", "{ @ > 0 }"),
        ("{ .cached = true }", " && ", "@"),
        ("{ }", " >> ", "{ } || @"),
    ] {
        let query = whole.replace('@', &vec![piece; 600].join(between));
        assert_eq!(numbers(&search(&world, request(&query, 1)).await).len(), 1, "{piece}");
    }
}
