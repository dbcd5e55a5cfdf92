//! One target, scraped again and again: the pages, what is written of them, and what is written when it ends.
//!
//! Scrapes lie on a grid of the interval, shifted by a hash of the target, so that targets spread over the interval and come
//! at the same instants after a restart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use signalbox_ingest::Sink;
use signalbox_model::{Batch, Clock, Error, ErrorKind, Labels, Result, Tenant};
use signalbox_telemetry::{Counter, Histogram, names, registry};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exposition::Format;
use crate::fetch::{Fetch, FetchError, Request};
use crate::page::{self, Cache, Moment, Outcome, Page, Report, Rules};
use crate::target::Target;

/// Pages from this size on are read on a thread of their own, not on one that serves connections.
const LARGE_PAGE_BYTES: usize = 256 << 10;
/// A scrape that is late by no more than this, and by no more than a hundredth of its interval, has the time it should have
/// had: equal distances of timestamps cost nothing to store.
const LATE_MAX_MS: i64 = 10;

/// What all targets share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tenant: Tenant,
    /// Everything ends, at once.
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Caches of the targets that are being scraped, by the labels of their series.
    pub(crate) running: Mutex<HashMap<Labels, Vec<Arc<Mutex<Cache>>>>>,
    pub(crate) counters: Counters,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Counters {
    good: Counter,
    failed: Counter,
    unwritten: Counter,
    samples: Counter,
    duplicates: Counter,
    seconds: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        let scrapes = |outcome| registry().counter(names::SCRAPE_SCRAPES_TOTAL, &[("outcome", outcome)]);
        Self {
            good: scrapes("up"),
            failed: scrapes("down"),
            unwritten: scrapes("unwritten"),
            samples: registry().counter(names::SCRAPE_SAMPLES_TOTAL, &[]),
            duplicates: registry().counter(names::SCRAPE_DUPLICATE_SAMPLES_TOTAL, &[]),
            seconds: registry().histogram(names::SCRAPE_SECONDS, &[]),
        }
    }
}

/// How a target is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether the last scrape succeeded, `None` before the first one.
    pub is_up: Option<bool>,
    /// Why it did not, else empty.
    pub last_error: String,
    /// When the last scrape began, in milliseconds since the Unix epoch.
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    pub last_duration: Duration,
}

/// One target.
#[derive(Debug)]
pub(crate) struct Scraper {
    pub(crate) shared: Arc<Shared>,
    pub(crate) target: Arc<Target>,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) request: Request,
    pub(crate) rules: Arc<Rules>,
    pub(crate) fallback: Option<Format>,
    pub(crate) health: Arc<Mutex<Health>>,
    pub(crate) cache: Arc<Mutex<Cache>>,
    /// Why it may not be scraped, if there are too many targets.
    pub(crate) refused: Arc<Mutex<Option<String>>>,
}

/// How a running scraper is told to end.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) stop: CancellationToken,
    /// Whether its series are marked stale then.
    pub(crate) is_final: Arc<AtomicBool>,
    /// Sent when the last scrape is done.
    pub(crate) stopped: oneshot::Sender<()>,
}

impl Scraper {
    /// Scrapes until it is stopped; `before` is who used the cache before. Marks the series stale a while after the end.
    pub(crate) async fn run(self, ending: Ending, before: Option<oneshot::Receiver<()>>) {
        let Ending { stop, is_final, stopped } = ending;
        if let Some(before) = before {
            // A sender that is gone has ended too.
            let _ended = before.await;
        }
        self.shared.running.lock().entry(self.target.labels.clone()).or_default().push(Arc::clone(&self.cache));
        let grid = Grid::new(self.target.id, self.target.interval);
        let mut last = None;
        loop {
            let slot_ms = grid.after(self.shared.clock.now_ms(), last);
            if !self.sleep_until(slot_ms, Some(&stop)).await {
                break;
            }
            let now_ms = self.shared.clock.now_ms();
            last = Some(slot_ms);
            self.scrape(grid.time_of(slot_ms, now_ms)).await;
        }
        self.leave();
        // Nobody waits for it when everything ends.
        let _told = stopped.send(());
        if let Some(last) = last.filter(|_| is_final.load(Ordering::Relaxed)) {
            self.end_later(grid, last, &is_final).await;
        }
    }

