use prost::Message as _;

use super::*;

/// A delimited family by hand: the parts that are given, in order.
fn family(name: &str, kind: i32, metrics: &[wire::Metric]) -> Vec<u8> {
    let mut body = Vec::new();
    prost::encoding::string::encode(1, &name.to_owned(), &mut body);
    prost::encoding::int32::encode(3, &kind, &mut body);
    for metric in metrics {
        prost::encoding::message::encode(4, metric, &mut body);
    }
    let mut page = Vec::new();
    prost::encoding::encode_varint(body.len() as u64, &mut page);
    page.extend(body);
    page
}

fn read(page: &[u8], wanted: Wanted) -> Result<Vec<String>> {
    let (mut page, mut said) = (Page::new(page), Vec::new());
    while let Some(family) = page.next_family()? {
        for metric in family.metrics() {
            let metric = metric?;
            family.points(&metric, wanted, &mut |point| {
                let labels: Vec<String> = family.labels(&metric, &point)?.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
                let value = match &point.value {
                    Value::Float(value) => value.to_string(),
                    Value::Histogram(histogram) => {
                        format!("{}/{} {:?} {:?}", histogram.count, histogram.sum, histogram.positive_spans, histogram.positive_buckets)
                    }
                };
                said.push(format!("{} {value} @{:?} from {} with {}", labels.join(","), point.ts_ms, point.start_ms, point.exemplars.len()));
                Ok(())
            })?;
        }
    }
    Ok(said)
}

fn native() -> wire::Histogram {
    wire::Histogram {
        sample_count: 5,
        sample_sum: 2.5,
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 1,
        positive_span: vec![wire::BucketSpan { offset: -1, length: 2 }, wire::BucketSpan { offset: 0, length: 0 }, wire::BucketSpan { offset: 3, length: 1 }],
        positive_delta: vec![1, 1, -1],
        bucket: vec![wire::Bucket { cumulative_count: 2, upper_bound: 1.0, ..Default::default() }],
        start_timestamp: Some(wire::Timestamp { seconds: 7, nanos: 5_000_000 }),
        exemplars: vec![
            wire::Exemplar { value: 1.0, ..Default::default() },
            wire::Exemplar { timestamp: Some(wire::Timestamp::default()), ..Default::default() },
        ],
        ..Default::default()
    }
}

fn histogram_page(histogram: wire::Histogram) -> Vec<u8> {
    family("h", 4, &[wire::Metric { histogram: Some(histogram), ..Default::default() }])
}

#[test]
fn reads_every_type() {
    let label = vec![wire::LabelPair { name: "a".into(), value: "b".into() }];
    let exemplar = Some(wire::Exemplar { value: 1.0, ..Default::default() });
    let counter = wire::Counter { value: 3.5, exemplar, start_timestamp: Some(wire::Timestamp { seconds: 1, nanos: 0 }) };
    let summary = wire::Summary { sample_count: 2, sample_sum: 4.0, quantile: vec![wire::Quantile { quantile: 1.0, value: 3.0 }], start_timestamp: None };
    let mut page = family("c", 0, &[wire::Metric { label, counter: Some(counter), timestamp_ms: 99, ..Default::default() }]);
    page.extend(family("g", 1, &[wire::Metric { gauge: Some(wire::Gauge { value: -1.0 }), ..Default::default() }]));
    page.extend(family("s", 2, &[wire::Metric { summary: Some(summary), ..Default::default() }]));
    page.extend(family("u", 3, &[wire::Metric { untyped: Some(wire::Gauge { value: 8.0 }), ..Default::default() }]));
    page.extend(family("empty", 0, &[]));
    let want = [
        "__name__=c,a=b 3.5 @Some(99) from 1000 with 1",
        "__name__=g -1 @None from 0 with 0",
        "__name__=s_count 2 @None from 0 with 0",
        "__name__=s_sum 4 @None from 0 with 0",
        "__name__=s,quantile=1.0 3 @None from 0 with 0",
        "__name__=u 8 @None from 0 with 0",
    ];
    assert_eq!(read(&page, Wanted::default()).unwrap(), want);
}

