//! The value of one label of each row, without making all labels of it: from the columns that it can be in.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{FixedSizeBinaryArray, Int32Array, RecordBatch};
use signalbox_model::schema::{self, logs};
use signalbox_model::{Phrase, Result, TraceId};
use signalbox_store::{Carried, SharedTest};

use super::labels::{Added, stream_labels};
use super::values::Values;
use crate::logs::{LEVEL_LABELS, SERVICE_LABEL, is_named, label_name, may_have_label};
use crate::rows::{Resource, Scope, Texts, column, level_of, span_id, trace_id};

/// A field of a record that is a label when it has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    TraceId,
    SpanId,
    SeverityText,
    SeverityNumber,
    EventName,
    ScopeName,
    ScopeVersion,
}

/// Names that only a record with all its labels knows.
const OTHERS: [&str; 8] = [
    "flags",
    "observed_timestamp",
    "dropped_attributes_count",
    "scope_schema_url",
    "scope_dropped_attributes_count",
    "resource_schema_url",
    "resource_dropped_attributes_count",
    "scope_attributes",
];

impl Field {
    fn of(label: &str) -> Option<Self> {
        Some(match label {
            "trace_id" => Self::TraceId,
            "span_id" => Self::SpanId,
            "severity_text" => Self::SeverityText,
            "severity_number" => Self::SeverityNumber,
            "event_name" => Self::EventName,
            "scope_name" => Self::ScopeName,
            "scope_version" => Self::ScopeVersion,
            _ => return None,
        })
    }

    fn column(self) -> &'static str {
        match self {
            Self::TraceId => schema::TRACE_ID,
            Self::SpanId => schema::SPAN_ID,
            Self::SeverityText => logs::SEVERITY_TEXT,
            Self::SeverityNumber => logs::SEVERITY_NUMBER,
            Self::EventName => logs::EVENT_NAME,
            Self::ScopeName | Self::ScopeVersion => schema::SCOPE,
        }
    }
}

/// Reads one label of rows.
#[derive(Debug)]
pub(super) struct LabelReader {
    name: String,
    added: Added,
    field: Option<Field>,
    /// The value that streams give it, by the text of their resource.
    streams: HashMap<String, Option<String>>,
}

/// The trace that a text is, written as records show it.
fn whole_trace(text: &str) -> Option<TraceId> {
    TraceId::from_hex(text).filter(|trace| trace.to_string() == text)
}

/// Maps an identifier as it is written, without memory of its own for each.
fn with_hex<T>(id: &[u8], map: &mut impl FnMut(Option<&str>) -> T) -> T {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 2 * TraceId::LEN];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id) {
        (pair[0], pair[1]) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
    }
    map(std::str::from_utf8(&text[..(2 * id.len()).min(text.len())]).ok())
}

/// What is known of a resource.
#[derive(Clone, Copy)]
enum Known<T> {
    Nothing,
    /// The label is one of the stream.
    Stream(T),
    /// The row decides.
    Row,
}

impl LabelReader {
    pub(super) fn new(name: &str, added: Added) -> Self {
        Self { name: name.to_owned(), added, field: Field::of(name), streams: HashMap::new() }
    }

    /// `None` for a label that only a record with all its labels knows.
    pub(super) fn exact(name: &str, added: Added) -> Option<Self> {
        let is_other = name.ends_with("_extracted") || name.starts_with("__") || OTHERS.contains(&name);
        (!is_other).then(|| Self::new(name, added))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn is_level(&self) -> bool {
        self.added.detected_level && self.name == LEVEL_LABELS[0]
    }

    /// Columns that the label may be in.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec![schema::RESOURCE];
        if self.is_level() {
            columns.extend([logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT]);
        } else if !self.is_of_stream() {
            columns.push(schema::SCOPE);
            columns.extend(self.field.map(Field::column));
        }
        columns
    }

    /// The label whose column it may be in, beside these.
    pub(super) fn label(&self) -> Option<&str> {
        (!self.is_level() && !self.is_of_stream()).then_some(self.name.as_str())
    }

    /// Whether the stream always has it.
    fn is_of_stream(&self) -> bool {
        self.added.service_name && self.name == SERVICE_LABEL
    }

