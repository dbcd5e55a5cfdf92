//! The targets of one job: which there are now, which loops begin and which end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use signalbox_model::{Labels, Result};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::{HttpClientConfig, ScrapeConfig};
use crate::discovery::TargetGroup;
use crate::exposition::Format;
use crate::fetch::Fetch;
use crate::page::{Cache, Metadata, Rules};
use crate::scraper::{self, Ending, Health, Scraper, Shared};
use crate::target::{self, Placed, Target};

/// Dropped targets that are shown when the job names no number.
const DROPPED_SHOWN_MAX: usize = 10_000;

/// The targets of one job.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    job: Arc<ScrapeConfig>,
    fetch: Arc<dyn Fetch>,
    fallback: Option<Format>,
    bytes_max: u64,
    active: HashMap<u64, Active>,
    dropped: Vec<Labels>,
    dropped_count: usize,
    refused: Arc<Mutex<Option<String>>>,
}

/// A target that is scraped.
#[derive(Debug)]
struct Active {
    target: Arc<Target>,
    health: Arc<Mutex<Health>>,
    cache: Arc<Mutex<Cache>>,
    metadata: Metadata,
    stop: CancellationToken,
    is_final: Arc<AtomicBool>,
    stopped: oneshot::Receiver<()>,
}

/// What is shown of a target.
#[derive(Debug, Clone)]
pub struct TargetView {
    /// The target.
    pub target: Arc<Target>,
    /// How it is.
    pub health: Health,
    /// Metadata of its families.
    pub metadata: Metadata,
}

/// What is shown of a job.
#[derive(Debug, Clone)]
pub struct PoolView {
    /// Name of the job.
    pub name: String,
    /// Targets that are scraped, by address.
    pub active: Vec<TargetView>,
    /// Targets that relabelling dropped, as they were found; not more than the job keeps.
    pub dropped: Vec<Labels>,
    /// How many were dropped.
    pub dropped_count: usize,
}

impl Pool {
    /// A job without targets.
    ///
    /// # Errors
    /// `Invalid` if the job names no format that can be read.
    pub(crate) fn new(shared: Arc<Shared>, job: Arc<ScrapeConfig>, fetch: Arc<dyn Fetch>, bytes_max: u64) -> Result<Self> {
        let fallback = scraper::fallback(&job)?;
        Ok(Self { shared, job, fetch, fallback, bytes_max, active: HashMap::new(), dropped: Vec::new(), dropped_count: 0, refused: Arc::default() })
    }

    /// The job as it is now; its targets go on with what they know unless the change is about their series.
    ///
    /// # Errors
    /// `Invalid` if the job names no format that can be read; nothing changes then.
    pub(crate) fn reload(&mut self, job: Arc<ScrapeConfig>, fetch: Arc<dyn Fetch>) -> Result<()> {
        self.fallback = scraper::fallback(&job)?;
        let keeps_cache = without_schedule(&self.job) == without_schedule(&job);
        (self.job, self.fetch) = (job, fetch);
        let before = std::mem::take(&mut self.active);
        for (id, old) in before {
            let cache = if keeps_cache {
                old.is_final.store(false, Ordering::Relaxed);
                Arc::clone(&old.cache)
            } else {
                Arc::default()
            };
            old.stop.cancel();
            let active = self.start(old.target, old.health, cache, Some(old.stopped));
            self.active.insert(id, active);
        }
        Ok(())
    }

    /// Brings the targets in line with what was found.
    pub(crate) fn sync(&mut self, groups: &[Arc<TargetGroup>]) {
        let mut found: HashMap<u64, Target> = HashMap::new();
        let kept_max = usize::try_from(self.job.keep_dropped_targets).ok().filter(|max| *max > 0).unwrap_or(DROPPED_SHOWN_MAX);
        (self.dropped, self.dropped_count) = (Vec::new(), 0);
        let job = Arc::clone(&self.job);
        for placed in groups.iter().flat_map(|group| target::place(group, &job)) {
            match placed {
                Placed::Scraped(target) => {
                    found.entry(target.id).or_insert(*target);
                }
                Placed::Dropped(labels) => {
                    self.dropped_count += 1;
                    if self.dropped.len() < kept_max {
                        self.dropped.push(labels);
                    }
                }
                Placed::Failed(why) => tracing::error!(job = self.job.job_name, "job {}: a target cannot be scraped: {why}", self.job.job_name),
            }
        }
        let gone: Vec<u64> = self.active.keys().filter(|id| !found.contains_key(id)).copied().collect();
        for id in gone {
            self.active.remove(&id).into_iter().for_each(|old| old.stop.cancel());
        }
        let limit = usize::try_from(self.job.target_limit).unwrap_or(usize::MAX);
        let is_refused = limit > 0 && found.len() > limit;
        *self.refused.lock() = is_refused.then(|| format!("target_limit exceeded (number of targets: {}, limit: {limit})", found.len()));
        for (id, target) in found {
            match self.active.get_mut(&id) {
                // The same target; what was found of it may be another.
                Some(active) => active.target = Arc::new(target),
                None => {
                    let active = self.start(Arc::new(target), Arc::default(), Arc::default(), None);
                    self.active.insert(id, active);
                }
            }
        }
    }

    fn start(&self, target: Arc<Target>, health: Arc<Mutex<Health>>, cache: Arc<Mutex<Cache>>, before: Option<oneshot::Receiver<()>>) -> Active {
        let (stop, is_final) = (CancellationToken::new(), Arc::new(AtomicBool::new(true)));
        let (told, stopped) = oneshot::channel();
        let mut rules = Rules::of(&self.job);
        rules.wanted = target.wanted;
        let scraper = Scraper {
            shared: Arc::clone(&self.shared),
            fetch: Arc::clone(&self.fetch),
            request: scraper::request(&target, &self.job, self.bytes_max),
            rules: Arc::new(rules),
            fallback: self.fallback,
            target: Arc::clone(&target),
            health: Arc::clone(&health),
            cache: Arc::clone(&cache),
            refused: Arc::clone(&self.refused),
        };
        let ending = Ending { stop: stop.clone(), is_final: Arc::clone(&is_final), stopped: told };
        self.shared.tasks.spawn(scraper.run(ending, before));
        let metadata = cache.lock().metadata();
        Active { target, health, cache, metadata, stop, is_final, stopped }
    }

    /// No target is scraped any more.
    pub(crate) fn stop(&mut self) {
        self.active.drain().for_each(|(_, active)| active.stop.cancel());
    }

    /// The job.
    pub(crate) fn job(&self) -> &Arc<ScrapeConfig> {
        &self.job
    }

    /// What is shown of the job.
    pub(crate) fn view(&self) -> PoolView {
        let view =
            |active: &Active| TargetView { target: Arc::clone(&active.target), health: active.health.lock().clone(), metadata: Arc::clone(&active.metadata) };
        let mut active: Vec<TargetView> = self.active.values().map(view).collect();
        active.sort_by(|left, right| (&left.target.url, &left.target.labels).cmp(&(&right.target.url, &right.target.labels)));
        PoolView { name: self.job.job_name.clone(), active, dropped: self.dropped.clone(), dropped_count: self.dropped_count }
    }
}

/// What of a job decides about its series.
fn without_schedule(job: &ScrapeConfig) -> ScrapeConfig {
    let zero = std::time::Duration::ZERO;
    ScrapeConfig { scrape_interval: zero, scrape_timeout: zero, sample_limit: 0, http: HttpClientConfig::default(), ..job.clone() }
}

#[cfg(test)]
mod tests;
