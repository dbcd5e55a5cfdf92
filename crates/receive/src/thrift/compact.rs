//! `TCompactProtocol`: varints, field numbers as differences, the least significant byte of floating point first.

use super::{Call, Kind, Reader, Result, ThriftError};

const PROTOCOL: u8 = 0x82;
const VERSION: u8 = 1;
/// Types of messages: calls, and calls without an answer.
const CALL: u8 = 1;
const ONEWAY: u8 = 4;
/// Longest encoding of 64 bits.
const VARINT_BYTES_MAX: usize = 10;
/// A count of the head of a list that says that the count follows.
const LONG_LIST: u8 = 15;

fn kind(code: u8) -> Result<Kind> {
    Ok(match code {
        1 | 2 => Kind::Bool,
        3 => Kind::Byte,
        4 => Kind::I16,
        5 => Kind::I32,
        6 => Kind::I64,
        7 => Kind::Double,
        8 => Kind::Text,
        9 => Kind::List,
        10 => Kind::Set,
        11 => Kind::Map,
        12 => Kind::Struct,
        other => return Err(ThriftError::Type(other)),
    })
}

pub(super) fn call<'a>(reader: &mut Reader<'a>) -> Result<Call<'a>> {
    let (protocol, head) = (reader.byte()?, reader.byte()?);
    if protocol != PROTOCOL || head & 0x1f != VERSION {
        return Err(ThriftError::Message);
    }
    let code = head >> 5;
    let _sequence = varint(reader)?;
    Ok(Call { method: reader.text()?, is_call: code == CALL || code == ONEWAY })
}

pub(super) fn field(reader: &mut Reader<'_>, last: i16) -> Result<Option<(i16, Kind)>> {
    let head = reader.byte()?;
    if head == 0 {
        return Ok(None);
    }
    let (difference, code) = (head >> 4, head & 0xf);
    let kind = kind(code)?;
    let number = match difference {
        0 => reader.i16()?,
        difference => last.checked_add(i16::from(difference)).ok_or(ThriftError::Varint)?,
    };
    reader.truth = (kind == Kind::Bool).then_some(code == 1);
    Ok(Some((number, kind)))
}

pub(super) fn list(reader: &mut Reader<'_>) -> Result<(Kind, usize)> {
    let head = reader.byte()?;
    let count = match head >> 4 {
        LONG_LIST => length(reader)?,
        count => usize::from(count),
    };
    // Some clients write a list without items as one of no type.
    if head & 0xf == 0 && count == 0 {
        return Ok((Kind::Byte, 0));
    }
    Ok((kind(head & 0xf)?, count))
}

pub(super) fn map(reader: &mut Reader<'_>) -> Result<(Option<(Kind, Kind)>, usize)> {
    let count = length(reader)?;
    if count == 0 {
        return Ok((None, 0));
    }
    let kinds = reader.byte()?;
    Ok((Some((kind(kinds >> 4)?, kind(kinds & 0xf)?)), count))
}

/// A length: 32 bits, never negative.
pub(super) fn length(reader: &mut Reader<'_>) -> Result<usize> {
    let length = i32::try_from(varint(reader)?).map_err(|_| ThriftError::Length)?;
    usize::try_from(length).map_err(|_| ThriftError::Length)
}

pub(super) fn zigzag(reader: &mut Reader<'_>) -> Result<i64> {
    let value = varint(reader)?;
    Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

fn varint(reader: &mut Reader<'_>) -> Result<u64> {
    let mut value = 0u64;
    for position in 0..VARINT_BYTES_MAX {
        let byte = reader.byte()?;
        // The tenth byte holds the last of 64 bits; more do not fit.
        if position == VARINT_BYTES_MAX - 1 && byte > 1 {
            return Err(ThriftError::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(ThriftError::Varint)
}
