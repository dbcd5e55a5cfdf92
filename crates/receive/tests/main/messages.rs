//! Short ways to make OTLP messages.

use prost::Message as _;
use signalbox_proto::otlp::collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest};
use signalbox_proto::otlp::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use signalbox_proto::otlp::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use signalbox_proto::otlp::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
};
use signalbox_proto::otlp::resource::v1::Resource;
use signalbox_proto::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::support::NOW_NS;

pub(crate) const TIME: u64 = NOW_NS as u64;
pub(crate) const START: u64 = TIME - 60_000_000_000;
pub(crate) const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
pub(crate) const DELTA: i32 = AggregationTemporality::Delta as i32;

pub(crate) fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub(crate) fn text(text: &str) -> AnyValue {
    any(Value::StringValue(text.into()))
}

pub(crate) fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    pairs.iter().map(|(key, value)| pair(key, text(value))).collect()
}

pub(crate) fn resource(attributes: Vec<KeyValue>) -> Option<Resource> {
    Some(Resource { attributes, ..Resource::default() })
}

pub(crate) fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: name.into(), ..InstrumentationScope::default() })
}

pub(crate) fn logs(records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { scope: scope("lib"), log_records: records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(pairs(&[("service.name", "shop")])), scope_logs, ..ResourceLogs::default() }],
    }
    .encode_to_vec()
}

pub(crate) fn record(body: &str) -> LogRecord {
    LogRecord { time_unix_nano: TIME, body: Some(text(body)), ..LogRecord::default() }
}

pub(crate) fn spans(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { scope: scope("lib"), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(pairs(&[("service.name", "shop")])), scope_spans, ..ResourceSpans::default() }],
    }
    .encode_to_vec()
}

pub(crate) fn span(name: &str) -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.into(), start_time_unix_nano: TIME, end_time_unix_nano: TIME + 5, ..Span::default() }
}

pub(crate) fn metrics_of(resource_attributes: Vec<KeyValue>, scope: InstrumentationScope, schema_url: &str, metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: schema_url.into() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: resource(resource_attributes), scope_metrics, ..ResourceMetrics::default() }],
    }
    .encode_to_vec()
}

/// Metrics of a resource and scope that add no labels.
pub(crate) fn metrics(metrics: Vec<Metric>) -> Vec<u8> {
    metrics_of(Vec::new(), InstrumentationScope::default(), "", metrics)
}

pub(crate) fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.into(), unit: unit.into(), data: Some(data), ..Metric::default() }
}

pub(crate) fn number(value: f64, attributes: Vec<KeyValue>) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

pub(crate) fn gauge(points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge { data_points: points })
}

pub(crate) fn sum(temporality: i32, is_monotonic: bool, points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points: points, aggregation_temporality: temporality, is_monotonic })
}

pub(crate) fn histogram(temporality: i32, points: Vec<HistogramDataPoint>) -> Data {
    Data::Histogram(Histogram { data_points: points, aggregation_temporality: temporality })
}

pub(crate) fn histogram_point() -> HistogramDataPoint {
    HistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 6,
        sum: Some(7.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.5, 1.0],
        ..HistogramDataPoint::default()
    }
}

pub(crate) fn exponential_point() -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 10,
        sum: Some(3.5),
        scale: 3,
        zero_count: 1,
        positive: Some(Buckets { offset: 3, bucket_counts: vec![1, 0, 0, 2, 3] }),
        negative: Some(Buckets { offset: -1, bucket_counts: vec![2] }),
        ..ExponentialHistogramDataPoint::default()
    }
}

pub(crate) fn exponential(temporality: i32, points: Vec<ExponentialHistogramDataPoint>) -> Data {
    Data::ExponentialHistogram(signalbox_proto::otlp::metrics::v1::ExponentialHistogram { data_points: points, aggregation_temporality: temporality })
}
