//! Decoding into columns beside decoding into the generated types: the same bytes, 5,000 rows each.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement stops at the first failure")]

mod requests;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use signalbox_model::series::NoKnownSeries;
use signalbox_model::{KnownSeries, Signal, TimeRange};
use signalbox_proto::otlp::collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest};
use signalbox_proto::{remote_write_v1, remote_write_v2};
use signalbox_receive::logs::Names;
use signalbox_receive::otlp::{Format, Translation, decode};
use signalbox_receive::remote_write::{self, Version};
use signalbox_receive::{Context, Decoded, influx, json_lines, loki};

fn context(known: &dyn KnownSeries) -> Context<'_> {
    Context { now_ns: requests::NOW_NS, known, accepted_time: TimeRange::ALL, attribute_depth_max: 32, transform: None }
}

fn otlp(signal: Signal, bytes: &[u8], known: &dyn KnownSeries) -> Decoded {
    decode(signal, Format::Protobuf, bytes, &context(known), &Translation::default()).unwrap()
}

fn compare<M: Message + Default>(criterion: &mut Criterion, name: &str, bytes: &[u8], columns: &dyn Fn(&dyn KnownSeries) -> Decoded) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(requests::ROWS));
    group.bench_function("generated types", |bencher| bencher.iter(|| M::decode(black_box(bytes)).unwrap()));
    group.bench_function("columns", |bencher| bencher.iter(|| columns(&requests::AllKnown)));
    group.bench_function("columns, series new", |bencher| bencher.iter(|| columns(&NoKnownSeries)));
    group.finish();
}

fn decoders(criterion: &mut Criterion) {
    let bytes = requests::metrics();
    compare::<ExportMetricsServiceRequest>(criterion, "otlp metrics", &bytes, &|known| otlp(Signal::Metrics, &bytes, known));
    let bytes = requests::logs();
    compare::<ExportLogsServiceRequest>(criterion, "otlp logs", &bytes, &|known| otlp(Signal::Logs, &bytes, known));
    let bytes = requests::spans();
    compare::<ExportTraceServiceRequest>(criterion, "otlp spans", &bytes, &|known| otlp(Signal::Traces, &bytes, known));
    let bytes = requests::remote_write_v1();
    compare::<remote_write_v1::WriteRequest>(criterion, "remote write 1.0", &bytes, &|known| {
        remote_write::decode(Version::V1, &bytes, &context(known)).unwrap()
    });
    let bytes = requests::remote_write_v2();
    compare::<remote_write_v2::Request>(criterion, "remote write 2.0", &bytes, &|known| remote_write::decode(Version::V2, &bytes, &context(known)).unwrap());
    let bytes = requests::influx();
    let mut group = criterion.benchmark_group("influx");
    group.throughput(Throughput::Elements(requests::ROWS));
    let decode = |known: &dyn KnownSeries| influx::decode(black_box(&bytes), &context(known), &influx::Target::default(), &influx::Translation::default());
    group.bench_function("columns", |bencher| bencher.iter(|| decode(&requests::AllKnown)));
    group.bench_function("columns, series new", |bencher| bencher.iter(|| decode(&NoKnownSeries)));
    group.finish();
    let (pushes, lines, decoder, names) = (requests::loki(), requests::json_lines(), loki::Decoder::default(), Names::default());
    let mut group = criterion.benchmark_group("logs");
    group.throughput(Throughput::Elements(requests::ROWS));
    group.bench_function("loki", |bencher| {
        bencher.iter(|| decoder.decode(loki::Format::Protobuf, black_box(&pushes), &context(&NoKnownSeries)).unwrap());
    });
    group.bench_function("json lines", |bencher| bencher.iter(|| json_lines::decode(black_box(&lines), &context(&NoKnownSeries), &names)));
    group.finish();
}

criterion_group!(benches, decoders);
criterion_main!(benches);
