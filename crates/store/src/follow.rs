//! Following what is appended: rows of logs or spans as they become visible.

use arrow::record_batch::RecordBatch;
use futures::future::select_all;
use signalbox_model::Table;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::federation::Mark;

/// Batches that wait for a follower at most; whoever is slower misses the oldest. Few, for each is kept in memory.
pub(crate) const WAITING_MAX: usize = 256;

/// What a follower is told.
#[derive(Debug, Clone)]
pub enum Followed {
    /// Rows that are durable and visible, with all columns, in the order of arrival.
    Rows(RecordBatch),
    /// So many batches were missed: they came faster than they were taken. They are stored all the same.
    Missed(u64),
}

/// Follows a table of one tenant, or of several, from the moment it was made.
#[derive(Debug)]
pub struct Follower {
    table: Table,
    /// With what marks the rows, where there are several.
    heads: Vec<(Option<Mark>, Receiver<RecordBatch>)>,
}

impl Follower {
    pub(crate) fn of_one(table: Table, head: Receiver<RecordBatch>) -> Self {
        Self { table, heads: vec![(None, head)] }
    }

    pub(crate) fn of_several(table: Table, heads: Vec<(Mark, Receiver<RecordBatch>)>) -> Self {
        Self { table, heads: heads.into_iter().map(|(mark, head)| (Some(mark), head)).collect() }
    }

    /// What comes next; `None` when the store is gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Followed> {
        let heads = self.heads.iter_mut().map(|(_, head)| Box::pin(head.recv()));
        let (told, at, _) = select_all(heads).await;
        match told {
            Ok(rows) => Some(self.told(at, rows)),
            Err(RecvError::Lagged(batches)) => Some(Followed::Missed(batches)),
            Err(RecvError::Closed) => None,
        }
    }

    /// What is there already; `None` when that is nothing.
    pub fn try_next(&mut self) -> Option<Followed> {
        for at in 0..self.heads.len() {
            match self.heads[at].1.try_recv() {
                Ok(rows) => return Some(self.told(at, rows)),
                Err(TryRecvError::Lagged(batches)) => return Some(Followed::Missed(batches)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => {}
            }
        }
        None
    }

    fn told(&self, at: usize, rows: RecordBatch) -> Followed {
        let Some(mark) = &self.heads[at].0 else { return Followed::Rows(rows) };
        mark.rows(self.table, rows).map_or_else(
            |error| {
                tracing::error!(?error, "cannot tell a follower of rows: {error}");
                Followed::Missed(1)
            },
            Followed::Rows,
        )
    }
}
