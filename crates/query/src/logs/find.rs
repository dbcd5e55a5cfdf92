//! Newest (or oldest) records first, stopping as soon as no part can hold a better one.
//!
//! Two passes: the first reads the columns that the filter looks at and notes which rows are wanted, the second reads all
//! columns of these rows.

use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{RecordBatch, TimestampNanosecondArray, UInt64Array};
use signalbox_model::{Error, Result, Table, TimeRange, schema};
use signalbox_store::{Chosen, Places, ScanPart, ScanRequest, Snapshot};

use super::best::{Best, rank};
use super::{Direction, First, LogFilter, label_columns, projection};
use crate::ahead::{self, Bounds, Make, Take, own_bytes};
use crate::leash::Leash;
use crate::rows::{LogColumns, LogRecord, Shared, column};

/// Bytes of lines and attributes that one answer may hold.
const ANSWER_BYTES_MAX: usize = 512 << 20;

/// Hands the first records of a snapshot that fit to a visitor, in any order, with the batch and the number of the row that
/// they are. Answers rows and bytes of lines that were looked at. `filter` is asked for a filter for each thread.
///
/// # Errors
/// `Limit` for an answer too large; `Timeout`, `Canceled`; of the filter and the visitor; of the disk.
pub(crate) fn find<F: LogFilter>(
    snapshot: &Snapshot,
    filter: &(dyn Fn() -> Result<F> + Sync),
    first: &First,
    leash: &Leash,
    visitor: &mut dyn FnMut(&RecordBatch, usize, LogRecord) -> Result<()>,
) -> Result<(u64, u64)> {
    let Choice { rows, places, read } = choose(snapshot, filter, first, leash)?;
    visit_chosen(places, rows, leash, visitor)?;
    Ok(read)
}

/// All columns of chosen rows, which are at some places, in the order of the answer.
///
/// # Errors
/// As [`find`].
pub(crate) fn read_chosen(places: Places, chosen: Vec<(i64, u64)>, direction: Direction, leash: &Leash) -> Result<Vec<LogRecord>> {
    let mut records = Vec::with_capacity(chosen.len());
    visit_chosen(places, chosen, leash, &mut |_, _, record| {
        records.push(record);
        Ok(())
    })?;
    records.sort_unstable_by_key(|record: &LogRecord| rank(record.timestamp_ns, record.sequence, direction));
    Ok(records)
}

/// The first records that fit.
struct Choice {
    /// By time and arrival.
    rows: Vec<(i64, u64)>,
    /// Where they are.
    places: Places,
    /// Rows and bytes of lines that were looked at.
    read: (u64, u64),
}

fn choose<F: LogFilter>(snapshot: &Snapshot, filter: &(dyn Fn() -> Result<F> + Sync), first: &First, leash: &Leash) -> Result<Choice> {
    let own = filter()?;
    let mut scan = ScanRequest { labels: label_columns(own.labels()), ..ScanRequest::all(first.range) };
    own.narrow(&mut scan);
    scan.projection = Some(projection(&own, &[schema::SEQUENCE]));
    let mut parts = snapshot.scan(Table::Logs, &scan)?;
    parts.sort_by_key(|part| best_rank(&part.range, first.direction));
    let best = Best::new(first);
    let worst_ns = AtomicI64::new(best.worst_ns());
    let maker = |filter: F| Choosing { filter, first, worst_ns: &worst_ns };
    let places: Vec<Places> = parts.iter().map(ScanPart::places).collect();
    let mut chooser = Chooser { choosing: maker(own), best, found: vec![false; parts.len()], rows_read: 0, bytes_read: 0 };
    ahead::in_order(parts, leash, &|| filter().map(maker), &mut chooser)?;
    let mut found = Places::default();
    places.iter().zip(&chooser.found).filter(|(_, is_found)| **is_found).for_each(|(places, _)| found.add(places));
    Ok(Choice { rows: chooser.best.finish(), places: found, read: (chooser.rows_read, chooser.bytes_read) })
}

/// Looks for records that fit.
struct Choosing<'a, F> {
    filter: F,
    first: &'a First,
    /// What [`Best::worst_ns`] was not long ago.
    worst_ns: &'a AtomicI64,
}

/// Records that fit, by time and arrival; rows and bytes of lines that were looked at.
struct Fitting {
    part: usize,
    rows: Vec<(i64, u64)>,
    rows_read: u64,
    bytes_read: u64,
}

impl<F: LogFilter> Make for Choosing<'_, F> {
    type Made = Fitting;

    fn make(&mut self, part: &Bounds, rows: RecordBatch) -> Result<Option<Fitting>> {
        let (timestamp, sequence): (&TimestampNanosecondArray, &UInt64Array) = (column(&rows, schema::TIMESTAMP)?, column(&rows, schema::SEQUENCE)?);
        let (range, worst_ns) = (self.first.range, self.worst_ns.load(Ordering::Relaxed));
        let is_before = |time_ns: i64| match self.first.direction {
            Direction::Forward => time_ns <= worst_ns,
            Direction::Backward => time_ns >= worst_ns,
        };
        let mut candidates: Vec<usize> =
            (0..rows.num_rows()).filter(|row| range.contains_ns(timestamp.value(*row)) && is_before(timestamp.value(*row))).collect();
        let bytes_read = self.filter.retain(&rows, &mut candidates)?;
        let found = candidates.into_iter().map(|row| (timestamp.value(row), sequence.value(row))).collect();
        Ok(Some(Fitting { part: part.number, rows: found, rows_read: rows.num_rows() as u64, bytes_read }))
    }

    fn bytes(made: &Fitting) -> usize {
        size_of::<Fitting>() + made.rows.capacity() * size_of::<(i64, u64)>()
    }
}

