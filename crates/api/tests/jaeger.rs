//! Jaeger's own cases: what its integration tests find, what its third API answers, what its UI translates; and its gRPC.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use prost::Message;
use serde_json::{Value, json};
use signalbox_model::attributes::{AttributeValue, write_json};
use signalbox_model::builder::{AttributesBuilder, EventRow, LinkRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, SpanId, TraceId};
use signalbox_proto::google_rpc::{Duration, Timestamp};
use signalbox_proto::jaeger::{api_v2, api_v3, expression, storage_v2};
use signalbox_proto::otlp::common::v1::any_value::Value as OtlpValue;
use signalbox_proto::otlp::common::v1::{AnyValue, KeyValue};
use signalbox_proto::otlp::trace::v1::TracesData;
use signalbox_testkit::conformance;

use crate::world::{T0, World};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn attribute(value: &AnyValue) -> AttributeValue {
    match value.value.clone() {
        Some(OtlpValue::StringValue(text)) => AttributeValue::String(text),
        Some(OtlpValue::BoolValue(value)) => AttributeValue::Bool(value),
        Some(OtlpValue::IntValue(value)) => AttributeValue::Int(value),
        Some(OtlpValue::DoubleValue(value)) => AttributeValue::Double(value),
        Some(OtlpValue::BytesValue(bytes)) => AttributeValue::Bytes(bytes),
        Some(OtlpValue::ArrayValue(items)) => AttributeValue::Array(items.values.iter().map(attribute).collect()),
        Some(OtlpValue::KvlistValue(entries)) => AttributeValue::Map(pairs(&entries.values)),
        _ => AttributeValue::Empty,
    }
}

fn pairs(sent: &[KeyValue]) -> Vec<(String, AttributeValue)> {
    sent.iter().map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(AttributeValue::Empty, attribute))).collect()
}

fn append(builder: &mut AttributesBuilder, sent: &[KeyValue]) {
    for (key, value) in pairs(sent) {
        builder.append_text(&key, value.letter(), &value.to_text());
    }
}

fn object(entries: Vec<(String, AttributeValue)>) -> String {
    let mut json = String::new();
    write_json(&mut json, &AttributeValue::Map(entries));
    json
}

/// OTLP's JSON as rows.
fn batch(texts: &[String]) -> Batch {
    let mut builder = SpanBuilder::default();
    for text in texts {
        let sent: TracesData = serde_json::from_str(text).unwrap();
        for of_resource in &sent.resource_spans {
            let resource = pairs(&of_resource.resource.clone().unwrap_or_default().attributes);
            let service = resource.iter().find(|(key, _)| key == "service.name").map(|(_, value)| value.to_text()).unwrap_or_default();
            builder.set_resource(&object(resource), &service);
            for of_scope in &of_resource.scope_spans {
                let scope = of_scope.scope.clone().unwrap_or_default();
                let mut entries = pairs(&scope.attributes);
                let named = [("$name", &scope.name), ("$version", &scope.version)].into_iter().filter(|(_, text)| !text.is_empty());
                entries.extend(named.map(|(key, text)| (key.to_owned(), AttributeValue::String(text.clone()))));
                builder.set_scope(&object(entries));
                of_scope.spans.iter().for_each(|span| row(&mut builder, span));
            }
        }
    }
    Batch::Traces(builder.finish())
}

fn row(builder: &mut SpanBuilder, span: &signalbox_proto::otlp::trace::v1::Span) {
    append(builder.attributes(), &span.attributes);
    for event in &span.events {
        append(builder.event_attributes(), &event.attributes);
        builder.close_event(&EventRow { timestamp_ns: event.time_unix_nano.cast_signed(), name: &event.name, dropped_attributes_count: 0 });
    }
    for link in &span.links {
        append(builder.link_attributes(), &link.attributes);
        builder.close_link(&LinkRow {
            trace_id: TraceId::from_slice(&link.trace_id).unwrap(),
            span_id: SpanId::from_slice(&link.span_id).unwrap(),
            trace_state: &link.trace_state,
            flags: link.flags,
            dropped_attributes_count: 0,
        });
    }
    let status = span.status.clone().unwrap_or_default();
    builder.close_row(&SpanRow {
        trace_id: TraceId::from_slice(&span.trace_id).unwrap(),
        span_id: SpanId::from_slice(&span.span_id).unwrap(),
        parent_span_id: SpanId::from_slice(&span.parent_span_id),
        start_ns: span.start_time_unix_nano.cast_signed(),
        end_ns: span.end_time_unix_nano.cast_signed(),
        name: &span.name,
        kind: span.kind,
        status_code: status.code,
        status_message: &status.message,
        trace_state: &span.trace_state,
        flags: span.flags,
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
    });
}

