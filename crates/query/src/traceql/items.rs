//! Values of events and links.

use arrow::array::{AsArray, FixedSizeBinaryArray, ListArray, RecordBatch, StringArray, TimestampNanosecondArray};
use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Scope};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result};

use super::value::Value;
use crate::rows::{AttributeColumns, column, span_id, trace_id};

/// One field of the events, or links, of the rows of a batch.
pub(super) struct Items<'a> {
    lists: &'a ListArray,
    /// The columns of all items of all rows.
    items: RecordBatch,
    starts: Option<&'a TimestampNanosecondArray>,
    field: Field,
}

enum Field {
    Name,
    TimeSinceStart,
    TraceId,
    SpanId,
    Attribute(String),
}

impl<'a> Items<'a> {
    pub(super) fn of(rows: &'a RecordBatch, attribute: &Attribute) -> Result<Self> {
        let (list, field) = match attribute {
            Attribute::Named(Scope::Event, key) => (traces::EVENTS, Field::Attribute(key.clone())),
            Attribute::Named(_, key) => (traces::LINKS, Field::Attribute(key.clone())),
            Attribute::Intrinsic(Intrinsic::EventName) => (traces::EVENTS, Field::Name),
            Attribute::Intrinsic(Intrinsic::EventTimeSinceStart) => (traces::EVENTS, Field::TimeSinceStart),
            Attribute::Intrinsic(Intrinsic::LinkTraceId) => (traces::LINKS, Field::TraceId),
            Attribute::Intrinsic(_) => (traces::LINKS, Field::SpanId),
        };
        let lists: &ListArray = column(rows, list)?;
        let items = lists.values().as_struct_opt().ok_or_else(|| Error::internal(format!("cannot read column {list}: not of structs")))?;
        let starts = if matches!(field, Field::TimeSinceStart) { Some(column(rows, schema::TIMESTAMP)?) } else { None };
        Ok(Self { lists, items: RecordBatch::from(items.clone()), starts, field })
    }

    /// Of a row: nothing, one value or several.
    pub(super) fn value(&self, row: usize) -> Value {
        let offsets = self.lists.value_offsets();
        let places = offsets[row] as usize..offsets[row + 1] as usize;
        if places.is_empty() {
            return Value::Nil;
        }
        let mut values: Vec<Value> = places.map(|place| self.item(row, place).unwrap_or_default()).filter(|value| !value.is_nil()).collect();
        match values.len() {
            0 => Value::Nil,
            1 => values.swap_remove(0),
            _ => Value::Several(values.into()),
        }
    }

    /// A field that a list of this kind has not is missing.
    fn item(&self, row: usize, place: usize) -> Option<Value> {
        Some(match &self.field {
            Field::Name => Value::text(column::<StringArray>(&self.items, traces::NAME).ok()?.value(place)),
            Field::TimeSinceStart => {
                let at = column::<TimestampNanosecondArray>(&self.items, schema::TIMESTAMP).ok()?.value(place);
                Value::Duration(at.wrapping_sub(self.starts?.value(row)))
            }
            Field::TraceId => trace_id(column::<FixedSizeBinaryArray>(&self.items, schema::TRACE_ID).ok()?, place)?.to_string().into(),
            Field::SpanId => span_id(column::<FixedSizeBinaryArray>(&self.items, schema::SPAN_ID).ok()?, place)?.to_string().into(),
            Field::Attribute(key) => Value::of_attribute(&AttributeColumns::of(&self.items).ok()?.get(place, key)?),
        })
    }
}
