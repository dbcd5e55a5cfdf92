//! The one factory of DataFusion sessions.
//!
//! All sessions share one memory pool (what is in it is taken from the budget of all questions) and one spill directory with
//! a quota; each question has a bound of its own inside that pool. No session can reach a file or an address: the registry of object stores is empty.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use signalbox_model::{Error, Result};

use crate::Settings;
use crate::budget::Budget;
use crate::sql::pauses::Pauses;
use crate::sql::workers::Workers;
use crate::sql::{functions, identifiers};

/// Functions that make one huge value out of a small one, beyond what the memory pool can see.
const UNBOUNDED_FUNCTIONS: [&str; 12] =
    ["repeat", "lpad", "rpad", "array_repeat", "list_repeat", "array_resize", "list_resize", "range", "generate_series", "gen_series", "make_list", "space"];

/// What all sessions share.
pub(crate) struct Sessions {
    pool: Arc<dyn MemoryPool>,
    budget: Arc<Budget>,
    runtime: RuntimeEnvBuilder,
    partitions: usize,
    pub(crate) workers: Workers,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("pool", &self.pool).field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl Sessions {
    pub(crate) fn new(settings: &Settings, budget: Arc<Budget>) -> Result<Self> {
        let mode = match &settings.spill_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::Disabled,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(DiskManager::builder().with_mode(mode).with_max_temp_directory_size(settings.spill_bytes))
            .build()
            .map_err(|error| Error::unavailable("cannot prepare the spill directory of queries").with_source(error))?;
        // The only store a registry knows from the start is the local disk.
        runtime
            .deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())
            .map_err(|error| Error::internal("cannot close the local disk to queries").with_source(error))?;
        let partitions = settings.threads();
        let pool = Arc::new(FairSpillPool::new(usize::try_from(settings.memory_bytes).unwrap_or(usize::MAX)));
        let workers = Workers::new(partitions)?;
        Ok(Self { pool, budget, runtime: RuntimeEnvBuilder::from_runtime_env(&runtime), partitions, workers })
    }

    /// A session for one question that may hold so many bytes.
    pub(crate) fn session(&self, memory_bytes: usize) -> Result<SessionContext> {
        let pool = QueryPool { shared: Arc::clone(&self.pool), budget: Arc::clone(&self.budget), used: AtomicUsize::new(0), limit: memory_bytes };
        let runtime = self
            .runtime
            .clone()
            .with_memory_pool(Arc::new(pool))
            .build_arc()
            .map_err(|error| Error::internal("cannot make a query session").with_source(error))?;
        let mut config = SessionConfig::new().with_target_partitions(self.partitions).with_information_schema(false);
        let options = config.options_mut();
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.parquet.schema_force_view_types = false;
        options.execution.enable_recursive_ctes = false;
        let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
        let context = SessionContext::new_with_state(state.with_physical_optimizer_rule(Arc::new(Pauses)).build());
        for name in UNBOUNDED_FUNCTIONS {
            context.deregister_udf(name);
            context.deregister_udtf(name);
        }
        for function in functions::all() {
            context.register_udf(function);
        }
        identifiers::register(&context)?;
        Ok(context)
    }
}

/// The part of the shared pool that one question may use.
#[derive(Debug)]
struct QueryPool {
    shared: Arc<dyn MemoryPool>,
    budget: Arc<Budget>,
    used: AtomicUsize,
    limit: usize,
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query pool of {} bytes", self.limit)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used.fetch_add(additional, Ordering::Relaxed);
        self.budget.take_always(additional as u64);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
        self.budget.give_back(shrink as u64);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionResult<()> {
        let grown = |used: usize| used.checked_add(additional).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).map_err(|used| {
            DataFusionError::ResourcesExhausted(format!("the query holds {used} bytes and wants {additional} more, it may hold {}", self.limit))
        })?;
        let taken = self.budget.take(additional as u64).map_err(|error| DataFusionError::ResourcesExhausted(error.message().to_owned()));
        taken.inspect_err(|_| {
            self.used.fetch_sub(additional, Ordering::Relaxed);
        })?;
        self.shared.try_grow(reservation, additional).inspect_err(|_| {
            self.used.fetch_sub(additional, Ordering::Relaxed);
            self.budget.give_back(additional as u64);
        })
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}
