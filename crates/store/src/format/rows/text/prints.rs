//! Fingerprints of identifiers, with their pages: some two bytes for each.
//!
//! Sorted, and cut into buckets by their first bits, so that a look-up reads one bucket of about 128. Within a bucket the
//! differences are written with as many low bits as they mostly have, and the rest as ones and a zero (Rice's code).

use std::ops::Range;

use super::bits::{BitReader, BitWriter};
use super::damaged;
use super::pages::PageSet;
use crate::format::metrics::varint;
use signalbox_model::Result;

/// Entries of a bucket, about, as a power of two.
const BUCKET_SHIFT: u32 = 7;
/// Bits of a fingerprint beyond those that tell as many apart as there are: one look-up in 50 then finds another's
/// page, and pages are small. Each bit less doubles that and saves an eighth of a byte.
const SPARE_BITS: u32 = 6;
/// The buckets are made in so many rounds at most, as a power of two: each needs memory for its share.
const ROUNDS_SHIFT: u32 = 4;
/// Buckets at most, as a power of two.
const BUCKETS_SHIFT_MAX: u32 = 24;

/// Collects fingerprints, page by page: four bytes each.
#[derive(Debug, Default)]
pub(super) struct PrintsBuilder {
    /// Those of each page, ascending.
    all: Vec<u32>,
    ends: Vec<usize>,
}

impl PrintsBuilder {
    pub(super) fn push(&mut self, print: u32) {
        self.all.push(print);
    }

    pub(super) fn end_page(&mut self) {
        let from = self.ends.last().copied().unwrap_or(0);
        self.all[from..].sort_unstable();
        let mut kept = from;
        for at in from..self.all.len() {
            if at == from || self.all[at] != self.all[kept - 1] {
                self.all[kept] = self.all[at];
                kept += 1;
            }
        }
        self.all.truncate(kept);
        self.ends.push(kept);
    }

    pub(super) fn finish(self) -> (Prints, Vec<u8>) {
        let form = Form::of(self.all.len(), self.ends.len() as u32);
        let rounds_shift = form.bucket_bits.min(ROUNDS_SHIFT);
        let (mut out, mut ends, mut entries) = (BitWriter::default(), Vec::with_capacity(1 << form.bucket_bits), Vec::new());
        let mut at: Vec<usize> = std::iter::once(0).chain(self.ends.iter().copied()).take(self.ends.len()).collect();
        for round in 0..1u64 << rounds_shift {
            // What is below belongs to this round or was of an earlier one.
            let below = (round + 1) << (32 - rounds_shift);
            for ((at, end), page) in at.iter_mut().zip(&self.ends).zip(0u64..) {
                let count = self.all[*at..*end].partition_point(|print| u64::from(*print) < below);
                entries.extend(self.all[*at..*at + count].iter().map(|print| u64::from(print >> (32 - form.print_bits)) << 32 | page));
                *at += count;
            }
            entries.sort_unstable();
            entries.dedup();
            let (mut rest, buckets) = (entries.as_slice(), 1u64 << (form.bucket_bits - rounds_shift));
            for bucket in round * buckets..(round + 1) * buckets {
                let count = rest.partition_point(|entry| entry >> 32 >> form.low_bits() <= bucket);
                form.write(&rest[..count], &mut out);
                ends.push(out.bytes().len() as u32);
                rest = &rest[count..];
            }
            entries.clear();
        }
        (Prints { form, ends }, std::mem::take(out.bytes()))
    }
}

/// How many bits are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    print_bits: u32,
    page_bits: u32,
    bucket_bits: u32,
}

impl Form {
    fn of(prints: usize, pages: u32) -> Self {
        let bits = prints.max(1).ilog2();
        let bucket_bits = bits.saturating_sub(BUCKET_SHIFT - 1).min(BUCKETS_SHIFT_MAX);
        Self { print_bits: (bits + SPARE_BITS).min(32), page_bits: pages.saturating_sub(1).checked_ilog2().map_or(0, |bits| bits + 1), bucket_bits }
    }

