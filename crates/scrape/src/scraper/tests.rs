use std::collections::VecDeque;

use async_trait::async_trait;
use signalbox_ingest::{Accepted, Budget};
use signalbox_model::batch::is_stale_nan;
use signalbox_model::series::NoKnownSeries;
use signalbox_model::{KnownSeries, SeriesEntry};
use signalbox_testkit::ManualClock;

use super::*;
use crate::config::ScrapeConfig;
use crate::discovery::TargetGroup;
use crate::fetch::Fetched;
use crate::target::{Placed, place};

/// Pages in order; then there are none.
#[derive(Debug, Default)]
struct Pages(Mutex<VecDeque<&'static str>>);

#[async_trait]
impl Fetch for Pages {
    async fn fetch(&self, _request: &Request) -> Result<Fetched, FetchError> {
        let page = self.0.lock().pop_front();
        match page {
            Some("too large") => Err(FetchError::TooLarge),
            Some("hangs") => std::future::pending().await,
            Some(page) => Ok(Fetched { content_type: Some("text/plain".into()), body: page.into(), share: Budget::new(0).share() }),
            None => Err(Error::unavailable("server returned HTTP status 503 Service Unavailable").into()),
        }
    }
}

/// Keeps what is written, or refuses it.
#[derive(Debug, Default)]
struct Written {
    lines: Mutex<Vec<String>>,
    is_full: AtomicBool,
}

#[async_trait]
impl Sink for Written {
    async fn write(&self, _tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(Error::unavailable("full"));
        }
        for batch in batches {
            let Batch::Metrics(batch) = batch else { continue };
            for (row, series) in batch.samples.series.iter().enumerate() {
                let SeriesEntry::New { labels, .. } = &batch.series[*series as usize] else { continue };
                let value = batch.samples.value[row];
                let value = if is_stale_nan(value) { "stale".to_owned() } else { value.to_string() };
                self.lines.lock().push(format!("{} {value}@{}", labels.metric_name(), batch.samples.ts_ms[row]));
            }
        }
        Ok(Accepted::default())
    }

    fn known_series(&self, _tenant: &Tenant) -> Arc<dyn KnownSeries> {
        Arc::new(NoKnownSeries)
    }
}

struct World {
    pages: Arc<Pages>,
    written: Arc<Written>,
    shared: Arc<Shared>,
}

