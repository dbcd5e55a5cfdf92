//! Families as `io.prometheus.client.MetricFamily`, each behind its length.

use bytes::BufMut as _;
use prost::Message as _;
use prost::encoding::encode_varint;
use signalbox_model::Histogram;
use signalbox_model::histogram::Span;
use signalbox_proto::prometheus_client as wire;

use super::families::{Family, Kind, Metric, Value};

/// Fields of the message: name, type and metrics, with their kinds of value.
const NAME: u8 = 0x0a;
const TYPE: u8 = 0x18;
const METRIC: u8 = 0x22;

pub(super) fn write(out: &mut Vec<u8>, family: &Family) {
    let kind = match family.kind {
        Kind::Untyped => wire::MetricType::Untyped,
        Kind::Histogram => wire::MetricType::Histogram,
        Kind::GaugeHistogram => wire::MetricType::GaugeHistogram,
    };
    let mut message = Vec::new();
    write_field(&mut message, NAME, family.name.as_bytes());
    message.put_u8(TYPE);
    encode_varint(kind as u64, &mut message);
    family.metrics.iter().for_each(|metric| write_field(&mut message, METRIC, &self::metric(metric).encode_to_vec()));
    encode_varint(message.len() as u64, out);
    out.extend_from_slice(&message);
}

fn write_field(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.put_u8(field);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn metric(metric: &Metric) -> wire::Metric {
    let label = metric.labels.iter().map(|(name, value)| wire::LabelPair { name: name.clone(), value: value.clone() }).collect();
    let mut message = wire::Metric { label, timestamp_ms: metric.ts_ms, ..wire::Metric::default() };
    match &metric.value {
        Value::Float(value) => message.untyped = Some(wire::Gauge { value: *value }),
        Value::Native(histogram) => message.histogram = Some(native(histogram)),
        Value::Classic { count, sum, buckets } => {
            let bucket = |(bound, count): &(f64, f64)| wire::Bucket { upper_bound: *bound, cumulative_count_float: *count, ..wire::Bucket::default() };
            let bucket = buckets.iter().map(bucket).collect();
            message.histogram = Some(wire::Histogram { sample_count_float: *count, sample_sum: *sum, bucket, ..wire::Histogram::default() });
        }
    }
    message
}

fn native(histogram: &Histogram) -> wire::Histogram {
    wire::Histogram {
        sample_count_float: histogram.count,
        sample_sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        zero_count_float: histogram.zero_count,
        negative_span: spans(&histogram.negative_spans),
        negative_count: histogram.negative_buckets.clone(),
        positive_span: spans(&histogram.positive_spans),
        positive_count: histogram.positive_buckets.clone(),
        ..wire::Histogram::default()
    }
}

fn spans(spans: &[Span]) -> Vec<wire::BucketSpan> {
    spans.iter().map(|span| wire::BucketSpan { offset: span.offset, length: span.length }).collect()
}
