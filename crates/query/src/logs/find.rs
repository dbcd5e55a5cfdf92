//! Newest (or oldest) records first, stopping as soon as no part can hold a better one.
//!
//! Two passes: the first reads the columns that the filter looks at and notes which rows are wanted, the second reads all
//! columns of these rows.

use arrow::array::{RecordBatch, TimestampNanosecondArray, UInt64Array};
use signalbox_model::{Error, Result, Table, schema};
use signalbox_store::{Chosen, Division, ScanPart, ScanRequest, Snapshot};

use super::best::{Best, rank};
use super::{Direction, First, LogFilter, label_columns, projection};
use crate::leash::Leash;
use crate::rows::{LogColumns, LogRecord, Shared, column};

/// Bytes of lines and attributes that one answer may hold.
const ANSWER_BYTES_MAX: usize = 512 << 20;

/// Hands the first records of a snapshot that fit to a visitor, in any order, with the batch and the number of the row that
/// they are. Answers rows and bytes of lines that were looked at.
///
/// # Errors
/// `Limit` for an answer too large; `Timeout`, `Canceled`; of the filter and the visitor; of the disk.
pub(crate) fn find(
    snapshot: &Snapshot,
    filter: &mut dyn LogFilter,
    first: &First,
    leash: &Leash,
    visitor: &mut dyn FnMut(&RecordBatch, usize, LogRecord) -> Result<()>,
) -> Result<(u64, u64)> {
    let mut scan = ScanRequest::all(first.range);
    filter.narrow(&mut scan);
    let narrow = ScanRequest { projection: Some(projection(filter, &[schema::SEQUENCE])), labels: label_columns(filter.labels()), ..scan.clone() };
    let (chosen, read) = choose(snapshot, filter, first, &narrow, leash)?;
    visit_chosen(snapshot, chosen, scan, leash, visitor)?;
    Ok(read)
}

/// All columns of chosen rows, in the order of the answer.
///
/// # Errors
/// As [`find`].
pub(crate) fn read_chosen(snapshot: &Snapshot, chosen: Vec<(i64, u64)>, first: &First, scan: ScanRequest, leash: &Leash) -> Result<Vec<LogRecord>> {
    let mut records = Vec::with_capacity(chosen.len());
    visit_chosen(snapshot, chosen, scan, leash, &mut |_, _, record| {
        records.push(record);
        Ok(())
    })?;
    records.sort_unstable_by_key(|record: &LogRecord| rank(record.timestamp_ns, record.sequence, first.direction));
    Ok(records)
}

/// Rows by time and arrival; rows and bytes of lines that were looked at.
type Choice = (Vec<(i64, u64)>, (u64, u64));

/// The first records that fit.
fn choose(snapshot: &Snapshot, filter: &mut dyn LogFilter, first: &First, scan: &ScanRequest, leash: &Leash) -> Result<Choice> {
    let (mut rows_read, mut bytes_read) = (0, 0);
    let mut parts = snapshot.scan(Table::Logs, scan)?;
    parts.sort_by_key(|part| best_rank(part, first.direction));
    let mut best = Best::new(first);
    for part in parts {
        if first.limit == 0 || best.is_settled(best_rank(&part, first.direction)) {
            break;
        }
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let (timestamp, sequence): (&TimestampNanosecondArray, &UInt64Array) = (column(&rows, schema::TIMESTAMP)?, column(&rows, schema::SEQUENCE)?);
            rows_read += rows.num_rows() as u64;
            let is_wanted = |time_ns: i64| first.range.contains_ns(time_ns) && !best.is_settled(rank(time_ns, 0, first.direction).0);
            let mut candidates: Vec<usize> = (0..rows.num_rows()).filter(|row| is_wanted(timestamp.value(*row))).collect();
            bytes_read += filter.retain(&rows, &mut candidates)?;
            best.take(candidates.into_iter().map(|row| (timestamp.value(row), sequence.value(row))));
        }
        best.sort_out();
    }
    Ok((best.finish(), (rows_read, bytes_read)))
}

/// Hands chosen rows to a visitor, read with all columns.
fn visit_chosen(
    snapshot: &Snapshot,
    chosen: Vec<(i64, u64)>,
    scan: ScanRequest,
    leash: &Leash,
    visitor: &mut dyn FnMut(&RecordBatch, usize, LogRecord) -> Result<()>,
) -> Result<()> {
    let count = chosen.len();
    let chosen = Chosen::new(chosen);
    let Some(range) = chosen.range() else { return Ok(()) };
    let (mut records, mut bytes, mut shared) = (0, 0, Shared::default());
    let scan = ScanRequest { range, projection: None, chosen: Some(chosen), division: Division::BySegment, ..scan };
    for part in snapshot.scan(Table::Logs, &scan)? {
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let columns = LogColumns::of(&rows)?;
            for row in 0..rows.num_rows() {
                let record = columns.record(row, &mut shared);
                bytes += weight(&record);
                records += 1;
                visitor(&rows, row, record)?;
            }
            if bytes > ANSWER_BYTES_MAX {
                return Err(Error::limit(format!("the answer is larger than {ANSWER_BYTES_MAX} bytes: ask for fewer records")));
            }
        }
    }
    if records != count {
        return Err(Error::internal(format!("cannot answer: read {records} of {count} chosen records")));
    }
    Ok(())
}

/// About how many bytes a record holds.
fn weight(record: &LogRecord) -> usize {
    let attributes: usize = record.attributes.iter().map(|(key, _)| key.len() + 64).sum();
    256 + record.line.as_ref().map_or(0, String::len) + attributes
}

/// The best time that a record of the part can have.
pub(crate) fn best_rank(part: &ScanPart, direction: Direction) -> i128 {
    match direction {
        Direction::Forward => i128::from(part.range.start_ns),
        Direction::Backward => -i128::from(part.range.end_ns),
    }
}
