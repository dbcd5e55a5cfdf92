//! Numbers for texts, of which there may be as many as rows: one memory for all of them.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Texts with numbers from 0 on, in the order in which they came.
#[derive(Debug)]
pub(super) struct Interner {
    text: String,
    /// Where each text ends.
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Default for Interner {
    fn default() -> Self {
        Self { text: String::new(), ends: Vec::new(), numbers: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl Interner {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let Self { text: all, ends, numbers, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(number) = numbers.find(hash, |number| slice(all, ends, *number) == text) {
            return *number;
        }
        let number = ends.len() as u32;
        all.push_str(text);
        ends.push(all.len());
        numbers.insert_unique(hash, number, |number| hasher.hash_one(slice(all, ends, *number)));
        number
    }

    /// Forgets all texts; their memory is used again.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.numbers.clear();
    }

    /// The text of a number.
    pub(super) fn get(&self, number: u32) -> &str {
        slice(&self.text, &self.ends, number)
    }

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> u64 {
        (self.text.capacity() + size_of::<usize>() * self.ends.capacity() + 5 * self.numbers.capacity()) as u64
    }
}

fn slice<'a>(all: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    ends.get(number).and_then(|end| all.get(start..*end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_and_keep_it() {
        let mut interner = Interner::default();
        let texts: Vec<String> = (0..5_000).map(|number| "ä".repeat(number % 3) + &(number % 1_234).to_string()).collect();
        let numbers: Vec<u32> = texts.iter().map(|text| interner.number(text)).collect();
        let distinct: std::collections::HashSet<&String> = texts.iter().collect();
        assert_eq!(interner.len(), distinct.len());
        for (text, number) in texts.iter().zip(&numbers) {
            assert_eq!((interner.number(text), interner.get(*number)), (*number, text.as_str()));
        }
        let empty = interner.number("");
        assert_eq!(interner.get(empty), "");
        interner.clear();
        assert_eq!((interner.len(), interner.get(0)), (0, ""));
        assert_eq!((interner.number("new"), interner.number("newer"), interner.number("new")), (0, 1, 0));
    }
}
