#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use prost::Message as _;
use signalbox_proto::otlp::collector::logs::v1::ExportLogsServiceRequest;
use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceRequest;
use signalbox_proto::otlp::metrics::v1::{metric::Data, number_data_point::Value as Number};

use super::*;
use crate::otlp::json_schema::{LOGS, METRICS, TRACES};

fn log(record: &str) -> Result<signalbox_proto::otlp::logs::v1::LogRecord> {
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#);
    let bytes = to_protobuf(json.as_bytes(), &LOGS)?;
    let request = ExportLogsServiceRequest::decode(bytes.as_slice()).unwrap();
    Ok(request.resource_logs[0].scope_logs[0].log_records[0].clone())
}

// OTLP-056
#[test]
fn unknown_fields_are_ignored_at_every_depth() {
    let record = log(r#"{"severityText":"WARN","novelty":{"deep":[1,{"x":null}]},"severitynumber":9,"body":{"stringValue":"b","other":1}}"#).unwrap();
    assert_eq!((record.severity_text.as_str(), record.severity_number), ("WARN", 0));
    assert_eq!(record.body.unwrap().value, Some(signalbox_proto::otlp::common::v1::any_value::Value::StringValue("b".into())));
}

#[test]
fn names_of_protobuf_fields_are_keys_too() {
    assert_eq!(log(r#"{"severity_number":9}"#).unwrap().severity_number, 9);
    for unknown in ["severity__Number_", "_severityNumberX", "severity_numbe", "SeverityNumber", "severity_number_"] {
        assert_eq!(log(&format!(r#"{{"{unknown}":9}}"#)).unwrap().severity_number, 0, "{unknown}");
    }
}

// OTLP-054, OTLP-055
#[test]
fn enums_are_integers_and_never_names() {
    assert_eq!(log(r#"{"severityNumber":17}"#).unwrap().severity_number, 17);
    assert!(log(r#"{"severityNumber":"SEVERITY_NUMBER_ERROR"}"#).is_err());
}

#[test]
fn integers_of_64_bits_are_numbers_or_strings() {
    for time in ["1544712660300000000", r#""1544712660300000000""#] {
        assert_eq!(log(&format!(r#"{{"timeUnixNano":{time}}}"#)).unwrap().time_unix_nano, 1_544_712_660_300_000_000);
    }
    assert_eq!(log(r#"{"timeUnixNano":"18446744073709551615"}"#).unwrap().time_unix_nano, u64::MAX);
    for wrong in ["-1", "1.5", r#""x""#, "true", "{}", "[]", "18446744073709551616"] {
        assert!(log(&format!(r#"{{"timeUnixNano":{wrong}}}"#)).is_err(), "{wrong}");
    }
    assert_eq!(log(r#"{"timeUnixNano":1e3}"#).unwrap().time_unix_nano, 1000);
}

#[test]
fn identifiers_are_hexadecimal_and_bytes_base64() {
    let record = log(r#"{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174"}"#).unwrap();
    assert_eq!((hex::encode(record.trace_id), hex::encode(record.span_id)), ("5b8efff798038103d269b633813fc60c".into(), "eee19b7ec3c1b174".into()));
    assert!(log(r#"{"traceId":"not hex"}"#).is_err());
    for text in ["+/8=", "-_8", "-_8=", "+/8"] {
        let record = log(&format!(r#"{{"body":{{"bytesValue":"{text}"}}}}"#)).unwrap();
        assert_eq!(record.body.unwrap().value, Some(signalbox_proto::otlp::common::v1::any_value::Value::BytesValue(vec![0xfb, 0xff])), "{text}");
    }
}

#[test]
fn null_means_absent() {
    let record = log(r#"{"traceId":null,"attributes":null,"body":null,"severityText":"x","flags":null}"#).unwrap();
    assert_eq!((record.severity_text.as_str(), record.body, record.attributes.len()), ("x", None, 0));
}

#[test]
fn doubles_may_be_words_and_zero_is_a_value() {
    let value = |text: &str| {
        let json = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"gauge":{{"dataPoints":[{{{text}}}]}}}}]}}]}}]}}"#);
        let request = ExportMetricsServiceRequest::decode(to_protobuf(json.as_bytes(), &METRICS).unwrap().as_slice()).unwrap();
        let Some(Data::Gauge(gauge)) = request.resource_metrics[0].scope_metrics[0].metrics[0].data.clone() else { panic!("a gauge was sent") };
        gauge.data_points[0].value
    };
    assert_eq!(value(r#""asDouble":"-Infinity""#), Some(Number::AsDouble(f64::NEG_INFINITY)));
    assert!(matches!(value(r#""asDouble":"NaN""#), Some(Number::AsDouble(nan)) if nan.is_nan()));
    assert_eq!(value(r#""asDouble":3"#), Some(Number::AsDouble(3.0)));
    assert_eq!(value(r#""asInt":"0""#), Some(Number::AsInt(0)));
    assert_eq!(value(r#""asInt":-5"#), Some(Number::AsInt(-5)));
    assert_eq!(value(r#""flags":1"#), None);
}

#[test]
fn hostile_text_is_refused() {
    let deep = format!("{}{}", r#"{"resourceSpans":"#.repeat(200), "[");
    for json in ["", "[]", "7", "{", r#"{"resourceSpans":{}}"#, r#"{"resourceSpans":[7]}"#, "{} x", deep.as_str(), "\u{0}"] {
        assert!(to_protobuf(json.as_bytes(), &TRACES).is_err(), "{json:.40}");
    }
    assert!(to_protobuf(b"{\"resourceSpans\":\"\xff\"}", &TRACES).is_err());
    assert_eq!(to_protobuf(b" {} ", &TRACES).unwrap(), b"");
}
