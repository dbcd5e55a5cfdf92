//! Remote write 1.0 and 2.0: each test names the sentences of the specifications that it proves.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prost::Message as _;
use signalbox_model::batch::is_stale_nan;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{Batch, ErrorKind, MetricBatch, MetricKind, Rejected};
use signalbox_proto::{remote_write_v1 as v1, remote_write_v2 as v2};
use signalbox_receive::http::BodyLimits;
use signalbox_receive::remote_write::{Settings, Version, decode, routes};

use crate::rows::metric_lines;
use crate::support::{Answer, Memory, NOW_MS, context, entry, post};

pub(crate) const V1: &str = "application/x-protobuf";
pub(crate) const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

fn door() -> (Arc<Memory>, Router) {
    let sink = Arc::new(Memory::default());
    let router = routes(entry(&sink), Settings::default());
    (sink, router)
}

fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

async fn write(router: &Router, content_type: &str, plain: &[u8]) -> Answer {
    post(
        router,
        "/api/v1/write",
        &[("content-type", content_type), ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", "0.1.0")],
        snappy(plain),
    )
    .await
}

fn written(answer: &Answer) -> [&str; 3] {
    ["samples", "histograms", "exemplars"].map(|what| answer.header(&format!("x-prometheus-remote-write-{what}-written")))
}

fn label(name: &str, value: &str) -> v1::Label {
    v1::Label { name: name.into(), value: value.into() }
}

fn series_v1(labels: &[(&str, &str)]) -> v1::TimeSeries {
    let labels = labels.iter().map(|(name, value)| label(name, value)).collect();
    v1::TimeSeries { labels, samples: vec![v1::Sample { value: 1.5, timestamp: NOW_MS }], ..v1::TimeSeries::default() }
}

fn request_v1(timeseries: Vec<v1::TimeSeries>) -> Vec<u8> {
    v1::WriteRequest { timeseries, metadata: vec![] }.encode_to_vec()
}

/// A request whose symbols are those of the pairs.
fn request_v2(series: &[(&[(&str, &str)], v2::TimeSeries)]) -> Vec<u8> {
    let mut request = v2::Request { symbols: vec![String::new(), "the help".into(), "seconds".into()], timeseries: vec![] };
    for (labels, series) in series {
        let mut series = series.clone();
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            let found = request.symbols.iter().position(|symbol| symbol == text);
            let at = found.unwrap_or_else(|| {
                request.symbols.push((*text).to_owned());
                request.symbols.len() - 1
            });
            series.labels_refs.push(at as u32);
        }
        request.timeseries.push(series);
    }
    request.encode_to_vec()
}

fn samples_v2(value: f64) -> v2::TimeSeries {
    v2::TimeSeries { samples: vec![v2::Sample { value, timestamp: NOW_MS, start_timestamp: 0 }], ..v2::TimeSeries::default() }
}

fn decoded(version: Version, bytes: &[u8]) -> (MetricBatch, Vec<Rejected>) {
    let mut decoded = decode(version, bytes, &context()).unwrap();
    match decoded.batches.pop() {
        Some(Batch::Metrics(batch)) => (batch, decoded.rejected),
        _ => (MetricBatch::default(), decoded.rejected),
    }
}

fn integer_histogram() -> v2::Histogram {
    let span = |offset, length| v2::BucketSpan { offset, length };
    v2::Histogram {
        count: Some(v2::histogram::Count::Int(12)),
        sum: 18.4,
        schema: 1,
        zero_threshold: 0.001,
        zero_count: Some(v2::histogram::ZeroCount::Int(2)),
        negative_spans: vec![span(0, 1)],
        negative_deltas: vec![1],
        positive_spans: vec![span(-2, 2), span(1, 2)],
        positive_deltas: vec![1, 1, -1, 3],
        timestamp: NOW_MS,
        start_timestamp: NOW_MS - 1000,
        ..v2::Histogram::default()
    }
}

