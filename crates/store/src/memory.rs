//! The head: newest rows in memory.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use parking_lot::{Mutex, RwLock};
use signalbox_model::{Batch, Error, KnownSeries, MetricMetadata, Result, SeriesKey, SeriesRef, Table, Tenant, TimeRange, schema};

use crate::read::metrics::MetricView;
use crate::scan::{Batches, ScanPart, ScanRequest};
use crate::snapshot::Snapshot;
use crate::write::head::metrics::MetricHead;

#[derive(Debug, Default)]
pub(crate) struct Head {
    tenants: Mutex<HashMap<Tenant, Arc<TenantHead>>>,
}

#[derive(Debug, Default)]
pub(crate) struct TenantHead {
    metrics: MetricHead,
    logs: RwLock<Vec<RecordBatch>>,
    spans: RwLock<Vec<RecordBatch>>,
    sequence: Mutex<u64>,
}

impl Head {
    fn tenant(&self, tenant: &Tenant) -> Arc<TenantHead> {
        Arc::clone(self.tenants.lock().entry(tenant.clone()).or_default())
    }

    pub(crate) fn append(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<()> {
        let head = self.tenant(tenant);
        for batch in batches {
            match batch {
                Batch::Metrics(batch) => {
                    let refs = head.metrics.resolve(&batch.series)?;
                    head.metrics.append(&batch, &refs)?;
                }
                Batch::Logs(batch) => head.logs.write().push(head.number(batch.into_rows())?),
                Batch::Traces(batch) => head.spans.write().push(head.number(batch.into_rows())?),
            }
        }
        Ok(())
    }

    pub(crate) fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries> {
        self.tenant(tenant)
    }

    pub(crate) fn active_series(&self, tenant: &Tenant) -> usize {
        self.tenant(tenant).metrics.active_series()
    }

    pub(crate) fn snapshot(&self, tenant: &Tenant) -> Snapshot {
        let head = self.tenant(tenant);
        Snapshot { metrics: head.metric_view(), head }
    }
}

impl KnownSeries for TenantHead {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.metrics.find(key)
    }
}

impl TenantHead {
    fn number(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let mut next = self.sequence.lock();
        let first = *next;
        *next += rows.num_rows() as u64;
        let mut columns = rows.columns().to_vec();
        columns[schema::index(&rows.schema(), schema::SEQUENCE)] = Arc::new(UInt64Array::from_iter_values(first..*next));
        RecordBatch::try_new(rows.schema(), columns).map_err(|error| Error::internal("cannot number rows").with_source(error))
    }

    /// What is shown of metrics.
    pub(crate) fn metric_view(&self) -> MetricView {
        MetricView { head: self.metrics.view(), segments: Arc::from([]) }
    }

    pub(crate) fn metadata(&self) -> Vec<MetricMetadata> {
        self.metrics.metadata()
    }

    pub(crate) fn scan(&self, table: Table, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        let batches = match table {
            Table::Logs => self.logs.read().clone(),
            Table::Spans => self.spans.read().clone(),
            Table::Samples | Table::Histograms | Table::Exemplars => Vec::new(),
        };
        let mut parts = Vec::new();
        for batch in batches.into_iter().filter(|batch| batch.num_rows() > 0) {
            let range = time_bounds(&batch);
            if !range.overlaps(&request.range) {
                continue;
            }
            let rows = batch.num_rows() as u64;
            let batch = match &request.projection {
                Some(columns) => batch.project(columns).map_err(|error| Error::internal("cannot project rows").with_source(error))?,
                None => batch,
            };
            parts.push(ScanPart::new(range, rows, move || Ok(Box::new(std::iter::once(Ok(batch))) as Batches)));
        }
        Ok(parts)
    }
}

fn time_bounds(batch: &RecordBatch) -> TimeRange {
    let column = batch.column(schema::index(&batch.schema(), schema::TIMESTAMP));
    if let Some(times) = column.as_any().downcast_ref::<TimestampNanosecondArray>() {
        let (min, max) = bounds(times.values());
        return TimeRange::from_ns(min, max);
    }
    let times = column.as_any().downcast_ref::<TimestampMillisecondArray>();
    let (min, max) = bounds(times.map_or(&[], |times| times.values().as_ref()));
    TimeRange::from_ms(min, max)
}

fn bounds(times: &[i64]) -> (i64, i64) {
    times.iter().fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(*time), max.max(*time)))
}
