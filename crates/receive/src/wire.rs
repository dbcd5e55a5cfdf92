//! Protobuf's wire format, read in place: no message types, no copies, every length checked against the bytes that are there.
//!
//! Decoders of volume (OTLP, remote write) walk a request with this and write columns; an object tree would cost several
//! times the work of the decoding itself (see `DECISIONS.md`).

use signalbox_model::Error;

/// Deepest nesting of groups that is skipped; no protocol that is spoken here uses groups at all.
const GROUP_DEPTH_MAX: u32 = 16;
/// Longest encoding of a varint.
const VARINT_BYTES_MAX: usize = 10;

/// Why bytes are no protobuf message of the expected shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A length or value goes past the end.
    #[error("truncated message")]
    Truncated,
    /// A varint has more than ten bytes or 64 bits.
    #[error("varint longer than 64 bits")]
    Varint,
    /// A tag has field number 0 or an unknown wire type.
    #[error("invalid field tag")]
    Tag,
    /// A known field has another wire type than its schema says.
    #[error("field {0} has another wire type than its schema")]
    Type(u32),
    /// Text is not UTF-8.
    #[error("field {0} is not valid UTF-8")]
    Utf8(u32),
    /// Groups are unbalanced or too deep.
    #[error("unbalanced group")]
    Group,
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::invalid(format!("cannot decode protobuf: {error}"))
    }
}

/// The value of a field as its wire type says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// Number in the schema.
    pub number: u32,
    /// Value.
    pub value: Value<'a>,
}

/// Iterates over the fields of one message.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Over the bytes of a message, without its own length.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field, `None` at the end. Groups are skipped.
    ///
    /// # Errors
    /// If the bytes are no message.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        // Most fields are short blocks: one byte is their tag, one their length.
        if let [tag, length, rest @ ..] = self.rest
            && tag & 0x87 == 2
            && *tag >= 1 << 3
            && *length < 0x80
            && let Some((block, rest)) = rest.split_at_checked(usize::from(*length))
        {
            self.rest = rest;
            return Ok(Some(Field { number: u32::from(tag >> 3), value: Value::Bytes(block) }));
        }
        self.any_field()
    }

    #[inline(never)]
    fn any_field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let (number, wire_type) = self.tag()?;
            let value = match wire_type {
                0 => Value::Varint(self.varint()?),
                1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
                2 => Value::Bytes(self.block()?),
                3 => {
                    self.skip_group(number, 0)?;
                    continue;
                }
                5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
                _ => return Err(WireError::Tag),
            };
            return Ok(Some(Field { number, value }));
        }
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), WireError> {
        let tag = u32::try_from(self.varint()?).map_err(|_| WireError::Tag)?;
        let number = tag >> 3;
        if number == 0 { Err(WireError::Tag) } else { Ok((number, (tag & 7) as u8)) }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (position, byte) in self.rest.iter().take(VARINT_BYTES_MAX).enumerate() {
            // The tenth byte holds the last of 64 bits; more do not fit.
            if position == VARINT_BYTES_MAX - 1 && *byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * position);
            if *byte < 0x80 {
                self.rest = self.rest.get(position + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < VARINT_BYTES_MAX { WireError::Truncated } else { WireError::Varint })
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    #[inline]
    fn block(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
        let (block, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(block)
    }

    fn skip_group(&mut self, opened: u32, depth: u32) -> Result<(), WireError> {
        if depth >= GROUP_DEPTH_MAX {
            return Err(WireError::Group);
        }
        loop {
            if self.rest.is_empty() {
                return Err(WireError::Group);
            }
            let (number, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.block()?),
                3 => self.skip_group(number, depth + 1)?,
                4 if number == opened => return Ok(()),
                5 => drop(self.array::<4>()?),
                _ => return Err(WireError::Group),
            }
        }
    }
}

impl<'a> Field<'a> {
    /// A varint: `uint64`, `bool`, an enum, or the raw form of signed kinds.
    #[inline]
    pub fn varint(&self) -> Result<u64, WireError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(WireError::Type(self.number)),
        }
    }

    /// `int32` and enums: the lower 32 bits, as every implementation reads them.
    #[inline]
    pub fn int32(&self) -> Result<i32, WireError> {
        self.varint().map(|value| value as i32)
    }

    /// `uint32`: the lower 32 bits.
    #[inline]
    pub fn uint32(&self) -> Result<u32, WireError> {
        self.varint().map(|value| value as u32)
    }

    /// `int64`.
    #[inline]
    pub fn int64(&self) -> Result<i64, WireError> {
        self.varint().map(|value| value as i64)
    }

    /// `sint32`.
    #[inline]
    pub fn sint32(&self) -> Result<i32, WireError> {
        self.varint().map(|value| zigzag(u64::from(value as u32)) as i32)
    }

    /// `fixed64`.
    #[inline]
    pub fn fixed64(&self) -> Result<u64, WireError> {
        match self.value {
            Value::Fixed64(value) => Ok(value),
            _ => Err(WireError::Type(self.number)),
        }
    }

    /// `double`.
    #[inline]
    pub fn double(&self) -> Result<f64, WireError> {
        self.fixed64().map(f64::from_bits)
    }

    /// `fixed32`.
    #[inline]
    pub fn fixed32(&self) -> Result<u32, WireError> {
        match self.value {
            Value::Fixed32(value) => Ok(value),
            _ => Err(WireError::Type(self.number)),
        }
    }

    /// `bytes` or a message.
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8], WireError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Type(self.number)),
        }
    }

    /// `string`.
    #[inline]
    pub fn text(&self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Utf8(self.number))
    }

    /// A message.
    #[inline]
    pub fn message(&self) -> Result<Reader<'a>, WireError> {
        self.bytes().map(Reader::new)
    }

    /// Values of a `repeated` field of varints, packed or not.
    pub fn each_varint(&self, mut take: impl FnMut(u64)) -> Result<(), WireError> {
        match self.value {
            Value::Varint(value) => take(value),
            Value::Bytes(bytes) => {
                let mut packed = Reader::new(bytes);
                while !packed.rest.is_empty() {
                    take(packed.varint()?);
                }
            }
            _ => return Err(WireError::Type(self.number)),
        }
        Ok(())
    }

    /// Values of a `repeated` field of `fixed64` or `double`, packed or not.
    pub fn each_fixed64(&self, mut take: impl FnMut(u64)) -> Result<(), WireError> {
        match self.value {
            Value::Fixed64(value) => take(value),
            Value::Bytes(bytes) => {
                let (values, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(WireError::Truncated);
                }
                values.iter().for_each(|value| take(u64::from_le_bytes(*value)));
            }
            _ => return Err(WireError::Type(self.number)),
        }
        Ok(())
    }
}

/// The signed number behind a zigzag varint (`sint32`, `sint64`).
#[inline]
pub fn zigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests;
