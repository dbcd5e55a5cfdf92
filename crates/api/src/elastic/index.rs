//! Names of indices: which records they hold.

use signalbox_lang::search::Piece;
use signalbox_model::attributes::AttributeValue;
use signalbox_query::rows::LogRecord;
use signalbox_query::search::{Condition, Field, Filter};

use super::refusal::{Refusal, Result};

/// The attribute that says where a document was sent.
pub(super) const INDEX: &str = "_index";
/// What the names of indices of other records begin with.
const PREFIX: &str = "logs-";
/// The index of everything.
pub(super) const ALL: &str = "logs";
/// The service of records without one.
const UNKNOWN: &str = "unknown_service";
/// Pieces of a pattern of names: texts and wildcards.
const PIECES_MAX: usize = 32;
/// Names in one list.
const NAMES_MAX: usize = 1_024;

/// The index that a record is in.
pub(super) fn of(record: &LogRecord) -> String {
    match record.attributes.iter().find(|(name, _)| name == INDEX) {
        Some((_, AttributeValue::String(index))) => index.clone(),
        _ => format!("{PREFIX}{}", service(record)),
    }
}

fn service(record: &LogRecord) -> String {
    record.resource.get("service.name").map(AttributeValue::to_text).filter(|service| !service.is_empty()).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// What records of these indices hold.
pub(super) fn filter(names: &str) -> Result<Filter> {
    let (mut within, mut without) = (Vec::new(), Vec::new());
    let mut names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > NAMES_MAX {
        return Err(Refusal::illegal(format!("more than {NAMES_MAX} indices")));
    }
    if names.is_empty() {
        names.push(ALL);
    }
    for (position, name) in names.iter().enumerate() {
        if name.starts_with(['_', '+']) && *name != "_all" {
            return Err(Refusal::illegal(format!("Invalid index name [{name}], must not start with '_', '-', or '+'")));
        }
        match name.strip_prefix('-') {
            Some(name) if position > 0 => without.push(one(name).negated()),
            Some(_) => return Err(Refusal::no_index(name)),
            None => within.push(one(name)),
        }
    }
    without.push(Filter::any_of(within));
    Ok(Filter::all_of(without))
}

fn one(name: &str) -> Filter {
    if holds_all(name) {
        return Filter::All;
    }
    let field = || Field::Own(INDEX.to_owned());
    let (sent, own) = if name.contains('*') {
        (Condition::Wildcard(pieces(name)), other(name))
    } else {
        (Condition::OneOf(vec![name.to_owned()]), name.strip_prefix(PREFIX).map(of_service))
    };
    let sent = Filter::Field(field(), sent);
    match own {
        None => sent,
        Some(own) => Filter::any_of([sent, Filter::all_of([own, Filter::Field(field(), Condition::Exists).negated()])]),
    }
}

/// Whether a name stands for everything: it is [`ALL`], or all that begins with [`PREFIX`] fits it.
fn holds_all(name: &str) -> bool {
    matches!(name, "_all" | ALL) || name.strip_suffix('*').is_some_and(|start| !start.contains('*') && PREFIX.starts_with(start))
}

/// Records that were not sent to an index, whose service fits the rest of the pattern.
fn other(pattern: &str) -> Option<Filter> {
    let rest = pattern.strip_prefix(PREFIX)?;
    let named = Filter::Field(Field::Service, Condition::Wildcard(pieces(rest)));
    let is_unknown = rest.strip_suffix('*').is_some_and(|start| UNKNOWN.starts_with(start));
    Some(if is_unknown { Filter::any_of([named, Filter::Field(Field::Service, Condition::Exists).negated()]) } else { named })
}

fn of_service(service: &str) -> Filter {
    if service == UNKNOWN {
        return Filter::any_of([
            Filter::Field(Field::Service, Condition::OneOf(vec![service.to_owned()])),
            Filter::Field(Field::Service, Condition::Exists).negated(),
        ]);
    }
    Filter::Field(Field::Service, Condition::OneOf(vec![service.to_owned()]))
}

/// A filter in which `_index` is what a record says, or what it is called by its service.
pub(super) fn located(filter: Filter) -> Result<Filter> {
    Ok(match filter {
        Filter::And(filters) => Filter::all_of(filters.into_iter().map(located).collect::<Result<Vec<_>>>()?),
        Filter::Or(filters) => Filter::any_of(filters.into_iter().map(located).collect::<Result<Vec<_>>>()?),
        Filter::Not(inner) => located(*inner)?.negated(),
        Filter::Field(Field::Attribute(name) | Field::Own(name), condition) if name == INDEX => named(&condition)?,
        other => other,
    })
}

fn named(condition: &Condition) -> Result<Filter> {
    match condition {
        // Each record is in one.
        Condition::Exists => Ok(Filter::All),
        Condition::OneOf(names) => Ok(Filter::any_of(names.iter().map(|name| one(name)))),
        Condition::Text(name) => Ok(one(name)),
        Condition::Wildcard(pieces) if pieces.len() > PIECES_MAX => Err(Refusal::illegal(format!("more than {PIECES_MAX} pieces in a pattern of [{INDEX}]"))),
        Condition::Wildcard(pieces) => Ok(like(pieces)),
        _ => Err(Refusal::illegal(format!("field [{INDEX}] is searched by name, by prefix and by wildcards only"))),
    }
}

fn like(wanted: &[Piece]) -> Filter {
    let sent = Filter::Field(Field::Own(INDEX.to_owned()), Condition::Wildcard(wanted.to_vec()));
    let service = |rest: Vec<Piece>| match rest.as_slice() {
        [Piece::Any] => Filter::All,
        _ => {
            let is_unknown = fits(&rest, UNKNOWN);
            let known = Filter::Field(Field::Service, Condition::Wildcard(rest));
            if is_unknown { Filter::any_of([known, Filter::Field(Field::Service, Condition::Exists).negated()]) } else { known }
        }
    };
    let own = Filter::any_of(beyond(wanted, PREFIX).into_iter().map(service));
    Filter::any_of([sent, Filter::all_of([own, Filter::Field(Field::Own(INDEX.to_owned()), Condition::Exists).negated()])])
}

/// What is left of a pattern after a text that begins like it: one of these, each an end of the pattern.
fn beyond(pattern: &[Piece], text: &str) -> Vec<Vec<Piece>> {
    let mut rests = vec![pattern.to_vec()];
    for character in text.chars() {
        let mut next: Vec<Vec<Piece>> = Vec::new();
        for rest in rests.iter().flat_map(|rest| after(rest, character)) {
            if !next.contains(&rest) {
                next.push(rest);
            }
        }
        rests = next;
    }
    rests
}

/// What is left of a pattern after a character: `*` may end before it or go on.
fn after(pattern: &[Piece], character: char) -> Vec<Vec<Piece>> {
    match pattern.split_first() {
        None => Vec::new(),
        Some((Piece::Any, rest)) => {
            let mut left = vec![pattern.to_vec()];
            left.extend(after(rest, character));
            left
        }
        Some((Piece::One, rest)) => vec![rest.to_vec()],
        Some((Piece::Text(text), rest)) => {
            let mut characters = text.chars();
            if !characters.next().is_some_and(|first| first.eq_ignore_ascii_case(&character)) {
                return Vec::new();
            }
            let text = characters.as_str();
            let left = (!text.is_empty()).then(|| Piece::Text(text.to_owned()));
            vec![left.into_iter().chain(rest.iter().cloned()).collect()]
        }
    }
}

/// Whether a text is like a pattern.
fn fits(pattern: &[Piece], text: &str) -> bool {
    beyond(pattern, text).iter().any(|rest| rest.iter().all(|piece| *piece == Piece::Any))
}

/// A pattern of `*` and, if it is one of values, `?`.
pub(super) fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (position, text) in pattern.split('*').enumerate() {
        if position > 0 && pieces.last() != Some(&Piece::Any) {
            pieces.push(Piece::Any);
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_followed_character_by_character() {
        let pieces = |text: &str| pieces(text);
        for (pattern, text, want) in [
            ("logs-c*", "logs-cart", true),
            ("*-cart", "logs-cart", true),
            ("*o*-*t", "logs-cart", true),
            ("logs", "logs-cart", false),
            ("*", "", true),
            ("LOGS-cart", "logs-cart", true),
            ("*x*", "logs-cart", false),
        ] {
            assert_eq!(fits(&pieces(pattern), text), want, "{pattern} {text}");
        }
        assert!(fits(&[Piece::One, Piece::Text("ogs".into()), Piece::Any], "logs-cart"));
        assert_eq!(after(&pieces("*gs"), 'g'), [pieces("*gs"), pieces("s")]);
    }
}
