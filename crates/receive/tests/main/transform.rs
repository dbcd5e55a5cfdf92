//! Rules of `transform` through doors: OTLP, whose records have a road of their own, and lines of real programs.

use std::borrow::Cow;

use signalbox_model::Signal;
use signalbox_proto::otlp::common::v1::{ArrayValue, KeyValueList, any_value::Value};
use signalbox_proto::otlp::logs::v1::LogRecord;
use signalbox_receive::Context;
use signalbox_receive::logs::{Assembler, Record};
use signalbox_receive::otlp::{Format, Translation, decode};
use signalbox_receive::transform::{ERROR_ATTRIBUTE, Pipeline, Rule, Transform, Verdict};
use signalbox_testkit::conformance;

use crate::messages::{any, logs, pair, record, text};
use crate::rows;
use crate::support::{NOW_NS, context};

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
