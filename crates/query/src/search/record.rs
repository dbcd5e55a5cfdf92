//! The values of a field in one record, as filters see them in columns.

use signalbox_model::attributes::AttributeValue;
use signalbox_model::pattern;

use super::field::{Field, is_named};
use super::value::{self, Value};
use crate::rows::LogRecord;

/// The values of a field; none if the record lacks it, several of an array.
pub fn values_of(record: &LogRecord, field: &Field) -> Vec<Value<'static>> {
    let mut values = Vec::new();
    let number = |number: i64| if number == 0 { Vec::new() } else { vec![Value::integer(number)] };
    let text = |text: &str| if text.is_empty() { Vec::new() } else { vec![Value::text(text).into_owned()] };
    match field {
        Field::Any => {}
        Field::Timestamp => values.push(Value::integer(record.timestamp_ns)),
        Field::ObservedTimestamp => values.extend(record.observed_timestamp_ns.map(Value::integer)),
        Field::Sequence => values.push(Value::integer(record.sequence.cast_signed())),
        Field::Body => values.extend(record.line.as_ref().map(|line| Value { text: line.clone().into(), letter: record.body_letter })),
        Field::Pattern => return text(&record.line.as_deref().map(pattern::of).unwrap_or_default()),
        Field::Level => values.push(Value { text: record.level().into(), letter: 's' }),
        Field::SeverityNumber => return number(record.severity_number.into()),
        Field::SeverityText => return text(&record.severity_text),
        Field::EventName => return text(&record.event_name),
        Field::Service => return attribute(&record.resource.attributes, "service.name").unwrap_or_default(),
        Field::TraceId => values.extend(record.trace_id.map(|id| Value { text: id.to_string().into(), letter: 's' })),
        Field::SpanId => values.extend(record.span_id.map(|id| Value { text: id.to_string().into(), letter: 's' })),
        Field::Flags => return number(record.flags.into()),
        Field::ScopeName => return text(&record.scope.name),
        Field::ScopeVersion => return text(&record.scope.version),
        Field::Scope(name) => return attribute(&record.scope.attributes, name).unwrap_or_default(),
        Field::Resource(name) => return attribute(&record.resource.attributes, name).unwrap_or_default(),
        Field::Own(name) => return attribute(&record.attributes, name).unwrap_or_default(),
        Field::Attribute(name) => {
            return attribute(&record.resource.attributes, name).or_else(|| attribute(&record.attributes, name)).unwrap_or_default();
        }
    }
    values
}

fn attribute(attributes: &[(String, AttributeValue)], name: &str) -> Option<Vec<Value<'static>>> {
    let mut values = Vec::new();
    let mut take = |value: Value<'_>| values.push(value.into_owned());
    match attributes.iter().find(|(key, _)| is_named(key, name)) {
        Some((_, found)) => value::each(value::of(found), &mut take),
        None if name.contains('.') => {
            for (key, held) in attributes {
                if let Some(rest) = name.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.')) {
                    value::descend(held, rest, &mut take);
                }
            }
        }
        None => {}
    }
    (!values.is_empty()).then_some(values)
}