// PRW1-003, PRW1-006, PRW1-007, PRW1-010, PRW1-012, PRW1-015, PRW1-041, PRW1-047
#[tokio::test]
async fn version_1_is_taken_with_204_at_both_paths() {
    let (sink, router) = door();
    let body = snappy(&request_v1(vec![series_v1(&[("__name__", "up"), ("job", "x")])]));
    for path in ["/api/v1/write", "/prometheus/api/v1/write"] {
        let headers =
            [("content-type", V1), ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", "0.1.0"), ("user-agent", "Prometheus/2.42.0")];
        let answer = post(&router, path, &headers, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.body.len(), written(&answer)), (204, 0, ["1", "0", "0"]));
    }
    let batches = sink.batches();
    let [Batch::Metrics(batch), _] = &batches[..] else { panic!("two batches of metrics") };
    assert_eq!(metric_lines(batch), [format!("sample up{{job=\"x\"}} {NOW_MS} 1.5 start=0")]);
}

// PRW2-002, PRW2-003, PRW2-007, PRW2-018, PRW2-021, PRW2-024: the content type decides, not the version header.
#[tokio::test]
async fn the_content_type_says_which_message_it_is() {
    let (sink, router) = door();
    let first = request_v1(vec![series_v1(&[("__name__", "one")])]);
    let second = request_v2(&[(&[("__name__", "two")], samples_v2(2.0))]);
    for content_type in [V1, "application/x-protobuf;proto=prometheus.WriteRequest", "application/x-protobuf; proto=\"prometheus.WriteRequest\""] {
        assert_eq!(write(&router, content_type, &first).await.status, 204, "{content_type}");
    }
    assert_eq!(post(&router, "/api/v1/write", &[], snappy(&first)).await.status, 204, "early senders name neither type nor encoding");
    assert_eq!(write(&router, V2, &second).await.status, 204);
    assert_eq!(sink.rows(), 5);
    // Read as the other message both are empty: that is why their field numbers differ.
    assert_eq!(written(&write(&router, V1, &second).await), ["0", "0", "0"]);
}

// PRW2-047
#[tokio::test]
async fn other_types_and_encodings_are_415() {
    let (sink, router) = door();
    let plain = request_v1(vec![series_v1(&[("__name__", "one")])]);
    for content_type in ["application/json", "text/plain", "application/x-protobuf;proto=io.prometheus.write.v3.Request", "application/x-protobuf;proto"] {
        let answer = write(&router, content_type, &plain).await;
        assert_eq!((answer.status.as_u16(), written(&answer)), (415, ["0", "0", "0"]), "{content_type}");
        assert!(!answer.body.is_empty());
    }
    for encoding in ["gzip", "zstd", "identity", "framed"] {
        let answer = post(&router, "/api/v1/write", &[("content-type", V1), ("content-encoding", encoding)], snappy(&plain)).await;
        assert_eq!(answer.status, 415, "{encoding}");
    }
    assert_eq!(sink.rows(), 0);
}

// PRW1-011, PRW1-043, PRW2-008, PRW2-009, PRW2-010, PRW2-017
#[tokio::test]
async fn a_body_that_is_no_snappy_block_of_a_message_is_400() {
    let (sink, router) = door();
    let plain = request_v1(vec![series_v1(&[("__name__", "one")])]);
    let mut framed = snap::write::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut framed, &plain).unwrap();
    for body in [plain.clone(), framed.into_inner().unwrap(), snappy(b"\xff\xff not protobuf"), snappy(&plain[..plain.len() - 1]), vec![]] {
        for content_type in [V1, V2] {
            let answer = post(&router, "/api/v1/write", &[("content-type", content_type), ("content-encoding", "snappy")], body.clone()).await;
            assert!(matches!(answer.status.as_u16(), 400 | 413), "{}", answer.status);
            assert!(!answer.body.is_empty());
        }
    }
    assert_eq!(sink.rows(), 0);
}

#[tokio::test]
async fn a_body_past_the_limit_is_413_before_it_is_unpacked() {
    let sink = Arc::new(Memory::default());
    let limits = BodyLimits { bytes_max: 10_000, ..BodyLimits::default() };
    let router = routes(entry(&sink), Settings { limits });
    assert_eq!(write(&router, V1, &vec![0; 20_000]).await.status, 413);
}

