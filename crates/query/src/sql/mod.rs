//! SQL over `metrics`, `logs` and `spans`: reading only, within limits of time, memory and rows.
//!
//! Dropping the stream of an answer stops the query.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast;
use futures::{Stream, StreamExt};
use signalbox_model::{Error, ErrorKind, Result, Tenant};

use crate::Engine;
use crate::table::{SnapshotTable, TableKind};

pub(crate) mod functions;
pub(crate) mod identifiers;
pub(crate) mod pauses;
mod vector;
pub(crate) mod workers;

pub use vector::check_vector;

/// Bytes of one query text.
pub const TEXT_BYTES_MAX: usize = 256 << 10;
/// How deep expressions and subqueries may nest.
const NESTING_MAX: usize = 50;

/// What the asker allows one query; the settings of the server bound it from above.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SqlLimits {
    /// How long the query may take.
    pub timeout: Option<Duration>,
    /// Bytes that the query may hold.
    pub memory_bytes: Option<u64>,
    /// Rows of the answer; the rest is cut off.
    pub rows: Option<u64>,
}

/// The answer to a query, as it comes.
pub struct SqlAnswer {
    /// Columns of the answer.
    pub schema: SchemaRef,
    batches: Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>,
    is_cut: Arc<AtomicBool>,
}

impl SqlAnswer {
    /// The next rows; `None` at the end. After an error there are no more.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        self.batches.next().await
    }

    /// Whether rows were cut off by the limit of rows; known at the end.
    pub fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for SqlAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlAnswer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Engine {
    /// Answers one `SELECT` (or `EXPLAIN` of one) over a snapshot taken now; `now()` is the clock of the engine.
    ///
    /// # Errors
    /// `Invalid` for a text that does not parse, names what does not exist or would change anything; `Limit` and `Timeout`
    /// by the limits. Errors that show only while the query runs come through the stream.
    pub async fn sql(&self, tenant: &Tenant, text: &str, limits: SqlLimits) -> Result<SqlAnswer> {
        self.watched("sql", text, self.plan_sql(tenant, text, limits, self.clock.now_ns())).await
    }

    async fn plan_sql(&self, tenant: &Tenant, text: &str, limits: SqlLimits, now_ns: i64) -> Result<SqlAnswer> {
        let settings = &self.settings;
        let timeout = limits.timeout.unwrap_or(Duration::MAX).min(Duration::from_secs(settings.timeout_seconds));
        let memory_bytes = limits.memory_bytes.unwrap_or(u64::MAX).min(settings.memory_bytes_per_query);
        let rows_max = usize::try_from(limits.rows.unwrap_or(u64::MAX).min(settings.rows_max)).unwrap_or(usize::MAX);
        let pass = self.gate.enter(timeout).await?;
        let (sessions, session) = (self.sessions()?, self.session_over(tenant, memory_bytes)?);
        let (started, text) = (self.clock.monotonic(), text.to_owned());
        let plan = async move {
            let frame = frame(&session, &text, now_ns).await?;
            // One row more than allowed shows that there was more. An explanation must stay the root of its plan.
            let is_explanation = matches!(frame.logical_plan(), LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
            let frame = if is_explanation { frame } else { frame.limit(0, Some(rows_max.saturating_add(1))).map_err(to_error)? };
            Ok((frame.execute_stream().await.map_err(to_error)?, pass))
        };
        let (stream, pass) = tokio::time::timeout(timeout, sessions.workers.run(plan)).await.map_err(|_| timed_out(timeout))??;
        let stream = sessions.workers.drive(stream, pass)?;
        let left = timeout.saturating_sub(self.clock.monotonic().saturating_sub(started));
        let is_cut = Arc::new(AtomicBool::new(false));
        let (schema, batches) = (stream.schema(), bounded(stream, left, timeout, rows_max, Arc::clone(&is_cut)));
        Ok(SqlAnswer { schema, batches: Box::pin(batches), is_cut })
    }

    /// Begins to answer one `SELECT`, all rows of it and for as long as it takes. Dropping the stream stops the query.
    ///
    /// # Errors
    /// As [`Self::sql`].
    pub(crate) async fn stream_sql(&self, tenant: &Tenant, text: &str) -> Result<SendableRecordBatchStream> {
        let timeout = Duration::from_secs(self.settings.timeout_seconds);
        let pass = self.gate.enter(timeout).await?;
        let (sessions, session) = (self.sessions()?, self.session_over(tenant, self.settings.memory_bytes_per_query)?);
        let (now_ns, text) = (self.clock.now_ns(), text.to_owned());
        let plan = async move { Ok((frame(&session, &text, now_ns).await?.execute_stream().await.map_err(to_error)?, pass)) };
        let (stream, pass) = tokio::time::timeout(timeout, sessions.workers.run(plan)).await.map_err(|_| timed_out(timeout))??;
        sessions.workers.drive(stream, pass)
    }

    /// A session with the tables of a snapshot taken now.
    fn session_over(&self, tenant: &Tenant, memory_bytes: u64) -> Result<SessionContext> {
        let session = self.sessions()?.session(usize::try_from(memory_bytes).unwrap_or(usize::MAX))?;
        let snapshot = self.store.snapshot(tenant);
        for kind in TableKind::ALL {
            let table = Arc::new(SnapshotTable::new(snapshot.clone(), kind));
            session.register_table(kind.name(), table).map_err(to_error)?;
        }
        Ok(session)
    }
}

/// Parses one reading statement.
fn parse(text: &str) -> Result<Statement> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, format!("cannot parse a query of {} bytes: want at most {TEXT_BYTES_MAX}", text.len())));
    }
    let parser = DFParserBuilder::new(text).with_recursion_limit(NESTING_MAX).build();
    let mut statements = parser.and_then(|mut parser| parser.parse_statements()).map_err(to_error)?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) if is_query(&statement) => Ok(statement),
        (Some(statement), true) => {
            let text: String = statement.to_string().chars().take(60).collect();
            Err(Error::invalid(format!("cannot run {text:?}: want one SELECT, or EXPLAIN of one")))
        }
        (None, _) => Err(Error::invalid("cannot run an empty query: want one SELECT")),
        (Some(_), false) => Err(Error::invalid("cannot run several statements: want one SELECT")),
    }
}

