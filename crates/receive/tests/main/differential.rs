//! Random messages, decoded in place and decoded with the generated types: every field must agree.
//!
//! The other side is written for clarity: it goes through the object tree and builds each row as text on its own.

use std::collections::HashSet;

use prost::Message as _;
use signalbox_model::attributes::{AttributeValue, write_json};
use signalbox_model::{Labels, Signal};
use signalbox_proto::otlp::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use signalbox_proto::otlp::metrics::v1::{self as otlp, metric::Data};
use signalbox_proto::otlp::resource::v1::Resource;
use signalbox_receive::otlp::names::NameKind;
use signalbox_receive::otlp::{Format, Translation, decode};
use signalbox_receive::remote_write::{self, Version};
use signalbox_testkit::conformance;

use crate::random::{Random, as_v2, random_logs, random_metrics, random_spans, random_v1};
use crate::rows::{lines, sample_line};
use crate::support::{NOW_NS, context};

const ROUNDS: u64 = 300;

fn attribute_value(value: Option<&AnyValue>) -> AttributeValue {
    match value.and_then(|value| value.value.as_ref()) {
        None => AttributeValue::Empty,
        Some(Value::StringValue(text)) => AttributeValue::String(text.clone()),
        Some(Value::BoolValue(value)) => AttributeValue::Bool(*value),
        Some(Value::IntValue(value)) => AttributeValue::Int(*value),
        Some(Value::DoubleValue(value)) => AttributeValue::Double(*value),
        Some(Value::BytesValue(bytes)) => AttributeValue::Bytes(bytes.clone()),
        Some(Value::ArrayValue(array)) => AttributeValue::Array(array.values.iter().map(|value| attribute_value(Some(value))).collect()),
        Some(Value::KvlistValue(list)) => {
            AttributeValue::Map(list.values.iter().map(|pair| (pair.key.clone(), attribute_value(pair.value.as_ref()))).collect())
        }
        Some(other) => panic!("no message here has {other:?}"),
    }
}

/// A row in the making: `name=value`, nothing for what is absent, empty or zero.
#[derive(Default)]
struct Row(Vec<String>);

impl Row {
    fn number(&mut self, name: &str, value: impl Into<i128>) -> &mut Self {
        let value = value.into();
        if value != 0 {
            self.0.push(format!("{name}={value}"));
        }
        self
    }

    fn text(&mut self, name: &str, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.0.push(format!("{name}={text:?}"));
        }
        self
    }

    fn id(&mut self, name: &str, id: &[u8]) -> &mut Self {
        if !id.is_empty() {
            self.0.push(format!("{name}={}", hex::encode(id)));
        }
        self
    }

    fn attributes(&mut self, attributes: &[KeyValue]) -> &mut Self {
        let values: Vec<(&str, AttributeValue)> = attributes.iter().map(|pair| (pair.key.as_str(), attribute_value(pair.value.as_ref()))).collect();
        if !values.is_empty() {
            let texts: Vec<String> = values.iter().map(|(key, value)| format!("{key}={:?}", value.to_text())).collect();
            self.0.push(format!("attributes={{{}}}", texts.join(", ")));
        }
        if values.iter().any(|(_, value)| value.letter() != 's') {
            self.text("attribute_types", &values.iter().map(|(_, value)| value.letter()).collect::<String>());
        }
        self
    }

    fn list(&mut self, name: &str, items: Vec<String>) -> &mut Self {
        if !items.is_empty() {
            self.0.push(format!("{name}=[{}]", items.join(", ")));
        }
        self
    }

    fn finish(&self) -> String {
        self.0.join(" ")
    }
}

fn origin_json(mut entries: Vec<(String, AttributeValue)>, attributes: &[KeyValue], schema_url: &str, dropped: u32) -> String {
    entries.retain(|(_, value)| *value != AttributeValue::String(String::new()));
    entries.extend(attributes.iter().map(|pair| (pair.key.clone(), attribute_value(pair.value.as_ref()))));
    if !schema_url.is_empty() {
        entries.push(("$schema_url".into(), AttributeValue::String(schema_url.into())));
    }
    if dropped > 0 {
        entries.push(("$dropped_attributes_count".into(), AttributeValue::Int(dropped.into())));
    }
    let mut json = String::new();
    write_json(&mut json, &AttributeValue::Map(entries));
    json
}

