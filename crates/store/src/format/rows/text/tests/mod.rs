//! The index of text against a plain look at every row, and against hostile bytes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod corpus;
mod hostile;
mod pieces;

use std::collections::BTreeSet;

use arrow::record_batch::RecordBatch;
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Phrase, TextFilter};

use super::builder::PAGE_ROWS;
use super::*;
use corpus::Random;

/// A row: its body and the values of its attributes.
type Row = (String, Vec<String>);

/// An index and the rows that it is of.
struct Indexed {
    rows: Vec<Row>,
    parts: Encoded,
    index: TextIndex,
}

fn batch(rows: &[Row]) -> RecordBatch {
    let mut builder = LogBuilder::default();
    builder.set_resource("{\"service.name\":\"resources are not searched\"}", "service");
    for (body, values) in rows {
        values.iter().zip(0..).for_each(|(value, number)| builder.attributes().append_string(&format!("key.{number}"), value));
        builder.close_row(&LogRow { body: (!body.is_empty()).then_some(body), ..LogRow::default() });
    }
    builder.finish().into_rows()
}

impl Indexed {
    fn new(rows: Vec<Row>) -> Self {
        let mut builder = TextBuilder::default();
        // Batches need not end where pages do.
        rows.chunks(100).for_each(|rows| builder.push(&batch(rows)).unwrap());
        let parts = builder.finish();
        let index = TextIndex::decode(&parts.index, rows.len() as u64).unwrap();
        Self { rows, parts, index }
    }

    fn find(&self, filter: &TextFilter) -> BTreeSet<u32> {
        let part = |part| if part == Part::Prints { &self.parts.prints } else { &self.parts.grams };
        let fetch = |name, range: std::ops::Range<u64>| Ok(part(name).slice(range.start as usize..range.end as usize));
        self.index.find(filter, &fetch).unwrap().iter().collect()
    }

    fn find_phrase(&self, phrase: &Phrase) -> BTreeSet<u32> {
        self.find(&TextFilter { clauses: vec![vec![phrase.clone()]] })
    }

    /// The pages that have rows which fit.
    fn want(&self, filter: &TextFilter) -> BTreeSet<u32> {
        let fits = |row: &Row| filter.clauses.iter().all(|clause| clause.iter().any(|phrase| has(row, phrase)));
        self.rows.iter().enumerate().filter(|(_, row)| fits(row)).map(|(row, _)| (row / PAGE_ROWS) as u32).collect()
    }

    /// All pages that hold what fits are found.
    fn check(&self, filter: &TextFilter) -> (usize, usize) {
        let (want, found) = (self.want(filter), self.find(filter));
        assert!(want.is_subset(&found), "{filter:?}: {found:?} of {want:?}");
        (want.len(), found.len())
    }
}

fn has((body, values): &Row, phrase: &Phrase) -> bool {
    values.iter().chain([body]).any(|text| text_has(text, phrase))
}

fn text_has(text: &str, phrase: &Phrase) -> bool {
    let is_word = |character: char| character == '_' || character.is_alphanumeric();
    let (text, wanted) = match phrase.is_case_sensitive {
        true => (text.to_owned(), phrase.text.clone()),
        false => (text.to_ascii_lowercase(), phrase.text.to_ascii_lowercase()),
    };
    let fits = |at: usize| {
        let (before, behind) = (text[..at].chars().next_back(), text[at + wanted.len()..].chars().next());
        (!phrase.starts_word || !before.is_some_and(is_word)) && (!phrase.ends_word || !behind.is_some_and(is_word))
    };
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(&wanted)).map(|at| from + at) {
        if fits(at) {
            return true;
        }
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
    }
    false
}

fn phrase(text: &str) -> Phrase {
    Phrase::anywhere(text)
}

