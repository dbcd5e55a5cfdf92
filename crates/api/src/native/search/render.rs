//! Records as JSON.

use serde_json::{Map, Value, json};
use signalbox_model::attributes::AttributeValue;
use signalbox_query::rows::LogRecord;
use signalbox_query::search::{self, Field};

/// What of a record is answered.
#[derive(Debug)]
pub(super) struct Shape {
    fields: Vec<(String, Field)>,
}

impl Shape {
    /// These fields; all if none is named.
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { fields: names.into_iter().map(|name| (name.clone(), Field::named(&name))).collect() }
    }
}

/// Appends a record.
pub(super) fn record(out: &mut String, record: &LogRecord, shape: &Shape) {
    let mut object = Map::new();
    object.insert("timestamp".to_owned(), json!(time(record.timestamp_ns)));
    object.insert("timestamp_ns".to_owned(), json!(record.timestamp_ns.to_string()));
    if shape.fields.is_empty() {
        whole(&mut object, record);
    } else {
        let mut fields = Map::new();
        for (name, field) in &shape.fields {
            let mut values: Vec<Value> = search::values_of(record, field).iter().map(|value| typed(&value.text, value.letter)).collect();
            if !values.is_empty() {
                fields.insert(name.clone(), if values.len() == 1 { values.remove(0) } else { Value::Array(values) });
            }
        }
        object.insert("fields".to_owned(), Value::Object(fields));
    }
    out.push_str(&Value::Object(object).to_string());
}

fn whole(object: &mut Map<String, Value>, record: &LogRecord) {
    let mut add = |name: &str, value: Value| {
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            Value::Number(number) => number.as_i64() == Some(0),
            _ => false,
        };
        if !is_empty {
            object.insert(name.to_owned(), value);
        }
    };
    let service = record.resource.get("service.name").map(AttributeValue::to_text).unwrap_or_default();
    add("level", json!(record.level()));
    add("service", json!(service));
    add("body", record.body().as_ref().map_or(Value::Null, attribute));
    add("severity_text", json!(record.severity_text));
    add("severity_number", json!(record.severity_number));
    add("event_name", json!(record.event_name));
    add("trace_id", json!(record.trace_id.map(|id| id.to_string())));
    add("span_id", json!(record.span_id.map(|id| id.to_string())));
    add("flags", json!(record.flags));
    add("observed_timestamp", json!(record.observed_timestamp_ns.map(time)));
    add("dropped_attributes_count", json!(record.dropped_attributes_count));
    add("attributes", attributes(&record.attributes));
    add("resource", attributes(&record.resource.attributes));
    let mut scope = Map::new();
    for (name, text) in [("name", &record.scope.name), ("version", &record.scope.version)] {
        if !text.is_empty() {
            scope.insert(name.to_owned(), json!(text));
        }
    }
    if !record.scope.attributes.is_empty() {
        scope.insert("attributes".to_owned(), attributes(&record.scope.attributes));
    }
    add("scope", Value::Object(scope));
}

pub(in crate::native) fn attributes(attributes: &[(String, AttributeValue)]) -> Value {
    Value::Object(attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
}

/// A value in JSON's own types; text where JSON has none.
pub(crate) fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => json!(value),
        AttributeValue::Int(value) => json!(value),
        AttributeValue::Double(value) if value.is_finite() => json!(value),
        AttributeValue::Array(items) => Value::Array(items.iter().map(attribute).collect()),
        AttributeValue::Map(entries) => attributes(entries),
        AttributeValue::Empty => Value::Null,
        AttributeValue::String(_) | AttributeValue::Double(_) | AttributeValue::Bytes(_) => Value::String(value.to_text()),
    }
}

/// The same of a text and the letter of its type.
pub(crate) fn typed(text: &str, letter: char) -> Value {
    attribute(&AttributeValue::from_text(letter, text))
}

/// An instant with as many digits as it needs.
pub(crate) fn time(time_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default().to_string()
}
