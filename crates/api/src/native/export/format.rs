//! Rows as files of several formats, piece by piece.

use std::collections::HashSet;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use signalbox_model::{Error, Result};
use signalbox_query::export::ParquetRows;

use crate::native::render::{Quotes, arrow_error, write_csv, write_key, write_value};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Ndjson,
    Csv,
    Parquet,
    Arrow,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ndjson" => Self::Ndjson,
            "csv" => Self::Csv,
            "parquet" => Self::Parquet,
            "arrow" => Self::Arrow,
            _ => return None,
        })
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// What names of such files end in.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrows",
        }
    }
}

/// Writes a file.
pub(super) enum Writer {
    Ndjson,
    Csv,
    Parquet(Box<ParquetRows>),
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Writer {
    /// The writer, and what comes before the first row.
    ///
    /// # Errors
    /// `Invalid` for two columns of one name, or of a type that the format has not.
    pub(super) fn new(format: Format, schema: &SchemaRef) -> Result<(Self, Vec<u8>)> {
        let mut names = HashSet::new();
        if let Some(twice) = schema.fields().iter().find(|field| !names.insert(field.name())) {
            return Err(Error::invalid(format!("cannot export two columns named {:?}: give one another name with AS", twice.name())));
        }
        Ok(match format {
            Format::Ndjson => (Self::Ndjson, Vec::new()),
            Format::Csv => {
                let mut line = String::new();
                schema.fields().iter().enumerate().for_each(|(position, field)| write_csv(&mut line, position, field.name()));
                line.push('\n');
                (Self::Csv, line.into_bytes())
            }
            Format::Parquet => (Self::Parquet(Box::new(ParquetRows::new(schema)?)), Vec::new()),
            Format::Arrow => {
                let mut writer = StreamWriter::try_new(Vec::new(), schema).map_err(arrow_error)?;
                let bytes = std::mem::take(writer.get_mut());
                (Self::Arrow(Box::new(writer)), bytes)
            }
        })
    }

    /// What is to be sent of some rows and those before.
    pub(super) fn rows(&mut self, rows: &RecordBatch) -> Result<Vec<u8>> {
        match self {
            Self::Ndjson => ndjson(rows),
            Self::Csv => csv(rows),
            Self::Parquet(writer) => writer.rows(rows),
            Self::Arrow(writer) => {
                writer.write(rows).and_then(|()| writer.flush()).map_err(arrow_error)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    /// What comes after the last row.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Ndjson | Self::Csv => Ok(Vec::new()),
            Self::Parquet(writer) => writer.finish(),
            Self::Arrow(mut writer) => {
                writer.finish().map_err(arrow_error)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }
}

fn ndjson(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut text = String::new();
    let schema = rows.schema_ref();
    for row in 0..rows.num_rows() {
        text.push('{');
        for (position, (field, column)) in schema.fields().iter().zip(rows.columns()).enumerate() {
            write_key(&mut text, position, field.name());
            write_value(&mut text, column, row, Quotes::Always)?;
        }
        text.push_str("}\n");
    }
    Ok(text.into_bytes())
}

fn csv(rows: &RecordBatch) -> Result<Vec<u8>> {
    let (mut text, mut value) = (String::new(), String::new());
    for row in 0..rows.num_rows() {
        for (position, column) in rows.columns().iter().enumerate() {
            value.clear();
            if !column.is_null(row) {
                write_value(&mut value, column, row, Quotes::NestedOnly)?;
            }
            // A line with nothing at all is no row to many readers.
            if value.is_empty() && rows.num_columns() == 1 {
                text.push_str("\"\"");
            } else {
                write_csv(&mut text, position, &value);
            }
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}
