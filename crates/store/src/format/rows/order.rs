//! The order of rows in a segment.
//!
//! Logs: by service, then time. The lines of one service resemble each other, and what asks for a service reads its pages
//! only. Spans: by the start of their trace, then trace, then time. A trace lies together, pages follow time, so that the
//! newest traces are in the last pages, and times differ little from row to row. Ties go by sequence: arrival.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimestampNanosecondType, UInt32Type, UInt64Type};
use signalbox_model::{Error, Result, Table, schema};

/// An identifier of a trace in two halves: as one number of 128 bits it would be aligned to as many.
type Trace = (u64, u64);

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Logs: rank of the service. Spans: start of the trace.
    group: i64,
    /// Spans: the trace.
    trace: Trace,
    timestamp_ns: i64,
    sequence: u64,
}

/// Makes keys. Keys of one `Order` compare.
#[derive(Debug)]
pub(super) enum Order {
    /// Services by rank.
    Logs(HashMap<String, i64>),
    /// Starts of traces.
    Spans(HashMap<Trace, i64>),
    /// Rows come in their order: the first of a trace says when it starts.
    SortedSpans,
}

/// The trace that a source of sorted rows is at, and its start.
pub(super) type At = Option<(Trace, i64)>;

impl Order {
    /// The order of rows that are in none.
    pub(super) fn of_rows<'a>(table: Table, batches: impl Iterator<Item = &'a RecordBatch>) -> Result<Self> {
        if table == Table::Logs {
            let mut services = BTreeSet::new();
            for rows in batches {
                add_services(rows, &mut services)?;
            }
            return Ok(Self::of_services(services));
        }
        let mut starts = HashMap::new();
        for rows in batches {
            let columns = Columns::of(rows)?;
            for row in 0..rows.num_rows() {
                let time = columns.times[row];
                starts.entry(columns.trace(row)).and_modify(|start: &mut i64| *start = time.min(*start)).or_insert(time);
            }
        }
        Ok(Self::Spans(starts))
    }

    /// The order of logs of these services.
    pub(super) fn of_services(services: BTreeSet<String>) -> Self {
        Self::Logs(services.into_iter().zip(0..).collect())
    }

    /// The keys of rows. `at` goes from each batch of a source to the next.
    pub(super) fn keys(&self, rows: &RecordBatch, at: &mut At) -> Result<Vec<Key>> {
        let columns = Columns::of(rows)?;
        let key = |row: usize, group: i64, trace: Trace| Key { group, trace, timestamp_ns: columns.times[row], sequence: columns.sequences[row] };
        let rows = 0..rows.num_rows();
        match self {
            Self::Logs(ranks) => {
                let ranks: Vec<i64> = columns.services.iter().map(|service| ranks.get(service.unwrap_or_default()).copied().unwrap_or(i64::MAX)).collect();
                Ok(rows.map(|row| key(row, ranks[columns.service_keys[row] as usize], (0, 0))).collect())
            }
            Self::Spans(starts) => {
                let start = |row: usize, trace: Trace| starts.get(&trace).copied().unwrap_or(columns.times[row]);
                Ok(rows.map(|row| (row, columns.trace(row))).map(|(row, trace)| key(row, start(row, trace), trace)).collect())
            }
            Self::SortedSpans => Ok(rows
                .map(|row| {
                    let trace = columns.trace(row);
                    let (_, start) = *at.insert(at.filter(|(last, _)| *last == trace).unwrap_or((trace, columns.times[row])));
                    key(row, start, trace)
                })
                .collect()),
        }
    }
}

/// Adds the services of rows.
pub(super) fn add_services(rows: &RecordBatch, services: &mut BTreeSet<String>) -> Result<()> {
    let column = rows.column_by_name(schema::SERVICE).and_then(|column| column.as_dictionary_opt::<UInt32Type>()).ok_or_else(other_schema)?;
    let texts = column.values().as_string_opt::<i32>().ok_or_else(other_schema)?;
    for text in texts.iter().flatten() {
        if !services.contains(text) {
            services.insert(text.to_owned());
        }
    }
    Ok(())
}

/// The columns that rows are sorted by.
struct Columns<'a> {
    times: &'a [i64],
    sequences: &'a [u64],
    service_keys: &'a [u32],
    services: &'a arrow::array::StringArray,
    traces: &'a arrow::array::FixedSizeBinaryArray,
}

impl<'a> Columns<'a> {
    fn of(rows: &'a RecordBatch) -> Result<Self> {
        let columns = || {
            let services = rows.column_by_name(schema::SERVICE)?.as_dictionary_opt::<UInt32Type>()?;
            let traces = rows.column_by_name(schema::TRACE_ID)?.as_fixed_size_binary_opt()?;
            Some(Self {
                times: rows.column_by_name(schema::TIMESTAMP)?.as_primitive_opt::<TimestampNanosecondType>()?.values(),
                sequences: rows.column_by_name(schema::SEQUENCE)?.as_primitive_opt::<UInt64Type>()?.values(),
                service_keys: services.keys().values(),
                services: services.values().as_string_opt::<i32>()?,
                traces: Some(traces).filter(|traces| *traces.data_type() == DataType::FixedSizeBinary(16))?,
            })
        };
        columns().ok_or_else(other_schema)
    }

    /// The trace of a row; of a row without one, whatever lies there.
    fn trace(&self, row: usize) -> Trace {
        let number: u128 = self.traces.value(row).try_into().map(u128::from_be_bytes).unwrap_or_default();
        ((number >> 64) as u64, number as u64)
    }
}

fn other_schema() -> Error {
    Error::internal("cannot sort rows: their schema is another one")
}
