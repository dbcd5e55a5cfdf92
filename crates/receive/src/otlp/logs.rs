//! `ExportLogsServiceRequest` to log rows.

use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Result, SpanId, TraceId};

use super::attributes::{AnyValue, Attribute, Envelope, any_value, attribute};
use super::transforming::Transforming;
use crate::door::{Context, Decoded, Rejections};
use crate::logs::TraceLink;
use crate::wire::{Reader, WireError};

/// Decodes a request.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no such message.
pub fn decode(bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    let mut decoder = LogDecoder::new(context);
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            decoder.resource_logs(field.bytes()?)?;
        }
    }
    Ok(decoder.finish())
}

struct LogDecoder<'c, 'a> {
    context: &'c Context<'c>,
    builder: LogBuilder,
    rejections: Rejections,
    /// Attributes of the record at hand: a record is judged as a whole before anything of it is appended.
    attributes: Vec<Attribute<'a>>,
    scratch: String,
    body: String,
    /// What rules need to know of the resource at hand; `None` when there are no rules.
    transforming: Option<Transforming>,
}

impl<'c, 'a> LogDecoder<'c, 'a> {
    fn new(context: &'c Context<'c>) -> Self {
        Self {
            context,
            builder: LogBuilder::default(),
            rejections: Rejections::default(),
            attributes: Vec::new(),
            scratch: String::new(),
            body: String::new(),
            transforming: None,
        }
    }

    fn finish(self) -> Decoded {
        let batches = if self.builder.is_empty() { Vec::new() } else { vec![Batch::Logs(self.builder.finish())] };
        Decoded { batches, rejected: self.rejections.finish(), points: None }
    }

    fn resource_logs(&mut self, message: &'a [u8]) -> Result<()> {
        let resource = Envelope::read(message)?.resource(self.context.attribute_depth_max)?;
        resource.write_json(&mut self.scratch)?;
        let mut service = resource.text_of("service.name")?;
        if service.is_empty() {
            // Its name as a label of a stream.
            service = resource.text_of("service_name")?;
        }
        self.builder.set_resource(&self.scratch, &service);
        if self.context.transform.is_some() {
            self.transforming = Some(Transforming::new(&self.scratch, &service));
        }
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            if field.number == 2 {
                self.scope_logs(field.bytes()?)?;
            }
        }
        Ok(())
    }

    fn scope_logs(&mut self, message: &'a [u8]) -> Result<()> {
        let scope = Envelope::read(message)?.scope(self.context.attribute_depth_max)?;
        scope.write_json(&mut self.scratch)?;
        self.builder.set_scope(&self.scratch);
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            if field.number == 2 {
                self.record(field.bytes()?)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let mut row = LogRow::default();
        let (mut time, mut observed, mut body) = (0u64, 0u64, AnyValue::Empty);
        self.attributes.clear();
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => time = field.fixed64()?,
                2 => row.severity_number = field.int32()?,
                3 => row.severity_text = field.text()?,
                5 => body = any_value(field.bytes()?)?,
                6 => self.attributes.push(attribute(field.bytes()?)?),
                7 => row.dropped_attributes_count = field.uint32()?,
                8 => row.flags = field.fixed32()?,
                // An identifier of another length is as good as none, says the data model.
                9 => row.trace_id = TraceId::from_slice(field.bytes()?),
                10 => row.span_id = SpanId::from_slice(field.bytes()?),
                11 => observed = field.fixed64()?,
                12 => row.event_name = field.text()?,
                _ => {}
            }
        }
        let (Ok(time), Ok(observed)) = (i64::try_from(time), i64::try_from(observed)) else {
            self.rejections.add(1, "invalid_timestamp", || "timestamp is later than the year 2262".into());
            return Ok(());
        };
        let depth_max = self.context.attribute_depth_max;
        for value in self.attributes.iter().map(|(_, value)| value).chain([&body]) {
            if !value.fits_depth(depth_max)? {
                self.rejections.add(1, "too_deep", || format!("an attribute or body is nested deeper than {depth_max}"));
                return Ok(());
            }
        }
        row.observed_timestamp_ns = (observed != 0).then_some(observed);
        row.timestamp_ns = [time, observed].into_iter().find(|instant| *instant != 0).unwrap_or(self.context.now_ns);
        if let (Some(pipeline), Some(transforming)) = (self.context.transform, &mut self.transforming) {
            return transforming.run(pipeline, self.context, &mut self.builder, &row, &self.attributes, body);
        }
        if row.trace_id.is_none() {
            self.link(&mut row, body);
        }
        for (key, value) in &self.attributes {
            value.append(self.builder.attributes(), key, &mut self.scratch)?;
        }
        match body {
            AnyValue::Empty => self.builder.close_row(&row),
            AnyValue::String(text) => self.builder.close_row(&LogRow { body: Some(text), ..row }),
            other => {
                self.body.clear();
                other.write_text(&mut self.body)?;
                self.builder.close_row(&LogRow { body: Some(&self.body), body_letter: Some(other.letter()), ..row });
            }
        }
        Ok(())
    }

    /// Fills in the ids that attributes or the text name.
    fn link(&self, row: &mut LogRow<'_>, body: AnyValue<'_>) {
        let mut link = TraceLink { trace_id: None, span_id: row.span_id };
        for (key, value) in &self.attributes {
            match value {
                AnyValue::String(text) => link.see_attribute(key, text),
                AnyValue::Int(number) => link.see_number(key, *number),
                _ => {}
            }
        }
        if let AnyValue::String(text) = body {
            link = link.or_in_text(text);
        }
        row.trace_id = link.trace_id;
        // A span that the record names itself stays, even without a trace.
        row.span_id = row.span_id.or(link.trace_id.and(link.span_id));
    }
}
