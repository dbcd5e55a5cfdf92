//! A store in memory with an engine over it, where rules are tested.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use signalbox_alert::unit_test::Laboratory;
use signalbox_ingest::sink::{Accepted, Sink, Written};
use signalbox_model::{Batch, Clock, KnownSeries, Result, Tenant};
use signalbox_query::Engine;
use signalbox_store::Store;
use signalbox_telemetry::SystemClock;

use super::memory_disk::MemoryDisk;

/// What stands on the clock of the store: long after every test, so that nothing is of the future.
const NOW_NS: i64 = 4_102_444_800 * 1_000_000_000;

/// Opens a laboratory whose subqueries without a step take this one.
///
/// # Errors
/// If the store cannot be opened.
pub(crate) async fn open(step_ms: i64) -> Result<(Laboratory, Store)> {
    let clock = Arc::new(StandingClock(SystemClock));
    let mut settings = signalbox_store::Settings::small();
    // Nothing is kept, and nothing goes while it is looked at.
    settings.retention.metrics.max_age_seconds = 0;
    settings.retention.logs.max_age_seconds = 0;
    settings.retention.traces.max_age_seconds = 0;
    let store = Store::open(settings, Path::new("store"), Arc::new(MemoryDisk::default()), clock.clone()).await?;
    let step_seconds = u64::try_from(step_ms.saturating_add(999) / 1_000).unwrap_or(1).max(1);
    let settings = signalbox_query::Settings { promql_subquery_step_seconds: step_seconds, ..signalbox_query::Settings::default() };
    let engine = Arc::new(Engine::new(store.clone(), clock, settings));
    Ok((Laboratory { engine, sink: Arc::new(Direct(store.clone())) }, store))
}

/// Writes as it comes: tests say what there is, whatever the age.
#[derive(Debug)]
struct Direct(Store);

#[async_trait]
impl Sink for Direct {
    async fn write(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted> {
        let written = Written::of(&batches);
        self.0.append(tenant, batches).await?;
        Ok(Accepted { rejected: Vec::new(), written })
    }

    fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries> {
        self.0.known_series(tenant)
    }
}

/// The wall clock stands, intervals pass.
#[derive(Debug)]
struct StandingClock(SystemClock);

impl Clock for StandingClock {
    fn now_ns(&self) -> i64 {
        NOW_NS
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}
