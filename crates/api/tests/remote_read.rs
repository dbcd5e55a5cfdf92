//! Remote read: the same samples as samples and as streamed chunks, hints, external labels, limits, hostile requests.

use axum::body::Body;
use http::Request;
use prost::Message as _;
use signalbox_api::prometheus::Settings;
use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{Batch, Histogram, HistogramSample, Labels, MetricBatch, SeriesEntry, SeriesKey};
use signalbox_proto::remote_read::{Chunk, ChunkedReadResponse, LabelMatcher, Query, ReadHints, ReadRequest, ReadResponse};
use signalbox_proto::remote_write_v1::{Label, TimeSeries};

use crate::chunk;
use crate::world::{Answer, T0, World};

const T0_MS: i64 = T0 / 1_000_000;
const NAME: &str = "__name__";

fn query(matchers: &[(i32, &str, &str)], start_ms: i64, end_ms: i64) -> Query {
    let matchers = matchers.iter().map(|(kind, name, value)| LabelMatcher { r#type: *kind, name: (*name).into(), value: (*value).into() }).collect();
    Query { start_timestamp_ms: start_ms, end_timestamp_ms: end_ms, matchers, hints: None }
}

async fn post(world: &World, body: Vec<u8>) -> Answer {
    world.send(Request::post("/api/v1/read").header("content-type", "application/x-protobuf").body(Body::from(body)).unwrap()).await
}

async fn ask(world: &World, queries: Vec<Query>, kinds: &[i32]) -> Answer {
    let request = ReadRequest { queries, accepted_response_types: kinds.to_vec() };
    post(world, snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()).await
}

async fn samples(world: &World, queries: Vec<Query>) -> Vec<Vec<TimeSeries>> {
    let answer = ask(world, queries, &[]).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/x-protobuf"), "{}", answer.text());
    let message = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    ReadResponse::decode(message.as_slice()).unwrap().results.into_iter().map(|result| result.timeseries).collect()
}

async fn frames(world: &World, queries: Vec<Query>) -> Vec<ChunkedReadResponse> {
    let answer = ask(world, queries, &[1, 0]).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"));
    let (mut rest, mut frames) = (answer.body.as_slice(), Vec::new());
    while !rest.is_empty() {
        let length = prost::encoding::decode_varint(&mut rest).unwrap() as usize;
        let checksum = u32::from_be_bytes(rest[..4].try_into().unwrap());
        let (message, after) = rest[4..].split_at(length);
        assert_eq!(crc32c::crc32c(message), checksum);
        frames.push(ChunkedReadResponse::decode(message).unwrap());
        rest = after;
    }
    frames
}

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    pairs.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect()
}

fn push(batch: &mut MetricBatch, pairs: &[(&str, &str)]) -> u32 {
    let labels = Labels::from_pairs(pairs.iter().copied());
    batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
    batch.series.len() as u32 - 1
}

/// A float series of 500 samples with all that is hard to encode, and a series of histograms with all that cuts a chunk.
async fn hard(settings: Settings) -> (World, Vec<(i64, f64)>, Vec<(i64, Histogram)>) {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let mut batch = MetricBatch::default();
    let (float, histogram) = (push(&mut batch, &[(NAME, "float")]), push(&mut batch, &[(NAME, "histogram")]));
    let (mut floats, mut ts_ms, mut state) = (Vec::new(), -1_000_000, 1_u64);
    for index in 0..500_i64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ts_ms += [15_000, 15_000, 15_001, 14_999, 1, 900_000, 30_000_000, 4_000_000_000, 60_000, 23_191][(state >> 40) as usize % 10];
        let value = match index % 9 {
            0 => index as f64,
            1 => f64::INFINITY,
            2 => stale,
            3 => f64::from_bits(state).abs().min(1e300),
            4 => f64::NAN,
            5 => -0.0,
            _ => 42.5,
        };
        floats.push((ts_ms, value));
        batch.samples.push(float, ts_ms, value);
    }
    let mut histograms = Vec::new();
    for index in 0..20_i64 {
        let mut value = Histogram {
            schema: if index < 10 { 3 } else { Histogram::CUSTOM_SCHEMA },
            zero_threshold: if index < 5 { 2.0_f64.powi(-128) } else { 0.0 },
            zero_count: if index < 5 { index as f64 } else { 0.0 },
            count: (index % 7 * 5) as f64,
            sum: index as f64 * 1.5,
            positive_spans: vec![Span { offset: if index < 10 { -3 } else { 0 }, length: 2 }, Span { offset: 4, length: 1 }],
            positive_buckets: vec![(index % 7) as f64, 0.0, (index % 7 * 4) as f64],
            custom_values: if index < 10 { Vec::new() } else { vec![0.005, 1.0, 2.5, 40_000.125, 1e9, 2e9, 3e9] },
            reset_hint: if index == 15 { ResetHint::Reset } else { ResetHint::Unknown },
            ..Histogram::default()
        };
        if index == 12 {
            value = Histogram { sum: stale, ..Histogram::default() };
        }
        let ts_ms = T0_MS + index * 60_000;
        histograms.push((ts_ms, value.clone()));
        batch.histograms.push(HistogramSample { series: histogram, ts_ms, start_ms: 0, is_delta: false, histogram: value });
    }
    (World::of(vec![Batch::Metrics(batch)], settings).await, floats, histograms)
}

