//! Thrift, read in place: no message types, no copies, every length checked against the bytes that are there, depth bounded.
//!
//! Specifications: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md> and
//! `thrift-compact-protocol.md` beside it. Both wires have the same model: structures of numbered fields, lists, maps, scalars.

mod binary;
mod compact;

use signalbox_model::Error;

/// Deepest nesting of structures and collections; the formats that are spoken here nest to six.
const DEPTH_MAX: usize = 24;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ThriftError {
    /// A length or value goes past the end.
    #[error("truncated")]
    Truncated,
    /// A length is negative, or more than the bytes that are left can hold.
    #[error("a length that the rest cannot hold")]
    Length,
    /// A type that there is not.
    #[error("unknown type {0}")]
    Type(u8),
    /// A varint has more bits than its type.
    #[error("varint too long")]
    Varint,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
    /// Structures or collections are nested too deeply.
    #[error("nested deeper than {DEPTH_MAX}")]
    Depth,
    /// No message of the protocol.
    #[error("no message of this protocol")]
    Message,
}

impl From<ThriftError> for Error {
    fn from(error: ThriftError) -> Self {
        Self::invalid(format!("cannot decode thrift: {error}"))
    }
}

/// Result of reading.
pub type Result<T> = std::result::Result<T, ThriftError>;

/// How values are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// `TBinaryProtocol`.
    Binary,
    /// `TCompactProtocol`.
    Compact,
}

/// Type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Truth.
    Bool,
    /// 8 bits.
    Byte,
    /// Floating point.
    Double,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
    /// Text or bytes.
    Text,
    /// Numbered fields.
    Struct,
    /// Keys and values.
    Map,
    /// Values, each once.
    Set,
    /// Values.
    List,
}

/// The head of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// Name of the method.
    pub method: &'a str,
    /// Whether it is a call rather than an answer.
    pub is_call: bool,
}

/// A place in bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    wire: Wire,
    depth: usize,
    /// The value of a field of truth, which the compact wire has in the field's head.
    truth: Option<bool>,
}

