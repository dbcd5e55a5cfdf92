//! Log queries: the newest (or oldest) records that pass a pipeline, stopping as soon as no part can hold a better one.

use std::sync::Arc;

use arrow::array::{Array, StringArray, TimestampNanosecondArray};
use arrow::record_batch::RecordBatch;
use signalbox_lang::logql::LogExpr;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Owners, Result, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use super::labels::{Added, LabelSet, METADATA_COLUMNS, MetadataColumns, Streams, pairs};
use super::pipeline::{Category, Outcome, Pipeline};
use super::question::Question;
use crate::Engine;
use crate::leash::Leash;
use crate::logs::{Direction, First, LogFilter, find, rank};
use crate::rows::{LogRecord, column};

/// A question for log records.
#[derive(Debug, Clone)]
pub struct LogRequest {
    /// Selector and pipeline.
    pub expr: LogExpr,
    /// Records in this range.
    pub range: TimeRange,
    /// How many records at most.
    pub limit: usize,
    /// Which come first.
    pub direction: Direction,
}

/// A record that passed a pipeline. Labels are sorted by name; no name is in two of the sets.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// The record as it is stored.
    pub record: LogRecord,
    /// The line as the pipeline left it.
    pub line: String,
    /// Labels of its stream.
    pub stream: Arc<LabelSet>,
    /// Labels that it carries beside its line.
    pub metadata: LabelSet,
    /// Labels that the pipeline made.
    pub parsed: LabelSet,
}

/// Records, in the order that was asked for.
#[derive(Debug, Clone, Default)]
pub struct LogAnswer {
    /// The records.
    pub entries: Vec<LogEntry>,
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
    pub async fn logs(&self, owners: impl Into<Owners>, request: LogRequest) -> Result<LogAnswer> {
        if request.limit as u64 > self.settings.results_max {
            return Err(Error::invalid(format!("cannot answer {} records: want at most {}", request.limit, self.settings.results_max)));
        }
        let snapshot = self.store.snapshot(owners);
        let context = Context::of(self);
        let text = request.expr.to_string();
        self.watched("logql", text, self.blocking(move |leash| read(&snapshot, &request, &context, leash))).await
    }
}

fn read(snapshot: &Snapshot, request: &LogRequest, context: &Context, leash: &Leash) -> Result<LogAnswer> {
    let filter = || Query::new(&request.expr, *context);
    let mut maker = Query::new(&request.expr, *context)?;
    let first = First { range: request.range, limit: request.limit, direction: request.direction };
    let mut entries = Vec::new();
    let (rows_read, bytes_read) = find(snapshot, &filter, &first, leash, &mut |rows, row, record| {
        let mut record = Some(record);
        maker.run(rows, &[row], &mut |_, outcome, stream| entries.extend(record.take().map(|record| entry(record, outcome, stream))))?;
        if record.is_some() {
            return Err(Error::internal("cannot answer: a record passed once and not again"));
        }
        Ok(())
    })?;
    entries.sort_unstable_by_key(|entry| rank(entry.record.timestamp_ns, entry.record.sequence, request.direction));
    Ok(LogAnswer { entries, rows_read, bytes_read })
}

pub(super) fn entry(record: LogRecord, outcome: &Outcome<'_>, stream: &Arc<LabelSet>) -> LogEntry {
    let (mut of_stream, mut metadata, mut parsed) = (LabelSet::new(), LabelSet::new(), LabelSet::new());
    for (name, value, category) in outcome.labels.sorted() {
        let labels = match category {
            Category::Stream => &mut of_stream,
            Category::Metadata => &mut metadata,
            Category::Parsed => &mut parsed,
        };
        labels.push((name.to_owned(), value.to_owned()));
    }
    // Nearly always the stages left the labels of the stream as they are.
    let stream = if of_stream == **stream { Arc::clone(stream) } else { Arc::new(of_stream) };
    LogEntry { record, line: outcome.line.to_owned(), stream, metadata, parsed }
}

/// What a query knows beside its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(super) added: Added,
    pub(super) now_ns: i64,
}

impl Context {
    pub(crate) fn of(engine: &Engine) -> Self {
        Self { added: Added::of(&engine.settings), now_ns: engine.clock.now_ns() }
    }
}

/// Columns that [`Query::run`] looks at.
pub(crate) fn columns_to_run() -> impl Iterator<Item = &'static str> {
    METADATA_COLUMNS.into_iter().chain([logs::BODY])
}

/// A whole query, compiled.
pub(crate) struct Query {
    question: Question,
    /// The stages that need all labels of a record, or mark records.
    pipeline: Pipeline,
    /// Whether a record that passes the question may not pass the stages.
    has_stages: bool,
    streams: Streams,
    context: Context,
}

impl Query {
    pub(crate) fn new(expr: &LogExpr, context: Context) -> Result<Self> {
        let (mut question, rest) = Question::new(expr, context.added)?;
        let pipeline = Pipeline::new(rest, None)?;
        question.expect(&pipeline.needs().text);
        let has_stages = !question.is_decided();
        Ok(Self { question, pipeline, has_stages, streams: Streams::new(context.added), context })
    }

    /// The part that is decided column by column. What passes it is still to be [`Self::run`], if there are stages.
    pub(crate) fn question(&mut self) -> &mut dyn LogFilter {
        &mut self.question
    }

    /// Whether stages follow that need all labels of a record.
    pub(crate) fn has_stages(&self) -> bool {
        self.has_stages
    }

    /// Runs rows of a batch through the stages and hands on those that pass, with the labels of their stream.
    pub(crate) fn run(&mut self, rows: &RecordBatch, wanted: &[usize], visit: &mut dyn FnMut(usize, &Outcome<'_>, &Arc<LabelSet>)) -> Result<()> {
        let mut columns = MetadataColumns::of(rows, self.context.added)?;
        let (timestamp, body): (&TimestampNanosecondArray, &StringArray) = (column(rows, schema::TIMESTAMP)?, column(rows, logs::BODY)?);
        let mut runner = self.pipeline.runner(self.context.now_ns);
        let (mut entered, mut metadata) = (None, LabelSet::new());
        for row in wanted {
            let code = columns.resource.code(*row);
            let stream = match entered.take() {
                Some((known, stream)) if known == code => stream,
                _ => {
                    let stream = self.streams.get(columns.resource.value(code));
                    runner.enter_stream(pairs(&stream.labels));
                    stream
                }
            };
            columns.metadata(*row, &stream, None, &mut metadata);
            let line = if body.is_valid(*row) { body.value(*row) } else { "" };
            if let Some(outcome) = runner.run(timestamp.value(*row), line, pairs(&metadata)) {
                visit(*row, &outcome, &stream.labels);
            }
            entered = Some((code, stream));
        }
        Ok(())
    }
}

impl LogFilter for Query {
    fn narrow(&self, scan: &mut ScanRequest) {
        self.question.narrow(scan);
    }

    fn columns(&self) -> Vec<&'static str> {
        let mut columns = self.question.columns();
        if self.has_stages {
            columns.extend(METADATA_COLUMNS);
            columns.push(logs::BODY);
        }
        columns
    }

    fn labels(&self) -> Vec<String> {
        self.question.labels()
    }

    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        let bytes = self.question.retain(rows, candidates)?;
        if self.has_stages && !candidates.is_empty() {
            let mut passed = Vec::with_capacity(candidates.len());
            self.run(rows, candidates, &mut |row, _, _| passed.push(row))?;
            *candidates = passed;
        }
        Ok(bytes)
    }
}
