use async_trait::async_trait;
use signalbox_ingest::{Accepted, Sink};
use signalbox_model::series::NoKnownSeries;
use signalbox_model::{Batch, Error, KnownSeries, Tenant};
use signalbox_testkit::ManualClock;
use tokio_util::task::TaskTracker;

use super::*;
use crate::fetch::{FetchError, Fetched, Request};
use crate::relabel::{Action, Pattern, RelabelConfig};
use crate::scraper::Counters;

#[derive(Debug)]
struct Nothing;

#[async_trait]
impl Sink for Nothing {
    async fn write(&self, _tenant: &Tenant, _batches: Vec<Batch>) -> Result<Accepted> {
        Ok(Accepted::default())
    }

    fn known_series(&self, _tenant: &Tenant) -> Arc<dyn KnownSeries> {
        Arc::new(NoKnownSeries)
    }
}

#[async_trait]
impl Fetch for Nothing {
    async fn fetch(&self, _request: &Request) -> Result<Fetched, FetchError> {
        Err(Error::unavailable("nobody there").into())
    }
}

fn pool(change: impl FnOnce(&mut ScrapeConfig)) -> Pool {
    let shared = Shared {
        sink: Arc::new(Nothing),
        clock: Arc::new(ManualClock::default()),
        tenant: Tenant::default(),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
        running: Mutex::default(),
        counters: Counters::default(),
    };
    Pool::new(Arc::new(shared), job(change), Arc::new(Nothing), 1 << 20).unwrap()
}

fn job(change: impl FnOnce(&mut ScrapeConfig)) -> Arc<ScrapeConfig> {
    let minute = std::time::Duration::from_secs(60);
    let mut job = ScrapeConfig { job_name: "j".into(), scrape_interval: minute, scrape_timeout: minute, ..ScrapeConfig::default() };
    change(&mut job);
    Arc::new(job)
}

fn groups(addresses: &[&str]) -> Vec<Arc<TargetGroup>> {
    let targets = addresses.iter().map(|address| Labels::from_pairs([("__address__", *address), ("__meta_found", "yes")])).collect();
    vec![Arc::new(TargetGroup { source: "s".into(), targets, labels: Labels::empty() })]
}

fn urls(pool: &Pool) -> Vec<String> {
    pool.view().active.iter().map(|active| active.target.url.clone()).collect()
}

#[tokio::test]
async fn targets_come_and_go_and_are_there_once() {
    let mut pool = pool(|_| {});
    pool.sync(&groups(&["a:1", "b:1", "a:1", "", "x/y"]));
    assert_eq!(urls(&pool), ["http://a:1/metrics", "http://b:1/metrics"]);
    let stop = pool.active.values().find(|active| active.target.url.contains("b:1")).unwrap().stop.clone();
    let cache = Arc::clone(&pool.active.values().find(|active| active.target.url.contains("a:1")).unwrap().cache);
    pool.sync(&groups(&["a:1", "c:1"]));
    assert_eq!(urls(&pool), ["http://a:1/metrics", "http://c:1/metrics"]);
    assert!(stop.is_cancelled());
    assert!(pool.active.values().any(|active| Arc::ptr_eq(&active.cache, &cache)), "a target that stays keeps what it knows");
    pool.stop();
    assert!(urls(&pool).is_empty());
}

#[tokio::test]
async fn dropped_targets_are_counted_and_some_are_kept() {
    let mut pool = pool(|job| {
        job.keep_dropped_targets = 1;
        let rule =
            RelabelConfig { source_labels: vec!["__address__".into()], regex: Pattern::new("d.*").unwrap(), action: Action::Drop, ..RelabelConfig::default() };
        job.relabel_configs = vec![rule];
    });
    pool.sync(&groups(&["a:1", "d:1", "d:2"]));
    let view = pool.view();
    assert_eq!((view.active.len(), view.dropped.len(), view.dropped_count), (1, 1, 2));
    assert_eq!(view.dropped[0].get("__meta_found"), Some("yes"));
}

#[tokio::test]
async fn too_many_targets_are_all_refused_until_they_are_fewer() {
    let mut pool = pool(|job| job.target_limit = 1);
    pool.sync(&groups(&["a:1", "b:1"]));
    assert_eq!(pool.refused.lock().as_deref(), Some("target_limit exceeded (number of targets: 2, limit: 1)"));
    pool.sync(&groups(&["a:1"]));
    assert_eq!(pool.refused.lock().as_deref(), None);
}

#[tokio::test]
async fn a_reload_keeps_what_targets_know_unless_their_series_change() {
    let mut pool = pool(|_| {});
    pool.sync(&groups(&["a:1"]));
    let of = |pool: &Pool| {
        let active = pool.active.values().next().unwrap();
        (Arc::clone(&active.cache), active.stop.clone(), Arc::clone(&active.is_final))
    };
    let (cache, stop, is_final) = of(&pool);
    pool.reload(job(|job| job.sample_limit = 5), Arc::new(Nothing)).unwrap();
    assert!(stop.is_cancelled() && !is_final.load(Ordering::Relaxed) && Arc::ptr_eq(&of(&pool).0, &cache));
    let (_, stop, is_final) = of(&pool);
    pool.reload(job(|job| job.honor_labels = true), Arc::new(Nothing)).unwrap();
    assert!(stop.is_cancelled() && is_final.load(Ordering::Relaxed) && !Arc::ptr_eq(&of(&pool).0, &cache));
}
