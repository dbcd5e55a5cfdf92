//! Threads of their own for SQL.
//!
//! A plan computes on the threads of tokio, for as long as it likes between two batches. On the threads that serve, one question
//! would make everybody wait: who writes, who asks for little, and whoever is to be told that its time is up.

use std::fmt;
use std::future::Future;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use futures::StreamExt;
use signalbox_model::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::budget::Pass;

/// Batches that wait for who asked.
const BATCHES_AHEAD: usize = 1;

/// The threads.
pub(crate) struct Workers(Option<Runtime>);

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Whoever drops it may be a task: those must not wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Workers {
    /// So many threads, which sleep while there is no question.
    ///
    /// # Errors
    /// `Unavailable` if the system starts no more threads.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(threads.max(1)).thread_name("sql").enable_time().build();
        Ok(Self(Some(runtime.map_err(|error| Error::unavailable("cannot start threads for SQL").with_source(error))?)))
    }

    fn runtime(&self) -> Result<&Runtime> {
        self.0.as_ref().ok_or_else(|| Error::internal("cannot run SQL: its threads have ended"))
    }

    /// Runs a future there to its end, or until this one is dropped.
    ///
    /// # Errors
    /// Of the future; `Internal` if it panics.
    pub(crate) async fn run<T: Send + 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let mut task = JoinSet::new();
        task.spawn_on(future.in_current_span(), self.runtime()?.handle());
        let ended = task.join_next().await.ok_or_else(|| Error::internal("cannot run SQL: nothing was begun"))?;
        ended.map_err(|error| Error::internal("cannot run SQL: its task died").with_source(error))?
    }

    /// The same rows, computed there. When the stream is dropped the computation ends with its next batch, and keeps its place until then.
    ///
    /// # Errors
    /// `Internal` if the threads have ended.
    pub(crate) fn drive(&self, mut rows: SendableRecordBatchStream, pass: Pass) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStreamBuilder::new(rows.schema(), BATCHES_AHEAD);
        let sender = builder.tx();
        let computing = async move {
            let _pass = pass;
            while let Some(batch) = rows.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        builder.spawn_on(computing.in_current_span(), self.runtime()?.handle());
        Ok(builder.build())
    }
}
