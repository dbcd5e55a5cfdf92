//! A set of pages of a segment.

use std::ops::Range;

/// Some of the pages of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageSet {
    words: Box<[u64]>,
    pages: u32,
}

impl PageSet {
    /// None of so many pages.
    pub(crate) fn none(pages: u32) -> Self {
        Self { words: vec![0; pages.div_ceil(64) as usize].into(), pages }
    }

    /// All of so many pages.
    pub(crate) fn all(pages: u32) -> Self {
        let mut set = Self::none(pages);
        (0..pages).for_each(|page| set.insert(page));
        set
    }

    /// Adds a page; one outside is left out.
    pub(crate) fn insert(&mut self, page: u32) {
        if page < self.pages {
            self.words[page as usize / 64] |= 1 << (page % 64);
        }
    }

    pub(crate) fn contains(&self, page: u32) -> bool {
        self.words.get(page as usize / 64).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// Adds the pages of another set of the same segment.
    pub(crate) fn add(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Keeps the pages that another set has too.
    pub(crate) fn keep(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Takes the pages of another set away.
    pub(crate) fn remove(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Pages of the segment, whether in the set or not.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// The pages of the set, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0u32..).flat_map(|(word, at)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(at * 64 + bit)
            })
        })
    }

    /// The rows of the pages: ranges, ascending, neighbours together. A page has so many rows, the last one what is left.
    pub(crate) fn rows(&self, page_rows: u64, rows: u64) -> Vec<Range<u64>> {
        let mut found: Vec<Range<u64>> = Vec::new();
        for page in self.iter() {
            let from = u64::from(page) * page_rows;
            let to = (from + page_rows).min(rows);
            match found.last_mut().filter(|last| last.end == from) {
                Some(last) => last.end = to,
                None => found.push(from..to),
            }
        }
        found
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        8 * self.words.len() + size_of::<Self>()
    }
}