fn resource_json(resource: &Resource, schema_url: &str) -> String {
    origin_json(vec![], &resource.attributes, schema_url, resource.dropped_attributes_count)
}

fn scope_json(scope: &InstrumentationScope, schema_url: &str) -> String {
    let named = vec![("$name".into(), AttributeValue::String(scope.name.clone())), ("$version".into(), AttributeValue::String(scope.version.clone()))];
    origin_json(named, &scope.attributes, schema_url, scope.dropped_attributes_count)
}

fn attribute_text(attributes: &[KeyValue], key: &str) -> String {
    attributes.iter().find(|pair| pair.key == key).map(|pair| attribute_value(pair.value.as_ref()).to_text()).unwrap_or_default()
}

fn decoded_lines(signal: Signal, bytes: &[u8]) -> Vec<String> {
    let decoded = decode(signal, Format::Protobuf, bytes, &context(), &Translation::default()).unwrap();
    assert_eq!(decoded.rejected, []);
    lines(&decoded.batches)
}

#[test]
fn logs_agree_with_the_generated_types() {
    let mut rows = 0;
    for seed in 0..ROUNDS {
        let request = random_logs(&mut Random::new(seed), 4);
        let mut want = Vec::new();
        for resource_logs in &request.resource_logs {
            let resource = resource_logs.resource.clone().unwrap_or_default();
            for scope_logs in &resource_logs.scope_logs {
                let scope = scope_logs.scope.clone().unwrap_or_default();
                for record in &scope_logs.log_records {
                    let body = attribute_value(record.body.as_ref());
                    let time = [record.time_unix_nano, record.observed_time_unix_nano, NOW_NS as u64].into_iter().find(|time| *time != 0).unwrap();
                    let mut row = Row::default();
                    row.number("timestamp", time).number("observed_timestamp", record.observed_time_unix_nano);
                    row.text("service", &attribute_text(&resource.attributes, "service.name")).number("severity_number", record.severity_number);
                    row.text("severity_text", &record.severity_text).text("event_name", &record.event_name).text("body", &body.to_text());
                    if !matches!(body, AttributeValue::String(_) | AttributeValue::Empty) {
                        row.text("body_type", &body.letter().to_string());
                    }
                    row.id("trace_id", &record.trace_id).id("span_id", &record.span_id).number("flags", record.flags);
                    row.text("resource", &resource_json(&resource, &resource_logs.schema_url)).text("scope", &scope_json(&scope, &scope_logs.schema_url));
                    want.push(row.attributes(&record.attributes).number("dropped_attributes_count", record.dropped_attributes_count).finish());
                }
            }
        }
        assert_eq!(decoded_lines(Signal::Logs, &request.encode_to_vec()), want, "seed {seed}");
        rows += want.len();
    }
    assert!(rows > 1000, "{rows} rows");
}

