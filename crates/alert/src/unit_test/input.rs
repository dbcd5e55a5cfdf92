//! What comes in during a test: samples, log records and spans, in order of time, in batches up to an instant.

use std::collections::BTreeMap;

use serde_norway::Value;
use signalbox_lang::duration;
use signalbox_lang::promql::series::{self, Item};
use signalbox_model::attributes::{AttributeValue, write_json};
use signalbox_model::builder::{LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, Histogram, HistogramSample, Labels, MetricBatch, SeriesEntry, SeriesKey, SpanId, TraceId};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::document::{RawLog, RawSeries, RawSpan, Texts};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Mixed into keys of series, so that those of rules are others.
const SERIES_KEY_SEED: u64 = 0x7465_7374_696e_0001;

/// Records and spans that the inputs of one test stand for.
const ROWS_MAX: usize = 1_000_000;

/// Everything that comes in.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    series: Vec<InputSeries>,
    logs: Vec<Log>,
    spans: Vec<Span>,
    rows: Vec<(i64, Row)>,
    interval_ms: i64,
    start_ms: i64,
    /// Rows that came in already.
    rows_taken: usize,
}

#[derive(Debug)]
struct InputSeries {
    labels: Labels,
    items: Vec<Item>,
    /// Items that came in already.
    taken: usize,
}

/// A record or a span of the kind that stands at this place.
#[derive(Debug, Clone, Copy)]
enum Row {
    Log(usize),
    Span(usize),
}

/// What records have in common that differ in time.
#[derive(Debug)]
struct Log {
    resource: String,
    service: String,
    attributes: Vec<(String, AttributeValue)>,
    body: String,
    severity: (i32, String),
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
}

/// What spans have in common that differ in time.
#[derive(Debug)]
struct Span {
    resource: String,
    service: String,
    attributes: Vec<(String, AttributeValue)>,
    name: String,
    duration_ns: i64,
    kind: i32,
    status: i32,
    status_message: String,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    parent: Option<SpanId>,
}

impl Inputs {
    /// Reads what comes in, `start_and_interval_ms` being when the test begins and how far apart samples are.
    pub(super) fn read(series: Vec<RawSeries>, logs: Vec<RawLog>, spans: Vec<RawSpan>, start_and_interval_ms: (i64, i64)) -> Result<Self, String> {
        let (start_ms, interval_ms) = start_and_interval_ms;
        let mut inputs = Self { interval_ms, start_ms, ..Self::default() };
        for RawSeries { series: metric, values } in series {
            let wrong = |why: String| format!("cannot read series {metric:?}: {why}");
            let labels = series::labels(&metric).map_err(wrong)?;
            inputs.series.push(InputSeries { labels, items: series::items(&values).map_err(wrong)?, taken: 0 });
        }
        for (index, log) in logs.into_iter().enumerate() {
            let wrong = |why: String| format!("cannot read number {} of input_logs: {why}", index + 1);
            let times = times(&log.at, log.every.as_deref(), log.times).map_err(wrong)?;
            inputs.logs.push(read_log(log).map_err(wrong)?);
            inputs.add(&times, Row::Log(index))?;
        }
        for (index, span) in spans.into_iter().enumerate() {
            let wrong = |why: String| format!("cannot read number {} of input_spans: {why}", index + 1);
            let times = times(&span.at, span.every.as_deref(), span.times).map_err(wrong)?;
            inputs.spans.push(read_span(span).map_err(wrong)?);
            inputs.add(&times, Row::Span(index))?;
        }
        inputs.rows.sort_by_key(|(at_ms, _)| *at_ms);
        Ok(inputs)
    }

    fn add(&mut self, times: &[i64], row: Row) -> Result<(), String> {
        if self.rows.len() + times.len() > ROWS_MAX {
            return Err(format!("want at most {ROWS_MAX} records and spans"));
        }
        self.rows.extend(times.iter().map(|at_ms| (self.start_ms + at_ms, row)));
        Ok(())
    }

