//! `ExportTraceServiceRequest` to span rows.

use std::ops::Range;

use signalbox_model::builder::{EventRow, LinkRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, Result, SpanId, TraceId};

use super::attributes::{Attribute, Envelope, attribute};
use crate::door::{Context, Decoded, Rejections};
use crate::wire::{Reader, WireError};

/// Decodes a request.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no such message.
pub fn decode(bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    let mut decoder =
        SpanDecoder { context, builder: SpanBuilder::default(), rejections: Rejections::default(), parts: Parts::default(), scratch: String::new() };
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            decoder.resource_spans(field.bytes()?)?;
        }
    }
    let batches = if decoder.builder.is_empty() { Vec::new() } else { vec![Batch::Traces(decoder.builder.finish())] };
    Ok(Decoded { batches, rejected: decoder.rejections.finish(), points: None })
}

struct SpanDecoder<'c, 'a> {
    context: &'c Context<'c>,
    builder: SpanBuilder,
    rejections: Rejections,
    parts: Parts<'a>,
    scratch: String,
}

/// The lists of the span at hand: a span is judged as a whole before anything of it is appended.
#[derive(Default)]
struct Parts<'a> {
    attributes: Vec<Attribute<'a>>,
    events: Vec<(EventRow<'a>, Range<usize>)>,
    links: Vec<(LinkRow<'a>, Range<usize>)>,
    /// Attributes of events and links; the ranges point in here.
    inner: Vec<Attribute<'a>>,
    is_time_valid: bool,
}

/// The scalar fields, before they are judged.
#[derive(Default)]
struct Scalars<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent: &'a [u8],
    start: u64,
    end: u64,
    name: &'a str,
    trace_state: &'a str,
    kind: i32,
    status_code: i32,
    status_message: &'a str,
    flags: u32,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
}

impl<'a> SpanDecoder<'_, 'a> {
    fn resource_spans(&mut self, message: &'a [u8]) -> Result<()> {
        let resource = Envelope::read(message)?.resource(self.context.attribute_depth_max)?;
        resource.write_json(&mut self.scratch)?;
        self.builder.set_resource(&self.scratch, &resource.text_of("service.name")?);
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            if field.number == 2 {
                self.scope_spans(field.bytes()?)?;
            }
        }
        Ok(())
    }

    fn scope_spans(&mut self, message: &'a [u8]) -> Result<()> {
        let scope = Envelope::read(message)?.scope(self.context.attribute_depth_max)?;
        scope.write_json(&mut self.scratch)?;
        self.builder.set_scope(&self.scratch);
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            if field.number == 2 {
                self.span(field.bytes()?)?;
            }
        }
        Ok(())
    }

    fn span(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let scalars = self.parts.read(message)?;
        let (Some(trace_id), Some(span_id)) = (TraceId::from_slice(scalars.trace_id), SpanId::from_slice(scalars.span_id)) else {
            self.rejections.add(1, "invalid_id", || "span has no valid trace id of 16 bytes and span id of 8 bytes".into());
            return Ok(());
        };
        let (Ok(start_ns), Ok(end_ns), true) = (i64::try_from(scalars.start), i64::try_from(scalars.end), self.parts.is_time_valid) else {
            self.rejections.add(1, "invalid_timestamp", || "timestamp is later than the year 2262".into());
            return Ok(());
        };
        let depth_max = self.context.attribute_depth_max;
        for (_, value) in self.parts.attributes.iter().chain(&self.parts.inner) {
            if !value.fits_depth(depth_max)? {
                self.rejections.add(1, "too_deep", || format!("an attribute is nested deeper than {depth_max}"));
                return Ok(());
            }
        }
        self.append_lists()?;
        self.builder.close_row(&SpanRow {
            trace_id,
            span_id,
            parent_span_id: SpanId::from_slice(scalars.parent),
            start_ns,
            end_ns,
            name: scalars.name,
            kind: scalars.kind,
            status_code: scalars.status_code,
            status_message: scalars.status_message,
            trace_state: scalars.trace_state,
            flags: scalars.flags,
            dropped_attributes_count: scalars.dropped_attributes,
            dropped_events_count: scalars.dropped_events,
            dropped_links_count: scalars.dropped_links,
        });
        Ok(())
    }

    fn append_lists(&mut self) -> Result<(), WireError> {
        let Self { builder, parts, scratch, .. } = self;
        for (key, value) in &parts.attributes {
            value.append(builder.attributes(), key, scratch)?;
        }
        for (event, range) in &parts.events {
            for (key, value) in parts.inner.get(range.clone()).unwrap_or_default() {
                value.append(builder.event_attributes(), key, scratch)?;
            }
            builder.close_event(event);
        }
        for (link, range) in &parts.links {
            for (key, value) in parts.inner.get(range.clone()).unwrap_or_default() {
                value.append(builder.link_attributes(), key, scratch)?;
            }
            builder.close_link(link);
        }
        Ok(())
    }
}

