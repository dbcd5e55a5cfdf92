//! Records to a batch.

use std::collections::HashMap;
use std::sync::Arc;

use signalbox_model::attributes::{AttributeValue, write_json, write_json_string};
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Rejected};

use super::record::{Origin, Record};
use super::trace_link::TraceLink;
use crate::door::{Context, Decoded, Rejections};
use crate::transform::Verdict;

/// Attributes of a resource that name the service, the first that is there.
const SERVICE: &str = "service.name";
/// The same, as label sets of Loki spell it.
const SERVICE_LABEL: &str = "service_name";

/// Makes a batch of records; a record is judged as a whole before anything of it is appended.
#[derive(Debug)]
pub struct Assembler<'c> {
    context: Context<'c>,
    builder: LogBuilder,
    rejections: Rejections,
    /// The JSON form and the service of each origin.
    origins: HashMap<usize, (Arc<Origin>, String, String)>,
    current: Option<usize>,
}

impl<'c> Assembler<'c> {
    /// An empty batch.
    pub fn new(context: &Context<'c>) -> Self {
        Self { context: *context, builder: LogBuilder::default(), rejections: Rejections::default(), origins: HashMap::new(), current: None }
    }

    /// Announces the scope of the records that follow: its JSON form.
    pub(crate) fn set_scope(&mut self, json: &str) {
        self.builder.set_scope(json);
    }

    /// Appends a record, after what the rules of the door do to it.
    pub fn push(&mut self, mut record: Record<'_>) {
        if let Some(pipeline) = self.context.transform
            && pipeline.apply(&mut record, self.context.now_ns) == Verdict::Drop
        {
            return;
        }
        self.append(&record);
    }

    fn append(&mut self, record: &Record<'_>) {
        let depth_max = self.context.attribute_depth_max;
        if record.attributes.iter().any(|(_, value)| !fits_depth(value, depth_max)) {
            self.rejections.add(1, "too_deep", || format!("an attribute is nested deeper than {depth_max}"));
            return;
        }
        let is_own = self.context.transform.is_some() && Arc::strong_count(&record.origin) == 1;
        if is_own {
            self.enter_once(&record.origin)
        } else {
            self.enter(&record.origin)
        }
        let mut link = TraceLink { trace_id: record.trace_id, span_id: record.span_id };
        let is_linked = link.trace_id.is_some();
        for (key, value) in &record.attributes {
            self.builder.attributes().append(key, value);
            match value {
                AttributeValue::String(text) if !is_linked => link.see_attribute(key, text),
                AttributeValue::Int(number) if !is_linked => link.see_number(key, *number),
                _ => {}
            }
        }
        if !is_linked {
            link = link.or_in_text(record.body.as_deref().unwrap_or_default());
        }
        self.builder.close_row(&LogRow {
            timestamp_ns: record.timestamp_ns.unwrap_or(self.context.now_ns),
            // Arrival is none: LogQL tells it as a label of the record, and each request would make streams and series of its own.
            observed_timestamp_ns: None,
            severity_number: record.severity_number,
            severity_text: &record.severity_text,
            event_name: &record.event_name,
            body: record.body.as_deref(),
            body_letter: None,
            trace_id: link.trace_id,
            span_id: record.span_id.or(link.span_id),
            flags: record.flags,
            dropped_attributes_count: 0,
        });
    }

    /// Counts records that were not understood.
    pub fn reject(&mut self, rows: u64, reason: &'static str, message: impl FnOnce() -> String) {
        self.rejections.add(rows, reason, message);
    }

    /// Number of records appended.
    pub fn len(&self) -> usize {
        self.builder.len()
    }

    /// Whether no record was appended.
    pub fn is_empty(&self) -> bool {
        self.builder.is_empty()
    }

    /// What a door hands on.
    pub fn finish(self) -> Decoded {
        let batches = if self.builder.is_empty() { Vec::new() } else { vec![Batch::Logs(self.builder.finish())] };
        let rejected: Vec<Rejected> = self.rejections.finish();
        Decoded { batches, rejected, points: None }
    }

    fn enter(&mut self, origin: &Arc<Origin>) {
        // Kept by the map, so that the address is not used again.
        let key = Arc::as_ptr(origin) as usize;
        if self.current == Some(key) {
            return;
        }
        let (_, json, service) = self.origins.entry(key).or_insert_with(|| (Arc::clone(origin), json_of(origin), service_of(origin).to_owned()));
        self.builder.set_resource(json, service);
        self.current = Some(key);
    }

    /// An origin that a rule made for one record: it is not kept.
    fn enter_once(&mut self, origin: &Origin) {
        self.builder.set_resource(&json_of(origin), service_of(origin));
        self.current = None;
    }
}

/// The service that an origin names.
pub(crate) fn service_of(origin: &Origin) -> &str {
    origin.text(SERVICE).or_else(|| origin.text(SERVICE_LABEL)).unwrap_or_default()
}

pub(crate) fn json_of(origin: &Origin) -> String {
    let mut out = String::from("{");
    for (position, (name, value)) in origin.attributes.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_json_string(&mut out, name);
        out.push(':');
        write_json(&mut out, value);
    }
    out.push('}');
    out
}

fn fits_depth(value: &AttributeValue, depth: usize) -> bool {
    match value {
        AttributeValue::Array(items) => depth > 0 && items.iter().all(|item| fits_depth(item, depth - 1)),
        AttributeValue::Map(entries) => depth > 0 && entries.iter().all(|(_, item)| fits_depth(item, depth - 1)),
        _ => true,
    }
}
