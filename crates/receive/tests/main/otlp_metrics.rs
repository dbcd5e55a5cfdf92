//! OTLP metrics as series: each test names the sentences of the compatibility specification that it proves.

use signalbox_model::batch::is_stale_nan;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{Batch, Histogram, MetricBatch, MetricKind, Rejected};
use signalbox_proto::otlp::common::v1::{InstrumentationScope, KeyValue, any_value::Value};
use signalbox_proto::otlp::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, Summary, SummaryDataPoint, exemplar, metric::Data,
    summary_data_point::ValueAtQuantile,
};
use signalbox_receive::otlp::{Strategy, Translation, metrics::decode};

use crate::messages::{
    CUMULATIVE, DELTA, START, TIME, any, exponential, exponential_point, gauge, histogram, histogram_point, metric, metrics, metrics_of, number, pair, pairs,
    sum,
};
use crate::rows::{labels_of, metric_lines};
use crate::support::{NOW_MS, context};

const START_MS: i64 = NOW_MS - 60_000;

fn translated(bytes: &[u8], translation: &Translation) -> (MetricBatch, Vec<Rejected>) {
    let mut decoded = decode(bytes, &context(), translation).unwrap();
    match decoded.batches.pop() {
        Some(Batch::Metrics(batch)) => (batch, decoded.rejected),
        _ => (MetricBatch::default(), decoded.rejected),
    }
}

fn batch(bytes: &[u8]) -> MetricBatch {
    let (batch, rejected) = translated(bytes, &Translation::default());
    assert_eq!(rejected, []);
    batch
}

/// The lines of samples and increments alone.
fn samples(batch: &MetricBatch) -> Vec<String> {
    metric_lines(batch).into_iter().filter(|line| line.starts_with("sample") || line.starts_with("delta")).collect()
}

fn one(name: &str, unit: &str, data: Data) -> Vec<u8> {
    metrics(vec![metric(name, unit, data)])
}

fn rejected(data: Data) -> &'static str {
    let (batch, rejected) = translated(&one("m", "", data), &Translation::default());
    assert_eq!((batch.series.len(), rejected.len(), rejected[0].rows), (0, 1, 1));
    rejected[0].reason
}

// PROMCOMPAT-053, PROMCOMPAT-056, PROMCOMPAT-065, PROMCOMPAT-066
#[test]
fn a_gauge_is_one_series_without_a_start() {
    let batch = batch(&one("cpu.temperature", "Cel", gauge(vec![number(41.5, pairs(&[("core.id", "0")]))])));
    assert_eq!(samples(&batch), [format!("sample cpu_temperature_celsius{{core_id=\"0\"}} {NOW_MS} 41.5 start=0")]);
    assert_eq!(batch.metadata[0].kind, MetricKind::Gauge);
}

// PROMCOMPAT-061, PROMCOMPAT-062
#[test]
fn description_type_and_unit_become_metadata() {
    let metric = Metric { description: "How hot it is".into(), ..metric("heat", "By/s", sum(CUMULATIVE, true, vec![number(1.0, vec![])])) };
    let batch = batch(&metrics(vec![metric]));
    let metadata = &batch.metadata[0];
    assert_eq!(
        (metadata.name.as_str(), metadata.kind, metadata.help.as_str(), metadata.unit.as_str()),
        ("heat_bytes_per_second_total", MetricKind::Counter, "How hot it is", "bytes_per_second")
    );
}

// PROMCOMPAT-067 (which spells it "unkown"), PROMCOMPAT-068, PROMCOMPAT-069
#[test]
fn a_hint_in_the_metadata_of_a_metric_decides_its_type() {
    for (hint, kind) in [
        ("unkown", MetricKind::Unknown),
        ("unknown", MetricKind::Unknown),
        ("info", MetricKind::Info),
        ("stateset", MetricKind::StateSet),
        ("gauge", MetricKind::Gauge),
    ] {
        let metric = Metric { metadata: pairs(&[("prometheus.type", hint)]), ..metric("m", "", gauge(vec![number(1.0, vec![])])) };
        assert_eq!(batch(&metrics(vec![metric])).metadata[0].kind, kind, "{hint}");
    }
}

