//! The head of one tenant's logs or spans.
//!
//! Appended batches are kept as they came; many small ones are copied together into chunks ([`pile`]), so that a scan of the
//! head costs the same whatever the size of the requests was. A view is a list of chunks, which never change: nothing
//! vanishes from under a reader. Sealed chunks stay visible until [`RowHead::release`], which the flush calls once the
//! segment made of them is published.

pub(crate) mod chunk;
mod pile;

use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::record_batch::RecordBatch;
use parking_lot::RwLock;
use signalbox_model::{Error, Result, Table, schema};
use tokio::sync::broadcast::{self, Receiver};

use crate::follow::WAITING_MAX;
use chunk::Chunk;
use pile::Pile;

/// The head of one tenant's logs or spans.
#[derive(Debug)]
pub(crate) struct RowHead {
    table: Table,
    cut: RwLock<Cut>,
    /// Who follows.
    followers: broadcast::Sender<RecordBatch>,
}

#[derive(Debug, Default)]
struct Cut {
    active: Pile,
    sealed: Vec<Arc<Sealed>>,
}

/// Rows that no append reaches any more, on their way into a segment.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) table: Table,
    /// In order of arrival.
    pub(crate) chunks: Vec<Arc<Chunk>>,
}

/// What a snapshot holds of the head. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RowHeadView {
    pub(crate) table: Table,
    /// In order of arrival.
    pub(crate) chunks: Arc<[Arc<Chunk>]>,
}

impl RowHead {
    /// An empty head of `logs` or `spans`.
    ///
    /// # Panics
    /// For another table: the caller knows which it asks for.
    pub(crate) fn new(table: Table) -> Self {
        assert!(matches!(table, Table::Logs | Table::Spans), "heads of rows are those of logs and spans");
        Self { table, cut: RwLock::default(), followers: broadcast::Sender::new(WAITING_MAX) }
    }

    /// Appends rows with the schema of the table, numbered (see [`numbered`]). They are visible when this returns.
    ///
    /// # Errors
    /// `Internal` if the schema is another one.
    pub(crate) fn append(&self, rows: RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let want = crate::format::rows::schema_of(self.table)?;
        if !Arc::ptr_eq(&want, rows.schema_ref()) && want.fields() != rows.schema_ref().fields() {
            return Err(Error::internal(format!("cannot append rows to {}: their schema is another one", self.table.as_str())));
        }
        let followed = (self.followers.receiver_count() > 0).then(|| rows.clone());
        self.cut.write().active.push(rows)?;
        if let Some(rows) = followed {
            // The last follower may have gone meanwhile.
            let _nobody = self.followers.send(rows);
        }
        Ok(())
    }

    /// Tells of all rows appended from now on.
    pub(crate) fn follow(&self) -> Receiver<RecordBatch> {
        self.followers.subscribe()
    }

    /// Cuts the head: everything appended so far is in what this returns, everything later is not. `None` when there is
    /// nothing. Sealed rows stay visible until they are released; a flush that failed is tried again with the same.
    pub(crate) fn seal(&self) -> Option<Arc<Sealed>> {
        let mut cut = self.cut.write();
        let chunks = cut.active.take();
        if chunks.is_empty() {
            return None;
        }
        let sealed = Arc::new(Sealed { table: self.table, chunks });
        cut.sealed.push(Arc::clone(&sealed));
        Some(sealed)
    }

    /// Forgets sealed rows: their segment is published. Whoever publishes does both under the lock under which snapshots are
    /// taken, so that no snapshot shows a row twice or not at all.
    pub(crate) fn release(&self, sealed: &Arc<Sealed>) {
        self.cut.write().sealed.retain(|other| !Arc::ptr_eq(other, sealed));
    }

    /// Everything in the head now.
    pub(crate) fn view(&self) -> RowHeadView {
        let cut = self.cut.read();
        RowHeadView { table: self.table, chunks: cut.sealed.iter().flat_map(|sealed| &sealed.chunks).chain(cut.active.chunks()).cloned().collect() }
    }

    /// Rows that are not sealed.
    pub(crate) fn buffered_rows(&self) -> usize {
        self.cut.read().active.rows()
    }
}

/// The rows with their sequence column counting from `first`. Sequences say which of two rows of one time came first; they
/// must grow with the order of arrival, over restarts too.
///
/// # Errors
/// `Internal` if the rows have no such column.
pub(crate) fn numbered(rows: &RecordBatch, first: u64) -> Result<RecordBatch> {
    let failed = |error| Error::internal("cannot number rows").with_source(error);
    let at = rows.schema_ref().index_of(schema::SEQUENCE).map_err(failed)?;
    let mut columns = rows.columns().to_vec();
    columns[at] = Arc::new(UInt64Array::from_iter_values((0..rows.num_rows() as u64).map(|row| first.wrapping_add(row))));
    RecordBatch::try_new(rows.schema(), columns).map_err(failed)
}

#[cfg(test)]
mod tests;
