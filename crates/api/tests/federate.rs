//! Federation: text and protobuf, escaping, external labels, series that ended, selectors that make no sense.

use axum::body::Body;
use http::Request;
use prost::Message as _;
use signalbox_api::prometheus::Settings;
use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::histogram::Span;
use signalbox_model::{Batch, Histogram, HistogramSample, Labels, MetricBatch, SeriesEntry, SeriesKey};
use signalbox_proto::prometheus_client::{LabelPair, Metric};

use crate::world::{Answer, T0, World};

const NOW_MS: i64 = T0 / 1_000_000 + 60_000;
const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3";

async fn ask(world: &World, query: &str, accept: &str) -> Answer {
    let query = query.replace("[]", "%5B%5D").replace('+', "%2B").replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
    world.send(Request::get(format!("/federate?{query}")).header("accept", accept).body(Body::empty()).unwrap()).await
}

fn batch() -> Batch {
    let mut batch = MetricBatch::default();
    let mut series = |pairs: &[(&str, &str)]| {
        let labels = Labels::from_pairs(pairs.iter().copied());
        batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
        batch.series.len() as u32 - 1
    };
    let (old, ended, plain) =
        (series(&[("__name__", "old")]), series(&[("__name__", "ended")]), series(&[("__name__", "plain"), ("instance", "a"), ("z", "q\"\\\n")]));
    let (dotted, native, own) =
        (series(&[("__name__", "http.requests"), ("k8s.pod", "p")]), series(&[("__name__", "plain")]), series(&[("__name__", "own"), ("region", "us")]));
    batch.samples.push(old, NOW_MS - 300_001, 1.0);
    batch.samples.push(ended, NOW_MS - 20_000, 1.0);
    batch.samples.push(ended, NOW_MS - 10_000, f64::from_bits(STALE_NAN_BITS));
    batch.samples.push(plain, NOW_MS - 20_000, 7.0);
    batch.samples.push(plain, NOW_MS - 10_000, 1_234_567.5);
    batch.samples.push(dotted, NOW_MS, f64::INFINITY);
    let spans = vec![Span { offset: 0, length: 2 }];
    let histogram = Histogram {
        schema: 2,
        zero_threshold: 0.5,
        zero_count: 1.0,
        count: 4.0,
        sum: 9.5,
        positive_spans: spans.clone(),
        positive_buckets: vec![1.0, 2.0],
        ..Histogram::default()
    };
    batch.histograms.push(HistogramSample { series: native, ts_ms: NOW_MS - 1, start_ms: 0, is_delta: false, histogram });
    let histogram = Histogram {
        schema: -53,
        count: 6.0,
        sum: 3.25,
        positive_spans: spans,
        positive_buckets: vec![1.0, 2.0],
        custom_values: vec![0.5, 1.0],
        ..Histogram::default()
    };
    batch.histograms.push(HistogramSample { series: own, ts_ms: NOW_MS - 2, start_ms: 0, is_delta: false, histogram });
    Batch::Metrics(batch)
}

