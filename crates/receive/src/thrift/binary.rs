//! `TBinaryProtocol`: fixed widths, the most significant byte first.

use super::{Call, Kind, Reader, Result, ThriftError};

/// The upper half of a head that names its version.
const VERSION: u32 = 0x8001_0000;
const VERSION_MASK: u32 = 0xffff_0000;
/// Types of messages: calls, and calls without an answer.
const CALL: u32 = 1;
const ONEWAY: u32 = 4;

fn kind(code: u8) -> Result<Kind> {
    Ok(match code {
        2 => Kind::Bool,
        3 => Kind::Byte,
        4 => Kind::Double,
        6 => Kind::I16,
        8 => Kind::I32,
        10 => Kind::I64,
        11 => Kind::Text,
        12 => Kind::Struct,
        13 => Kind::Map,
        14 => Kind::Set,
        15 => Kind::List,
        other => return Err(ThriftError::Type(other)),
    })
}

/// With a version before it, or as old clients have it: the name first.
pub(super) fn call<'a>(reader: &mut Reader<'a>) -> Result<Call<'a>> {
    let first = u32::from_be_bytes(reader.array()?);
    let (method, code) = if first & VERSION_MASK == VERSION {
        (reader.text()?, first & 0xff)
    } else if first >> 31 == 0 {
        let length = usize::try_from(first).map_err(|_| ThriftError::Length)?;
        let name = std::str::from_utf8(reader.block(length)?).map_err(|_| ThriftError::Utf8)?;
        (name, u32::from(reader.byte()?))
    } else {
        return Err(ThriftError::Message);
    };
    let _sequence: [u8; 4] = reader.array()?;
    Ok(Call { method, is_call: code == CALL || code == ONEWAY })
}

pub(super) fn field(reader: &mut Reader<'_>) -> Result<Option<(i16, Kind)>> {
    let code = reader.byte()?;
    if code == 0 {
        return Ok(None);
    }
    let kind = kind(code)?;
    Ok(Some((i16::from_be_bytes(reader.array()?), kind)))
}

fn count(reader: &mut Reader<'_>) -> Result<usize> {
    usize::try_from(i32::from_be_bytes(reader.array()?)).map_err(|_| ThriftError::Length)
}

pub(super) fn list(reader: &mut Reader<'_>) -> Result<(Kind, usize)> {
    let code = reader.byte()?;
    let count = count(reader)?;
    // Some clients write a list without items as one of no type.
    if code == 0 && count == 0 {
        return Ok((Kind::Byte, 0));
    }
    Ok((kind(code)?, count))
}

pub(super) fn map(reader: &mut Reader<'_>) -> Result<(Option<(Kind, Kind)>, usize)> {
    let (key, value) = (reader.byte()?, reader.byte()?);
    let count = count(reader)?;
    if count == 0 {
        return Ok((None, 0));
    }
    Ok((Some((kind(key)?, kind(value)?)), count))
}