    /// Whether the moment came before the end.
    async fn sleep_until(&self, at_ms: i64, stop: Option<&CancellationToken>) -> bool {
        let wait_ms = u64::try_from(at_ms.saturating_sub(self.shared.clock.now_ms())).unwrap_or(0);
        let stopped = async {
            match stop {
                Some(stop) => stop.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.shutdown.cancelled() => false,
            () = stopped => false,
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => true,
        }
    }

    fn leave(&self) {
        let mut running = self.shared.running.lock();
        if let Some(caches) = running.get_mut(&self.target.labels) {
            if let Some(own) = caches.iter().position(|cache| Arc::ptr_eq(cache, &self.cache)) {
                caches.swap_remove(own);
            }
            if caches.is_empty() {
                running.remove(&self.target.labels);
            }
        }
    }

    /// Waits as long as a target that comes again would need to be scraped, then ends what nobody else scrapes now.
    async fn end_later(&self, grid: Grid, last_ms: i64, is_final: &AtomicBool) {
        let stale_ms = grid.after(self.shared.clock.now_ms(), Some(last_ms));
        let wait_ms = grid.after(stale_ms, Some(stale_ms)) + grid.interval_ms / 10;
        if self.sleep_until(wait_ms, None).await && is_final.load(Ordering::Relaxed) {
            self.end(stale_ms).await;
        }
    }

    /// Ends the series that no other target has now.
    pub(crate) async fn end(&self, at_ms: i64) {
        let others = self.shared.running.lock().get(&self.target.labels).cloned().unwrap_or_default();
        let mut elsewhere = HashSet::new();
        for other in &others {
            elsewhere.extend(other.lock().live_series().cloned());
        }
        let known = self.shared.sink.known_series(&self.shared.tenant);
        let moment = Moment { now_ms: at_ms, monotonic: self.shared.clock.monotonic() };
        let reports = others.is_empty().then_some((&*self.rules, &self.target.labels));
        let outcome = page::write_end(&mut self.cache.lock(), &*known, moment, |labels| !elsewhere.contains(labels), reports);
        self.store(outcome, moment).await;
    }

    /// One scrape: the page, the batch, the report.
    pub(crate) async fn scrape(&self, now_ms: i64) {
        let moment = Moment { now_ms, monotonic: self.shared.clock.monotonic() };
        let refused = self.refused.lock().clone();
        let fetched = match refused {
            Some(why) => Err(FetchError::Other(Error::limit(why))),
            None => tokio::select! {
                () = self.shared.shutdown.cancelled() => return,
                fetched = tokio::time::timeout(self.target.timeout, self.fetch.fetch(&self.request)) => {
                    fetched.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, format!("cannot get {}: context deadline exceeded", self.target.url)).into()))
                }
            },
        };
        let body_bytes = match &fetched {
            Ok(fetched) => i64::try_from(fetched.body.len()).unwrap_or(i64::MAX),
            Err(FetchError::TooLarge) => -1,
            Err(FetchError::Other(_)) => 0,
        };
        let (mut outcome, error) = match fetched {
            Ok(fetched) => match Format::of_answer(fetched.content_type.as_deref(), self.fallback)
                .or_else(|error| if fetched.body.is_empty() { Ok(Format::Text) } else { Err(error) })
            {
                Ok(format) => self.read(format, fetched.body, moment).await,
                Err(error) => (self.nothing(moment), Some(error.to_string())),
            },
            Err(error) => (self.nothing(moment), Some(error.to_string())),
        };
        let duration = self.shared.clock.monotonic().saturating_sub(moment.monotonic);
        self.count(&outcome, error.as_deref(), duration);
        let report = Report {
            is_up: error.is_none(),
            duration_seconds: duration.as_secs_f64(),
            samples_scraped: outcome.samples_scraped,
            samples_kept: outcome.samples_kept,
            series_added: outcome.series_added,
            timeout_seconds: self.target.timeout.as_secs_f64(),
            sample_limit: self.rules.limits.samples,
            body_bytes,
        };
        *self.health.lock() =
            Health { is_up: Some(error.is_none()), last_error: error.unwrap_or_default(), last_scrape_ms: Some(now_ms), last_duration: duration };
        let known = self.shared.sink.known_series(&self.shared.tenant);
        outcome.add_report(&mut self.cache.lock(), &self.rules, &self.target.labels, &*known, moment, &report);
        self.store(outcome, moment).await;
    }

    /// Makes a batch of a page; why the scrape fails, if it does.
    async fn read(&self, format: Format, body: Vec<u8>, moment: Moment) -> (Outcome, Option<String>) {
        let (cache, rules, target) = (Arc::clone(&self.cache), Arc::clone(&self.rules), Arc::clone(&self.target));
        let known = self.shared.sink.known_series(&self.shared.tenant);
        let is_large = body.len() >= LARGE_PAGE_BYTES;
        let read = move || page::write(&mut cache.lock(), Page { format, bytes: &body }, &rules, &target.labels, &*known, moment);
        let outcome = if is_large { tokio::task::spawn_blocking(read).await } else { Ok(read()) };
        match outcome {
            Ok(mut outcome) => {
                let error = outcome.error.take().map(|error| error.to_string());
                (outcome, error)
            }
            Err(_) => (Outcome::default(), Some("cannot read the page: the task has ended".to_owned())),
        }
    }

    fn nothing(&self, moment: Moment) -> Outcome {
        let known = self.shared.sink.known_series(&self.shared.tenant);
        page::write_nothing(&mut self.cache.lock(), &*known, moment)
    }

    async fn store(&self, outcome: Outcome, moment: Moment) {
        let had_page = outcome.had_page;
        match self.shared.sink.write(&self.shared.tenant, vec![Batch::Metrics(outcome.batch)]).await {
            Ok(accepted) => {
                self.cache.lock().commit(moment.monotonic, had_page);
                for rejected in accepted.rejected {
                    tracing::debug!(target = %self.target.url, "{} samples were not stored: {}", rejected.rows, rejected.message);
                }
            }
            Err(error) => {
                self.cache.lock().roll_back();
                self.shared.counters.unwritten.add(1);
                tracing::warn!(target = %self.target.url, "the samples of a scrape are lost: {error}");
            }
        }
    }

    fn count(&self, outcome: &Outcome, error: Option<&str>, duration: Duration) {
        let counters = &self.shared.counters;
        if error.is_none() { &counters.good } else { &counters.failed }.add(1);
        counters.samples.add(outcome.samples_kept);
        counters.duplicates.add(outcome.duplicates);
        counters.seconds.observe(duration);
        if let Some(error) = error {
            tracing::debug!(target = %self.target.url, "scrape failed: {error}");
        }
        if outcome.duplicates > 0 {
            tracing::debug!(target = %self.target.url, "{} samples of one page have the series and the time of another one", outcome.duplicates);
        }
    }
}