    /// What came in since the last call, up to and with an instant (milliseconds since the Unix epoch).
    pub(super) fn take_until(&mut self, until_ms: i64) -> Vec<Batch> {
        let mut batches = Vec::new();
        let samples = self.samples_until(until_ms);
        if !samples.series.is_empty() {
            batches.push(Batch::Metrics(samples));
        }
        let (mut logs, mut spans) = (LogBuilder::default(), SpanBuilder::default());
        while let Some((at_ms, row)) = self.rows.get(self.rows_taken).filter(|(at_ms, _)| *at_ms <= until_ms) {
            match row {
                Row::Log(index) => self.logs[*index].write(*at_ms, &mut logs),
                Row::Span(index) => self.spans[*index].write(*at_ms, self.rows_taken, &mut spans),
            }
            self.rows_taken += 1;
        }
        if !logs.is_empty() {
            batches.push(Batch::Logs(logs.finish()));
        }
        if !spans.is_empty() {
            batches.push(Batch::Traces(spans.finish()));
        }
        batches
    }

    fn samples_until(&mut self, until_ms: i64) -> MetricBatch {
        let mut batch = MetricBatch::default();
        for series in &mut self.series {
            let mut number = None;
            while let Some(item) = series.items.get(series.taken) {
                // There are no more items than fit.
                let ts_ms = self.start_ms.saturating_add(self.interval_ms.saturating_mul(series.taken as i64));
                if ts_ms > until_ms {
                    break;
                }
                series.taken += 1;
                if *item == Item::Gap {
                    continue;
                }
                let number = *number.get_or_insert_with(|| announce(&mut batch, &series.labels));
                match item {
                    Item::Gap => {}
                    Item::Float(value) => batch.samples.push(number, ts_ms, *value),
                    Item::Histogram { histogram, .. } => {
                        let histogram = Histogram::clone(histogram);
                        batch.histograms.push(HistogramSample { series: number, ts_ms, start_ms: 0, is_delta: false, histogram });
                    }
                }
            }
        }
        batch
    }
}

fn announce(batch: &mut MetricBatch, labels: &Labels) -> u32 {
    let key = SeriesKey(xxh3_128_with_seed(labels.as_bytes(), SERIES_KEY_SEED));
    batch.series.push(SeriesEntry::New { key, labels: labels.clone() });
    // A file of bounded size names fewer.
    u32::try_from(batch.series.len() - 1).unwrap_or(u32::MAX)
}

impl Log {
    fn write(&self, at_ms: i64, builder: &mut LogBuilder) {
        builder.set_resource(&self.resource, &self.service);
        for (name, value) in &self.attributes {
            builder.attributes().append(name, value);
        }
        let timestamp_ns = at_ms.saturating_mul(NANOS_PER_MILLI);
        builder.close_row(&LogRow {
            timestamp_ns,
            // A label in LogQL: it would make every record a series of its own.
            observed_timestamp_ns: None,
            severity_number: self.severity.0,
            severity_text: &self.severity.1,
            body: Some(&self.body),
            trace_id: self.trace_id,
            span_id: self.span_id,
            ..LogRow::default()
        });
    }
}

