//! Newest (or oldest) records first, stopping as soon as no part can hold a better one.
//!
//! Two passes: the first reads the columns that the filter looks at and notes which rows are wanted, the second reads all
//! columns of these rows.

use arrow::array::{TimestampNanosecondArray, UInt64Array};
use signalbox_model::{Error, Result, Table, schema};
use signalbox_store::{Chosen, ScanPart, ScanRequest, Snapshot};

use super::best::{Best, rank};
use super::{Direction, First, Found, LogFilter, projection};
use crate::leash::Leash;
use crate::rows::{LogColumns, LogRecord, Shared, column};

/// Bytes of lines and attributes that one answer may hold.
const ANSWER_BYTES_MAX: usize = 512 << 20;

/// The first records of a snapshot that fit.
///
/// # Errors
/// `Limit` for an answer too large; `Timeout`, `Canceled`; of the filter; of the disk.
pub(crate) fn find(snapshot: &Snapshot, filter: &mut dyn LogFilter, first: &First, leash: &Leash) -> Result<Found> {
    let mut scan = ScanRequest::all(first.range);
    filter.narrow(&mut scan);
    let mut found = Found::default();
    let narrow = ScanRequest { projection: Some(projection(filter, &[schema::SEQUENCE])), ..scan.clone() };
    let chosen = choose(snapshot, filter, first, &narrow, &mut found, leash)?;
    found.records = read_chosen(snapshot, chosen, first, scan, leash)?;
    Ok(found)
}

/// Time and arrival of the first records that fit.
fn choose(snapshot: &Snapshot, filter: &mut dyn LogFilter, first: &First, scan: &ScanRequest, found: &mut Found, leash: &Leash) -> Result<Vec<(i64, u64)>> {
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
            found.rows_read += rows.num_rows() as u64;
            let is_wanted = |time_ns: i64| first.range.contains_ns(time_ns) && !best.is_settled(rank(time_ns, 0, first.direction).0);
            let mut candidates: Vec<usize> = (0..rows.num_rows()).filter(|row| is_wanted(timestamp.value(*row))).collect();
            found.bytes_read += filter.retain(&rows, &mut candidates)?;
            best.take(candidates.into_iter().map(|row| (timestamp.value(row), sequence.value(row))));
        }
        best.sort_out();
    }
    Ok(best.finish())
}

/// All columns of chosen rows, in the order of the answer.
pub(crate) fn read_chosen(snapshot: &Snapshot, chosen: Vec<(i64, u64)>, first: &First, scan: ScanRequest, leash: &Leash) -> Result<Vec<LogRecord>> {
    let count = chosen.len();
    let chosen = Chosen::new(chosen);
    let Some(range) = chosen.range() else { return Ok(Vec::new()) };
    let (mut records, mut bytes, mut shared) = (Vec::with_capacity(count), 0, Shared::default());
    let scan = ScanRequest { range, projection: None, chosen: Some(chosen), ..scan };
    for part in snapshot.scan(Table::Logs, &scan)? {
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let columns = LogColumns::of(&rows)?;
            for row in 0..rows.num_rows() {
                let record = columns.record(row, &mut shared);
                bytes += weight(&record);
                records.push(record);
            }
            if bytes > ANSWER_BYTES_MAX {
                return Err(Error::limit(format!("the answer is larger than {ANSWER_BYTES_MAX} bytes: ask for fewer records")));
            }
        }
    }
    if records.len() != count {
        return Err(Error::internal(format!("cannot answer: read {} of {count} chosen records", records.len())));
    }
    records.sort_unstable_by_key(|record| rank(record.timestamp_ns, record.sequence, first.direction));
    Ok(records)
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
