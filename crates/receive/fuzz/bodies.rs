//! What every target does with one input: a plain function, so that the tests run it too, on stable.

use signalbox_model::series::NoKnownSeries;
use signalbox_model::{ErrorKind, Result, Signal, TimeRange};
use signalbox_receive::compression::{Encoding, decompress as plain};
use signalbox_receive::logs::Assembler;
use signalbox_receive::logs::Names;
use signalbox_receive::otlp::{Format, Translation, decode};
use signalbox_receive::remote_write::{self, Version};
use signalbox_receive::socket::{Conversation, Datagrams};
use signalbox_receive::syslog;
use signalbox_receive::{Budget, Context, elastic, files, forward, gelf, influx, jaeger, json_lines, logs, loki, spans, splunk, transform, zipkin};

const PLAIN_BYTES_MAX: usize = 1 << 20;

fn context() -> Context<'static> {
    Context { now_ns: 1_700_000_000_000_000_000, known: &NoKnownSeries, accepted_time: TimeRange::ALL, attribute_depth_max: 32, transform: None }
}

/// Understood, or refused as wrong: any other error would make the client send the same bytes again.
fn understood_or_refused<T>(result: Result<T>) {
    if let Err(error) = result {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}

fn otlp(signal: Signal, format: Format, bytes: &[u8]) {
    understood_or_refused(decode(signal, format, bytes, &context(), &Translation::default()));
}

/// OTLP logs as protobuf.
pub(crate) fn otlp_logs(bytes: &[u8]) {
    otlp(Signal::Logs, Format::Protobuf, bytes);
}

/// OTLP metrics as protobuf.
pub(crate) fn otlp_metrics(bytes: &[u8]) {
    otlp(Signal::Metrics, Format::Protobuf, bytes);
}

/// OTLP traces as protobuf.
pub(crate) fn otlp_traces(bytes: &[u8]) {
    otlp(Signal::Traces, Format::Protobuf, bytes);
}

/// OTLP logs as JSON.
pub(crate) fn otlp_json_logs(bytes: &[u8]) {
    otlp(Signal::Logs, Format::Json, bytes);
}

/// OTLP metrics as JSON.
pub(crate) fn otlp_json_metrics(bytes: &[u8]) {
    otlp(Signal::Metrics, Format::Json, bytes);
}

/// OTLP traces as JSON.
pub(crate) fn otlp_json_traces(bytes: &[u8]) {
    otlp(Signal::Traces, Format::Json, bytes);
}

/// Remote write 1.0, uncompressed.
pub(crate) fn remote_write_v1(bytes: &[u8]) {
    understood_or_refused(remote_write::decode(Version::V1, bytes, &context()));
}

/// Remote write 2.0, uncompressed.
pub(crate) fn remote_write_v2(bytes: &[u8]) {
    understood_or_refused(remote_write::decode(Version::V2, bytes, &context()));
}

/// InfluxDB's line protocol. Every line is taken or refused, and says where it is.
pub(crate) fn influx_lines(bytes: &[u8]) {
    let (decoded, report) = influx::decode(bytes, &context(), &influx::Target::default(), &influx::Translation::default());
    let rejected: u64 = decoded.rejected.iter().map(|rejected| rejected.rows).sum();
    assert_eq!(rejected, report.refused);
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert!(report.taken + report.refused <= lines);
    assert!(report.faults.iter().all(|told| (1..=lines).contains(&told.fault.line)));
}

/// Statements of InfluxQL.
pub(crate) fn influx_query(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(statements) = influx::query::parse(text)
    {
        influx::query::answer(&statements, &[]);
    }
}

/// The bytes of a connection, in pieces of the length that the first says: nothing is left, and the pieces do not matter.
fn converse<C: Conversation>(bytes: &[u8], make: impl Fn() -> C) {
    let Some((first, stream)) = bytes.split_first() else { return };
    let piece_bytes = 1 + usize::from(*first);
    let rows = |pieces: std::slice::Chunks<'_, u8>| {
        let (mut conversation, mut input, mut rows) = (make(), bytes::BytesMut::new(), 0);
        for piece in pieces {
            input.extend_from_slice(piece);
            let turn = conversation.read(&mut input, false, &context());
            rows += turn.decoded.batches.iter().map(signalbox_model::Batch::rows).sum::<usize>();
            if turn.end.is_some() {
                return rows;
            }
        }
        let turn = conversation.read(&mut input, true, &context());
        assert!(input.is_empty() || turn.end.is_some());
        rows + turn.decoded.batches.iter().map(signalbox_model::Batch::rows).sum::<usize>()
    };
    assert_eq!(rows(stream.chunks(piece_bytes)), rows(stream.chunks(stream.len().max(1))));
}

