//! Following what is appended: rows of logs or spans as they become visible.

use arrow::record_batch::RecordBatch;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

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

/// Follows a table of one tenant from the moment it was made.
#[derive(Debug)]
pub struct Follower(pub(crate) Receiver<RecordBatch>);

impl Follower {
    /// What comes next; `None` when the store is gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Followed> {
        match self.0.recv().await {
            Ok(rows) => Some(Followed::Rows(rows)),
            Err(RecvError::Lagged(batches)) => Some(Followed::Missed(batches)),
            Err(RecvError::Closed) => None,
        }
    }

    /// What is there already; `None` when that is nothing.
    pub fn try_next(&mut self) -> Option<Followed> {
        match self.0.try_recv() {
            Ok(rows) => Some(Followed::Rows(rows)),
            Err(TryRecvError::Lagged(batches)) => Some(Followed::Missed(batches)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