async fn world() -> World {
    World::of(vec![batch()], Settings { external_labels: [("region".to_owned(), "eu".to_owned())].into(), ..Settings::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn text_has_the_latest_samples_sorted_by_name() {
    let world = world().await;
    let answer = ask(&world, r#"match[]={__name__=~".+"}&match[]=plain"#, "").await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"));
    let at = |before_ms: i64| (NOW_MS - before_ms).to_string();
    let want = format!(
        "# TYPE http_requests untyped\nhttp_requests{{k8s_pod=\"p\",instance=\"\",region=\"eu\"}} +Inf {}\n\
         # TYPE own histogram\nown_bucket{{region=\"us\",instance=\"\",le=\"0.5\"}} 1 {two}\nown_bucket{{region=\"us\",instance=\"\",le=\"1\"}} 3 {two}\n\
         own_bucket{{region=\"us\",instance=\"\",le=\"+Inf\"}} 6 {two}\nown_sum{{region=\"us\",instance=\"\"}} 3.25 {two}\nown_count{{region=\"us\",instance=\"\"}} 6 {two}\n\
         # TYPE plain untyped\nplain{{instance=\"a\",z=\"q\\\"\\\\\\n\",region=\"eu\"}} 1.2345675e+06 {}\n",
        at(0),
        at(10_000),
        two = at(2)
    );
    assert_eq!(answer.text(), want);
    let utf8 = ask(&world, r#"match[]={"http.requests"}"#, "text/plain;version=0.0.4;escaping=allow-utf-8").await;
    assert_eq!(utf8.text(), format!("# TYPE \"http.requests\" untyped\n{{\"http.requests\",\"k8s.pod\"=\"p\",instance=\"\",region=\"eu\"}} +Inf {NOW_MS}\n"));
}

/// Name, type and metrics of each family.
fn families(mut bytes: &[u8]) -> Vec<(String, u64, Vec<Metric>)> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        let length = prost::encoding::decode_varint(&mut bytes).unwrap() as usize;
        let (mut family, rest) = bytes.split_at(length);
        bytes = rest;
        let (mut name, mut kind, mut metrics) = (String::new(), 0, Vec::new());
        while !family.is_empty() {
            let key = prost::encoding::decode_varint(&mut family).unwrap();
            let value = prost::encoding::decode_varint(&mut family).unwrap();
            if key == 0x18 {
                kind = value;
                continue;
            }
            let (field, rest) = family.split_at(value as usize);
            family = rest;
            match key {
                0x0a => name = String::from_utf8(field.to_vec()).unwrap(),
                0x22 => metrics.push(Metric::decode(field).unwrap()),
                other => panic!("field {other}"),
            }
        }
        families.push((name, kind, metrics));
    }
    families
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_has_native_histograms_too() {
    let answer = ask(&world().await, "match[]=plain&match[]=own", PROTOBUF).await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores")
    );
    let families = families(&answer.body);
    let heads: Vec<(&str, u64, usize)> = families.iter().map(|(name, kind, metrics)| (name.as_str(), *kind, metrics.len())).collect();
    // A histogram, then of one name a histogram and a float: as Prometheus does, a family each.
    assert_eq!(heads, [("own", 4, 1), ("plain", 4, 1), ("plain", 3, 1)]);
    let native = families[1].2[0].histogram.as_ref().unwrap();
    assert_eq!((native.schema, native.sample_count_float, native.sample_sum, native.zero_count_float, native.zero_threshold), (2, 4.0, 9.5, 1.0, 0.5));
    assert_eq!((native.positive_count.as_slice(), native.positive_span.len()), ([1.0, 2.0].as_slice(), 1));
    let pair = |name: &str, value: &str| LabelPair { name: name.into(), value: value.into() };
    assert_eq!((families[1].2[0].timestamp_ms, &families[1].2[0].label), (NOW_MS - 1, &vec![pair("instance", ""), pair("region", "eu")]));
    let classic = families[0].2[0].histogram.as_ref().unwrap();
    let buckets: Vec<(f64, f64)> = classic.bucket.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative_count_float)).collect();
    assert_eq!((classic.sample_count_float, buckets.as_slice()), (6.0, [(0.5, 1.0), (1.0, 3.0)].as_slice()));
    assert_eq!(families[2].2[0].untyped.unwrap().value, 1_234_567.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_or_nonsense() {
    let world = world().await;
    for query in ["", "match[]=nothing", "match[]=old", "match[]=ended"] {
        let answer = ask(&world, query, "").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{query}");
    }
    let answer = ask(&world, "match[]={", "").await;
    assert_eq!((answer.status, answer.content_type.as_str()), (400, "text/plain; charset=utf-8"));
    assert!(answer.text().starts_with("1:2: parse error: "), "{}", answer.text());
}
