//! What a segment says about its text, as it lies in memory.

use signalbox_model::Result;

use super::dictionary::Dictionary;
use super::grams::Grams;
use super::kind::{KINDS, Letters};
use super::prints::Prints;
use super::{PageSet, damaged};
use crate::format::metrics::varint;

const MAGIC: &[u8; 7] = b"SBXTXT\0";
/// The first version has nothing of events and links.
const VERSION_WITHOUT_ITEMS: u8 = 1;
const VERSION: u8 = 2;
/// Pages of a segment at most: far more than there are.
const PAGES_MAX: u64 = 1 << 20;

/// What is known of the identifiers of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Summary {
    /// Bytes of the longest one of each kind.
    pub(super) longest: [u8; KINDS],
    /// Which letters they have.
    pub(super) letters: Letters,
    /// Whether there are UUIDs: their first groups have no fingerprints, those in the middle nothing at all.
    pub(super) has_uuids: bool,
    /// Whether four numbers joined by points are there that are no IPv4 address.
    pub(super) has_odd_quads: bool,
}

impl Summary {
    fn flags(self) -> u8 {
        u8::from(self.has_uuids) | u8::from(self.has_odd_quads) << 1
    }
}

/// The index of the text of a segment, without its fingerprints and grams, which stay in the file.
#[derive(Debug)]
pub(crate) struct TextIndex {
    page_rows: u64,
    has_items: bool,
    pub(super) summaries: Vec<Summary>,
    pub(super) words: Dictionary,
    pub(super) prints: Prints,
    pub(super) grams: Grams,
}

impl TextIndex {
    /// Encodes all but the words, which [`Dictionary::encode`] appends.
    pub(super) fn encode_start(page_rows: u64, summaries: &[Summary], filters: &[(u32, u8)], prints: &Prints) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        varint::write(&mut out, page_rows);
        varint::write(&mut out, summaries.len() as u64);
        for (summary, (words, shift)) in summaries.iter().zip(filters) {
            out.extend(summary.longest);
            out.extend([summary.flags(), *shift, summary.letters.run]);
            varint::write(&mut out, u64::from(summary.letters.set));
            varint::write(&mut out, u64::from(*words));
        }
        prints.encode(&mut out);
        out
    }

    /// Decodes the index of a segment of so many rows.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is not one.
    pub(crate) fn decode(bytes: &[u8], rows: u64) -> Result<Self> {
        Self::decode_parts(bytes, rows).ok_or_else(|| damaged("index"))
    }

    fn decode_parts(bytes: &[u8], rows: u64) -> Option<Self> {
        let (version, mut rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
        if !(VERSION_WITHOUT_ITEMS..=VERSION).contains(version) {
            return None;
        }
        let page_rows = varint::read(&mut rest).filter(|rows| *rows > 0)?;
        let pages = varint::read(&mut rest).filter(|pages| *pages == rows.div_ceil(page_rows) && *pages <= PAGES_MAX)? as usize;
        // Each takes eight bytes or more.
        if rest.len() / 8 < pages {
            return None;
        }
        let (mut summaries, mut filters) = (Vec::with_capacity(pages), Vec::with_capacity(pages));
        for _ in 0..pages {
            let (head, behind) = rest.split_first_chunk::<6>()?;
            rest = behind;
            let (longest, flags, letters) = ([head[0], head[1], head[2]], head[3], Letters { run: head[5], set: varint::read_u32(&mut rest)? });
            summaries.push(Summary { longest, letters, has_uuids: flags & 1 > 0, has_odd_quads: flags & 2 > 0 });
            filters.push((varint::read_u32(&mut rest)?, head[4]));
        }
        let (grams, prints) = (Grams::new(&filters)?, Prints::decode(&mut rest)?);
        let has_items = *version > VERSION_WITHOUT_ITEMS;
        Some(Self { page_rows, has_items, words: Dictionary::decode(rest, pages as u32)?, summaries, prints, grams })
    }

    /// Whether events and links are in it.
    pub(crate) fn has_items(&self) -> bool {
        self.has_items
    }

    /// Rows of a page of the index, all but the last.
    pub(crate) fn page_rows(&self) -> u64 {
        self.page_rows
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.summaries.len() * size_of::<Summary>() + self.words.bytes() + self.prints.bytes() + self.grams.bytes()
    }

    pub(super) fn pages(&self) -> u32 {
        self.summaries.len() as u32
    }

    pub(super) fn all(&self) -> PageSet {
        PageSet::all(self.pages())
    }
}
