//! Every row of an answer, as many as there are, in bounded memory: for files, not for screens.
//!
//! Rows go batch by batch through a channel that holds one, so that a reader who is slow slows the reading down. Who drops the
//! export ends the reading; who takes nothing for as long as a question may take ([`crate::Settings::timeout_seconds`]) loses
//! it. There is no other limit of time or rows. An export takes one of the places that questions run in, to its end.
//!
//! | of | columns | order |
//! |---|---|---|
//! | LogQL log query | `timestamp`, `service`, `level`, `line`, `trace_id`, `span_id`, `labels` | of storage: old segments first, in them by source, then by time |
//! | search | `timestamp`, `service`, `level`, `body`, `trace_id`, `span_id`, `resource`, `attributes` | the same |
//! | LogQL metric query, TraceQL metrics query | `timestamp`, `labels`, `value` | by time in stretches of so many steps, in them by series |
//! | TraceQL search | `timestamp`, `duration_ns`, `service`, `name`, `trace_id`, `span_id`, `parent_span_id`, `attributes`, `set` | newest traces first, about; spans of a trace together |
//! | SQL | those of the statement | that of the statement |
//!
//! Instants are UTC timestamps of nanoseconds, `labels`, `resource`, `attributes` and `set` maps of text to text, `duration_ns`
//! a whole number, `value` a number, all else is text. `attributes` of a span are those that the query names in conditions or
//! selects, `set` what it calls the set that the span is in: `by(…)` and aggregates. A span in two sets comes twice.
//!
//! With fields named, these are the columns: of LogQL the columns above and labels by name, as the pipeline leaves them
//! (`labels.level` for one that is named like a column); of a search the columns above and all that
//! [`crate::search::Field::named`] knows. What a record lacks is null; of several values the JSON array is the text.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use signalbox_lang::logql::LogExpr;
use signalbox_lang::traceql::tree::Query;
use signalbox_model::{Error, ErrorKind, Result, Tenant, TimeRange};
use signalbox_telemetry::{names, registry};
use tokio::sync::mpsc::{self, Receiver, Sender, error::SendTimeoutError};

use crate::Engine;
use crate::budget::Share;
use crate::leash::Leash;
use crate::logql::{self, MetricRequest};
use crate::search::Filter;
use crate::sql::to_error;
use crate::traceql::MetricsRequest;

mod columns;
mod logs;
mod parquet;
mod series;
mod sheet;
mod spans;

pub use parquet::ParquetRows;

use sheet::Sheet;

/// What is exported.
#[derive(Debug, Clone)]
pub enum ExportRequest {
    /// Records that a LogQL query selects; these fields of them, all if none is named.
    Lines(LogExpr, TimeRange, Vec<String>),
    /// Records that a filter selects; these fields of them, all if none is named.
    Records(Filter, TimeRange, Vec<String>),
    /// Series of a LogQL metric query, of as many steps as there are.
    Metric(MetricRequest),
    /// Spans of the traces that a TraceQL search selects.
    Spans(Box<Query>, TimeRange),
    /// Series of a TraceQL metrics query.
    SpanSeries(Box<MetricsRequest>),
    /// The answer to a `SELECT`.
    Sql(String),
}

/// Rows as they come. Dropping it stops the reading.
pub struct Export {
    /// Columns.
    pub schema: SchemaRef,
    batches: Receiver<RecordBatch>,
    /// How the reading ended; nothing if it did not.
    end: Arc<Mutex<Option<Result<()>>>>,
    is_over: bool,
}

impl Export {
    /// The next rows; `None` when all were read. After an error there are no more.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.is_over {
            return None;
        }
        if let Some(rows) = self.batches.recv().await {
            return Some(Ok(rows));
        }
        self.is_over = true;
        let end = self.end.lock().take().unwrap_or_else(|| Err(Error::internal("cannot export: the reading died")));
        end.err().map(Err)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("schema", &self.schema).finish_non_exhaustive()
    }
}

type Batches = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

impl Engine {
    /// All rows of an answer, over a snapshot taken now; `text` is the question as it was asked.
    ///
    /// # Errors
    /// `Invalid` for a question or fields that make no sense; `Unavailable` and `Timeout` when no place to run in becomes free.
    /// Errors that show only while rows are read come from [`Export::next`].
    pub async fn export(&self, tenant: &Tenant, request: ExportRequest, text: &str) -> Result<Export> {
        self.watched("export", text, self.begin_export(tenant, request)).await
    }

