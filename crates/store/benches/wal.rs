//! Encoding of batches, and appends in groups to a real disk.
//!
//! The directory of the appends is `TMPDIR`'s, by `tempfile`: on a RAM disk a sync costs nothing and the figure means nothing.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use futures::future::join_all;
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Labels, MetricBatch, SeriesEntry, SeriesRef, Signal, Tenant};
use signalbox_store::disk::RealDisk;
use signalbox_store::write::payload::{Decoder, Encoder, SeriesLabels};
use signalbox_store::write::wal::{Frame, FrameKind, Opening, Payload, Place, Record, Wal, WalSettings};
use signalbox_telemetry::SystemClock;

/// Samples or records of one request.
const ROWS: u32 = 2000;

struct Head(Vec<Labels>);

impl SeriesLabels for Head {
    fn labels(&self, series: SeriesRef) -> Option<Labels> {
        self.0.get(series.0 as usize).cloned()
    }
}

fn head() -> Arc<dyn SeriesLabels> {
    let labels = |number: u32| {
        let (instance, cpu) = (format!("host-{}:9100", number / 200), (number % 200).to_string());
        Labels::from_pairs([("__name__", "node_cpu_seconds_total"), ("instance", &instance), ("job", "node"), ("cpu", &cpu), ("mode", "idle")])
    };
    Arc::new(Head((0..ROWS).map(labels).collect()))
}

fn samples() -> Batch {
    let mut batch = MetricBatch::default();
    for number in 0..ROWS {
        batch.series.push(SeriesEntry::Known(SeriesRef(number)));
        batch.samples.push(number, 1_700_000_000_000, f64::from(number) * 1.37);
    }
    Batch::Metrics(batch)
}

fn logs() -> Batch {
    let mut builder = LogBuilder::default();
    builder.set_resource("{\"service.name\":\"checkout\"}", "checkout");
    for row in 0..i64::from(ROWS) {
        builder.attributes().append_string("http.route", "/cart/{id}");
        builder.attributes().append_int("http.status_code", 200 + row % 5);
        let body = format!("GET /cart/{} took {} ms", row * 7919 % 10_007, row * 31 % 977);
        builder.close_row(&LogRow { timestamp_ns: 1_700_000_000_000_000_000 + row, body: Some(&body), ..LogRow::default() });
    }
    Batch::Logs(builder.finish())
}

fn written(record: Record, place: Place) -> Bytes {
    match record.payload {
        Payload::Ready(bytes) => bytes,
        Payload::Late(mut late) => {
            let mut out = Vec::new();
            late.write(place, &mut out).expect("the head knows all series");
            out.into()
        }
    }
}

fn payloads(criterion: &mut Criterion) {
    let (tenant, head) = (Tenant::default(), head());
    let mut group = criterion.benchmark_group("payload");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    for (name, batch) in [("samples", samples()), ("logs", logs())] {
        let encoder = Encoder::default();
        let encode = |place| written(encoder.encode(&tenant, &batch, &head).expect("a good batch"), Place(place));
        group.bench_function(format!("{name}/encode"), |bencher| bencher.iter(|| black_box(encode(1))));
        let mut place = 1;
        group.bench_function(format!("{name}/encode_first_of_file"), |bencher| {
            bencher.iter(|| {
                place += 1;
                black_box(encode(place))
            });
        });
        let kind = FrameKind::Signal(batch.signal());
        let frame = |payload| Frame { sequence: 1, tenant: tenant.clone(), kind, payload, file: 1, is_consumed: false };
        let mut decoder = Decoder::default();
        decoder.decode(&frame(encode(place + 1))).expect("a good payload");
        encode(place + 1);
        let referring = frame(encode(place + 1));
        group.bench_function(format!("{name}/decode"), |bencher| bencher.iter(|| black_box(decoder.decode(&referring).expect("a good payload"))));
    }
    group.finish();
}

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(10);
    for (clients, len) in [(1, 20_000), (16, 20_000), (256, 20_000), (256, 500)] {
        let dir = tempfile::tempdir().expect("a directory");
        let opening = Opening {
            disk: Arc::new(RealDisk::new(dir.path())),
            clock: Arc::new(SystemClock),
            dir: std::path::Path::new("wal"),
            settings: WalSettings::default(),
            from: 1,
            new_log_id: 1,
        };
        let (wal, _) = Wal::open(opening, &mut |_| Ok(())).expect("an empty directory");
        let payload = Bytes::from(vec![7; len]);
        let record = || Record { tenant: Tenant::default(), kind: FrameKind::Signal(Signal::Logs), payload: Payload::Ready(payload.clone()) };
        group.throughput(Throughput::Bytes(clients * len as u64));
        group.bench_function(format!("{clients}x{len}"), |bencher| {
            bencher.iter_batched(
                || (0..clients).map(|_| record()).collect::<Vec<_>>(),
                |records| {
                    let answers = block_on(join_all(records.into_iter().map(|record| wal.append(record, Box::new(|_| {})))));
                    let last = answers.into_iter().map(|answer| answer.expect("a working disk")).max();
                    wal.release(last.unwrap_or(0)).expect("a working disk");
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, payloads, appends);
criterion_main!(benches);