#[test]
fn spans_agree_with_the_generated_types() {
    let mut rows = 0;
    for seed in 0..ROUNDS {
        let request = random_spans(&mut Random::new(seed), 4);
        let mut want = Vec::new();
        for resource_spans in &request.resource_spans {
            let resource = resource_spans.resource.clone().unwrap_or_default();
            for scope_spans in &resource_spans.scope_spans {
                let scope = scope_spans.scope.clone().unwrap_or_default();
                for span in &scope_spans.spans {
                    let status = span.status.clone().unwrap_or_default();
                    let mut row = Row::default();
                    row.number("timestamp", span.start_time_unix_nano).number("duration_ns", span.end_time_unix_nano as i64 - span.start_time_unix_nano as i64);
                    row.id("trace_id", &span.trace_id).id("span_id", &span.span_id).id("parent_span_id", &span.parent_span_id);
                    row.text("service", &attribute_text(&resource.attributes, "service.name")).text("name", &span.name).number("kind", span.kind);
                    row.number("status_code", status.code)
                        .text("status_message", &status.message)
                        .text("trace_state", &span.trace_state)
                        .number("flags", span.flags);
                    row.text("resource", &resource_json(&resource, &resource_spans.schema_url)).text("scope", &scope_json(&scope, &scope_spans.schema_url));
                    row.attributes(&span.attributes).number("dropped_attributes_count", span.dropped_attributes_count);
                    row.number("dropped_events_count", span.dropped_events_count).number("dropped_links_count", span.dropped_links_count);
                    let event = |event: &signalbox_proto::otlp::trace::v1::span::Event| {
                        let mut row = Row::default();
                        row.number("timestamp", event.time_unix_nano).text("name", &event.name).attributes(&event.attributes);
                        format!("({})", row.number("dropped_attributes_count", event.dropped_attributes_count).finish())
                    };
                    let link = |link: &signalbox_proto::otlp::trace::v1::span::Link| {
                        let mut row = Row::default();
                        row.id("trace_id", &link.trace_id).id("span_id", &link.span_id).text("trace_state", &link.trace_state).number("flags", link.flags);
                        format!("({})", row.attributes(&link.attributes).number("dropped_attributes_count", link.dropped_attributes_count).finish())
                    };
                    row.list("events", span.events.iter().map(event).collect()).list("links", span.links.iter().map(link).collect());
                    want.push(row.finish());
                }
            }
        }
        assert_eq!(decoded_lines(Signal::Traces, &request.encode_to_vec()), want, "seed {seed}");
        rows += want.len();
    }
    assert!(rows > 1000, "{rows} rows");
}

/// The labels that all series of a point have.
fn point_labels(resource: &Resource, scope: &InstrumentationScope, schema_url: &str, attributes: &[KeyValue]) -> Vec<(String, String)> {
    let translation = Translation::default();
    let mut all: Vec<(String, String, String)> = Vec::new();
    for (label, value) in [("otel_scope_name", &scope.name), ("otel_scope_version", &scope.version), ("otel_scope_schema_url", &schema_url.to_owned())] {
        if !value.is_empty() {
            all.push((label.into(), label.into(), value.clone()));
        }
    }
    let scope_attributes = scope.attributes.iter().map(|pair| (format!("otel_scope_{}", pair.key), pair));
    for (key, pair) in scope_attributes.chain(attributes.iter().map(|pair| (pair.key.clone(), pair))) {
        all.push((translation.label_name(&key).unwrap(), pair.key.clone(), attribute_value(pair.value.as_ref()).to_text()));
    }
    all.sort();
    let mut labels: Vec<(String, String)> = Vec::new();
    for (label, _, value) in all {
        match labels.last_mut() {
            Some(last) if last.0 == label => last.1 = format!("{};{value}", last.1),
            _ => labels.push((label, value)),
        }
    }
    let job = attribute_text(&resource.attributes, "service.name");
    if !job.is_empty() {
        labels.push(("job".into(), job));
    }
    labels
}

/// What a numeric part of a point becomes: name suffix, further label, value, and whether it has a start.
type Part = (&'static str, Option<(&'static str, f64)>, f64, bool);

/// Attributes, time, start, flags and parts.
type Point<'a> = (&'a [KeyValue], u64, u64, u32, Vec<Part>);

