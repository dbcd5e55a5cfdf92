//! Tests of the payloads: what goes in comes out, and hostile bytes come out as errors.

use std::path::Path;

use ::bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use signalbox_model::builder::{EventRow, LinkRow, LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{
    ErrorKind, Exemplar, Histogram, HistogramSample, MetricBatch, MetricKind, MetricMetadata, SampleColumns, SeriesEntry, SeriesKey, SpanId, TraceId,
};
use signalbox_testkit::{ManualClock, SimDisk};

use super::*;
use crate::write::wal::{Frame, Opening, Place, Wal, WalSettings};

struct Head(Vec<Labels>);

impl SeriesLabels for Head {
    fn labels(&self, series: SeriesRef) -> Option<Labels> {
        self.0.get(series.0 as usize).cloned()
    }
}

fn head(series: u32) -> Head {
    Head((0..series).map(|number| Labels::from_pairs([("__name__", "up"), ("instance", &format!("host-{number}:9100")), ("job", "node")])).collect())
}

fn tenant() -> Tenant {
    Tenant::default()
}

fn known(series: impl IntoIterator<Item = u32>, ts_ms: i64) -> MetricBatch {
    let mut batch = MetricBatch::default();
    for number in series {
        let index = batch.series.len() as u32;
        batch.series.push(SeriesEntry::Known(SeriesRef(number)));
        batch.samples.push(index, ts_ms, f64::from(number) + 0.25);
    }
    batch
}

fn bytes_of(record: Record, place: u64) -> Bytes {
    match record.payload {
        Payload::Ready(bytes) => bytes,
        Payload::Late(mut late) => {
            let mut out = Vec::new();
            late.write(Place(place), &mut out).unwrap();
            out.into()
        }
    }
}

fn frame(sequence: u64, file: u64, signal: Signal, payload: Bytes) -> Frame {
    Frame { sequence, tenant: tenant(), kind: FrameKind::Signal(signal), payload, file, is_consumed: false }
}

fn encode(encoder: &Encoder, batch: &MetricBatch, head: &Arc<dyn SeriesLabels>, place: u64) -> Bytes {
    bytes_of(encoder.encode(&tenant(), &Batch::Metrics(batch.clone()), head).unwrap(), place)
}

fn metrics(decoded: Option<Decoded>) -> (MetricBatch, u64) {
    let decoded = decoded.unwrap();
    match decoded.batch {
        Batch::Metrics(mut batch) => {
            let entry = |labels: &Labels| SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels: labels.clone() };
            batch.series = decoded.series.iter().map(|series| entry(series.labels())).collect();
            (batch, decoded.unresolved_rows)
        }
        other => panic!("{other:?}"),
    }
}

/// The batch as it must come back: series by labels.
fn resolved(batch: &MetricBatch, head: &dyn SeriesLabels) -> Vec<SeriesEntry> {
    let labels = |entry: &SeriesEntry| match entry {
        SeriesEntry::Known(series) => head.labels(*series).unwrap(),
        SeriesEntry::New { labels, .. } => labels.clone(),
    };
    batch.series.iter().map(labels).map(|labels| SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels }).collect()
}

/// Equal to the bit, so that NaNs count.
fn assert_same(got: &MetricBatch, want: &MetricBatch, series: &[SeriesEntry]) {
    let bits = |columns: &SampleColumns| columns.value.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(got.series, series);
    assert_eq!((&got.samples.series, &got.samples.ts_ms, &got.samples.start_ms), (&want.samples.series, &want.samples.ts_ms, &want.samples.start_ms));
    assert_eq!(bits(&got.samples), bits(&want.samples));
    assert_eq!(format!("{:?}", got.histograms), format!("{:?}", want.histograms));
    assert_eq!(format!("{:?}", got.exemplars), format!("{:?}", want.exemplars));
    assert_eq!(got.metadata, want.metadata);
}

