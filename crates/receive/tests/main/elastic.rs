//! Elasticsearch's way in: the cases of Quickwit, Fluent Bit and Elastic, fields of documents, handshakes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use serde_json::{Value as Json, json};
use signalbox_model::{Rejected, TimeRange};
use signalbox_receive::Context;
use signalbox_receive::elastic::{self, Indices, Sent, decode};
use signalbox_testkit::conformance;

use crate::rows::lines;
use crate::support::{Answer, Memory, NOW_NS, context, entry, post, send};

fn door(sink: &Arc<Memory>) -> Router {
    elastic::routes(entry(sink), elastic::Settings::default())
}

async fn told(router: &Router, path: &str, body: &str) -> (u16, Json) {
    let answer = post(router, path, &[("content-type", "application/x-ndjson")], body.to_owned()).await;
    assert_eq!(answer.header("x-elastic-product"), "Elasticsearch");
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap())
}

async fn ask(router: &Router, method: &str, path: &str) -> Answer {
    send(router, Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
}

fn everything() -> Indices {
    Indices { patterns: vec!["*".into()], ..Indices::default() }
}

#[test]
fn documents_become_records_that_can_be_given_back() {
    let body = "{\"index\":{\"_index\":\"shop\",\"_id\":\"7\"}}\n\
        {\"@timestamp\":\"2023-11-14T22:13:20Z\",\"message\":\"hi\",\"log\":{\"level\":\"info\"},\"service\":{\"name\":\"s\"},\"kubernetes\":{\"pod\":{\"name\":\"p\"}},\"tags\":[\"a\"]}\n\
        {\"create\":{}}\r\n{\"time\":1700000000,\"log\":\"two\",\"level\":\"error\",\"traceId\":\"0af7651916cd43dd8448eb211c80319c\"}\r\n";
    let (decoded, report) = decode(body.as_bytes(), &context(), &Sent::Bulk { index: Some("other".into()) }, &everything(), 0);
    let rows = lines(&decoded.batches);
    assert_eq!(
        rows,
        [
            format!(
                "timestamp={NOW_NS} service=\"s\" severity_number=9 severity_text=\"info\" body=\"hi\" \
                 resource=\"{{\\\"service.name\\\":\\\"s\\\",\\\"kubernetes.pod.name\\\":\\\"p\\\"}}\" scope=\"{{}}\" \
                 attributes={{tags=\"[\\\"a\\\"]\", _index=\"shop\", _id=\"7\"}} attribute_types=\"ass\""
            ),
            format!(
                "timestamp={NOW_NS} severity_number=17 severity_text=\"error\" body=\"two\" trace_id=0af7651916cd43dd8448eb211c80319c \
                 resource=\"{{}}\" scope=\"{{\\\"elastic.@timestamp\\\":\\\"time\\\",\\\"elastic.message\\\":\\\"log\\\",\\\"elastic.log.level\\\":\\\"level\\\",\\\"elastic.trace.id\\\":\\\"traceId\\\"}}\" \
                 attributes={{_index=\"other\"}}"
            ),
        ]
    );
    assert_eq!((report.items[0].id.as_str(), report.items[1].id.len()), ("7", 20));
}

#[test]
fn each_item_is_judged_alone() {
    let near = Context { accepted_time: TimeRange::from_ns(NOW_NS - 1_000_000_000, NOW_NS), ..context() };
    let body = "{\"index\":{\"_id\":1}}\n{\"message\":\"good\"}\n{\"index\":{}}\n{\"message\":\n{\"delete\":{\"_id\":\"x\"}}\n{\"update\":{\"_id\":\"y\"}}\n{\"doc\":{}}\n\
        {\"index\":{}}\n{\"@timestamp\":\"2001-01-01\"}\n{\"index\":{}}\n[1]\n{\"index\":{}}\n{\"@timestamp\":\"never\"}\n{\"index\":{}}\n";
    let (decoded, report) = decode(body.as_bytes(), &near, &Sent::Bulk { index: Some("i".into()) }, &everything(), 0);
    assert_eq!(lines(&decoded.batches).len(), 1);
    let faults: Vec<_> = report.items.iter().map(|item| item.fault.as_ref().map_or((201, ""), |fault| (fault.status, fault.reason.as_str()))).collect();
    assert_eq!(
        faults,
        [
            (201, ""),
            (400, "failed to parse: the JSON ends early at byte 12"),
            (400, "cannot delete document [x] of [i]: records are kept as they came, only [index] and [create] are taken"),
            (400, "cannot update document [y] of [i]: records are kept as they came, only [index] and [create] are taken"),
            (400, "failed to parse: the time is too old"),
            (400, "failed to parse: want a JSON object at byte 2"),
            (400, "failed to parse: cannot read the time \"never\""),
            (400, "failed to parse: the JSON ends early at byte 1"),
        ]
    );
}

#[tokio::test]
async fn a_request_that_is_none_is_refused_as_a_whole() {
    let sink = Arc::new(Memory::default());
    let router = door(&sink);
    for (body, kind, reason) in [
        ("", "parse_exception", "request body is required"),
        (
            "{\"del\":{}}\n",
            "illegal_argument_exception",
            "Malformed action/metadata line [1], expected field [create], [delete], [index] or [update] but found [del]",
        ),
        ("{\"index\":{\"_index\":\"a\"}}\n{}\n{\"index\":7}\n{}\n", "illegal_argument_exception", "Malformed action/metadata line [3], expected START_OBJECT"),
        ("x\n", "illegal_argument_exception", "Malformed action/metadata line [1], expected an action but want a JSON value at byte 1"),
        ("{\"index\":{}}\n{}\n{\"create\":{}}\n{}\n", "action_request_validation_exception", "Validation Failed: 1: index is missing;2: index is missing;"),
    ] {
        let (status, answer) = told(&router, "/_bulk", body).await;
        assert_eq!(
            (status, &answer["error"]["type"], &answer["error"]["reason"], &answer["status"]),
            (400, &json!(kind), &json!(reason), &json!(400)),
            "{body}"
        );
    }
    assert_eq!(sink.rows(), 0);
    *sink.refuse.lock() = Some((signalbox_model::ErrorKind::Limit, None));
    let (status, answer) = told(&router, "/x/_bulk/", "{\"index\":{}}\n{}\n").await;
    assert_eq!((status, &answer["error"]["type"]), (429, &json!("es_rejected_execution_exception")));
}

#[tokio::test]
async fn single_documents_and_filters_of_the_answer() {
    let sink = Arc::new(Memory::default());
    let router = door(&sink);
    let (status, answer) = told(&router, "/shop/_doc", "{\"message\":\"x\"}").await;
    assert_eq!((status, &answer["result"], &answer["_index"]), (201, &json!("created"), &json!("shop")));
    let (status, answer) = told(&router, "/shop/_create/7/", "{\n \"message\": \"y\"\n}").await;
    assert_eq!((status, &answer["_id"]), (201, &json!("7")));
    let (status, answer) = told(&router, "/shop/_doc/8", "no").await;
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("document_parsing_exception")));
    let body = "{\"index\":{\"_id\":\"1\"}}\n{}\n{\"delete\":{\"_id\":\"2\"}}\n";
    let (_, answer) = told(&router, "/shop/_bulk?filter_path=errors,items.*.error.type,items.*.status", body).await;
    let refused = json!({"delete": {"status": 400, "error": {"type": "illegal_argument_exception"}}});
    assert_eq!(answer, json!({"errors": true, "items": [{"index": {"status": 201}}, refused]}));
    let (_, answer) = told(&router, "/shop/_bulk?filter_path=items.*.error", "{\"index\":{}}\n{}\n").await;
    assert_eq!(answer, json!({}));
    let (_, answer) = told(&router, "/shop/_bulk?filter_path=**._id", body).await;
    assert_eq!(answer, json!({"items": [{"index": {"_id": "1"}}, {"delete": {"_id": "2"}}]}));
    assert_eq!(sink.rows(), 5);
    // Admission refuses by size and does not say which.
    sink.reject.lock().push(Rejected { rows: 1, reason: "body_too_long", message: "too long".into() });
    let (status, answer) = told(&router, "/shop/_bulk", "{\"index\":{}}\n{\"a\":\"long, long\"}\n{\"index\":{}}\n{}\n").await;
    assert_eq!((status, &answer["errors"]), (200, &json!(true)));
    assert_eq!((&answer["items"][0]["index"]["error"]["reason"], &answer["items"][1]["index"]["status"]), (&json!("too long"), &json!(201)));
}

