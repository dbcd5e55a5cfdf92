//! Columns of an export as they fill.

use std::sync::Arc;

use arrow::array::{ArrayBuilder, ArrayRef, Float64Builder, Int64Builder, MapBuilder, MapFieldNames, RecordBatch, StringBuilder, TimestampNanosecondBuilder};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Result};

use super::columns::Column;
use crate::search::Field;

/// Rows of a batch.
const ROWS_MAX: usize = 4_096;
/// Bytes of texts of a batch, about.
const BYTES_MAX: usize = 1 << 20;

const LINES: [&str; 7] = ["timestamp", "service", "level", "line", "trace_id", "span_id", "labels"];
const RECORDS: [&str; 8] = ["timestamp", "service", "level", "body", "trace_id", "span_id", "resource", "attributes"];

/// The batch that is being filled.
pub(super) struct Sheet {
    pub(super) columns: Vec<(Column, Cells)>,
    schema: SchemaRef,
}

/// Values of a column.
pub(super) enum Cells {
    Time(TimestampNanosecondBuilder),
    Text(StringBuilder),
    Count(Int64Builder),
    Number(Float64Builder),
    Map(Box<MapBuilder<StringBuilder, StringBuilder>>),
}

impl Sheet {
    /// Of what LogQL selects.
    ///
    /// # Errors
    /// `Invalid` for a name twice.
    pub(super) fn of_lines(fields: &[String]) -> Result<Self> {
        Self::new(fields, &LINES, |name| match name {
            "timestamp" => Column::Time(schema::TIMESTAMP),
            "service" => Column::Service,
            "level" => Column::Level,
            "line" => Column::Line,
            "trace_id" => Column::TraceId,
            "span_id" => Column::SpanId,
            "labels" => Column::Labels,
            _ => Column::Label(name.strip_prefix("labels.").unwrap_or(name).to_owned()),
        })
    }

    /// Of what a search selects.
    ///
    /// # Errors
    /// As [`Self::of_lines`].
    pub(super) fn of_records(fields: &[String]) -> Result<Self> {
        Self::new(fields, &RECORDS, |name| match name {
            "resource" => Column::Resource,
            "attributes" => Column::Attributes,
            _ => match Field::named(name) {
                Field::Timestamp => Column::Time(schema::TIMESTAMP),
                Field::ObservedTimestamp => Column::Time(logs::OBSERVED_TIMESTAMP),
                Field::Service => Column::Service,
                Field::Level => Column::Level,
                Field::Body => Column::Body,
                Field::TraceId => Column::TraceId,
                Field::SpanId => Column::SpanId,
                field => Column::field(field),
            },
        })
    }

    /// Of spans that TraceQL selects.
    pub(super) fn of_spans() -> Self {
        let told = |name: &str, cells: Cells| (Column::Told, cells, name.to_owned());
        Self::filled(vec![
            told("timestamp", Cells::times()),
            told("duration_ns", Cells::Count(Int64Builder::new())),
            told("service", Cells::texts()),
            told("name", Cells::texts()),
            told("trace_id", Cells::texts()),
            told("span_id", Cells::texts()),
            told("parent_span_id", Cells::texts()),
            told("attributes", Cells::maps()),
            told("set", Cells::maps()),
        ])
    }

    /// Of series.
    pub(super) fn of_series() -> Self {
        let told = |name: &str, cells: Cells| (Column::Told, cells, name.to_owned());
        Self::filled(vec![told("timestamp", Cells::times()), told("labels", Cells::maps()), told("value", Cells::Number(Float64Builder::new()))])
    }

    /// Of columns that nobody reads from storage; all but identifiers have a value in each row.
    fn filled(columns: Vec<(Column, Cells, String)>) -> Self {
        let fields = columns.iter().map(|(_, cells, name)| ArrowField::new(name, cells.data_type(), name.ends_with("_id")));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { columns: columns.into_iter().map(|(column, cells, _)| (column, cells)).collect(), schema }
    }

