//! Following the records that a query selects, as they become visible.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use signalbox_lang::logql::LogExpr;
use signalbox_model::{Owners, Result, Table, TimeRange};
use signalbox_store::follow::{Followed, Follower};

use super::log::{Context, LogEntry, LogRequest, Query, entry};
use crate::Engine;
use crate::logs::{Direction, LogFilter};
use crate::rows::{LogColumns, Shared};

/// Streams and resources that are remembered between two batches; then they are read again.
const BATCHES_REMEMBERED: u32 = 1_000;

/// A question for what comes.
#[derive(Debug, Clone)]
pub struct TailRequest {
    /// Selector and pipeline.
    pub expr: LogExpr,
    /// From when on records are shown that are there already, nanoseconds since the epoch.
    pub start_ns: i64,
    /// How many of these at most, the newest.
    pub limit: usize,
}

/// What a tail is told.
#[derive(Debug, Clone)]
pub enum Tailed {
    /// Records, in the order of time at first, then in the order of arrival.
    Entries(Vec<LogEntry>),
    /// So many batches came faster than they were taken, and are not shown.
    Missed(u64),
}

/// Follows a query from the moment it was made.
pub struct Tail {
    follower: Follower,
    query: Query,
    maker: Query,
    make: (LogExpr, Context),
    batches: u32,
    /// What was there already, until it is taken.
    earlier: Option<Vec<LogEntry>>,
    /// Arrivals of what was there already: the follower may tell of them again.
    shown: HashSet<u64>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("follower", &self.follower).field("expr", &self.make.0).finish_non_exhaustive()
    }
}

impl Engine {
    /// Follows the records that a query selects; first the newest of those that are there. No record is told twice, and none
    /// is left out that becomes visible after the call.
    ///
    /// # Errors
    /// As [`Engine::logs`].
    pub async fn tail(&self, owners: impl Into<Owners>, request: TailRequest) -> Result<Tail> {
        let context = Context::of(self);
        let (query, maker) = (Query::new(&request.expr, context)?, Query::new(&request.expr, context)?);
        // First the follower, then the snapshot: what comes between the two is in both.
        let owners = owners.into();
        let follower = self.store.follow(&owners, Table::Logs)?;
        let range = TimeRange::from_ns(request.start_ns, context.now_ns.max(request.start_ns));
        let first = LogRequest { expr: request.expr.clone(), range, limit: request.limit, direction: Direction::Backward };
        let mut earlier = self.logs(&owners, first).await?.entries;
        earlier.reverse();
        let shown = earlier.iter().map(|entry| entry.record.sequence).collect();
        Ok(Tail { follower, query, maker, make: (request.expr, context), batches: 0, earlier: Some(earlier), shown })
    }
}

impl Tail {
    /// What comes next; `None` when the store is gone. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Internal` for rows that cannot be read.
    pub async fn next(&mut self) -> Result<Option<Tailed>> {
        if let Some(earlier) = self.earlier.take()
            && !earlier.is_empty()
        {
            return Ok(Some(Tailed::Entries(earlier)));
        }
        loop {
            match self.follower.next().await {
                None => return Ok(None),
                Some(Followed::Missed(batches)) => return Ok(Some(Tailed::Missed(batches))),
                Some(Followed::Rows(rows)) => {
                    let entries = self.entries(&rows)?;
                    if !entries.is_empty() {
                        return Ok(Some(Tailed::Entries(entries)));
                    }
                }
            }
        }
    }

    fn entries(&mut self, rows: &RecordBatch) -> Result<Vec<LogEntry>> {
        self.forget_now_and_then()?;
        let mut wanted: Vec<usize> = (0..rows.num_rows()).collect();
        self.query.retain(rows, &mut wanted)?;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let (columns, mut shared) = (LogColumns::of(rows)?, Shared::default());
        let (mut entries, shown) = (Vec::with_capacity(wanted.len()), &self.shown);
        self.maker.run(rows, &wanted, &mut |row, outcome, stream| {
            let record = columns.record(row, &mut shared);
            if !shown.contains(&record.sequence) {
                entries.push(entry(record, outcome, stream));
            }
        })?;
        Ok(entries)
    }

    /// A query remembers every resource that it has seen, and a tail may run for weeks.
    fn forget_now_and_then(&mut self) -> Result<()> {
        self.batches += 1;
        if self.batches == BATCHES_REMEMBERED {
            self.batches = 0;
            (self.query, self.maker) = (Query::new(&self.make.0, self.make.1)?, Query::new(&self.make.0, self.make.1)?);
        }
        Ok(())
    }
}
