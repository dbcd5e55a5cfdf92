//! Puts rows of several batches together into one.
//!
//! Like Arrow's `concat` and `interleave`, but the dictionaries of what comes out hold each text once and none that no row
//! has: those of Arrow put all dictionaries one behind the other, which grows with every copy.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, RecordBatch, StringBuilder, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, UInt32Type};
use arrow::error::ArrowError;
use signalbox_model::{Error, Result};

/// All rows of batches of one schema, one batch after the other.
///
/// # Errors
/// `Internal` if there is no batch or the schemas differ.
pub(crate) fn concat(batches: &[&RecordBatch]) -> Result<RecordBatch> {
    let rows = || batches.iter().enumerate().flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)));
    build(batches, &mut |columns| match columns[0].data_type() {
        DataType::Dictionary(_, _) => dictionary(columns, rows()),
        _ => arrow::compute::concat(columns),
    })
}

/// The rows at `places` (number of the batch, row), in that order.
///
/// # Errors
/// `Internal` if there is no batch or the schemas differ.
pub(crate) fn gather(batches: &[&RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch> {
    build(batches, &mut |columns| match columns[0].data_type() {
        DataType::Dictionary(_, _) => dictionary(columns, places.iter().copied()),
        DataType::FixedSizeBinary(_) => identifiers(columns, places),
        _ => arrow::compute::interleave(columns, places),
    })
}

/// Makes one column of the same column of several batches.
type Build<'a> = dyn FnMut(&[&dyn Array]) -> std::result::Result<ArrayRef, ArrowError> + 'a;

fn build(batches: &[&RecordBatch], column: &mut Build<'_>) -> Result<RecordBatch> {
    let failed = |error| Error::internal("cannot put rows together").with_source(error);
    let Some(first) = batches.first() else { return Err(Error::internal("cannot put rows together: there are none")) };
    let columns = (0..first.num_columns()).map(|at| {
        let columns: Vec<&dyn Array> = batches.iter().filter_map(|batch| batch.columns().get(at)).map(AsRef::as_ref).collect();
        column(&columns)
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    RecordBatch::try_new(first.schema(), columns).map_err(failed)
}

/// Arrow has no way of its own for these, and its way for any type takes several times as long.
fn identifiers(columns: &[&dyn Array], places: &[(usize, usize)]) -> std::result::Result<ArrayRef, ArrowError> {
    let other_type = || ArrowError::SchemaError("a column has identifiers of several widths".into());
    let columns: Vec<&FixedSizeBinaryArray> =
        columns.iter().map(|column| column.as_fixed_size_binary_opt().ok_or_else(other_type)).collect::<std::result::Result<_, _>>()?;
    let width = columns[0].value_length();
    if columns.iter().any(|column| column.value_length() != width) {
        return Err(other_type());
    }
    let mut bytes = Vec::with_capacity(places.len() * width as usize);
    places.iter().for_each(|(column, row)| bytes.extend_from_slice(columns[*column].value(*row)));
    let has_nulls = columns.iter().any(|column| column.null_count() > 0);
    let nulls = has_nulls.then(|| places.iter().map(|(column, row)| columns[*column].is_valid(*row)).collect::<NullBuffer>());
    Ok(Arc::new(FixedSizeBinaryArray::try_new(width, bytes.into(), nulls)?))
}

fn dictionary(columns: &[&dyn Array], places: impl Iterator<Item = (usize, usize)>) -> std::result::Result<ArrayRef, ArrowError> {
    let other_type = || ArrowError::SchemaError("a dictionary is not one of text with keys of 32 bits".into());
    let mut sources = Vec::with_capacity(columns.len());
    for column in columns {
        let column = column.as_dictionary_opt::<UInt32Type>().ok_or_else(other_type)?;
        let texts = column.values().as_string_opt::<i32>().ok_or_else(other_type)?;
        sources.push((column, texts, vec![None; texts.len()]));
    }
    let mut builder = NullableText::default();
    for (source, row) in places {
        let (column, texts, codes) = &mut sources[source];
        if column.is_null(row) {
            builder.push(None);
            continue;
        }
        let key = column.keys().value(row) as usize;
        let code = *codes[key].get_or_insert_with(|| builder.intern(texts.value(key)));
        builder.keys.push(Some(code));
    }
    builder.build()
}

/// Builds a dictionary of text that may be null.
#[derive(Debug, Default)]
pub(crate) struct NullableText {
    keys: Vec<Option<u32>>,
    codes: HashMap<Box<str>, u32>,
    texts: StringBuilder,
}

impl NullableText {
    /// Rows so far.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn push(&mut self, text: Option<&str>) {
        let code = text.map(|text| self.intern(text));
        self.keys.push(code);
    }

    /// Appends a text that is in the dictionary already; false if it is not.
    pub(crate) fn push_known(&mut self, text: &str) -> bool {
        let code = self.codes.get(text).copied();
        self.keys.extend(code.map(Some));
        code.is_some()
    }

    pub(crate) fn push_nulls(&mut self, rows: usize) {
        self.keys.resize(self.keys.len() + rows, None);
    }

    /// The column.
    ///
    /// # Errors
    /// `Internal`, which would be a bug.
    pub(crate) fn finish(self) -> Result<ArrayRef> {
        self.build().map_err(|error| Error::internal("cannot build a dictionary").with_source(error))
    }

    fn intern(&mut self, text: &str) -> u32 {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        let code = self.codes.len() as u32;
        self.codes.insert(text.into(), code);
        self.texts.append_value(text);
        code
    }

    fn build(mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(Arc::new(DictionaryArray::<UInt32Type>::try_new(UInt32Array::from(self.keys), Arc::new(self.texts.finish()))?))
    }
}
