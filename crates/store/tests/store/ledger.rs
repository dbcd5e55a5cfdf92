//! Batches that can be recognised row by row, and the check that a store shows exactly those it must.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMillisecondType, UInt64Type};
use signalbox_model::builder::{LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{
    Batch, Exemplar, Histogram, HistogramSample, Labels, MetricBatch, MetricKind, MetricMetadata, Result, SeriesEntry, SeriesKey, SpanId, Table, Tenant,
    TimeRange, TraceId,
};
use signalbox_store::{ScanRequest, Store};

/// Rows of one batch of samples, and of one of logs or spans.
pub(crate) const SAMPLES: usize = 4;
pub(crate) const ROWS: usize = 3;

/// Time of the first batch in milliseconds.
pub(crate) const T0_MS: i64 = 1_700_000_000_000;

/// One batch: whose, of what table, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) tenant: usize,
    pub(crate) table: Table,
    pub(crate) number: i64,
}

pub(crate) fn tenants() -> [Tenant; 2] {
    [Tenant::default(), Tenant::new("team-a").unwrap()]
}

/// The batch of an id, at its time.
pub(crate) fn batch(id: Id, ts_ms: i64) -> Batch {
    match id.table {
        Table::Logs => logs(id.number, ts_ms),
        Table::Spans => spans(id.number, ts_ms),
        Table::Samples | Table::Histograms | Table::Exemplars => metrics(id.number, ts_ms),
    }
}

/// Four samples, a histogram and an exemplar; the number of the batch is the value.
fn metrics(number: i64, ts_ms: i64) -> Batch {
    let mut batch = MetricBatch::default();
    for series in 0..SAMPLES as u32 {
        // Half of the series are new in each batch.
        let name = if series % 2 == 0 { series.to_string() } else { format!("{series} of {number}") };
        let labels = Labels::from_pairs([("__name__", "m"), ("n", &name)]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0 ^ 7), labels });
        batch.samples.push(series, ts_ms, number as f64);
    }
    let histogram = Histogram { count: number as f64, sum: 1.0, ..Histogram::default() };
    batch.histograms.push(HistogramSample { series: 0, ts_ms: ts_ms + 1, start_ms: 0, is_delta: false, histogram });
    batch.exemplars.push(Exemplar { series: 2, ts_ms, value: number as f64, trace_id: None, span_id: None, labels: Labels::empty() });
    batch.metadata.push(MetricMetadata { name: format!("m{}", number % 3), kind: MetricKind::Gauge, help: "A thing.".into(), unit: String::new() });
    Batch::Metrics(batch)
}

fn logs(number: i64, ts_ms: i64) -> Batch {
    let mut builder = LogBuilder::default();
    for row in 0..ROWS as i64 {
        builder.set_resource("{\"service.name\":\"shop\"}", if row == 0 { "shop" } else { "cart" });
        builder.close_row(&LogRow { timestamp_ns: ts_ms * 1_000_000 + row, body: Some(&format!("{number}.{row}")), ..LogRow::default() });
    }
    Batch::Logs(builder.finish())
}