impl Span {
    fn write(&self, at_ms: i64, number: usize, builder: &mut SpanBuilder) {
        builder.set_resource(&self.resource, &self.service);
        for (name, value) in &self.attributes {
            builder.attributes().append(name, value);
        }
        let (start_ns, number) = (at_ms.saturating_mul(NANOS_PER_MILLI), number as u64 + 1);
        // Spans that say nothing are traces of their own.
        let trace_id = self.trace_id.or_else(|| TraceId::from_slice(&u128::from(number).to_be_bytes()));
        let span_id = self.span_id.or_else(|| SpanId::from_slice(&number.to_be_bytes()));
        let (Some(trace_id), Some(span_id)) = (trace_id, span_id) else { return };
        builder.close_row(&SpanRow {
            trace_id,
            span_id,
            parent_span_id: self.parent,
            start_ns,
            end_ns: start_ns.saturating_add(self.duration_ns),
            name: &self.name,
            kind: self.kind,
            status_code: self.status,
            status_message: &self.status_message,
            trace_state: "",
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
}

/// Milliseconds since the start of the test.
fn times(at: &Texts, every: Option<&str>, count: Option<usize>) -> Result<Vec<i64>, String> {
    let parse = |text: &str| duration::parse_ms(text).map_err(|error| error.message().to_owned());
    let at: Vec<i64> = at.0.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    match (every, count) {
        (None, None) if at.is_empty() => Err("no time: want at, or every and times".to_owned()),
        (None, None) => Ok(at),
        (Some(every), Some(count)) => {
            let every = parse(every)?;
            let [first] = *(if at.is_empty() { &[0] } else { at.as_slice() }) else {
                return Err("more than one at with every: want the first time".to_owned());
            };
            if count > ROWS_MAX {
                return Err(format!("times is {count}: want at most {ROWS_MAX}"));
            }
            Ok((0..count as i64).map(|number| first.saturating_add(every.saturating_mul(number))).collect())
        }
        _ => Err("every and times belong together".to_owned()),
    }
}

fn read_log(raw: RawLog) -> Result<Log, String> {
    let resource = match (raw.stream, raw.resource) {
        (Some(_), Some(_)) => return Err("stream and resource: want one of them".to_owned()),
        (Some(stream), None) => stream.into_iter().map(|(name, value)| (name, AttributeValue::String(value))).collect(),
        (None, resource) => attributes(resource)?,
    };
    let text = raw.severity.unwrap_or_default();
    let severity =
        if text.is_empty() { 0 } else { severity(&text).ok_or_else(|| format!("no severity {text:?}: want trace, debug, info, warn, error or fatal"))? };
    Ok(Log {
        service: service(&resource),
        resource: json(&resource),
        attributes: attributes(raw.attributes)?,
        body: raw.body.unwrap_or_default(),
        severity: (severity, text),
        trace_id: raw.trace_id.as_deref().map(trace_id).transpose()?,
        span_id: raw.span_id.as_deref().map(span_id).transpose()?,
    })
}

fn read_span(raw: RawSpan) -> Result<Span, String> {
    let mut resource = attributes(raw.resource)?;
    if let Some(service) = raw.service {
        resource.retain(|(name, _)| name != "service.name");
        resource.push(("service.name".to_owned(), AttributeValue::String(service)));
        resource.sort_by(|left, right| left.0.cmp(&right.0));
    }
    let choice = |what: &str, text: Option<String>, words: &[&str], otherwise: usize| match text.as_deref() {
        None | Some("") => Ok(otherwise as i32),
        Some(text) => words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(text))
            .map(|at| at as i32)
            .ok_or_else(|| format!("no {what} {text:?}: want {}", words.join(", "))),
    };
    let duration_ns = raw.duration.as_deref().map(|text| duration::parse_ns(text).map_err(|error| error.message().to_owned())).transpose()?;
    Ok(Span {
        service: service(&resource),
        resource: json(&resource),
        attributes: attributes(raw.attributes)?,
        name: raw.name.unwrap_or_default(),
        duration_ns: duration_ns.unwrap_or(0),
        kind: choice("kind", raw.kind, &["unspecified", "internal", "server", "client", "producer", "consumer"], 1)?,
        status: choice("status", raw.status, &["unset", "ok", "error"], 0)?,
        status_message: raw.status_message.unwrap_or_default(),
        trace_id: raw.trace_id.as_deref().map(trace_id).transpose()?,
        span_id: raw.span_id.as_deref().map(span_id).transpose()?,
        parent: raw.parent_span_id.as_deref().map(span_id).transpose()?,
    })
}

fn trace_id(text: &str) -> Result<TraceId, String> {
    TraceId::from_hex(text).ok_or_else(|| format!("no trace id {text:?}: want up to 32 hexadecimal digits"))
}

fn span_id(text: &str) -> Result<SpanId, String> {
    SpanId::from_hex(text).ok_or_else(|| format!("no span id {text:?}: want up to 16 hexadecimal digits"))
}

/// The number that OpenTelemetry gives a word.
fn severity(word: &str) -> Option<i32> {
    let words: [&[&str]; 6] = [&["trace"], &["debug"], &["info", "information"], &["warn", "warning"], &["error", "err"], &["fatal", "critical"]];
    let position = words.iter().position(|words| words.iter().any(|known| known.eq_ignore_ascii_case(word)))?;
    Some([1, 5, 9, 13, 17, 21][position])
}

fn service(resource: &[(String, AttributeValue)]) -> String {
    let named = |wanted: &str| resource.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.to_text());
    named("service.name").or_else(|| named("service_name")).unwrap_or_default()
}

/// A JSON object; the attributes are sorted by name.
fn json(attributes: &[(String, AttributeValue)]) -> String {
    let mut text = String::new();
    write_json(&mut text, &AttributeValue::Map(attributes.to_vec()));
    text
}

fn attributes(raw: Option<BTreeMap<String, Value>>) -> Result<Vec<(String, AttributeValue)>, String> {
    raw.unwrap_or_default().into_iter().map(|(name, value)| Ok((name, attribute(value)?))).collect()
}

fn attribute(value: Value) -> Result<AttributeValue, String> {
    let json = serde_json::to_value(&value).map_err(|error| format!("cannot read an attribute: {error}"))?;
    Ok(AttributeValue::from_json(&json))
}
