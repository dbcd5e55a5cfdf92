//! The column of patterns of log records.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, UInt32Array};
use arrow::datatypes::UInt32Type;
use signalbox_model::{Error, Result, pattern, schema};

use super::gather::NullableText;

/// Patterns of a segment at most. Rows of further ones have none: there each line has its own, and says nothing.
const PATTERNS_MAX: usize = if cfg!(test) { 16 } else { 16 << 10 };

/// Makes patterns, for one segment or for one reader.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    seen: HashSet<Box<str>>,
    buffer: String,
}

impl Patterns {
    /// The patterns of the bodies of rows.
    pub(crate) fn of_rows(&mut self, rows: &RecordBatch) -> Result<ArrayRef> {
        let bodies = rows.column_by_name(schema::logs::BODY).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(other_schema)?;
        let mut builder = NullableText::default();
        for row in 0..bodies.len() {
            if bodies.is_null(row) {
                builder.push(None);
                continue;
            }
            pattern::write(bodies.value(row), &mut self.buffer);
            let is_known = builder.push_known(&self.buffer)
                || is_within(&mut self.seen, &self.buffer) && {
                    builder.push(Some(&self.buffer));
                    true
                };
            if !is_known {
                builder.push(None);
            }
        }
        builder.finish()
    }

    /// A column of patterns, of no more than one segment may have.
    pub(crate) fn limit(&mut self, column: &ArrayRef) -> Result<ArrayRef> {
        let patterns = column.as_dictionary_opt::<UInt32Type>().ok_or_else(other_schema)?;
        let texts = patterns.values().as_string_opt::<i32>().ok_or_else(other_schema)?;
        let stays: Vec<bool> = texts.iter().map(|text| text.is_some_and(|text| is_within(&mut self.seen, text))).collect();
        if stays.iter().all(|stays| *stays) {
            return Ok(Arc::clone(column));
        }
        let keys: UInt32Array = patterns.keys().iter().map(|key| key.filter(|key| stays[*key as usize])).collect();
        let limited = DictionaryArray::<UInt32Type>::try_new(keys, Arc::clone(patterns.values()));
        limited.map(|limited| Arc::new(limited) as ArrayRef).map_err(|error| Error::internal("cannot limit patterns").with_source(error))
    }
}

fn is_within(seen: &mut HashSet<Box<str>>, pattern: &str) -> bool {
    seen.contains(pattern) || seen.len() < PATTERNS_MAX && seen.insert(pattern.into())
}

fn other_schema() -> Error {
    Error::internal("cannot make patterns: the schema of the rows is another one")
}
