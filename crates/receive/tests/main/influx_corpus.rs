//! The grammar of the line protocol by InfluxData's corpus: each text is a list of points or refused.

use base64::Engine as _;
use serde_json::Value as Json;
use signalbox_receive::influx::Precision;
use signalbox_receive::influx::line::{Lines, Value, key_text, text_of_value};
use signalbox_testkit::conformance;

/// A point, its time in milliseconds.
#[derive(Debug, PartialEq)]
struct Point {
    measurement: String,
    tags: Vec<(String, String)>,
    fields: Vec<(String, String)>,
    time_ms: i64,
}

/// All points of a text, or line and column of the first mistake.
fn points(text: &[u8], default_ms: i64, precision: Precision) -> Result<Vec<Point>, (u64, usize)> {
    let mut lines = Lines::new(text);
    let mut points = Vec::new();
    while let Some(read) = lines.advance() {
        let place = |fault: signalbox_receive::influx::line::Fault| (fault.line, fault.column);
        read.map_err(place)?;
        let head = lines.head().map_err(place)?;
        points.push(Point {
            measurement: head.measurement.into_owned(),
            tags: head.tags.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
            fields: lines.fields().iter().map(|field| (key_text(field.key).unwrap().into_owned(), shown(&field.value))).collect(),
            time_ms: lines.time().map_or(default_ms, |time| precision.to_ms(time).unwrap()),
        });
    }
    Ok(points)
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Float(value) => float(*value),
        Value::Integer(value) => format!("int {value}"),
        Value::Unsigned(value) => format!("uint {value}"),
        Value::Boolean(value) => format!("bool {value}"),
        Value::Text(raw) => format!("string {}", text_of_value(raw).unwrap()),
    }
}

/// Without the last bit, which the reader of JSON here does not get right, and without the sign of zero, which it drops.
fn float(value: f64) -> String {
    format!("float {:.14e}", value + 0.0)
}

fn shown_json(value: &Json) -> String {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "float" => float(value.as_f64().unwrap()),
        "string" => format!("string {}", String::from_utf8(bytes(value)).unwrap()),
        _ => format!("{kind} {value}"),
    }
}

/// A text, or base64 of what is no text.
fn bytes(value: &Json) -> Vec<u8> {
    match value {
        Json::String(text) => text.clone().into_bytes(),
        other => base64::engine::general_purpose::STANDARD.decode(other["binary"].as_str().unwrap()).unwrap(),
    }
}

fn wanted(point: &Json) -> Point {
    let text = |value: &Json| String::from_utf8(bytes(value)).unwrap();
    Point {
        measurement: text(&point["name"]),
        tags: point["tags"].as_array().unwrap().iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect(),
        fields: point["fields"].as_array().unwrap().iter().map(|field| (text(&field["key"]), shown_json(&field["value"]))).collect(),
        time_ms: point["time"].as_i64().unwrap().div_euclid(1_000_000),
    }
}

#[test]
fn every_text_of_the_corpus_gets_its_verdict() {
    let Some(corpus) = conformance::read("influx/line-protocol-corpus.jsonl") else { return };
    let (mut valid, mut refused, mut problems, mut same_line) = (0, 0, Vec::new(), 0);
    for case in corpus.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()) {
        let text = bytes(&case["text"]);
        let (precision, unit_ns) = match case["precision"].as_str().unwrap() {
            "1ns" => (Precision::Nanoseconds, 1),
            "1µs" => (Precision::Microseconds, 1_000),
            "1ms" => (Precision::Milliseconds, 1_000_000),
            _ => (Precision::Seconds, 1_000_000_000),
        };
        let default_ns = case["default_time"].as_i64().unwrap();
        let got = points(&text, (default_ns - default_ns.rem_euclid(unit_ns)).div_euclid(1_000_000), precision);
        match (case["result"].as_array(), got) {
            (Some(want), Ok(got)) => {
                valid += 1;
                let want: Vec<Point> = want.iter().map(wanted).collect();
                if got != want {
                    problems.push(format!("{}\n  want {want:?}\n  got  {got:?}", case["text"]));
                }
            }
            (None, Err((line, _))) => {
                refused += 1;
                same_line +=
                    usize::from(!case["error"].as_str().unwrap().contains("at line ") || case["error"].as_str().unwrap().contains(&format!("at line {line}:")));
            }
            (want, got) => problems.push(format!("{}\n  want {want:?} {}\n  got  {got:?}", case["text"], case["error"])),
        }
    }
    assert!(problems.is_empty(), "{} of {} differ:\n{}", problems.len(), valid + refused, problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
    assert_eq!((valid, refused, same_line), (265, 4145, 4145));
}

#[test]
fn what_telegraf_sent_is_understood() {
    for (file, lines_wanted, fields_wanted) in [("air_and_water", 12, 24), ("metrics", 1000, 9010), ("temperature", 6, 12)] {
        let Some(text) = conformance::read(&format!("influx/influxdb3/core/test_fixtures/lineproto/{file}.lp")) else { return };
        let points = points(text.as_bytes(), 0, Precision::Nanoseconds).unwrap();
        let fields: usize = points.iter().map(|point| point.fields.len()).sum();
        assert_eq!((file, points.len(), fields), (file, lines_wanted, fields_wanted));
    }
}
