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

use arrow::record_batch::RecordBatch;
use signalbox_lang::logql::LogExpr;
use signalbox_model::schema::logs;
use signalbox_model::{Error, Result, Tenant, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use crate::Engine;
use crate::leash::Leash;
use crate::logs::{First, LogFilter, find};
use crate::rows::LogRecord;

mod labels;
mod lines;
pub mod pipeline;
mod select;
mod vector;

pub use crate::logs::{Direction, SERVICE_LABEL, UNKNOWN_SERVICE, label_name};
pub use labels::StreamLabels;
pub use vector::evaluate as evaluate_vector;

use lines::LineFilters;
use select::Selector;

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
    let mut question = Question { selector: Selector::new(&request.expr.matchers), filters: LineFilters::new(&request.expr.stages)? };
    let first = First { range: request.range, limit: request.limit, direction: request.direction };
    let found = find(snapshot, &mut question, &first, leash)?;
    Ok(LogAnswer { records: found.records, rows_read: found.rows_read, bytes_read: found.bytes_read })
}

/// A selector and filters, compiled.
struct Question {
    selector: Selector,
    filters: LineFilters,
}

impl LogFilter for Question {
    fn narrow(&self, scan: &mut ScanRequest) {
        self.selector.narrow(scan);
    }

    fn columns(&self) -> Vec<&'static str> {
        let mut columns = self.selector.columns();
        columns.push(logs::BODY);
        columns
    }

    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        self.selector.retain(rows, candidates)?;
        self.filters.retain(rows, candidates)
    }
}
