//! OTLP log records on their way through the rules of `transform`.
//!
//! Only when there are rules: they work on records of their own, which costs a copy. What rules do not know (the scope, the type of a
//! structured body, the count of dropped attributes) goes on as it came.

use std::borrow::Cow;
use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;
use signalbox_model::builder::{LogBuilder, LogRow};

use super::attributes::{AnyValue, Attribute};
use crate::door::Context;
use crate::logs::{self, Record, TraceLink, json_of, service_of};
use crate::transform::{Pipeline, Verdict};
use crate::wire::WireError;

/// The resource that records are of.
#[derive(Debug)]
pub(super) struct Transforming {
    origin: Arc<logs::Origin>,
    /// The JSON form that the resource rests in, and its service.
    json: String,
    service: String,
    scratch: String,
}

impl Transforming {
    pub(super) fn new(json: &str, service: &str) -> Self {
        let mut origin = logs::Origin::default();
        // The JSON form knows the schema URL too.
        if let Ok(serde_json::Value::Object(entries)) = serde_json::from_str(json) {
            origin.attributes = entries.iter().map(|(name, value)| (name.clone(), AttributeValue::from_json(value))).collect();
        }
        Self { origin: Arc::new(origin), json: json.to_owned(), service: service.to_owned(), scratch: String::new() }
    }

    /// Appends the record, unless a rule drops it.
    pub(super) fn run(
        &mut self,
        pipeline: &Pipeline,
        context: &Context<'_>,
        builder: &mut LogBuilder,
        row: &LogRow<'_>,
        attributes: &[Attribute<'_>],
        body: AnyValue<'_>,
    ) -> Result<(), WireError> {
        let mut record = Record {
            origin: Arc::clone(&self.origin),
            timestamp_ns: Some(row.timestamp_ns),
            severity_number: row.severity_number,
            severity_text: Cow::Borrowed(row.severity_text),
            event_name: Cow::Borrowed(row.event_name),
            body: None,
            trace_id: row.trace_id,
            span_id: row.span_id,
            flags: row.flags,
            attributes: Vec::with_capacity(attributes.len()),
        };
        for (key, value) in attributes {
            record.attributes.push((Cow::Borrowed(*key), self.owned(value)?));
        }
        let mut structured = String::new();
        match body {
            AnyValue::Empty => {}
            AnyValue::String(text) => record.body = Some(Cow::Borrowed(text)),
            other => {
                other.write_text(&mut structured)?;
                record.body = Some(Cow::Borrowed(&structured));
            }
        }
        if pipeline.apply(&mut record, context.now_ns) == Verdict::Drop {
            return Ok(());
        }
        let is_body_as_it_was = !structured.is_empty() && matches!(&record.body, Some(Cow::Borrowed(_)));
        self.append(builder, row, &record, is_body_as_it_was.then(|| body.letter()));
        Ok(())
    }

    fn append(&self, builder: &mut LogBuilder, row: &LogRow<'_>, record: &Record<'_>, body_letter: Option<char>) {
        let is_own = !Arc::ptr_eq(&record.origin, &self.origin);
        if is_own {
            builder.set_resource(&json_of(&record.origin), service_of(&record.origin));
        }
        let mut link = TraceLink { trace_id: record.trace_id, span_id: record.span_id };
        for (key, value) in &record.attributes {
            builder.attributes().append(key, value);
            match value {
                AttributeValue::String(text) if record.trace_id.is_none() => link.see_attribute(key, text),
                AttributeValue::Int(number) if record.trace_id.is_none() => link.see_number(key, *number),
                _ => {}
            }
        }
        let link = link.or_in_text(record.body.as_deref().unwrap_or_default());
        builder.close_row(&LogRow {
            timestamp_ns: record.timestamp_ns.unwrap_or(row.timestamp_ns),
            severity_number: record.severity_number,
            severity_text: &record.severity_text,
            event_name: &record.event_name,
            body: record.body.as_deref(),
            body_letter,
            trace_id: link.trace_id,
            span_id: record.span_id.or(link.span_id),
            ..*row
        });
        if is_own {
            builder.set_resource(&self.json, &self.service);
        }
    }

    fn owned(&mut self, value: &AnyValue<'_>) -> Result<AttributeValue, WireError> {
        Ok(match value {
            AnyValue::Empty => AttributeValue::Empty,
            AnyValue::String(text) => AttributeValue::String((*text).to_owned()),
            AnyValue::Bool(value) => AttributeValue::Bool(*value),
            AnyValue::Int(value) => AttributeValue::Int(*value),
            AnyValue::Double(value) => AttributeValue::Double(*value),
            AnyValue::Bytes(bytes) => AttributeValue::Bytes(bytes.to_vec()),
            AnyValue::Array(_) | AnyValue::Map(_) => {
                self.scratch.clear();
                value.write_json(&mut self.scratch)?;
                AttributeValue::from_text(value.letter(), &self.scratch)
            }
        })
    }
}
