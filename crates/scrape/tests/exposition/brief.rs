//! Every fuzz target, briefly and on stable: good pages, damaged.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use signalbox_proto::prometheus_client as wire;
use signalbox_testkit::mutate;

const MUTANTS: usize = 3000;

const TEXT: &[&[u8]] = &[
    b"# HELP a_total Of \\\\ things.\n# TYPE a_total counter\na_total{x=\"1\",y=\"a\\\"b\",} 1 1700000000000\n\n{\"with.dots\",\"a b\"=\"c\"} NaN\n",
    b"# TYPE h histogram\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 2.5e3\nh_count 4\n# TYPE s summary\ns{quantile=\"0.5\"} -Inf\n",
];

const OPEN_METRICS: &[&[u8]] = &[
    b"# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Of \\\"things\\\".\na_seconds_total{x=\"1\"} 1.0 12.5 # {trace_id=\"a\"} 0.5 1.5\na_seconds_created{x=\"1\"} 1\n# EOF\n",
    b"# TYPE h histogram\nh_bucket{le=\"-1\"} 3 # {} 1\nh_bucket{le=\"+Inf\"} 4\nh_count 4\n# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum 2\n# TYPE s stateset\ns{s=\"a\"} 1\n# EOF\n",
];

/// Delimited families: a counter with an exemplar, and a histogram that is classic and native.
fn protobuf() -> Vec<Vec<u8>> {
    let exemplar =
        wire::Exemplar { label: vec![wire::LabelPair { name: "trace_id".into(), value: "a".into() }], value: 1.0, timestamp: Some(wire::Timestamp::default()) };
    let counter = wire::Counter { value: 1.0, exemplar: Some(exemplar.clone()), start_timestamp: Some(wire::Timestamp { seconds: 1, nanos: 0 }) };
    let histogram = wire::Histogram {
        sample_count: 3,
        sample_sum: 2.5,
        schema: 9,
        zero_threshold: 0.5,
        zero_count: 1,
        positive_span: vec![wire::BucketSpan { offset: -3, length: 2 }],
        positive_delta: vec![1, 0],
        bucket: vec![wire::Bucket { cumulative_count: 2, upper_bound: 1.0, exemplar: Some(exemplar), ..Default::default() }],
        ..Default::default()
    };
    let metrics = [
        (0, wire::Metric { counter: Some(counter), timestamp_ms: 5, ..Default::default() }),
        (4, wire::Metric { histogram: Some(histogram), ..Default::default() }),
    ];
    let family = |(kind, metric): (i32, wire::Metric)| {
        let mut body = Vec::new();
        prost::encoding::string::encode(1, &"name".to_owned(), &mut body);
        prost::encoding::int32::encode(3, &kind, &mut body);
        prost::encoding::message::encode(4, &metric, &mut body);
        let mut page = Vec::new();
        prost::encoding::encode_varint(body.len() as u64, &mut page);
        page.extend(body);
        page
    };
    metrics.into_iter().map(family).collect()
}

#[test]
fn exposition_text() {
    mutate::bytes(TEXT, MUTANTS, bodies::exposition_text);
}

#[test]
fn exposition_open_metrics() {
    mutate::bytes(OPEN_METRICS, MUTANTS, bodies::exposition_open_metrics);
}

#[test]
fn exposition_protobuf() {
    let seeds = protobuf();
    for seed in &seeds {
        assert!(crate::conformance::read_protobuf(seed).is_ok_and(|samples| samples > 0), "the seeds are good: {seed:?}");
    }
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    mutate::bytes(&seeds, MUTANTS, bodies::exposition_protobuf);
}
