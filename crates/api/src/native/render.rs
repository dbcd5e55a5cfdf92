//! Rows of Arrow as JSON, CSV or an Arrow stream.
//!
//! | Arrow | JSON |
//! |---|---|
//! | integers | number; a string beyond 2^53, where JavaScript would round |
//! | floats | number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | timestamps | RFC 3339 with as many digits as the unit has |
//! | bytes | lowercase hexadecimal digits |
//! | lists, structs, maps | arrays, objects |
//! | all else | text as Arrow prints it |
//!
//! CSV holds the same texts without quotes of JSON around strings.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, SchemaRef, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::ipc::writer::StreamWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Deserialize;
use signalbox_model::attributes::{double_text, write_json_string};
use signalbox_model::{Error, ErrorKind, Result};

/// The largest integer that a double holds exactly, with all smaller ones.
const EXACT_MAX: u64 = 1 << 53;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Json,
    Csv,
    Arrow,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    pub(super) fn of_content_type(text: &str) -> Option<Self> {
        match text {
            "application/json" => Some(Self::Json),
            "text/csv" => Some(Self::Csv),
            "application/vnd.apache.arrow.stream" => Some(Self::Arrow),
            _ => None,
        }
    }
}

/// `{"kind": "...", "message": "..."}`.
pub(super) fn error_json(error: &Error) -> serde_json::Value {
    let kind = match error.kind() {
        ErrorKind::Invalid => "invalid",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Denied => "denied",
        ErrorKind::Limit => "limit",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Canceled => "canceled",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::Internal => "internal",
    };
    serde_json::json!({ "kind": kind, "message": error.message() })
}

/// Writes an answer piece by piece.
pub(super) struct Renderer {
    format: Format,
    schema: SchemaRef,
    rows: u64,
    arrow: Option<StreamWriter<Vec<u8>>>,
}

impl Renderer {
    pub(super) fn new(format: Format, schema: &SchemaRef) -> Self {
        Self { format, schema: Arc::clone(schema), rows: 0, arrow: None }
    }

    /// What comes before the first row.
    pub(super) fn start(&mut self) -> Result<Vec<u8>> {
        let names = self.schema.fields().iter().map(|field| field.name());
        match self.format {
            Format::Json => {
                let columns = self.schema.fields().iter().map(|field| serde_json::json!({ "name": field.name(), "type": type_word(field.data_type()) }));
                Ok(format!("{{\"columns\":{},\"rows\":[", serde_json::Value::from_iter(columns)).into_bytes())
            }
            Format::Csv => {
                let mut line = String::new();
                for (position, name) in names.enumerate() {
                    write_csv(&mut line, position, name);
                }
                line.push('\n');
                Ok(line.into_bytes())
            }
            Format::Arrow => {
                let mut writer = StreamWriter::try_new(Vec::new(), &self.schema).map_err(arrow_error)?;
                let bytes = std::mem::take(writer.get_mut());
                self.arrow = Some(writer);
                Ok(bytes)
            }
        }
    }

    /// Some rows.
    pub(super) fn rows(&mut self, rows: &RecordBatch) -> Result<Vec<u8>> {
        let mut text = String::new();
        match (self.format, &mut self.arrow) {
            (Format::Arrow, Some(writer)) => {
                writer.write(rows).and_then(|()| writer.flush()).map_err(arrow_error)?;
                self.rows += rows.num_rows() as u64;
                return Ok(std::mem::take(writer.get_mut()));
            }
            (Format::Csv, _) => {
                for row in 0..rows.num_rows() {
                    for (position, column) in rows.columns().iter().enumerate() {
                        let mut value = String::new();
                        write_value(&mut value, column, row, Quotes::NestedOnly)?;
                        write_csv(&mut text, position, if column.is_null(row) { "" } else { &value });
                    }
                    text.push('\n');
                }
            }
            _ => {
                for row in 0..rows.num_rows() {
                    text.push_str(if self.rows == 0 && row == 0 { "[" } else { ",[" });
                    for (position, column) in rows.columns().iter().enumerate() {
                        if position > 0 {
                            text.push(',');
                        }
                        write_value(&mut text, column, row, Quotes::Always)?;
                    }
                    text.push(']');
                }
            }
        }
        self.rows += rows.num_rows() as u64;
        Ok(text.into_bytes())
    }