/// The instants at which a target is scraped, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
struct Grid {
    interval_ms: i64,
    offset_ms: i64,
}

impl Grid {
    fn new(id: u64, interval: Duration) -> Self {
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX / 4).clamp(1, i64::MAX / 4);
        Self { interval_ms, offset_ms: i64::try_from(id % interval_ms.unsigned_abs()).unwrap_or(0) }
    }

    /// The next instant, later than the last one unless the clock was set back by more than an interval.
    fn after(&self, now_ms: i64, last_ms: Option<i64>) -> i64 {
        let next_ms = now_ms - (now_ms - self.offset_ms).rem_euclid(self.interval_ms) + self.interval_ms;
        match last_ms {
            Some(last_ms) if next_ms <= last_ms && next_ms + self.interval_ms > last_ms => last_ms + self.interval_ms,
            _ => next_ms,
        }
    }

    /// The time of the samples of a scrape that is meant for an instant and begins now.
    fn time_of(&self, slot_ms: i64, now_ms: i64) -> i64 {
        let late_ms = now_ms - slot_ms;
        if (0..=LATE_MAX_MS.min(self.interval_ms / 100)).contains(&late_ms) { slot_ms } else { now_ms }
    }
}

/// The request that a target gets.
pub(crate) fn request(target: &Target, job: &crate::config::ScrapeConfig, bytes_max: u64) -> Request {
    Request {
        url: target.url.clone(),
        accept: crate::fetch::accept(job),
        is_compressed: job.enable_compression,
        timeout: target.timeout,
        bytes_max: job.body_bytes_max().map_or(bytes_max, |of_job| of_job.min(bytes_max)),
    }
}

/// The format of a job's `fallback_scrape_protocol`.
pub(crate) fn fallback(job: &crate::config::ScrapeConfig) -> Result<Option<Format>> {
    job.fallback_scrape_protocol.map(|protocol| Format::of_answer(Some(protocol.media_type()), None)).transpose()
}

#[cfg(test)]
mod tests;