#[test]
fn no_row_that_fits_is_on_a_page_that_is_passed_over() {
    for seed in 1..6 {
        let mut random = Random(seed * 7919);
        let indexed = Indexed::new((0..1500).map(|_| random.row()).collect());
        for _ in 0..200 {
            let filter = random.filter(&indexed.rows);
            indexed.check(&filter);
        }
    }
}

/// More words than the dictionary takes: later ones are found as identifiers are.
#[test]
fn words_without_a_place_are_found() {
    let mut random = Random(11);
    let mut rows: Vec<Row> = (0..2000).map(|_| (format!("{} {}", random.letters(9), random.letters(5)), Vec::new())).collect();
    rows.extend((0..500).map(|_| random.row()));
    let indexed = Indexed::new(rows);
    assert_eq!(indexed.index.words.len(), 1 << 10);
    for _ in 0..200 {
        let filter = random.filter(&indexed.rows);
        indexed.check(&filter);
    }
    let (mut want, mut found, mut pieces) = (0, 0, 0);
    for row in (0..2000).step_by(7) {
        let word = indexed.rows[row].0[..9].to_owned();
        let (own, all) = indexed.check(&TextFilter { clauses: vec![vec![Phrase::whole(word.as_str())]] });
        (want, found) = (want + own, found + all);
        let (_, all) = indexed.check(&TextFilter { clauses: vec![vec![phrase(&word[1..])]] });
        pieces += all;
    }
    // A look-up in 50 finds another's page.
    assert!(found <= want + want / 25, "{found} pages for {want}");
    assert!(pieces <= want * 4, "{pieces} pages of pieces for {want}");
}

#[test]
fn filters_are_all_of_some_phrases() {
    let rows: Vec<Row> =
        (0..PAGE_ROWS * 4).map(|row| (format!("page number{} of four", ["One", "Two", "Three", "Four"][row / PAGE_ROWS]), Vec::new())).collect();
    let indexed = Indexed::new(rows);
    let of =
        |clauses: &[&[&str]]| indexed.find(&TextFilter { clauses: clauses.iter().map(|clause| clause.iter().map(|text| phrase(text)).collect()).collect() });
    assert_eq!(of(&[]), BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(of(&[&[]]), BTreeSet::new());
    assert_eq!(of(&[&["numberOne", "Three"]]), BTreeSet::from([0, 2]));
    assert_eq!(of(&[&["One", "Three"], &["Three", "Four"], &["page"]]), BTreeSet::from([2]));
    assert_eq!(of(&[&["One"], &["Two"]]), BTreeSet::new());
    assert_eq!(of(&[&["ee of f"]]), BTreeSet::from([2]));
    assert_eq!(of(&[&[""]]), BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(of(&[&[" / "]]), BTreeSet::from([0, 1, 2, 3]), "what is no word is not looked for");
    assert_eq!(indexed.find_phrase(&Phrase { is_case_sensitive: false, ..phrase("NUMBERtwo") }), BTreeSet::from([1]));
    assert_eq!(indexed.find_phrase(&Phrase { starts_word: true, ..phrase("Two") }), BTreeSet::new());
    assert_eq!(indexed.find_phrase(&Phrase { ends_word: true, ..phrase("Two") }), BTreeSet::from([1]));
}

#[test]
fn rows_without_text_have_none() {
    let indexed = Indexed::new(vec![(String::new(), Vec::new()); 600]);
    assert_eq!(indexed.find_phrase(&phrase("a")), BTreeSet::new());
    assert_eq!(indexed.find_phrase(&phrase("not searched")), BTreeSet::new());
    assert!(indexed.parts.grams.is_empty() && indexed.parts.prints.is_empty() && indexed.parts.index.len() < 100);
    let none = TextBuilder::default().finish();
    assert_eq!(
        TextIndex::decode(&none.index, 0).unwrap().find(&TextFilter { clauses: vec![vec![phrase("a")]] }, &|_, _| Err(damaged("test"))).unwrap().count(),
        0
    );
}
