//! Entries of streams to rows: what protobuf and JSON have in common.

use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;
use signalbox_model::builder::LogRow;
use signalbox_model::{Error, Result, SpanId, TraceId};

use super::labels::{Stream, StreamFault, Streams};
use crate::door::{Context, Decoded, Rejections};
use crate::logs::{Record, Rows, TraceLink, hex, level, severity};

/// Structured metadata that says what a column says.
const DETECTED_LEVEL: &str = "detected_level";
const SEVERITY_TEXT: &str = "severity_text";
const SEVERITY_NUMBER: &str = "severity_number";

/// Makes a batch of entries.
#[derive(Debug)]
pub(crate) struct Entries<'c> {
    context: &'c Context<'c>,
    streams: &'c Streams,
    rows: Rows<'c>,
    rejections: Rejections,
    /// The stream at hand; `None` when its entries are refused.
    stream: Option<Arc<Stream>>,
    refused: Option<(&'static str, String)>,
    arena: String,
    streams_seen: usize,
}

impl<'c> Entries<'c> {
    pub(crate) fn new(context: &'c Context<'c>, streams: &'c Streams) -> Self {
        Self {
            context,
            streams,
            rows: Rows::new(context),
            rejections: Rejections::default(),
            stream: None,
            refused: None,
            arena: String::new(),
            streams_seen: 0,
        }
    }

    /// Announces the stream of the entries that follow.
    ///
    /// # Errors
    /// If its labels cannot be read: nothing of the request is taken then.
    pub(crate) fn enter(&mut self, labels: &str) -> Result<()> {
        self.streams_seen += 1;
        (self.stream, self.refused) = (None, None);
        match self.streams.of(labels) {
            Ok(stream) => {
                if let Rows::Direct(builder) = &mut self.rows {
                    builder.set_resource(&stream.resource, &stream.service);
                }
                self.stream = Some(stream);
            }
            Err(StreamFault::Syntax(fault)) => return Err(Error::invalid(format!("couldn't parse labels: {fault}"))),
            Err(StreamFault::Labels(reason, message)) => self.refused = Some((reason, message)),
        }
        Ok(())
    }

    /// Appends an entry of the stream.
    pub(crate) fn push<'m>(&mut self, timestamp_ns: i64, line: &str, metadata: impl Iterator<Item = (&'m str, &'m str)> + Clone) {
        let Some(stream) = &self.stream else {
            if let Some((reason, message)) = &self.refused {
                self.rejections.add(1, reason, || message.clone());
            }
            return;
        };
        let accepted = self.context.accepted_time;
        if !accepted.contains_ns(timestamp_ns) {
            refuse_time(&mut self.rejections, &stream.text, timestamp_ns, accepted);
            return;
        }
        let mut row = LogRow { timestamp_ns, body: Some(line), ..LogRow::default() };
        let discovery = self.streams.discovery();
        let mut said = None;
        let mut said_rank = usize::MAX;
        let mut link = TraceLink::default();
        let mut record = matches!(self.rows, Rows::Records(_)).then(|| Record { origin: Arc::clone(&stream.origin), ..Record::default() });
        let mut keep = |name: &'m str, value: &'m str| match (&mut self.rows, &mut record) {
            (Rows::Direct(builder), _) => builder.attributes().append_string(name, value),
            (Rows::Records(_), Some(record)) => record.attributes.push((name.into(), AttributeValue::String(value.to_owned()))),
            (Rows::Records(_), None) => {}
        };
        for (name, value) in metadata {
            match name {
                DETECTED_LEVEL => (said, said_rank) = (Some(value), 0),
                SEVERITY_NUMBER if value.parse().is_ok_and(|number| (1..=24).contains(&number)) => row.severity_number = value.parse().unwrap_or_default(),
                "trace_id"
                    if row.trace_id.is_none()
                        && let Some(id) = lower_hex::<{ TraceId::LEN }>(value).and_then(|id| TraceId::from_slice(&id)) =>
                {
                    row.trace_id = Some(id)
                }
                "span_id"
                    if row.span_id.is_none()
                        && let Some(id) = lower_hex::<{ SpanId::LEN }>(value).and_then(|id| SpanId::from_slice(&id)) =>
                {
                    row.span_id = Some(id)
                }
                _ => {
                    if let Some(rank) = self.streams.level_position(name)
                        && rank + 1 < said_rank
                    {
                        (said, said_rank) = (Some(value), rank + 1);
                    }
                    if name != SEVERITY_TEXT {
                        keep(name, value);
                        link.see_attribute(name, value);
                    }
                }
            }
        }
        if row.trace_id.is_none() {
            let link = TraceLink { span_id: row.span_id.or(link.span_id), ..link }.or_in_text(line);
            (row.trace_id, row.span_id) = (link.trace_id, row.span_id.or(link.span_id));
        }
        // A label wins over metadata, unless that is what Loki itself would have found.
        let said = match stream.level.as_deref() {
            Some(level) if said_rank > 0 => Some(level),
            _ => said,
        };
        let found = match said {
            Some(level) => Some(level),
            None if row.severity_number == 0 && discovery.discover_log_levels => level::of_line(line, &discovery.log_level_fields, &mut self.arena),
            None => None,
        };
        row.severity_text = found.unwrap_or_default();
        if row.severity_number == 0 {
            row.severity_number = severity::of_word(row.severity_text).unwrap_or(0);
        }
        match (&mut self.rows, record) {
            (Rows::Direct(builder), _) => builder.close_row(&row),
            (Rows::Records(assembler), record) => {
                let record = record.unwrap_or_default();
                assembler.push(Record {
                    timestamp_ns: Some(timestamp_ns),
                    severity_number: row.severity_number,
                    severity_text: row.severity_text.into(),
                    body: Some(line.into()),
                    trace_id: row.trace_id,
                    span_id: row.span_id,
                    ..record
                });
            }
        }
    }

    /// Counts an entry whose time is no instant.
    pub(crate) fn refuse_instant(&mut self) {
        self.rejections.add(1, "invalid_timestamp", || "entry has a timestamp that is no instant between the years 1677 and 2262".to_owned());
    }

    /// How many streams there were.
    pub(crate) fn streams_seen(&self) -> usize {
        self.streams_seen
    }

    pub(crate) fn finish(self) -> Decoded {
        self.rows.finish(self.rejections)
    }
}

/// The bytes of digits that read back as they are.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let has_upper = |text: &str| text.bytes().fold(false, |found, byte| found | byte.is_ascii_uppercase());
    hex::bytes(text.as_bytes()).filter(|_| !has_upper(text))
}

#[cold]
fn refuse_time(rejections: &mut Rejections, stream: &str, timestamp_ns: i64, accepted: signalbox_model::TimeRange) {
    let in_words = |ns: i64| jiff::Timestamp::from_second(ns.div_euclid(1_000_000_000)).map_or_else(|_| ns.to_string(), |instant| instant.to_string());
    if timestamp_ns < accepted.start_ns {
        rejections.add(1, "too_old", || {
            let (found, oldest) = (in_words(timestamp_ns), in_words(accepted.start_ns));
            format!("entry for stream '{stream}' has timestamp too old: {found}, oldest acceptable timestamp is: {oldest}")
        });
    } else {
        rejections.add(1, "too_far_in_future", || format!("entry for stream '{stream}' has timestamp too new: {}", in_words(timestamp_ns)));
    }
}
