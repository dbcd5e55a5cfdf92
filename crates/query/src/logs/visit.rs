//! All rows that fit, a batch at a time, in the order of storage, old parts first.

use arrow::array::TimestampNanosecondArray;
use arrow::record_batch::RecordBatch;
use signalbox_model::{Result, Table, TimeRange, schema};
use signalbox_store::{Division, ScanRequest, Snapshot};

use super::{LogFilter, label_columns, projection};
use crate::leash::Leash;
use crate::rows::column;

/// Hands every batch that has rows in the range to a visitor, with the numbers of those that fit, ascending. The batch has the
/// time, the columns and labels of the filter and those named. Answers rows and bytes of lines that were looked at.
///
/// # Errors
/// `Timeout`, `Canceled`; of the filter, of the visitor; of the disk.
pub(crate) fn visit(
    snapshot: &Snapshot,
    filter: &mut dyn LogFilter,
    range: TimeRange,
    columns: &[&'static str],
    labels: Vec<String>,
    leash: &Leash,
    visitor: &mut dyn FnMut(&RecordBatch, &[usize]) -> Result<()>,
) -> Result<(u64, u64)> {
    let mut scan = ScanRequest { division: Division::BySegment, ..ScanRequest::all(range) };
    filter.narrow(&mut scan);
    scan.projection = Some(projection(filter, columns));
    scan.labels = label_columns(filter.labels().into_iter().chain(labels).collect());
    let (mut rows_read, mut bytes_read) = (0, 0);
    let mut parts = snapshot.scan(Table::Logs, &scan)?;
    parts.sort_by_key(|part| (part.range.start_ns, part.range.end_ns));
    for part in parts {
        let is_inside = range.start_ns <= part.range.start_ns && part.range.end_ns <= range.end_ns;
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            rows_read += rows.num_rows() as u64;
            let timestamp: &TimestampNanosecondArray = column(&rows, schema::TIMESTAMP)?;
            let mut candidates: Vec<usize> = match is_inside {
                true => (0..rows.num_rows()).collect(),
                false => (0..rows.num_rows()).filter(|row| range.contains_ns(timestamp.value(*row))).collect(),
            };
            bytes_read += filter.retain(&rows, &mut candidates)?;
            if !candidates.is_empty() {
                visitor(&rows, &candidates)?;
            }
        }
    }
    Ok((rows_read, bytes_read))
}