    async fn begin_export(&self, tenant: &Tenant, request: ExportRequest) -> Result<Export> {
        let idle = Duration::from_secs(self.settings.timeout_seconds);
        let snapshot = self.store.snapshot(tenant);
        match request {
            ExportRequest::Lines(expr, range, fields) => {
                let mut lines = logs::Lines::new(&expr, range, crate::logql::Context::of(self))?;
                self.read_export(Sheet::of_lines(&fields)?, move |sheet, leash, send| lines.read(&snapshot, sheet, leash, send)).await
            }
            ExportRequest::Records(filter, range, fields) => {
                let read = move |sheet: &mut Sheet, leash: &Leash, send: Take<'_>| logs::read_records(&snapshot, &filter, range, sheet, leash, send);
                self.read_export(Sheet::of_records(&fields)?, read).await
            }
            ExportRequest::Metric(request) => {
                let asker = logql::Asker::of(self);
                series::check(&request)?;
                let read = move |sheet: &mut Sheet, leash: &Leash, send: Take<'_>| series::read_logs(&snapshot, &asker, &request, sheet, leash, send);
                self.read_export(Sheet::of_series(), read).await
            }
            ExportRequest::Spans(query, range) => {
                let share = Share::of(&self.budget);
                spans::check(&query)?;
                let read = move |sheet: &mut Sheet, leash: &Leash, send: Take<'_>| spans::read(&snapshot, &query, range, &share, sheet, leash, send);
                self.read_export(Sheet::of_spans(), read).await
            }
            ExportRequest::SpanSeries(request) => {
                let answer = self.traceql_metrics(tenant, *request).await?;
                let read = move |sheet: &mut Sheet, _: &Leash, send: Take<'_>| series::write_spans(&answer.series, sheet, send);
                self.read_export(Sheet::of_series(), read).await
            }
            ExportRequest::Sql(text) => {
                let rows = self.stream_sql(tenant, &text).await?;
                Ok(pump(rows.schema(), in_time(rows, idle), idle, ()))
            }
        }
    }

    /// Reads on a thread that may block.
    async fn read_export(&self, mut sheet: Sheet, read: impl FnOnce(&mut Sheet, &Leash, Take<'_>) -> Result<()> + Send + 'static) -> Result<Export> {
        let idle = Duration::from_secs(self.settings.timeout_seconds);
        let pass = self.gate.enter(idle).await?;
        let (leash, pull) = self.long_leash();
        let schema = sheet.schema();
        let (sender, receiver) = mpsc::channel(1);
        let task = tokio::task::spawn_blocking(move || {
            // A thread that nobody waits for keeps its place until it has ended.
            let _pass = pass;
            let mut send = |rows| sender.blocking_send(rows).map_err(|_| Error::new(ErrorKind::Canceled, "the export was given up"));
            read(&mut sheet, &leash, &mut send)?;
            if sheet.is_empty() { Ok(()) } else { send(sheet.finish()?) }
        });
        let batches = stream::unfold((receiver, Some(task)), |(mut receiver, task)| async move {
            if let Some(rows) = receiver.recv().await {
                return Some((Ok(rows), (receiver, task)));
            }
            match task?.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some((Err(error), (receiver, None))),
                Err(error) => Some((Err(Error::internal("cannot export: the reading thread died").with_source(error)), (receiver, None))),
            }
        });
        Ok(pump(schema, batches.boxed(), idle, pull))
    }
}

/// Takes rows on a thread that may block, and says when nobody wants them any more.
type Take<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<()>;

/// Rows of a statement, each of which comes in time.
fn in_time(rows: SendableRecordBatchStream, idle: Duration) -> Batches {
    let batches = stream::unfold(Some(rows), move |rows| async move {
        let mut rows = rows?;
        match tokio::time::timeout(idle, rows.next()).await {
            Ok(next) => match next? {
                Ok(batch) => Some((Ok(batch), Some(rows))),
                Err(error) => Some((Err(to_error(error)), None)),
            },
            Err(_) => Some((Err(Error::new(ErrorKind::Timeout, format!("the query found no row for {} s", idle.as_secs()))), None)),
        }
    });
    batches.boxed()
}

/// Hands on batches until all are read, or nobody takes them; what is to be held until then is dropped after.
fn pump(schema: SchemaRef, batches: Batches, idle: Duration, held: impl Send + 'static) -> Export {
    let (sender, receiver) = mpsc::channel(1);
    let end = Arc::new(Mutex::new(None));
    let shared = Arc::clone(&end);
    tokio::spawn(async move {
        let ended = hand_on(batches, &sender, idle).await;
        *shared.lock() = Some(ended);
        drop((sender, held));
    });
    Export { schema, batches: receiver, end, is_over: false }
}

async fn hand_on(mut batches: Batches, sender: &Sender<RecordBatch>, idle: Duration) -> Result<()> {
    loop {
        let next = tokio::select! {
            biased;
            () = sender.closed() => {
                registry().counter(names::QUERY_ABANDONED_TOTAL, &[]).add(1);
                return Ok(());
            }
            next = batches.next() => next,
        };
        let Some(rows) = next.transpose()? else { return Ok(()) };
        match sender.send_timeout(rows, idle).await {
            // The next round sees that nobody is there.
            Ok(()) | Err(SendTimeoutError::Closed(_)) => {}
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(Error::new(ErrorKind::Timeout, format!("the export broke off: nothing of it was taken for {} s", idle.as_secs())));
            }
        }
    }
}

#[cfg(test)]
mod tests;
