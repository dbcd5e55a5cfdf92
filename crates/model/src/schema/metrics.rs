//! Columns of metrics at rest. In memory the head keeps the samples of a series together instead.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, SchemaRef};

use super::{SPAN_ID, TIMESTAMP, TRACE_ID, dictionary, milliseconds, schema};

/// Metric name, a dictionary: rows are sorted by name first, so that a name is one run.
pub const NAME: &str = "name";
/// All labels (the name included) as a JSON object of text, keys sorted; a dictionary, one run a series.
pub const LABELS: &str = "labels";
/// Decimal mantissa: the value is `mantissa / 10^exponent`, exactly; null when `value` holds it.
pub const MANTISSA: &str = "mantissa";
/// Decimal exponent, 0 to 18.
pub const EXPONENT: &str = "exponent";
/// Value where no short decimal form is exact; null when mantissa and exponent hold it.
pub const VALUE: &str = "value";
/// Start of the counter, null when unknown.
pub const START_TIMESTAMP: &str = "start_timestamp";

/// The schema of `samples`. Sorted by (name, labels, timestamp).
pub fn samples() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema(vec![
            Field::new(NAME, dictionary(), false),
            Field::new(LABELS, dictionary(), false),
            Field::new(TIMESTAMP, milliseconds(), false),
            Field::new(MANTISSA, DataType::Int64, true),
            Field::new(EXPONENT, DataType::Int32, true),
            Field::new(VALUE, DataType::Float64, true),
            Field::new(START_TIMESTAMP, milliseconds(), true),
        ])
    });
    SCHEMA.clone()
}

/// The schema of `histograms` (native histograms). Sorted as `samples`.
pub fn histograms() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, false)));
        schema(vec![
            Field::new(NAME, dictionary(), false),
            Field::new(LABELS, dictionary(), false),
            Field::new(TIMESTAMP, milliseconds(), false),
            Field::new(START_TIMESTAMP, milliseconds(), true),
            Field::new("schema", DataType::Int32, false),
            Field::new("zero_threshold", DataType::Float64, false),
            Field::new("zero_count", DataType::Float64, false),
            Field::new("count", DataType::Float64, false),
            Field::new("sum", DataType::Float64, false),
            Field::new("is_integer", DataType::Boolean, false),
            Field::new("reset_hint", DataType::Int32, false),
            Field::new("positive_offsets", list(DataType::Int32), false),
            Field::new("positive_lengths", list(DataType::UInt32), false),
            Field::new("positive_buckets", list(DataType::Float64), false),
            Field::new("negative_offsets", list(DataType::Int32), false),
            Field::new("negative_lengths", list(DataType::UInt32), false),
            Field::new("negative_buckets", list(DataType::Float64), false),
            Field::new("custom_values", list(DataType::Float64), false),
        ])
    });
    SCHEMA.clone()
}

/// The schema of `exemplars`. Sorted as `samples`.
pub fn exemplars() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema(vec![
            Field::new(NAME, dictionary(), false),
            Field::new(LABELS, dictionary(), false),
            Field::new(TIMESTAMP, milliseconds(), false),
            Field::new(VALUE, DataType::Float64, false),
            Field::new(TRACE_ID, DataType::FixedSizeBinary(16), true),
            Field::new(SPAN_ID, DataType::FixedSizeBinary(8), true),
            Field::new("exemplar_labels", DataType::Utf8, false),
        ])
    });
    SCHEMA.clone()
}
