//! Conditions that a segment checks row by row: other columns are read only where these hold.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn};
use parquet::schema::types::SchemaDescriptor;
use signalbox_model::{TraceId, schema};

use crate::format::rows::{OpenRows, column_of};
use crate::scan::{Chosen, ScanRequest};

/// The conditions of a request, the ones that cost least to check first.
pub(super) fn predicates(opened: &OpenRows, request: &ScanRequest) -> Vec<Box<dyn ArrowPredicate>> {
    let file = Columns(opened.segment.metadata.parquet_schema());
    if let Some(chosen) = &request.chosen {
        return file.chosen(chosen.clone()).into_iter().collect();
    }
    if !request.of_traces().is_empty() {
        return file.traces(request.of_traces().to_vec()).into_iter().collect();
    }
    let spans = &request.spans;
    let few = [file.numbers(schema::traces::STATUS_CODE, &spans.status_codes), file.numbers(schema::traces::KIND, &spans.kinds)];
    let texts = [file.texts(schema::SERVICE, &request.services), file.texts(schema::traces::NAME, &spans.names)];
    let durations = if spans.has_durations() { file.durations(request) } else { None };
    few.into_iter().chain(texts).chain([durations]).flatten().collect()
}

/// The columns of a file.
struct Columns<'a>(&'a SchemaDescriptor);

impl Columns<'_> {
    fn predicate(&self, names: &[&str], keep: impl FnMut(RecordBatch) -> Result<BooleanArray, ArrowError> + Send + 'static) -> Option<Box<dyn ArrowPredicate>> {
        let columns = names.iter().map(|name| column_of(self.0, name)).collect::<Option<Vec<_>>>()?;
        Some(Box::new(ArrowPredicateFn::new(ProjectionMask::leaves(self.0, columns), keep)))
    }

    fn chosen(&self, chosen: Chosen) -> Option<Box<dyn ArrowPredicate>> {
        self.predicate(&[schema::TIMESTAMP, schema::SEQUENCE], move |rows| is_chosen(&rows, &chosen).ok_or_else(other_type))
    }

    fn traces(&self, wanted: Vec<TraceId>) -> Option<Box<dyn ArrowPredicate>> {
        self.predicate(&[schema::TRACE_ID], move |rows| {
            let traces = rows.column(0).as_fixed_size_binary_opt().ok_or_else(other_type)?;
            let is_wanted = |id: &[u8]| wanted.binary_search_by(|trace| trace.as_bytes().as_slice().cmp(id)).is_ok();
            Ok((0..traces.len()).map(|row| Some(traces.is_valid(row) && is_wanted(traces.value(row)))).collect())
        })
    }

    fn numbers(&self, name: &str, wanted: &[i32]) -> Option<Box<dyn ArrowPredicate>> {
        if wanted.is_empty() {
            return None;
        }
        let wanted = wanted.to_vec();
        self.predicate(&[name], move |rows| {
            let numbers = rows.column(0).as_primitive_opt::<Int32Type>().ok_or_else(other_type)?;
            Ok(BooleanArray::from_unary(numbers, |number| wanted.contains(&number)))
        })
    }

    fn texts(&self, name: &str, wanted: &[String]) -> Option<Box<dyn ArrowPredicate>> {
        if wanted.is_empty() {
            return None;
        }
        let wanted = wanted.to_vec();
        self.predicate(&[name], move |rows| {
            let column = rows.column(0).as_dictionary_opt::<UInt32Type>().ok_or_else(other_type)?;
            let texts = column.values().as_string_opt::<i32>().ok_or_else(other_type)?;
            let is_wanted: Vec<bool> = texts.iter().map(|text| wanted.iter().any(|wanted| Some(wanted.as_str()) == text)).collect();
            let keys = column.keys();
            Ok(BooleanArray::from_unary(keys, |key| is_wanted.get(key as usize).copied().unwrap_or(false)))
        })
    }

    fn durations(&self, request: &ScanRequest) -> Option<Box<dyn ArrowPredicate>> {
        let wanted = request.spans.duration_ns.clone();
        self.predicate(&[schema::traces::DURATION_NS], move |rows| {
            let durations = rows.column(0).as_primitive_opt::<Int64Type>().ok_or_else(other_type)?;
            Ok(BooleanArray::from_unary(durations, |duration| wanted.contains(&duration)))
        })
    }
}

/// Which rows were chosen; `None` if the columns of time and arrival are others.
pub(super) fn is_chosen(rows: &RecordBatch, chosen: &Chosen) -> Option<BooleanArray> {
    let times = rows.column_by_name(schema::TIMESTAMP)?.as_primitive_opt::<TimestampNanosecondType>()?.values();
    let sequences = rows.column_by_name(schema::SEQUENCE)?.as_primitive_opt::<UInt64Type>()?.values();
    Some(times.iter().zip(sequences.iter()).map(|(time, sequence)| Some(chosen.contains(*time, *sequence))).collect())
}

fn other_type() -> ArrowError {
    ArrowError::SchemaError("a column has another type".into())
}
