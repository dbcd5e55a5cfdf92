//! The values of a field in a batch, read from whichever columns hold it; what a dictionary decides is decided once for each
//! of its entries.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, FixedSizeBinaryArray, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::pattern;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Result};

use super::field::{Field, is_named};
use super::value::{self, Value};
use crate::rows::{AttributeColumns, Resource, Scope, Texts, column, level_of, span_id, trace_id};

/// Texts of dictionaries whose values are remembered, about; then they are read again.
const MEMORY_MAX: usize = 20_000;

type Values = Arc<[Value<'static>]>;

/// A field with what is known of the dictionaries seen before.
#[derive(Debug)]
pub(crate) struct Probe {
    field: Field,
    /// Values by the text of a resource or a scope.
    known: HashMap<String, Values>,
}

/// Takes a value.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(Value<'_>);

/// What a test of a row by its value says.
pub(crate) type Verdict<'t> = &'t mut dyn FnMut(&Value<'_>) -> bool;

impl Probe {
    pub(crate) fn new(field: Field) -> Self {
        Self { field, known: HashMap::new() }
    }

    pub(crate) fn field(&self) -> &Field {
        &self.field
    }

    /// The values in a batch, which has the columns of the field.
    pub(crate) fn open<'a, 'p>(&'p mut self, rows: &'a RecordBatch) -> Result<View<'a, 'p>> {
        let texts = |name| Texts::of(rows, name);
        let source = match &self.field {
            Field::Any => return Err(Error::internal("cannot read the values of all fields at once")),
            Field::Timestamp => Source::Time(column(rows, schema::TIMESTAMP)?),
            Field::ObservedTimestamp => Source::Time(column(rows, logs::OBSERVED_TIMESTAMP)?),
            Field::Sequence => Source::Sequence(column(rows, schema::SEQUENCE)?),
            Field::Body => Source::Text(column(rows, logs::BODY)?),
            Field::Pattern => Source::Pattern(column(rows, logs::BODY)?),
            Field::Level => Source::Level(column(rows, logs::SEVERITY_NUMBER)?, texts(logs::SEVERITY_TEXT)?),
            Field::SeverityNumber => Source::Number(column(rows, logs::SEVERITY_NUMBER)?),
            Field::SeverityText => Source::Code(texts(logs::SEVERITY_TEXT)?),
            Field::EventName => Source::Code(texts(logs::EVENT_NAME)?),
            Field::Service => Source::Code(texts(schema::SERVICE)?),
            Field::TraceId => Source::Trace(column(rows, schema::TRACE_ID)?),
            Field::SpanId => Source::Span(column(rows, schema::SPAN_ID)?),
            Field::Flags => Source::Flags(column(rows, logs::FLAGS)?),
            Field::ScopeName | Field::ScopeVersion | Field::Scope(_) => Source::Json(texts(schema::SCOPE)?),
            Field::Resource(_) => Source::Json(texts(schema::RESOURCE)?),
            Field::Own(_) => Source::Own(AttributeColumns::of(rows)?),
            Field::Attribute(_) => Source::Either(texts(schema::RESOURCE)?, AttributeColumns::of(rows)?),
        };
        if self.known.len() > MEMORY_MAX {
            self.known.clear();
        }
        let codes = match &source {
            Source::Json(texts) | Source::Either(texts, _) => vec![None; texts.distinct()],
            _ => Vec::new(),
        };
        Ok(View { field: &self.field, known: &mut self.known, source, codes })
    }
}

/// Where the values are.
enum Source<'a> {
    Time(&'a TimestampNanosecondArray),
    Sequence(&'a UInt64Array),
    Number(&'a Int32Array),
    Flags(&'a UInt32Array),
    Text(&'a StringArray),
    /// The pattern of a text. It is made of the text each time: the column has none where a segment has too many.
    Pattern(&'a StringArray),
    Level(&'a Int32Array, Texts<'a>),
    Code(Texts<'a>),
    Trace(&'a FixedSizeBinaryArray),
    Span(&'a FixedSizeBinaryArray),
    /// An attribute in JSON.
    Json(Texts<'a>),
    Own(AttributeColumns<'a>),
    Either(Texts<'a>, AttributeColumns<'a>),
}

/// The values of a field in a batch.
pub(crate) struct View<'a, 'p> {
    field: &'p Field,
    known: &'p mut HashMap<String, Values>,
    source: Source<'a>,
    /// Values by the code of the JSON.
    codes: Vec<Option<Values>>,
}

impl<'a> View<'a, '_> {
    /// Hands on the values of a row.
    pub(crate) fn each(&mut self, row: usize, visit: &mut dyn FnMut(Value<'_>)) {
        match &self.source {
            Source::Time(times) if times.is_valid(row) => visit(Value::integer(times.value(row))),
            Source::Time(_) => {}
            Source::Sequence(numbers) => visit(Value::integer(numbers.value(row).cast_signed())),
            Source::Number(numbers) if numbers.value(row) != 0 => visit(Value::integer(numbers.value(row).into())),
            Source::Number(_) => {}
            Source::Flags(numbers) if numbers.value(row) != 0 => visit(Value::integer(numbers.value(row).into())),
            Source::Flags(_) => {}
            Source::Text(texts) if texts.is_valid(row) => visit(Value::text(texts.value(row))),
            Source::Text(_) => {}
            Source::Pattern(texts) if texts.is_valid(row) => {
                let pattern = pattern::of(texts.value(row));
                if !pattern.is_empty() {
                    visit(Value::text(&pattern));
                }
            }
            Source::Pattern(_) => {}
            Source::Level(numbers, texts) => visit(Value::text(&level_of(numbers.value(row), texts.get(row)))),
            Source::Code(texts) => Some(texts.get(row)).filter(|text| !text.is_empty()).into_iter().for_each(|text| visit(Value::text(text))),
            Source::Trace(ids) => trace_id(ids, row).into_iter().for_each(|id| visit(Value::text(&id.to_string()))),
            Source::Span(ids) => span_id(ids, row).into_iter().for_each(|id| visit(Value::text(&id.to_string()))),
            Source::Json(texts) => {
                let code = texts.code(row);
                let text = texts.value(code);
                self.coded(code, text).iter().for_each(|value| visit(value.clone()));
            }
            Source::Own(attributes) => own(attributes, row, name_of(self.field), visit),
            Source::Either(texts, attributes) => {
                let (code, attributes) = (texts.code(row), *attributes);
                let text = texts.value(code);
                let values = self.coded(code, text);
                if values.is_empty() {
                    return own(&attributes, row, name_of(self.field), visit);
                }
                values.iter().for_each(|value| visit(value.clone()));
            }
        }
    }

    /// Keeps the candidates that have a value which passes.
    pub(crate) fn retain(&mut self, candidates: &mut Vec<usize>, passes: Verdict<'_>) {
        match &self.source {
            Source::Code(texts) => {
                let mut verdicts: Vec<Option<bool>> = vec![None; texts.distinct()];
                candidates.retain(|row| {
                    let code = texts.code(*row);
                    *verdicts[code].get_or_insert_with(|| !texts.value(code).is_empty() && passes(&Value::text(texts.value(code))))
                });
            }
            Source::Level(numbers, texts) => {
                let mut verdicts: HashMap<(i32, usize), bool> = HashMap::new();
                candidates.retain(|row| {
                    let key = (numbers.value(*row), texts.code(*row));
                    *verdicts.entry(key).or_insert_with(|| passes(&Value::text(&level_of(key.0, texts.value(key.1)))))
                });
            }
            Source::Json(texts) => {
                let texts = *texts;
                let mut verdicts: Vec<Option<bool>> = vec![None; texts.distinct()];
                candidates.retain(|row| {
                    let code = texts.code(*row);
                    *verdicts[code].get_or_insert_with(|| self.coded(code, texts.value(code)).iter().any(&mut *passes))
                });
            }
            Source::Either(texts, attributes) => {
                let (texts, attributes, name) = (*texts, *attributes, name_of(self.field));
                // None: the resource lacks it, the record decides.
                let mut verdicts: Vec<Option<Option<bool>>> = vec![None; texts.distinct()];
                candidates.retain(|row| {
                    let code = texts.code(*row);
                    let verdict = *verdicts[code].get_or_insert_with(|| {
                        let values = self.coded(code, texts.value(code));
                        (!values.is_empty()).then(|| values.iter().any(&mut *passes))
                    });
                    verdict.unwrap_or_else(|| any(&mut |visit| own(&attributes, *row, name, visit), passes))
                });
            }
            _ => candidates.retain(|row| any(&mut |visit| self.each(*row, visit), passes)),
        }
    }

    /// The values in the JSON of a resource or scope.
    fn coded(&mut self, code: usize, json: &str) -> Values {
        if let Some(values) = &self.codes[code] {
            return Arc::clone(values);
        }
        let values = match self.known.get(json) {
            Some(values) => Arc::clone(values),
            None => {
                let values: Values = values_of(self.field, json).into();
                self.known.insert(json.to_owned(), Arc::clone(&values));
                values
            }
        };
        self.codes[code] = Some(Arc::clone(&values));
        values
    }
}

/// Whether one of the values that are handed on passes.
fn any(hand_on: &mut dyn FnMut(Visit<'_>), passes: Verdict<'_>) -> bool {
    let mut is_one = false;
    hand_on(&mut |value| is_one = is_one || passes(&value));
    is_one
}

fn name_of(field: &Field) -> &str {
    match field {
        Field::Scope(name) | Field::Resource(name) | Field::Own(name) | Field::Attribute(name) => name,
        _ => "",
    }
}

fn values_of(field: &Field, json: &str) -> Vec<Value<'static>> {
    let some = |text: String| if text.is_empty() { Vec::new() } else { vec![value::of(&AttributeValue::String(text))] };
    let attributes = match field {
        Field::ScopeName => return some(Scope::from_json(json).name),
        Field::ScopeVersion => return some(Scope::from_json(json).version),
        Field::Scope(_) => Scope::from_json(json).attributes,
        _ => Resource::from_json(json).attributes,
    };
    let (name, mut values) = (name_of(field), Vec::new());
    if let Some((_, found)) = attributes.iter().find(|(key, _)| is_named(key, name)) {
        value::each(value::of(found), &mut |value| values.push(value.into_owned()));
    } else if name.contains('.') {
        value::descend(&AttributeValue::Map(attributes), name, &mut |value| values.push(value.into_owned()));
    }
    values
}

/// The values of a record's own attribute.
fn own(attributes: &AttributeColumns<'_>, row: usize, name: &str, visit: &mut dyn FnMut(Value<'_>)) {
    if let Some((_, text, letter)) = attributes.typed(row).find(|(key, ..)| is_named(key, name)) {
        return value::each(Value { text: text.into(), letter }, visit);
    }
    if !name.contains('.') {
        return;
    }
    for (key, text, letter) in attributes.typed(row) {
        if letter == 'm'
            && let Some(rest) = name.strip_prefix(key).and_then(|rest| rest.strip_prefix('.'))
        {
            value::descend(&AttributeValue::from_text('m', text), rest, visit);
        }
    }
}