/// Keeps the first of the records that fit.
struct Chooser<'a, F> {
    choosing: Choosing<'a, F>,
    best: Best,
    /// Parts in which records were found.
    found: Vec<bool>,
    rows_read: u64,
    bytes_read: u64,
}

impl<F: LogFilter> Take<Fitting> for Chooser<'_, F> {
    fn wants(&mut self, part: &Bounds) -> bool {
        let first = self.choosing.first;
        self.best.sort_out();
        first.limit > 0 && !self.best.is_settled(best_rank(&part.range, first.direction))
    }

    /// No part is read that may not be needed: as many are as will be, if records that fit are as many a row as they were.
    fn ahead(&self, rest: &[Bounds]) -> usize {
        self.best.ahead(self.rows_read, rest)
    }

    fn take(&mut self, made: Fitting) -> Result<()> {
        self.rows_read += made.rows_read;
        self.bytes_read += made.bytes_read;
        self.found[made.part] |= !made.rows.is_empty();
        self.best.take(made.rows.into_iter());
        self.choosing.worst_ns.store(self.best.worst_ns(), Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, part: &Bounds, rows: RecordBatch) -> Result<()> {
        match self.choosing.make(part, rows)? {
            Some(made) => self.take(made),
            None => Ok(()),
        }
    }
}

/// Hands chosen rows to a visitor, read with all columns.
fn visit_chosen(places: Places, chosen: Vec<(i64, u64)>, leash: &Leash, visitor: &mut dyn FnMut(&RecordBatch, usize, LogRecord) -> Result<()>) -> Result<()> {
    let count = chosen.len();
    let chosen = Chosen::new(chosen);
    let Some(range) = chosen.range() else { return Ok(()) };
    let scan = ScanRequest { chosen: Some(chosen), ..ScanRequest::all(range) };
    let mut keeper = Keeper { records: Records::default(), visitor, count: 0, bytes: 0 };
    ahead::in_order(places.scan(&scan)?, leash, &|| Ok(Records::default()), &mut keeper)?;
    if keeper.count != count {
        return Err(Error::internal(format!("cannot answer: read {} of {count} chosen records", keeper.count)));
    }
    Ok(())
}

/// Makes records of rows.
#[derive(Default)]
struct Records {
    shared: Shared,
}

impl Make for Records {
    type Made = (RecordBatch, Vec<LogRecord>);

    fn make(&mut self, _: &Bounds, rows: RecordBatch) -> Result<Option<Self::Made>> {
        let columns = LogColumns::of(&rows)?;
        let records = (0..rows.num_rows()).map(|row| columns.record(row, &mut self.shared)).collect();
        Ok(Some((rows, records)))
    }

    fn bytes((rows, records): &Self::Made) -> usize {
        own_bytes(rows) + records.iter().map(weight).sum::<usize>()
    }
}

/// Hands records on.
struct Keeper<'a> {
    records: Records,
    visitor: &'a mut dyn FnMut(&RecordBatch, usize, LogRecord) -> Result<()>,
    count: usize,
    bytes: usize,
}

impl Take<(RecordBatch, Vec<LogRecord>)> for Keeper<'_> {
    fn wants(&mut self, _: &Bounds) -> bool {
        true
    }

    fn ahead(&self, rest: &[Bounds]) -> usize {
        rest.len()
    }

    fn take(&mut self, (rows, records): (RecordBatch, Vec<LogRecord>)) -> Result<()> {
        for (row, record) in records.into_iter().enumerate() {
            self.bytes += weight(&record);
            self.count += 1;
            (self.visitor)(&rows, row, record)?;
        }
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(Error::limit(format!("the answer is larger than {ANSWER_BYTES_MAX} bytes: ask for fewer records")));
        }
        Ok(())
    }

    fn read(&mut self, part: &Bounds, rows: RecordBatch) -> Result<()> {
        self.records.make(part, rows)?.map_or(Ok(()), |made| self.take(made))
    }
}

/// About how many bytes a record holds.
fn weight(record: &LogRecord) -> usize {
    let attributes: usize = record.attributes.iter().map(|(key, _)| key.len() + 64).sum();
    256 + record.line.as_ref().map_or(0, String::len) + attributes
}

/// The best time that a record in a range can have.
pub(crate) fn best_rank(range: &TimeRange, direction: Direction) -> i128 {
    match direction {
        Direction::Forward => i128::from(range.start_ns),
        Direction::Backward => -i128::from(range.end_ns),
    }
}