    fn new(fields: &[String], all: &[&str], column: impl Fn(&str) -> Column) -> Result<Self> {
        let names: Vec<&str> = if fields.is_empty() { all.to_vec() } else { fields.iter().map(String::as_str).collect() };
        if let Some(twice) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
            return Err(Error::invalid(format!("cannot export the field {twice:?} twice")));
        }
        let columns: Vec<(Column, Cells)> =
            names.iter().map(|name| column(name)).map(|column| (column.cells(), column)).map(|(cells, column)| (column, cells)).collect();
        let is_null = |column: &Column| !matches!(column, Column::Time(schema::TIMESTAMP));
        let fields = names.iter().zip(&columns).map(|(name, (column, cells))| ArrowField::new(*name, cells.data_type(), is_null(column)));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { columns, schema })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, cells)| cells.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// Whether it is time to [`Self::finish`] it.
    pub(super) fn is_full(&mut self) -> bool {
        self.rows() >= ROWS_MAX || self.columns.iter_mut().map(|(_, cells)| cells.bytes()).sum::<usize>() >= BYTES_MAX
    }

    /// The rows so far; the sheet is empty after.
    pub(super) fn finish(&mut self) -> Result<RecordBatch> {
        let columns = self.columns.iter_mut().map(|(_, cells)| cells.finish()).collect();
        RecordBatch::try_new(self.schema(), columns).map_err(|error| Error::internal("cannot make a batch of an export").with_source(error))
    }
}

impl Cells {
    pub(super) fn times() -> Self {
        Self::Time(TimestampNanosecondBuilder::new().with_data_type(schema::nanoseconds()))
    }

    pub(super) fn texts() -> Self {
        Self::Text(StringBuilder::new())
    }

    pub(super) fn maps() -> Self {
        let names = MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
        Self::Map(Box::new(MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())))
    }

    /// Appends an instant in nanoseconds.
    pub(super) fn time(&mut self, time_ns: Option<i64>) {
        if let Self::Time(times) = self {
            times.append_option(time_ns);
        }
    }

    /// Appends a text.
    pub(super) fn text(&mut self, text: Option<&str>) {
        if let Self::Text(texts) = self {
            texts.append_option(text);
        }
    }

    /// Appends a whole number.
    pub(super) fn count(&mut self, count: i64) {
        if let Self::Count(counts) = self {
            counts.append_value(count);
        }
    }

    /// Appends a number.
    pub(super) fn number(&mut self, number: f64) {
        if let Self::Number(numbers) = self {
            numbers.append_value(number);
        }
    }

    /// Appends a map.
    ///
    /// # Errors
    /// `Internal` if the batch has too many entries.
    pub(super) fn map<'a>(&mut self, entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<()> {
        if let Self::Map(maps) = self {
            for (key, value) in entries {
                maps.keys().append_value(key);
                maps.values().append_value(value);
            }
            maps.append(true).map_err(|error| Error::internal("cannot append attributes to an export").with_source(error))?;
        }
        Ok(())
    }

    fn len(&self) -> usize {
        match self {
            Self::Time(times) => times.len(),
            Self::Text(texts) => texts.len(),
            Self::Count(counts) => counts.len(),
            Self::Number(numbers) => numbers.len(),
            Self::Map(maps) => maps.len(),
        }
    }

    fn bytes(&mut self) -> usize {
        match self {
            Self::Time(times) => 8 * times.len(),
            Self::Text(texts) => texts.values_slice().len(),
            Self::Count(counts) => 8 * counts.len(),
            Self::Number(numbers) => 8 * numbers.len(),
            Self::Map(maps) => {
                let (keys, values) = maps.entries();
                keys.values_slice().len() + values.values_slice().len()
            }
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Time(_) => schema::nanoseconds(),
            Self::Text(_) => DataType::Utf8,
            Self::Count(_) => DataType::Int64,
            Self::Number(_) => DataType::Float64,
            Self::Map(_) => schema::attribute_map(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Time(times) => Arc::new(times.finish()),
            Self::Text(texts) => Arc::new(texts.finish()),
            Self::Count(counts) => Arc::new(counts.finish()),
            Self::Number(numbers) => Arc::new(numbers.finish()),
            Self::Map(maps) => Arc::new(maps.finish()),
        }
    }
}
