//! Bytes to index. Trusts nothing: an index is used only if every number in it is possible.

use std::io::Read;

use signalbox_model::{Error, Result};

use super::encode::MAGIC;
use super::{Index, SeriesRows, varint};

/// Bytes of an index once decompressed, at most.
const RAW_BYTES_MAX: u64 = 1 << 30;
const HEADER_BYTES: usize = MAGIC.len() + 8 + 4;

impl Index {
    /// Decodes an index of a file of `rows` rows.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is not one, or one of another file.
    pub(crate) fn decode(bytes: &[u8], rows: u64) -> Result<Self> {
        let corrupt = || Error::corrupt("cannot read the index of a segment: it is damaged");
        let raw = decompress(bytes).ok_or_else(corrupt)?;
        let mut rest = raw.as_slice();
        let mut index = Self::default();
        index.decode_pairs(&mut rest).ok_or_else(corrupt)?;
        index.decode_series(&mut rest, rows).ok_or_else(corrupt)?;
        if !rest.is_empty() {
            return Err(corrupt());
        }
        index.link();
        Ok(index)
    }

    fn decode_pairs(&mut self, rest: &mut &[u8]) -> Option<()> {
        let names = count(rest)?;
        for _ in 0..names {
            let name = std::str::from_utf8(text(rest)?).ok()?;
            if self.names.last().is_some_and(|(last, _)| last.as_ref() >= name) {
                return None;
            }
            self.names.push((name.into(), u32::try_from(self.value_ends.len()).ok()?));
            let (values, mut previous) = (count(rest)?, Vec::new());
            if values == 0 {
                return None;
            }
            for at in 0..values {
                let shared = usize::try_from(varint::read(rest)?).ok()?;
                let suffix = text(rest)?;
                let mut value = previous.get(..shared)?.to_vec();
                value.extend_from_slice(suffix);
                if value.is_empty() || (at > 0 && value <= previous) || (self.values.len() + value.len()) as u64 > RAW_BYTES_MAX {
                    return None;
                }
                self.values.push_str(std::str::from_utf8(&value).ok()?);
                self.value_ends.push(self.values.len() as u32);
                previous = value;
            }
        }
        Some(())
    }

    fn decode_series(&mut self, rest: &mut &[u8], rows: u64) -> Option<()> {
        let series = count(rest)?;
        for _ in 0..series {
            let mut previous = None;
            for _ in 0..count(rest)? {
                let name = varint::read_u32(rest)?;
                if previous.is_some_and(|previous| previous >= name) {
                    return None;
                }
                previous = Some(name);
                let (name, next) = (self.names.get(name as usize)?, self.names.get(name as usize + 1));
                let end = next.map_or(self.value_ends.len() as u32, |(_, first)| *first);
                self.pairs.push(name.1.checked_add(varint::read_u32(rest)?).filter(|pair| *pair < end)?);
            }
            self.pair_ends.push(u32::try_from(self.pairs.len()).ok()?);
        }
        let mut next_row = 0u64;
        for _ in 0..series {
            let count = varint::read_u32(rest).filter(|rows| *rows > 0)?;
            let first_row = u32::try_from(next_row).ok()?;
            next_row += u64::from(count);
            self.series.push(SeriesRows { first_row, rows: count, first_ms: 0, last_ms: 0, leader: 0, has_start: false });
        }
        let mut previous = 0i64;
        for series in &mut self.series {
            series.first_ms = previous.wrapping_add(varint::read_signed(rest)?);
            previous = series.first_ms;
        }
        for series in &mut self.series {
            series.last_ms = series.first_ms.wrapping_add(varint::read(rest)? as i64);
            if series.last_ms < series.first_ms {
                return None;
            }
        }
        for at in 0..self.series.len() {
            let leader = at.checked_sub(usize::try_from(varint::read(rest)?).ok()?)?;
            let (own, other) = (self.series[at], self.series[leader]);
            if leader != at && (other.rows, other.first_ms, other.last_ms, other.leader) != (own.rows, own.first_ms, own.last_ms, leader as u32) {
                return None;
            }
            self.series[at].leader = leader as u32;
        }
        for series in &mut self.series {
            let (flag, after) = rest.split_first()?;
            *rest = after;
            series.has_start = match flag {
                0 => false,
                1 => true,
                _ => return None,
            };
        }
        (next_row == rows).then_some(())
    }
}

fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    let (header, compressed) = bytes.split_at_checked(HEADER_BYTES)?;
    let (magic, numbers) = header.split_at(MAGIC.len());
    let (len, sum) = numbers.split_at(8);
    let len = u64::from_le_bytes(len.try_into().ok()?);
    let sum = u32::from_le_bytes(sum.try_into().ok()?);
    if magic != MAGIC || len > RAW_BYTES_MAX || crc32c::crc32c(compressed) != sum {
        return None;
    }
    // Grows with what is really there, not with what the header promises.
    let mut raw = Vec::new();
    zstd::stream::read::Decoder::new(compressed).ok()?.take(len + 1).read_to_end(&mut raw).ok()?;
    (raw.len() as u64 == len).then_some(raw)
}

/// A number of things of which each takes at least a byte of the rest.
fn count(rest: &mut &[u8]) -> Option<usize> {
    let count = usize::try_from(varint::read(rest)?).ok()?;
    (count <= rest.len()).then_some(count)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(varint::read(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(text)
}