// PRW1-023, PRW1-024, PRW1-025, PRW1-026, PRW1-033, PRW2-050, PRW2-077, PRW2-079, PRW2-080, PRW2-081
#[tokio::test]
async fn series_with_invalid_labels_are_400_and_the_rest_is_written() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("__name__", "m"), ("a", "1"), ("a", "2")], "repeated"),
        (&[("__name__", "m"), ("b", "1"), ("a", "2")], "out of order"),
        (&[("__name__", "m"), ("a", "")], "empty value"),
        (&[("", "x"), ("__name__", "m")], "empty name"),
        (&[("a", "1")], "no metric name"),
        (&[], "no metric name"),
    ];
    for (labels, message) in cases {
        let good: &[(&str, &str)] = &[("__name__", "good")];
        let first = request_v1(vec![series_v1(labels), series_v1(good)]);
        let second = request_v2(&[(labels, samples_v2(1.0)), (good, samples_v2(2.0))]);
        for (content_type, body) in [(V1, first), (V2, second)] {
            let (sink, router) = door();
            let answer = write(&router, content_type, &body).await;
            assert_eq!((answer.status.as_u16(), written(&answer), sink.rows()), (400, ["1", "0", "0"], 1), "{labels:?}");
            let body = String::from_utf8(answer.body).unwrap();
            assert!(body.contains(message) && body.starts_with("1 rejected (invalid_labels)"), "{body}");
        }
    }
}

// PRW1-027, PRW1-028, PRW2-082: what is sent outside the older rules for names is kept, as 2.0 allows it.
#[test]
fn names_may_be_any_utf_8() {
    let pairs: &[(&str, &str)] = &[("__name__", "métric.name"), ("label with space", "line\nfeed")];
    for (version, bytes) in [(Version::V1, request_v1(vec![series_v1(pairs)])), (Version::V2, request_v2(&[(pairs, samples_v2(1.0))]))] {
        let (batch, rejected) = decoded(version, &bytes);
        assert_eq!((batch.samples.len(), rejected), (1, vec![]));
    }
}

// PRW2-028, PRW2-031, PRW2-032, PRW2-035, PRW2-036, PRW2-037, PRW2-046
#[tokio::test]
async fn counts_of_what_was_written_are_told_in_success_and_failure() {
    let exemplar = v2::Exemplar { labels_refs: vec![], value: 1.0, timestamp: NOW_MS };
    let full = v2::TimeSeries { exemplars: vec![exemplar], ..samples_v2(1.0) };
    let native = v2::TimeSeries { histograms: vec![integer_histogram(), integer_histogram()], ..v2::TimeSeries::default() };
    let body = request_v2(&[(&[("__name__", "a")], full), (&[("__name__", "b")], native)]);
    let (sink, router) = door();
    let answer = write(&router, V2, &body).await;
    assert_eq!((answer.status.as_u16(), written(&answer), answer.body.len()), (204, ["1", "2", "1"], 0));

    *sink.reject.lock() = vec![Rejected { rows: 1, reason: "too_old", message: "old".into() }];
    let answer = write(&router, V2, &body).await;
    assert_eq!((answer.status.as_u16(), written(&answer)), (400, ["0", "2", "1"]));
    assert_eq!(answer.body, b"1 rejected (too_old): old");
}

// PRW1-042, PRW2-061: a write that failed as a whole is 5xx or 429 and may be sent again: the same samples replace themselves.
#[tokio::test]
async fn failures_are_retryable_with_a_time() {
    let (sink, router) = door();
    for (kind, status) in [(ErrorKind::Unavailable, 503), (ErrorKind::Limit, 429), (ErrorKind::Internal, 503)] {
        *sink.refuse.lock() = Some((kind, Some(Duration::from_secs(4))));
        let answer = write(&router, V2, &request_v2(&[(&[("__name__", "a")], samples_v2(1.0))])).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after"), written(&answer)), (status, "4", ["0", "0", "0"]), "{kind:?}");
    }
}

// PRW2-062: fields that a later 2.x adds do not hinder.
#[test]
fn fields_of_later_versions_are_passed_over() {
    for (version, mut bytes) in
        [(Version::V1, request_v1(vec![series_v1(&[("__name__", "a")])])), (Version::V2, request_v2(&[(&[("__name__", "a")], samples_v2(1.0))]))]
    {
        bytes.extend_from_slice(&[0xf2, 0x3e, 3, b'n', b'e', b'w', 0xf8, 0x3e, 1]);
        assert_eq!(decoded(version, &bytes).0.samples.len(), 1);
    }
}