    /// What rows carry in which the label is one of some values, none of them empty; `None` if rows do not tell by an index.
    pub(super) fn carried(&self, values: &[String]) -> Option<Carried> {
        let is_unknown = matches!(self.field, Some(Field::SpanId | Field::SeverityText | Field::SeverityNumber));
        if is_unknown || self.is_level() || self.is_of_stream() || values.iter().any(String::is_empty) {
            return None;
        }
        let mut traces = values.iter().filter(|_| self.field == Some(Field::TraceId)).filter_map(|value| whole_trace(value));
        let trace_id = traces.next();
        if traces.any(|other| Some(other) != trace_id) {
            return None;
        }
        let (name, added, field, wanted) = (self.name.clone(), self.added, self.field, values.to_vec());
        let is_verbatim = values.iter().all(|value| is_verbatim(value));
        let is_shared: SharedTest = Arc::new(move |column, json| {
            if is_verbatim && !wanted.iter().any(|value| json.contains(value)) {
                return false;
            }
            let is_wanted = |value: &str| wanted.iter().any(|wanted| wanted == value);
            if column == schema::RESOURCE {
                return stream_labels(&Resource::from_json(json), added).iter().any(|(own, value)| *own == name && is_wanted(value));
            }
            let scope = Scope::from_json(json);
            let own = match field {
                Some(Field::ScopeName) => scope.name.as_str(),
                Some(Field::ScopeVersion) => scope.version.as_str(),
                _ => "",
            };
            is_wanted(own) || scope.attributes.iter().any(|(key, value)| label_name(key) == name && is_wanted(&value.to_text()))
        });
        Some(Carried { trace_id, phrases: values.iter().map(Phrase::whole).collect(), in_items: false, is_shared: Some(is_shared) })
    }

    /// Maps the values of the label of rows, `None` where it is missing; a value that many rows share is mapped once.
    ///
    /// # Errors
    /// `Internal` if the batch lacks a column.
    pub(super) fn map<T: Copy>(&mut self, rows: &RecordBatch, wanted: &[usize], mut map: impl FnMut(Option<&str>) -> T, out: &mut Vec<T>) -> Result<()> {
        let resource = Texts::of(rows, schema::RESOURCE)?;
        let mut own = Own::of(self, rows)?;
        let mut known = vec![Known::Nothing; resource.distinct()];
        let mut missing = None;
        out.reserve(wanted.len());
        for row in wanted {
            let code = resource.code(*row);
            if matches!(known[code], Known::Nothing) {
                known[code] = match self.of_stream(resource.value(code)) {
                    Some(value) => Known::Stream(map(Some(value))),
                    None => Known::Row,
                };
            }
            out.push(match known[code] {
                Known::Stream(mapped) => mapped,
                _ => own.map(*row, &mut map, &mut missing),
            });
        }
        Ok(())
    }

    fn of_stream(&mut self, json: &str) -> Option<&str> {
        if !self.is_of_stream() && !may_have_label(json, &self.name) {
            return None;
        }
        if !self.streams.contains_key(json) {
            let labels = stream_labels(&Resource::from_json(json), self.added);
            let value = labels.into_iter().find(|(name, _)| *name == self.name).map(|(_, value)| value);
            self.streams.insert(json.to_owned(), value);
        }
        self.streams.get(json)?.as_deref()
    }
}

/// Whether JSON with a value that reads like this has just these bytes in it: nothing of them is ever escaped, and they are no number.
fn is_verbatim(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/ ".contains(&byte);
    value.bytes().all(is_plain) && value.bytes().any(|byte| byte.is_ascii_alphabetic() && !b"eE".contains(&byte))
}

/// Where the value of a label that the stream has not is.
enum Own<'a, T> {
    Nowhere,
    /// By number and code of the text: [`LEVELS`] numbers a code.
    Level {
        number: &'a Int32Array,
        text: Texts<'a>,
        mapped: Vec<Option<T>>,
    },
    Record {
        name: String,
        field: Option<FieldValues<'a, T>>,
        attributes: Values<'a, T>,
        scope: Texts<'a>,
        scopes: Vec<Option<Option<String>>>,
    },
}

/// Severity numbers that are told apart: 0, those of OpenTelemetry, and all others.
const LEVELS: usize = 26;

