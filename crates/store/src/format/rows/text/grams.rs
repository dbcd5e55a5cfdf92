//! Which pieces the identifiers of a page have in them: a filter of a few bits for each place in each of them.
//!
//! Where an identifier has four bytes in a row of which one is no hexadecimal digit, these four are a gram; elsewhere six bytes
//! are, for there are few of four digits. A piece of text has the same grams wherever it lies, so a page on which one of them
//! is missing does not hold it. Where there are too many grams, only those are kept whose hash ends in zeros.

use super::pages::PageSet;

/// Bytes of a gram with a byte that is no hexadecimal digit.
const SHORT: usize = 4;
/// Bytes of a gram of hexadecimal digits.
const LONG: usize = 6;
/// Bytes of the gram that says how an identifier begins.
const FIRST: usize = 5;
/// Bits of the filter for each gram, in halves: a third of them are set then.
const HALF_BITS: usize = 5;
/// Bits of the filter for each row at most.
const ROW_BITS_MAX: usize = 12;
/// Bits that a page may always have.
const PAGE_BITS_MIN: usize = 1 << 10;
/// Of the grams at least one in so many powers of two is kept.
const SHIFT_MAX: u8 = 7;

/// Calls `visit` with the hash of each gram of a piece of a word without case; `begins` if the word begins with it.
pub(super) fn visit(folded: &[u8], begins: bool, visit: &mut impl FnMut(u32)) {
    visit_up_to(usize::MAX, folded, begins, visit);
}

/// The same, of grams of so many bytes at most.
fn visit_up_to(size_max: usize, folded: &[u8], begins: bool, visit: &mut impl FnMut(u32)) {
    // Digits behind the last other byte, as of this byte and of the two before it.
    let (mut window, mut digits) = (0u64, [LONG; LONG - SHORT + 1]);
    for (at, byte) in folded.iter().enumerate() {
        window = (window << 8 | u64::from(*byte)) & 0xffff_ffff_ffff;
        let own = if matches!(byte, b'0'..=b'9' | b'a'..=b'f') { digits[0] + 1 } else { 0 };
        digits = [own, digits[0], digits[1]];
        if at + 1 >= SHORT && own < SHORT && SHORT <= size_max {
            visit(hash(window & 0xffff_ffff, SHORT));
        }
        if at + 1 >= LONG && digits[LONG - SHORT] >= SHORT && LONG <= size_max {
            visit(hash(window, LONG));
        }
    }
    if let Some(first) = folded.first_chunk::<FIRST>().filter(|_| begins && FIRST <= size_max) {
        visit(hash(first.iter().fold(0, |window, byte| window << 8 | u64::from(*byte)), FIRST));
    }
}

fn hash(gram: u64, size: usize) -> u32 {
    let mixed = (gram | (size as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
}

/// Collects the grams of pages.
#[derive(Debug, Default)]
pub(super) struct GramsBuilder {
    hashes: Vec<u32>,
    out: Vec<u8>,
    filters: Vec<(u32, u8)>,
}

impl GramsBuilder {
    /// Adds the grams of an identifier to the page: those that are shorter than it, for it is found whole without them.
    pub(super) fn push(&mut self, folded: &[u8]) {
        visit_up_to(folded.len().saturating_sub(1), folded, true, &mut |hash| self.hashes.push(hash));
    }

    /// Ends a page of so many rows.
    pub(super) fn end_page(&mut self, rows: usize) {
        let (wanted, bits_max) = (self.hashes.len() * HALF_BITS / 2, (rows * ROW_BITS_MAX).max(PAGE_BITS_MIN));
        // A filter that is a little too full is better than half of the grams.
        let shift = (0..SHIFT_MAX).find(|shift| wanted >> shift <= bits_max * 3 / 2).unwrap_or(SHIFT_MAX);
        let size = (wanted >> shift).min(bits_max).div_ceil(64);
        let mut words = vec![0u64; size];
        for hash in self.hashes.drain(..).filter(|hash| is_kept(*hash, shift)) {
            let bit = place(hash, size);
            words[bit / 64] |= 1 << (bit % 64);
        }
        self.out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self.filters.push((size as u32, shift));
    }

    /// Words and shift of the filter of each page, and the filters.
    pub(super) fn finish(self) -> (Vec<(u32, u8)>, Vec<u8>) {
        (self.filters, self.out)
    }
}

fn is_kept(hash: u32, shift: u8) -> bool {
    hash & ((1 << shift) - 1) == 0
}

/// The bit of a hash in a filter of so many words, more than none.
fn place(hash: u32, words: usize) -> usize {
    ((u64::from(hash) * (words as u64 * 64)) >> 32) as usize
}

/// Where the filters of the pages lie.
#[derive(Debug)]
pub(super) struct Grams {
    /// Where the filter of each page begins, in words, and where the last one ends.
    starts: Vec<u32>,
    shifts: Vec<u8>,
}

impl Grams {
    /// `None` if the filters are larger than any segment is.
    pub(super) fn new(filters: &[(u32, u8)]) -> Option<Self> {
        let mut starts = vec![0u32];
        for (words, shift) in filters {
            starts.push(starts[starts.len() - 1].checked_add(*words).filter(|end| *shift <= SHIFT_MAX && *end < 1 << 28)?);
        }
        Some(Self { starts, shifts: filters.iter().map(|(_, shift)| *shift).collect() })
    }

    pub(super) fn bytes(&self) -> usize {
        5 * self.shifts.len()
    }

    /// The bytes of the blob with the filters of all pages of a set.
    pub(super) fn range_of(&self, pages: &PageSet) -> std::ops::Range<u64> {
        let (first, last) = (pages.iter().next().unwrap_or(0) as usize, pages.iter().last().unwrap_or(0) as usize);
        let byte = |page: usize| self.starts.get(page).map_or(0, |word| u64::from(*word) * 8);
        byte(first)..byte(last + 1)
    }

    /// Whether a page may have all grams of such hashes. `bytes` are those of [`Grams::range_of`], from `offset` on.
    pub(super) fn may_have(&self, page: u32, hashes: &[u32], bytes: &[u8], offset: u64) -> bool {
        let page = page as usize;
        let (Some(from), Some(to), Some(shift)) = (self.starts.get(page), self.starts.get(page + 1), self.shifts.get(page)) else { return true };
        let byte = |word: u32| (u64::from(word) * 8).saturating_sub(offset) as usize;
        let Some(filter) = bytes.get(byte(*from)..byte(*to)) else { return true };
        let mut hashes = hashes.iter().filter(|hash| is_kept(**hash, *shift));
        if filter.is_empty() {
            return hashes.next().is_none();
        }
        hashes.all(|hash| {
            let bit = place(*hash, filter.len() / 8);
            filter[bit / 8] >> (bit % 8) & 1 == 1
        })
    }
}
