//! What a filter says about every record that fits, so that a scan reads less: the time, the services, the trace, and text
//! that each record holds.

use signalbox_model::{Phrase, TextFilter, TimeRange, TraceId};
use signalbox_store::ScanRequest;

use super::field::Field;
use super::filter::{Condition, Filter};
use super::words::{phrase, phrases};

/// Phrases in one clause; a longer list of values costs more than it spares.
const PHRASES_MAX: usize = 64;

/// What every record that fits holds.
#[derive(Debug, Clone)]
pub(crate) struct Narrow {
    range: TimeRange,
    trace_id: Option<TraceId>,
    services: Option<Vec<String>>,
    text: TextFilter,
}

impl Narrow {
    pub(crate) fn of(filter: &Filter) -> Self {
        let mut narrow = Self { range: TimeRange::ALL, trace_id: None, services: None, text: TextFilter::default() };
        narrow.add(filter);
        narrow
    }

    /// Instants outside of which nothing fits.
    pub(crate) fn range(&self) -> TimeRange {
        self.range
    }

    /// Narrows a scan.
    pub(crate) fn apply(&self, scan: &mut ScanRequest) {
        scan.range = TimeRange::from_ns(scan.range.start_ns.max(self.range.start_ns), scan.range.end_ns.min(self.range.end_ns));
        scan.trace_id = self.trace_id;
        scan.services = self.services.clone().unwrap_or_default();
        scan.text = self.text.clone();
    }

    fn add(&mut self, filter: &Filter) {
        match filter {
            Filter::And(filters) => filters.iter().for_each(|filter| self.add(filter)),
            Filter::Field(Field::Timestamp, Condition::Instants(range)) => {
                self.range = TimeRange::from_ns(self.range.start_ns.max(range.start_ns), self.range.end_ns.min(range.end_ns));
            }
            Filter::Field(Field::TraceId, Condition::OneOf(_) | Condition::Text(_)) if self.trace_id.is_none() => self.trace_id = trace(filter),
            Filter::Field(Field::Service, _) if self.services.is_none() => self.services = services(filter),
            Filter::Or(filters) => {
                if self.services.is_none() {
                    let each: Option<Vec<Vec<String>>> = filters.iter().map(services).collect();
                    self.services = each.map(|services| services.concat());
                }
                let clauses: Option<Vec<Vec<Phrase>>> = filters.iter().map(any_phrase).collect();
                self.push(clauses.map(|clauses| clauses.concat()).unwrap_or_default());
            }
            Filter::Field(field, condition) => clauses(field, condition).into_iter().for_each(|clause| self.push(clause)),
            Filter::All | Filter::Nothing | Filter::Not(_) => {}
        }
    }

    fn push(&mut self, clause: Vec<Phrase>) {
        if !clause.is_empty() && clause.len() <= PHRASES_MAX {
            self.text.clauses.push(clause);
        }
    }
}

/// The only trace that can fit.
fn trace(filter: &Filter) -> Option<TraceId> {
    let text = match filter {
        Filter::Field(_, Condition::Text(text)) => text,
        Filter::Field(_, Condition::OneOf(texts)) if texts.len() == 1 => &texts[0],
        _ => return None,
    };
    // A short form is another text than what is compared.
    TraceId::from_hex(text).filter(|_| text.len() == 2 * TraceId::LEN)
}

/// The only services that can fit.
fn services(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Field(Field::Service, Condition::Text(text)) if !text.is_empty() => Some(vec![text.clone()]),
        Filter::Field(Field::Service, Condition::OneOf(texts)) if !texts.is_empty() && texts.iter().all(|text| !text.is_empty()) => Some(texts.clone()),
        Filter::And(filters) => filters.iter().find_map(services),
        _ => None,
    }
}

/// Phrases of which every record that fits holds one.
fn any_phrase(filter: &Filter) -> Option<Vec<Phrase>> {
    match filter {
        Filter::Field(field, condition) => clauses(field, condition).into_iter().next(),
        Filter::And(filters) => filters.iter().find_map(any_phrase),
        Filter::Or(filters) => filters.iter().map(any_phrase).collect::<Option<Vec<_>>>().map(|phrases| phrases.concat()),
        _ => None,
    }
}

/// Whether a condition on a field lets a scan skip pages.
pub(super) fn is_narrowing(field: &Field, condition: &Condition) -> bool {
    !clauses(field, condition).is_empty()
}

/// Lists of phrases: every record that fits holds one of each.
fn clauses(field: &Field, condition: &Condition) -> Vec<Vec<Phrase>> {
    let is_prose = field.is_prose();
    let is_indexed = matches!(field, Field::Any | Field::Body | Field::EventName | Field::Own(_));
    if !is_indexed {
        return Vec::new();
    }
    let one_of = |phrases: Option<Vec<Phrase>>| phrases.into_iter().filter(|phrases| !phrases.is_empty()).collect();
    let whole = |text: &String| if is_prose { phrase(text) } else { value(text) };
    match condition {
        Condition::Text(text) => one_of(whole(text).map(|phrase| vec![phrase])),
        Condition::OneOf(texts) => one_of(texts.iter().map(whole).collect()),
        Condition::Sequence(words) if is_prose => words.iter().filter_map(|word| phrase(word)).map(|phrase| vec![phrase]).collect(),
        Condition::Sequence(words) => one_of(value(&words.join(" ")).map(|phrase| vec![phrase])),
        Condition::Wildcard(pieces) => phrases(pieces)
            .into_iter()
            .filter(|phrase| is_prose || is_plain(&phrase.text))
            .map(|phrase| if is_prose { vec![phrase] } else { vec![Phrase { starts_word: false, ends_word: false, ..phrase }] })
            .collect(),
        _ => Vec::new(),
    }
}

/// What a row holds that has this value among its own attributes.
fn value(text: &str) -> Option<Phrase> {
    // A number fits in other ways than it is written, but for plain integers, which begin all of their ways.
    let is_other_way = super::value::number(text).is_some() && text.parse::<i64>().is_ok_and(|number| number.to_string() == text && text.len() < 16);
    let is_number = super::value::number(text).is_some();
    if (is_number && !is_other_way) || !is_plain(text) {
        return None;
    }
    phrase(text)
}

/// Whether a text is the same in JSON, in which arrays and maps rest.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|character| character < ' ' || matches!(character, '"' | '\\'))
}