// PROMCOMPAT-071, PROMCOMPAT-072, PROMCOMPAT-074, PROMCOMPAT-075
#[test]
fn a_monotonic_cumulative_sum_is_a_counter_with_its_start() {
    let counter = batch(&one("http.requests", "1", sum(CUMULATIVE, true, vec![number(7.0, vec![])])));
    assert_eq!(samples(&counter), [format!("sample http_requests_total {NOW_MS} 7 start={START_MS}")]);
    let named = batch(&one("requests_total", "", sum(CUMULATIVE, true, vec![number(7.0, vec![])])));
    assert_eq!(named.metadata[0].name, "requests_total");
    let up_down = batch(&one("queue.length", "", sum(CUMULATIVE, false, vec![number(7.0, vec![])])));
    assert_eq!((samples(&up_down), up_down.metadata[0].kind), (vec![format!("sample queue_length {NOW_MS} 7 start={START_MS}")], MetricKind::Gauge));
}

#[test]
fn deltas_are_handed_on_as_increments() {
    let batch = batch(&one("requests", "", sum(DELTA, true, vec![number(3.0, vec![])])));
    assert_eq!(samples(&batch), [format!("delta requests_total {NOW_MS} 3 start={START_MS}")]);
    assert_eq!(rejected(sum(0, true, vec![number(3.0, vec![])])), "invalid_temporality");
}

// PROMCOMPAT-079, PROMCOMPAT-080, PROMCOMPAT-081
#[test]
fn a_histogram_becomes_count_sum_and_cumulative_buckets() {
    for (temporality, word) in [(CUMULATIVE, "sample"), (DELTA, "delta")] {
        let batch = batch(&one("latency", "s", histogram(temporality, vec![histogram_point()])));
        let want = [
            format!("{word} latency_seconds_bucket{{le=\"+Inf\"}} {NOW_MS} 6 start={START_MS}"),
            format!("{word} latency_seconds_bucket{{le=\"0.5\"}} {NOW_MS} 1 start={START_MS}"),
            format!("{word} latency_seconds_bucket{{le=\"1\"}} {NOW_MS} 3 start={START_MS}"),
            format!("{word} latency_seconds_count {NOW_MS} 6 start={START_MS}"),
            format!("{word} latency_seconds_sum {NOW_MS} 7.5 start={START_MS}"),
        ];
        assert_eq!(samples(&batch), want);
        assert_eq!((batch.metadata[0].name.as_str(), batch.metadata[0].kind), ("latency_seconds", MetricKind::Histogram));
    }
    let without_sum = batch(&one(
        "l",
        "",
        histogram(CUMULATIVE, vec![HistogramDataPoint { sum: None, bucket_counts: vec![], explicit_bounds: vec![], ..histogram_point() }]),
    ));
    assert_eq!(samples(&without_sum).len(), 2);
    for bounds in [vec![1.0, 0.5], vec![0.5, 0.5], vec![0.5, f64::NAN], vec![0.5]] {
        assert_eq!(rejected(histogram(CUMULATIVE, vec![HistogramDataPoint { explicit_bounds: bounds, ..histogram_point() }])), "invalid_histogram");
    }
}

// PROMCOMPAT-097, PROMCOMPAT-098, PROMCOMPAT-099, PROMCOMPAT-104, PROMCOMPAT-110, PROMCOMPAT-112
#[test]
fn an_exponential_histogram_becomes_a_native_one() {
    for (temporality, is_delta) in [(CUMULATIVE, false), (DELTA, true)] {
        let batch = batch(&one("size", "By", exponential(temporality, vec![exponential_point()])));
        let sample = &batch.histograms[0];
        assert_eq!(
            (labels_of(&batch, sample.series).to_string().as_str(), sample.ts_ms, sample.start_ms, sample.is_delta),
            ("size_bytes", NOW_MS, START_MS, is_delta)
        );
        let want = Histogram {
            schema: 3,
            zero_threshold: 1e-128,
            zero_count: 1.0,
            count: 10.0,
            sum: 3.5,
            is_integer: true,
            reset_hint: ResetHint::Unknown,
            positive_spans: vec![Span { offset: 4, length: 1 }, Span { offset: 2, length: 2 }],
            positive_buckets: vec![1.0, 2.0, 3.0],
            negative_spans: vec![Span { offset: 0, length: 1 }],
            negative_buckets: vec![2.0],
            custom_values: vec![],
        };
        assert_eq!(sample.histogram, want);
    }
}