fn rich_batch() -> MetricBatch {
    let mut batch = known([3, 4, 0, 7], 1_700_000_000_000);
    let labels = Labels::from_pairs([("__name__", "new"), ("grüße", "ünïcode \u{1F980}")]);
    batch.series.push(SeriesEntry::New { key: SeriesKey(1), labels });
    for (ts_ms, value, start_ms) in [(i64::MIN, f64::NAN, 0), (i64::MAX, -0.0, 5), (0, f64::INFINITY, i64::MAX), (-1, f64::from_bits(0x7ff0_0000_0000_0002), 0)]
    {
        batch.samples.push_started(4, ts_ms, value, start_ms);
    }
    let whole = Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        zero_count: 2.0,
        count: 12.0,
        sum: 18.4,
        is_integer: true,
        reset_hint: ResetHint::NotReset,
        positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 5, length: 1 }],
        positive_buckets: vec![1.0, 2.0, 7.0],
        ..Histogram::default()
    };
    let fractions = Histogram {
        schema: Histogram::CUSTOM_SCHEMA,
        reset_hint: ResetHint::Gauge,
        negative_spans: vec![Span { offset: i32::MAX, length: 2 }],
        negative_buckets: vec![0.5, f64::NAN],
        custom_values: vec![0.1, 5.0],
        ..Histogram::default()
    };
    for (series, histogram) in [(0, whole), (4, fractions)] {
        batch.histograms.push(HistogramSample { series, ts_ms: 17, start_ms: 3, is_delta: false, histogram });
    }
    let (trace_id, span_id) = (TraceId::from_hex("0af7651916cd43dd8448eb211c80319c"), SpanId::from_hex("b7ad6b7169203331"));
    batch.exemplars.push(Exemplar { series: 1, ts_ms: 9, value: 0.5, trace_id, span_id, labels: Labels::from_pairs([("user", "7")]) });
    batch.exemplars.push(Exemplar { series: 1, ts_ms: 9, value: 0.5, trace_id: None, span_id: None, labels: Labels::empty() });
    let metadata = |kind| MetricMetadata { name: "up".into(), kind, help: "Whether\nit is up.".into(), unit: String::new() };
    batch.metadata = metrics::KINDS.into_iter().map(metadata).collect();
    assert!(batch.metadata.iter().any(|metadata| metadata.kind == MetricKind::StateSet));
    batch
}

#[test]
fn metrics_come_back_equal_to_the_bit() {
    let (encoder, head) = (Encoder::default(), Arc::new(head(8)) as Arc<dyn SeriesLabels>);
    let batch = rich_batch();
    let payload = encode(&encoder, &batch, &head, 1);
    let (got, unresolved) = metrics(Decoder::default().decode(&frame(1, 1, Signal::Metrics, payload)).unwrap());
    assert_same(&got, &batch, &resolved(&batch, head.as_ref()));
    assert_eq!(unresolved, 0);
}

#[test]
fn an_empty_batch_is_a_batch() {
    let head = Arc::new(head(0)) as Arc<dyn SeriesLabels>;
    let payload = encode(&Encoder::default(), &MetricBatch::default(), &head, 1);
    let (got, _) = metrics(Decoder::default().decode(&frame(1, 1, Signal::Metrics, payload)).unwrap());
    assert_eq!((got.series.len(), got.samples.len()), (0, 0));
}

#[test]
fn series_are_defined_in_their_first_two_frames_of_a_place_and_referred_to_after() {
    let (encoder, head) = (Encoder::default(), Arc::new(head(100)) as Arc<dyn SeriesLabels>);
    let sizes: Vec<usize> = (0..4).map(|round| encode(&encoder, &known(0..100, round), &head, 1).len()).collect();
    assert_eq!((sizes[0], sizes[2]), (sizes[1], sizes[3]));
    assert!(sizes[0] > sizes[2] + 300, "{sizes:?}");
    assert!(sizes[2] <= 100 * 9 + 30, "{} bytes for 100 samples", sizes[2]);
    assert_eq!(encode(&encoder, &known(0..100, 9), &head, 2).len(), sizes[0], "another place starts anew");
}

#[test]
fn one_lost_frame_loses_no_series_and_two_lose_only_those_defined_in_them() {
    let (encoder, head) = (Encoder::default(), Arc::new(head(6)) as Arc<dyn SeriesLabels>);
    let batches = [known([0, 1], 0), known([0, 1, 2], 1), known([2, 0], 2), known([1, 2, 0], 3)];
    let frames: Vec<Frame> = batches.iter().zip(1..).map(|(batch, at)| frame(at, 1, Signal::Metrics, encode(&encoder, batch, &head, 1))).collect();
    let decode_without = |lost: &[usize]| {
        let mut decoder = Decoder::default();
        let kept = frames.iter().enumerate().filter(|(at, _)| !lost.contains(at));
        kept.map(|(_, frame)| metrics(decoder.decode(frame).unwrap())).collect::<Vec<_>>()
    };
    for lost in 0..4 {
        assert!(decode_without(&[lost]).iter().all(|(_, unresolved)| *unresolved == 0), "without {lost}");
    }
    let decoded = decode_without(&[0, 1]);
    // Series 2 is defined again in the third frame; 0 and 1 were defined in the lost two.
    assert_eq!(decoded.iter().map(|(batch, unresolved)| (batch.samples.len(), *unresolved)).collect::<Vec<_>>(), [(1, 1), (1, 2)]);
    assert_eq!(decoded[1].0.samples.value, [2.25]);
    assert_eq!(decoded[1].0.series, resolved(&known([2], 0), head.as_ref()));
}

