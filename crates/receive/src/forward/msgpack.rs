//! MessagePack, read in place: no object tree, no allocation by a claim.

use rmp::Marker;
use signalbox_model::attributes::AttributeValue;

/// Deepest nesting of a message: its own arrays and those of a record.
const DEPTH_MAX: usize = 64;

/// Why bytes are no MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More bytes are needed.
    #[error("it is cut short")]
    Truncated,
    /// The one byte that means nothing.
    #[error("byte c1 means nothing")]
    Reserved,
    /// Nested deeper than anybody would.
    #[error("it is nested deeper than 64")]
    TooDeep,
    /// Something else than the protocol asks for.
    #[error("want {0}")]
    Unexpected(&'static str),
}

/// One value; of an array or map only how many follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item<'a> {
    /// Nothing.
    Nil,
    /// Truth.
    Bool(bool),
    /// Integer that fits.
    Int(i64),
    /// Larger integer.
    Large(u64),
    /// Floating point.
    Float(f64),
    /// Text, which may not be UTF-8.
    Str(&'a [u8]),
    /// Bytes, which old clients use for text and the other way round.
    Bin(&'a [u8]),
    /// So many values follow.
    Array(u32),
    /// So many pairs follow.
    Map(u32),
    /// Of a type.
    Ext(i8, &'a [u8]),
}

/// Reads item after item.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Over these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything is read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next item.
    ///
    /// # Errors
    /// At the end, and if the bytes are no item; then nothing was read.
    pub fn item(&mut self) -> Result<Item<'a>, Fault> {
        let mut ahead = *self;
        let item = ahead.read()?;
        *self = ahead;
        Ok(item)
    }

    fn read(&mut self) -> Result<Item<'a>, Fault> {
        let [marker] = self.array()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Item::Nil,
            Marker::False => Item::Bool(false),
            Marker::True => Item::Bool(true),
            Marker::FixPos(value) => Item::Int(value.into()),
            Marker::FixNeg(value) => Item::Int(value.into()),
            Marker::U8 => Item::Int(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Item::Int(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Item::Int(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => {
                let value = u64::from_be_bytes(self.array()?);
                i64::try_from(value).map_or(Item::Large(value), Item::Int)
            }
            Marker::I8 => Item::Int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Item::Int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Item::Int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Item::Int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Item::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Item::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => Item::Str(self.block(length.into())?),
            Marker::Str8 => Item::Str(self.block_8()?),
            Marker::Str16 => Item::Str(self.block_16()?),
            Marker::Str32 => Item::Str(self.block_32()?),
            Marker::Bin8 => Item::Bin(self.block_8()?),
            Marker::Bin16 => Item::Bin(self.block_16()?),
            Marker::Bin32 => Item::Bin(self.block_32()?),
            Marker::FixArray(count) => Item::Array(count.into()),
            Marker::Array16 => Item::Array(u16::from_be_bytes(self.array()?).into()),
            Marker::Array32 => Item::Array(u32::from_be_bytes(self.array()?)),
            Marker::FixMap(count) => Item::Map(count.into()),
            Marker::Map16 => Item::Map(u16::from_be_bytes(self.array()?).into()),
            Marker::Map32 => Item::Map(u32::from_be_bytes(self.array()?)),
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Ext8 => {
                let length = u8::from_be_bytes(self.array()?);
                self.ext(length.into())?
            }
            Marker::Ext16 => {
                let length = u16::from_be_bytes(self.array()?);
                self.ext(length.into())?
            }
            Marker::Ext32 => {
                let length = u32::from_be_bytes(self.array()?);
                self.ext(length)?
            }
            Marker::Reserved => return Err(Fault::Reserved),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn block(&mut self, length: u32) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::Truncated)?;
        let (block, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(block)
    }

    fn block_8(&mut self) -> Result<&'a [u8], Fault> {
        let length = u8::from_be_bytes(self.array()?);
        self.block(length.into())
    }

    fn block_16(&mut self) -> Result<&'a [u8], Fault> {
        let length = u16::from_be_bytes(self.array()?);
        self.block(length.into())
    }

    fn block_32(&mut self) -> Result<&'a [u8], Fault> {
        let length = u32::from_be_bytes(self.array()?);
        self.block(length)
    }

    fn ext(&mut self, length: u32) -> Result<Item<'a>, Fault> {
        let kind = i8::from_be_bytes(self.array()?);
        Ok(Item::Ext(kind, self.block(length)?))
    }

    /// Text or bytes.
    ///
    /// # Errors
    /// If there is something else.
    pub fn text(&mut self, wanted: &'static str) -> Result<&'a [u8], Fault> {
        match self.item()? {
            Item::Str(text) | Item::Bin(text) => Ok(text),
            _ => Err(Fault::Unexpected(wanted)),
        }
    }

    /// Passes over one value with all that is in it; its bytes.
    ///
    /// # Errors
    /// If there is none.
    pub fn skip(&mut self) -> Result<&'a [u8], Fault> {
        let end = Scan::default().advance(self.rest)?.ok_or(Fault::Truncated)?;
        let (value, rest) = self.rest.split_at_checked(end).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(value)
    }

    /// A value with all that is in it.
    ///
    /// # Errors
    /// If there is none.
    pub fn value(&mut self) -> Result<AttributeValue, Fault> {
        self.value_within(DEPTH_MAX)
    }

    fn value_within(&mut self, depth: usize) -> Result<AttributeValue, Fault> {
        Ok(match self.item()? {
            Item::Nil => AttributeValue::Empty,
            Item::Bool(value) => AttributeValue::Bool(value),
            Item::Int(value) => AttributeValue::Int(value),
            Item::Large(value) => AttributeValue::Double(value as f64),
            Item::Float(value) => AttributeValue::Double(value),
            Item::Str(text) => AttributeValue::String(String::from_utf8_lossy(text).into_owned()),
            Item::Bin(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => AttributeValue::String(text.to_owned()),
                Err(_) => AttributeValue::Bytes(bytes.to_vec()),
            },
            Item::Ext(_, bytes) => AttributeValue::Bytes(bytes.to_vec()),
            Item::Array(count) => {
                let inner = depth.checked_sub(1).ok_or(Fault::TooDeep)?;
                let mut items = Vec::with_capacity(self.room(count));
                for _ in 0..count {
                    items.push(self.value_within(inner)?);
                }
                AttributeValue::Array(items)
            }
            Item::Map(count) => {
                let inner = depth.checked_sub(1).ok_or(Fault::TooDeep)?;
                let mut entries = Vec::with_capacity(self.room(count));
                for _ in 0..count {
                    let key = self.value_within(inner)?.to_text();
                    entries.push((key, self.value_within(inner)?));
                }
                AttributeValue::Map(entries)
            }
        })
    }

    /// How many values are worth a place before they are read: a claim costs nothing.
    fn room(&self, count: u32) -> usize {
        usize::try_from(count).unwrap_or(usize::MAX).min(self.rest.len()).min(64)
    }
}

