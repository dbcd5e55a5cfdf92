//! The Arrow schemas of logs and spans, as they are in memory and at rest. Metrics: see [`metrics`].

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::{Error, Result};

pub mod logs;
pub mod metrics;
pub mod traces;

pub use logs::{PATTERN, logs, stored_logs};
pub use metrics::{exemplars, histograms, samples};
pub use traces::spans;

/// Column of time in every table.
pub const TIMESTAMP: &str = "timestamp";
/// Column of the arrival sequence in `logs` and `spans`: builders write 0, the store numbers the rows.
pub const SEQUENCE: &str = "sequence";
/// Column of `service.name`, the empty text when the resource has none.
pub const SERVICE: &str = "service";
/// Column of the resource as JSON text, see [`crate::attributes`].
pub const RESOURCE: &str = "resource";
/// Column of the instrumentation scope as JSON text.
pub const SCOPE: &str = "scope";
/// Column of the attributes of a row as a map of text.
pub const ATTRIBUTES: &str = "attributes";
/// Column of the types of the attributes, one letter an attribute in the order of the map; null when all are strings.
pub const ATTRIBUTE_TYPES: &str = "attribute_types";
/// Column at rest of the keys of the attributes of a row, in their order: a JSON array of texts, each the letter of the type and
/// behind it the key. Null where a row has all its attributes in the map.
pub const ATTRIBUTE_KEYS: &str = "attribute_keys";
/// What names of columns of one attribute begin with: behind it stands the key.
pub const ATTRIBUTE_PREFIX: &str = "attributes.";
/// Column of the trace identifier.
pub const TRACE_ID: &str = "trace_id";
/// Column of the span identifier.
pub const SPAN_ID: &str = "span_id";

/// Dictionary-encoded text, for columns with few distinct values.
pub fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
}

/// Nanoseconds since the Unix epoch.
pub fn nanoseconds() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// Milliseconds since the Unix epoch.
pub fn milliseconds() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Attributes: a map of text to text, keys as they came.
pub fn attribute_map() -> DataType {
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(attribute_fields()), false)), false)
}

pub(crate) fn attribute_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)])
}

pub(crate) fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// Index of a column by name.
///
/// # Panics
/// If the schema has no such column: names are constants of this module.
pub fn index(schema: &Schema, name: &str) -> usize {
    schema.index_of(name).expect("columns are named by constants of this module")
}

pub(crate) fn prove(rows: &RecordBatch, want: &SchemaRef) -> Result<()> {
    let got = rows.schema();
    let same = got.fields().len() == want.fields().len()
        && got.fields().iter().zip(want.fields()).all(|(got, want)| got.name() == want.name() && got.data_type() == want.data_type());
    if same { Ok(()) } else { Err(Error::internal(format!("cannot use rows with schema {got:?}: want {want:?}"))) }
}
