//! `jaeger.thrift`'s batches, and the calls to Jaeger's agent that carry them.

use std::borrow::Cow;

use signalbox_model::{SpanId, TraceId};

use super::span::{self, Reference, Span};
use crate::door::{Context, Decoded};
use crate::spans::{Assembler, Attributes, Event, Value};
use crate::thrift::{Kind, Reader, Result, ThriftError, Wire};
use crate::zipkin::first_thrift;

/// Types of tags.
const DOUBLE: i32 = 1;
const BOOL: i32 = 2;
const LONG: i32 = 3;
const BINARY: i32 = 4;

/// Decodes a batch, as it is posted.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are none.
pub fn decode(wire: Wire, bytes: &[u8], context: &Context<'_>) -> signalbox_model::Result<Decoded> {
    let mut assembler = Assembler::new(context);
    batch(&mut Reader::new(wire, bytes), &mut assembler)?;
    Ok(assembler.finish())
}

/// Reads a call to Jaeger's agent: `emitBatch`, or `emitZipkinBatch` with spans of Zipkin's first model.
///
/// # Errors
/// If it is none.
pub(super) fn read_call(wire: Wire, bytes: &[u8], assembler: &mut Assembler<'_>) -> Result<()> {
    let mut reader = Reader::new(wire, bytes);
    let call = reader.call()?;
    let is_zipkin = match call.method {
        "emitBatch" if call.is_call => false,
        "emitZipkinBatch" if call.is_call => true,
        _ => return Err(ThriftError::Message),
    };
    reader.structure(|reader, number, kind| match (number, kind) {
        (1, Kind::Struct) if !is_zipkin => batch(reader, assembler),
        (1, Kind::List) if is_zipkin => first_thrift::read(reader, assembler),
        (_, kind) => reader.skip(kind),
    })
}

/// The process comes before the spans, in every client; should it not, it is looked for first.
fn batch<'a>(reader: &mut Reader<'a>, assembler: &mut Assembler<'_>) -> Result<()> {
    let mut resource = None;
    reader
        .clone()
        .structure(|reader, number, kind| {
            match (number, kind) {
                (1, Kind::Struct) => {
                    resource = Some(process(reader)?);
                    Ok(())
                }
                // The process stands in front: nothing behind it is read twice.
                (_, _) if resource.is_some() => Err(ThriftError::Message),
                (_, kind) => reader.skip(kind),
            }
        })
        .or_else(|error| if resource.is_some() { Ok(()) } else { Err(error) })?;
    assembler.enter(&resource.unwrap_or_default());
    reader.structure(|reader, number, kind| match (number, kind) {
        (2, Kind::List) => reader
            .list(|reader, kind| match kind {
                Kind::Struct => {
                    span(reader)?.push(assembler);
                    Ok(())
                }
                kind => reader.skip(kind),
            })
            .map(|_| ()),
        (_, kind) => reader.skip(kind),
    })
}

fn process<'a>(reader: &mut Reader<'a>) -> Result<Attributes<'a>> {
    let (mut service, mut attributes) = ("", Attributes::new());
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::Text) => service = reader.text()?,
            (2, Kind::List) => attributes = tags(reader)?,
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(span::resource(Cow::Borrowed(service), attributes))
}

fn span<'a>(reader: &mut Reader<'a>) -> Result<Span<'a>> {
    let mut span = Span { start_ns: Some(0), duration_ns: Some(0), ..Span::default() };
    let (mut low, mut high) = (0, 0);
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::I64) => low = reader.i64()?,
            (2, Kind::I64) => high = reader.i64()?,
            (3, Kind::I64) => span.span_id = span_id(reader.i64()?),
            (4, Kind::I64) => span.parent_span_id = span_id(reader.i64()?),
            (5, Kind::Text) => span.name = Cow::Borrowed(reader.text()?),
            (6, Kind::List) => {
                reader.list(|reader, _| {
                    span.references.push(reference(reader)?);
                    Ok(())
                })?;
            }
            (7, Kind::I32) => span.flags = reader.i32()?.cast_unsigned(),
            (8, Kind::I64) => span.start_ns = reader.i64()?.checked_mul(1000),
            (9, Kind::I64) => span.duration_ns = reader.i64()?.checked_mul(1000),
            (10, Kind::List) => span.tags = tags(reader)?,
            (11, Kind::List) => {
                reader.list(|reader, _| {
                    span.logs.push(log(reader)?);
                    Ok(())
                })?;
            }
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    span.trace_id = trace_id(high, low);
    Ok(span)
}

fn trace_id(high: i64, low: i64) -> Option<TraceId> {
    TraceId::from_slice(&[high.to_be_bytes(), low.to_be_bytes()].concat())
}

fn span_id(number: i64) -> Option<SpanId> {
    SpanId::from_slice(&number.to_be_bytes())
}

fn reference(reader: &mut Reader<'_>) -> Result<Reference> {
    let (mut low, mut high, mut span, mut is_child) = (0, 0, 0, true);
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::I32) => is_child = reader.i32()? == 0,
            (2, Kind::I64) => low = reader.i64()?,
            (3, Kind::I64) => high = reader.i64()?,
            (4, Kind::I64) => span = reader.i64()?,
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(Reference { trace_id: trace_id(high, low), span_id: span_id(span), is_child })
}

fn log<'a>(reader: &mut Reader<'a>) -> Result<Event<'a>> {
    let mut event = Event { timestamp_ns: Some(0), ..Event::default() };
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::I64) => event.timestamp_ns = reader.i64()?.checked_mul(1000),
            (2, Kind::List) => event.attributes = tags(reader)?,
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(event)
}

fn tags<'a>(reader: &mut Reader<'a>) -> Result<Attributes<'a>> {
    let mut attributes = Attributes::new();
    reader.list(|reader, _| {
        attributes.push(tag(reader)?);
        Ok(())
    })?;
    Ok(attributes)
}

fn tag<'a>(reader: &mut Reader<'a>) -> Result<(Cow<'a, str>, Value<'a>)> {
    let (mut key, mut code) = ("", 0);
    let (mut text, mut double, mut truth, mut whole, mut bytes) = ("", 0.0, false, 0, &b""[..]);
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::Text) => key = reader.text()?,
            (2, Kind::I32) => code = reader.i32()?,
            (3, Kind::Text) => text = reader.text()?,
            (4, Kind::Double) => double = reader.double()?,
            (5, Kind::Bool) => truth = reader.bool()?,
            (6, Kind::I64) => whole = reader.i64()?,
            (7, Kind::Text) => bytes = reader.bytes()?,
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    let value = match code {
        DOUBLE => Value::Double(double),
        BOOL => Value::Bool(truth),
        LONG => Value::Int(whole),
        BINARY => Value::Bytes(Cow::Borrowed(bytes)),
        _ => Value::Text(Cow::Borrowed(text)),
    };
    Ok((Cow::Borrowed(key), value))
}
