//! The labels of one record while it goes through a pipeline: a small vector of places in one text, both used again for the
//! next record, so that a record costs no allocation.

use std::ops::Range;

use super::hints::Hints;

/// What a parser could not read is marked by this label.
pub const ERROR_LABEL: &str = "__error__";
/// Why.
pub const ERROR_DETAILS_LABEL: &str = "__error_details__";
/// Set beside an error that the query looks at itself, so that it does not fail for it.
pub const PRESERVE_ERROR_LABEL: &str = "__preserve_error__";

/// What is put behind the name of a label that a stream or a record has already.
const DUPLICATE_SUFFIX: &str = "_extracted";

/// Where a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Of the stream.
    Stream,
    /// Of the record: structured metadata.
    Metadata,
    /// Of a stage of the query.
    Parsed,
}

#[derive(Debug, Clone)]
struct Entry {
    name: Range<usize>,
    value: Range<usize>,
    category: Category,
}

/// Labels of one record. Each name is there once.
#[derive(Debug, Default)]
pub struct LabelSet {
    /// All names and values; first those of the stream, which stay from record to record.
    text: String,
    /// Labels of the stream. They count for clashes of names also after a stage took them away.
    stream: Vec<Entry>,
    stream_bytes: usize,
    entries: Vec<Entry>,
    /// Parsed labels that a stage took away: no parser brings them back.
    removed: Vec<Range<usize>>,
    error: Option<Range<usize>>,
    details: Option<Range<usize>>,
    pub(super) hints: Hints,
    /// Which of the required labels are there.
    found: Vec<bool>,
}

impl LabelSet {
    pub(super) fn new(hints: Hints) -> Self {
        Self { found: vec![false; hints.required().len()], hints, ..Self::default() }
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        match name {
            ERROR_LABEL => self.error(),
            ERROR_DETAILS_LABEL => self.details.clone().map(|details| &self.text[details]),
            _ => self.entries.iter().find(|entry| self.is(&entry.name, name)).map(|entry| &self.text[entry.value.clone()]),
        }
    }

