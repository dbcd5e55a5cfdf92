//! Rebuilds the index of a segment from its columns.

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMillisecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signalbox_model::{Error, Result, schema};

use super::exemplars::labels_from_json;
use super::index::{Index, IndexBuilder};
use crate::format::OpenSegment;

/// Reads labels, times and starts of all rows.
pub(crate) fn index_of(segment: &OpenSegment) -> Result<Index> {
    let corrupt = |what: &str| Error::corrupt(format!("cannot rebuild the index of a segment: {what}"));
    let names = ["labels", schema::TIMESTAMP, schema::metrics::START_TIMESTAMP];
    let columns = ProjectionMask::columns(segment.metadata.metadata().file_metadata().schema_descr(), names);
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(segment.file.clone(), segment.metadata.clone())
        .with_projection(columns)
        .build()
        .map_err(|error| corrupt("its columns cannot be read").with_source(error))?;
    let (mut builder, mut current) = (IndexBuilder::default(), None::<String>);
    for rows in batches {
        let rows = rows.map_err(|error| corrupt("a page is damaged").with_source(error))?;
        let labels = rows.column_by_name("labels").ok_or_else(|| corrupt("it lacks labels"))?;
        let labels = cast(labels, &DataType::Utf8).map_err(|error| corrupt("labels are no text").with_source(error))?;
        let labels = labels.as_string_opt::<i32>().ok_or_else(|| corrupt("labels are no text"))?;
        let times = rows.column_by_name(schema::TIMESTAMP).and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
        let times = times.ok_or_else(|| corrupt("it lacks times"))?;
        let starts = rows.column_by_name(schema::metrics::START_TIMESTAMP);
        for at in 0..rows.num_rows() {
            let json = labels.value(at);
            if current.as_deref() != Some(json) {
                builder.close();
                builder.open(&labels_from_json(json).ok_or_else(|| corrupt("labels are no JSON"))?);
                current = Some(json.to_owned());
            }
            builder.push_row(times.value(at), starts.is_some_and(|starts| starts.is_valid(at)));
        }
    }
    builder.close();
    Ok(builder.finish())
}