    /// What comes after the last row.
    pub(super) fn finish(&mut self, is_cut: bool, seconds: f64) -> Result<Vec<u8>> {
        match (self.format, self.arrow.take()) {
            (Format::Json, _) => Ok(format!("],\"stats\":{}}}", self.stats(is_cut, seconds)).into_bytes()),
            (_, _) if is_cut => Err(Error::limit(format!("the answer has more than {} rows", self.rows))),
            (Format::Arrow, Some(mut writer)) => {
                writer.finish().map_err(arrow_error)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What comes when no more rows can be found.
    pub(super) fn fail(&mut self, error: &Error, seconds: f64) -> Result<Vec<u8>> {
        tracing::warn!("cannot answer a SQL query to its end: {error}");
        match self.format {
            Format::Json => Ok(format!("],\"stats\":{},\"error\":{}}}", self.stats(true, seconds), error_json(error)).into_bytes()),
            _ => Err(Error::new(error.kind(), error.message())),
        }
    }

    fn stats(&self, is_cut: bool, seconds: f64) -> serde_json::Value {
        serde_json::json!({ "rows": self.rows, "truncated": is_cut, "seconds": seconds })
    }
}

pub(super) fn write_csv(line: &mut String, position: usize, value: &str) {
    if position > 0 {
        line.push(',');
    }
    if value.contains(['"', ',', '\n', '\r']) {
        line.push('"');
        line.push_str(&value.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(value);
    }
}

/// Which texts have quotes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Quotes {
    Always,
    /// Those inside of lists, structs and maps.
    NestedOnly,
}

pub(super) fn write_value(out: &mut String, array: &dyn Array, row: usize, quotes: Quotes) -> Result<()> {
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let key = match dictionary.keys().as_primitive_opt::<UInt32Type>() {
                Some(keys) => keys.value(row) as usize,
                None => dictionary.normalized_keys()[row],
            };
            return write_value(out, dictionary.values(), key, quotes);
        }
        DataType::Utf8 => write_text(out, array.as_string::<i32>().value(row), quotes),
        DataType::LargeUtf8 => write_text(out, array.as_string::<i64>().value(row), quotes),
        DataType::Utf8View => write_text(out, array.as_string_view().value(row), quotes),
        DataType::Boolean => out.push_str(if array.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Int8 => write_int(out, i64::from(array.as_primitive::<Int8Type>().value(row)), quotes),
        DataType::Int16 => write_int(out, i64::from(array.as_primitive::<Int16Type>().value(row)), quotes),
        DataType::Int32 => write_int(out, i64::from(array.as_primitive::<Int32Type>().value(row)), quotes),
        DataType::Int64 => write_int(out, array.as_primitive::<Int64Type>().value(row), quotes),
        DataType::UInt8 => write_int(out, array.as_primitive::<UInt8Type>().value(row), quotes),
        DataType::UInt16 => write_int(out, array.as_primitive::<UInt16Type>().value(row), quotes),
        DataType::UInt32 => write_int(out, array.as_primitive::<UInt32Type>().value(row), quotes),
        DataType::UInt64 => write_int(out, array.as_primitive::<UInt64Type>().value(row), quotes),
        DataType::Float32 => write_float(out, f64::from(array.as_primitive::<Float32Type>().value(row)), quotes),
        DataType::Float64 => write_float(out, array.as_primitive::<Float64Type>().value(row), quotes),
        DataType::Binary => write_text(out, &hex::encode(array.as_binary::<i32>().value(row)), quotes),
        DataType::FixedSizeBinary(_) => write_text(out, &hex::encode(array.as_fixed_size_binary().value(row)), quotes),
        DataType::List(_) => write_list(out, &array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => write_list(out, &array.as_list::<i64>().value(row))?,
        DataType::FixedSizeList(_, _) => write_list(out, &array.as_fixed_size_list().value(row))?,
        DataType::Map(_, _) => write_map(out, &array.as_map().value(row))?,
        DataType::Struct(_) => {
            let fields = array.as_struct();
            out.push('{');
            for (position, (name, column)) in fields.column_names().iter().zip(fields.columns()).enumerate() {
                write_key(out, position, name);
                write_value(out, column, row, Quotes::Always)?;
            }
            out.push('}');
        }
        _ => {
            let formatter = ArrayFormatter::try_new(array, &FormatOptions::new()).map_err(arrow_error)?;
            write_text(out, &formatter.value(row).to_string(), quotes);
        }
    }
    Ok(())
}

fn write_list(out: &mut String, items: &dyn Array) -> Result<()> {
    out.push('[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(',');
        }
        write_value(out, items, item, Quotes::Always)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(out: &mut String, entries: &arrow::array::StructArray) -> Result<()> {
    out.push('{');
    for entry in 0..entries.len() {
        let mut key = String::new();
        write_value(&mut key, entries.column(0), entry, Quotes::NestedOnly)?;
        write_key(out, entry, &key);
        write_value(out, entries.column(1), entry, Quotes::Always)?;
    }
    out.push('}');
    Ok(())
}

pub(super) fn write_key(out: &mut String, position: usize, key: &str) {
    if position > 0 {
        out.push(',');
    }
    write_json_string(out, key);
    out.push(':');
}

fn write_text(out: &mut String, text: &str, quotes: Quotes) {
    match quotes {
        Quotes::Always => write_json_string(out, text),
        Quotes::NestedOnly => out.push_str(text),
    }
}

fn write_int(out: &mut String, value: impl Into<i128>, quotes: Quotes) {
    let value: i128 = value.into();
    if value.unsigned_abs() <= u128::from(EXACT_MAX) { out.push_str(&value.to_string()) } else { write_text(out, &value.to_string(), quotes) }
}

fn write_float(out: &mut String, value: f64, quotes: Quotes) {
    if value.is_finite() { out.push_str(&double_text(value)) } else { write_text(out, &double_text(value), quotes) }
}

fn type_word(data_type: &DataType) -> String {
    match data_type {
        DataType::Dictionary(_, value) => return type_word(value),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::Timestamp(_, _) => "timestamp",
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => "binary",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => "list",
        DataType::Map(_, _) => "map",
        DataType::Struct(_) => "struct",
        DataType::Date32 | DataType::Date64 => "date",
        other => return other.to_string().to_ascii_lowercase(),
    }
    .to_owned()
}

pub(super) fn arrow_error(error: arrow::error::ArrowError) -> Error {
    Error::internal("cannot write rows").with_source(error)
}
