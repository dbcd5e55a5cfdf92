//! Rules of `transform` through doors: OTLP, whose records have a road of their own, and lines of real programs.

use std::borrow::Cow;
use std::sync::Arc;

use prost::Message as _;
use signalbox_model::Signal;
use signalbox_proto::otlp::common::v1::{ArrayValue, KeyValueList, any_value::Value};
use signalbox_proto::otlp::logs::v1::LogRecord;
use signalbox_receive::logs::{Assembler, Names, Record};
use signalbox_receive::otlp::{Format, Translation, decode};
use signalbox_receive::transform::{ERROR_ATTRIBUTE, Pipeline, Rule, Transform, Verdict};
use signalbox_receive::{Context, Entry, elastic, json_lines, loki, splunk};
use signalbox_testkit::conformance;

use crate::loki::{EntryAdapter, Instant, Pair, PushRequest, StreamAdapter};
use crate::messages::{any, logs, pair, record, text};
use crate::rows;
use crate::support::{Memory, NOW_NS, context, entry, post};

fn pipeline(steps: &str, door: &str) -> Pipeline {
    let rule: Rule = serde_norway::from_str(&format!("steps:\n{steps}")).unwrap();
    Transform::new(&[rule], "receive.transform").unwrap().pipeline(door).unwrap()
}

fn otlp(steps: &str, records: Vec<LogRecord>) -> Vec<String> {
    let pipeline = pipeline(steps, "otlp_http");
    let context = Context { transform: Some(&pipeline), ..context() };
    rows::lines(&decode(Signal::Logs, Format::Protobuf, &logs(records), &context, &Translation::default()).unwrap().batches)
}

#[test]
fn otlp_records_go_through_the_rules_and_keep_what_rules_do_not_know() {
    let list = any(Value::ArrayValue(ArrayValue { values: vec![any(Value::IntValue(1)), text("a@b.example")] }));
    let map = any(Value::KvlistValue(KeyValueList { values: vec![pair("k", any(Value::IntValue(7)))] }));
    let first = LogRecord {
        attributes: vec![pair("n", any(Value::IntValue(5))), pair("list", list), pair("raw", any(Value::BytesValue(vec![1, 2])))],
        dropped_attributes_count: 3,
        flags: 1,
        observed_time_unix_nano: 9,
        ..record(r#"{"user":"a@b.example","level":"warn"}"#)
    };
    let second = LogRecord { body: Some(map), ..record("") };
    let plain = rows::lines(&decode(Signal::Logs, Format::Protobuf, &logs(vec![second.clone()]), &context(), &Translation::default()).unwrap().batches);
    let lines = otlp("- json:\n  when: {fields: {body: user}}\n- severity:\n  flag_errors: false\n- redact: {detect: [email]}", vec![first, second]);
    assert!(!lines[0].contains("a@b.example") && lines[0].contains("[email]"), "{}", lines[0]);
    for want in ["severity_number=13", "dropped_attributes_count=3", "AQI=", "flags=1"] {
        assert!(lines[0].contains(want), "{want} in {}", lines[0]);
    }
    assert_eq!(lines[1], plain[0], "a record that no step changes stays as it came");
}

#[test]
fn otlp_records_are_dropped_and_moved_to_another_resource_by_rules() {
    let records = vec![record("GET /health"), record("store hello"), record("other")];
    let steps =
        "- drop:\n  when: {fields: {body: /health}}\n- regex: {pattern: '^(?P<service>store) '}\n  flag_errors: false\n- resource: {service: service.name}";
    let lines = otlp(steps, records);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("service=\"store\""), "{}", lines[0]);
    assert!(!lines[1].contains("store"), "the next record has its own resource: {}", lines[1]);
}

#[test]
fn records_of_all_other_doors_go_through_the_rules_as_they_are_assembled() {
    let pipeline = pipeline("- logfmt:\n- drop:\n  when: {fields: {level: debug}}\n- resource: {app: service.name}", "loki");
    let context = Context { transform: Some(&pipeline), ..context() };
    let mut assembler = Assembler::new(&context);
    for body in ["level=debug app=a", "level=info app=a trace_id=4bf92f3577b34da6a3ce929d0e0e4736", "level=info app=b", "level=info app=a"] {
        assembler.push(Record { body: Some(Cow::Borrowed(body)), ..Record::default() });
    }
    let lines = rows::lines(&assembler.finish().batches);
    assert_eq!(lines.len(), 3);
    for (line, service) in lines.iter().zip(["a", "b", "a"]) {
        assert!(line.contains(&format!("service=\"{service}\"")), "{line}");
    }
    assert!(lines[0].contains("trace_id=4bf92f3577b34da6a3ce929d0e0e4736"), "{}", lines[0]);
}

const SECRET: &str = "ann@example.org";