// PROMCOMPAT-100, PROMCOMPAT-101, PROMCOMPAT-102, PROMCOMPAT-109
#[test]
fn exponential_histograms_that_do_not_fit_are_coarsened_or_dropped() {
    let finer = batch(&one("m", "", exponential(CUMULATIVE, vec![ExponentialHistogramDataPoint { scale: 10, ..exponential_point() }])));
    // Offset 3 at scale 10 is index 0 at scale 8: positions 3, 6, 7 become 0, 1, 1.
    assert_eq!((finer.histograms[0].histogram.schema, &finer.histograms[0].histogram.positive_buckets), (8, &vec![1.0, 5.0]));
    let edge = ExponentialHistogramDataPoint { scale: -4, zero_threshold: 0.25, ..exponential_point() };
    assert_eq!(batch(&one("m", "", exponential(CUMULATIVE, vec![edge]))).histograms[0].histogram.zero_threshold, 0.25);
    let beyond = Some(signalbox_proto::otlp::metrics::v1::exponential_histogram_data_point::Buckets { offset: i32::MAX, bucket_counts: vec![1] });
    for point in [
        ExponentialHistogramDataPoint { scale: -5, ..exponential_point() },
        ExponentialHistogramDataPoint { sum: None, ..exponential_point() },
        ExponentialHistogramDataPoint { positive: beyond, ..exponential_point() },
        ExponentialHistogramDataPoint { count: 8, ..exponential_point() },
        ExponentialHistogramDataPoint { zero_threshold: -1.0, ..exponential_point() },
    ] {
        assert_eq!(rejected(exponential(CUMULATIVE, vec![point])), "invalid_histogram");
    }
}

// PROMCOMPAT-105, PROMCOMPAT-106, PROMCOMPAT-107, PROMCOMPAT-108
#[test]
fn no_recorded_value_is_a_staleness_marker() {
    let stale = ExponentialHistogramDataPoint { flags: 1, ..exponential_point() };
    let native = batch(&one("m", "", exponential(DELTA, vec![stale])));
    let sample = &native.histograms[0];
    assert!(is_stale_nan(sample.histogram.sum) && !sample.is_delta);
    assert_eq!(
        (sample.histogram.count, sample.histogram.zero_count, sample.histogram.positive_spans.len(), sample.histogram.negative_spans.len()),
        (0.0, 0.0, 0, 0)
    );
    for data in [
        gauge(vec![NumberDataPoint { flags: 1, value: None, ..number(0.0, vec![]) }]),
        sum(DELTA, true, vec![NumberDataPoint { flags: 1, ..number(5.0, vec![]) }]),
        histogram(DELTA, vec![HistogramDataPoint { flags: 1, ..histogram_point() }]),
    ] {
        let batch = batch(&one("m", "", data));
        assert!(batch.deltas.is_empty() && !batch.samples.is_empty() && batch.samples.value.iter().all(|value| is_stale_nan(*value)));
    }
    assert_eq!(rejected(gauge(vec![NumberDataPoint { value: None, ..number(0.0, vec![]) }])), "no_value");
}

// PROMCOMPAT-113, PROMCOMPAT-114
#[test]
fn a_summary_becomes_quantiles_count_and_sum() {
    let quantile = |quantile: f64, value: f64| ValueAtQuantile { quantile, value };
    let point = SummaryDataPoint {
        attributes: pairs(&[("a", "b")]),
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 4,
        sum: 9.0,
        quantile_values: vec![quantile(0.99, 3.0), quantile(0.5, 2.0), quantile(1.0, 4.0), quantile(0.0, 1.0)],
        flags: 0,
    };
    let summary = |point: SummaryDataPoint| Data::Summary(Summary { data_points: vec![point] });
    let batch = batch(&one("wait", "s", summary(point.clone())));
    let quantiles: Vec<&str> = (2..6).map(|row| labels_of(&batch, batch.samples.series[row]).get("quantile").unwrap()).collect();
    assert_eq!(quantiles, ["0", "0.5", "0.99", "1"]);
    let lines = samples(&batch);
    assert!(lines.contains(&format!("sample wait_seconds_sum{{a=\"b\"}} {NOW_MS} 9 start={START_MS}")), "{lines:?}");
    assert!(lines.contains(&format!("sample wait_seconds_count{{a=\"b\"}} {NOW_MS} 4 start={START_MS}")), "{lines:?}");
    assert!(lines.contains(&format!("sample wait_seconds{{a=\"b\", quantile=\"0.5\"}} {NOW_MS} 2 start=0")), "{lines:?}");
    for wrong in [-0.1, 1.1, f64::NAN] {
        assert_eq!(rejected(summary(SummaryDataPoint { quantile_values: vec![quantile(wrong, 1.0)], ..point.clone() })), "invalid_summary");
    }
}