// PRW1-045, PRW2-095
#[test]
fn staleness_markers_keep_their_bits() {
    let stale = v1::TimeSeries { samples: vec![v1::Sample { value: STALE, timestamp: NOW_MS }], ..series_v1(&[("__name__", "a")]) };
    assert!(is_stale_nan(decoded(Version::V1, &request_v1(vec![stale])).0.samples.value[0]));
    assert!(is_stale_nan(decoded(Version::V2, &request_v2(&[(&[("__name__", "a")], samples_v2(STALE))])).0.samples.value[0]));
    let native = v2::TimeSeries { histograms: vec![v2::Histogram { sum: STALE, timestamp: NOW_MS, ..v2::Histogram::default() }], ..v2::TimeSeries::default() };
    assert!(is_stale_nan(decoded(Version::V2, &request_v2(&[(&[("__name__", "a")], native)])).0.histograms[0].histogram.sum));
}

// PRW2-065, PRW2-066, PRW2-091, PRW2-092
#[test]
fn start_timestamps_are_kept_and_zero_is_none() {
    let sample = |start_timestamp| v2::Sample { value: 1.0, timestamp: NOW_MS, start_timestamp };
    let series = v2::TimeSeries { samples: vec![sample(0), sample(-1), sample(NOW_MS - 5)], ..v2::TimeSeries::default() };
    let (batch, _) = decoded(Version::V2, &request_v2(&[(&[("__name__", "a")], series.clone())]));
    assert_eq!(batch.samples.start_ms, [0, -1, NOW_MS - 5]);
    // Prometheus up to 3.7 has one for the series.
    let created = v2::TimeSeries { created_timestamp: 7, ..series };
    assert_eq!(decoded(Version::V2, &request_v2(&[(&[("__name__", "a")], created)])).0.samples.start_ms, [7, -1, NOW_MS - 5]);
    let native = v2::TimeSeries { histograms: vec![integer_histogram()], ..v2::TimeSeries::default() };
    assert_eq!(decoded(Version::V2, &request_v2(&[(&[("__name__", "a")], native)])).0.histograms[0].start_ms, NOW_MS - 1000);
}

#[test]
fn integer_and_float_histograms_become_absolute_counts() {
    let of = |histogram: v2::Histogram| {
        let native = v2::TimeSeries { histograms: vec![histogram], ..v2::TimeSeries::default() };
        let (batch, rejected) = decoded(Version::V2, &request_v2(&[(&[("__name__", "a")], native)]));
        assert_eq!(rejected, []);
        batch.histograms[0].histogram.clone()
    };
    let integer = of(integer_histogram());
    assert_eq!((integer.count, integer.zero_count, integer.sum, integer.schema, integer.is_integer), (12.0, 2.0, 18.4, 1, true));
    assert_eq!(
        (integer.positive_spans.as_slice(), integer.positive_buckets.as_slice()),
        (&[Span { offset: -2, length: 2 }, Span { offset: 1, length: 2 }][..], &[1.0, 2.0, 1.0, 4.0][..])
    );
    assert_eq!(integer.negative_buckets, [1.0]);
    let float = of(v2::Histogram {
        count: Some(v2::histogram::Count::Float(4.5)),
        positive_spans: vec![v2::BucketSpan { offset: 1, length: 2 }],
        positive_counts: vec![1.5, 3.0],
        reset_hint: 3,
        ..v2::Histogram::default()
    });
    assert_eq!((float.count, float.is_integer, float.positive_buckets, float.reset_hint), (4.5, false, vec![1.5, 3.0], ResetHint::Gauge));
    let custom = of(v2::Histogram {
        count: Some(v2::histogram::Count::Int(3)),
        schema: -53,
        positive_spans: vec![v2::BucketSpan { offset: 0, length: 3 }],
        positive_deltas: vec![1, 0, 0],
        custom_values: vec![0.5, 5.0],
        ..v2::Histogram::default()
    });
    assert_eq!((custom.schema, custom.custom_values, custom.positive_buckets), (-53, vec![0.5, 5.0], vec![1.0, 1.0, 1.0]));
    let fine = of(v2::Histogram {
        count: Some(v2::histogram::Count::Int(10)),
        schema: 9,
        positive_spans: vec![v2::BucketSpan { offset: 1, length: 4 }],
        positive_deltas: vec![1, 1, 1, 1],
        ..v2::Histogram::default()
    });
    assert_eq!((fine.schema, fine.positive_spans, fine.positive_buckets), (8, vec![Span { offset: 1, length: 2 }], vec![3.0, 7.0]));
}

