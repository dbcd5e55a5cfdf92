//! Where in a text what was searched for stands.

use signalbox_lang::search::Piece;

use super::field::Field;
use super::filter::{Condition, Filter};
use super::words::Words;

/// Conditions whose places are looked for; more would take longer than finding the records.
const CONDITIONS_MAX: usize = 64;

/// Finds what a filter looks for.
#[derive(Debug)]
pub struct Highlighter {
    words: Vec<(Field, Words)>,
}

impl Highlighter {
    /// Of a filter, as far as it looks for words. What must not be there is not shown.
    pub fn new(filter: &Filter) -> Self {
        let (mut words, mut open) = (Vec::new(), vec![filter]);
        while let Some(filter) = open.pop() {
            match filter {
                Filter::And(filters) | Filter::Or(filters) => open.extend(filters),
                Filter::Field(field, condition) if words.len() < CONDITIONS_MAX => {
                    words.extend(words_of(condition).into_iter().map(|words| (field.clone(), words)));
                }
                _ => {}
            }
        }
        Self { words }
    }

    /// Whether it looks for anything.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Places in the text of a field, as offsets of bytes, ascending and apart.
    pub fn places(&self, field: &Field, text: &str) -> Vec<(usize, usize)> {
        let is_of = |wanted: &Field| wanted == field || (*wanted == Field::Any && matches!(field, Field::Body | Field::EventName | Field::Own(_)));
        let found = self.words.iter().filter(|(wanted, _)| is_of(wanted));
        let mut places: Vec<(usize, usize)> = found.flat_map(|(_, words)| words.places(text)).collect();
        places.sort_unstable();
        let mut end = 0;
        places.retain(|place| {
            let is_apart = place.0 >= end;
            end = if is_apart { place.1 } else { end };
            is_apart
        });
        places
    }
}

fn words_of(condition: &Condition) -> Vec<Words> {
    let found = match condition {
        Condition::Text(text) => vec![Words::text(text)],
        Condition::OneOf(texts) => texts.iter().map(|text| Words::text(text)).collect(),
        Condition::Sequence(words) => vec![Words::sequence(words)],
        Condition::Wildcard(pieces) if pieces.iter().any(|piece| matches!(piece, Piece::Text(_))) => vec![Words::pattern(pieces)],
        _ => Vec::new(),
    };
    // What cannot be compiled was refused by the search itself.
    found.into_iter().filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_looked_for_and_not_what_must_not_be_there() {
        let word = |text: &str| Filter::Field(Field::Any, Condition::Text(text.to_owned()));
        let filter = Filter::all_of([word("timed out"), word("out"), Filter::any_of([word("b"), word("c")]), word("no").negated()]);
        let highlighter = Highlighter::new(&filter);
        assert_eq!(highlighter.places(&Field::Body, "it timed out, no B out"), [(3, 12), (17, 18), (19, 22)]);
        assert!(highlighter.places(&Field::Service, "out").is_empty());
    }
}