fn all() -> (i64, i64) {
    (-10_i64.pow(15), 10_i64.pow(15))
}

fn bits(samples: &[chunk::Sample]) -> Vec<(i64, Vec<u64>)> {
    samples.iter().map(|(ts_ms, numbers)| (*ts_ms, numbers.iter().map(|number| number.to_bits()).collect())).collect()
}

fn chunks_of(frames: &[ChunkedReadResponse], name: &str) -> Vec<Chunk> {
    let series = frames.iter().flat_map(|frame| &frame.chunked_series).filter(|series| series.labels.iter().any(|label| label.value == name));
    series.flat_map(|series| series.chunks.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_hold_every_bit_of_what_was_stored() {
    let (world, floats, histograms) = hard(Settings { remote_read_frame_bytes: 1_000, ..Settings::default() }).await;
    let frames = frames(&world, vec![query(&[(2, NAME, "float|histogram")], all().0, all().1)]).await;
    assert!(frames.len() > 3, "{}", frames.len());
    let chunks = chunks_of(&frames, "float");
    assert!(chunks.iter().all(|chunk| chunk.r#type == 1) && chunks.len() == 5, "{}", chunks.len());
    let found: Vec<chunk::Sample> = chunks.iter().flat_map(|chunk| chunk::floats(&chunk.data)).collect();
    let want: Vec<chunk::Sample> = floats.iter().map(|(ts_ms, value)| (*ts_ms, vec![*value])).collect();
    assert_eq!(bits(&found), bits(&want));
    for chunk in &chunks {
        let samples = chunk::floats(&chunk.data);
        assert_eq!((chunk.min_time_ms, chunk.max_time_ms), (samples[0].0, samples[samples.len() - 1].0));
    }

    let chunks = chunks_of(&frames, "histogram");
    assert!(chunks.iter().all(|chunk| chunk.r#type == 3));
    let mut found = Vec::new();
    // Another zero bucket, a reset, other buckets, the end, after the end, a hint, a reset.
    let firsts: Vec<i64> = chunks.iter().map(|chunk| (chunk.min_time_ms - T0_MS) / 60_000).collect();
    assert_eq!(firsts, [0, 5, 7, 10, 12, 13, 14, 15]);
    for chunk in &chunks {
        let (layout, samples) = chunk::histograms(&chunk.data);
        for (ts_ms, numbers) in samples {
            let (_, want) = histograms.iter().find(|(at_ms, _)| *at_ms == ts_ms).unwrap();
            assert_eq!((layout.schema, layout.zero_threshold), (i64::from(want.schema), want.zero_threshold));
            assert_eq!((&layout.positive, &layout.bounds), (&want.positive_spans, &want.custom_values));
            let buckets = [want.count, want.zero_count, want.sum].into_iter().chain(want.positive_buckets.iter().copied()).collect();
            assert_eq!(bits(&[(ts_ms, numbers)]), bits(&[(ts_ms, buckets)]));
            found.push(ts_ms);
        }
        assert_eq!(layout.flag, if chunk.min_time_ms == T0_MS + 15 * 60_000 { 0b1000_0000 } else { layout.flag & 0b0100_0000 });
    }
    assert_eq!(found, histograms.iter().map(|(ts_ms, _)| *ts_ms).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_and_chunks_say_the_same() {
    for world in [World::head().await, World::segments().await] {
        let queries = || vec![query(&[(0, NAME, "up")], T0_MS, T0_MS + 30_000), query(&[(1, "job", "cart"), (3, NAME, "u.*")], T0_MS + 1, T0_MS + 59_000)];
        let (results, frames) = (samples(&world, queries()).await, frames(&world, queries()).await);
        assert_eq!(results.len(), 2);
        assert_eq!(results[0].iter().map(|series| series.samples.len()).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(results[0][0].labels, labels(&[(NAME, "up"), ("instance", "cart-1:80"), ("job", "cart")]));
        // Sorted by labels: the histograms of latency_seconds, then requests_total.
        assert_eq!(results[1].iter().map(|series| (series.samples.len(), series.histograms.len())).collect::<Vec<_>>(), [(0, 3), (3, 0)]);
        assert_eq!((results[1][0].histograms[0].timestamp, results[1][0].histograms[0].sum), (T0_MS + 15_000, 2.5));
        let places: Vec<(i64, &str)> = frames.iter().map(|frame| (frame.query_index, frame.chunked_series[0].labels[0].value.as_str())).collect();
        assert_eq!(places, [(0, "up"), (0, "up"), (1, "latency_seconds"), (1, "requests_total")]);
        let floats: Vec<chunk::Sample> = chunk::floats(&frames[3].chunked_series[0].chunks[0].data);
        let want: Vec<chunk::Sample> = results[1][1].samples.iter().map(|sample| (sample.timestamp, vec![sample.value])).collect();
        assert_eq!(floats, want);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_narrow_what_is_read() {
    let world = World::head().await;
    let hinted = |func: &str, start_ms, end_ms| {
        let hints = ReadHints { func: func.into(), start_ms, end_ms, ..ReadHints::default() };
        Query { hints: Some(hints), ..query(&[(0, NAME, "requests_total")], T0_MS, T0_MS + 60_000) }
    };
    let results = samples(&world, vec![hinted("rate", T0_MS + 15_000, T0_MS + 30_000), hinted("series", T0_MS, T0_MS + 60_000), hinted("", 0, 0)]).await;
    assert_eq!(results.iter().map(|result| result[0].samples.len()).collect::<Vec<_>>(), [2, 0, 5]);
    assert_eq!(results[1][0].labels, labels(&[(NAME, "requests_total"), ("http.method", "GET"), ("job", "shop")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn external_labels_are_added_and_not_looked_for() {
    let settings = Settings { external_labels: [("job".to_owned(), "x".to_owned()), ("region".to_owned(), "eu".to_owned())].into(), ..Settings::default() };
    let world = World::with(settings).await;
    let results = samples(&world, vec![query(&[(0, NAME, "up"), (0, "region", "eu"), (0, "job", "cart")], T0_MS, T0_MS)]).await;
    assert_eq!(results[0][0].labels, labels(&[(NAME, "up"), ("instance", "cart-1:80"), ("job", "cart"), ("region", "eu")]));
    assert_eq!(samples(&world, vec![query(&[(0, NAME, "up"), (0, "region", "us")], T0_MS, T0_MS)]).await, [vec![]]);
    let frames = frames(&world, vec![query(&[(0, NAME, "latency_seconds")], T0_MS, T0_MS)]).await;
    assert_eq!(frames[0].chunked_series[0].labels, labels(&[(NAME, "latency_seconds"), ("job", "shop"), ("region", "eu")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_and_nonsense_are_refused() {
    let world = World::with(Settings { remote_read_samples_max: 4, ..Settings::default() }).await;
    let answer = ask(&world, vec![query(&[(0, NAME, "up")], T0_MS, T0_MS + 60_000)], &[0]).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, "exceeded sample limit (4)\n"));
    // The limit is not for chunks.
    assert_eq!(ask(&world, vec![query(&[(0, NAME, "up")], T0_MS, T0_MS + 60_000)], &[1]).await.status, 200);
    let answer = ask(&world, vec![query(&[(0, NAME, "up")], T0_MS, T0_MS)], &[9]).await;
    assert!(answer.status == 400 && answer.text().starts_with("server does not support any of the requested response types"), "{}", answer.text());
    for (matcher, want) in [((2, "a", "("), "cannot compile regular expression"), ((7, "a", "b"), "cannot match label \"a\": found type 7")] {
        let answer = ask(&world, vec![query(&[matcher], T0_MS, T0_MS)], &[]).await;
        assert!(answer.status == 400 && answer.text().starts_with(want), "{}", answer.text());
    }
    let many = ask(&world, vec![Query::default(); 1_001], &[]).await;
    assert_eq!((many.status, many.text().as_str()), (400, "cannot answer 1001 queries: want at most 1000\n"));
    let garbage = snap::raw::Encoder::new().compress_vec(&[0x0a, 0x05, 1]).unwrap();
    // A length that lies, then nothing.
    let bomb = vec![0xff, 0xff, 0xff, 0x7f];
    for (body, want) in
        [(Vec::new(), "snappy: corrupt input\n"), (vec![5, 1], "snappy: corrupt input\n"), (bomb, "snappy: decoded length 268435455 exceeds limit 4194304\n")]
    {
        let answer = post(&world, body).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, want));
    }
    let answer = post(&world, garbage).await;
    assert!(answer.status == 400 && answer.text().starts_with("cannot read prometheus.ReadRequest"), "{}", answer.text());
    assert_eq!(world.get("/api/v1/read").await.status, 405);
    // Nothing is asked for, nothing is answered.
    assert_eq!(samples(&world, Vec::new()).await, Vec::<Vec<TimeSeries>>::new());
}