impl World {
    fn new() -> Self {
        let written = Arc::new(Written::default());
        let shared = Shared {
            sink: written.clone(),
            clock: Arc::new(ManualClock::default()),
            tenant: Tenant::default(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            running: Mutex::default(),
            counters: Counters::default(),
        };
        Self { pages: Arc::default(), written, shared: Arc::new(shared) }
    }

    fn scraper(&self, change: impl FnOnce(&mut ScrapeConfig)) -> Scraper {
        let second = Duration::from_secs(1);
        let mut job = ScrapeConfig { job_name: "j".into(), scrape_interval: second, scrape_timeout: Duration::from_millis(20), ..ScrapeConfig::default() };
        change(&mut job);
        let group = TargetGroup { source: String::new(), targets: vec![Labels::from_pairs([("__address__", "h:1")])], labels: Labels::empty() };
        let Some(Placed::Scraped(target)) = place(&group, &job).next() else { panic!("the target is good") };
        let target = Arc::new(*target);
        Scraper {
            shared: Arc::clone(&self.shared),
            request: request(&target, &job, 1 << 20),
            rules: Arc::new(Rules::of(&job)),
            fallback: fallback(&job).unwrap(),
            fetch: self.pages.clone(),
            target,
            health: Arc::default(),
            cache: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// What was written since the last time, without the reports that always are.
    fn take(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.written.lines.lock());
        lines.into_iter().filter(|line| !line.starts_with("scrape_duration_seconds") || line.contains("stale")).collect()
    }
}

#[tokio::test]
async fn a_scrape_writes_the_page_and_the_report() {
    let world = World::new();
    let scraper = world.scraper(|_| {});
    world.pages.0.lock().extend(["a 1\nb 2\n", "a 2\n"]);
    scraper.scrape(1000).await;
    let reports = |up, scraped, added, ts: i64| {
        [
            format!("up {up}@{ts}"),
            format!("scrape_samples_scraped {scraped}@{ts}"),
            format!("scrape_samples_post_metric_relabeling {scraped}@{ts}"),
            format!("scrape_series_added {added}@{ts}"),
        ]
    };
    let want = |page: &[&str], report: [String; 4]| page.iter().map(|line| (*line).to_owned()).chain(report).collect::<Vec<_>>();
    assert_eq!(world.take(), want(&["a 1@1000", "b 2@1000"], reports(1, 2, 2, 1000)));
    scraper.scrape(2000).await;
    assert_eq!(world.take(), want(&["a 2@2000", "b stale@2000"], reports(1, 1, 0, 2000)));
    // No page: everything is stale, and the health says why.
    scraper.scrape(3000).await;
    assert_eq!(world.take(), want(&["a stale@3000"], reports(0, 0, 0, 3000)));
    let health = scraper.health.lock().clone();
    assert_eq!(
        (health.is_up, health.last_error.as_str(), health.last_scrape_ms),
        (Some(false), "server returned HTTP status 503 Service Unavailable", Some(3000))
    );
}

#[tokio::test]
async fn scrapes_fail_for_reasons_that_are_told() {
    let world = World::new();
    let scraper = world.scraper(|job| job.extra_scrape_metrics = Some(true));
    world.pages.0.lock().extend(["too large", "a b\n", "hangs", "a 1\n"]);
    let mut errors = Vec::new();
    for ts_ms in 1..4 {
        scraper.scrape(ts_ms).await;
        errors.push(scraper.health.lock().last_error.clone());
    }
    assert_eq!(errors[0], "body size limit exceeded");
    assert!(errors[1].starts_with("cannot read line 1"), "{}", errors[1]);
    assert_eq!(errors[2], "cannot get http://h:1/metrics: context deadline exceeded");
    let bodies: Vec<String> = world.take().into_iter().filter(|line| line.starts_with("scrape_body")).collect();
    assert_eq!(bodies, ["scrape_body_size_bytes -1@1", "scrape_body_size_bytes 4@2", "scrape_body_size_bytes 0@3"]);
    *scraper.refused.lock() = Some("target_limit exceeded".to_owned());
    scraper.scrape(4).await;
    assert_eq!(scraper.health.lock().last_error, "target_limit exceeded");
    assert_eq!(world.pages.0.lock().len(), 1, "the target was not asked");
}

#[tokio::test]
async fn what_was_not_written_is_not_forgotten() {
    let world = World::new();
    let scraper = world.scraper(|_| {});
    world.pages.0.lock().extend(["a 1\nb 1\n", "a 2\n", "a 3\n"]);
    scraper.scrape(1000).await;
    world.take();
    world.written.is_full.store(true, Ordering::Relaxed);
    scraper.scrape(2000).await;
    world.written.is_full.store(false, Ordering::Relaxed);
    scraper.scrape(3000).await;
    assert_eq!(world.take()[..2], ["a 3@3000".to_owned(), "b stale@3000".to_owned()]);
}

#[tokio::test]
async fn the_end_of_a_target_ends_what_nobody_else_has() {
    let world = World::new();
    let (old, new) = (world.scraper(|_| {}), world.scraper(|_| {}));
    world.pages.0.lock().extend(["a 1\nb 1\n", "b 2\nc 2\n"]);
    old.scrape(1000).await;
    new.scrape(2000).await;
    world.take();
    world.shared.running.lock().insert(new.target.labels.clone(), vec![Arc::clone(&new.cache)]);
    old.end(3000).await;
    assert_eq!(world.take(), ["a stale@3000"], "b is scraped under the same labels by somebody else");
    new.leave();
    assert!(world.shared.running.lock().is_empty());
    new.end(4000).await;
    let ended = world.take();
    assert_eq!((ended.len(), ended.iter().all(|line| line.ends_with("stale@4000"))), (2 + 5, true), "{ended:?}");
}

#[tokio::test]
async fn a_loop_ends_when_it_is_told() {
    let world = World::new();
    let (scraper, stop) = (world.scraper(|_| {}), CancellationToken::new());
    let (told, stopped) = oneshot::channel();
    let ending = Ending { stop: stop.clone(), is_final: Arc::new(AtomicBool::new(true)), stopped: told };
    let running = tokio::spawn(scraper.run(ending, None));
    stop.cancel();
    stopped.await.unwrap();
    // It never scraped, so there is nothing to end.
    running.await.unwrap();
    assert!(world.take().is_empty() && world.shared.running.lock().is_empty());
}

#[test]
fn scrapes_lie_on_a_grid() {
    let grid = Grid::new(1_234_567, Duration::from_secs(10));
    assert_eq!((grid.interval_ms, grid.offset_ms), (10_000, 4567));
    assert_eq!(grid.after(0, None), 4567);
    assert_eq!(grid.after(4567, None), 14_567);
    assert_eq!(grid.after(14_566, Some(14_567)), 24_567, "the clock was set back by a moment");
    assert_eq!(grid.after(50_000, Some(14_567)), 54_567, "instants that were missed are not made up for");
    assert_eq!(grid.after(0, Some(500_000)), 4567, "the clock was set back");
    assert_eq!((grid.time_of(4567, 4570), grid.time_of(4567, 4800), grid.time_of(4567, 4500)), (4567, 4800, 4500));
}