impl<'a> Parts<'a> {
    fn read(&mut self, message: &'a [u8]) -> Result<Scalars<'a>, WireError> {
        self.attributes.clear();
        self.events.clear();
        self.links.clear();
        self.inner.clear();
        self.is_time_valid = true;
        let mut scalars = Scalars::default();
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => scalars.trace_id = field.bytes()?,
                2 => scalars.span_id = field.bytes()?,
                3 => scalars.trace_state = field.text()?,
                4 => scalars.parent = field.bytes()?,
                5 => scalars.name = field.text()?,
                6 => scalars.kind = field.int32()?,
                7 => scalars.start = field.fixed64()?,
                8 => scalars.end = field.fixed64()?,
                9 => self.attributes.push(attribute(field.bytes()?)?),
                10 => scalars.dropped_attributes = field.uint32()?,
                11 => self.event(field.bytes()?)?,
                12 => scalars.dropped_events = field.uint32()?,
                // A link without valid identifiers points nowhere: it is counted as dropped.
                13 if !self.link(field.bytes()?)? => scalars.dropped_links = scalars.dropped_links.saturating_add(1),
                14 => scalars.dropped_links = scalars.dropped_links.saturating_add(field.uint32()?),
                15 => {
                    let mut status = field.message()?;
                    while let Some(field) = status.next_field()? {
                        match field.number {
                            2 => scalars.status_message = field.text()?,
                            3 => scalars.status_code = field.int32()?,
                            _ => {}
                        }
                    }
                }
                16 => scalars.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(scalars)
    }

    fn event(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let mut event = EventRow { timestamp_ns: 0, name: "", dropped_attributes_count: 0 };
        let first = self.inner.len();
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => match i64::try_from(field.fixed64()?) {
                    Ok(timestamp_ns) => event.timestamp_ns = timestamp_ns,
                    Err(_) => self.is_time_valid = false,
                },
                2 => event.name = field.text()?,
                3 => self.inner.push(attribute(field.bytes()?)?),
                4 => event.dropped_attributes_count = field.uint32()?,
                _ => {}
            }
        }
        self.events.push((event, first..self.inner.len()));
        Ok(())
    }

    fn link(&mut self, message: &'a [u8]) -> Result<bool, WireError> {
        let (mut trace_id, mut span_id, mut trace_state, mut flags, mut dropped) = (None, None, "", 0, 0);
        let first = self.inner.len();
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => trace_id = TraceId::from_slice(field.bytes()?),
                2 => span_id = SpanId::from_slice(field.bytes()?),
                3 => trace_state = field.text()?,
                4 => self.inner.push(attribute(field.bytes()?)?),
                5 => dropped = field.uint32()?,
                6 => flags = field.fixed32()?,
                _ => {}
            }
        }
        let (Some(trace_id), Some(span_id)) = (trace_id, span_id) else {
            self.inner.truncate(first);
            return Ok(false);
        };
        self.links.push((LinkRow { trace_id, span_id, trace_state, flags, dropped_attributes_count: dropped }, first..self.inner.len()));
        Ok(true)
    }
}