impl<'a> Reader<'a> {
    /// At the beginning.
    pub fn new(wire: Wire, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, wire, depth: 0, truth: None }
    }

    /// The head of a call; its arguments follow as a structure.
    ///
    /// # Errors
    /// If there is none.
    pub fn call(&mut self) -> Result<Call<'a>> {
        match self.wire {
            Wire::Binary => binary::call(self),
            Wire::Compact => compact::call(self),
        }
    }

    /// Reads a structure: `field` is called with the number and type of each of its fields and MUST read the value or
    /// [`Reader::skip`] it.
    ///
    /// # Errors
    /// If it is none, and those of `field`.
    pub fn structure(&mut self, mut field: impl FnMut(&mut Self, i16, Kind) -> Result<()>) -> Result<()> {
        self.enter()?;
        let mut last = 0;
        loop {
            let head = match self.wire {
                Wire::Binary => binary::field(self)?,
                Wire::Compact => compact::field(self, last)?,
            };
            let Some((number, kind)) = head else { break };
            last = number;
            field(self, number, kind)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a list or set: `item` is called for each item, all of which are of that type, and MUST read it or skip it. Returns how many
    /// there were.
    ///
    /// # Errors
    /// If it is none, and those of `item`.
    pub fn list(&mut self, mut item: impl FnMut(&mut Self, Kind) -> Result<()>) -> Result<usize> {
        self.enter()?;
        let (kind, count) = match self.wire {
            Wire::Binary => binary::list(self)?,
            Wire::Compact => compact::list(self)?,
        };
        self.check_count(count, self.bytes_min(kind))?;
        for _ in 0..count {
            item(self, kind)?;
        }
        self.depth -= 1;
        Ok(count)
    }

    /// Truth.
    ///
    /// # Errors
    /// If the bytes end.
    pub fn bool(&mut self) -> Result<bool> {
        match self.truth.take() {
            Some(value) => Ok(value),
            None => Ok(self.byte()? == 1),
        }
    }

    /// 8 bits.
    ///
    /// # Errors
    /// If the bytes end.
    pub fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or(ThriftError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// 16 bits.
    ///
    /// # Errors
    /// If the bytes end or hold more than 16 bits.
    pub fn i16(&mut self) -> Result<i16> {
        match self.wire {
            Wire::Binary => Ok(i16::from_be_bytes(self.array()?)),
            Wire::Compact => i16::try_from(compact::zigzag(self)?).map_err(|_| ThriftError::Varint),
        }
    }

    /// 32 bits.
    ///
    /// # Errors
    /// If the bytes end or hold more than 32 bits.
    pub fn i32(&mut self) -> Result<i32> {
        match self.wire {
            Wire::Binary => Ok(i32::from_be_bytes(self.array()?)),
            Wire::Compact => i32::try_from(compact::zigzag(self)?).map_err(|_| ThriftError::Varint),
        }
    }

    /// 64 bits.
    ///
    /// # Errors
    /// If the bytes end or hold more than 64 bits.
    pub fn i64(&mut self) -> Result<i64> {
        match self.wire {
            Wire::Binary => Ok(i64::from_be_bytes(self.array()?)),
            Wire::Compact => compact::zigzag(self),
        }
    }

    /// Floating point.
    ///
    /// # Errors
    /// If the bytes end.
    pub fn double(&mut self) -> Result<f64> {
        let bytes = self.array()?;
        Ok(match self.wire {
            Wire::Binary => f64::from_be_bytes(bytes),
            Wire::Compact => f64::from_le_bytes(bytes),
        })
    }

    /// Bytes.
    ///
    /// # Errors
    /// If they are cut short.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = match self.wire {
            Wire::Binary => usize::try_from(i32::from_be_bytes(self.array()?)).map_err(|_| ThriftError::Length)?,
            Wire::Compact => compact::length(self)?,
        };
        self.block(length)
    }

    /// Text.
    ///
    /// # Errors
    /// If it is cut short or no UTF-8.
    pub fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| ThriftError::Utf8)
    }

    /// Passes over a value.
    ///
    /// # Errors
    /// If it makes no sense.
    pub fn skip(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Bool => self.bool().map(|_| ()),
            Kind::Byte => self.byte().map(|_| ()),
            Kind::Double => self.double().map(|_| ()),
            Kind::I16 => self.i16().map(|_| ()),
            Kind::I32 => self.i32().map(|_| ()),
            Kind::I64 => self.i64().map(|_| ()),
            Kind::Text => self.bytes().map(|_| ()),
            Kind::Struct => self.structure(|reader, _, kind| reader.skip(kind)),
            Kind::List | Kind::Set => self.list(Self::skip).map(|_| ()),
            Kind::Map => self.skip_map(),
        }
    }

    fn skip_map(&mut self) -> Result<()> {
        self.enter()?;
        let (kinds, count) = match self.wire {
            Wire::Binary => binary::map(self)?,
            Wire::Compact => compact::map(self)?,
        };
        if let Some((key, value)) = kinds {
            self.check_count(count, self.bytes_min(key) + self.bytes_min(value))?;
            for _ in 0..count {
                self.skip(key)?;
                self.skip(value)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn enter(&mut self) -> Result<()> {
        if self.depth >= DEPTH_MAX {
            return Err(ThriftError::Depth);
        }
        self.depth += 1;
        Ok(())
    }

    /// The fewest bytes that a value of a type takes.
    fn bytes_min(&self, kind: Kind) -> usize {
        match (self.wire, kind) {
            (_, Kind::Double) => 8,
            (Wire::Compact, _) | (Wire::Binary, Kind::Bool | Kind::Byte | Kind::Struct) => 1,
            (Wire::Binary, Kind::I16) => 2,
            (Wire::Binary, Kind::I32 | Kind::Text) => 4,
            (Wire::Binary, Kind::I64) => 8,
            (Wire::Binary, Kind::Map) => 6,
            (Wire::Binary, Kind::Set | Kind::List) => 5,
        }
    }

    /// A count is believed only if as many of the smallest values would fit.
    fn check_count(&self, count: usize, bytes_min: usize) -> Result<()> {
        if count > self.rest.len() / bytes_min { Err(ThriftError::Length) } else { Ok(()) }
    }

    fn block(&mut self, length: usize) -> Result<&'a [u8]> {
        let (block, rest) = self.rest.split_at_checked(length).ok_or(ThriftError::Length)?;
        self.rest = rest;
        Ok(block)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (block, rest) = self.rest.split_first_chunk().ok_or(ThriftError::Truncated)?;
        self.rest = rest;
        Ok(*block)
    }
}

#[cfg(test)]
mod tests;
