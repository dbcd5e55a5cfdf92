//! The text of a segment: on which pages a word, an identifier or a piece of one may be.
//!
//! Who looks for text mostly looks for what is rare, so almost all pages can be passed over. Words that a program's author
//! wrote are few: they lie in a [`dictionary`] with the pages of each, which also answers pieces of words. Identifiers are many
//! and each is on few pages: of them there are [`prints`], which answer whole ones only. Whether a piece of text may lie inside
//! of a longer identifier is answered page by page: by the lengths of those on it, and by its [`grams`].
//!
//! Answers may name pages that hold nothing; they never leave out one that does. Letters of ASCII are looked at without their
//! case, but for the dictionary. The bytes are described in `FORMAT.md`, and follow from the columns.

mod bits;
mod builder;
mod dictionary;
mod grams;
mod index;
mod kind;
mod lookup;
mod pages;
mod prints;
mod table;

use signalbox_model::{Error, Phrase, Result, TextFilter};

pub(crate) use builder::{Encoded, TextBuilder, is_text};
pub(crate) use index::TextIndex;
pub(crate) use lookup::Part;
pub(crate) use pages::PageSet;

/// Name of the blob of words, and of what describes the other two.
pub(super) const INDEX_BLOB: &str = "text_index";
/// Name of the blob of fingerprints.
pub(super) const PRINTS_BLOB: &str = "text_prints";
/// Name of the blob of grams.
pub(super) const GRAMS_BLOB: &str = "text_grams";

/// Decodes an embedded index of text of a segment of so many rows, asks it for a text, and says on how many pages that may be:
/// for tools that look at files.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Corrupt`] if it is not one.
pub fn check_text_index(index: &[u8], prints: &[u8], grams: &[u8], rows: u64, text: &str) -> Result<u32> {
    let index = TextIndex::decode(index, rows)?;
    let fetch = |part: Part, range: std::ops::Range<u64>| {
        let blob = match part {
            Part::Prints => prints,
            Part::Grams => grams,
        };
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let bytes = range.and_then(|(from, to)| blob.get(from..to)).ok_or_else(|| damaged("index"))?;
        Ok(bytes::Bytes::copy_from_slice(bytes))
    };
    let filter = TextFilter { clauses: vec![vec![Phrase::anywhere(text), Phrase::whole(text)]] };
    Ok(index.find(&filter, &fetch)?.count())
}

fn damaged(what: &str) -> Error {
    Error::corrupt(format!("cannot read the {what} of the text of a segment: it is damaged"))
}

#[cfg(test)]
mod tests;
