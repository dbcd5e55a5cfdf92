//! A filter, asked of one record in the plainest way.

use signalbox_lang::search::Piece;
use signalbox_model::attributes::AttributeValue;
use signalbox_query::rows::LogRecord;
use signalbox_query::search::{Condition, Field, Filter};

pub(crate) fn fits(filter: &Filter, record: &LogRecord) -> bool {
    match filter {
        Filter::All => true,
        Filter::Nothing => false,
        Filter::And(filters) => filters.iter().all(|filter| fits(filter, record)),
        Filter::Or(filters) => filters.iter().any(|filter| fits(filter, record)),
        Filter::Not(inner) => !fits(inner, record),
        Filter::Field(Field::Any, condition) => {
            let mut values = vec![text(record.line.clone().unwrap_or_default())];
            values.extend(some(&record.event_name));
            values.extend(record.attributes.iter().map(|(_, value)| (value.to_text(), value.letter())));
            values.iter().any(|value| holds(&Field::Any, condition, value))
        }
        Filter::Field(field, condition) => values(field, record).iter().any(|value| holds(field, condition, value)),
    }
}

type Value = (String, char);

fn text(text: String) -> Value {
    (text, 's')
}

fn some(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| (text.to_owned(), 's'))
}

pub(crate) fn values(field: &Field, record: &LogRecord) -> Vec<Value> {
    let number = |number: i64| if number == 0 { None } else { Some((number.to_string(), 'i')) };
    let of = |attributes: &[(String, AttributeValue)], name: &str| {
        let found = attributes.iter().find(|(key, _)| key == name || key.replace('.', "_") == name);
        found.map(|(_, value)| match value {
            AttributeValue::Array(items) => items.iter().map(|item| (item.to_text(), item.letter())).collect(),
            value => vec![(value.to_text(), value.letter())],
        })
    };
    let one = |value: Option<Value>| value.into_iter().collect();
    match field {
        Field::Any => Vec::new(),
        Field::Timestamp => vec![(record.timestamp_ns.to_string(), 'i')],
        Field::ObservedTimestamp => one(record.observed_timestamp_ns.map(|time| (time.to_string(), 'i'))),
        Field::Sequence => vec![(record.sequence.to_string(), 'i')],
        Field::Body => one(record.line.clone().map(text)),
        Field::Pattern => one(some(&record.line.as_deref().map(signalbox_model::pattern::of).unwrap_or_default())),
        Field::Level => vec![text(record.level())],
        Field::SeverityNumber => one(number(record.severity_number.into())),
        Field::SeverityText => one(some(&record.severity_text)),
        Field::EventName => one(some(&record.event_name)),
        Field::Service => of(&record.resource.attributes, "service.name").unwrap_or_default(),
        Field::TraceId => one(record.trace_id.map(|id| text(id.to_string()))),
        Field::SpanId => one(record.span_id.map(|id| text(id.to_string()))),
        Field::Flags => one(number(record.flags.into())),
        Field::ScopeName => one(some(&record.scope.name)),
        Field::ScopeVersion => one(some(&record.scope.version)),
        Field::Scope(name) => of(&record.scope.attributes, name).unwrap_or_default(),
        Field::Resource(name) => of(&record.resource.attributes, name).unwrap_or_default(),
        Field::Own(name) => of(&record.attributes, name).unwrap_or_default(),
        Field::Attribute(name) => of(&record.resource.attributes, name).or_else(|| of(&record.attributes, name)).unwrap_or_default(),
    }
}

fn holds(field: &Field, condition: &Condition, (value, letter): &Value) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let lower = value.to_lowercase();
    let equals = |wanted: &str| {
        let is_number = matches!(letter, 'i' | 'd') && number(wanted).is_some() && number(wanted) == number(value);
        is_number || if *field == Field::Service { wanted == value } else { wanted.to_lowercase() == lower }
    };
    match condition {
        Condition::Exists => true,
        Condition::Text(wanted) if field.is_prose() => has_words(&lower, &wanted.to_lowercase()),
        Condition::Text(wanted) => equals(wanted),
        Condition::OneOf(wanted) if field.is_prose() => wanted.iter().any(|wanted| has_words(&lower, &wanted.to_lowercase())),
        Condition::OneOf(wanted) => wanted.iter().any(|wanted| (wanted == value) || (matches!(letter, 'i' | 'd') && equals(wanted))),
        Condition::Wildcard(pieces) if field.is_prose() => {
            // Any stretch of it without white space that is like the pattern, and whole at its ends where these are text.
            let characters: Vec<char> = lower.chars().collect();
            let is_edge = |piece: Option<&Piece>| matches!(piece, Some(Piece::Text(_)));
            let can_start = |start: &usize| match pieces.first() {
                Some(Piece::Text(piece)) => characters[*start..].starts_with(&piece.to_lowercase().chars().collect::<Vec<_>>()),
                _ => true,
            };
            (0..=characters.len()).filter(can_start).any(|start| {
                (start..=characters.len()).any(|end| {
                    let stretch = &characters[start..end];
                    !stretch.iter().any(|character| character.is_whitespace())
                        && is_like(pieces, stretch)
                        && (!is_edge(pieces.first()) || start == 0 || !is_part(characters[start]) || !is_part(characters[start - 1]))
                        && (!is_edge(pieces.last()) || end == characters.len() || !is_part(characters[end - 1]) || !is_part(characters[end]))
                })
            })
        }
        Condition::Wildcard(pieces) => is_like(pieces, &lower.chars().collect::<Vec<_>>()),
        Condition::Range(bounds) => {
            let compare = |wanted: &str| match number(wanted) {
                Some(wanted) => number(value).and_then(|number| number.partial_cmp(&wanted)),
                None => Some(value.as_str().cmp(wanted)),
            };
            let low =
                bounds.low.as_ref().is_none_or(|(wanted, is_included)| compare(wanted).is_some_and(|order| order.is_gt() || (*is_included && order.is_eq())));
            let high =
                bounds.high.as_ref().is_none_or(|(wanted, is_included)| compare(wanted).is_some_and(|order| order.is_lt() || (*is_included && order.is_eq())));
            low && high
        }
        Condition::Instants(range) => value.parse().is_ok_and(|time| range.contains_ns(time)),
        other => panic!("{other:?}"),
    }
}

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn has_words(text: &str, wanted: &str) -> bool {
    let starts = wanted.chars().next().is_some_and(is_part);
    let ends = wanted.chars().next_back().is_some_and(is_part);
    (0..text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| {
        text[at..].starts_with(wanted)
            && (!starts || !text[..at].chars().next_back().is_some_and(is_part))
            && (!ends || !text[at + wanted.len()..].chars().next().is_some_and(is_part))
    })
}

fn is_like(pieces: &[Piece], text: &[char]) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Piece::Any, rest @ ..] => (0..=text.len()).any(|at| is_like(rest, &text[at..])),
        [Piece::One, rest @ ..] => !text.is_empty() && is_like(rest, &text[1..]),
        [Piece::Text(piece), rest @ ..] => {
            let piece: Vec<char> = piece.to_lowercase().chars().collect();
            text.starts_with(&piece) && is_like(rest, &text[piece.len()..])
        }
    }
}
