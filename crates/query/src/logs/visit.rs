//! All rows that fit, a batch at a time, in the order of storage, old parts first.

use arrow::array::TimestampNanosecondArray;
use arrow::record_batch::RecordBatch;
use signalbox_model::{Result, Table, TimeRange, schema};
use signalbox_store::{Division, ScanRequest, Snapshot};

use super::{LogFilter, label_columns, projection};
use crate::ahead::{self, Bounds, Make, Take};
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
    for (number, part) in parts.into_iter().enumerate() {
        let bounds = Bounds { number, range: part.range, rows: part.rows };
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let (wanted, bytes) = fitting(filter, &range, &bounds, &rows)?;
            rows_read += rows.num_rows() as u64;
            bytes_read += bytes;
            if !wanted.is_empty() {
                visitor(&rows, &wanted)?;
            }
        }
    }
    Ok((rows_read, bytes_read))
}

/// What is visited by several threads.
pub(crate) struct Visit<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) range: TimeRange,
    /// Columns, beside those of the filter.
    pub(crate) columns: &'a [&'static str],
    /// Labels, beside those of the filter.
    pub(crate) labels: Vec<String>,
    pub(crate) leash: &'a Leash,
}

/// What a thread does with the rows that fit.
pub(crate) trait Visitor {
    /// What it hands on.
    type Made: Send;

    /// Which rows fit.
    fn filter(&mut self) -> &mut dyn LogFilter;

    /// Rows of a batch that fit, ascending, at least one.
    ///
    /// # Errors
    /// Whatever ends the question.
    fn make(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<Option<Self::Made>>;

    /// About how many bytes it holds.
    fn bytes(made: &Self::Made) -> usize;
}

/// What takes what visitors hand on.
pub(crate) trait Host<V: Visitor> {
    /// The visitor of the first thread, whose rows need not be handed on.
    fn visitor(&mut self) -> &mut V;

    /// Rows of a batch that fit, ascending, at least one.
    ///
    /// # Errors
    /// Whatever ends the question.
    fn read(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()>;

    /// What another visitor handed on.
    ///
    /// # Errors
    /// Whatever ends the question.
    fn take(&mut self, made: V::Made) -> Result<()>;
}

impl Visit<'_> {
    /// As [`visit`], by as many threads as there may be. The host sees rows in the order of storage, whichever thread read them.
    ///
    /// # Errors
    /// As [`visit`].
    pub(crate) fn run<V: Visitor>(self, host: &mut dyn Host<V>, visitor: &(dyn Fn() -> Result<V> + Sync)) -> Result<(u64, u64)> {
        let mut scan = ScanRequest { division: Division::ByGroup, ..ScanRequest::all(self.range) };
        let filter = host.visitor().filter();
        filter.narrow(&mut scan);
        scan.projection = Some(projection(filter, self.columns));
        scan.labels = label_columns(filter.labels().into_iter().chain(self.labels).collect());
        let mut parts = self.snapshot.scan(Table::Logs, &scan)?;
        parts.sort_by_key(|part| (part.range.start_ns, part.range.end_ns));
        let range = self.range;
        let mut visited = Visited { host, range, rows_read: 0, bytes_read: 0 };
        ahead::in_order(parts, self.leash, &|| visitor().map(|visitor| Visiting { visitor, range }), &mut visited)?;
        Ok((visited.rows_read, visited.bytes_read))
    }
}

/// The rows of a batch in a range that fit, and bytes of lines that were looked at.
fn fitting(filter: &mut dyn LogFilter, range: &TimeRange, part: &Bounds, rows: &RecordBatch) -> Result<(Vec<usize>, u64)> {
    let timestamp: &TimestampNanosecondArray = column(rows, schema::TIMESTAMP)?;
    let is_inside = range.start_ns <= part.range.start_ns && part.range.end_ns <= range.end_ns;
    let mut candidates: Vec<usize> = match is_inside {
        true => (0..rows.num_rows()).collect(),
        false => (0..rows.num_rows()).filter(|row| range.contains_ns(timestamp.value(*row))).collect(),
    };
    let bytes = filter.retain(rows, &mut candidates)?;
    Ok((candidates, bytes))
}

struct Visiting<V> {
    visitor: V,
    range: TimeRange,
}

/// What a visitor made of a batch, rows and bytes of lines that were looked at.
struct Handed<T> {
    made: Option<T>,
    rows_read: u64,
    bytes_read: u64,
}

impl<V: Visitor> Make for Visiting<V> {
    type Made = Handed<V::Made>;

    fn make(&mut self, part: &Bounds, rows: RecordBatch) -> Result<Option<Self::Made>> {
        let (wanted, bytes_read) = fitting(self.visitor.filter(), &self.range, part, &rows)?;
        let made = if wanted.is_empty() { None } else { self.visitor.make(&rows, &wanted)? };
        Ok(Some(Handed { made, rows_read: rows.num_rows() as u64, bytes_read }))
    }

    fn bytes(handed: &Self::Made) -> usize {
        size_of::<Self::Made>() + handed.made.as_ref().map_or(0, V::bytes)
    }
}

struct Visited<'a, V> {
    host: &'a mut dyn Host<V>,
    range: TimeRange,
    rows_read: u64,
    bytes_read: u64,
}

impl<V: Visitor> Take<Handed<V::Made>> for Visited<'_, V> {
    fn wants(&mut self, _: &Bounds) -> bool {
        true
    }

    fn ahead(&self, rest: &[Bounds]) -> usize {
        rest.len()
    }

    fn take(&mut self, handed: Handed<V::Made>) -> Result<()> {
        self.rows_read += handed.rows_read;
        self.bytes_read += handed.bytes_read;
        handed.made.map_or(Ok(()), |made| self.host.take(made))
    }

    fn read(&mut self, part: &Bounds, rows: RecordBatch) -> Result<()> {
        let (wanted, bytes) = fitting(self.host.visitor().filter(), &self.range, part, &rows)?;
        self.rows_read += rows.num_rows() as u64;
        self.bytes_read += bytes;
        if wanted.is_empty() { Ok(()) } else { self.host.read(&rows, &wanted) }
    }
}
