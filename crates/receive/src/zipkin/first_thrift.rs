//! Lists of spans of Zipkin's first model in Thrift, `zipkincore.Span`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use signalbox_model::{SpanId, TraceId};

use super::first::{self, Annotation, BinaryAnnotation, Value};
use super::span::{Endpoint, Id};
use crate::spans::Assembler;
use crate::thrift::{Kind, Reader, Result};

/// Types of binary annotations.
const BOOL: i32 = 0;
const BYTES: i32 = 1;
const I16: i32 = 2;
const I32: i32 = 3;
const I64: i32 = 4;
const DOUBLE: i32 = 5;

/// Reads a list of spans.
///
/// # Errors
/// If the bytes are none.
pub(crate) fn read(reader: &mut Reader<'_>, assembler: &mut Assembler<'_>) -> Result<()> {
    reader.list(|reader, kind| match kind {
        Kind::Struct => {
            let span = span(reader)?;
            first::push(span, assembler);
            Ok(())
        }
        kind => reader.skip(kind),
    })?;
    Ok(())
}

fn id(number: i64) -> Id<SpanId> {
    SpanId::from_slice(&number.to_be_bytes()).map_or(Id::Missing, Id::Good)
}

fn span<'a>(reader: &mut Reader<'a>) -> Result<first::Span<'a>> {
    let mut span = first::Span {
        trace_id: Id::Missing,
        id: Id::Missing,
        parent_id: Id::Missing,
        name: Cow::Borrowed(""),
        timestamp: 0,
        duration: 0,
        annotations: Vec::new(),
        binary_annotations: Vec::new(),
        is_debug: false,
    };
    let (mut low, mut high) = (0_i64, 0_i64);
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::I64) => low = reader.i64()?,
            (3, Kind::Text) => span.name = Cow::Borrowed(reader.text()?),
            (4, Kind::I64) => span.id = id(reader.i64()?),
            (5, Kind::I64) => span.parent_id = id(reader.i64()?),
            (6, Kind::List) => {
                reader.list(|reader, _| {
                    span.annotations.push(annotation(reader)?);
                    Ok(())
                })?;
            }
            (8, Kind::List) => {
                reader.list(|reader, _| {
                    span.binary_annotations.push(binary_annotation(reader)?);
                    Ok(())
                })?;
            }
            (9, Kind::Bool) => span.is_debug = reader.bool()?,
            (10, Kind::I64) => span.timestamp = u64::try_from(reader.i64()?).unwrap_or(0),
            (11, Kind::I64) => span.duration = u64::try_from(reader.i64()?).unwrap_or(0),
            (12, Kind::I64) => high = reader.i64()?,
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    let bytes = [high.to_be_bytes(), low.to_be_bytes()].concat();
    span.trace_id = TraceId::from_slice(&bytes).map_or(Id::Missing, Id::Good);
    Ok(span)
}

fn annotation<'a>(reader: &mut Reader<'a>) -> Result<Annotation<'a>> {
    let mut annotation = Annotation { timestamp: 0, value: Cow::Borrowed(""), endpoint: None };
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::I64) => annotation.timestamp = u64::try_from(reader.i64()?).unwrap_or(0),
            (2, Kind::Text) => annotation.value = Cow::Borrowed(reader.text()?),
            (3, Kind::Struct) => annotation.endpoint = Some(endpoint(reader)?),
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(annotation)
}

fn binary_annotation<'a>(reader: &mut Reader<'a>) -> Result<BinaryAnnotation<'a>> {
    let (mut key, mut bytes, mut code, mut place) = ("", &b""[..], 6, None);
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::Text) => key = reader.text()?,
            (2, Kind::Text) => bytes = reader.bytes()?,
            (3, Kind::I32) => code = reader.i32()?,
            (4, Kind::Struct) => place = Some(endpoint(reader)?),
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(BinaryAnnotation { key: Cow::Borrowed(key), value: value(code, bytes), endpoint: place })
}

/// A number that has not the bytes of its type is text.
fn value(code: i32, bytes: &[u8]) -> Value<'_> {
    let number = match code {
        BOOL => return Value::Bool(bytes.iter().any(|byte| *byte != 0)),
        BYTES => Some(signalbox_model::attributes::bytes_text(bytes)),
        I16 => bytes.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).to_string()),
        I32 => bytes.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string()),
        I64 => bytes.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string()),
        DOUBLE => bytes.try_into().ok().map(|bytes| f64::from_be_bytes(bytes).to_string()),
        _ => None,
    };
    Value::Text(number.map_or_else(|| String::from_utf8_lossy(bytes), Cow::Owned))
}

fn endpoint<'a>(reader: &mut Reader<'a>) -> Result<Endpoint<'a>> {
    let mut endpoint = Endpoint::default();
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::I32) => {
                let ip = Ipv4Addr::from(reader.i32()?.cast_unsigned());
                endpoint.ipv4 = (!ip.is_unspecified()).then(|| ip.to_string().into());
            }
            (2, Kind::I16) => endpoint.port = reader.i16()?.cast_unsigned(),
            (3, Kind::Text) => endpoint.service = Cow::Borrowed(reader.text()?),
            (4, Kind::Text) => endpoint.ipv6 = <[u8; 16]>::try_from(reader.bytes()?).ok().map(|ip| Ipv6Addr::from(ip).to_string().into()),
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(endpoint)
}