#[tokio::test]
async fn histograms_that_contradict_themselves_are_rejected() {
    let good = integer_histogram;
    let span = |offset, length| v2::BucketSpan { offset, length };
    let cases = [
        v2::Histogram { count: Some(v2::histogram::Count::Int(3)), ..good() },
        v2::Histogram { schema: -9, ..good() },
        v2::Histogram { positive_deltas: vec![1, 1, -1, -3], ..good() },
        v2::Histogram { positive_spans: vec![span(0, u32::MAX)], ..good() },
        v2::Histogram { positive_spans: vec![span(0, 2), span(-1, 2)], ..good() },
        v2::Histogram { positive_spans: vec![span(i32::MAX, 4)], ..good() },
        v2::Histogram { positive_deltas: vec![i64::MAX, i64::MAX, 0, 0], ..good() },
        v2::Histogram { zero_threshold: f64::NAN, ..good() },
        v2::Histogram { custom_values: vec![1.0], ..good() },
        v2::Histogram { schema: -53, custom_values: vec![2.0, 1.0], ..good() },
        v2::Histogram { schema: -53, negative_spans: vec![], negative_deltas: vec![], zero_count: None, custom_values: vec![1.0], ..good() },
    ];
    for case in cases {
        let native = v2::TimeSeries { histograms: vec![case.clone(), good()], ..v2::TimeSeries::default() };
        let (_, router) = door();
        let answer = write(&router, V2, &request_v2(&[(&[("__name__", "a")], native)])).await;
        assert_eq!((answer.status.as_u16(), written(&answer)), (400, ["0", "1", "0"]), "{case:?}");
    }
}

