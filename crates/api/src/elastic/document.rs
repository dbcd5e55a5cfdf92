//! Records as documents.

use serde_json::{Map, Value, json};
use signalbox_model::TimeRange;
use signalbox_model::attributes::AttributeValue;
use signalbox_query::rows::LogRecord;
use signalbox_query::search::{Bounds, Condition, Field, Filter};

use super::index::INDEX;
use crate::native::search::{attribute, time};

/// The attribute that says what a document was called by its sender.
const ID: &str = "_id";
/// Attributes of the scope with this before them say what a document called a field that became a column.
const NAMED: &str = "elastic.";

/// What a document is called.
pub(super) fn id(record: &LogRecord) -> String {
    match record.attributes.iter().find(|(name, _)| name == ID) {
        Some((_, AttributeValue::String(id))) => id.clone(),
        _ => format!("{:x}-{:x}", record.timestamp_ns, record.sequence),
    }
}

/// The record of that name.
pub(super) fn of_id(id: &str) -> Filter {
    let given = Filter::Field(Field::Own(ID.to_owned()), Condition::OneOf(vec![id.to_owned()]));
    let place = id.split_once('-').and_then(|(time, sequence)| Some((i64::from_str_radix(time, 16).ok()?, u64::from_str_radix(sequence, 16).ok()?)));
    let Some((time_ns, sequence)) = place else { return given };
    let bound = || Some((sequence.to_string(), true));
    // Its sender may have called it so.
    Filter::any_of([
        given,
        Filter::all_of([
            Filter::Field(Field::Timestamp, Condition::Instants(TimeRange::from_ns(time_ns, time_ns))),
            Filter::Field(Field::Sequence, Condition::Range(Bounds { low: bound(), high: bound() })),
        ]),
    ])
}

/// All fields of a record.
pub(super) fn source(record: &LogRecord) -> Map<String, Value> {
    if record.attributes.iter().any(|(name, _)| name == INDEX) { as_sent(record) } else { as_record(record) }
}

/// A document that came as one, as it came.
fn as_sent(record: &LogRecord) -> Map<String, Value> {
    let mut fields = Map::new();
    let named = |name: &str| {
        let given = record.scope.attributes.iter().find(|(key, _)| key.strip_prefix(NAMED) == Some(name));
        given.map_or_else(|| name.to_owned(), |(_, given)| given.to_text())
    };
    fields.insert(named("@timestamp"), json!(millis(record.timestamp_ns)));
    if let Some(body) = record.body() {
        fields.insert(named("message"), attribute(&body));
    }
    if !record.severity_text.is_empty() {
        fields.insert(named("log.level"), json!(record.severity_text));
    }
    if let Some(id) = record.trace_id {
        fields.insert(named("trace.id"), json!(id.to_string()));
    }
    if let Some(id) = record.span_id {
        fields.insert(named("span.id"), json!(id.to_string()));
    }
    for (name, value) in &record.resource.attributes {
        fields.insert(if name == "service.name" { named(name) } else { name.clone() }, attribute(value));
    }
    for (name, value) in record.attributes.iter().filter(|(name, _)| name != INDEX && name != ID) {
        fields.insert(name.clone(), attribute(value));
    }
    fields
}

fn as_record(record: &LogRecord) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("@timestamp".to_owned(), json!(millis(record.timestamp_ns)));
    if let Some(body) = record.body() {
        fields.insert("message".to_owned(), attribute(&body));
    }
    fields.insert("level".to_owned(), json!(record.level()));
    let some = |text: &str| (!text.is_empty()).then(|| json!(text));
    let number = |number: i64| (number != 0).then(|| json!(number));
    let optional = [
        ("severity_text", some(&record.severity_text)),
        ("severity_number", number(record.severity_number.into())),
        ("event_name", some(&record.event_name)),
        ("trace_id", record.trace_id.map(|id| json!(id.to_string()))),
        ("span_id", record.span_id.map(|id| json!(id.to_string()))),
        ("flags", number(record.flags.into())),
        ("observed_timestamp", record.observed_timestamp_ns.map(|time_ns| json!(time(time_ns)))),
        ("scope.name", some(&record.scope.name)),
        ("scope.version", some(&record.scope.version)),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    for (prefix, attributes) in
        [("resource.", &record.resource.attributes), ("attributes.", &record.attributes), ("scope.attributes.", &record.scope.attributes)]
    {
        for (name, value) in attributes {
            // A name that is taken, or that searches read in another way, is said in full.
            let is_own =
                prefix != "scope.attributes." && !fields.contains_key(name) && (name == "service.name" || matches!(Field::named(name), Field::Attribute(_)));
            fields.insert(if is_own { name.clone() } else { format!("{prefix}{name}") }, attribute(value));
        }
    }
    fields
}

/// An instant with three digits at least, as Elasticsearch writes them.
pub(super) fn millis(time_ns: i64) -> String {
    let timestamp = jiff::Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default();
    let digits = if time_ns % 1_000_000 == 0 {
        3
    } else if time_ns % 1_000 == 0 {
        6
    } else {
        9
    };
    format!("{timestamp:.digits$}")
}

/// Whether a name fits a pattern in which `*` is any text.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{fits, millis};

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, want) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("host.*", "host.name", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn instants_have_as_many_digits_as_they_need() {
        assert_eq!(millis(1_700_000_000_000_000_000), "2023-11-14T22:13:20.000Z");
        assert_eq!(millis(1_700_000_000_000_001_000), "2023-11-14T22:13:20.000001Z");
        assert_eq!(millis(1_700_000_000_000_000_001), "2023-11-14T22:13:20.000000001Z");
    }
}
