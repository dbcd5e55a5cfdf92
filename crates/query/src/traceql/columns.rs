//! The values of slots in the rows of a batch. Values that many rows share are made once.

use std::cell::RefCell;

use arrow::array::{Array, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt32Type};
use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Scope};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result};
use signalbox_store::LETTERED;

use super::fields::{Fields, is_any_service, is_of_trace, is_service};
use super::items::Items;
use super::value::Value;
use crate::rows::{self, Resource, Shared, Texts, column, span_id, trace_id};

/// The values of slots in the rows of a batch.
pub(super) struct Columns<'a> {
    readers: Vec<Option<Reader<'a>>>,
}

/// Where the values of a slot are.
pub(super) enum Reader<'a> {
    Texts(Texts<'a>, Kept, fn(&str) -> Value),
    Longs(&'a Int64Array, fn(i64) -> Value),
    Codes(&'a Int32Array, fn(i32) -> Value),
    Message(&'a StringArray),
    SpanIds(&'a FixedSizeBinaryArray),
    TraceIds(&'a FixedSizeBinaryArray),
    /// Of the resource or the instrumentation, by code.
    Origin(Texts<'a>, Vec<Value>),
    Own(Own<'a>),
    /// The span's own, else the resource's.
    Any(Own<'a>, Texts<'a>, Vec<Value>),
    Items(Items<'a>),
}

/// Values by code, made when first asked for.
pub(super) struct Kept(RefCell<Vec<Option<Value>>>);

impl Kept {
    fn new(codes: usize) -> Self {
        Self(RefCell::new(vec![None; codes]))
    }

    fn get(&self, code: usize, make: impl FnOnce() -> Value) -> Value {
        match self.0.borrow_mut().get_mut(code) {
            Some(kept) => kept.get_or_insert_with(make).clone(),
            None => Value::Nil,
        }
    }
}

/// A column of one attribute of spans.
pub(super) enum Own<'a> {
    None,
    Dictionary { column: &'a dyn Array, codes: &'a [u32], texts: &'a StringArray, is_lettered: bool, kept: Kept },
    Texts(&'a StringArray),
    Ints(&'a Int64Array),
    Doubles(&'a Float64Array),
    Bools(&'a BooleanArray),
}

impl<'a> Own<'a> {
    fn of(rows: &'a RecordBatch, key: &str) -> Result<Self> {
        let name = format!("{}{key}", schema::ATTRIBUTE_PREFIX);
        let (at, field) = rows.schema_ref().column_with_name(&name).ok_or_else(|| Error::internal(format!("cannot read column {name}: missing")))?;
        let is_lettered = field.metadata().contains_key(LETTERED);
        let column = rows.column(at);
        if column.null_count() == column.len() {
            return Ok(Self::None);
        }
        let own = match column.data_type() {
            DataType::Utf8 => column.as_string_opt().map(Self::Texts),
            DataType::Int64 => column.as_primitive_opt::<Int64Type>().map(Self::Ints),
            DataType::Float64 => column.as_primitive_opt::<Float64Type>().map(Self::Doubles),
            DataType::Boolean => column.as_boolean_opt().map(Self::Bools),
            _ => column.as_dictionary_opt::<UInt32Type>().and_then(|column| {
                let texts = column.values().as_string_opt::<i32>()?;
                Some(Self::Dictionary { column, codes: column.keys().values(), texts, is_lettered, kept: Kept::new(texts.len()) })
            }),
        };
        own.ok_or_else(|| Error::internal(format!("cannot read column {name}: of another type")))
    }

    fn value(&self, row: usize) -> Value {
        match self {
            Self::Dictionary { column, codes, texts, is_lettered, kept } if column.is_valid(row) => {
                let code = codes[row] as usize;
                kept.get(code, || if *is_lettered { lettered(texts.value(code)) } else { Value::text(texts.value(code)) })
            }
            Self::Texts(texts) if texts.is_valid(row) => Value::text(texts.value(row)),
            Self::Ints(values) if values.is_valid(row) => Value::Int(values.value(row)),
            Self::Doubles(values) if values.is_valid(row) => Value::Float(values.value(row)),
            Self::Bools(values) if values.is_valid(row) => Value::Bool(values.value(row)),
            _ => Value::Nil,
        }
    }
}

fn lettered(text: &str) -> Value {
    let mut characters = text.chars();
    match characters.next() {
        Some('s') => Value::text(characters.as_str()),
        Some(letter) => Value::of_attribute(&AttributeValue::from_text(letter, characters.as_str())),
        None => Value::Nil,
    }
}

impl<'a> Columns<'a> {
    /// Of a batch that was read for at least these slots.
    ///
    /// # Errors
    /// `Internal` if the batch lacks a column.
    pub(super) fn of(rows: &'a RecordBatch, fields: &Fields, slots: &[usize], shared: &mut Shared) -> Result<Self> {
        let mut readers: Vec<Option<Reader<'a>>> = fields.attributes().iter().map(|_| None).collect();
        for (slot, attribute) in fields.attributes().iter().enumerate() {
            if slots.contains(&slot) && !is_of_trace(attribute) {
                readers[slot] = Some(Reader::of(rows, attribute, shared)?);
            }
        }
        Ok(Self { readers })
    }

    /// The value of a row; nothing for slots that the batch was not read for.
    pub(super) fn value(&self, slot: usize, row: usize) -> Value {
        self.readers.get(slot).and_then(Option::as_ref).map_or(Value::Nil, |reader| reader.value(row))
    }

    pub(super) fn reader(&self, slot: usize) -> Option<&Reader<'a>> {
        self.readers.get(slot).and_then(Option::as_ref)
    }
}

impl<'a> Reader<'a> {
    fn of(rows: &'a RecordBatch, attribute: &Attribute, shared: &mut Shared) -> Result<Self> {
        let texts = |name: &str, make| Texts::of(rows, name).map(|texts| Self::Texts(texts, Kept::new(texts.distinct()), make));
        let mut resources = |name: &str| -> Result<(Texts<'a>, Vec<Value>)> {
            let texts = Texts::of(rows, schema::RESOURCE)?;
            let value = |code| named(&shared.resource(texts.value(code)), name);
            Ok((texts, (0..texts.distinct()).map(value).collect()))
        };
        Ok(match attribute {
            _ if is_service(attribute) => texts(schema::SERVICE, Value::text)?,
            Attribute::Named(Scope::Span, key) => Self::Own(Own::of(rows, key)?),
            Attribute::Named(Scope::Resource, name) => {
                let (texts, values) = resources(name)?;
                Self::Origin(texts, values)
            }
            Attribute::Named(Scope::Any, name) => {
                let (texts, values) = if is_any_service(attribute) {
                    let services = Texts::of(rows, schema::SERVICE)?;
                    let values = (0..services.distinct()).map(|code| Value::text(services.value(code))).collect();
                    (services, values)
                } else {
                    resources(name)?
                };
                match Own::of(rows, name)? {
                    Own::None => Self::Origin(texts, values),
                    own => Self::Any(own, texts, values),
                }
            }
            Attribute::Named(Scope::Event | Scope::Link, _) => Self::Items(Items::of(rows, attribute)?),
            Attribute::Named(Scope::Instrumentation, _) => Self::of_scope(rows, attribute, shared)?,
            Attribute::Intrinsic(intrinsic) => match intrinsic {
                Intrinsic::Name => texts(traces::NAME, Value::text)?,
                Intrinsic::Duration => Self::Longs(column(rows, traces::DURATION_NS)?, Value::Duration),
                Intrinsic::Status => Self::Codes(column(rows, traces::STATUS_CODE)?, Value::Status),
                Intrinsic::StatusMessage => Self::Message(column(rows, traces::STATUS_MESSAGE)?),
                Intrinsic::Kind => Self::Codes(column(rows, traces::KIND)?, Value::Kind),
                Intrinsic::SpanId => Self::SpanIds(column(rows, schema::SPAN_ID)?),
                Intrinsic::ParentId => Self::SpanIds(column(rows, traces::PARENT_SPAN_ID)?),
                Intrinsic::TraceId => Self::TraceIds(column(rows, schema::TRACE_ID)?),
                Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => Self::of_scope(rows, attribute, shared)?,
                Intrinsic::EventName | Intrinsic::EventTimeSinceStart | Intrinsic::LinkTraceId | Intrinsic::LinkSpanId => {
                    Self::Items(Items::of(rows, attribute)?)
                }
                _ => return Err(Error::internal("cannot read a field of a trace from a span")),
            },
        })
    }

    fn of_scope(rows: &'a RecordBatch, attribute: &Attribute, shared: &mut Shared) -> Result<Self> {
        let texts = Texts::of(rows, schema::SCOPE)?;
        let values = (0..texts.distinct()).map(|code| of_scope(&shared.scope(texts.value(code)), attribute)).collect();
        Ok(Self::Origin(texts, values))
    }

    pub(super) fn value(&self, row: usize) -> Value {
        let by_code = |texts: &Texts<'_>, values: &[Value]| values.get(texts.code(row)).cloned().unwrap_or_default();
        match self {
            Self::Texts(texts, kept, make) => {
                let code = texts.code(row);
                kept.get(code, || make(texts.value(code)))
            }
            Self::Longs(values, make) => make(values.value(row)),
            Self::Codes(values, make) => make(values.value(row)),
            Self::Message(texts) => Value::text(if texts.is_valid(row) { texts.value(row) } else { "" }),
            Self::SpanIds(ids) => span_id(ids, row).map_or(Value::Nil, |id| Value::from(id.to_string())),
            Self::TraceIds(ids) => trace_id(ids, row).map_or(Value::Nil, |id| Value::from(id.to_string())),
            Self::Origin(texts, values) => by_code(texts, values),
            Self::Own(own) => own.value(row),
            Self::Any(own, texts, values) => match own.value(row) {
                Value::Nil => by_code(texts, values),
                value => value,
            },
            Self::Items(items) => items.value(row),
        }
    }

    /// The number of different values, if rows have codes for them.
    pub(super) fn codes(&self) -> Option<usize> {
        match self {
            Self::Texts(texts, ..) | Self::Origin(texts, _) => Some(texts.distinct()),
            Self::Own(Own::Dictionary { texts, .. }) => Some(texts.len()),
            _ => None,
        }
    }

    /// The code of a row that has one; rows of one code have one value.
    pub(super) fn code(&self, row: usize) -> Option<usize> {
        match self {
            Self::Texts(texts, ..) | Self::Origin(texts, _) => Some(texts.code(row)),
            Self::Own(Own::Dictionary { column, codes, .. }) => column.is_valid(row).then(|| codes[row] as usize),
            _ => None,
        }
    }
}

fn named(resource: &Resource, name: &str) -> Value {
    resource.get(name).map_or(Value::Nil, Value::of_attribute)
}

/// A named attribute of a resource.
pub(super) fn of_resource(resource: &Resource, attribute: &Attribute) -> Value {
    match attribute {
        Attribute::Named(_, name) => named(resource, name),
        Attribute::Intrinsic(_) => Value::Nil,
    }
}

/// A field of an instrumentation.
pub(super) fn of_scope(scope: &rows::Scope, attribute: &Attribute) -> Value {
    match attribute {
        Attribute::Intrinsic(Intrinsic::InstrumentationName) => Value::text(&scope.name),
        Attribute::Intrinsic(_) => Value::text(&scope.version),
        Attribute::Named(_, name) => scope.attributes.iter().find(|(key, _)| key == name).map_or(Value::Nil, |(_, value)| Value::of_attribute(value)),
    }
}