async fn world(texts: &[String]) -> World {
    World::of(vec![batch(texts)], signalbox_api::prometheus::Settings::default()).await
}

/// Calls a method; answers its messages and its status.
async fn call<A: Message + Default>(world: &World, method: &str, message: &impl Message) -> (Vec<A>, u8) {
    let mut body = vec![0];
    body.extend_from_slice(&u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
    body.extend_from_slice(&message.encode_to_vec());
    let request = Request::post(format!("/{method}")).header("content-type", "application/grpc").body(Body::from(body)).unwrap();
    let (parts, body) = world.respond(request).await.into_parts();
    assert_eq!(parts.status, 200, "{method}");
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or(parts.headers);
    let status = trailers["grpc-status"].to_str().unwrap().parse().unwrap();
    let (data, mut messages) = (collected.to_bytes(), Vec::new());
    let mut rest = data.as_ref();
    while let [0, a, b, c, d, ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        messages.push(A::decode(&rest[5..5 + length]).unwrap());
        rest = &rest[5 + length..];
    }
    (messages, status)
}

fn time(text: &str) -> i64 {
    i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()
}

/// Sorted identifiers of the traces that a search over HTTP finds.
async fn find(world: &World, query: &Value) -> Vec<String> {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let mut uri = format!("/jaeger/api/traces?limit={}", query["NumTraces"]);
    uri.push_str(&format!("&start={}&end={}", time(query["StartTimeMin"].as_str().unwrap()) / 1_000, time(query["StartTimeMax"].as_str().unwrap()) / 1_000));
    for (name, key) in [("service", "ServiceName"), ("operation", "OperationName")] {
        uri.push_str(&format!("&{name}={}", encode(query[key].as_str().unwrap())));
    }
    for (name, key) in [("minDuration", "DurationMin"), ("maxDuration", "DurationMax")] {
        if query[key] != 0 {
            uri.push_str(&format!("&{name}={}ns", query[key]));
        }
    }
    if query["Tags"].is_object() {
        uri.push_str(&format!("&tags={}", encode(&query["Tags"].to_string())));
    }
    let answer = world.get(&uri).await.json();
    let traces = answer["data"].as_array().unwrap_or_else(|| panic!("{uri}: {answer}"));
    let mut ids: Vec<String> = traces.iter().map(|trace| format!("{:0>32}", trace["traceID"].as_str().unwrap())).collect();
    ids.sort();
    ids
}

/// The same over the storage's gRPC.
async fn find_ids(world: &World, query: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let attribute = |(key, value): (&String, &Value)| KeyValue {
        key: key.clone(),
        value: Some(AnyValue { value: Some(OtlpValue::StringValue(text(value))) }),
        ..KeyValue::default()
    };
    let at = |key: &str| Some(Timestamp::from_ns(time(query[key].as_str().unwrap())));
    let duration = |key: &str| Some(Duration::from_ns(query[key].as_i64().unwrap()));
    let asked = storage_v2::TraceQueryParameters {
        service_name: query["ServiceName"].as_str().unwrap().to_owned(),
        operation_name: query["OperationName"].as_str().unwrap().to_owned(),
        attributes: query["Tags"].as_object().map(|tags| tags.iter().map(attribute).collect()).unwrap_or_default(),
        start_time_min: at("StartTimeMin"),
        start_time_max: at("StartTimeMax"),
        duration_min: duration("DurationMin"),
        duration_max: duration("DurationMax"),
        search_depth: 1_000,
        filter: None,
    };
    let request = storage_v2::FindTracesRequest { query: Some(asked) };
    let (answers, status) = call::<storage_v2::FindTraceIdsResponse>(world, "jaeger.storage.v2.TraceReader/FindTraceIDs", &request).await;
    assert_eq!(status, 0);
    let mut ids: Vec<String> = answers[0].trace_ids.iter().map(|found| hex::encode(&found.trace_id)).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_jaegers_integration_tests_find_their_sets() {
    let Some(cases) = conformance::read("traces/jaeger-integration/queries.jsonl") else { return };
    let folder = conformance::root().unwrap().join("traces/jaeger-integration/traces");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let texts: Vec<String> = names.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts.len(), 32);
    let mut world = world(&texts).await;
    let id_of = |fixture: &Value| {
        let text = std::fs::read_to_string(folder.join(format!("{}.json", fixture.as_str().unwrap()))).unwrap();
        let sent: TracesData = serde_json::from_str(&text).unwrap();
        hex::encode(&sent.resource_spans[0].scope_spans[0].spans[0].trace_id)
    };
    let cases: Vec<Value> = cases.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 17);
    for case in &cases {
        let mut want: Vec<String> = case["ExpectedFixtures"].as_array().unwrap().iter().map(id_of).collect();
        want.sort();
        assert_eq!(find(&world, &case["Query"]).await, want, "{}", case["Caption"]);
    }
    world.serve(signalbox_api::jaeger_storage_router);
    for case in &cases {
        let mut want: Vec<String> = case["ExpectedFixtures"].as_array().unwrap().iter().map(id_of).collect();
        want.sort();
        assert_eq!(find_ids(&world, &case["Query"]).await, want, "{}", case["Caption"]);
    }
}

