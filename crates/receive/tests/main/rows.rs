//! Rows as text, to compare and to read: one line a row, every column by name.

use std::fmt::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::DataType;
use signalbox_model::{Batch, Exemplar, Labels, MetricBatch, SeriesEntry};

/// All rows of batches.
pub(crate) fn lines(batches: &[Batch]) -> Vec<String> {
    batches.iter().flat_map(batch_lines).collect()
}

fn batch_lines(batch: &Batch) -> Vec<String> {
    match batch {
        Batch::Metrics(metrics) => metric_lines(metrics),
        Batch::Logs(logs) => record_lines(logs.rows()),
        Batch::Traces(spans) => record_lines(spans.rows()),
    }
}

pub(crate) fn record_lines(batch: &RecordBatch) -> Vec<String> {
    let columns = StructArray::from(batch.clone());
    (0..batch.num_rows()).map(|row| struct_text(&columns, row)).collect()
}

/// Fields that are null, zero or empty are left out.
fn struct_text(columns: &StructArray, row: usize) -> String {
    let fields = columns.fields().iter().zip(columns.columns());
    let texts = fields.filter_map(|(field, column)| cell_text(column, row).map(|text| format!("{}={text}", field.name())));
    texts.collect::<Vec<_>>().join(" ")
}

fn cell_text(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let number = |value: i128| (value != 0).then(|| value.to_string());
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row)).filter(|text| !text.is_empty()).map(|text| format!("{text:?}")),
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<UInt32Type>();
            cell_text(dictionary.values(), dictionary.keys().value(row) as usize)
        }
        DataType::Int32 => number(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => number(column.as_primitive::<Int64Type>().value(row).into()),
        DataType::UInt32 => number(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => number(column.as_primitive::<UInt64Type>().value(row).into()),
        DataType::Timestamp(..) => number(column.as_primitive::<TimestampNanosecondType>().value(row).into()),
        DataType::FixedSizeBinary(_) => Some(hex::encode(column.as_fixed_size_binary().value(row))),
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            let pairs: Vec<String> = (0..entries.len()).map(|at| format!("{}={:?}", keys.value(at), values.value(at))).collect();
            (!pairs.is_empty()).then(|| format!("{{{}}}", pairs.join(", ")))
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            let items: Vec<String> = (0..items.len()).map(|at| format!("({})", struct_text(items.as_struct(), at))).collect();
            (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
        }
        other => panic!("no column has type {other}"),
    }
}

pub(crate) fn labels_of(batch: &MetricBatch, index: u32) -> &Labels {
    match &batch.series[index as usize] {
        SeriesEntry::New { labels, .. } => labels,
        SeriesEntry::Known(_) => panic!("nothing is known in these tests"),
    }
}

/// Samples, increments, histograms, exemplars and metadata, sorted.
pub(crate) fn metric_lines(batch: &MetricBatch) -> Vec<String> {
    let mut lines = Vec::new();
    for (word, columns) in [("sample", &batch.samples), ("delta", &batch.deltas)] {
        for row in 0..columns.len() {
            let start = columns.start_ms.get(row).copied().unwrap_or(0);
            lines.push(sample_line(word, labels_of(batch, columns.series[row]), columns.ts_ms[row], columns.value[row], start));
        }
    }
    for sample in &batch.histograms {
        let word = if sample.is_delta { "histogram delta" } else { "histogram" };
        lines.push(format!("{word} {} {} start={} {:?}", labels_of(batch, sample.series), sample.ts_ms, sample.start_ms, sample.histogram));
    }
    lines.extend(batch.exemplars.iter().map(|exemplar| exemplar_line(labels_of(batch, exemplar.series), exemplar)));
    lines.extend(batch.metadata.iter().map(|metadata| format!("{metadata:?}")));
    lines.sort();
    lines
}

pub(crate) fn sample_line(word: &str, labels: &Labels, ts_ms: i64, value: f64, start_ms: i64) -> String {
    // NaN has many values, of which one means staleness.
    let value = if value.is_nan() { format!("NaN({:x})", value.to_bits()) } else { value.to_string() };
    format!("{word} {labels} {ts_ms} {value} start={start_ms}")
}

pub(crate) fn exemplar_line(labels: &Labels, exemplar: &Exemplar) -> String {
    let mut line = format!("exemplar {labels} {} {}", exemplar.ts_ms, exemplar.value);
    if let Some(trace_id) = exemplar.trace_id {
        write!(line, " trace={trace_id}").unwrap();
    }
    if let Some(span_id) = exemplar.span_id {
        write!(line, " span={span_id}").unwrap();
    }
    write!(line, " {}", exemplar.labels).unwrap();
    line
}
