//! Marks traces that somebody archives, by a series that policies of the retention look for.

use std::sync::Arc;

use async_trait::async_trait;
use signalbox_api::jaeger::{Archive, NoArchive};
use signalbox_ingest::Sink;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Batch, Clock, Error, Labels, MetricBatch, Result, SeriesEntry, SeriesId, SeriesKey, Tenant, TraceId};
use signalbox_store::settings::{ARCHIVED_TRACE, RetentionSettings, TRACE_ID_LABEL};

/// Who archives: nobody if no policy keeps what is marked.
pub(crate) fn of(retention: &RetentionSettings, sink: Arc<dyn Sink>, clock: &Arc<dyn Clock>) -> Arc<dyn Archive> {
    if retention.kept_traces.iter().any(|policy| policy.archived) { Arc::new(Marks { sink, clock: Arc::clone(clock) }) } else { Arc::new(NoArchive) }
}

/// Writes marks as every other door writes.
#[derive(Debug)]
struct Marks {
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Archive for Marks {
    async fn archive(&self, tenant: &Tenant, trace_id: TraceId) -> Result<()> {
        let batch = mark(trace_id, self.clock.now_ns().div_euclid(1_000_000));
        let accepted = self.sink.write(tenant, vec![Batch::Metrics(batch)]).await?;
        match accepted.rejected.first() {
            Some(rejected) => Err(Error::unavailable(format!("cannot mark trace {trace_id}: {}", rejected.message))),
            None => Ok(()),
        }
    }
}

fn mark(trace_id: TraceId, now_ms: i64) -> MetricBatch {
    let id = trace_id.to_string();
    let labels = Labels::from_pairs([(METRIC_NAME, ARCHIVED_TRACE), (TRACE_ID_LABEL, id.as_str())]);
    // No protocol hashes blocks of labels behind this word.
    let key = SeriesKey(SeriesId::of_block(&[b"archive\0", labels.as_bytes()].concat()).0);
    let mut batch = MetricBatch::default();
    batch.series.push(SeriesEntry::New { key, labels });
    batch.samples.push(0, now_ms, 1.0);
    batch
}
