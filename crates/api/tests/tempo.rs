//! Tempo's API beside its golden files: protobuf, gRPC, and differences of traces.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http_body_util::BodyExt as _;
use prost::Message;
use serde_json::{Value, json};
use signalbox_model::builder::{SpanBuilder, SpanRow};
use signalbox_model::{Batch, SpanId, TraceId};
use signalbox_proto::otlp::trace::v1::TracesData;
use signalbox_proto::tempo::{
    QueryInstantRequest, QueryInstantResponse, QueryRangeRequest, QueryRangeResponse, SearchRequest, SearchResponse, SearchTagValuesRequest,
    SearchTagValuesResponse, SearchTagValuesV2Response, SearchTagsRequest, SearchTagsResponse, SearchTagsV2Response, TraceByIdResponse,
};

use crate::world::{T0, World};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SECOND: u64 = 1_000_000_000;

async fn protobuf<M: Message + Default>(world: &World, path: &str) -> M {
    let answer = world.send(Request::get(path).header("accept", "application/protobuf").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/protobuf"), "{path}: {}", answer.text());
    M::decode(answer.body.as_slice()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_in_protobuf_is_the_trace_in_json() {
    let world = World::head().await;
    let trace: TracesData = protobuf(&world, &format!("/tempo/api/traces/{TRACE}")).await;
    let whole: TraceByIdResponse = protobuf(&world, &format!("/tempo/api/v2/traces/{TRACE}")).await;
    assert_eq!(whole.trace.as_ref(), Some(&trace));
    let json = world.get(&format!("/tempo/api/traces/{TRACE}")).await.json();
    let spans = trace.resource_spans.iter().flat_map(|spans| &spans.scope_spans).flat_map(|spans| &spans.spans);
    for (number, span) in spans.enumerate() {
        let shown = &json["batches"][number]["scopeSpans"][0]["spans"][0];
        assert_eq!(STANDARD.decode(shown["spanId"].as_str().unwrap()).unwrap(), span.span_id);
        assert_eq!(shown["startTimeUnixNano"], span.start_time_unix_nano.to_string());
        assert_eq!(shown["kind"], span.kind().as_str_name());
        assert_eq!(shown["attributes"].as_array().unwrap().len(), span.attributes.len());
    }
    assert_eq!(json["batches"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_protobuf_too() {
    let world = World::as_tempo().await;
    let found: SearchResponse = protobuf(&world, "/api/search?q=%7Bstatus%3Derror%7D").await;
    let json = world.get("/api/search?q=%7Bstatus%3Derror%7D").await.json();
    assert_eq!((found.traces.len(), json["traces"][0]["traceID"].as_str()), (1, Some(found.traces[0].trace_id.as_str())));
    let names: SearchTagsResponse = protobuf(&world, "/api/search/tags").await;
    assert_eq!(json!(names.tag_names), world.get("/api/search/tags").await.json()["tagNames"]);
    let scopes: SearchTagsV2Response = protobuf(&world, "/api/v2/search/tags").await;
    let listed: Vec<&str> = scopes.scopes.iter().map(|scope| scope.name.as_str()).collect();
    assert_eq!(listed, ["span", "resource", "event", "link", "instrumentation", "intrinsic"]);
    let values: SearchTagValuesV2Response = protobuf(&world, "/api/v2/search/tag/.http.method/values").await;
    assert_eq!((values.tag_values[0].r#type.as_str(), values.tag_values[0].value.as_str()), ("string", "GET"));
    let series: QueryRangeResponse = protobuf(&world, "/api/metrics/query_range?q=%7B%7D%7Crate()&start=1699999990&end=1700000010&step=10").await;
    assert_eq!(series.series.len(), 1);
    let series: QueryInstantResponse = protobuf(&world, "/api/metrics/query?q=%7B%7D%7Ccount_over_time()&start=1699999990&end=1700000010").await;
    assert_eq!(series.series[0].value, 2.0);
}

/// The messages of a call, and its status.
async fn call<Q: Message, A: Message + Default>(world: &World, method: &str, question: &Q) -> (Vec<A>, String) {
    let mut body = vec![0];
    body.extend((question.encoded_len() as u32).to_be_bytes());
    body.extend(question.encode_to_vec());
    let request = Request::post(format!("/tempopb.StreamingQuerier/{method}")).header("content-type", "application/grpc").header("te", "trailers");
    let response = world.respond(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let early = response.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
    let collected = response.into_body().collect().await.unwrap();
    let status = collected.trailers().map(|trailers| trailers["grpc-status"].to_str().unwrap().to_owned()).or(early).unwrap();
    let (bytes, mut messages) = (collected.to_bytes(), Vec::new());
    let mut rest = &bytes[..];
    while let Some((prefix, after)) = rest.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        messages.push(A::decode(&after[..length]).unwrap());
        rest = &after[length..];
    }
    assert!(rest.is_empty());
    (messages, status)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_answered_over_grpc() {
    // At the address of Tempo and at the main one.
    for world in [World::as_tempo().await, World::head().await] {
        let seconds = |query: &str| SearchRequest { query: query.to_owned(), start: 1_700_000_000, end: 1_700_000_060, limit: 5, ..SearchRequest::default() };
        let (found, status): (Vec<SearchResponse>, _) = call(&world, "Search", &seconds("{ status = error }")).await;
        // First that it is worked on, then what is found.
        let progress = |metrics: &signalbox_proto::tempo::SearchMetrics| (metrics.total_jobs, metrics.completed_jobs);
        let told: Vec<(usize, (u32, u32))> = found.iter().map(|found| (found.traces.len(), progress(found.metrics.as_ref().unwrap()))).collect();
        assert_eq!((told, status.as_str()), (vec![(0, (1, 0)), (1, (1, 1))], "0"));
        assert_eq!(found[1].traces[0].trace_id, TRACE);

        let (names, _): (Vec<SearchTagsResponse>, _) =
            call(&world, "SearchTags", &SearchTagsRequest { scope: "resource".to_owned(), ..Default::default() }).await;
        assert!(names[1].tag_names.contains(&"k8s.pod.name".to_owned()) && names[0].tag_names.is_empty());
        let (scopes, _): (Vec<SearchTagsV2Response>, _) = call(&world, "SearchTagsV2", &SearchTagsRequest::default()).await;
        assert_eq!(scopes[1].scopes.len(), 6);
        let of = |name: &str| SearchTagValuesRequest { tag_name: name.to_owned(), ..Default::default() };
        let (values, _): (Vec<SearchTagValuesResponse>, _) = call(&world, "SearchTagValues", &of("service.name")).await;
        assert_eq!(values[1].tag_values, ["cart", "shop"]);
        let (values, _): (Vec<SearchTagValuesV2Response>, _) = call(&world, "SearchTagValuesV2", &of("resource.service.name")).await;
        assert_eq!(values[1].tag_values.len(), 2);

        let (start, end) = (T0 as u64 - 10 * SECOND, T0 as u64 + 10 * SECOND);
        let query = "{} | count_over_time() by (resource.service.name)".to_owned();
        let question = QueryRangeRequest { query: query.clone(), start, end, step: 20 * SECOND, ..Default::default() };
        let (series, _): (Vec<QueryRangeResponse>, _) = call(&world, "MetricsQueryRange", &question).await;
        assert_eq!((series[0].series.len(), series[1].series.len()), (0, 2));
        let (series, _): (Vec<QueryInstantResponse>, _) = call(&world, "MetricsQueryInstant", &QueryInstantRequest { query, start, end }).await;
        assert_eq!(series[1].series.iter().map(|series| series.value).collect::<Vec<_>>(), [1.0, 1.0]);

        let (told, status): (Vec<SearchResponse>, _) = call(&world, "Search", &seconds("{ status = ")).await;
        assert_eq!((told.len(), status.as_str()), (1, "3"));
        let (_, status): (Vec<SearchResponse>, _) = call(&world, "Divine", &SearchRequest::default()).await;
        assert_eq!(status, "12");
    }
}

/// Traces 1 and 2 are checkouts, the second a slow one; trace 3 has a hundred steps.
pub(crate) fn checkouts() -> Batch {
    let mut builder = SpanBuilder::default();
    let id = |number: u8| SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 0, number]).unwrap();
    let row = |trace: &str, number: u8, parent: Option<u8>, name: &'static str, start_ms: i64, ms: i64, status_code: i32| SpanRow {
        trace_id: TraceId::from_hex(trace).unwrap(),
        span_id: id(number),
        parent_span_id: parent.map(id),
        start_ns: T0 + start_ms * 1_000_000,
        end_ns: T0 + (start_ms + ms) * 1_000_000,
        name,
        kind: if parent.is_some() { 3 } else { 2 },
        status_code,
        status_message: "",
        trace_state: "",
        flags: 0,
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
    };
    builder.set_resource(r#"{"service.name":"shop"}"#, "shop");
    builder.set_scope("{}");
    builder.close_row(&row("01", 1, None, "checkout", 0, 100, 0));
    builder.attributes().append_int("db.rows", 5);
    builder.attributes().append_bool("fast", true);
    builder.attributes().append_int("db.size", 1_000);
    builder.close_row(&row("01", 2, Some(1), "query", 10, 10, 0));
    builder.close_row(&row("02", 1, None, "checkout", 1_000, 200, 0));
    builder.attributes().append_int("db.rows", 7);
    builder.attributes().append_string("error.type", "timeout");
    builder.attributes().append_int("db.size", 1_010);
    builder.close_row(&row("02", 5, Some(1), "query", 1_010, 90, 2));
    builder.set_resource(r#"{"service.name":"cart"}"#, "cart");
    builder.close_row(&row("01", 3, Some(1), "cache", 30, 5, 0));
    builder.close_row(&row("02", 4, Some(1), "charge", 1_120, 10, 0));
    for number in 0..100u8 {
        let is_slow = number % 5 == 0;
        let zone = if is_slow || number % 10 == 1 && number < 80 {
            "c"
        } else if number % 2 == 0 {
            "a"
        } else {
            "b"
        };
        builder.attributes().append_string("zone", zone);
        builder.close_row(&SpanRow { kind: 1, ..row("03", number + 10, None, "step", 2_000 + i64::from(number), if is_slow { 100 } else { 10 }, 0) });
    }
    Batch::Traces(builder.finish())
}

async fn diff(world: &World, body: Value) -> (u16, Value) {
    let answer = world.send(Request::post("/tempo/api/v2/traces/diff").body(Body::from(body.to_string())).unwrap()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::String(answer.text())))
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_compared() {
    let world = World::comparing().await;
    let asked =
        |format: &str| json!({ "base": { "traceId": "01" }, "compare": { "traceId": "02", "start": 1_700_000_000, "end": 1_700_000_100 }, "format": format });
    let (status, patch) = diff(&world, asked("trace-patch-v0")).await;
    assert_eq!((status, &patch["version"]), (200, &json!("trace-patch-v0")), "{patch}");
    assert_eq!(
        patch["stats"],
        json!({ "spanCountA": 3, "spanCountB": 3, "matchedSpans": 2, "modifiedSpans": 2, "addedSpans": 1, "removedSpans": 1, "fieldChanges": 3,
            "attributeChanges": 3, "eventChanges": 0, "truncated": false })
    );
    assert_eq!(
        patch["modified"][1],
        json!({ "span": { "path": [0, 0], "service": "shop", "name": "query", "kind": "client" }, "changes": [
            { "op": "modify", "target": { "type": "field", "name": "duration_nanos" }, "before": 10_000_000, "after": 90_000_000 },
            { "op": "modify", "target": { "type": "field", "name": "status" }, "before": "unset", "after": "error" },
            { "op": "modify", "target": { "type": "attribute", "scope": "span", "key": "db.rows" }, "before": 5, "after": 7 },
            { "op": "add", "target": { "type": "attribute", "scope": "span", "key": "error.type" }, "before": null, "after": "timeout" },
            { "op": "remove", "target": { "type": "attribute", "scope": "span", "key": "fast" }, "before": true, "after": null },
        ] })
    );
    assert_eq!(patch["added"][0]["target"], json!({ "type": "span", "parentPath": [0], "index": 1 }));
    assert_eq!(patch["removed"][0]["span"]["name"], "cache");

    let (_, summary) = diff(&world, asked("trace-summary-v0-native")).await;
    assert_eq!(
        summary["signals"],
        json!({ "traceLatency": "increased", "sumSpanDuration": "increased", "errors": "increased", "spanCount": "unchanged", "structure": "changed" })
    );
    assert_eq!(summary["changedServices"], json!(["cart", "shop"]));
    assert_eq!(summary["services"][0]["newErrors"], 1);
    let (_, composed) = diff(&world, asked("trace-summary-v0-composed")).await;
    assert_eq!((&composed["summary"], &composed["patch"]), (&summary, &patch));
    let (_, default) = diff(&world, json!({ "base": { "traceId": "01" }, "compare": { "traceId": "02" } })).await;
    assert_eq!(default, patch);

    for (body, status, want) in [
        (json!({}), 400, "invalid trace diff request body: missing field `base` at line 1 column 2"),
        (json!({ "base": {}, "compare": {} }), 400, "base.traceId is required"),
        (json!({ "base": { "traceId": "01" }, "compare": { "traceId": "09" } }), 404, "compare: trace not found"),
        (json!({ "base": { "traceId": "01", "start": 5, "end": 5 }, "compare": {} }), 400, "base.start must be before base.end. received start=5 end=5"),
    ] {
        assert_eq!(diff(&world, body).await, (status, Value::String(want.to_owned())));
    }
    assert_eq!(diff(&world, asked("trace-poem-v1")).await.0, 400);
    assert_eq!(world.get("/tempo/api/v2/traces/diff").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slow_spans_have_in_common_is_found() {
    let world = World::comparing().await;
    let answer = world
        .get("/api/v1/traces/attributes?selection=%7Bduration%3E80ms%20%26%26%20name%3D%22step%22%7D&query=%7Bname%3D%22step%22%7D&start=1700000000")
        .await
        .json();
    assert_eq!((&answer["selected"], &answer["others"], &answer["is_cut"]), (&json!(20), &json!(80), &json!(false)), "{answer}");
    let values: Vec<(&str, &str)> =
        answer["values"].as_array().unwrap().iter().map(|value| (value["attribute"].as_str().unwrap(), value["value"].as_str().unwrap())).collect();
    assert_eq!(values, [("span.zone", "c")], "{answer}");
    let value = &answer["values"][0];
    assert_eq!((&value["selected"], &value["others"], value["lift"].as_f64().unwrap() > 9.0), (&json!(20), &json!(8), true), "{answer}");

    let paths = world.get("/api/v1/traces/critical_path?query=%7Bname%3D%22checkout%22%7D&start=1700000000").await.json();
    assert_eq!((&paths["traces"], &paths["duration_ns"]), (&json!(2), &json!(300_000_000)), "{paths}");
    let names: Vec<&str> = paths["operations"].as_array().unwrap().iter().map(|operation| operation["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["checkout", "query", "charge", "cache"], "{paths}");

    let diff = world.get("/api/v1/traces/diff?base=01&compare=02").await.json();
    let changes: Vec<&str> = diff["nodes"].as_array().unwrap().iter().map(|node| node["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["changed", "changed", "missing", "new"], "{diff}");
    let cut = world.get("/api/v1/traces/diff?base=01&compare=02&limit=2").await.json();
    assert_eq!((cut["nodes"].as_array().unwrap().len(), &cut["is_cut"]), (2, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_comparisons_are_refused() {
    let world = World::comparing().await;
    for path in [
        "diff?base=x&compare=1",
        "diff?base=1&compare=2&limit=100001",
        "diff?compare=2",
        "critical_path",
        "critical_path?query=%7B&start=0",
        "critical_path?query=%7B%7D&trace_id=1",
        "critical_path?query=%7B%7D%7Crate()",
        "critical_path?query=%7B%7D&start=9&end=1",
        "critical_path?query=%7B%7D&limit=-1",
        "attributes",
        "attributes?selection=%7B",
        "attributes?selection=%7B%7D%7Ccount()%3E1",
        "attributes?query=%7B%7D%7Crate()&selection=%7B%7D",
        "attributes?selection=%7B%7D&start=9&end=1",
    ] {
        let answer = world.get(&format!("/api/v1/traces/{path}")).await;
        assert_eq!((answer.status, answer.json()["error"]["kind"].as_str()), (400, Some("invalid")), "{path}: {}", answer.text());
    }
}

/// Two services on hosts whose clocks are a second apart.
fn skewed() -> Batch {
    let mut builder = SpanBuilder::default();
    let id = |number: u8| SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 0, number]).unwrap();
    for (number, parent, service, kind, start_ms, ms) in [(1, None, "shop", 3, 1_000, 50), (2, Some(1), "cart", 2, 10, 20), (3, Some(2), "cart", 1, 15, 5)] {
        builder.set_resource(&format!(r#"{{"service.name":"{service}","host.name":"{service}-1"}}"#), service);
        builder.set_scope("{}");
        builder.close_row(&SpanRow {
            trace_id: TraceId::from_hex("05").unwrap(),
            span_id: id(number),
            parent_span_id: parent.map(id),
            start_ns: T0 + start_ms * 1_000_000,
            end_ns: T0 + (start_ms + ms) * 1_000_000,
            name: "call",
            kind,
            status_code: 0,
            status_message: "",
            trace_state: "",
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    Batch::Traces(builder.finish())
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_disagree_are_told() {
    let world = World::of(vec![skewed(), checkouts()], signalbox_api::prometheus::Settings::default()).await;
    let warning = "clocks of hosts disagree: 1 span lies outside of the time of its parent, by 990.000 ms at most";
    let trace = world.get("/api/v1/traces/05").await.json();
    assert_eq!(trace["warnings"], json!([warning]), "{trace}");
    let skews: Vec<&Value> = trace["spans"].as_array().unwrap().iter().map(|span| &span["skew"]).collect();
    assert_eq!(skews, [&Value::Null, &json!({ "before_parent_ns": 990_000_000 }), &Value::Null], "{trace}");
    assert_eq!(trace["spans"][1]["start_ns"], json!((T0 + 10_000_000).to_string()), "times are as they were sent");
    let answer = world.get("/tempo/api/v2/traces/05").await.json();
    assert_eq!((answer["message"].as_str(), answer["status"].as_str().unwrap_or("COMPLETE")), (Some(warning), "COMPLETE"), "{answer}");
    let (whole, tempo) = (world.get("/api/v1/traces/01").await.json(), world.get("/tempo/api/v2/traces/01").await.json());
    assert_eq!((&whole["warnings"], &tempo["message"], whole["spans"].as_array().unwrap().len()), (&json!([]), &Value::Null, 3), "{whole}");
}
