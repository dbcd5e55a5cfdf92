//! What a table looks like to SQL, and how rows at rest become its rows.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use signalbox_model::schema::{self, metrics};
use signalbox_model::{Error, Result, Table};

/// A table of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// Float samples.
    Metrics,
    /// Log records.
    Logs,
    /// Spans.
    Spans,
}

impl TableKind {
    pub(crate) const ALL: [Self; 3] = [Self::Metrics, Self::Logs, Self::Spans];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Spans => "spans",
        }
    }

    /// Where the rows rest.
    pub(crate) fn stored(self) -> Table {
        match self {
            Self::Metrics => Table::Samples,
            Self::Logs => Table::Logs,
            Self::Spans => Table::Spans,
        }
    }

    /// The columns that SQL sees. Those of logs and spans are those at rest; a metric has one value, however it rests.
    pub(crate) fn schema(self) -> SchemaRef {
        static METRICS: LazyLock<SchemaRef> = LazyLock::new(|| {
            Arc::new(Schema::new(vec![
                Field::new(metrics::NAME, schema::dictionary(), false),
                Field::new(metrics::LABELS, schema::dictionary(), false),
                Field::new(schema::TIMESTAMP, schema::milliseconds(), false),
                Field::new(metrics::VALUE, DataType::Float64, false),
                Field::new(metrics::START_TIMESTAMP, schema::milliseconds(), true),
            ]))
        });
        match self {
            Self::Metrics => METRICS.clone(),
            Self::Logs => schema::stored_logs(),
            Self::Spans => schema::spans(),
        }
    }

    fn stored_schema(self) -> SchemaRef {
        match self {
            Self::Metrics => schema::samples(),
            Self::Logs => schema::stored_logs(),
            Self::Spans => schema::spans(),
        }
    }

    /// Columns at rest that a column of the table is made of.
    fn sources(self, column: &str) -> Vec<usize> {
        let stored = self.stored_schema();
        match (self, column) {
            (Self::Metrics, metrics::VALUE) => {
                [metrics::MANTISSA, metrics::BASE, metrics::DIVISOR, metrics::VALUE].map(|name| schema::index(&stored, name)).to_vec()
            }
            _ => vec![schema::index(&stored, column)],
        }
    }
}

/// A projection of a table: which columns to read, and how to make the answer of them.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Columns to read, by index at rest, ascending, never none.
    pub(crate) stored: Vec<usize>,
    /// Schema of the answer.
    pub(crate) schema: SchemaRef,
    is_metrics: bool,
}

impl Shape {
    pub(crate) fn new(kind: TableKind, projection: Option<&[usize]>) -> Result<Self> {
        let full = kind.schema();
        let all: Vec<usize> = (0..full.fields().len()).collect();
        let schema = full.project(projection.unwrap_or(&all)).map_err(|error| Error::internal("cannot project the table").with_source(error))?;
        let mut stored: Vec<usize> = schema.fields().iter().flat_map(|field| kind.sources(field.name())).collect();
        if stored.is_empty() {
            // Counting rows needs some column; time is the smallest.
            stored = kind.sources(schema::TIMESTAMP);
        }
        stored.sort_unstable();
        stored.dedup();
        Ok(Self { stored, schema: Arc::new(schema), is_metrics: kind == TableKind::Metrics })
    }

    /// Makes rows of the table of rows at rest.
    pub(crate) fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let missing = |name: &str| Error::internal(format!("cannot read column {name}: the store did not return it"));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let column = rows.column_by_name(field.name()).ok_or_else(|| missing(field.name()))?;
            columns.push(if self.is_metrics && field.name() == metrics::VALUE { values(rows)? } else { Arc::clone(column) });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::internal("cannot shape rows of the table").with_source(error))
    }
}

/// The value of each sample.
fn values(rows: &RecordBatch) -> Result<ArrayRef> {
    let column = |name: &str| rows.column_by_name(name).ok_or_else(|| Error::internal(format!("cannot read column {name}: the store did not return it")));
    let (value, divisor) = (column(metrics::VALUE)?.as_primitive::<Float64Type>(), column(metrics::DIVISOR)?.as_primitive::<Float64Type>());
    let (mantissa, base) = (column(metrics::MANTISSA)?.as_primitive::<Int64Type>(), column(metrics::BASE)?.as_primitive::<Int64Type>());
    if mantissa.null_count() == rows.num_rows() {
        return Ok(Arc::new(value.clone()));
    }
    let parts = mantissa.iter().zip(base).zip(divisor.iter().zip(value));
    let made = parts.map(|((mantissa, base), (divisor, value))| metrics::value_of(mantissa, base, divisor, value));
    Ok(Arc::new(Float64Array::from_iter_values(made)))
}