    /// All labels with their categories, errors last, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Category)> {
        let entries = self.entries.iter().map(|entry| (&self.text[entry.name.clone()], &self.text[entry.value.clone()], entry.category));
        let errors = [(ERROR_LABEL, &self.error), (ERROR_DETAILS_LABEL, &self.details)];
        entries.chain(errors.into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, &self.text[value], Category::Parsed))))
    }

    /// All labels, sorted by name.
    pub fn sorted(&self) -> Vec<(&str, &str, Category)> {
        let mut labels: Vec<_> = self.iter().collect();
        labels.sort_unstable_by_key(|(name, ..)| *name);
        labels
    }

    /// What went wrong, if something did.
    pub fn error(&self) -> Option<&str> {
        self.error.clone().map(|error| &self.text[error])
    }

    fn is(&self, place: &Range<usize>, name: &str) -> bool {
        self.text.as_bytes()[place.clone()] == *name.as_bytes()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| self.is(&entry.name, name))
    }

    fn push_text(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    /// Another stream.
    pub(super) fn begin_stream<'a>(&mut self, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.text.clear();
        self.stream.clear();
        for (name, value) in labels {
            // An empty label is none.
            if !value.is_empty() {
                let (name, value) = (self.push_text(name), self.push_text(value));
                self.stream.push(Entry { name, value, category: Category::Stream });
            }
        }
        self.stream_bytes = self.text.len();
    }

    /// Another record of the stream.
    pub(super) fn begin_record<'a>(&mut self, metadata: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.text.truncate(self.stream_bytes);
        self.entries.clone_from(&self.stream);
        self.removed.clear();
        (self.error, self.details) = (None, None);
        self.found.fill(false);
        for (name, value) in metadata {
            match name {
                ERROR_LABEL => self.error = Some(self.push_text(value)),
                ERROR_DETAILS_LABEL => self.details = Some(self.push_text(value)),
                _ => {
                    let mut place = self.push_text(name);
                    if self.is_of_stream(name) {
                        place.end = self.push_text(DUPLICATE_SUFFIX).end;
                    }
                    let value = self.push_text(value);
                    self.place(place, value, Category::Metadata);
                }
            }
        }
    }

    /// Sets a label whose name and value are in the text.
    fn place(&mut self, name: Range<usize>, value: Range<usize>, category: Category) {
        let bytes = self.text.as_bytes();
        match self.entries.iter_mut().find(|entry| bytes[entry.name.clone()] == bytes[name.clone()]) {
            Some(entry) => (entry.value, entry.category) = (value, category),
            None => self.entries.push(Entry { name, value, category }),
        }
    }

    fn is_of_stream(&self, name: &str) -> bool {
        self.stream.iter().any(|entry| self.is(&entry.name, name))
    }

    /// Whether a stream or a record has a label of this name by itself.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.is_of_stream(name) || self.entries.iter().any(|entry| entry.category == Category::Metadata && self.is(&entry.name, name))
    }

    /// Whether an earlier stage set it.
    fn is_extracted(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.category == Category::Parsed && self.is(&entry.name, name))
            || self.removed.iter().any(|place| self.is(place, name))
    }

    /// What a parser found. It is kept unless nobody needs it or an earlier one was found; the name gives way to labels of
    /// the stream and of the record. `write` appends the value to a text; if it answers no, there is no label.
    pub(super) fn extract(&mut self, name: &str, write: impl FnOnce(&mut String) -> bool) {
        let mut place = self.push_text(name);
        if self.is_taken(name) {
            place.end = self.push_text(DUPLICATE_SUFFIX).end;
        }
        let name = &self.text[place.clone()];
        let value_start = place.end;
        if self.hints.wants(name) && !self.is_extracted(name) && write(&mut self.text) {
            self.set_place(place, value_start..self.text.len());
        } else {
            self.text.truncate(place.start);
        }
    }

    /// What a parser was asked for by name: it is kept in any case, and replaces an earlier one.
    pub(super) fn extract_named(&mut self, name: &str, write: impl FnOnce(&mut String) -> bool) {
        let mut place = self.push_text(name);
        if self.is_taken(name) {
            place.end = self.push_text(DUPLICATE_SUFFIX).end;
        }
        let value_start = place.end;
        if !write(&mut self.text) {
            self.text.truncate(value_start);
        }
        self.set_place(place, value_start..self.text.len());
    }

    /// Sets a label, whatever had the name before.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let (name, value) = (self.push_text(name), self.push_text(value));
        self.set_place(name, value);
    }

    fn set_place(&mut self, name: Range<usize>, value: Range<usize>) {
        let text = &self.text[name.clone()];
        if let Some(index) = self.hints.required().iter().position(|required| required == text) {
            self.found[index] = true;
        }
        self.place(name, value, Category::Parsed);
    }

    /// Gives the value of a label to another name and takes it from the first. Nothing if there is none.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(index) = self.position(from) else { return };
        let value = self.entries[index].value.clone();
        let name = self.push_text(to);
        self.set_place(name, value);
        self.remove(from);
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(index) = self.position(name) {
            let entry = self.entries.remove(index);
            if entry.category == Category::Parsed {
                self.removed.push(entry.name);
            }
        }
    }

    /// Keeps the labels that pass; errors stay.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(&str, &str) -> bool) {
        let (text, removed) = (&self.text, &mut self.removed);
        self.entries.retain(|entry| {
            let name = &text[entry.name.clone()];
            let stays = name == PRESERVE_ERROR_LABEL || is_wanted(name, &text[entry.value.clone()]);
            if !stays && entry.category == Category::Parsed {
                removed.push(entry.name.clone());
            }
            stays
        });
    }

    pub(super) fn set_error(&mut self, error: &str, details: &str) {
        self.error = Some(self.push_text(error));
        self.details = (!details.is_empty()).then(|| self.push_text(details));
    }

    /// An error of a parser, which a query may want to look at.
    pub(super) fn set_parser_error(&mut self, error: &str, details: &str) {
        self.set_error(error, details);
        if self.hints.preserves_errors() {
            self.set(PRESERVE_ERROR_LABEL, "true");
        }
    }

    pub(super) fn clear_error(&mut self) {
        self.error = None;
    }

    pub(super) fn clear_details(&mut self) {
        self.details = None;
    }

    /// Whether parsers have nothing left to find.
    pub(super) fn is_complete(&self) -> bool {
        self.hints.wants_none() || (!self.found.is_empty() && self.found.iter().all(|found| *found))
    }
}
