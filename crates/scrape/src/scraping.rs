//! All jobs of a `prometheus.yml`: started, reloaded, shown, ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use signalbox_ingest::{Budget, Sink};
use signalbox_model::{Clock, Error, Labels, Result, Tenant};
use signalbox_telemetry::{names, registry};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::HttpClient;
use crate::config::{PrometheusConfig, ScrapeConfig};
use crate::discovery::{self, Discovery};
use crate::fetch::HttpFetch;
use crate::pool::{Pool, PoolView};
use crate::relabel::{self, RelabelConfig};
use crate::scraper::{Counters, Shared};

/// Settings of scraping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A `prometheus.yml`: its jobs are scraped and its rule files evaluated. Paths in it are taken from its folder. Empty:
    /// nothing is scraped. It is read again on SIGHUP and `POST /-/reload`.
    pub config_file: PathBuf,
    /// Bytes that one page may have, without compression; a `body_size_limit` of a job can only be smaller.
    pub body_bytes_max: u64,
    /// Bytes that all pages under way may have together; a scrape beyond it fails.
    pub in_flight_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { config_file: PathBuf::new(), body_bytes_max: 256 << 20, in_flight_bytes_max: 512 << 20 }
    }
}

/// What scraping needs.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where samples go.
    pub sink: Arc<dyn Sink>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Whose samples they are.
    pub tenant: Tenant,
    /// What discovery has around it.
    pub around: discovery::Surroundings,
}

/// Everything that is scraped.
#[derive(Debug)]
pub struct Scraping {
    settings: Settings,
    shared: Arc<Shared>,
    around: discovery::Surroundings,
    budget: Budget,
    jobs: Mutex<BTreeMap<String, Job>>,
    config: RwLock<PrometheusConfig>,
}

/// A job that runs.
#[derive(Debug)]
struct Job {
    pool: Arc<Mutex<Pool>>,
    discovery: Discovery,
    /// Brings what discovery finds to the pool.
    following: AbortHandle,
}

/// A job that could run: everything that can fail has not failed.
struct Prepared {
    job: Arc<ScrapeConfig>,
    fetch: Arc<HttpFetch>,
    discovery: Option<Discovery>,
}

/// One rule and what it made of labels.
#[derive(Debug, Clone)]
pub struct RelabelStep {
    /// The rule.
    pub rule: RelabelConfig,
    /// The labels after it; empty when it dropped them.
    pub output: Labels,
    /// Whether it kept them.
    pub is_kept: bool,
}

impl Scraping {
    /// Nothing is scraped yet: see [`Scraping::apply`].
    pub fn new(settings: Settings, parts: Parts) -> Self {
        let shared = Shared {
            sink: parts.sink,
            clock: parts.clock,
            tenant: parts.tenant,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            running: Mutex::default(),
            counters: Counters::default(),
        };
        let budget = Budget::new(settings.in_flight_bytes_max);
        Self { settings, shared: Arc::new(shared), around: parts.around, budget, jobs: Mutex::default(), config: RwLock::default() }
    }

    /// Scrapes the jobs of a configuration from now on. Must be called within a runtime.
    ///
    /// # Errors
    /// `Invalid` if a job cannot run, for example for a certificate that cannot be read; then everything stays as it was.
    pub fn apply(&self, config: PrometheusConfig) -> Result<()> {
        let mut jobs = self.jobs.lock();
        let prepared = config.scrape_configs.iter().map(|job| self.prepare(job, jobs.get(&job.job_name))).collect::<Result<Vec<_>>>()?;
        let gone: Vec<String> = jobs.keys().filter(|name| !config.scrape_configs.iter().any(|job| job.job_name == **name)).cloned().collect();
        for name in gone {
            jobs.remove(&name).into_iter().for_each(Job::stop);
        }
        for Prepared { job, fetch, discovery } in prepared.into_iter().flatten() {
            let name = job.job_name.clone();
            match jobs.get_mut(&name) {
                Some(running) => {
                    running.pool.lock().reload(job, fetch)?;
                    if let Some(discovery) = discovery {
                        running.follow(discovery, &self.shared);
                    } else {
                        // Relabelling may make other targets of the same groups.
                        let groups = running.discovery.groups().borrow().clone();
                        running.pool.lock().sync(&groups);
                    }
                }
                None => {
                    let Some(discovery) = discovery else { continue };
                    let pool = Pool::new(Arc::clone(&self.shared), job, fetch, self.settings.body_bytes_max)?;
                    jobs.insert(name, Job::start(pool, discovery, &self.shared));
                }
            }
        }
        registry().gauge(names::SCRAPE_JOBS, &[]).set(jobs.len() as f64);
        *self.config.write() = config;
        Ok(())
    }