/// Finds the end of a value whose bytes are still arriving; what was looked at is not looked at again.
#[derive(Debug, Default)]
pub struct Scan {
    at: usize,
    /// Values that are still to come, the innermost array or map last.
    open: Vec<u64>,
}

impl Scan {
    /// The length of the first value; `None` until more has arrived. MUST be called with the same bytes and more.
    ///
    /// # Errors
    /// If the bytes are no value.
    pub fn advance(&mut self, input: &[u8]) -> Result<Option<usize>, Fault> {
        loop {
            let before = input.get(self.at..).unwrap_or_default();
            let mut reader = Reader::new(before);
            let item = match reader.item() {
                Ok(item) => item,
                Err(Fault::Truncated) => return Ok(None),
                Err(fault) => return Err(fault),
            };
            self.at += before.len() - reader.rest.len();
            let inside = match item {
                Item::Array(count) => u64::from(count),
                Item::Map(count) => 2 * u64::from(count),
                _ => 0,
            };
            if inside > 0 {
                if self.open.len() >= DEPTH_MAX {
                    return Err(Fault::TooDeep);
                }
                self.open.push(inside);
                continue;
            }
            while let Some(missing) = self.open.last_mut() {
                *missing -= 1;
                if *missing > 0 {
                    break;
                }
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(Some(self.at));
            }
        }
    }
}
