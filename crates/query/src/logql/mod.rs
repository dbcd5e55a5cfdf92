//! LogQL over the logs of one snapshot: newest (or oldest) records first, stopping as soon as no part can hold a better one.
//!
//! Labels of a record, as selectors see them:
//!
//! | label | of |
//! |---|---|
//! | `service_name` | `service.name`, `unknown_service` when there is none |
//! | `detected_level`, `level`, `severity` | the level as one word |
//! | `severity_text`, `severity_number`, `event_name`, `trace_id`, `span_id`, `scope_name`, `scope_version` | the field |
//! | any other | the resource attribute of that name, else the attribute of the record; `.` and other characters that labels cannot have are `_` |

use signalbox_lang::logql::LogExpr;
use signalbox_model::{Error, Result, Table, Tenant, TimeRange};
use signalbox_store::{ScanPart, ScanRequest, Snapshot};

use crate::Engine;
use crate::leash::Leash;
use crate::rows::{LogColumns, LogRecord, Shared};

mod labels;
mod lines;
mod select;
mod vector;

pub use labels::{SERVICE_LABEL, StreamLabels, UNKNOWN_SERVICE, label_name};
pub use vector::evaluate as evaluate_vector;

use lines::LineFilters;
use select::Selector;

/// Bytes of lines and attributes that one answer may hold.
const ANSWER_BYTES_MAX: usize = 512 << 20;

/// Which end of time comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Newest first.
    Backward,
    /// Oldest first.
    Forward,
}

/// A question for log records.
#[derive(Debug, Clone)]
pub struct LogRequest {
    /// Selector and filters.
    pub expr: LogExpr,
    /// Records in this range.
    pub range: TimeRange,
    /// How many records at most.
    pub limit: usize,
    /// Which come first.
    pub direction: Direction,
}

/// Records, in the order that was asked for.
#[derive(Debug, Clone, Default)]
pub struct LogAnswer {
    /// The records.
    pub records: Vec<LogRecord>,
    /// Rows that were looked at.
    pub rows_read: u64,
    /// Bytes of lines that were looked at.
    pub bytes_read: u64,
}

impl Engine {
    /// The first records that a query selects.
    ///
    /// # Errors
    /// `Invalid` for a limit above the settings; `Limit`, `Timeout`; of the disk.
    pub async fn logs(&self, tenant: &Tenant, request: LogRequest) -> Result<LogAnswer> {
        if request.limit as u64 > self.settings.results_max {
            return Err(Error::invalid(format!("cannot answer {} records: want at most {}", request.limit, self.settings.results_max)));
        }
        let snapshot = self.store.snapshot(tenant);
        let text = request.expr.to_string();
        self.watched("logql", text, self.blocking(move |leash| read(&snapshot, &request, leash))).await
    }
}

fn read(snapshot: &Snapshot, request: &LogRequest, leash: &Leash) -> Result<LogAnswer> {
    let (mut selector, filters) = (Selector::new(&request.expr.matchers), LineFilters::new(&request.expr.stages)?);
    let scan = ScanRequest { trace_id: selector.trace_id(), services: selector.services(), ..ScanRequest::all(request.range) };
    let mut parts = snapshot.scan(Table::Logs, &scan)?;
    parts.sort_by_key(|part| best_rank(part, request.direction));
    let (mut best, mut shared, mut answer) = (Best::new(request), Shared::default(), LogAnswer::default());
    for part in parts {
        if request.limit == 0 || best.is_settled(best_rank(&part, request.direction)) {
            break;
        }
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let columns = LogColumns::of(&rows)?;
            answer.rows_read += rows.num_rows() as u64;
            let mut candidates: Vec<usize> = (0..rows.num_rows())
                .filter(|row| {
                    let timestamp_ns = columns.timestamp.value(*row);
                    request.range.contains_ns(timestamp_ns) && !best.is_settled(rank(timestamp_ns, 0, request.direction).0)
                })
                .collect();
            selector.retain(&columns, &mut candidates);
            answer.bytes_read += filters.retain(&columns, &mut candidates);
            best.take(&columns, candidates, &mut shared)?;
        }
        best.sort_out();
    }
    answer.records = best.finish();
    Ok(answer)
}

/// Order of a record in the answer, lower comes first. Of two records of one time the later arrival is the newer.
fn rank(timestamp_ns: i64, sequence: u64, direction: Direction) -> (i128, i128) {
    match direction {
        Direction::Forward => (i128::from(timestamp_ns), i128::from(sequence)),
        Direction::Backward => (-i128::from(timestamp_ns), -i128::from(sequence)),
    }
}

/// The best time that a record of the part can have.
fn best_rank(part: &ScanPart, direction: Direction) -> i128 {
    match direction {
        Direction::Forward => i128::from(part.range.start_ns),
        Direction::Backward => -i128::from(part.range.end_ns),
    }
}

/// The best records so far.
struct Best {
    limit: usize,
    direction: Direction,
    records: Vec<LogRecord>,
    bytes: usize,
    /// Rank of the worst record that is wanted, once there are enough.
    worst: Option<(i128, i128)>,
}

impl Best {
    fn new(request: &LogRequest) -> Self {
        Self { limit: request.limit, direction: request.direction, records: Vec::new(), bytes: 0, worst: None }
    }

    /// Whether no record of this time or later in order can be wanted.
    fn is_settled(&self, time_rank: i128) -> bool {
        self.worst.is_some_and(|worst| time_rank > worst.0)
    }

    fn take(&mut self, columns: &LogColumns<'_>, mut candidates: Vec<usize>, shared: &mut Shared) -> Result<()> {
        let row_rank = |row: &usize| rank(columns.timestamp.value(*row), columns.sequence.value(*row), self.direction);
        candidates.retain(|row| self.worst.is_none_or(|worst| row_rank(row) < worst));
        if candidates.len() > self.limit {
            candidates.select_nth_unstable_by_key(self.limit, row_rank);
            candidates.truncate(self.limit);
        }
        for row in candidates {
            let record = columns.record(row, shared);
            self.bytes += weight(&record);
            self.records.push(record);
        }
        // As soon as there are enough, so that reading can stop; then at twice the limit, so that it costs little a record.
        let is_first = self.worst.is_none() && self.records.len() >= self.limit;
        if is_first || self.records.len() >= 2 * self.limit || self.bytes > ANSWER_BYTES_MAX {
            self.sort_out();
        }
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(Error::limit(format!("the answer is larger than {ANSWER_BYTES_MAX} bytes: ask for fewer records")));
        }
        Ok(())
    }

    fn sort_out(&mut self) {
        let direction = self.direction;
        self.records.sort_unstable_by_key(|record| rank(record.timestamp_ns, record.sequence, direction));
        self.records.truncate(self.limit);
        self.bytes = self.records.iter().map(weight).sum();
        if self.records.len() == self.limit {
            self.worst = self.records.last().map(|record| rank(record.timestamp_ns, record.sequence, direction));
        }
    }

    fn finish(mut self) -> Vec<LogRecord> {
        self.sort_out();
        self.records
    }
}

/// About how many bytes a record holds.
fn weight(record: &LogRecord) -> usize {
    let attributes: usize = record.attributes.iter().map(|(key, _)| key.len() + 64).sum();
    256 + record.line.as_ref().map_or(0, String::len) + attributes
}
