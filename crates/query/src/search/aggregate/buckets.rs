//! The buckets of one node, by the bucket of the parent and a key; and the distinct values that are keys of terms.

use std::collections::HashMap;
use std::sync::Arc;

/// A row of a batch and the bucket of the parent that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) row: usize,
    pub(super) bucket: u32,
}

/// A bucket that has records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: i64,
    pub(super) count: u64,
}

/// Buckets, numbered as they are found.
#[derive(Debug, Default)]
pub(super) struct BucketSet {
    numbers: HashMap<(u32, i64), u32>,
    entries: Vec<Entry>,
    /// The bucket found last: rows of one bucket often follow each other.
    last: Option<((u32, i64), u32)>,
}

impl BucketSet {
    /// Counts a record in a bucket; its number.
    pub(super) fn count(&mut self, parent: u32, key: i64) -> u32 {
        let number = match self.last {
            Some((known, number)) if known == (parent, key) => number,
            _ => {
                let next = u32::try_from(self.entries.len()).unwrap_or(u32::MAX - 1);
                let number = *self.numbers.entry((parent, key)).or_insert(next);
                if number == next && self.entries.len() == next as usize {
                    self.entries.push(Entry { key, count: 0 });
                }
                self.last = Some(((parent, key), number));
                number
            }
        };
        if let Some(entry) = self.entries.get_mut(number as usize) {
            entry.count += 1;
        }
        number
    }

    pub(super) fn entry(&self, number: u32) -> Entry {
        self.entries[number as usize]
    }

    /// The number of a bucket, if it has records.
    pub(super) fn number(&self, parent: u32, key: i64) -> Option<u32> {
        self.numbers.get(&(parent, key)).copied()
    }

    /// Numbers of the buckets by their parent, in no order.
    pub(super) fn by_parent(&self) -> HashMap<u32, Vec<u32>> {
        let mut by_parent: HashMap<u32, Vec<u32>> = HashMap::new();
        for ((parent, _), number) in &self.numbers {
            by_parent.entry(*parent).or_default().push(*number);
        }
        by_parent
    }

    /// About how many bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.numbers.capacity() * 24 + self.entries.capacity() * 16
    }
}

/// Distinct values, numbered as they are found.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    numbers: HashMap<Arc<str>, u32>,
    values: Vec<(Arc<str>, char)>,
    bytes: usize,
}

impl Dictionary {
    /// The number of a value; the type is that of the first of its text.
    pub(super) fn number(&mut self, text: &str, letter: char) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let text: Arc<str> = text.into();
        self.bytes += text.len() + 96;
        self.numbers.insert(Arc::clone(&text), number);
        self.values.push((text, letter));
        number
    }

    /// The text and the type of a value.
    pub(super) fn value(&self, number: i64) -> (&str, char) {
        usize::try_from(number).ok().and_then(|number| self.values.get(number)).map_or(("", 's'), |(text, letter)| (text, *letter))
    }

    /// About how many bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.bytes
    }
}
