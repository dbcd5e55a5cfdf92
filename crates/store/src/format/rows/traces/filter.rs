//! A Bloom filter in blocks of 32 bytes, as Parquet has them for columns: one look at one cache line.

use signalbox_model::Result;
use xxhash_rust::xxh3::xxh3_64;

use super::damaged;

const MAGIC: &[u8; 8] = b"SBXTRF\0\x01";
const WORDS: usize = 8;
/// Bits a trace. One look-up in about 200 then finds a segment that does not have the trace, and reads its index in vain.
const BITS_PER_TRACE: usize = 12;
/// Odd constants of the split block filter of the Parquet specification: one bit of each word.
const SALTS: [u32; WORDS] = [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// Which traces a segment may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceFilter {
    blocks: Vec<[u32; WORDS]>,
}

impl TraceFilter {
    /// The filter of distinct hashes.
    pub(super) fn of(hashes: &[u64]) -> Self {
        let mut filter = Self { blocks: vec![[0; WORDS]; (hashes.len() * BITS_PER_TRACE).div_ceil(32 * WORDS)] };
        for hash in hashes {
            if let Some(at) = filter.block(*hash) {
                filter.blocks[at].iter_mut().zip(bits(*hash)).for_each(|(word, bit)| *word |= bit);
            }
        }
        filter
    }

    /// Whether the segment may have the trace.
    pub(crate) fn may_have(&self, trace: &[u8]) -> bool {
        let hash = xxh3_64(trace);
        self.block(hash).is_some_and(|at| self.blocks[at].iter().zip(bits(hash)).all(|(word, bit)| word & bit != 0))
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.len() * 4 * WORDS
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let words = self.blocks.iter().flatten();
        MAGIC.iter().copied().chain(words.flat_map(|word| word.to_le_bytes())).collect()
    }

    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if the bytes are no filter.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let words = bytes.strip_prefix(MAGIC).filter(|words| words.len().is_multiple_of(4 * WORDS)).ok_or_else(|| damaged("filter"))?;
        let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let block = |bytes: &[u8]| std::array::from_fn(|at| word(&bytes[4 * at..]));
        Ok(Self { blocks: words.chunks_exact(4 * WORDS).map(block).collect() })
    }

    /// The block of a hash, by its upper half; `None` of an empty filter.
    fn block(&self, hash: u64) -> Option<usize> {
        (!self.blocks.is_empty()).then(|| (((hash >> 32) * self.blocks.len() as u64) >> 32) as usize)
    }
}

/// The bits of a hash in its block, by its lower half.
fn bits(hash: u64) -> [u32; WORDS] {
    SALTS.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27))
}