/// Without the times, which the snapshots leave out.
fn of_json(value: &Value) -> TracesData {
    serde_json::from_value(value["result"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_api_answers_as_its_snapshots() {
    const SNAPSHOTS: &str = "traces/jaeger/cmd/jaeger/internal/extension/jaegerquery/internal/apiv3/snapshots";
    let Some(snapshot) = conformance::read(&format!("{SNAPSHOTS}/FindTraces.json")) else { return };
    let read = |name: &str| -> Value { serde_json::from_str(&conformance::read(&format!("{SNAPSHOTS}/{name}.json")).unwrap()).unwrap() };
    let want: Value = serde_json::from_str(&snapshot).unwrap();
    let one = world(&[want["result"].to_string()]).await;
    let range = "query.start_time_min=1970-01-01T00:00:00Z&query.start_time_max=1970-01-01T00:00:05Z";
    assert_eq!(of_json(&one.get(&format!("/jaeger/api/v3/traces?{range}&query.raw_traces=true")).await.json()), of_json(&want));
    assert_eq!(of_json(&one.get("/jaeger/api/v3/traces/1?raw_traces=true").await.json()), of_json(&read("GetTrace")));

    let span = |number: u64, parent: &str, name: &str, code: i32| json!({ "traceId": "00000000000000000000000000000001", "spanId": format!("{number:016x}"), "parentSpanId": parent, "name": name, "kind": 2, "startTimeUnixNano": "1000000000000", "endTimeUnixNano": "1001000000000", "status": { "code": code } });
    let spans = [span(1, "", "HTTP GET /", 0), span(2, "0000000000000001", "get_users", 2)];
    let sent = |service: &str| json!({ "resourceSpans": [{ "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] }, "scopeSpans": [{ "spans": spans }] }] });
    let two = world(&[sent("frontend").to_string()]).await;
    let range = "query.startTimeMin=1970-01-01T00:16:00Z&query.startTimeMax=1970-01-01T00:17:00Z";
    assert_eq!(two.get(&format!("/jaeger/api/v3/trace-summaries?{range}")).await.json(), read("FindTraceSummaries"));
    let foo = world(&[sent("foo").to_string()]).await;
    assert_eq!(foo.get("/jaeger/api/v3/services").await.json(), read("GetServices"));
    let operations = foo.get("/jaeger/api/v3/operations?service=foo&span_kind=server").await.json();
    assert_eq!(operations["operations"][1], read("GetOperations")["operations"][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn otlp_is_translated_as_for_the_ui() {
    let Some(sent) = conformance::read("traces/jaeger-ui/otlp2jaeger-multi-in-combined.json") else { return };
    let want: Value = serde_json::from_str(&conformance::read("traces/jaeger-ui/oltp2jaeger-multi-out.json").unwrap()).unwrap();
    let world = World::head().await;
    let got = world.send(Request::post("/jaeger/api/transform").body(Body::from(sent)).unwrap()).await.json();
    let of = |answer: &Value, is_ours: bool| {
        let mut spans = Vec::new();
        for trace in answer["data"].as_array().unwrap() {
            for span in trace["spans"].as_array().unwrap() {
                let references: Vec<Value> = span["references"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|reference| json!([reference["refType"], reference["traceID"], reference["spanID"]]))
                    .collect();
                let mut tags = span["tags"].to_string();
                if !is_ours {
                    // As the names were when the fixture was made.
                    tags = tags.replace("otel.library.", "otel.scope.");
                }
                let process = &trace["processes"][span["processID"].as_str().unwrap()];
                let process = if process.is_null() { &span["process"] } else { process };
                let facts = ["traceID", "spanID", "operationName", "startTime", "duration"].map(|key| span[key].clone());
                spans.push(json!([facts, references, tags, process["serviceName"], process["tags"]]).to_string());
            }
        }
        spans.sort();
        spans
    };
    assert_eq!(of(&got, true), of(&want, false));
    let refused = world.send(Request::post("/jaeger/api/transform").body(Body::from("{\"resourceSpans\":7}")).unwrap()).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (400, &json!(400)));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_calls() {
    let world = World::head().await;
    let (start, end) = (Some(Timestamp::from_ns(T0 - 1_000_000_000)), Some(Timestamp::from_ns(T0 + 1_000_000_000)));
    let id = hex::decode(TRACE).unwrap();

    let (services, _) = call::<api_v2::GetServicesResponse>(&world, "jaeger.api_v2.QueryService/GetServices", &api_v2::GetServicesRequest {}).await;
    assert_eq!(services[0].services, ["cart", "shop"]);
    let asked = api_v2::GetOperationsRequest { service: "shop".into(), span_kind: String::new() };
    let (operations, _) = call::<api_v2::GetOperationsResponse>(&world, "jaeger.api_v2.QueryService/GetOperations", &asked).await;
    assert_eq!(operations[0].operations, [api_v2::Operation { name: "GET /order".into(), span_kind: "server".into() }]);
    assert_eq!(operations[0].operation_names, ["GET /order"]);
    let asked = api_v2::GetDependenciesRequest { start_time: start, end_time: end };
    let (dependencies, _) = call::<api_v2::GetDependenciesResponse>(&world, "jaeger.api_v2.QueryService/GetDependencies", &asked).await;
    let links: Vec<_> = dependencies[0].dependencies.iter().map(|link| (link.parent.as_str(), link.child.as_str(), link.call_count)).collect();
    assert_eq!(links, [("cart", "redis", 1), ("shop", "cart", 1)]);

    let asked = api_v2::GetTraceRequest { trace_id: id.clone(), ..api_v2::GetTraceRequest::default() };
    let (chunks, status) = call::<api_v2::SpansResponseChunk>(&world, "jaeger.api_v2.QueryService/GetTrace", &asked).await;
    let spans: Vec<_> = chunks[0].spans.iter().map(|span| (span.operation_name.as_str(), span.process.as_ref().unwrap().service_name.as_str())).collect();
    assert_eq!((status, spans), (0, vec![("GET /order", "shop"), ("DECR stock", "cart")]));
    assert_eq!(chunks[0].spans[1].references[0].span_id, [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(chunks[0].spans[1].start_time, Some(Timestamp::from_ns(T0 + 2_000_000)));

    let query = api_v2::TraceQueryParameters {
        service_name: "cart".into(),
        tags: [("db.system".into(), "redis".into()), ("error".into(), "true".into())].into(),
        start_time_min: start,
        start_time_max: end,
        ..api_v2::TraceQueryParameters::default()
    };
    let asked = api_v2::FindTracesRequest { query: Some(query) };
    let (chunks, _) = call::<api_v2::SpansResponseChunk>(&world, "jaeger.api_v2.QueryService/FindTraces", &asked).await;
    assert_eq!(chunks.iter().map(|chunk| chunk.spans.len()).sum::<usize>(), 2);

    let query =
        api_v3::TraceQueryParameters { service_name: "shop".into(), start_time_min: start, start_time_max: end, ..api_v3::TraceQueryParameters::default() };
    let asked = api_v3::FindTracesRequest { query: Some(query.clone()) };
    let (traces, _) = call::<TracesData>(&world, "jaeger.api_v3.QueryService/FindTraces", &asked).await;
    assert_eq!(traces[0].resource_spans[1].scope_spans[0].spans[0].name, "DECR stock");
    let (short, _) = call::<api_v3::FindTraceSummariesResponse>(&world, "jaeger.api_v3.QueryService/FindTraceSummaries", &asked).await;
    assert_eq!((short[0].summaries[0].trace_id.as_str(), short[0].summaries[0].span_count), (TRACE, 2));
    let asked = api_v3::GetTraceRequest { trace_id: TRACE.into(), ..api_v3::GetTraceRequest::default() };
    assert_eq!(call::<TracesData>(&world, "jaeger.api_v3.QueryService/GetTrace", &asked).await, (traces, 0));

    // Refusals.
    async fn refused(world: &World, method: &str, message: &impl Message) -> u8 {
        call::<TracesData>(world, method, message).await.1
    }
    let nobody = api_v2::GetTraceRequest { trace_id: vec![9; 16], ..api_v2::GetTraceRequest::default() };
    assert_eq!(refused(&world, "jaeger.api_v2.QueryService/GetTrace", &nobody).await, 5);
    assert_eq!(refused(&world, "jaeger.api_v2.QueryService/GetTrace", &api_v2::GetServicesRequest {}).await, 3);
    assert_eq!(refused(&world, "jaeger.api_v2.QueryService/ArchiveTrace", &nobody).await, 5);
    let known = api_v2::ArchiveTraceRequest { trace_id: hex::decode(TRACE).unwrap(), ..api_v2::ArchiveTraceRequest::default() };
    assert_eq!(refused(&world, "jaeger.api_v2.QueryService/ArchiveTrace", &known).await, 14, "nothing keeps what is archived");
    assert_eq!(refused(&world, "jaeger.api_v3.QueryService/FindTraces", &api_v2::GetServicesRequest {}).await, 3);
    let filter = Some(expression::Call { op: "eq".into(), args: Vec::new() });
    let filtered = api_v3::FindTracesRequest { query: Some(api_v3::TraceQueryParameters { filter, ..query }) };
    assert_eq!(refused(&world, "jaeger.api_v3.QueryService/FindTraces", &filtered).await, 3);
    assert_eq!(refused(&world, "jaeger.api_v2.QueryService/GetDependencies", &api_v2::GetServicesRequest {}).await, 3);
}

/// Operators over the two spans of the world.
#[tokio::test(flavor = "multi_thread")]
async fn filters_are_trees_of_operators() {
    let attr = |key: &str, level: &str| json!({ "attr": { "key": key, "level": level } });
    let field = |level: &str, name: &str| json!({ "field": { "name": name, "level": level } });
    let scalar = |value: &str| json!({ "scalar": { "value": value } });
    let typed = |value: &str, kind: &str| json!({ "scalar": { "value": value, "type": kind } });
    let op = |op: &str, args: Vec<Value>| json!({ "op": op, "args": args });
    let call = |call: Value| json!({ "call": call });
    let eq = |left: Value, right: Value| op("eq", vec![left, right]);
    let status_code = || attr("http.status_code", "");
    let list = |kind: &str, values: Value| json!({ "list": { "values": values, "type": kind } });
    let some = |level: &str, predicate: Value| op("some", vec![json!({ "nested": { "level": level } }), call(predicate)]);
    let cases = [
        (eq(status_code(), scalar("500")), true),
        (eq(scalar("500"), status_code()), true),
        (eq(status_code(), typed("500", "string")), false),
        (eq(attr("http.status_code", "resource"), scalar("500")), false),
        (eq(attr("replicas", ""), scalar("3")), true),
        (op("gt", vec![status_code(), scalar("99")]), true),
        (op("lt", vec![status_code(), scalar("99")]), false),
        // The constant on the left turns the order.
        (op("lt", vec![scalar("99"), status_code()]), true),
        (op("ne", vec![status_code(), scalar("500")]), false),
        (op("ne", vec![status_code(), scalar("200")]), true),
        // What is not there is not other than something.
        (op("ne", vec![attr("nowhere", ""), scalar("x")]), false),
        (op("not", vec![call(eq(attr("nowhere", ""), scalar("x")))]), true),
        (op("exists", vec![attr("db.system", "span")]), true),
        (op("exists", vec![attr("db.system", "resource")]), false),
        (op("in", vec![status_code(), list("int", json!(["404", "500"]))]), true),
        (op("not_in", vec![status_code(), list("int", json!(["404", "500"]))]), false),
        (op("not_in", vec![status_code(), list("int", json!(["404"]))]), true),
        (op("in", vec![field("span", "status"), list("", json!(["error"]))]), true),
        (op("regex", vec![field("span", "name"), scalar("ECR st")]), true),
        (op("regex", vec![field("span", "name"), scalar("ECR$")]), false),
        (op("gte", vec![field("span", "duration"), scalar("250ms")]), true),
        (op("gt", vec![field("span", "duration"), scalar("250ms")]), false),
        (eq(field("span", "kind"), scalar("client")), true),
        (eq(field("resource", "service"), scalar("cart")), true),
        (eq(field("span", "traceID"), scalar(&TRACE.to_uppercase())), true),
        (eq(field("link", "traceID"), scalar("00000000000000000000000000000102")), true),
        (eq(field("scope", "name"), scalar("lib")), true),
        (eq(attr("http.method", ""), attr("replicas", "")), false),
        (op("ne", vec![attr("ratio", "span"), attr("ratio", "resource")]), true),
        // All of it holds for one span.
        (op("and", vec![call(eq(status_code(), scalar("500"))), call(eq(field("resource", "service"), scalar("cart")))]), false),
        (op("or", vec![call(eq(status_code(), scalar("7"))), call(eq(field("resource", "service"), scalar("cart")))]), true),
        (some("event", eq(field("event", "name"), scalar("exception"))), true),
        (some("event", op("gt", vec![field("event", "timeSinceStart"), scalar("50us")])), true),
        (some("link", eq(attr("why", "link"), scalar("batch"))), true),
        (some("link", eq(attr("why", "link"), scalar("other"))), false),
    ];
    let world = World::segments().await;
    let ask = async |filter: &Value, more: &str| {
        let escaped: String = filter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        let range = "query.startTimeMin=2023-11-14T22:00:00Z&query.startTimeMax=2023-11-14T23:00:00Z";
        world.get(&format!("/jaeger/api/v3/traces?query.filter={escaped}&{range}{more}")).await
    };
    for (filter, is_found) in &cases {
        let answer = ask(filter, "").await;
        let refused = filter.to_string().contains("ECR$");
        let want = if refused {
            400
        } else if *is_found {
            200
        } else {
            404
        };
        assert_eq!(answer.status, want, "{filter}: {}", answer.text());
    }
    for (bad, why) in [
        (op("near", vec![]), "unknown filter operator \"near\""),
        (op("eq", vec![scalar("1")]), "has 1 arguments"),
        (op("and", vec![call(eq(status_code(), scalar("1")))]), "has 1 arguments"),
        (op("and", vec![status_code(), status_code()]), "joins calls"),
        (eq(field("span", "size"), scalar("1")), "unknown filter field"),
        (eq(attr("a", "trace"), scalar("1")), "unknown filter level \"trace\""),
        (eq(field("span", "startTime"), scalar("2023-11-14T22:00:00Z")), "unsupported filter: field span.startTime"),
        (eq(field("span", "duration"), scalar("long")), "want a duration"),
        (eq(field("span", "kind"), scalar("SERVER")), "want unspecified, internal, server"),
        (op("gt", vec![field("span", "kind"), scalar("server")]), "no order"),
        (eq(status_code(), typed("x", "int")), "want an integer"),
        (op("in", vec![status_code(), list("", json!(["1"]))]), "wants a type"),
        (
            some("event", op("and", vec![call(eq(field("event", "name"), scalar("a"))), call(eq(attr("b", "event"), scalar("c")))])),
            "several conditions on one event",
        ),
        (some("event", eq(status_code(), scalar("1"))), "anything but the event"),
        (some("span", eq(status_code(), scalar("1"))), "wants event or link"),
        (json!({ "op": "eq", "arguments": [] }), "unknown key \"arguments\""),
        (json!({ "op": "eq", "args": [{}] }), "is one of attr"),
        (json!([]), "no object"),
    ] {
        let answer = ask(&bad, "").await;
        assert!(answer.status == 400 && answer.text().contains(&serde_json::to_string(why).unwrap().trim_matches('"').to_owned()), "{bad}: {}", answer.text());
    }
    let good = eq(status_code(), scalar("500"));
    assert!(ask(&good, "&query.serviceName=shop").await.text().contains("cannot be combined"));
    let many = op("in", vec![status_code(), list("int", json!(vec!["1"; 1_001]))]);
    assert!(ask(&many, "").await.text().contains("more than 1000 parts"));
    let deep = (0..200).fold(eq(status_code(), scalar("1")), |inner, _| op("not", vec![call(inner)]));
    assert_eq!(ask(&deep, "").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_archived() {
    let marks = Arc::new(Marks::default());
    let world = World::archiving(Arc::clone(&marks) as Arc<dyn signalbox_api::jaeger::Archive>).await;
    let post = async |id: &str| world.send(Request::post(format!("/jaeger/api/archive/{id}")).body(Body::empty()).unwrap()).await;
    let answer = post(TRACE).await;
    assert_eq!((answer.status, &answer.json()["data"], &answer.json()["errors"]), (200, &json!([]), &Value::Null));
    assert_eq!((post("77").await.status, post("xyz").await.status), (404, 400));
    let known = api_v2::ArchiveTraceRequest { trace_id: hex::decode(TRACE).unwrap(), ..api_v2::ArchiveTraceRequest::default() };
    assert_eq!(call::<api_v2::ArchiveTraceResponse>(&world, "jaeger.api_v2.QueryService/ArchiveTrace", &known).await.1, 0);
    assert_eq!(marks.0.lock().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), [TRACE, TRACE]);
    let none = World::segments().await;
    let answer = none.send(Request::post(format!("/jaeger/api/archive/{TRACE}")).body(Body::empty()).unwrap()).await;
    assert!(answer.status == 503 && answer.text().contains("archived: true"), "{}", answer.text());
}

/// What was archived.
#[derive(Debug, Default)]
struct Marks(std::sync::Mutex<Vec<TraceId>>);

#[async_trait::async_trait]
impl signalbox_api::jaeger::Archive for Marks {
    async fn archive(&self, _tenant: &signalbox_model::Tenant, trace_id: TraceId) -> signalbox_model::Result<()> {
        self.0.lock().unwrap().push(trace_id);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_service_reads_its_storage() {
    let mut world = World::segments().await;
    world.serve(signalbox_api::jaeger_storage_router);
    let id = hex::decode(TRACE).unwrap();
    let asked = storage_v2::GetTracesRequest {
        query: vec![
            storage_v2::GetTraceParams { trace_id: vec![9; 16], start_time: None, end_time: None },
            storage_v2::GetTraceParams { trace_id: id.clone(), start_time: None, end_time: None },
        ],
    };
    let (traces, status) = call::<TracesData>(&world, "jaeger.storage.v2.TraceReader/GetTraces", &asked).await;
    assert_eq!((status, traces.len(), traces[0].resource_spans[0].scope_spans[0].spans[0].trace_id.clone()), (0, 1, id.clone()));
    let (capabilities, _) =
        call::<storage_v2::GetCapabilitiesResponse>(&world, "jaeger.storage.v2.Capabilities/GetCapabilities", &storage_v2::GetCapabilitiesRequest {}).await;
    let search = capabilities[0].search.as_ref().unwrap();
    assert!(search.without_service_name && search.filter.as_ref().unwrap().operators.contains(&"regex".to_owned()));
    let asked = storage_v2::FindTracesRequest { query: Some(storage_v2::TraceQueryParameters::default()) };
    let (short, _) = call::<storage_v2::FindTraceSummariesResponse>(&world, "jaeger.storage.v2.TraceReader/FindTraceSummaries", &asked).await;
    assert_eq!((short[0].summaries[0].trace_id.clone(), short[0].summaries[0].error_span_count), (id, 1));
    assert_eq!(call::<TracesData>(&world, "jaeger.storage.v2.TraceReader/FindTraces", &asked).await.0, traces);
    assert_eq!(call::<TracesData>(&world, "jaeger.storage.v2.TraceReader/Nothing", &asked).await.1, 12);
}