#[tokio::test]
async fn clients_find_what_they_look_for_before_they_send() {
    let router = door(&Arc::new(Memory::default()));
    let json_of = |answer: &Answer| serde_json::from_slice::<Json>(&answer.body).unwrap();
    assert_eq!(json_of(&ask(&router, "GET", "/").await)["version"]["number"], "8.19.0");
    for (method, path, status) in [
        ("HEAD", "/", 200),
        ("GET", "/_license", 200),
        ("GET", "/_xpack/", 200),
        ("GET", "/_nodes/_all/http", 200),
        ("GET", "/_nodes", 200),
        ("GET", "/_cluster/health?wait_for_status=yellow", 200),
        ("GET", "/_ilm/policy", 200),
        ("GET", "/_ilm/policy/filebeat", 404),
        ("PUT", "/_ilm/policy/filebeat", 200),
        ("HEAD", "/_index_template/filebeat-8", 404),
        ("PUT", "/_index_template/filebeat-8/", 200),
        ("PUT", "/_component_template/x", 200),
        ("PUT", "/_template/x", 200),
        ("PUT", "/_ingest/pipeline/x", 200),
        ("PUT", "/_data_stream/x", 200),
        ("GET", "/_data_stream/x", 404),
        ("POST", "/x/_refresh", 200),
        ("PUT", "/_cluster/settings", 200),
        ("HEAD", "/made", 404),
        ("PUT", "/made", 200),
        ("HEAD", "/made", 200),
        ("PUT", "/made", 400),
    ] {
        let answer = ask(&router, method, path).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-elastic-product")), (status, "Elasticsearch"), "{method} {path}");
    }
    assert_eq!(json_of(&ask(&router, "GET", "/_cluster/health").await)["status"], "green");
}