fn spans(number: i64, ts_ms: i64) -> Batch {
    let mut builder = SpanBuilder::default();
    for row in 0..ROWS as i64 {
        builder.set_resource("{\"service.name\":\"shop\"}", "shop");
        builder.set_scope("{}");
        builder.close_row(&SpanRow {
            trace_id: TraceId::from_slice(&[number as u8 + 1; 16]).unwrap(),
            span_id: SpanId::from_slice(&[row as u8 + 1; 8]).unwrap(),
            parent_span_id: None,
            start_ns: ts_ms * 1_000_000 + row,
            end_ns: ts_ms * 1_000_000 + row + 5,
            name: &format!("{number}.{row}"),
            kind: 2,
            status_code: 0,
            status_message: "",
            trace_state: "",
            flags: 1,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    Batch::Traces(builder.finish())
}

/// What a store shows: the rows of each batch in order, each row as often as it is there, with its arrival number.
pub(crate) type Shown = BTreeMap<Id, Vec<(String, u64)>>;

/// Reads everything through the scans.
///
/// # Errors
/// Of the store.
pub(crate) fn shown(store: &Store) -> Result<Shown> {
    let mut found = Shown::new();
    for (tenant, name) in tenants().iter().enumerate() {
        let snapshot = store.snapshot(name);
        for table in Table::ALL {
            for part in snapshot.scan(table, &ScanRequest::all(TimeRange::ALL))? {
                for rows in part.read()? {
                    add_rows(&mut found, tenant, table, &rows?);
                }
            }
        }
    }
    found.values_mut().for_each(|rows| rows.sort());
    Ok(found)
}

fn add_rows(found: &mut Shown, tenant: usize, table: Table, rows: &RecordBatch) {
    let text = |name: &str| cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap().as_string::<i32>().clone();
    match table {
        Table::Logs | Table::Spans => {
            let texts = text(if table == Table::Logs { "body" } else { "name" });
            let numbers = rows.column_by_name("sequence").unwrap().as_primitive::<UInt64Type>();
            for row in 0..rows.num_rows() {
                let number = texts.value(row).split_once('.').unwrap().0.parse().unwrap();
                found.entry(Id { tenant, table, number }).or_default().push((texts.value(row).to_owned(), numbers.value(row)));
            }
        }
        Table::Samples | Table::Histograms | Table::Exemplars => {
            let labels = text("labels");
            let times = rows.column_by_name("timestamp").unwrap().as_primitive::<TimestampMillisecondType>();
            for row in 0..rows.num_rows() {
                let number = number_of(table, rows, row);
                found.entry(Id { tenant, table, number }).or_default().push((labels.value(row).to_owned(), times.value(row) as u64));
            }
        }
    }
}

/// The number of the batch that a row of metrics came with: its value.
fn number_of(table: Table, rows: &RecordBatch, row: usize) -> i64 {
    let float = |name: &str| {
        let column = rows.column_by_name(name).unwrap();
        column.is_valid(row).then(|| column.as_primitive::<arrow::datatypes::Float64Type>().value(row))
    };
    let value = match table {
        Table::Histograms => float("count"),
        Table::Samples => {
            let whole = |name: &str| {
                let column = rows.column_by_name(name).unwrap();
                column.is_valid(row).then(|| column.as_primitive::<arrow::datatypes::Int64Type>().value(row))
            };
            Some(signalbox_model::schema::metrics::value_of(whole("mantissa"), whole("base"), float("divisor"), float("value")))
        }
        _ => float("value"),
    };
    value.unwrap() as i64
}

/// What was given to a store, and what must come of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Everything that was tried, with its time.
    pub(crate) tried: BTreeMap<Id, i64>,
    /// What was acknowledged; logs and spans with the number of their first row, if it is known.
    pub(crate) acknowledged: BTreeMap<Id, Option<u64>>,
    /// What may be gone: retention had begun to remove it.
    pub(crate) expiring: BTreeSet<Id>,
}

impl Ledger {
    /// Every row is one that was given, whole batches of them, once; everything acknowledged is there.
    pub(crate) fn check(&self, shown: &Shown, context: &str) {
        let mut numbers = BTreeSet::new();
        for (id, rows) in shown {
            let given = Id { table: if id.table.signal() == signalbox_model::Signal::Metrics { Table::Samples } else { id.table }, ..*id };
            let ts_ms = *self.tried.get(&given).unwrap_or_else(|| panic!("{context}: {id:?} was never given"));
            let texts: BTreeSet<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
            let want = match id.table {
                Table::Samples => SAMPLES,
                Table::Logs | Table::Spans => ROWS,
                Table::Histograms | Table::Exemplars => 1,
            };
            assert_eq!((rows.len(), texts.len()), (want, want), "{context}: {id:?} is not there once and whole: {rows:?}");
            for (at, (text, number)) in rows.iter().enumerate() {
                match id.table {
                    Table::Samples | Table::Exemplars => assert_eq!(*number, ts_ms as u64, "{context}: time of {id:?}"),
                    Table::Histograms => assert_eq!(*number, ts_ms as u64 + 1, "{context}: time of {id:?}"),
                    Table::Logs | Table::Spans => {
                        assert_eq!(*text, format!("{}.{at}", id.number), "{context}");
                        assert_eq!(*number, rows[0].1 + at as u64, "{context}: numbers of {id:?}");
                        assert!(numbers.insert(*number), "{context}: two rows have number {number}");
                    }
                }
            }
        }
        for (id, first) in self.acknowledged.iter().filter(|(id, _)| !self.expiring.contains(id)) {
            let tables: &[Table] = if id.table == Table::Samples { &[Table::Samples, Table::Histograms, Table::Exemplars] } else { &[id.table] };
            for table in tables {
                let rows = shown.get(&Id { table: *table, ..*id }).unwrap_or_else(|| panic!("{context}: acknowledged {id:?} is missing in {table:?}"));
                assert!(first.is_none_or(|first| rows[0].1 == first), "{context}: {id:?} is numbered {} instead of {first:?}", rows[0].1);
            }
        }
    }

    /// As [`Ledger::check`], of what a store shows now; the numbers of rows are noted.
    pub(crate) fn check_store(&mut self, store: &Store, context: &str) {
        let shown = shown(store).unwrap_or_else(|error| panic!("{context}: {error}"));
        self.check(&shown, context);
        for (id, first) in &mut self.acknowledged {
            if let (Table::Logs | Table::Spans, Some(rows)) = (id.table, shown.get(id)) {
                *first = Some(rows[0].1);
            }
        }
    }
}
