//! Logs as JSON: fields of every kind, chosen names, lines that are none.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use signalbox_receive::json_lines::{self, Report, decode};
use signalbox_receive::logs::Names;
use signalbox_receive::{Context, Decoded};

use crate::rows::lines;
use crate::support::{Memory, NOW_NS, context, entry, post};

fn read(body: &str, names: &Names) -> (Vec<String>, Report) {
    let (Decoded { batches, .. }, report) = decode(body.as_bytes(), &context(), names);
    (lines(&batches), report)
}

#[test]
fn usual_names_are_found_and_the_rest_are_typed_attributes() {
    let line = r#"{"@timestamp":"2023-11-14T22:13:20.000000007Z","message":"hi \"you\"","log":{"level":"WARN","file":{"path":"/a"}},"trace_id":"0af7651916cd43dd8448eb211c80319c","span.id":"b7ad6b7169203331","service":{"name":"shop","version":"1.2"},"host":{"name":"n1"},"n":7,"f":1.50,"e":1e3,"big":18446744073709551616,"t":true,"z":null,"list":[1,{"a":"b"}],"none":{},"a b":{"c.d":"x"}}"#;
    let (rows, report) = read(line, &Names::default());
    assert_eq!(
        rows,
        [format!(
            "timestamp={} service=\"shop\" severity_number=13 severity_text=\"WARN\" body=\"hi \\\"you\\\"\" \
             trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 \
             resource=\"{{\\\"service.name\\\":\\\"shop\\\",\\\"service.version\\\":\\\"1.2\\\",\\\"host.name\\\":\\\"n1\\\"}}\" scope=\"{{}}\" \
             attributes={{log.file.path=\"/a\", n=\"7\", f=\"1.5\", e=\"1000.0\", big=\"1.8446744073709552e19\", t=\"true\", z=\"\", \
             list=\"[1,{{\\\"a\\\":\\\"b\\\"}}]\", none=\"{{}}\", a b.c.d=\"x\"}} attribute_types=\"sidddbnams\"",
            NOW_NS + 7
        )]
    );
    assert_eq!((report.taken, report.refused), (1, 0));
}

