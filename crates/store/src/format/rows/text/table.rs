//! Words as they are written: each once, with the pages it is on. And what was seen a moment ago.

use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Words of a segment at most. A segment of a million rows has some thousands; where there are more, each look-up would search
/// long. What comes later is treated as identifiers are.
const WORDS_MAX: usize = if cfg!(test) { 1 << 10 } else { 32 << 10 };
/// Bytes of all words at most.
const TEXT_BYTES_MAX: usize = 512 << 10;

/// Words with their pages.
#[derive(Debug, Default)]
pub(super) struct WordTable {
    text: Vec<u8>,
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Bits of the words on the page.
    current: Vec<u64>,
    /// Of each page before it, as long as there were words then.
    pages: Vec<Box<[u64]>>,
}

impl WordTable {
    /// Notes a word of the page; `false` if there is no place for another one.
    #[inline]
    pub(super) fn push(&mut self, word: &[u8]) -> bool {
        let hash = hash(&self.hasher, word);
        let (text, ends) = (&self.text, &self.ends);
        let number = match self.table.find(hash, |number| at(text, ends, *number) == word) {
            Some(number) => *number,
            None => match self.insert(hash, word) {
                Some(number) => number,
                None => return false,
            },
        };
        self.current[number as usize / 64] |= 1 << (number % 64);
        true
    }

    #[cold]
    fn insert(&mut self, hash: u64, word: &[u8]) -> Option<u32> {
        if self.ends.len() == WORDS_MAX || self.text.len() + word.len() > TEXT_BYTES_MAX {
            return None;
        }
        let number = self.ends.len() as u32;
        self.text.extend_from_slice(word);
        self.ends.push(self.text.len() as u32);
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, number, |number| self::hash(hasher, at(text, ends, *number)));
        self.current.resize(self.ends.len().div_ceil(64), 0);
        Some(number)
    }

    pub(super) fn end_page(&mut self) {
        self.pages.push(self.current.as_slice().into());
        self.current.fill(0);
    }

    /// The words, ascending, with their numbers.
    pub(super) fn sorted(&self) -> Vec<(&[u8], u32)> {
        let mut words: Vec<(&[u8], u32)> = (0..self.ends.len() as u32).map(|number| (at(&self.text, &self.ends, number), number)).collect();
        words.sort_unstable();
        words
    }

    /// The pages of a word.
    pub(super) fn pages_of(&self, number: u32) -> impl Iterator<Item = u32> + '_ {
        let (word, bit) = (number as usize / 64, number % 64);
        let is_on = move |page: &[u64]| page.get(word).is_some_and(|bits| bits >> bit & 1 == 1);
        self.pages.iter().zip(0..).filter(move |(page, _)| is_on(page)).map(|(_, page)| page)
    }
}

fn hash(hasher: &DefaultHashBuilder, word: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(word);
    hasher.finish()
}

fn at<'a>(text: &'a [u8], ends: &[u32], number: u32) -> &'a [u8] {
    let number = number as usize;
    let from = number.checked_sub(1).map_or(0, |before| ends[before]);
    &text[from as usize..ends[number] as usize]
}

/// Texts that were seen on the page, as far as they were not displaced by others.
#[derive(Debug, Default)]
pub(super) struct Seen {
    text: Vec<u8>,
    slots: Vec<(u32, u32)>,
    hasher: DefaultHashBuilder,
}

/// Texts that are remembered at most.
const SLOTS: usize = 8 << 10;
/// Bytes of them at most.
const SEEN_BYTES_MAX: usize = 1 << 20;

impl Seen {
    /// Whether a text was seen; it is from now on, for a while.
    #[inline]
    pub(super) fn note(&mut self, text: &[u8]) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, (0, 0));
        }
        let slot = &mut self.slots[hash(&self.hasher, text) as usize % SLOTS];
        if slot.0 < slot.1 && self.text[slot.0 as usize..slot.1 as usize] == *text {
            return true;
        }
        if self.text.len() + text.len() <= SEEN_BYTES_MAX {
            let from = self.text.len() as u32;
            self.text.extend_from_slice(text);
            *slot = (from, self.text.len() as u32);
        }
        false
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.slots.fill((0, 0));
    }
}
