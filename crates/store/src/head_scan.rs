//! Rows of logs and spans that are in memory, as parts of a scan.

use arrow::array::{Array, TimestampMillisecondArray, TimestampNanosecondArray};
use arrow::record_batch::RecordBatch;
use signalbox_model::{Error, Result, Table, TimeRange, schema};

use crate::scan::{Batches, ScanPart, ScanRequest};
use crate::tenants::TenantStore;

impl TenantStore {
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
