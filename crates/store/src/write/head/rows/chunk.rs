//! Rows of the head that do not change any more.

use std::sync::OnceLock;

use arrow::array::{Array, AsArray, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, TimestampNanosecondType, UInt32Type, UInt64Type};
use memchr::memmem::Finder;
use signalbox_model::{Error, Result, TimeRange, TraceId, schema};

use crate::format::rows::fingerprint;
use crate::scan::{Carried, SharedTest};

/// Below so many rows looking at all of them is as fast as looking them up.
const LOOKUP_ROWS_MIN: usize = 2048;

/// Rows with the bounds of their times.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) rows: RecordBatch,
    pub(crate) range: TimeRange,
    /// Fingerprints of traces with their rows, sorted; made when a trace is first looked up.
    traces: OnceLock<Box<[(u32, u32)]>>,
}

impl Chunk {
    pub(super) fn new(rows: RecordBatch) -> Result<Self> {
        let times = rows.column_by_name(schema::TIMESTAMP).and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
        let times = times.ok_or_else(|| Error::internal("cannot keep rows: they have no timestamps"))?.values();
        let bounds = times.iter().fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(*time), max.max(*time)));
        Ok(Self { range: TimeRange::from_ns(bounds.0, bounds.1), rows, traces: OnceLock::new() })
    }

    /// Whether a row may be of one of the services; no services means any.
    pub(crate) fn may_have_service(&self, services: &[String]) -> bool {
        let column = self.rows.column_by_name(schema::SERVICE).and_then(|column| column.as_dictionary_opt::<UInt32Type>());
        let Some(values) = column.and_then(|column| column.values().as_string_opt::<i32>()) else { return true };
        services.is_empty() || values.iter().flatten().any(|value| services.iter().any(|service| service == value))
    }

    /// The arrival number of the last row: rows of the head lie in the order of their arrival.
    pub(crate) fn last_number(&self) -> Option<u64> {
        let numbers = self.rows.column_by_name(schema::SEQUENCE).and_then(|column| column.as_primitive_opt::<UInt64Type>())?;
        numbers.values().last().copied()
    }

    /// Whether a row may carry one of some values.
    pub(crate) fn may_carry(&self, carried: &Carried) -> bool {
        if carried.trace_id.is_some_and(|trace| !self.rows_of_trace(&trace).is_empty()) {
            return true;
        }
        let column = |name: &str| self.rows.column_by_name(name);
        let has_items = |name: &str| column(name).and_then(|column| column.as_list_opt::<i32>()).is_none_or(|lists| !lists.values().is_empty());
        if carried.in_items && (has_items(schema::traces::EVENTS) || has_items(schema::traces::LINKS)) {
            return true;
        }
        let is_shared = |name: &str, is_shared: &SharedTest| {
            let texts = column(name).and_then(|column| column.as_dictionary_opt::<UInt32Type>()).and_then(|column| column.values().as_string_opt::<i32>());
            texts.is_none_or(|texts| texts.iter().flatten().any(|text| is_shared(name, text)))
        };
        if carried.is_shared.as_ref().is_some_and(|test| is_shared(schema::RESOURCE, test) || is_shared(schema::SCOPE, test)) {
            return true;
        }
        let mut texts: Vec<&StringArray> = Vec::new();
        for name in [schema::ATTRIBUTES, schema::logs::EVENT_NAME, schema::logs::BODY, schema::traces::NAME, schema::traces::STATUS_MESSAGE] {
            match column(name).map(|column| (column.as_ref(), column.data_type())) {
                Some((column, DataType::Utf8)) => texts.extend(column.as_string_opt::<i32>()),
                Some((column, DataType::Map(_, _))) => texts.extend(column.as_map().values().as_string_opt::<i32>()),
                Some((column, _)) => texts.extend(column.as_dictionary_opt::<UInt32Type>().and_then(|column| column.values().as_string_opt::<i32>())),
                None => {}
            }
        }
        // All texts of a column are searched as one.
        carried.phrases.iter().any(|phrase| {
            let finder = Finder::new(&phrase.text);
            !phrase.is_case_sensitive || texts.iter().any(|texts| finder.find(texts.value_data()).is_some())
        })
    }

    /// The rows of a trace, ascending.
    pub(crate) fn rows_of_trace(&self, trace: &TraceId) -> Vec<u32> {
        let Some(ids) = self.rows.column_by_name(schema::TRACE_ID).and_then(|column| column.as_fixed_size_binary_opt()) else { return Vec::new() };
        let is_wanted = |row: &u32| ids.is_valid(*row as usize) && ids.value(*row as usize) == trace.as_bytes();
        if ids.len() < LOOKUP_ROWS_MIN {
            return (0..ids.len() as u32).filter(is_wanted).collect();
        }
        let traces = self.traces.get_or_init(|| index(ids));
        let wanted = fingerprint(trace.as_bytes());
        let from = traces.partition_point(|(print, _)| *print < wanted);
        let same = traces[from..].iter().take_while(|(print, _)| *print == wanted);
        same.map(|(_, row)| *row).filter(is_wanted).collect()
    }
}

fn index(ids: &FixedSizeBinaryArray) -> Box<[(u32, u32)]> {
    let rows = (0..ids.len()).filter(|row| ids.is_valid(*row));
    let mut traces: Vec<(u32, u32)> = rows.map(|row| (fingerprint(ids.value(row)), row as u32)).collect();
    traces.sort_unstable();
    traces.into()
}