#[test]
fn the_best_of_several_fields_wins_and_the_others_stay() {
    let (rows, _) = read(r#"{"msg":"b","time":1700000001,"message":"a","ts":"1700000002","severity":"info","level":"error"}"#, &Names::default());
    assert!(rows[0].starts_with("timestamp=1700000001000000000 "), "{rows:?}");
    assert!(rows[0].contains("severity_text=\"error\" body=\"a\""), "{rows:?}");
    assert!(rows[0].contains("attributes={msg=\"b\", ts=\"1700000002\", severity=\"info\"}"), "{rows:?}");
    // No field of a level: the body may have one. A number is a level of bunyan.
    assert!(read(r#"{"msg":"an ERROR of mine"}"#, &Names::default()).0[0].contains("severity_number=17 severity_text=\"ERROR\""));
    assert!(read(r#"{"msg":"x","level":40}"#, &Names::default()).0[0].contains("severity_number=13 severity_text=\"40\""));
}

#[test]
fn a_time_that_was_guessed_may_be_none_and_one_that_was_named_may_not() {
    let (rows, report) = read("{\"time\":\"noon\",\"msg\":\"x\"}\n{\"@timestamp\":\"noon\"}\n{\"time\":\"\"}\n{\"time\":0}", &Names::default());
    assert_eq!(rows.len(), 3);
    assert!(rows[0].starts_with(&format!("timestamp={NOW_NS} service")) || rows[0].contains("attributes={time=\"noon\"}"), "{rows:?}");
    assert_eq!(report.faults[0].reason, "cannot read the time \"noon\"");
    let named = Names { timestamp: vec!["at".into()], ..Names::default() };
    let (rows, report) = read("{\"at\":\"noon\"}\n{\"at\":5,\"time\":\"noon\"}", &named);
    assert_eq!((rows.len(), report.faults[0].line), (1, 1));
    assert!(rows[0].starts_with("timestamp=5000000000 ") && rows[0].contains("{time=\"noon\"}"), "{rows:?}");
}

#[test]
fn each_record_has_the_resource_of_its_own_sender() {
    let senders = [
        (r#"{"host":"1"}"#, r#"{\"host\":\"1\"}"#, ""),
        (r#"{"host":1}"#, r#"{\"host\":1}"#, ""),
        (r#"{"hostname":"1"}"#, r#"{\"hostname\":\"1\"}"#, ""),
        (r#"{"host":"1","service":""}"#, r#"{\"service.name\":\"\",\"host\":\"1\"}"#, ""),
        (r#"{"host":"1","service":"a"}"#, r#"{\"service.name\":\"a\",\"host\":\"1\"}"#, "service=\"a\" "),
        (r#"{"host":"1","k8s.pod.name":"p\u0041"}"#, r#"{\"host\":\"1\",\"k8s.pod.name\":\"pA\"}"#, ""),
        (r#"{"msg":"nobody"}"#, "{}", ""),
    ];
    // Each behind itself, and behind each of the others.
    for (one, resource, service) in senders {
        for (other, _, _) in senders {
            let (rows, _) = read(&[one, one, other, one].join("\n"), &Names::default());
            for row in [&rows[0], &rows[1], &rows[3]] {
                assert!(row.contains(&format!("resource=\"{resource}\" ")) && row.contains(service), "{one} behind {other}: {row}");
                assert_eq!(row.contains("service=\""), !service.is_empty(), "{row}");
            }
        }
    }
}

#[test]
fn senders_choose_names() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let names = Names {
        body: list(&["text"]),
        severity: list(&["how.bad"]),
        resource: list(&["stream", "pod"]),
        ignored: list(&["secret"]),
        extra: vec![("zone".into(), "a".into())],
        ..Names::default()
    };
    let (rows, _) = read(r#"{"message":"m","text":"t","how":{"bad":"fatal"},"stream":"stderr","pod":"p","secret":"s","level":"info"}"#, &names);
    assert!(rows[0].contains("severity_number=21 severity_text=\"fatal\" body=\"t\""), "{rows:?}");
    assert!(rows[0].contains(r#"resource="{\"zone\":\"a\",\"stream\":\"stderr\",\"pod\":\"p\"}""#), "{rows:?}");
    assert!(rows[0].contains("attributes={message=\"m\", level=\"info\"}"), "{rows:?}");
}

#[test]
fn lines_that_are_no_object_are_told_and_the_others_are_kept() {
    let body = "{\"msg\":\"1\"}\r\n\n not json\n[1]\n{\"msg\":\"2\"} x\n{\"msg\":\"3\"\n{\"msg\":\"4\"}";
    let (rows, report) = read(body, &Names::default());
    assert_eq!((rows.len(), report.taken, report.refused), (2, 2, 4));
    let told: Vec<_> = report.faults.iter().map(|fault| (fault.line, fault.reason.as_str())).collect();
    assert_eq!(
        told,
        [
            (3, "want a JSON value at byte 2"),
            (4, "want a JSON object at byte 1"),
            (5, "want the end of the line at byte 13"),
            (6, "want a comma or the end of the object at byte 11"),
        ]
    );
    assert_eq!(read("", &Names::default()).1, Report::default());
}

#[test]
fn an_array_is_read_as_far_as_it_goes() {
    let (rows, report) = read("\u{feff} [ {\"msg\":\"1\"}, 7, {\"msg\":\"2\"}\n] ", &Names::default());
    assert_eq!((rows.len(), report.refused, report.faults[0].line), (2, 1, 2));
    let (rows, report) = read("[{\"msg\":\"1\"},{\"msg\":}, {\"msg\":\"3\"}]", &Names::default());
    assert_eq!((rows.len(), report.refused), (1, 1));
    for (body, taken) in [("[]", 0), ("[", 0), ("[{}", 1), ("[{}]]", 1), ("[{},]", 1)] {
        let (rows, report) = read(body, &Names::default());
        assert_eq!((rows.len(), report.refused), (taken, u64::from(body != "[]")), "{body}");
    }
}

#[test]
fn nesting_and_bytes_that_are_no_text_cost_their_own_record_at_most() {
    let shallow = Context { attribute_depth_max: 2, ..context() };
    let (decoded, report) = decode(b"[{\"a\":[[[1]]]},{\"a\":[[1]]}]", &shallow, &Names::default());
    assert_eq!((lines(&decoded.batches).len(), report.faults[0].reason.as_str()), (1, "an attribute is nested deeper than 2"));
    let deep = format!("{}1{}\n{{}}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let (rows, report) = read(&deep, &Names::default());
    assert_eq!((rows.len(), report.faults[0].reason.contains("nested too deep")), (1, true));
    let (decoded, _) = decode(b"{\"msg\":\"caf\xe9\"}", &context(), &Names::default());
    assert!(lines(&decoded.batches)[0].contains("caf\u{fffd}"));
}

#[tokio::test]
async fn the_answer_says_how_many_and_why() {
    let sink = Arc::new(Memory::default());
    let router = json_lines::routes(entry(&sink), json_lines::Settings::default());
    let send = async |path: &str, body: &str| {
        let answer = post(&router, path, &[], body.to_owned()).await;
        (answer.status.as_u16(), serde_json::from_slice::<Json>(&answer.body).unwrap())
    };
    assert_eq!(send("/api/v1/logs/json", "{\"msg\":\"1\"}\n").await, (200, json!({"accepted": 1, "rejected": 0, "errors": []})));
    let partial = json!({"accepted": 1, "rejected": 1, "errors": [{"line": 2, "reason": "want a JSON value at byte 1"}]});
    assert_eq!(send("/insert/jsonline?_stream_fields=host&_msg_field=log&_time_field=date", "{\"log\":\"1\",\"date\":1700000000}\nx\n").await, (200, partial));
    assert!(lines(&sink.batches())[1].contains("body=\"1\""));
    let none = json!({"accepted": 0, "rejected": 1, "errors": [{"line": 1, "reason": "want a JSON value at byte 1"}]});
    assert_eq!(send("/api/v1/logs/json", "x").await, (400, none));
    assert_eq!(send("/api/v1/logs/json?extra_fields=a", "{}").await.0, 400);
    let many = format!("/api/v1/logs/json?ignore_fields={}", "a,".repeat(100));
    assert_eq!(send(&many, "{}").await.0, 400);
    sink.reject.lock().push(signalbox_model::Rejected { rows: 1, reason: "too_old", message: "older than the server accepts".into() });
    let old = json!({"accepted": 1, "rejected": 1, "errors": [{"records": 1, "reason": "older than the server accepts"}]});
    assert_eq!(send("/api/v1/logs/json", "{}\n{}").await, (200, old));
    *sink.refuse.lock() = Some((signalbox_model::ErrorKind::Unavailable, None));
    assert_eq!(send("/api/v1/logs/json", "{}").await.0, 503);
}