/// Parses and plans one reading statement; `now()` in it is an instant in nanoseconds since the Unix epoch.
async fn frame(session: &SessionContext, text: &str, now_ns: i64) -> Result<DataFrame> {
    let statement = parse(text)?;
    let mut state = session.state();
    state.execution_props_mut().query_execution_start_time = timestamp_ns_to_datetime(now_ns).map(|now| now.and_utc());
    let plan = state.statement_to_plan(statement).await.map_err(to_error)?;
    // The statement is a query by its form; its plan must be one as well (SELECT INTO is not).
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false).verify_plan(&plan).map_err(to_error)?;
    Ok(DataFrame::new(state, plan))
}

fn is_query(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(**statement, ast::Statement::Query(_)),
        Statement::Explain(explain) => is_query(&explain.statement),
        _ => false,
    }
}

fn bounded(
    stream: SendableRecordBatchStream,
    left: Duration,
    timeout: Duration,
    rows_max: usize,
    is_cut: Arc<AtomicBool>,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let deadline = Box::pin(tokio::time::sleep(left));
    futures::stream::unfold(Some((stream, deadline, rows_max)), move |state| {
        let is_cut = Arc::clone(&is_cut);
        async move {
            let (mut stream, mut deadline, rows_left) = state?;
            let next = tokio::select! {
                biased;
                () = &mut deadline => return Some((Err(timed_out(timeout)), None)),
                next = stream.next() => next?,
            };
            match next {
                Ok(rows) if rows.num_rows() > rows_left => {
                    is_cut.store(true, Ordering::Relaxed);
                    Some((Ok(rows.slice(0, rows_left)), None))
                }
                Ok(rows) => {
                    let rows_left = rows_left - rows.num_rows();
                    Some((Ok(rows), Some((stream, deadline, rows_left))))
                }
                Err(error) => Some((Err(to_error(error)), None)),
            }
        }
    })
}

fn timed_out(timeout: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("the query took longer than {} ms", timeout.as_millis()))
}

/// What went wrong, in our words for who is to act; the text of DataFusion explains what to change.
pub(crate) fn to_error(error: DataFusionError) -> Error {
    let kind = match error.find_root() {
        DataFusionError::External(source) => match source.downcast_ref::<Error>() {
            Some(ours) => return Error::new(ours.kind(), ours.message()).with_source(error),
            None => ErrorKind::Internal,
        },
        DataFusionError::ResourcesExhausted(_) => ErrorKind::Limit,
        DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_) | DataFusionError::IoError(_) => ErrorKind::Internal,
        _ => ErrorKind::Invalid,
    };
    let message = match kind {
        ErrorKind::Internal => "cannot run the query: internal error".to_owned(),
        ErrorKind::Limit => format!("the query needs too much memory: {}", first_line(&error)),
        _ => first_line(&error),
    };
    Error::new(kind, message).with_source(error)
}

fn first_line(error: &DataFusionError) -> String {
    const MESSAGE_CHARS_MAX: usize = 2_000;
    error.strip_backtrace().chars().take(MESSAGE_CHARS_MAX).collect()
}