    /// Everything of a job that can fail; `None` when it runs already just so.
    fn prepare(&self, job: &ScrapeConfig, running: Option<&Job>) -> Result<Option<Prepared>> {
        let old = running.map(|running| Arc::clone(running.pool.lock().job()));
        if old.as_deref() == Some(job) {
            return Ok(None);
        }
        let clock = &self.shared.clock;
        let about = |error: Error| Error::new(error.kind(), format!("job {:?}: {}", job.job_name, error.message())).with_source(error);
        crate::scraper::fallback(job).map_err(about)?;
        let client = HttpClient::new(&job.http, Arc::clone(clock)).map_err(about)?;
        let keeps_discovery = old.is_some_and(|old| old.discovery == job.discovery);
        let start = || Discovery::start(&job.job_name, &job.discovery, &self.around).map_err(about);
        let discovery = if keeps_discovery { None } else { Some(start()?) };
        Ok(Some(Prepared { job: Arc::new(job.clone()), fetch: Arc::new(HttpFetch::new(client, self.budget.clone())), discovery }))
    }

    /// The jobs and their targets, by name.
    pub fn pools(&self) -> Vec<PoolView> {
        self.jobs.lock().values().map(|job| job.pool.lock().view()).collect()
    }

    /// The configuration in force, without secrets.
    pub fn config_yaml(&self) -> String {
        self.config.read().to_yaml()
    }

    /// The configuration of a job with everything that is in force, without secrets. `None`: no such job.
    pub fn job_yaml(&self, job: &str) -> Option<String> {
        Some(self.jobs.lock().get(job)?.pool.lock().job().to_yaml())
    }

    /// What the relabelling of a job's targets makes of labels, rule by rule; nothing from the one on that drops them. `None`: no
    /// such job.
    pub fn relabel_steps(&self, job: &str, labels: &Labels) -> Option<Vec<RelabelStep>> {
        let job = Arc::clone(self.jobs.lock().get(job)?.pool.lock().job());
        let mut kept = Some(labels.clone());
        let step = |rule: &RelabelConfig| {
            kept = kept.as_ref().and_then(|labels| relabel::apply(std::slice::from_ref(rule), labels));
            RelabelStep { rule: rule.clone(), output: kept.clone().unwrap_or_default(), is_kept: kept.is_some() }
        };
        Some(job.relabel_configs.iter().map(step).collect())
    }

    /// Ends all loops. Writes no staleness markers: who starts again goes on.
    pub async fn stop(&self) {
        self.shared.shutdown.cancel();
        for (_, job) in std::mem::take(&mut *self.jobs.lock()) {
            job.following.abort();
        }
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Job {
    fn start(pool: Pool, discovery: Discovery, shared: &Shared) -> Self {
        let pool = Arc::new(Mutex::new(pool));
        let following = follow(&pool, &discovery, shared);
        Self { pool, discovery, following }
    }

    fn follow(&mut self, discovery: Discovery, shared: &Shared) {
        self.following.abort();
        self.following = follow(&self.pool, &discovery, shared);
        self.discovery = discovery;
    }

    fn stop(self) {
        self.following.abort();
        self.pool.lock().stop();
    }
}

/// Brings what is found to the pool, as long as something can still be found.
fn follow(pool: &Arc<Mutex<Pool>>, discovery: &Discovery, shared: &Shared) -> AbortHandle {
    let (pool, mut groups) = (Arc::clone(pool), discovery.groups());
    // What is there at once is scraped at once, and shown.
    let now = groups.borrow_and_update().clone();
    pool.lock().sync(&now);
    let task = async move {
        while groups.changed().await.is_ok() {
            let now = groups.borrow_and_update().clone();
            pool.lock().sync(&now);
        }
    };
    shared.tasks.spawn(task).abort_handle()
}
