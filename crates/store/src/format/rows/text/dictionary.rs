//! The words of a segment as text, each with its pages.
//!
//! They lie one behind the other with a line feed before and behind each, so that a search for a piece of a word, for a
//! beginning or for an end is one search for bytes. Words that are on the same pages, as those of one line of a program's
//! source are, share the set.

use std::collections::HashMap;

use memchr::memmem::Finder;

use super::pages::PageSet;
use super::table::WordTable;
use crate::format::metrics::varint;

/// Bytes of a decoded dictionary at most.
const DECODED_BYTES_MAX: u64 = 64 << 20;
/// Level of zstd.
const ZSTD_LEVEL: i32 = 3;
/// Stands between words.
const GAP: u8 = b'\n';

/// Words, ascending, with their pages.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// The words, with [`GAP`] before the first one and behind each.
    text: Vec<u8>,
    /// Where each word begins, and where another one would.
    starts: Vec<u32>,
    /// The set of each word.
    refs: Vec<u32>,
    sets: Vec<PageSet>,
}

impl Dictionary {
    /// Encodes the words of a segment of so many pages: the number of bytes before compression, the compressed bytes.
    pub(super) fn encode(table: &WordTable, pages: u32, out: &mut Vec<u8>) {
        let words = table.sorted();
        let (mut numbers, mut sets, mut refs) = (HashMap::new(), Vec::new(), Vec::new());
        for (_, number) in &words {
            let mut set = PageSet::none(pages);
            table.pages_of(*number).for_each(|page| set.insert(page));
            let next = numbers.len() as u64;
            let number = *numbers.entry(set).or_insert_with_key(|set| {
                encode_set(set, &mut sets);
                next
            });
            varint::write(&mut refs, number);
        }
        let mut body = Vec::new();
        varint::write(&mut body, words.len() as u64);
        varint::write(&mut body, numbers.len() as u64);
        body.append(&mut sets);
        body.append(&mut refs);
        for (word, _) in &words {
            body.extend_from_slice(word);
            body.push(GAP);
        }
        varint::write(out, body.len() as u64);
        let compressed = zstd::bulk::compress(&body, ZSTD_LEVEL).expect("compressing into memory cannot fail");
        out.extend_from_slice(&compressed);
    }

    /// Decodes all that is left.
    pub(super) fn decode(mut rest: &[u8], pages: u32) -> Option<Self> {
        let size = varint::read(&mut rest).filter(|size| *size <= DECODED_BYTES_MAX)? as usize;
        let body = zstd::bulk::decompress(rest, size).ok().filter(|body| body.len() == size)?;
        let mut rest = body.as_slice();
        // Each word takes three bytes or more: a reference, a letter, a gap; each set one.
        let words = usize::try_from(varint::read(&mut rest)?).ok().filter(|words| *words <= rest.len() / 3)?;
        let count = usize::try_from(varint::read(&mut rest)?).ok().filter(|sets| *sets <= words)?;
        let (mut sets, mut refs) = (Vec::with_capacity(count), Vec::with_capacity(words));
        for _ in 0..count {
            sets.push(decode_set(&mut rest, pages)?);
        }
        for _ in 0..words {
            refs.push(varint::read_u32(&mut rest).filter(|number| (*number as usize) < count)?);
        }
        let mut text = Vec::with_capacity(1 + rest.len());
        text.push(GAP);
        text.extend_from_slice(rest);
        let starts: Vec<u32> = memchr::memchr_iter(GAP, &text).map(|gap| gap as u32 + 1).collect();
        let dictionary = Self { text, starts, refs, sets };
        let is_whole = dictionary.starts.len() == words + 1 && dictionary.starts.last().copied() == u32::try_from(dictionary.text.len()).ok();
        let is_sorted = is_whole && (1..words).all(|number| dictionary.word(number - 1) < dictionary.word(number));
        is_sorted.then_some(dictionary)
    }

    /// Number of words.
    pub(super) fn len(&self) -> usize {
        self.refs.len()
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + 4 * (self.starts.len() + self.refs.len()) + self.sets.iter().map(PageSet::bytes).sum::<usize>()
    }

    /// Adds the pages of the words that have a piece in them: `begins` and `ends` if it has to be their beginning or end. A
    /// piece that is searched for without case must be in small letters.
    pub(super) fn find(&self, piece: &[u8], begins: bool, ends: bool, is_case_sensitive: bool, pages: &mut PageSet) {
        if begins && ends && is_case_sensitive {
            if let Some(number) = self.number_of(piece) {
                self.add(number, pages);
            }
            return;
        }
        let lowered = (!is_case_sensitive).then(|| self.text.to_ascii_lowercase());
        let text = lowered.as_deref().unwrap_or(&self.text);
        let gap = |is_wanted: bool| is_wanted.then_some(GAP);
        let needle: Vec<u8> = gap(begins).into_iter().chain(piece.iter().copied()).chain(gap(ends)).collect();
        let (finder, mut from) = (Finder::new(&needle), 0);
        while let Some(at) = text.get(from..).and_then(|rest| finder.find(rest)) {
            let place = (from + at) as u32 + u32::from(begins);
            let number = self.starts.partition_point(|start| *start <= place);
            self.add(number - 1, pages);
            // Two words share a gap.
            from = self.starts.get(number).map_or(text.len(), |next| *next as usize - 1);
        }
    }

    fn number_of(&self, word: &[u8]) -> Option<usize> {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.word(middle).cmp(word) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        None
    }

    fn word(&self, number: usize) -> &[u8] {
        &self.text[self.starts[number] as usize..self.starts[number + 1] as usize - 1]
    }

    fn add(&self, number: usize, pages: &mut PageSet) {
        pages.add(&self.sets[self.refs[number] as usize]);
    }
}

/// All pages.
const ALL: u64 = 0;
/// A list of pages.
const LIST: u64 = 1;
/// A bit for each page.
const BITS: u64 = 2;

fn encode_set(set: &PageSet, out: &mut Vec<u8>) {
    if set.count() == set.pages() {
        varint::write(out, ALL);
        return;
    }
    let mut list = Vec::new();
    varint::write(&mut list, u64::from(set.count()));
    let mut last = 0;
    for page in set.iter() {
        varint::write(&mut list, u64::from(page - last));
        last = page;
    }
    let bits = set.pages().div_ceil(8);
    if list.len() <= bits as usize {
        varint::write(out, LIST);
        out.append(&mut list);
    } else {
        varint::write(out, BITS);
        out.extend((0..bits).map(|byte| (0..8).fold(0, |bits, bit| bits | u8::from(set.contains(byte * 8 + bit)) << bit)));
    }
}

fn decode_set(rest: &mut &[u8], pages: u32) -> Option<PageSet> {
    let mut set = PageSet::none(pages);
    match varint::read(rest)? {
        ALL => return Some(PageSet::all(pages)),
        LIST => {
            let (count, mut page) = (varint::read(rest)?, 0u32);
            for _ in 0..count {
                page = page.checked_add(varint::read_u32(rest)?).filter(|page| *page < pages)?;
                set.insert(page);
            }
        }
        BITS => {
            let (bits, behind) = rest.split_at_checked(pages.div_ceil(8) as usize)?;
            *rest = behind;
            (0..pages).filter(|page| bits[*page as usize / 8] >> (page % 8) & 1 == 1).for_each(|page| set.insert(page));
        }
        _ => return None,
    }
    Some(set)
}
