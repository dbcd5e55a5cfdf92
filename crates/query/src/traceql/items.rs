//! Values of events and links.

use arrow::array::{Array, AsArray, FixedSizeBinaryArray, ListArray, MapArray, RecordBatch, StringArray, StructArray, TimestampNanosecondArray};
use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Scope};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result};

use super::value::Value;
use crate::rows::{AttributeColumns, column, span_id, trace_id};

/// One field of the events, or links, of the rows of a batch.
pub(super) struct Items<'a> {
    offsets: &'a [i32],
    field: Field<'a>,
}

/// Of all items of all rows.
enum Field<'a> {
    Name(&'a StringArray),
    /// Times of the items, starts of the rows.
    TimeSinceStart(&'a TimestampNanosecondArray, &'a TimestampNanosecondArray),
    TraceId(&'a FixedSizeBinaryArray),
    SpanId(&'a FixedSizeBinaryArray),
    Attribute(AttributeColumns<'a>, String),
}

impl<'a> Items<'a> {
    /// # Errors
    /// `Internal` if the batch lacks a column.
    pub(super) fn of(rows: &'a RecordBatch, attribute: &Attribute) -> Result<Self> {
        let list = match attribute {
            Attribute::Named(Scope::Event, _) | Attribute::Intrinsic(Intrinsic::EventName | Intrinsic::EventTimeSinceStart) => traces::EVENTS,
            _ => traces::LINKS,
        };
        let lists: &ListArray = column(rows, list)?;
        let items = lists.values().as_struct_opt().ok_or_else(|| Error::internal(format!("cannot read column {list}: not of structs")))?;
        let field = match attribute {
            Attribute::Named(_, key) => {
                let attributes = AttributeColumns::new(part::<MapArray>(items, schema::ATTRIBUTES)?, part(items, schema::ATTRIBUTE_TYPES)?)?;
                Field::Attribute(attributes, key.clone())
            }
            Attribute::Intrinsic(Intrinsic::EventName) => Field::Name(part(items, traces::NAME)?),
            Attribute::Intrinsic(Intrinsic::EventTimeSinceStart) => Field::TimeSinceStart(part(items, schema::TIMESTAMP)?, column(rows, schema::TIMESTAMP)?),
            Attribute::Intrinsic(Intrinsic::LinkTraceId) => Field::TraceId(part(items, schema::TRACE_ID)?),
            Attribute::Intrinsic(_) => Field::SpanId(part(items, schema::SPAN_ID)?),
        };
        Ok(Self { offsets: lists.value_offsets(), field })
    }

    /// Of a row: nothing, one value or several.
    pub(super) fn value(&self, row: usize) -> Value {
        let places = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        if places.is_empty() {
            return Value::Nil;
        }
        let mut values: Vec<Value> = places.filter_map(|place| self.item(row, place)).filter(|value| !value.is_nil()).collect();
        match values.len() {
            0 => Value::Nil,
            1 => values.swap_remove(0),
            _ => Value::Several(values.into()),
        }
    }

    fn item(&self, row: usize, place: usize) -> Option<Value> {
        Some(match &self.field {
            Field::Name(names) => Value::text(names.value(place)),
            Field::TimeSinceStart(times, starts) => Value::Duration(times.value(place).wrapping_sub(starts.value(row))),
            Field::TraceId(ids) => trace_id(ids, place)?.to_string().into(),
            Field::SpanId(ids) => span_id(ids, place)?.to_string().into(),
            Field::Attribute(attributes, key) => Value::of_attribute(&attributes.get(place, key)?),
        })
    }
}

/// A field of all items.
fn part<'a, A: Array + 'static>(items: &'a StructArray, name: &str) -> Result<&'a A> {
    let found = items.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<A>());
    found.ok_or_else(|| Error::internal(format!("cannot read field {name} of a list: missing or of another type")))
}