#[test]
fn histograms_are_native_classic_or_converted() {
    let classic = [
        "__name__=h_count 5 @None from 7005 with 0",
        "__name__=h_sum 2.5 @None from 7005 with 0",
        "__name__=h_bucket,le=1.0 2 @None from 7005 with 0",
        "__name__=h_bucket,le=+Inf 5 @None from 7005 with 0",
    ];
    let whole = "__name__=h 5/2.5 [Span { offset: -1, length: 2 }, Span { offset: 3, length: 1 }] [1.0, 2.0, 1.0] @None from 7005 with 1";
    let converted = "__name__=h 5/2.5 [Span { offset: 0, length: 2 }] [2.0, 3.0] @None from 7005 with 0";
    let page = histogram_page(native());
    let of = |native, classic_too, convert| read(&page, Wanted { native, classic_too, convert }).unwrap();
    assert_eq!(of(false, false, false), classic);
    assert_eq!(of(true, false, false), [whole]);
    assert_eq!(of(true, false, true), [whole]);
    assert_eq!(of(true, true, false), [&[whole][..], &classic].concat());
    assert_eq!(of(false, false, true), [converted]);
    assert_eq!(of(false, true, true), [&classic[..], &[converted]].concat());
}

#[test]
fn histograms_that_make_no_sense_fail_the_page() {
    type Damage = fn(&mut wire::Histogram);
    let broken: [(&str, Damage); 7] = [
        ("schema", |histogram| histogram.schema = -5),
        ("spans", |histogram| histogram.positive_delta.clear()),
        ("negative", |histogram| histogram.positive_delta = vec![1, -2, 1]),
        ("too large", |histogram| histogram.positive_delta = vec![i64::MAX, 1, 0]),
        ("count", |histogram| histogram.sample_count = 1),
        ("overlap", |histogram| histogram.positive_span[2].offset = -1),
        ("fit", |histogram| histogram.positive_span[0].offset = i32::MAX),
    ];
    for (what, damage) in broken {
        let mut histogram = native();
        damage(&mut histogram);
        assert!(read(&histogram_page(histogram), Wanted { native: true, ..Wanted::default() }).is_err(), "{what}");
    }
}

#[test]
fn resolutions_finer_than_any_are_made_coarser() {
    let mut histogram = native();
    histogram.schema = 9;
    let Ok(merged) = super::native::histogram(&histogram, true) else { panic!("schema 9 is reserved") };
    // Indexes -1, 0 and 4 of schema 9 are -1 + 1, 0 and 2 of schema 8.
    assert_eq!((merged.schema, merged.positive_buckets.as_slice()), (8, &[3.0, 1.0][..]));
}

#[test]
fn truncated_and_hostile_pages_are_refused() {
    let page = histogram_page(native());
    assert_eq!(read(&[], Wanted::default()).unwrap(), Vec::<String>::new());
    for end in 1..page.len() {
        assert!(read(&page[..end], Wanted::default()).is_err(), "{end}");
    }
    assert!(read(&[0xff; 12], Wanted::default()).is_err());
    // A length that nobody could have sent.
    assert!(read(&[0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3], Wanted::default()).is_err());
    assert!(read(&family("a", 6, &[]), Wanted::default()).is_err());
    assert!(read(&family("", 1, &[wire::Metric::default()]), Wanted::default()).is_err());
    let twice = wire::LabelPair { name: "a".into(), value: "b".into() };
    assert!(read(&family("a", 1, &[wire::Metric { label: vec![twice.clone(), twice], ..Default::default() }]), Wanted::default()).is_err());
    let large = wire::Metric { label: vec![wire::LabelPair { name: "a".into(), value: "b".repeat(METRIC_BYTES_MAX) }], ..Default::default() };
    assert!(large.encoded_len() > METRIC_BYTES_MAX && read(&family("a", 1, &[large]), Wanted::default()).is_err());
}