/// Messages of syslog, framed and in both formats.
pub(crate) fn syslog(bytes: &[u8]) {
    let settings = syslog::Settings { message_bytes_max: 300, ..syslog::Settings::default() };
    converse(bytes, || syslog::Lines::new(&settings, std::net::Ipv4Addr::LOCALHOST.into()));
}

/// Fluent forward.
pub(crate) fn forward(bytes: &[u8]) {
    let settings = forward::Settings { message_bytes_max: PLAIN_BYTES_MAX, ..forward::Settings::default() };
    converse(bytes, || forward::Messages::new(&settings, Budget::new(64 << 20)));
}

/// GELF on a connection.
pub(crate) fn gelf_stream(bytes: &[u8]) {
    converse(bytes, || gelf::Texts::new(300));
    understood_or_refused(gelf::decode(bytes, &context()));
}

/// GELF in datagrams, each after its length in one byte.
pub(crate) fn gelf_datagrams(bytes: &[u8]) {
    let context = context();
    let (mut packets, mut assembler, mut rest) = (gelf::Packets::new(1000, Budget::new(16 << 20)), Assembler::new(&context), bytes);
    while let Some((length, after)) = rest.split_first() {
        let (datagram, later) = after.split_at(usize::from(*length).min(after.len()));
        packets.take(datagram, std::net::Ipv4Addr::LOCALHOST.into(), &context, &mut assembler);
        rest = later;
    }
    assembler.finish();
}

/// A push of Loki as protobuf, without its snappy.
pub(crate) fn loki_protobuf(bytes: &[u8]) {
    understood_or_refused(loki::Decoder::default().decode(loki::Format::Protobuf, bytes, &context()));
}

/// A push of Loki as JSON.
pub(crate) fn loki_json(bytes: &[u8]) {
    understood_or_refused(loki::Decoder::default().decode(loki::Format::Json, bytes, &context()));
}

/// Logs as JSON. Every line is taken or refused, and says where it is.
pub(crate) fn json_lines(bytes: &[u8]) {
    let (decoded, report) = json_lines::decode(bytes, &context(), &Names::default());
    let rows: usize = decoded.batches.iter().map(signalbox_model::Batch::rows).sum();
    let rejected: u64 = decoded.rejected.iter().map(|rejected| rejected.rows).sum();
    assert_eq!((rows as u64, rejected), (report.taken, report.refused));
}

/// A bulk request of Elasticsearch. Every item is taken or refused, or the request is.
pub(crate) fn elastic_bulk(bytes: &[u8]) {
    let indices = elastic::Indices { patterns: vec!["a*".into()], ..elastic::Indices::default() };
    let sent = elastic::Sent::Bulk { index: Some("a".into()) };
    let (decoded, report) = elastic::decode(bytes, &context(), &sent, &indices, 0);
    let rows: usize = decoded.batches.iter().map(signalbox_model::Batch::rows).sum();
    assert_eq!(rows, report.items.iter().filter(|item| item.fault.is_none()).count());
    assert!(report.fault.is_none() || report.items.is_empty());
}

/// Events of Splunk, as JSON and as lines.
pub(crate) fn splunk_events(bytes: &[u8]) {
    for format in [splunk::Format::Events, splunk::Format::Raw] {
        let (decoded, told) = splunk::decode(format, bytes, &context(), &splunk::Metadata::default());
        let rows: usize = decoded.batches.iter().map(signalbox_model::Batch::rows).sum();
        assert_eq!(rows as u64, told.taken);
    }
}