    fn is_good(self) -> bool {
        self.print_bits <= 32 && self.print_bits > 0 && self.page_bits <= 32 && self.bucket_bits <= self.print_bits.min(BUCKETS_SHIFT_MAX)
    }

    /// Bits of a fingerprint that the bucket does not say.
    fn low_bits(self) -> u32 {
        self.print_bits - self.bucket_bits
    }

    /// Bits of a difference that are written as they are.
    fn rice_bits(self) -> u32 {
        self.low_bits().saturating_sub(BUCKET_SHIFT)
    }

    fn write(self, entries: &[u64], out: &mut BitWriter) {
        if entries.is_empty() {
            return;
        }
        varint::write(out.bytes(), entries.len() as u64);
        let mut last = 0;
        for entry in entries {
            let low = entry >> 32 & ((1 << self.low_bits()) - 1);
            let step = low - last;
            last = low;
            out.write_unary(step >> self.rice_bits());
            out.write(step & ((1 << self.rice_bits()) - 1), self.rice_bits());
            out.write(entry & u64::from(u32::MAX), self.page_bits);
        }
        out.align();
    }
}

/// Where the buckets lie.
#[derive(Debug)]
pub(super) struct Prints {
    form: Form,
    /// Where each bucket ends.
    ends: Vec<u32>,
}

impl Prints {
    pub(super) fn bytes(&self) -> usize {
        4 * self.ends.len()
    }

    /// Bytes of all buckets.
    pub(super) fn size(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0).into()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend([self.form.print_bits as u8, self.form.page_bits as u8, self.form.bucket_bits as u8]);
        let mut last = 0;
        for end in &self.ends {
            varint::write(out, u64::from(end - last));
            last = *end;
        }
    }

    pub(super) fn decode(rest: &mut &[u8]) -> Option<Self> {
        let (head, behind) = rest.split_first_chunk::<3>()?;
        *rest = behind;
        let form = Form { print_bits: head[0].into(), page_bits: head[1].into(), bucket_bits: head[2].into() };
        if !form.is_good() || rest.len() < 1 << form.bucket_bits {
            return None;
        }
        let (mut ends, mut end) = (Vec::with_capacity(1 << form.bucket_bits), 0u32);
        for _ in 0..1u32 << form.bucket_bits {
            end = end.checked_add(varint::read_u32(rest)?)?;
            ends.push(end);
        }
        Some(Self { form, ends })
    }

    /// The bytes of the blob in which a fingerprint is, if it is anywhere.
    pub(super) fn range_of(&self, print: u32) -> Range<u64> {
        let bucket = (u64::from(print) >> (32 - self.form.bucket_bits)) as usize;
        let from = bucket.checked_sub(1).map_or(0, |before| self.ends[before]);
        u64::from(from)..u64::from(self.ends[bucket])
    }

    /// Adds the pages of a fingerprint, from the bytes of its bucket.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if they are none.
    pub(super) fn find(&self, print: u32, bucket: &[u8], pages: &mut PageSet) -> Result<()> {
        if bucket.is_empty() {
            return Ok(());
        }
        self.search(print, bucket, pages).ok_or_else(|| damaged("fingerprints"))
    }

    fn search(&self, print: u32, mut bucket: &[u8], pages: &mut PageSet) -> Option<()> {
        let form = self.form;
        let wanted = u64::from(print) >> (32 - form.print_bits) & ((1 << form.low_bits()) - 1);
        let count = varint::read_u32(&mut bucket)?;
        let (mut bits, mut low) = (BitReader::new(bucket), 0u64);
        for _ in 0..count {
            let step = bits.read_unary()?.checked_shl(form.rice_bits())? | bits.read(form.rice_bits())?;
            low = low.checked_add(step)?;
            let page = bits.read(form.page_bits)?;
            if low > wanted {
                break;
            }
            if low == wanted {
                pages.insert(page as u32);
            }
        }
        Some(())
    }
}