enum FieldValues<'a, T> {
    TraceId(&'a FixedSizeBinaryArray),
    SpanId(&'a FixedSizeBinaryArray),
    Number(&'a Int32Array),
    /// By the code of a text that the value is made of: what its value was mapped to, if there is one.
    Text {
        texts: Texts<'a>,
        value_of: fn(&str) -> String,
        mapped: Vec<Option<Option<T>>>,
    },
}

impl<'a, T: Copy> Own<'a, T> {
    fn of(reader: &LabelReader, rows: &'a RecordBatch) -> Result<Self> {
        if reader.is_of_stream() {
            return Ok(Self::Nowhere);
        }
        let texts = |name: &str| Texts::of(rows, name);
        if reader.is_level() {
            let text = texts(logs::SEVERITY_TEXT)?;
            return Ok(Self::Level { number: column(rows, logs::SEVERITY_NUMBER)?, text, mapped: vec![None; LEVELS * text.distinct()] });
        }
        let field = match reader.field {
            None => None,
            Some(Field::TraceId) => Some(FieldValues::TraceId(column(rows, schema::TRACE_ID)?)),
            Some(Field::SpanId) => Some(FieldValues::SpanId(column(rows, schema::SPAN_ID)?)),
            Some(Field::SeverityNumber) => Some(FieldValues::Number(column(rows, logs::SEVERITY_NUMBER)?)),
            Some(Field::SeverityText) => Some(FieldValues::text(texts(logs::SEVERITY_TEXT)?, str::to_owned)),
            Some(Field::EventName) => Some(FieldValues::text(texts(logs::EVENT_NAME)?, str::to_owned)),
            Some(Field::ScopeName) => Some(FieldValues::text(texts(schema::SCOPE)?, |json| Scope::from_json(json).name)),
            Some(Field::ScopeVersion) => Some(FieldValues::text(texts(schema::SCOPE)?, |json| Scope::from_json(json).version)),
        };
        let scope = texts(schema::SCOPE)?;
        let attributes = Values::of(rows, &reader.name)?;
        Ok(Self::Record { name: reader.name.clone(), field, attributes, scope, scopes: vec![None; scope.distinct()] })
    }

    fn map(&mut self, row: usize, map: &mut impl FnMut(Option<&str>) -> T, missing: &mut Option<T>) -> T {
        match self {
            Self::Nowhere => *missing.get_or_insert_with(|| map(None)),
            Self::Level { number, text, mapped } => {
                let (number, code) = (number.value(row), text.code(row));
                let slot = usize::try_from(number).unwrap_or(0).min(LEVELS - 1) + LEVELS * code;
                let mut level = || map(Some(&level_of(number, text.value(code))));
                mapped.get_mut(slot).map_or_else(|| None, |slot| Some(*slot.get_or_insert_with(&mut level))).unwrap_or_else(level)
            }
            Self::Record { name, field, attributes, scope, scopes } => {
                if let Some(mapped) = field.as_mut().and_then(|field| field.map(row, map)) {
                    return mapped;
                }
                if let Some(mapped) = attributes.map(row, map) {
                    return mapped;
                }
                let code = scope.code(row);
                let of_scope = scopes.get_mut(code).and_then(|known| {
                    let find =
                        || Scope::from_json(scope.value(code)).attributes.into_iter().find(|(key, _)| is_named(key, name)).map(|(_, value)| value.to_text());
                    known.get_or_insert_with(find).as_deref()
                });
                match of_scope {
                    Some(value) => map(Some(value)),
                    None => *missing.get_or_insert_with(|| map(None)),
                }
            }
        }
    }
}

impl<'a, T: Copy> FieldValues<'a, T> {
    fn text(texts: Texts<'a>, value_of: fn(&str) -> String) -> Self {
        Self::Text { texts, value_of, mapped: vec![None; texts.distinct()] }
    }

    /// What the value of a row is mapped to, if there is one.
    fn map(&mut self, row: usize, map: &mut impl FnMut(Option<&str>) -> T) -> Option<T> {
        let value = match self {
            Self::TraceId(ids) => return trace_id(ids, row).map(|id| with_hex(id.as_bytes(), map)),
            Self::SpanId(ids) => return span_id(ids, row).map(|id| with_hex(id.as_bytes(), map)),
            Self::Number(numbers) if numbers.value(row) == 0 => return None,
            Self::Number(numbers) => numbers.value(row).to_string(),
            Self::Text { texts, value_of, mapped } => {
                let code = texts.code(row);
                let mut make = || Some(value_of(texts.value(code))).filter(|value| !value.is_empty()).map(|value| map(Some(&value)));
                return match mapped.get_mut(code) {
                    Some(known) => *known.get_or_insert_with(make),
                    None => make(),
                };
            }
        };
        Some(map(Some(&value)))
    }
}
