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