/// A push of Loki with the secret in a line and in structured metadata.
fn push() -> Vec<u8> {
    let entry = EntryAdapter {
        timestamp: Some(Instant { seconds: NOW_NS / 1_000_000_000, nanos: 0 }),
        line: format!("ERROR login of {SECRET} failed").into_bytes(),
        metadata: vec![Pair { name: "user".into(), value: SECRET.into() }],
    };
    PushRequest { streams: vec![StreamAdapter { labels: r#"{app="shop"}"#.into(), entries: vec![entry] }] }.encode_to_vec()
}

/// Sends a request with the secret in the body and in an attribute, with a rule that redacts at one door.
async fn sent(door: &str, ruled: &str) -> Vec<String> {
    let rule: Rule = serde_norway::from_str(&format!("match: {{doors: [{ruled}]}}\nsteps: [{{redact: {{detect: [email]}}}}]")).unwrap();
    let sink = Arc::new(Memory::default());
    let entry = Entry { transform: Transform::new(&[rule], "receive.transform").unwrap(), ..entry(&sink) };
    let message = format!("ERROR login of {SECRET} failed");
    let document = format!(r#"{{"msg":"{message}","user":"{SECRET}","service":"shop","deep":{{"list":[1,"{SECRET}"]}}}}"#);
    let (json, snappy) = (("content-type", "application/json"), snap::raw::Encoder::new().compress_vec(&push()).unwrap());
    let answer = match door {
        "loki" => {
            let router = loki::routes(entry, loki::Settings::default());
            assert!(post(&router, "/loki/api/v1/push", &[("content-type", "application/x-protobuf")], snappy).await.status.is_success());
            let body = format!(r#"{{"streams":[{{"stream":{{"app":"shop"}},"values":[["{NOW_NS}","{message}",{{"user":"{SECRET}"}}]]}}]}}"#);
            post(&router, "/loki/api/v1/push", &[json], body).await
        }
        "elastic" => {
            let router = elastic::routes(entry, elastic::Settings::default());
            assert!(post(&router, "/shop/_doc/7", &[json], document.clone()).await.status.is_success());
            post(&router, "/_bulk", &[json], format!("{{\"index\":{{\"_index\":\"shop\"}}}}\n{document}\n")).await
        }
        "json_lines" => {
            let router = json_lines::routes(entry, json_lines::Settings::default());
            assert!(post(&router, "/insert/jsonline", &[], document.clone()).await.status.is_success());
            post(&router, "/api/v1/logs/json", &[json], format!("[{document}]")).await
        }
        "splunk" => {
            let router = splunk::routes(entry, splunk::Settings::default());
            assert!(post(&router, "/services/collector/raw", &[], message.clone()).await.status.is_success());
            let fields = format!(r#"{{"event":"{message}","fields":{{"user":"{SECRET}"}}}}{{"event":{document}}}"#);
            post(&router, "/services/collector", &[json], fields).await
        }
        other => panic!("no door {other}"),
    };
    assert!(answer.status.is_success(), "{door}: {}", String::from_utf8_lossy(&answer.body));
    rows::lines(&sink.batches())
}

#[tokio::test]
async fn a_secret_is_redacted_at_the_door_that_a_rule_names_and_nothing_else_changes() {
    for (door, other, records) in [("loki", "splunk", 2), ("elastic", "loki", 2), ("json_lines", "elastic", 2), ("splunk", "json_lines", 3)] {
        let (redacted, plain) = (sent(door, door).await, sent(door, other).await);
        assert_eq!((redacted.len(), plain.len()), (records, records), "{door}");
        for (redacted, plain) in redacted.iter().zip(&plain) {
            assert!(plain.contains(&format!("login of {SECRET} failed")), "{door}: {plain}");
            assert!(!redacted.contains(SECRET), "{door}: {redacted}");
            // The same row, down to the order of attributes, their types, resource, scope and severity.
            assert_eq!(*redacted, plain.replace(SECRET, "[email]"), "{door}");
        }
    }
}

#[test]
fn scopes_of_documents_survive_rules() {
    let pipeline = pipeline("- redact: {detect: [email]}", "elastic");
    let body = "{\"create\":{}}\n{\"log\":\"a@b.example\",\"level\":\"warn\"}\n{\"create\":{}}\n{\"message\":\"x\"}\n{\"create\":{}}\n{\"msg\":\"y\"}\n";
    let indices = elastic::Indices { patterns: vec!["*".into()], ..elastic::Indices::default() };
    let decode = |transform| {
        let context = Context { transform, ..context() };
        rows::lines(&elastic::decode(body.as_bytes(), &context, &elastic::Sent::Bulk { index: Some("i".into()) }, &indices, 0).0.batches)
    };
    let (with, without) = (decode(Some(&pipeline)), decode(None));
    assert!(with[0].contains(r#"scope="{\"elastic.message\":\"log\",\"elastic.log.level\":\"level\"}""#), "{}", with[0]);
    assert!(with[1].contains(r#"scope="{}""#) && with[2].contains(r#"scope="{\"elastic.message\":\"msg\"}""#), "{with:?}");
    let expected: Vec<_> = without.iter().map(|row| row.replace("a@b.example", "[email]")).collect();
    assert_eq!(with, expected);
}

#[test]
fn typed_fields_of_documents_are_the_same_behind_rules() {
    let pipeline = pipeline("- redact: {detect: [email]}", "json_lines");
    let body = r#"{"@timestamp":"2023-11-14T22:13:20.5Z","message":"m","log":{"level":"WARN"},"trace_id":"0af7651916cd43dd8448eb211c80319c","span.id":"b7ad6b7169203331","service":{"name":"shop","version":"1.2"},"n":7,"f":1.50,"e":1e3,"big":18446744073709551616,"t":true,"z":null,"list":[1,{"a":"b"}],"none":{}}
{"msg":"traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","host":"n1"}"#;
    let decode = |transform| {
        let context = Context { transform, ..context() };
        rows::lines(&json_lines::decode(body.as_bytes(), &context, &Names::default()).0.batches)
    };
    assert_eq!(decode(Some(&pipeline)), decode(None));
}

/// Runs steps over all lines of a file of the corpus; gives the lines that were flagged, and the attributes of the first.
fn over(file: &str, steps: &str, is_line: fn(&str) -> bool) -> Option<(usize, Vec<String>, Vec<String>)> {
    let content = conformance::read(&format!("realworld/{file}"))?;
    let pipeline = pipeline(steps, "files");
    let (mut lines, mut flagged, mut first) = (0, Vec::new(), Vec::new());
    for line in content.lines().filter(|line| is_line(line)) {
        let mut record = Record { body: Some(Cow::Borrowed(line)), ..Record::default() };
        assert_eq!(pipeline.apply(&mut record, NOW_NS), Verdict::Keep);
        if record.attributes.iter().any(|(name, _)| name == ERROR_ATTRIBUTE) {
            flagged.push(line.to_owned());
        }
        if lines == 0 {
            first = record.attributes.iter().map(|(name, value)| format!("{name}={}", value.to_text())).collect();
            first.push(format!("time={}", record.timestamp_ns.unwrap_or_default()));
        }
        lines += 1;
    }
    Some((lines, flagged, first))
}

#[test]
fn grok_reads_three_thousand_lines_of_a_real_web_server() {
    let steps = "- grok: {patterns: ['^%{COMBINEDAPACHELOG}$']}\n- timestamp: {from: timestamp}";
    let Some((lines, flagged, first)) = over("access-logs/apache_combined_3000.log", steps, |_| true) else { return };
    assert_eq!((lines, flagged), (3000, Vec::<String>::new()));
    for want in ["clientip=83.149.9.216", "verb=GET", "response=200", "bytes=203023", "time=1431857103000000000"] {
        assert!(first.iter().any(|found| found == want), "{want} in {first:?}");
    }
}

#[test]
fn grok_reads_lines_of_real_programs() {
    let starts_with_digit = |line: &str| line.starts_with(|character: char| character.is_ascii_digit());
    for (program, steps, is_line, wants) in [
        (
            "nginx-error",
            "- grok: {patterns: ['^%{NGINXERROR}']}\n- severity: {from: loglevel}",
            starts_with_digit as fn(&str) -> bool,
            &["loglevel=error", "pid=29060", "connection=2191"][..],
        ),
        (
            "tomcat-system",
            r"- grok: {patterns: ['^%{MONTHDAY}-%{MONTH}-%{YEAR} %{TIME:time} %{LOGLEVEL:level} \[%{DATA:thread}\] %{JAVACLASS:source} %{GREEDYDATA:message}']}",
            |line| line.starts_with("21-Jul"),
            &["level=INFO", "thread=main", "source=org.apache.catalina.startup.VersionLoggerListener"],
        ),
        (
            "redis",
            r"- grok: {patterns: ['^\[?%{POSINT:pid:int}:%{WORD:role}\]? %{REDISTIMESTAMP:time} (?<mark>[*#.-]) %{GREEDYDATA:message}']}",
            |line| line.starts_with("[1:"),
            &["pid=1", "role=C", "mark=*"],
        ),
        (
            "zookeeper_general",
            r"- grok: {patterns: ['^%{TIMESTAMP_ISO8601:time} \[myid:%{INT:id:int}\] - %{LOGLEVEL:level} +\[%{DATA:thread}\] - %{GREEDYDATA:message}']}\n- timestamp: {from: time}",
            |line| line.contains("[myid:1]"),
            &["id=1", "level=INFO"],
        ),
        ("mongodb", "- grok: {patterns: ['^%{MONGO3_LOG}']}", |line| line.starts_with("2014"), &["severity=I", "component=NETWORK", "context=initandlisten"]),
    ] {
        let steps = steps.replace("\\n-", "\n-");
        let Some((lines, flagged, first)) = over(&format!("ops-agent-logs/logging_processor-{program}/input.log"), &steps, is_line) else { return };
        assert!(lines > 0, "{program}: no lines");
        assert!(flagged.is_empty(), "{program}: {} of {lines}: {flagged:#?}", flagged.len());
        for want in wants {
            assert!(first.iter().any(|found| found == want), "{program}: {want} in {first:?}");
        }
    }
}
