//! What rows must hold in their text, for readers that skip pages that cannot; and the words that text is made of.
//!
//! A word is a run of letters, digits and `_` that is as long as it can be; letters and digits of ASCII, and of any other
//! script what Unicode calls alphanumeric. All else stands between words. The index of text and whoever asks it for whole
//! words take words from here, so that they mean the same.

mod words;

pub use words::{Marks, Word, Words, words};

/// A condition over the text of a row: each clause holds if one of its phrases is somewhere in the row. No clause: any row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextFilter {
    /// All of these hold.
    pub clauses: Vec<Vec<Phrase>>,
}

impl TextFilter {
    /// Whether every row fits.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Adds a clause of one phrase.
    pub fn push(&mut self, phrase: Phrase) {
        self.clauses.push(vec![phrase]);
    }
}

/// A piece of text that occurs in a row: in its body, its event name, its name, its status message, or the value of one of its own
/// attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// The text, as it is written there.
    pub text: String,
    /// Whether case counts; if not, ASCII letters of either case fit.
    pub is_case_sensitive: bool,
    /// Whether nothing that is part of a word (see [`words`]) stands before it: it begins the text, or a word of it.
    pub starts_word: bool,
    /// The same at its end.
    pub ends_word: bool,
}

impl Phrase {
    /// Text that may stand anywhere, in the middle of a word too: `|= "text"`.
    pub fn anywhere(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_case_sensitive: true, starts_word: false, ends_word: false }
    }

    /// A whole value: `user_id="42"`; or whole words.
    pub fn whole(text: impl Into<String>) -> Self {
        Self { starts_word: true, ends_word: true, ..Self::anywhere(text) }
    }
}
