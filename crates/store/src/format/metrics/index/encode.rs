//! Index to bytes. The layout is described in `FORMAT.md`.

use signalbox_model::{Error, Result};

use super::{Index, varint};

/// First bytes of an encoded index; the last is the version.
pub(super) const MAGIC: &[u8; 8] = b"SBXSER\0\x01";
const ZSTD_LEVEL: i32 = 9;

impl Index {
    /// The encoded index.
    ///
    /// # Errors
    /// `Internal` if the compressor fails.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut raw = Vec::new();
        self.encode_pairs(&mut raw);
        self.encode_series(&mut raw);
        seal(&raw)
    }

    fn encode_pairs(&self, raw: &mut Vec<u8>) {
        varint::write(raw, self.names.len() as u64);
        for (name, _) in &self.names {
            let pairs = self.pairs_of(name);
            write_text(raw, name.as_bytes());
            varint::write(raw, u64::from(pairs.end - pairs.start));
            let mut previous: &[u8] = &[];
            for value in pairs.filter_map(|pair| self.value(pair)).map(str::as_bytes) {
                let shared = previous.iter().zip(value).take_while(|(left, right)| left == right).count();
                varint::write(raw, shared as u64);
                write_text(raw, &value[shared..]);
                previous = value;
            }
        }
    }

    /// Column by column, so that equal things lie together.
    fn encode_series(&self, raw: &mut Vec<u8>) {
        varint::write(raw, self.series.len() as u64);
        for ordinal in 0..self.series.len() as u32 {
            let pairs = self.series_pairs(ordinal);
            varint::write(raw, pairs.len() as u64);
            for pair in pairs {
                let name = self.names.partition_point(|(_, first)| first <= pair) - 1;
                varint::write(raw, name as u64);
                varint::write(raw, u64::from(pair - self.names[name].1));
            }
        }
        self.series.iter().for_each(|series| varint::write(raw, u64::from(series.rows)));
        let mut previous = 0;
        for series in &self.series {
            varint::write_signed(raw, series.first_ms.wrapping_sub(previous));
            previous = series.first_ms;
        }
        self.series.iter().for_each(|series| varint::write(raw, series.last_ms.wrapping_sub(series.first_ms) as u64));
        for (ordinal, series) in self.series.iter().enumerate() {
            varint::write(raw, ordinal as u64 - u64::from(series.leader));
        }
        self.series.iter().for_each(|series| raw.push(u8::from(series.has_start)));
    }
}

/// Header, checksum and the compressed bytes.
pub(crate) fn seal(raw: &[u8]) -> Result<Vec<u8>> {
    let compressed = zstd::bulk::compress(raw, ZSTD_LEVEL).map_err(|error| Error::internal("cannot compress an index").with_source(error))?;
    let mut out = Vec::with_capacity(compressed.len() + 20);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&compressed).to_le_bytes());
    out.extend_from_slice(&compressed);
    Ok(out)
}

fn write_text(raw: &mut Vec<u8>, text: &[u8]) {
    varint::write(raw, text.len() as u64);
    raw.extend_from_slice(text);
}