// PROMCOMPAT-117, PROMCOMPAT-118, PROMCOMPAT-121
#[test]
fn attributes_become_labels_and_collisions_are_joined() {
    let array = Value::ArrayValue(signalbox_proto::otlp::common::v1::ArrayValue { values: vec![any(Value::IntValue(1)), any(Value::StringValue("x".into()))] });
    let attributes = vec![
        pair("b_c", any(Value::StringValue("last".into()))),
        pair("b.c", any(Value::IntValue(-3))),
        pair("b-c", any(Value::BoolValue(true))),
        pair("double", any(Value::DoubleValue(0.5))),
        pair("bytes", any(Value::BytesValue(vec![0xfb, 0xff]))),
        pair("list", any(array)),
        KeyValue { key: "nothing".into(), ..KeyValue::default() },
    ];
    let batch = batch(&one("m", "", gauge(vec![number(1.0, attributes)])));
    assert_eq!(labels_of(&batch, 0).to_string(), r#"m{b_c="true;-3;last", bytes="+/8=", double="0.5", list="[1,\"x\"]"}"#);
}

// PROMCOMPAT-063, PROMCOMPAT-064
#[test]
fn the_scope_becomes_labels() {
    let scope = InstrumentationScope {
        name: "lib".into(),
        version: "1.2".into(),
        attributes: pairs(&[("team.name", "payments"), ("name", "dropped"), ("version", "dropped"), ("schema.url", "dropped")]),
        dropped_attributes_count: 0,
    };
    let point = number(1.0, pairs(&[("otel_scope_name", "attribute")]));
    let bytes = metrics_of(vec![], scope, "https://schema", vec![metric("m", "", gauge(vec![point]))]);
    let with = translated(&bytes, &Translation::default()).0;
    let want = r#"m{otel_scope_name="lib;attribute", otel_scope_schema_url="https://schema", otel_scope_team_name="payments", otel_scope_version="1.2"}"#;
    let labels = labels_of(&with, 0).to_string();
    assert!(labels == want || labels == want.replace("lib;attribute", "attribute;lib"), "{labels}");
    let without = translated(&bytes, &Translation { scope_labels: false, ..Translation::default() }).0;
    assert_eq!(labels_of(&without, 0).to_string(), r#"m{otel_scope_name="attribute"}"#);
}

// PROMCOMPAT-128, PROMCOMPAT-129, PROMCOMPAT-130, PROMCOMPAT-131, PROMCOMPAT-132, PROMCOMPAT-133, PROMCOMPAT-135, PROMCOMPAT-136
#[test]
fn the_resource_becomes_job_instance_and_target_info() {
    let mut attributes = pairs(&[("service.name", "checkout"), ("service.namespace", "shop"), ("service.instance.id", "i-1"), ("host.name", "node")]);
    attributes.push(pair("process.pid", any(Value::IntValue(7))));
    let point = number(1.0, pairs(&[("job", "attribute"), ("a", "b")]));
    let batch = batch(&metrics_of(attributes, InstrumentationScope::default(), "", vec![metric("m", "", gauge(vec![point]))]));
    let want = [
        format!(r#"sample m{{a="b", instance="i-1", job="shop/checkout"}} {NOW_MS} 1 start=0"#),
        format!(r#"sample target_info{{host_name="node", instance="i-1", job="shop/checkout", process_pid="7"}} {NOW_MS} 1 start=0"#),
    ];
    assert_eq!(samples(&batch), want);
    assert_eq!(batch.metadata.iter().find(|metadata| metadata.name == "target_info").unwrap().kind, MetricKind::Info);
}

// PROMCOMPAT-130, PROMCOMPAT-134
#[test]
fn a_target_is_told_once_and_only_if_there_is_something_to_tell() {
    use prost::Message as _;
    use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceRequest as Request;
    let of = |attributes| metrics_of(attributes, InstrumentationScope::default(), "", vec![metric("m", "", gauge(vec![number(1.0, vec![])]))]);
    let mut request = Request::decode(&*of(pairs(&[("service.name", "s"), ("host.name", "first")]))).unwrap();
    request.resource_metrics.extend(Request::decode(&*of(pairs(&[("service.name", "s"), ("host.name", "second")]))).unwrap().resource_metrics);
    let told = samples(&batch(&request.encode_to_vec()));
    assert_eq!(
        told.iter().filter(|line| line.contains("target_info")).collect::<Vec<_>>(),
        [&format!(r#"sample target_info{{host_name="first", job="s"}} {NOW_MS} 1 start=0"#)]
    );
    for attributes in [pairs(&[("service.name", "s")]), pairs(&[("host.name", "alone")]), vec![]] {
        assert_eq!(samples(&batch(&of(attributes))).len(), 1);
    }
    assert_eq!(samples(&translated(&request.encode_to_vec(), &Translation { target_info: false, ..Translation::default() }).0).len(), 2);
}

// PROMCOMPAT-076, PROMCOMPAT-122, PROMCOMPAT-123, PROMCOMPAT-124, PROMCOMPAT-125, PROMCOMPAT-126
#[test]
fn exemplars_keep_identifiers_time_and_attributes() {
    let exemplar = |value: f64| Exemplar {
        filtered_attributes: pairs(&[("user.id", "u1"), ("trace_id", "attribute")]),
        time_unix_nano: TIME - 1_000_000,
        span_id: vec![2; 8],
        trace_id: vec![1; 16],
        value: Some(exemplar::Value::AsDouble(value)),
    };
    let counter = batch(&one("c", "", sum(CUMULATIVE, true, vec![NumberDataPoint { exemplars: vec![exemplar(1.5)], ..number(1.0, vec![]) }])));
    let line =
        |labels: &str, value: &str| format!("exemplar {labels} {} {value} trace={} span={} {{user.id=\"u1\"}}", NOW_MS - 1, "01".repeat(16), "02".repeat(8));
    let lines = |batch: &MetricBatch| metric_lines(batch).into_iter().filter(|line| line.starts_with("exemplar")).collect::<Vec<_>>();
    assert_eq!(lines(&counter), [line("c_total", "1.5")]);
    // An exemplar of a histogram belongs to the bucket it falls into; bounds are inclusive.
    let point = HistogramDataPoint { exemplars: vec![exemplar(0.5), exemplar(0.75), exemplar(9.0)], ..histogram_point() };
    let buckets = batch(&one("h", "", histogram(CUMULATIVE, vec![point])));
    assert_eq!(lines(&buckets), [line("h_bucket{le=\"+Inf\"}", "9"), line("h_bucket{le=\"0.5\"}", "0.5"), line("h_bucket{le=\"1\"}", "0.75")]);
    let native = batch(&one("e", "", exponential(CUMULATIVE, vec![ExponentialHistogramDataPoint { exemplars: vec![exemplar(4.0)], ..exponential_point() }])));
    assert_eq!(lines(&native), [line("e", "4")]);
}

#[test]
fn names_that_vanish_are_rejected_and_the_rest_goes_on() {
    let bytes = metrics(vec![
        metric("ようこそ", "", gauge(vec![number(1.0, vec![]); 2])),
        metric("fine", "", gauge(vec![number(1.0, pairs(&[("ok", "1")])), number(1.0, pairs(&[("@", "1")]))])),
    ]);
    let (batch, rejected) = translated(&bytes, &Translation::default());
    assert_eq!(samples(&batch).len(), 1);
    let reasons: Vec<_> = rejected.iter().map(|rejected| (rejected.reason, rejected.rows)).collect();
    assert_eq!(reasons, [("invalid_metric_name", 2), ("invalid_label_name", 1)]);
    let kept = translated(&bytes, &Translation { strategy: Strategy::NoTranslation, ..Translation::default() });
    assert_eq!((samples(&kept.0).len(), kept.1), (4, vec![]));
}

#[test]
fn a_key_names_one_series_and_tells_apart_what_differs() {
    use std::collections::BTreeMap;
    let variants = [
        one("m", "", gauge(vec![number(1.0, pairs(&[("a", "b")]))])),
        one("m", "", gauge(vec![number(1.0, pairs(&[("a", "c")]))])),
        one("m", "s", gauge(vec![number(1.0, pairs(&[("a", "b")]))])),
        one("m", "", sum(CUMULATIVE, true, vec![number(1.0, pairs(&[("a", "b")]))])),
        one("m", "", histogram(CUMULATIVE, vec![histogram_point()])),
        metrics_of(pairs(&[("service.name", "s")]), InstrumentationScope::default(), "", vec![metric("m", "", gauge(vec![number(1.0, pairs(&[("a", "b")]))]))]),
        metrics_of(
            vec![],
            InstrumentationScope { name: "n".into(), ..InstrumentationScope::default() },
            "",
            vec![metric("m", "", gauge(vec![number(1.0, pairs(&[("a", "b")]))]))],
        ),
        metrics_of(vec![], InstrumentationScope::default(), "u", vec![metric("m", "", gauge(vec![number(1.0, pairs(&[("a", "b")]))]))]),
    ];
    let mut labels_by_key = BTreeMap::new();
    for bytes in &variants {
        for round in 0..2 {
            for entry in batch(bytes).series {
                let signalbox_model::SeriesEntry::New { key, labels } = entry else { panic!("nothing is known") };
                let before = labels_by_key.insert(key, labels.clone());
                assert!(before.is_none_or(|before| round == 1 && before == labels), "one key, two series");
            }
        }
    }
    assert_eq!(labels_by_key.len(), 12);
}