/// Whether an answer has what a case expects: members that are named, `$expect` for the start of a text.
fn fits(found: &Json, expected: &Json) -> bool {
    match expected {
        Json::Object(members) => members.iter().all(|(name, value)| match (name.as_str(), value) {
            ("$expect", Json::String(expression)) => {
                let start = expression.strip_prefix("val.startswith('").and_then(|rest| rest.strip_suffix("')")).unwrap();
                found.as_str().is_some_and(|text| text.starts_with(start))
            }
            _ => fits(&found[name], value),
        }),
        Json::Array(items) => {
            found.as_array().is_some_and(|found| found.len() == items.len() && found.iter().zip(items).all(|(found, item)| fits(found, item)))
        }
        other => found == other,
    }
}

#[tokio::test]
async fn every_case_of_quickwit_is_answered_as_elasticsearch_answers() {
    let Some(root) = conformance::root() else { return };
    let folder = root.join("logs/elasticsearch-bulk/quickwit");
    let settings = elastic::Settings { auto_create_index: vec!["test-index-pattern-*".into()], ..elastic::Settings::default() };
    let mut cases = 0;
    for name in ["0001-happy-path", "0002-malformed-action", "0003-validation-failed-index-missing", "0004-put-request", "0006-partial-index-not-found"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        let case: Json = serde_norway::from_str(&text).unwrap();
        let sink = Arc::new(Memory::default());
        let router = elastic::routes(entry(&sink), settings.clone());
        assert_eq!(ask(&router, "PUT", "/test-index").await.status, 200);
        let body: String = case["ndjson"].as_array().unwrap().iter().map(|line| format!("{line}\n")).collect();
        let method = case["method"].as_str().unwrap_or("POST");
        let answer = send(&router, Request::builder().method(method).uri("/_bulk").body(Body::from(body)).unwrap()).await;
        let found: Json = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(u64::from(answer.status.as_u16()), case["status_code"].as_u64().unwrap(), "{name}: {found}");
        assert!(fits(&found, &case["expected"]), "{name}: {found} is not {}", case["expected"]);
        cases += 1;
    }
    assert_eq!(cases, 5);
}

#[tokio::test]
async fn bodies_of_elastic_and_fluent_bit_are_understood() {
    let Some(root) = conformance::root() else { return };
    let folder = root.join("logs/elasticsearch-bulk");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let example = |number: u32| {
        let text = read(&format!("elastic-specification/request/BulkRequestExample{number}.yaml"));
        serde_norway::from_str::<Json>(&text).unwrap()["value"].as_str().unwrap().to_owned()
    };
    for (what, body, statuses) in [
        ("example 1", example(1), &[201, 400, 201, 400][..]),
        ("example 2", example(2), &[400; 5]),
        ("example 3", example(3), &[400, 400, 201]),
        ("example 4", example(4), &[201, 201]),
        ("create", read("fluent-bit/create_index.json"), &[201]),
        ("several", read("fluent-bit/create_multiple_documents.json"), &[201; 4]),
        ("delete", read("fluent-bit/update_multiple_documents.json"), &[400]),
        ("update", read("fluent-bit/delete_multiple_documents.json"), &[400]),
    ] {
        let sink = Arc::new(Memory::default());
        let (status, answer) = told(&door(&sink), "/_bulk", &body).await;
        assert_eq!(status, 200, "{what}: {answer}");
        let found: Vec<u64> =
            answer["items"].as_array().unwrap().iter().map(|item| item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap()).collect();
        assert_eq!(found, statuses, "{what}");
        assert_eq!(sink.rows(), statuses.iter().filter(|status| **status == 201).count(), "{what}");
    }
    // The test of the official clients.
    let case: Vec<Json> = serde_norway::Deserializer::from_str(&read("elastic-clients-tests/10_basic.yml"))
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    let steps = &case.iter().find_map(|document| document.get("Basic bulk operation")).unwrap()[0]["do"]["bulk"]["body"];
    let body: String = steps.as_array().unwrap().iter().map(|line| format!("{line}\n")).collect();
    let sink = Arc::new(Memory::default());
    let (status, answer) = told(&door(&sink), "/_bulk?refresh=true", &body).await;
    assert_eq!((status, &answer["errors"], sink.rows()), (200, &json!(false), 2));
}
