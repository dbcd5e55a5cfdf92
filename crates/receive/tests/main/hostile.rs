//! Bytes that mean harm: every decoder refuses or understands them, in bounded time and memory, and never panics.

use prost::Message as _;
use signalbox_model::{ErrorKind, Signal};
use signalbox_receive::otlp::{Format, Translation, decode};
use signalbox_receive::remote_write::{self, Version};
use signalbox_testkit::mutate;

use crate::messages::{any, logs, metric, metrics, pair, record, span, spans};
use crate::random::{Random, as_v2, random_logs, random_metrics, random_spans, random_v1};
use crate::rows::lines;
use crate::support::context;
use signalbox_proto::otlp::common::v1::{AnyValue, ArrayValue, KeyValueList, any_value::Value};
use signalbox_proto::otlp::logs::v1::LogRecord;
use signalbox_proto::otlp::trace::v1::Span;

fn run(which: usize, bytes: &[u8]) -> Option<usize> {
    let translation = Translation::default();
    let decoded = match which {
        0 => decode(Signal::Logs, Format::Protobuf, bytes, &context(), &translation),
        1 => decode(Signal::Traces, Format::Protobuf, bytes, &context(), &translation),
        2 => decode(Signal::Metrics, Format::Protobuf, bytes, &context(), &translation),
        3 => remote_write::decode(Version::V1, bytes, &context()),
        4 => remote_write::decode(Version::V2, bytes, &context()),
        5 => decode(Signal::Logs, Format::Json, bytes, &context(), &translation),
        6 => decode(Signal::Traces, Format::Json, bytes, &context(), &translation),
        _ => decode(Signal::Metrics, Format::Json, bytes, &context(), &translation),
    };
    match decoded {
        Ok(decoded) => Some(lines(&decoded.batches).len()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            None
        }
    }
}

/// The seeds are printed by the failing assertion; `SIGNALBOX_MUTATIONS` asks for more rounds.
#[test]
fn mutated_messages_never_panic() {
    let rounds: u64 = std::env::var("SIGNALBOX_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let (mut refused, mut understood) = (0u64, 0u64);
    for seed in 0..rounds {
        let (mut random, mut damages) = (Random::new(seed), mutate::Random::new(seed));
        let v1 = random_v1(&mut random);
        let mut messages = [
            random_logs(&mut random, 2).encode_to_vec(),
            random_spans(&mut random, 2).encode_to_vec(),
            random_metrics(&mut random, 3).encode_to_vec(),
            v1.encode_to_vec(),
            as_v2(&v1).encode_to_vec(),
            serde_json::to_vec(&random_logs(&mut random, 2)).unwrap(),
            serde_json::to_vec(&random_spans(&mut random, 2)).unwrap(),
            serde_json::to_vec(&random_metrics(&mut random, 2)).unwrap(),
        ];
        for (which, bytes) in messages.iter_mut().enumerate() {
            for _ in 0..4 {
                mutate::damage(&mut damages, bytes);
                match run(which, bytes) {
                    Some(_) => understood += 1,
                    None => refused += 1,
                }
            }
        }
    }
    assert!(refused > rounds && understood > rounds, "{refused} refused, {understood} understood: mutations are too weak or too strong");
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    // Field 1, length 2^63 - 1; and the same inside valid envelopes.
    let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for which in 0..5 {
        assert_eq!(run(which, &huge), None);
    }
    // Field 1 of remote write 2.0 is reserved, and passed over.
    for which in 0..4 {
        let inner = [&[0x0a, huge.len() as u8][..], &huge].concat();
        assert_eq!(run(which, &inner), None);
    }
}

#[test]
fn bad_utf_8_is_refused() {
    let bad = |bytes: Vec<u8>| {
        let at = bytes.windows(4).position(|window| window == b"EVIL").unwrap();
        let mut bytes = bytes;
        bytes[at] = 0xff;
        bytes
    };
    assert_eq!(run(0, &bad(logs(vec![record("EVIL")]))), None);
    assert_eq!(run(1, &bad(spans(vec![span("EVIL")]))), None);
    assert_eq!(run(2, &bad(metrics(vec![metric("EVIL", "", crate::messages::gauge(vec![]))]))), None);
}

fn nested(depth: usize, wrap: impl Fn(AnyValue) -> AnyValue) -> AnyValue {
    (0..depth).fold(any(Value::IntValue(1)), |value, _| wrap(value))
}

fn in_array(value: AnyValue) -> AnyValue {
    any(Value::ArrayValue(ArrayValue { values: vec![value] }))
}

fn in_map(value: AnyValue) -> AnyValue {
    any(Value::KvlistValue(KeyValueList { values: vec![pair("k", value)] }))
}

#[test]
fn rows_that_nest_too_deep_are_rejected_alone() {
    let depth_max = context().attribute_depth_max;
    for wrap in [in_array, in_map] {
        for (depth, rows) in [(depth_max, 2), (depth_max + 1, 1)] {
            let deep = nested(depth, wrap);
            let request = logs(vec![LogRecord { body: Some(deep.clone()), ..record("") }, record("fine")]);
            assert_eq!(run(0, &request), Some(rows), "a body of depth {depth}");
            let request = logs(vec![LogRecord { attributes: vec![pair("a", deep.clone())], ..record("") }, record("fine")]);
            assert_eq!(run(0, &request), Some(rows), "an attribute of depth {depth}");
            let request = spans(vec![Span { attributes: vec![pair("a", deep)], ..span("deep") }, span("fine")]);
            assert_eq!(run(1, &request), Some(rows), "a span's attribute of depth {depth}");
        }
    }
}

#[test]
fn a_message_nested_a_thousand_deep_does_not_exhaust_the_stack() {
    // Written by hand: encoders refuse such depth.
    let mut value = vec![0x18, 0x01];
    for _ in 0..50_000 {
        let item = [vec![0x0a], length(value.len()), value].concat();
        value = [vec![0x2a], length(item.len()), item].concat();
    }
    let body = [vec![0x2a], length(value.len()), value].concat();
    let wrap = |field: u8, bytes: Vec<u8>| [vec![field], length(bytes.len()), bytes].concat();
    let request = wrap(0x0a, wrap(0x12, wrap(0x12, body)));
    let decoded = decode(Signal::Logs, Format::Protobuf, &request, &context(), &Translation::default()).unwrap();
    assert_eq!((decoded.batches.len(), decoded.rejected[0].reason), (0, "too_deep"));
}

fn length(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[test]
fn a_million_buckets_are_refused() {
    use crate::messages::{CUMULATIVE, exponential, exponential_point, histogram, histogram_point};
    use signalbox_proto::otlp::metrics::v1::{ExponentialHistogramDataPoint, HistogramDataPoint, exponential_histogram_data_point::Buckets};
    let many = Some(Buckets { offset: 0, bucket_counts: vec![0; 1_000_000] });
    let native = exponential(CUMULATIVE, vec![ExponentialHistogramDataPoint { positive: many, ..exponential_point() }]);
    let bounds: Vec<f64> = (0..100_000).map(f64::from).collect();
    let classic = histogram(CUMULATIVE, vec![HistogramDataPoint { bucket_counts: vec![0; 100_001], explicit_bounds: bounds, ..histogram_point() }]);
    for data in [native, classic] {
        let decoded = decode(Signal::Metrics, Format::Protobuf, &metrics(vec![metric("m", "", data)]), &context(), &Translation::default()).unwrap();
        assert_eq!((decoded.batches.len(), decoded.rejected[0].reason), (0, "invalid_histogram"));
    }
}
