//! In which granules of a segment a trace lies.

use signalbox_model::Result;

use super::{GRANULE_ROWS, damaged};
use crate::format::metrics::varint;
use crate::format::rows::fingerprint;

const MAGIC: &[u8; 8] = b"SBXTRI\0\x01";

/// Fingerprints, ascending, each with its granules, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TraceIndex {
    prints: Vec<u32>,
    /// Where the granules of each fingerprint end.
    ends: Vec<u32>,
    granules: Vec<u32>,
}

impl TraceIndex {
    /// Appends a fingerprint larger than the last.
    pub(super) fn push(&mut self, print: u32, granules: impl Iterator<Item = u32>) {
        let from = self.granules.len();
        for granule in granules {
            if self.granules.len() == from || self.granules.last() != Some(&granule) {
                self.granules.push(granule);
            }
        }
        self.prints.push(print);
        self.ends.push(self.granules.len() as u32);
    }

    /// The granules that may have rows of a trace, ascending.
    pub(crate) fn granules(&self, trace: &[u8]) -> &[u32] {
        let Ok(at) = self.prints.binary_search(&fingerprint(trace)) else { return &[] };
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.granules[from as usize..self.ends[at] as usize]
    }

    /// Number of fingerprints.
    pub(crate) fn len(&self) -> usize {
        self.prints.len()
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        4 * (self.prints.len() + self.ends.len() + self.granules.len())
    }

    /// Column by column, each ascending one as differences.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        varint::write(&mut out, self.prints.len() as u64);
        let mut last = 0;
        for print in &self.prints {
            varint::write(&mut out, u64::from(print - last));
            last = *print;
        }
        let starts = || std::iter::once(0).chain(self.ends.iter().copied());
        for (from, to) in starts().zip(&self.ends) {
            varint::write(&mut out, u64::from(to - from));
        }
        for (from, to) in starts().zip(&self.ends) {
            let mut last = 0;
            for granule in &self.granules[from as usize..*to as usize] {
                varint::write(&mut out, u64::from(granule - last));
                last = *granule;
            }
        }
        out
    }

    /// Decodes the index of a segment of `rows` rows.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is not one.
    pub(crate) fn decode(bytes: &[u8], rows: u64) -> Result<Self> {
        Self::decode_parts(bytes, rows).ok_or_else(|| damaged("index"))
    }

    fn decode_parts(bytes: &[u8], rows: u64) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        // Each fingerprint takes three bytes or more of what is left, each granule one.
        let count = usize::try_from(varint::read(&mut rest)?).ok().filter(|count| *count <= rest.len() / 3)?;
        let mut index = Self { prints: Vec::with_capacity(count), ends: Vec::with_capacity(count), granules: Vec::new() };
        for at in 0..count {
            let step = varint::read_u32(&mut rest)?;
            let print = index.prints.last().unwrap_or(&0).checked_add(step).filter(|_| at == 0 || step > 0)?;
            index.prints.push(print);
        }
        let mut end = 0u32;
        for _ in 0..count {
            let own = varint::read_u32(&mut rest).filter(|own| *own > 0)?;
            end = end.checked_add(own)?;
            index.ends.push(end);
        }
        if end as usize > rest.len() {
            return None;
        }
        index.granules.reserve(end as usize);
        let granules_max = rows.div_ceil(GRANULE_ROWS);
        for end in &index.ends {
            let mut last = None;
            while index.granules.len() < *end as usize {
                let step = varint::read_u32(&mut rest)?;
                let granule = match last {
                    Some(last) => u32::checked_add(last, step).filter(|_| step > 0)?,
                    None => step,
                };
                last = Some(granule).filter(|granule| u64::from(*granule) < granules_max);
                index.granules.push(last?);
            }
        }
        rest.is_empty().then_some(index)
    }
}