#[test]
fn definitions_of_one_file_mean_nothing_in_another() {
    let (encoder, head) = (Encoder::default(), Arc::new(head(2)) as Arc<dyn SeriesLabels>);
    let payloads: Vec<Bytes> = (0..3).map(|round| encode(&encoder, &known([0, 1], round), &head, 1)).collect();
    let mut decoder = Decoder::default();
    decoder.decode(&frame(1, 1, Signal::Metrics, payloads[0].clone())).unwrap();
    let (_, unresolved) = metrics(decoder.decode(&frame(2, 2, Signal::Metrics, payloads[2].clone())).unwrap());
    assert_eq!(unresolved, 2);
}

#[test]
fn consumed_frames_teach_their_definitions_and_give_no_rows() {
    let (encoder, head) = (Encoder::default(), Arc::new(head(2)) as Arc<dyn SeriesLabels>);
    let payloads: Vec<Bytes> = (0..3).map(|round| encode(&encoder, &known([0, 1], round), &head, 1)).collect();
    let mut decoder = Decoder::default();
    let consumed = Frame { is_consumed: true, ..frame(1, 1, Signal::Metrics, payloads[0].clone()) };
    assert!(decoder.decode(&consumed).unwrap().is_none());
    assert_eq!(metrics(decoder.decode(&frame(2, 1, Signal::Metrics, payloads[2].clone())).unwrap()).1, 0);
}

#[test]
fn deltas_and_series_that_the_head_does_not_know_are_bugs() {
    let head = Arc::new(head(1)) as Arc<dyn SeriesLabels>;
    let mut deltas = known([0], 0);
    deltas.deltas.push(0, 1, 1.0);
    assert_eq!(Encoder::default().encode(&tenant(), &Batch::Metrics(deltas), &head).unwrap_err().kind(), ErrorKind::Internal);
    let record = Encoder::default().encode(&tenant(), &Batch::Metrics(known([5], 0)), &head).unwrap();
    let Payload::Late(mut late) = record.payload else { panic!("metrics are late") };
    assert_eq!(late.write(Place(1), &mut Vec::new()).unwrap_err().kind(), ErrorKind::Internal);
}

fn logs() -> Batch {
    let mut builder = LogBuilder::default();
    for row in 0..50i64 {
        builder.set_resource(&format!("{{\"service.name\":\"shop-{}\"}}", row % 3), &format!("shop-{}", row % 3));
        builder.set_scope("{\"$name\":\"lib\"}");
        builder.attributes().append_string("path", "/cart");
        builder.attributes().append_int("row", row);
        builder.close_row(&LogRow { timestamp_ns: 1_000 + row, body: Some(&format!("request {row} took {} ms", row * 7)), ..LogRow::default() });
    }
    Batch::Logs(builder.finish())
}

