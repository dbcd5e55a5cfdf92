//! Which pages a filter of text leaves.
//!
//! A phrase is on a page if all of its words are. Of the words at its ends only a part may be known: the line may go on before
//! and behind. Such a part is looked for inside of all words.

use std::ops::Range;

use bytes::Bytes;
use signalbox_model::text::{self, Marks, Word};
use signalbox_model::{Phrase, Result, TextFilter};
use xxhash_rust::xxh3::xxh3_64;

use super::index::{Summary, TextIndex};
use super::kind::{self, KINDS, LENGTH_MAX, Letters, UUID_HEAD};
use super::{PageSet, damaged, grams};

/// What of an index stays in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// Fingerprints.
    Prints,
    /// Grams.
    Grams,
}

/// Reads bytes of a part.
pub(crate) type Fetch<'a> = dyn Fn(Part, Range<u64>) -> Result<Bytes> + 'a;

/// Beyond so many look-ups of fingerprints all of them are read at once.
const BUCKETS_MAX: usize = 4;
/// Bytes of a UUID's groups in the middle.
const UUID_MIDDLE: usize = 4;

/// A word of a phrase, or a part of one.
struct Piece<'a> {
    text: &'a [u8],
    marks: Marks,
    /// Whether the word begins here, and ends here.
    begins: bool,
    ends: bool,
    is_case_sensitive: bool,
}