/// Compressed bytes; the first says how. The limit holds.
pub(crate) fn decompress(bytes: &[u8]) {
    let Some((which, compressed)) = bytes.split_first() else { return };
    let encoding = [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy][usize::from(which % 4)];
    let mut share = Budget::new(16 << 20).share();
    if let Ok(plain) = plain(encoding, compressed.to_vec().into(), PLAIN_BYTES_MAX, &mut share) {
        assert!(plain.len() <= PLAIN_BYTES_MAX);
    }
}

/// A rule of transform, a line of zeros, a text that it works on.
pub(crate) fn transform(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (steps, body) = text.split_once('\0').unwrap_or((&text, "a=1 {\"b\": \"c@d.example\"} 4111111111111111 [2024-05-06T07:08:09Z] ::1"));
    let Some(steps) = transform::steps_of_text(steps) else { return };
    let Ok(transform) = transform::Transform::of_steps(&steps, "x") else { return };
    let Some(pipeline) = transform.pipeline("fuzz") else { return };
    let is_dropping = steps.iter().any(|step| step.drop.is_some());
    let mut record = logs::Record { body: Some(body.into()), ..logs::Record::default() };
    let verdict = pipeline.apply(&mut record, 1_700_000_000_000_000_000);
    assert!(verdict == transform::Verdict::Keep || is_dropping);
}

/// A `promtail.yaml`.
pub(crate) fn promtail(bytes: &[u8]) {
    // Understood, or refused with a reason.
    if let Err(problem) = files::promtail::check(&String::from_utf8_lossy(bytes)) {
        assert!(!problem.is_empty());
    }
}

/// Lines as container runtimes write them. Nothing is longer than allowed, and nothing is made up.
pub(crate) fn container_lines(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let multiline = files::Multiline { firstline: r"^\S".into(), lines_max: 4, ..files::Multiline::default() };
    for format in [files::LineFormat::Plain, files::LineFormat::Cri, files::LineFormat::Docker, files::LineFormat::Container] {
        for multiline in [None, Some(&multiline)] {
            let records = files::records_of(format, multiline, &text, 100).unwrap_or_default();
            assert!(records.len() <= text.lines().count());
            assert!(records.iter().all(|record| record.len() <= 100));
        }
    }
}

/// What promtail knows of files.
pub(crate) fn promtail_positions(bytes: &[u8]) {
    if let Err(problem) = files::promtail::check_positions(&String::from_utf8_lossy(bytes)) {
        assert!(!problem.is_empty());
    }
}

/// A text that may name a trace.
pub(crate) fn trace_link(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let link = logs::TraceLink::default().or_in_text(&text);
    assert!(link.trace_id.is_some() || link.span_id.is_none());
    let mut link = logs::TraceLink::default();
    link.see_attribute(&text[..text.floor_char_boundary(12)], &text);
}

/// Spans of Zipkin in JSON, of both models.
pub(crate) fn zipkin_json(bytes: &[u8]) {
    for format in [zipkin::Format::Json, zipkin::Format::FirstJson] {
        understood_or_refused(zipkin::decode(format, bytes, &context()));
    }
}

/// Spans of Zipkin in protobuf.
pub(crate) fn zipkin_protobuf(bytes: &[u8]) {
    understood_or_refused(zipkin::decode(zipkin::Format::Protobuf, bytes, &context()));
}

/// Spans of Zipkin's first model in Thrift.
pub(crate) fn zipkin_thrift(bytes: &[u8]) {
    understood_or_refused(zipkin::decode(zipkin::Format::FirstThrift, bytes, &context()));
}

/// A call to Jaeger's collector.
pub(crate) fn jaeger_protobuf(bytes: &[u8]) {
    understood_or_refused(jaeger::decode_proto(bytes, &context()));
}

/// A batch of Jaeger in Thrift, and a call to its agent, in both protocols.
pub(crate) fn jaeger_thrift(bytes: &[u8]) {
    let context = context();
    for wire in [jaeger::Wire::Binary, jaeger::Wire::Compact] {
        understood_or_refused(jaeger::decode_thrift(wire, bytes, &context));
        let mut assembler = spans::Assembler::new(&context);
        jaeger::Calls::new(wire).take(bytes, std::net::Ipv4Addr::LOCALHOST.into(), &context, &mut assembler);
        assembler.finish();
    }
}