// PRW2-067, PRW2-069, PRW2-070, PRW2-074, PRW2-075, PRW2-076
#[tokio::test]
async fn symbols_and_references_are_checked() {
    let (_, router) = door();
    let series = |labels_refs: Vec<u32>| v2::TimeSeries { labels_refs, ..samples_v2(1.0) };
    let symbols = |first: &str| vec![first.to_owned(), "__name__".into(), "m".into()];
    for (symbols, refs) in [
        (symbols(""), vec![1, 3]),
        (symbols(""), vec![1]),
        (symbols(""), vec![]),
        (symbols("x"), vec![1, 2]),
        (vec![], vec![]),
        (symbols(""), vec![1, u32::MAX]),
    ] {
        let body = v2::Request { symbols, timeseries: vec![series(refs.clone())] }.encode_to_vec();
        let answer = write(&router, V2, &body).await;
        assert_eq!((answer.status.as_u16(), written(&answer)), (400, ["0", "0", "0"]), "{refs:?}");
    }
    let mixed = v2::TimeSeries { histograms: vec![integer_histogram()], ..samples_v2(1.0) };
    let answer = write(&router, V2, &request_v2(&[(&[("__name__", "m")], mixed)])).await;
    assert_eq!(answer.status, 400);
    let bad_help = v2::TimeSeries { metadata: Some(v2::Metadata { r#type: 1, help_ref: 99, unit_ref: 0 }), ..samples_v2(1.0) };
    assert_eq!(write(&router, V2, &request_v2(&[(&[("__name__", "m")], bad_help)])).await.status, 400);
}

// PRW2-068
#[tokio::test]
async fn a_series_without_samples_is_refused_unless_it_has_exemplars() {
    let (_, router) = door();
    let exemplar = v2::Exemplar { labels_refs: vec![], value: 1.0, timestamp: NOW_MS };
    let only_metadata = v2::TimeSeries { metadata: Some(v2::Metadata { r#type: 1, help_ref: 1, unit_ref: 0 }), ..v2::TimeSeries::default() };
    assert_eq!(write(&router, V2, &request_v2(&[(&[("__name__", "m")], only_metadata)])).await.status, 400);
    let only_exemplar = v2::TimeSeries { exemplars: vec![exemplar], ..v2::TimeSeries::default() };
    let answer = write(&router, V2, &request_v2(&[(&[("__name__", "m")], only_exemplar)])).await;
    assert_eq!((answer.status.as_u16(), written(&answer)), (204, ["0", "0", "1"]));
}

// PRW2-099, PRW2-102
#[test]
fn exemplars_keep_value_time_and_labels() {
    let trace = "0123456789abcdef0123456789abcdef";
    let symbols = ["", "__name__", "m", "trace_id", trace, "span_id", "00f067aa0ba902b7", "user", "u1", "not a trace"];
    let exemplar = |labels_refs: &[u32]| v2::Exemplar { labels_refs: labels_refs.to_vec(), value: 0.25, timestamp: NOW_MS - 3 };
    let series =
        v2::TimeSeries { labels_refs: vec![1, 2], exemplars: vec![exemplar(&[3, 4, 5, 6, 7, 8]), exemplar(&[3, 9]), exemplar(&[])], ..samples_v2(1.0) };
    let request = v2::Request { symbols: symbols.map(String::from).to_vec(), timeseries: vec![series] };
    let (batch, rejected) = decoded(Version::V2, &request.encode_to_vec());
    assert_eq!(rejected, []);
    let lines: Vec<String> = metric_lines(&batch).into_iter().filter(|line| line.starts_with("exemplar")).collect();
    let at = NOW_MS - 3;
    let want = [
        format!("exemplar m {at} 0.25 trace={trace} span=00f067aa0ba902b7 {{user=\"u1\"}}"),
        format!("exemplar m {at} 0.25 {{trace_id=\"not a trace\"}}"),
        format!("exemplar m {at} 0.25 {{}}"),
    ];
    let (mut lines, mut want) = (lines, want);
    lines.sort();
    want.sort();
    assert_eq!(lines, want);
}

#[test]
fn metadata_is_kept_by_family() {
    let metadata = v1::MetricMetadata { r#type: 5, metric_family_name: "rpc".into(), help: "Calls".into(), unit: "s".into() };
    let (batch, _) = decoded(Version::V1, &v1::WriteRequest { timeseries: vec![], metadata: vec![metadata] }.encode_to_vec());
    assert_eq!(
        (batch.metadata[0].name.as_str(), batch.metadata[0].kind, batch.metadata[0].help.as_str(), batch.metadata[0].unit.as_str()),
        ("rpc", MetricKind::Summary, "Calls", "s")
    );
    let with = |kind, name: &'static str| {
        let series = v2::TimeSeries { metadata: Some(v2::Metadata { r#type: kind, help_ref: 1, unit_ref: 2 }), ..samples_v2(1.0) };
        let (batch, _) = decoded(Version::V2, &request_v2(&[(&[("__name__", name)], series)]));
        batch.metadata.first().map(|metadata| (metadata.name.clone(), metadata.kind, metadata.help.clone(), metadata.unit.clone()))
    };
    let of = |name: &str, kind| Some((name.to_owned(), kind, "the help".to_owned(), "seconds".to_owned()));
    assert_eq!(with(1, "c_total"), of("c_total", MetricKind::Counter));
    assert_eq!(with(3, "h_bucket"), of("h", MetricKind::Histogram));
    assert_eq!(with(5, "s_sum"), of("s", MetricKind::Summary));
    assert_eq!(with(7, "x"), of("x", MetricKind::StateSet));
}

// PRW1-021: every sample of a series has all its labels; series that come twice are one.
#[test]
fn a_series_that_comes_twice_is_one() {
    let pairs: &[(&str, &str)] = &[("__name__", "a"), ("b", "c")];
    for (version, bytes) in
        [(Version::V1, request_v1(vec![series_v1(pairs), series_v1(pairs)])), (Version::V2, request_v2(&[(pairs, samples_v2(1.0)), (pairs, samples_v2(2.0))]))]
    {
        let (batch, _) = decoded(version, &bytes);
        assert_eq!((batch.series.len(), batch.samples.len()), (1, 2));
    }
}
