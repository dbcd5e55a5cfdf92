//! Columns of metrics at rest. In memory the head keeps the samples of a series together instead.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, SchemaRef};

use super::{SPAN_ID, TIMESTAMP, TRACE_ID, dictionary, milliseconds, schema};

/// Metric name, a dictionary: rows are sorted by name first, so that a name is one run.
pub const NAME: &str = "name";
/// All labels (the name included) as a JSON object of text, keys sorted; a dictionary, one run a series.
pub const LABELS: &str = "labels";
/// Decimal mantissa: the value is `(base + mantissa) / divisor`, exactly, see [`value_of`]; null when `value` alone holds it.
pub const MANTISSA: &str = "mantissa";
/// What the mantissas of a run of rows of one series are counted from; null with them.
pub const BASE: &str = "base";
/// A product of powers of two (also negative ones) and five; null with the mantissa.
pub const DIVISOR: &str = "divisor";
/// Value where no short decimal form is exact; what the decimal lacks of it, where that is little; null where it is exact.
pub const VALUE: &str = "value";
/// Start of the counter, null when unknown.
pub const START_TIMESTAMP: &str = "start_timestamp";

/// The value of a row of `samples`, bit for bit: two or three operations on doubles, in this order.
pub fn value_of(mantissa: Option<i64>, base: Option<i64>, divisor: Option<f64>, value: Option<f64>) -> f64 {
    let decimal = mantissa.map(|mantissa| base.unwrap_or(0).wrapping_add(mantissa) as f64 / divisor.unwrap_or(1.0));
    match (decimal, value) {
        (Some(decimal), Some(rest)) => decimal + rest,
        (Some(decimal), None) => decimal,
        (None, value) => value.unwrap_or(f64::NAN),
    }
}

/// The schema of `samples`. Sorted by (name, labels, timestamp).
pub fn samples() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema(vec![
            Field::new(NAME, dictionary(), false),
            Field::new(LABELS, dictionary(), false),
            Field::new(TIMESTAMP, milliseconds(), false),
            Field::new(MANTISSA, DataType::Int64, true),
            Field::new(BASE, DataType::Int64, true),
            Field::new(DIVISOR, DataType::Float64, true),
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
