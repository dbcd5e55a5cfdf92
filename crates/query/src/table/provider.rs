//! A table of SQL over one snapshot. Parts are read on threads that may block, and handed over through bounded channels.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use parking_lot::Mutex;
use signalbox_model::{Error, Result};
use signalbox_store::{ScanPart, ScanRequest, Snapshot};

use super::prune::Narrowing;
use super::shape::{Shape, TableKind};

/// Batches that wait between a reading thread and the query.
const BATCHES_AHEAD: usize = 2;

/// One table of one snapshot.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    snapshot: Snapshot,
    kind: TableKind,
}

impl SnapshotTable {
    pub(crate) fn new(snapshot: Snapshot, kind: TableKind) -> Self {
        Self { snapshot, kind }
    }

    async fn parts(&self, shape: &Shape, filters: &[Expr]) -> Result<VecDeque<ScanPart>> {
        let narrowing = Narrowing::of(filters);
        let request = ScanRequest {
            projection: Some(shape.stored.clone()),
            trace_id: narrowing.trace_id,
            services: narrowing.services.unwrap_or_default(),
            ..ScanRequest::all(narrowing.range)
        };
        let (snapshot, table) = (self.snapshot.clone(), self.kind.stored());
        let scan = tokio::task::spawn_blocking(move || snapshot.scan(table, &request));
        let mut parts = scan.await.map_err(|error| Error::internal("cannot plan a scan").with_source(error))??;
        // The largest first, so that no thread starts it when the others are done.
        parts.sort_by_key(|part| std::cmp::Reverse(part.rows));
        Ok(parts.into())
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.kind.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match Narrowing::is_useful(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let shape = Shape::new(self.kind, projection.map(Vec::as_slice)).map_err(external)?;
        let parts = self.parts(&shape, filters).await.map_err(external)?;
        let partitions = state.config().target_partitions().min(parts.len()).max(1);
        let (parts, schema) = (Arc::new(Mutex::new(parts)), Arc::clone(&shape.schema));
        let streams = (0..partitions).map(|_| {
            let partition = PartsPartition { shape: shape.clone(), parts: Arc::clone(&parts), is_taken: AtomicBool::new(false) };
            Arc::new(partition) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTableExec::try_new(schema, streams.collect(), None, [], false, limit)?))
    }
}

/// One reader of the parts of a scan: all readers take the next part from one queue.
struct PartsPartition {
    shape: Shape,
    parts: Arc<Mutex<VecDeque<ScanPart>>>,
    is_taken: AtomicBool,
}

impl fmt::Debug for PartsPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartsPartition").field("parts", &self.parts.lock().len()).finish_non_exhaustive()
    }
}

impl PartitionStream for PartsPartition {
    fn schema(&self) -> &SchemaRef {
        &self.shape.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.shape.schema), BATCHES_AHEAD);
        let (sender, parts, shape) = (builder.tx(), Arc::clone(&self.parts), self.shape.clone());
        let was_taken = self.is_taken.swap(true, Ordering::Relaxed);
        builder.spawn_blocking(move || {
            if was_taken {
                return Err(external(Error::internal("cannot read a scan twice")));
            }
            loop {
                let Some(part) = parts.lock().pop_front() else { return Ok(()) };
                for rows in part.read().map_err(external)? {
                    let rows = rows.and_then(|rows| shape.apply(&rows)).map_err(external)?;
                    if rows.num_rows() > 0 && sender.blocking_send(Ok(rows)).is_err() {
                        // The query has ended or was given up.
                        return Ok(());
                    }
                }
            }
        });
        builder.build()
    }
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