fn point_parts(data: &Data) -> Vec<Point<'_>> {
    let of_numbers = |points: &'_ [otlp::NumberDataPoint], has_start: bool| -> Vec<_> {
        let value = |point: &otlp::NumberDataPoint| match point.value {
            Some(otlp::number_data_point::Value::AsDouble(value)) => value,
            Some(otlp::number_data_point::Value::AsInt(value)) => value as f64,
            None => panic!("points of these tests have values"),
        };
        points.iter().map(|point| (point.time_unix_nano, vec![("", None, value(point), has_start)])).collect()
    };
    match data {
        Data::Gauge(gauge) => gauge
            .data_points
            .iter()
            .zip(of_numbers(&gauge.data_points, false))
            .map(|(p, (t, parts))| (&p.attributes[..], t, p.start_time_unix_nano, p.flags, parts))
            .collect(),
        Data::Sum(sum) => sum
            .data_points
            .iter()
            .zip(of_numbers(&sum.data_points, true))
            .map(|(p, (t, parts))| (&p.attributes[..], t, p.start_time_unix_nano, p.flags, parts))
            .collect(),
        Data::Histogram(histogram) => histogram
            .data_points
            .iter()
            .map(|point| {
                let mut parts: Vec<Part> = vec![("_count", None, point.count as f64, true)];
                if point.sum.is_some() || point.flags == 1 {
                    parts.push(("_sum", None, point.sum.unwrap_or_default(), true));
                }
                for (at, bound) in point.explicit_bounds.iter().enumerate() {
                    parts.push(("_bucket", Some(("le", *bound)), point.bucket_counts[..=at].iter().sum::<u64>() as f64, true));
                }
                parts.push(("_bucket", Some(("le", f64::INFINITY)), point.count as f64, true));
                (&point.attributes[..], point.time_unix_nano, point.start_time_unix_nano, point.flags, parts)
            })
            .collect(),
        Data::Summary(summary) => summary
            .data_points
            .iter()
            .map(|point| {
                let mut parts: Vec<Part> = vec![("_sum", None, point.sum, true), ("_count", None, point.count as f64, true)];
                parts.extend(point.quantile_values.iter().map(|one| ("", Some(("quantile", one.quantile)), one.value, false)));
                (&point.attributes[..], point.time_unix_nano, point.start_time_unix_nano, point.flags, parts)
            })
            .collect(),
        // Native histograms are compared in `otlp_metrics`, field by field.
        Data::ExponentialHistogram(_) => vec![],
    }
}

#[test]
fn samples_agree_with_the_generated_types() {
    let (translation, mut rows) = (Translation::default(), 0);
    for seed in 0..ROUNDS {
        let request = random_metrics(&mut Random::new(seed), 5);
        let mut want = Vec::new();
        for resource_metrics in &request.resource_metrics {
            let resource = resource_metrics.resource.clone().unwrap_or_default();
            for scope_metrics in &resource_metrics.scope_metrics {
                let scope = scope_metrics.scope.clone().unwrap_or_default();
                for metric in &scope_metrics.metrics {
                    let data = metric.data.as_ref().unwrap();
                    let (kind, is_delta) = match data {
                        Data::Gauge(_) => (NameKind::Gauge, false),
                        Data::Sum(sum) => (if sum.is_monotonic { NameKind::MonotonicSum } else { NameKind::Other }, sum.aggregation_temporality == 1),
                        Data::Histogram(histogram) => (NameKind::Other, histogram.aggregation_temporality == 1),
                        _ => (NameKind::Other, false),
                    };
                    let name = translation.metric_name(&metric.name, &metric.unit, kind).unwrap();
                    for (attributes, time, start, flags, parts) in point_parts(data) {
                        let shared = point_labels(&resource, &scope, &scope_metrics.schema_url, attributes);
                        for (suffix, extra, value, has_start) in parts {
                            let mut labels = shared.clone();
                            labels.push(("__name__".into(), format!("{name}{suffix}")));
                            labels.extend(
                                extra.map(|(label, number)| (label.to_owned(), if number.is_infinite() { "+Inf".to_owned() } else { format!("{number}") })),
                            );
                            let value = if flags == 1 { f64::from_bits(0x7ff0_0000_0000_0002) } else { value };
                            let word = if is_delta && flags == 0 { "delta" } else { "sample" };
                            let start = if has_start { start as i64 / 1_000_000 } else { 0 };
                            want.push(sample_line(word, &Labels::from_pairs(labels), time as i64 / 1_000_000, value, start));
                        }
                    }
                }
            }
        }
        let is_sample = |line: &String| (line.starts_with("sample") || line.starts_with("delta")) && !line.starts_with("sample target_info");
        let got: Vec<String> = decoded_lines(Signal::Metrics, &request.encode_to_vec()).into_iter().filter(is_sample).collect();
        want.sort();
        assert_eq!(got, want, "seed {seed}");
        rows += want.len();
    }
    assert!(rows > 3000, "{rows} rows");
}