fn spans() -> Batch {
    let mut builder = SpanBuilder::default();
    for row in 0..50u8 {
        builder.set_resource("{\"service.name\":\"shop\"}", "shop");
        builder.set_scope("{}");
        let (trace_id, span_id) = (TraceId::from_slice(&[row + 1; 16]).unwrap(), SpanId::from_slice(&[row + 1; 8]).unwrap());
        builder.event_attributes().append_bool("retry", row % 2 == 0);
        builder.close_event(&EventRow { timestamp_ns: i64::from(row), name: "retry", dropped_attributes_count: 0 });
        builder.close_link(&LinkRow { trace_id, span_id, trace_state: "", flags: 0, dropped_attributes_count: 1 });
        builder.close_row(&SpanRow {
            trace_id,
            span_id,
            parent_span_id: None,
            start_ns: i64::from(row),
            end_ns: 100,
            name: "GET",
            kind: 2,
            status_code: 0,
            status_message: "",
            trace_state: "a=b",
            flags: 1,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    Batch::Traces(builder.finish())
}

fn rows_of(batch: &Batch) -> &arrow::record_batch::RecordBatch {
    match batch {
        Batch::Logs(batch) => batch.rows(),
        Batch::Traces(batch) => batch.rows(),
        Batch::Metrics(_) => panic!("metrics have no rows"),
    }
}

#[test]
fn logs_and_spans_come_back_equal_with_their_dictionaries_and_smaller() {
    let head = Arc::new(head(0)) as Arc<dyn SeriesLabels>;
    for batch in [logs(), spans()] {
        let payload = bytes_of(Encoder::default().encode(&tenant(), &batch, &head).unwrap(), 1);
        assert!(payload.len() < rows_of(&batch).get_array_memory_size(), "{}", payload.len());
        let decoded = Decoder::default().decode(&frame(1, 1, batch.signal(), payload)).unwrap().unwrap();
        assert_eq!(rows_of(&decoded.batch), rows_of(&batch));
    }
}

#[test]
fn a_slice_of_a_batch_is_written_as_the_slice() {
    let head = Arc::new(head(0)) as Arc<dyn SeriesLabels>;
    let Batch::Logs(all) = logs() else { panic!("logs are logs") };
    let slice = signalbox_model::LogBatch::new(all.rows().slice(10, 5)).unwrap();
    let payload = bytes_of(Encoder::default().encode(&tenant(), &Batch::Logs(slice.clone()), &head).unwrap(), 1);
    let decoded = Decoder::default().decode(&frame(1, 1, Signal::Logs, payload)).unwrap().unwrap();
    assert_eq!(rows_of(&decoded.batch), slice.rows());
}

#[test]
fn a_payload_of_one_signal_is_no_payload_of_another() {
    let head = Arc::new(head(8)) as Arc<dyn SeriesLabels>;
    for batch in [logs(), spans(), Batch::Metrics(rich_batch())] {
        let payload = bytes_of(Encoder::default().encode(&tenant(), &batch, &head).unwrap(), 1);
        for signal in Signal::ALL.into_iter().filter(|signal| *signal != batch.signal()) {
            let error = Decoder::default().decode(&frame(1, 1, signal, payload.clone())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{:?} as {signal:?}: {error}", batch.signal());
        }
    }
}

#[test]
fn mutated_payloads_never_panic_and_never_allocate_by_a_claim() {
    let head = Arc::new(head(8)) as Arc<dyn SeriesLabels>;
    let mut random = StdRng::seed_from_u64(5);
    let (mut refused, mut accepted) = (0, 0);
    for batch in [Batch::Metrics(rich_batch()), logs(), spans()] {
        let payload = bytes_of(Encoder::default().encode(&tenant(), &batch, &head).unwrap(), 1);
        for _ in 0..4000 {
            let mut mutated = payload.to_vec();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..mutated.len());
                match random.random_range(0..4) {
                    0 => mutated[at] ^= 1 << random.random_range(0..8),
                    1 => mutated[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
                    2 => mutated.truncate(at.max(1)),
                    _ => mutated.insert(at, random.random()),
                }
            }
            match Decoder::default().decode(&frame(1, 1, batch.signal(), mutated.into())) {
                Ok(_) => accepted += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                    refused += 1;
                }
            }
        }
    }
    println!("{refused} refused, {accepted} accepted");
    assert!(refused > 4000);
}

#[test]
fn every_truncation_of_metrics_is_refused() {
    let head = Arc::new(head(8)) as Arc<dyn SeriesLabels>;
    let payload = encode(&Encoder::default(), &rich_batch(), &head, 1);
    for len in 0..payload.len() {
        let error = Decoder::default().decode(&frame(1, 1, Signal::Metrics, payload.slice(..len))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {len}");
    }
}

/// The second definition of a series, in its file and in the next one, gives the labels and the binding of the first.
#[test]
fn a_series_keeps_its_binding_as_long_as_its_number_names_it() {
    let (encoder, head) = (Encoder::default(), Arc::new(head(8)) as Arc<dyn SeriesLabels>);
    let mut decoder = Decoder::default();
    let mut series = |payload: Bytes, sequence: u64, file: u64| decoder.decode(&frame(sequence, file, Signal::Metrics, payload)).unwrap().unwrap().series;
    let first = series(encode(&encoder, &known([3, 4], 1), &head, 1), 1, 1);
    let again = series(encode(&encoder, &known([3, 4], 2), &head, 1), 2, 1);
    let reference = series(encode(&encoder, &known([4], 3), &head, 1), 3, 1);
    let next_file = series(encode(&encoder, &known([4, 3], 4), &head, 2), 4, 2);
    assert_eq!(first, again);
    assert_eq!(reference[..], first[1..]);
    assert_eq!(next_file, [first[1].clone(), first[0].clone()]);
    let same_block = |left: &DecodedSeries, right: &DecodedSeries| std::ptr::eq(left.labels().as_bytes(), right.labels().as_bytes());
    assert!(same_block(&first[0], &again[0]) && same_block(&first[1], &next_file[0]), "labels are there twice");
    // Another process counts anew: the number means another series, so nothing may be taken for the old one.
    let others = Arc::new(Head((10..20).map(|number| Labels::from_pairs([("__name__", format!("other_{number}"))])).collect())) as Arc<dyn SeriesLabels>;
    let renamed = series(encode(&Encoder::default(), &known([3], 5), &others, 9), 5, 3);
    assert_eq!(renamed[0].labels().metric_name(), "other_13");
    let binding = |series: &DecodedSeries| match series {
        DecodedSeries::Bound(bound) => bound.binding,
        DecodedSeries::Anonymous(labels) => panic!("{labels} has no number"),
    };
    assert!(first.iter().all(|series| binding(series) != binding(&renamed[0])));
}

#[test]
fn numbers_far_from_dense_take_no_room_for_those_between() {
    let far = Labels::from_pairs([("__name__", "far")]);
    struct Far(Labels);
    impl SeriesLabels for Far {
        fn labels(&self, _: SeriesRef) -> Option<Labels> {
            Some(self.0.clone())
        }
    }
    let (encoder, head) = (Encoder::default(), Arc::new(Far(far.clone())) as Arc<dyn SeriesLabels>);
    // The encoder has a cell of each number, so the number is as far as a test can go.
    let batch = known([70_000, 3_000_000], 1);
    let mut decoder = Decoder::default();
    for (sequence, file) in [(1, 1), (2, 1), (3, 1), (4, 2)] {
        let decoded = decoder.decode(&frame(sequence, file, Signal::Metrics, encode(&encoder, &batch, &head, file))).unwrap().unwrap();
        assert!(decoded.series.iter().all(|series| *series.labels() == far), "frame {sequence}");
        assert_eq!((decoded.series.len(), decoded.unresolved_rows), (2, 0));
    }
}

#[test]
fn batches_survive_a_restart_of_a_log_of_many_files() {
    let (disk, labels) = (SimDisk::default(), Arc::new(head(40)) as Arc<dyn SeriesLabels>);
    let open = |replay: &mut dyn FnMut(Frame) -> Result<()>| {
        let settings = WalSettings { file_bytes: 16 * 1024, spare_files: 0, reserve_bytes: 0, ..WalSettings::default() };
        let clock = Arc::new(ManualClock::default());
        Wal::open(Opening { disk: Arc::new(disk.clone()), clock, dir: Path::new("wal"), settings, from: 1, new_log_id: 1 }, replay).unwrap()
    };
    let encoder = Encoder::default();
    let (wal, _) = open(&mut |_| Ok(()));
    let batches: Vec<MetricBatch> = (0..120u32).map(|round| known((0..40).filter(|number| (number + round) % 3 > 0), i64::from(round))).collect();
    for batch in &batches {
        let record = encoder.encode(&tenant(), &Batch::Metrics(batch.clone()), &labels).unwrap();
        futures::executor::block_on(wal.append(record, Box::new(|_| {}))).unwrap();
    }
    drop(wal);
    let (mut decoder, mut at, mut files) = (Decoder::default(), 0, std::collections::BTreeSet::new());
    let (_wal, report) = open(&mut |frame| {
        let (got, unresolved) = metrics(decoder.decode(&frame)?);
        assert_same(&got, &batches[at], &resolved(&batches[at], labels.as_ref()));
        assert_eq!(unresolved, 0);
        files.insert(frame.file);
        at += 1;
        Ok(())
    });
    assert_eq!((at, report.lost.len()), (120, 0));
    assert!(files.len() > 4, "{} files", files.len());
}
