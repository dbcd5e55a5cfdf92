//! Rows back from columns: the one place that turns stored logs and spans into values, every field of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, DictionaryArray, FixedSizeBinaryArray, MapArray, RecordBatch, StringArray};
use arrow::datatypes::UInt32Type;
use signalbox_model::attributes::{AttributeValue, typed};
use signalbox_model::{Error, Result, SpanId, TraceId, schema};

mod log;
mod resource;
mod span;

pub use log::LogRecord;
pub(crate) use log::{LogColumns, level_of};
pub use resource::{Attributes, Resource, Scope};
pub(crate) use span::spans;
pub use span::{Span, SpanEvent, SpanLink};

/// A column of a batch by name and type.
pub(crate) fn column<'a, A: Array + 'static>(rows: &'a RecordBatch, name: &str) -> Result<&'a A> {
    let found = rows.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<A>());
    found.ok_or_else(|| Error::internal(format!("cannot read column {name}: missing or of another type")))
}

/// A column of few distinct texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts<'a> {
    codes: &'a [u32],
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    pub(crate) fn of(rows: &'a RecordBatch, name: &str) -> Result<Self> {
        let dictionary: &DictionaryArray<UInt32Type> = column(rows, name)?;
        let values = dictionary.values().as_any().downcast_ref().ok_or_else(|| Error::internal(format!("cannot read column {name}: not of text")))?;
        Ok(Self { codes: dictionary.keys().values(), values })
    }

    /// The text of a row.
    pub(crate) fn get(&self, row: usize) -> &'a str {
        self.value(self.code(row))
    }

    /// The code of the text of a row.
    pub(crate) fn code(&self, row: usize) -> usize {
        self.codes[row] as usize
    }

    /// The text of a code.
    pub(crate) fn value(&self, code: usize) -> &'a str {
        if code < self.values.len() { self.values.value(code) } else { "" }
    }

    /// Number of codes; some may have no row.
    pub(crate) fn distinct(&self) -> usize {
        self.values.len()
    }

    /// Codes that have a row among these.
    pub(crate) fn used(&self, rows: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut used = vec![false; self.values.len()];
        for row in rows {
            used[self.code(row)] = true;
        }
        used
    }
}

/// A column of attributes with the column of their types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttributeColumns<'a> {
    map: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
    types: &'a StringArray,
}

impl<'a> AttributeColumns<'a> {
    /// Of the rows of a batch.
    pub(crate) fn of(rows: &'a RecordBatch) -> Result<Self> {
        Self::new(column(rows, schema::ATTRIBUTES)?, column(rows, schema::ATTRIBUTE_TYPES)?)
    }

    pub(crate) fn new(map: &'a MapArray, types: &'a StringArray) -> Result<Self> {
        let text = |column: &'a arrow::array::ArrayRef| column.as_string_opt::<i32>().ok_or_else(|| Error::internal("cannot read attributes: not of text"));
        Ok(Self { map, keys: text(map.keys())?, values: text(map.values())?, types })
    }

    fn entries(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.map.value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }

    /// Names of the attributes of a row.
    pub(crate) fn keys(&self, row: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let keys = self.keys;
        self.entries(row).map(move |entry| keys.value(entry))
    }

    /// Names and texts of the attributes of a row, in order.
    pub(crate) fn entries_of(&self, row: usize) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let (keys, values) = (self.keys, self.values);
        self.entries(row).map(move |entry| (keys.value(entry), values.value(entry)))
    }

    /// The text of the first attribute of a row whose name fits.
    pub(crate) fn find(&self, row: usize, mut fits: impl FnMut(&str) -> bool) -> Option<&'a str> {
        self.entries(row).find(|entry| fits(self.keys.value(*entry))).map(|entry| self.values.value(entry))
    }

    /// The typed value of the attribute of a row with this name.
    pub(crate) fn get(&self, row: usize, name: &str) -> Option<AttributeValue> {
        let entries = self.entries(row);
        let at = entries.clone().position(|entry| self.keys.value(entry) == name)?;
        let letter = match self.types.is_valid(row) {
            true => self.types.value(row).chars().nth(at).unwrap_or('s'),
            false => 's',
        };
        Some(AttributeValue::from_text(letter, self.values.value(entries.start + at)))
    }

    /// Name, text and letter of the type of each attribute of a row, in order.
    pub(crate) fn typed(&self, row: usize) -> impl Iterator<Item = (&'a str, &'a str, char)> + use<'a> {
        let (keys, values) = (self.keys, self.values);
        let letters = if self.types.is_valid(row) { self.types.value(row).as_bytes() } else { &[] };
        let letter = move |at: usize| letters.get(at).map_or('s', |letter| char::from(*letter));
        self.entries(row).enumerate().map(move |(at, entry)| (keys.value(entry), values.value(entry), letter(at)))
    }

    /// All attributes of a row, in order.
    pub(crate) fn all(&self, row: usize) -> Attributes {
        let entries = self.entries(row).map(|entry| (self.keys.value(entry), self.values.value(entry)));
        let types = self.types.is_valid(row).then(|| self.types.value(row));
        typed(entries, types).map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// Resources and scopes that were read before, so that rows of one resource share it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    resources: HashMap<String, Arc<Resource>>,
    scopes: HashMap<String, Arc<Scope>>,
}

impl Shared {
    pub(crate) fn resource(&mut self, json: &str) -> Arc<Resource> {
        if let Some(resource) = self.resources.get(json) {
            return Arc::clone(resource);
        }
        let resource = Arc::new(Resource::from_json(json));
        self.resources.insert(json.to_owned(), Arc::clone(&resource));
        resource
    }

    pub(crate) fn scope(&mut self, json: &str) -> Arc<Scope> {
        if let Some(scope) = self.scopes.get(json) {
            return Arc::clone(scope);
        }
        let scope = Arc::new(Scope::from_json(json));
        self.scopes.insert(json.to_owned(), Arc::clone(&scope));
        scope
    }
}

pub(crate) fn trace_id(column: &FixedSizeBinaryArray, row: usize) -> Option<TraceId> {
    column.is_valid(row).then(|| TraceId::from_slice(column.value(row))).flatten()
}

pub(crate) fn span_id(column: &FixedSizeBinaryArray, row: usize) -> Option<SpanId> {
    column.is_valid(row).then(|| SpanId::from_slice(column.value(row))).flatten()
}

fn optional_text(column: &StringArray, row: usize) -> String {
    if column.is_valid(row) { column.value(row).to_owned() } else { String::new() }
}
