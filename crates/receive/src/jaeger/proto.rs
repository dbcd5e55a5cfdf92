//! `jaeger.api_v2.PostSpansRequest`, walked in place.

use std::borrow::Cow;

use signalbox_model::{Result, SpanId, TraceId};

use super::span::{self, Reference, Span};
use crate::door::{Context, Decoded};
use crate::spans::{Assembler, Attributes, Event, Value};
use crate::wire::{Reader, WireError};

const NANOS: i64 = 1_000_000_000;

/// Decodes a request.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are none.
pub fn decode(bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    let mut assembler = Assembler::new(context);
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            batch(field.bytes()?, &mut assembler)?;
        }
    }
    Ok(assembler.finish())
}

/// The process stands behind the spans that it governs; a span may have its own.
fn batch(message: &[u8], assembler: &mut Assembler<'_>) -> Result<(), WireError> {
    let mut shared = &b""[..];
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        if field.number == 2 {
            shared = field.bytes()?;
        }
    }
    let mut entered = None;
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        if field.number == 1 {
            let (span, own) = span(field.bytes()?)?;
            let process = own.unwrap_or(shared);
            if entered != Some(process) {
                assembler.enter(&resource(process)?);
                entered = Some(process);
            }
            span.push(assembler);
        }
    }
    Ok(())
}

fn resource(message: &[u8]) -> Result<Attributes<'_>, WireError> {
    let (mut service, mut tags) = ("", Attributes::new());
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => service = field.text()?,
            2 => tags.push(tag(field.bytes()?)?),
            _ => {}
        }
    }
    Ok(span::resource(Cow::Borrowed(service), tags))
}

fn span(message: &[u8]) -> Result<(Span<'_>, Option<&[u8]>), WireError> {
    let mut span = Span { start_ns: Some(0), duration_ns: Some(0), ..Span::default() };
    let mut process = None;
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => span.trace_id = trace_id(field.bytes()?),
            2 => span.span_id = SpanId::from_slice(field.bytes()?),
            3 => span.name = Cow::Borrowed(field.text()?),
            4 => span.references.push(reference(field.bytes()?)?),
            5 => span.flags = field.uint32()?,
            6 => span.start_ns = nanoseconds(field.bytes()?)?,
            7 => span.duration_ns = nanoseconds(field.bytes()?)?,
            8 => span.tags.push(tag(field.bytes()?)?),
            9 => span.logs.push(log(field.bytes()?)?),
            10 => process = Some(field.bytes()?),
            _ => {}
        }
    }
    Ok((span, process))
}

/// 16 bytes, or 8 that are the lower half.
fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    match bytes.len() {
        8 => TraceId::from_slice(&[&[0; 8], bytes].concat()),
        _ => TraceId::from_slice(bytes),
    }
}

fn reference(message: &[u8]) -> Result<Reference, WireError> {
    let mut reference = Reference { trace_id: None, span_id: None, is_child: true };
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => reference.trace_id = trace_id(field.bytes()?),
            2 => reference.span_id = SpanId::from_slice(field.bytes()?),
            3 => reference.is_child = field.int32()? == 0,
            _ => {}
        }
    }
    Ok(reference)
}

/// A time or a duration: seconds and nanoseconds.
fn nanoseconds(message: &[u8]) -> Result<Option<i64>, WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => seconds = field.int64()?,
            2 => nanos = field.int32()?,
            _ => {}
        }
    }
    Ok(seconds.checked_mul(NANOS).and_then(|whole| whole.checked_add(nanos.into())))
}

fn log(message: &[u8]) -> Result<Event<'_>, WireError> {
    let mut event = Event { timestamp_ns: Some(0), ..Event::default() };
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => event.timestamp_ns = nanoseconds(field.bytes()?)?,
            2 => event.attributes.push(tag(field.bytes()?)?),
            _ => {}
        }
    }
    Ok(event)
}

fn tag(message: &[u8]) -> Result<(Cow<'_, str>, Value<'_>), WireError> {
    let (mut key, mut code) = ("", 0);
    let (mut text, mut truth, mut whole, mut double, mut bytes) = ("", false, 0, 0.0, &b""[..]);
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => key = field.text()?,
            2 => code = field.int32()?,
            3 => text = field.text()?,
            4 => truth = field.varint()? != 0,
            5 => whole = field.int64()?,
            6 => double = field.double()?,
            7 => bytes = field.bytes()?,
            _ => {}
        }
    }
    let value = match code {
        1 => Value::Bool(truth),
        2 => Value::Int(whole),
        3 => Value::Double(double),
        4 => Value::Bytes(Cow::Borrowed(bytes)),
        _ => Value::Text(Cow::Borrowed(text)),
    };
    Ok((Cow::Borrowed(key), value))
}