impl TextIndex {
    /// The pages that may have rows which fit a filter.
    ///
    /// # Errors
    /// Of `fetch`; [`signalbox_model::ErrorKind::Corrupt`] if a part is damaged.
    pub(crate) fn find(&self, filter: &TextFilter, fetch: &Fetch<'_>) -> Result<PageSet> {
        let mut found = self.all();
        for clause in &filter.clauses {
            let mut any = PageSet::none(self.pages());
            for phrase in clause {
                any.add(&self.find_phrase(phrase, &found, fetch)?);
            }
            found.keep(&any);
            if found.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// Of the pages `within` those that may have a phrase.
    fn find_phrase(&self, phrase: &Phrase, within: &PageSet, fetch: &Fetch<'_>) -> Result<PageSet> {
        let text = match phrase.is_case_sensitive {
            true => phrase.text.clone(),
            false => phrase.text.to_ascii_lowercase(),
        };
        let words: Vec<Word> = text::words(&text).collect();
        let piece = |word: &Word| Piece {
            text: &text.as_bytes()[word.start..word.end],
            marks: word.marks,
            begins: word.start > 0 || phrase.starts_word,
            ends: word.end < text.len() || phrase.ends_word,
            is_case_sensitive: phrase.is_case_sensitive,
        };
        let mut pieces: Vec<Piece<'_>> = words.iter().map(piece).collect();
        let mut found = within.clone();
        for quad in pieces.windows(4).zip(words.windows(4)).filter(|(_, words)| are_joined(text.as_bytes(), words)).map(|(pieces, _)| pieces) {
            self.keep_quad(quad, &mut found, fetch)?;
        }
        // Whole words first, long ones before short ones: what is cheap and leaves little.
        pieces.sort_by_key(|piece| (!(piece.begins && piece.ends), std::cmp::Reverse(piece.text.len())));
        for piece in &pieces {
            if found.is_empty() {
                break;
            }
            self.keep_piece(piece, &mut found, fetch)?;
        }
        Ok(found)
    }

    fn keep_piece(&self, piece: &Piece<'_>, found: &mut PageSet, fetch: &Fetch<'_>) -> Result<()> {
        let mut own = PageSet::none(self.pages());
        self.words.find(piece.text, piece.begins, piece.ends, piece.is_case_sensitive, &mut own);
        let is_rest_empty = |own: &PageSet| {
            let mut rest = found.clone();
            rest.remove(own);
            rest.is_empty()
        };
        if is_rest_empty(&own) {
            return Ok(());
        }
        let mut folded = Vec::with_capacity(piece.text.len());
        kind::fold(piece.text, &mut folded);
        self.find_prints(&[(xxh3_64(&folded) >> 32) as u32], &mut own, fetch)?;
        let letters = Letters::of(&folded);
        let mut inside = PageSet::none(self.pages());
        let is_inside = |page: &u32| self.summaries.get(*page as usize).is_some_and(|summary| may_be_inside(piece, letters, *summary));
        found.iter().filter(is_inside).for_each(|page| inside.insert(page));
        inside.remove(&own);
        if !inside.is_empty() {
            let mut hashes = Vec::new();
            grams::visit(&folded, piece.begins, &mut |hash| hashes.push(hash));
            if hashes.is_empty() {
                own.add(&inside);
            } else {
                let range = self.grams.range_of(&inside);
                let bytes = fetch(Part::Grams, range.clone())?;
                inside.iter().filter(|page| self.grams.may_have(*page, &hashes, &bytes, range.start)).for_each(|page| own.insert(page));
            }
        }
        found.keep(&own);
        Ok(())
    }

    /// Keeps the pages that may have four numbers joined by points.
    fn keep_quad(&self, quad: &[Piece<'_>], found: &mut PageSet, fetch: &Fetch<'_>) -> Result<()> {
        let [first, second, third, last] = quad else { return Ok(()) };
        let is_address = kind::is_octet(first.text) && kind::is_octet(last.text) && kind::is_short_number(second.text) && kind::is_short_number(third.text);
        if !is_address || found.is_empty() {
            return Ok(());
        }
        let middle = [b".".as_slice(), second.text, b".", third.text, b"."].concat();
        let mut prints = Vec::new();
        for first in octets(first.text, first.begins, |digits, own| [digits, own].concat()) {
            for last in octets(last.text, last.ends, |digits, own| [own, digits].concat()) {
                let address = [first.as_slice(), &middle, &last].concat();
                prints.push((xxh3_64(&address) >> 32) as u32);
            }
        }
        let mut own = PageSet::none(self.pages());
        self.find_prints(&prints, &mut own, fetch)?;
        self.summaries.iter().zip(0..).filter(|(summary, _)| summary.has_odd_quads).for_each(|(_, page)| own.insert(page));
        found.keep(&own);
        Ok(())
    }

    fn find_prints(&self, prints: &[u32], pages: &mut PageSet, fetch: &Fetch<'_>) -> Result<()> {
        let whole = match prints.len() > BUCKETS_MAX {
            true => Some(fetch(Part::Prints, 0..self.prints.size())?),
            false => None,
        };
        for print in prints {
            let range = self.prints.range_of(*print);
            match &whole {
                Some(bytes) => {
                    let bucket = bytes.get(range.start as usize..range.end as usize).ok_or_else(|| damaged("fingerprints"))?;
                    self.prints.find(*print, bucket, pages)?;
                }
                None if range.is_empty() => {}
                None => self.prints.find(*print, &fetch(Part::Prints, range)?, pages)?,
            }
        }
        Ok(())
    }
}

/// Whether a piece may lie inside of an identifier of a page, or be one that has no fingerprint.
fn may_be_inside(piece: &Piece<'_>, letters: Letters, summary: Summary) -> bool {
    let (size, kind, is_whole) = (piece.text.len(), kind::kind_of(piece.marks), piece.begins && piece.ends);
    // The kinds that this one may be a part of.
    let is_longer = |longest: &u8| usize::from(*longest) > size || usize::from(*longest) == LENGTH_MAX;
    if !is_whole && letters.may_be_in(summary.letters) && summary.longest[kind..KINDS].iter().any(is_longer) {
        return true;
    }
    let is_uuid = if is_whole { size == UUID_MIDDLE || size == UUID_HEAD } else { size <= UUID_HEAD };
    summary.has_uuids && kind < KINDS - 1 && is_uuid
}

fn are_joined(text: &[u8], words: &[Word]) -> bool {
    words.windows(2).all(|pair| pair[0].end + 1 == pair[1].start && text[pair[0].end] == b'.')
}

/// The numbers up to 255 that a piece of one may be a part of, with digits where `join` puts them.
fn octets(piece: &[u8], is_whole: bool, join: impl Fn(&[u8], &[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut found = vec![piece.to_vec()];
    if !is_whole {
        let one = (0..10).map(|digit| vec![b'0' + digit]);
        let two = (0..100).map(|number| vec![b'0' + number / 10, b'0' + number % 10]);
        found.extend(one.chain(two).map(|digits| join(&digits, piece)).filter(|octet| kind::is_octet(octet)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_octet_is_a_part_of_few() {
        let before = |piece: &[u8], is_whole| octets(piece, is_whole, |digits, own| [digits, own].concat()).len();
        assert_eq!((before(b"10", true), before(b"10", false), before(b"200", false)), (1, 4, 1));
        assert_eq!(octets(b"25", false, |digits, own| [own, digits].concat()).len(), 7);
    }
}
