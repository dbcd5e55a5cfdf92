//! Headers of pages, in Thrift's compact protocol: how long they are, and what lies behind them.

/// A page of levels and values whose levels are not compressed.
const DATA_PAGE_2: u64 = 8;
/// Structures lie in others only so deep.
const DEPTH_MAX: usize = 4;

/// What is needed of a header to decompress its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Length of the header.
    pub(super) bytes: usize,
    /// Length of what is behind it, decompressed.
    pub(super) plain_bytes: usize,
    /// How much of that is never compressed and comes first.
    pub(super) levels_bytes: usize,
    /// Whether the rest is compressed.
    pub(super) is_compressed: bool,
}

impl Header {
    /// The header at the start of a page; `None` if there is none.
    pub(super) fn parse(page: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: page };
        let (mut plain_bytes, mut levels_bytes, mut is_compressed) = (None, 0, true);
        reader.fields(&mut |reader, field, kind| {
            match (field, kind) {
                (2, Kind::Int) => plain_bytes = Some(usize::try_from(reader.signed()?).ok()?),
                (DATA_PAGE_2, Kind::Struct) => reader.fields(&mut |reader, field, kind| {
                    match (field, kind) {
                        (5 | 6, Kind::Int) => levels_bytes += usize::try_from(i32::try_from(reader.signed()?).ok()?).ok()?,
                        (7, Kind::Bool(value)) => is_compressed = value,
                        _ => reader.skip(kind, DEPTH_MAX)?,
                    }
                    Some(())
                })?,
                _ => reader.skip(kind, DEPTH_MAX)?,
            }
            Some(())
        })?;
        let bytes = page.len() - reader.rest.len();
        Some(Self { bytes, plain_bytes: plain_bytes.filter(|bytes| i32::try_from(*bytes).is_ok())?, levels_bytes, is_compressed })
    }
}

/// Types that occur in headers of pages; lists and maps do not.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Bool(bool),
    Byte,
    Int,
    Double,
    Binary,
    Struct,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Hands each field of a structure to a visitor, which MUST read its value.
    fn fields(&mut self, visit: &mut dyn FnMut(&mut Self, u64, Kind) -> Option<()>) -> Option<()> {
        let mut last = 0u64;
        loop {
            let byte = self.take(1)?[0];
            let kind = match byte & 15 {
                0 => return Some(()),
                1 => Kind::Bool(true),
                2 => Kind::Bool(false),
                3 => Kind::Byte,
                4..=6 => Kind::Int,
                7 => Kind::Double,
                8 => Kind::Binary,
                12 => Kind::Struct,
                _ => return None,
            };
            last = match byte >> 4 {
                0 => u64::try_from(self.signed()?).ok()?,
                more => last.checked_add(u64::from(more))?,
            };
            visit(self, last, kind)?;
        }
    }

    fn skip(&mut self, kind: Kind, depth: usize) -> Option<()> {
        match kind {
            Kind::Bool(_) => {}
            Kind::Byte => drop(self.take(1)?),
            Kind::Int => drop(self.varint()?),
            Kind::Double => drop(self.take(8)?),
            Kind::Binary => {
                let len = usize::try_from(self.varint()?).ok()?;
                self.take(len)?;
            }
            Kind::Struct => {
                let deeper = depth.checked_sub(1)?;
                self.fields(&mut |reader, _, kind| reader.skip(kind, deeper))?;
            }
        }
        Some(())
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    /// An integer whose sign is its lowest bit.
    fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}
