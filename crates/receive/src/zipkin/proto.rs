//! Lists of spans in protobuf, `zipkin.proto3.ListOfSpans`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use signalbox_model::{Result, SpanId, TraceId};

use super::span::{Endpoint, Id, Span};
use crate::spans::{Assembler, kind};
use crate::wire::{Reader, WireError};

/// Reads a list of spans.
///
/// # Errors
/// `Invalid` if the bytes are none.
pub(super) fn read(bytes: &[u8], assembler: &mut Assembler<'_>) -> Result<()> {
    let mut list = Reader::new(bytes);
    while let Some(field) = list.next_field()? {
        if field.number == 1 {
            span(field.bytes()?)?.push(assembler);
        }
    }
    Ok(())
}

fn id<T>(bytes: &[u8], parse: impl Fn(&[u8]) -> Option<T>) -> Id<T> {
    if bytes.iter().all(|byte| *byte == 0) { Id::Missing } else { parse(bytes).map_or(Id::Bad, Id::Good) }
}

/// 16 bytes, or 8 that are the lower half.
fn trace_id(bytes: &[u8]) -> Id<TraceId> {
    id(bytes, |bytes| match bytes.len() {
        8 => TraceId::from_slice(&[&[0; 8], bytes].concat()),
        _ => TraceId::from_slice(bytes),
    })
}

fn span(message: &[u8]) -> Result<Span<'_>, WireError> {
    let mut span = Span::default();
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => span.trace_id = trace_id(field.bytes()?),
            2 => span.parent_id = id(field.bytes()?, SpanId::from_slice),
            3 => span.id = id(field.bytes()?, SpanId::from_slice),
            4 => {
                span.kind = match field.int32()? {
                    1 => kind::CLIENT,
                    2 => kind::SERVER,
                    3 => kind::PRODUCER,
                    4 => kind::CONSUMER,
                    _ => kind::UNSPECIFIED,
                }
            }
            5 => span.name = Cow::Borrowed(field.text()?),
            6 => span.timestamp = field.fixed64()?,
            7 => span.duration = field.varint()?,
            8 => span.local = endpoint(field.bytes()?)?,
            9 => span.remote = endpoint(field.bytes()?)?,
            10 => {
                let (mut at, mut text) = (0, "");
                let mut annotation = field.message()?;
                while let Some(field) = annotation.next_field()? {
                    match field.number {
                        1 => at = field.fixed64()?,
                        2 => text = field.text()?,
                        _ => {}
                    }
                }
                span.annotations.push((at, Cow::Borrowed(text)));
            }
            11 => {
                let (mut key, mut value) = ("", "");
                let mut entry = field.message()?;
                while let Some(field) = entry.next_field()? {
                    match field.number {
                        1 => key = field.text()?,
                        2 => value = field.text()?,
                        _ => {}
                    }
                }
                span.tags.push((Cow::Borrowed(key), Cow::Borrowed(value)));
            }
            12 => span.is_debug = field.varint()? != 0,
            13 => span.is_shared = field.varint()? != 0,
            _ => {}
        }
    }
    Ok(span)
}

fn endpoint(message: &[u8]) -> Result<Endpoint<'_>, WireError> {
    let mut endpoint = Endpoint::default();
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => endpoint.service = Cow::Borrowed(field.text()?),
            // An address of another length is none.
            2 => endpoint.ipv4 = <[u8; 4]>::try_from(field.bytes()?).ok().map(|ip| Ipv4Addr::from(ip).to_string().into()),
            3 => endpoint.ipv6 = <[u8; 16]>::try_from(field.bytes()?).ok().map(|ip| Ipv6Addr::from(ip).to_string().into()),
            4 => endpoint.port = u16::try_from(field.int32()?).unwrap_or(0),
            _ => {}
        }
    }
    Ok(endpoint)
}
