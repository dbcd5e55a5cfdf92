//! Own telemetry as batches. Pure.

use signalbox_model::attributes::AttributeValue;
use signalbox_model::attributes::{SCOPE_NAME, write_json_string};
use signalbox_model::builder::{AttributesBuilder, LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::time::NANOS_PER_MILLI;
use signalbox_model::{KnownSeries, Labels, LabelsBuilder, LogBatch, MetricBatch, MetricKind, MetricMetadata, SeriesEntry, SeriesId, SeriesKey, SpanBatch};
use signalbox_telemetry::{LogRecord, Reading, SpanRecord};

use super::Identity;

const SERVICE: &str = "signalbox";

/// Readings as samples of one instant.
pub(super) fn metrics(identity: &Identity, readings: &[Reading], now_ms: i64, start_ns: i64, known: &dyn KnownSeries) -> MetricBatch {
    let start_ms = start_ns.div_euclid(NANOS_PER_MILLI);
    let mut batch = MetricBatch::default();
    let mut push = |name: &str, labels: &[(String, String)], value: f64, start_ms: i64| {
        let series = u32::try_from(batch.series.len()).unwrap_or(u32::MAX);
        batch.series.push(entry(identity, name, labels, known));
        batch.samples.push_started(series, now_ms, value, start_ms);
    };
    for reading in readings {
        push(&reading.name, &reading.labels, reading.value, if reading.kind == "gauge" { 0 } else { start_ms });
    }
    let version = [("service_version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    push("target_info", &version, 1.0, 0);
    for reading in readings {
        if batch.metadata.last().is_none_or(|last: &MetricMetadata| last.name != reading.family) {
            let kind = MetricKind::from_word(reading.kind);
            batch.metadata.push(MetricMetadata { name: reading.family.to_owned(), kind, help: reading.help.to_owned(), unit: String::new() });
        }
    }
    batch
}

fn entry(identity: &Identity, name: &str, labels: &[(String, String)], known: &dyn KnownSeries) -> SeriesEntry {
    let mut builder = LabelsBuilder::default();
    builder.set("__name__", name).set("job", SERVICE).set("instance", &identity.instance);
    for (key, value) in labels {
        builder.set(key, value);
    }
    let labels = builder.build();
    let key = key(&labels);
    match known.find(key) {
        Some(series) => SeriesEntry::Known(series),
        None => SeriesEntry::New { key, labels },
    }
}

/// No protocol hashes blocks of labels behind this word.
fn key(labels: &Labels) -> SeriesKey {
    let spelled = [b"selfwatch\0", labels.as_bytes()].concat();
    SeriesKey(SeriesId::of_block(&spelled).0)
}

/// Log records as rows.
pub(super) fn logs(identity: &Identity, records: &[LogRecord]) -> LogBatch {
    let mut builder = LogBuilder::default();
    builder.set_resource(&resource(identity), SERVICE);
    for record in records {
        builder.set_scope(&scope(&record.scope));
        append(builder.attributes(), &record.attributes);
        builder.close_row(&LogRow {
            timestamp_ns: record.timestamp_ns,
            observed_timestamp_ns: Some(record.timestamp_ns),
            severity_number: record.severity_number,
            severity_text: record.severity_text,
            body: Some(&record.body),
            trace_id: record.span.map(|(trace_id, _)| trace_id),
            span_id: record.span.map(|(_, span_id)| span_id),
            flags: u32::from(record.span.is_some()),
            ..LogRow::default()
        });
    }
    builder.finish()
}

/// Spans as rows.
pub(super) fn spans(identity: &Identity, records: &[SpanRecord]) -> SpanBatch {
    let mut builder = SpanBuilder::default();
    builder.set_resource(&resource(identity), SERVICE);
    for record in records {
        builder.set_scope(&scope(&record.scope));
        append(builder.attributes(), &record.attributes);
        builder.close_row(&SpanRow {
            trace_id: record.trace_id,
            span_id: record.span_id,
            parent_span_id: record.parent_span_id,
            start_ns: record.start_ns,
            end_ns: record.end_ns,
            name: &record.name,
            kind: record.kind,
            status_code: record.status_code,
            status_message: &record.status_message,
            trace_state: "",
            flags: 1,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    builder.finish()
}

fn append(builder: &mut AttributesBuilder, attributes: &[(&'static str, AttributeValue)]) {
    for (key, value) in attributes {
        builder.append(key, value);
    }
}

fn resource(identity: &Identity) -> String {
    object(&[("service.name", SERVICE), ("service.version", env!("CARGO_PKG_VERSION")), ("service.instance.id", &identity.instance)])
}

fn scope(target: &str) -> String {
    object(&[(SCOPE_NAME, target)])
}

fn object(entries: &[(&str, &str)]) -> String {
    let mut json = String::from("{");
    for (position, (key, value)) in entries.iter().enumerate() {
        if position > 0 {
            json.push(',');
        }
        write_json_string(&mut json, key);
        json.push(':');
        write_json_string(&mut json, value);
    }
    json.push('}');
    json
}