#[test]
fn both_versions_of_remote_write_agree_with_the_generated_types() {
    let mut rows = 0;
    for seed in 0..ROUNDS {
        let request = random_v1(&mut Random::new(seed));
        let mut want = Vec::new();
        for series in &request.timeseries {
            let labels = Labels::from_pairs(series.labels.iter().map(|label| (&label.name, &label.value)));
            want.extend(series.samples.iter().map(|sample| sample_line("sample", &labels, sample.timestamp, sample.value, 0)));
            want.extend(series.exemplars.iter().map(|one| {
                let own = Labels::from_pairs(one.labels.iter().map(|label| (&label.name, &label.value)));
                format!("exemplar {labels} {} {} {own}", one.timestamp, one.value)
            }));
        }
        want.sort();
        for (version, bytes) in [(Version::V1, request.encode_to_vec()), (Version::V2, as_v2(&request).encode_to_vec())] {
            let decoded = remote_write::decode(version, &bytes, &context()).unwrap();
            assert_eq!(decoded.rejected, []);
            let got: Vec<String> = lines(&decoded.batches).into_iter().filter(|line| !line.starts_with("MetricMetadata")).collect();
            assert_eq!(got, want, "seed {seed}, {version:?}");
        }
        rows += want.len();
    }
    assert!(rows > 5000, "{rows} rows");
}

/// JSON and binary forms of one message become the same rows.
#[test]
fn json_agrees_with_protobuf() {
    let agree = |signal, json: Vec<u8>, binary: Vec<u8>, seed| {
        let from_json = lines(&decode(signal, Format::Json, &json, &context(), &Translation::default()).unwrap().batches);
        for (got, want) in from_json.iter().zip(&decoded_lines(signal, &binary)) {
            assert_eq!(got, want, "{signal:?}, seed {seed}");
        }
        assert_eq!(from_json.len(), decoded_lines(signal, &binary).len(), "{signal:?}, seed {seed}");
    };
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        random.is_finite = true;
        let request = random_logs(&mut random, 3);
        agree(Signal::Logs, serde_json::to_vec(&request).unwrap(), request.encode_to_vec(), seed);
        let request = random_spans(&mut random, 3);
        agree(Signal::Traces, serde_json::to_vec(&request).unwrap(), request.encode_to_vec(), seed);
        let request = random_metrics(&mut random, 4);
        agree(Signal::Metrics, serde_json::to_vec(&request).unwrap(), request.encode_to_vec(), seed);
    }
}

/// The examples of the specification and of other receivers, in JSON: no field is refused, and nothing is lost on the way
/// through the generated types.
#[test]
fn published_examples_are_understood() {
    const CASES: [(&str, Signal, &str); 8] = [
        ("logs.json", Signal::Logs, "otlp/opentelemetry-proto-examples"),
        ("events.json", Signal::Logs, "otlp/opentelemetry-proto-examples"),
        ("trace.json", Signal::Traces, "otlp/opentelemetry-proto-examples"),
        ("metrics.json", Signal::Metrics, "otlp/opentelemetry-proto-examples"),
        ("test_logs_001.in.json", Signal::Logs, "otlp/fluent-bit/in_opentelemetry/tests/data_files"),
        ("test_logs_expect_batch.in.json", Signal::Logs, "otlp/fluent-bit/in_opentelemetry/tests/data_files"),
        ("test_metrics_002.in.json", Signal::Metrics, "otlp/fluent-bit/in_opentelemetry/tests/data_files"),
        ("test_traces_002.in.json", Signal::Traces, "otlp/fluent-bit/in_opentelemetry/tests/data_files"),
    ];
    for (name, signal, folder) in CASES {
        let Some(json) = conformance::read(&format!("{folder}/{name}")) else { return };
        let decoded = decode(signal, Format::Json, json.as_bytes(), &context(), &Translation::default()).unwrap();
        assert_eq!(decoded.rejected, [], "{name}");
        assert!(!lines(&decoded.batches).is_empty(), "{name}");
    }
    let mut seen = HashSet::new();
    let Some(json) = conformance::read("otlp/opentelemetry-proto-examples/trace.json") else { return };
    let decoded = decode(Signal::Traces, Format::Json, json.as_bytes(), &context(), &Translation::default()).unwrap();
    seen.extend(lines(&decoded.batches).into_iter().flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    for want in ["trace_id=5b8efff798038103d269b633813fc60c", "span_id=eee19b7ec3c1b174", "parent_span_id=eee19b7ec3c1b173", "kind=2"] {
        assert!(seen.contains(want), "{want} is missing in {seen:?}");
    }
}
