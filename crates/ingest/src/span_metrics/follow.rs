//! Follows the spans of the store, tenant by tenant, and writes the metrics made of them at intervals.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use signalbox_model::batch::{STALE_NAN_BITS, is_stale_nan};
use signalbox_model::{Batch, Clock, Error, Matcher, MetricBatch, Result, SeriesEntry, SeriesKey, Signal, Table, Tenant, TimeRange};
use signalbox_store::follow::{Followed, Follower};
use signalbox_store::{ScanRequest, Snapshot, Store};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tracing::Instrument as _;

use super::{PARTS, POSITION, Position, SpanMetricsSettings, State, projection};

/// What a follower is asked; it answers when it is done.
#[derive(Debug)]
enum Order {
    /// Count all that is visible, and write it.
    Write(oneshot::Sender<Result<()>>),
    /// So too, and end.
    End(oneshot::Sender<Result<()>>),
}

type Orders = mpsc::Sender<Order>;

/// Makes metrics of the spans of all tenants. Dropping it ends the work as a crash would: what is not written yet is counted
/// after the next start.
#[derive(Debug)]
pub(crate) struct SpanMetrics {
    store: Store,
    settings: SpanMetricsSettings,
    clock: Arc<dyn Clock>,
    tenants: Mutex<HashMap<Tenant, Arc<OnceCell<Orders>>>>,
}

impl SpanMetrics {
    pub(crate) fn new(store: Store, settings: SpanMetricsSettings, clock: Arc<dyn Clock>) -> Self {
        Self { store, settings, clock, tenants: Mutex::default() }
    }

    /// Goes on with the tenants that have spans.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) async fn start(&self) -> Result<()> {
        for tenant in self.store.tenants(Signal::Traces) {
            if self.settings.enabled {
                self.enter(&tenant).await?;
            } else {
                self.forget(&tenant).await?;
            }
        }
        Ok(())
    }

    /// Ends the position of a tenant: spans that come while nothing is counted are not counted later.
    async fn forget(&self, tenant: &Tenant) -> Result<()> {
        let (snapshot, now_ns) = (self.store.snapshot(tenant), self.clock.now_ns());
        if blocking(move || last_position(&snapshot, now_ns)).await?.is_some() {
            let ended = positions(f64::from_bits(STALE_NAN_BITS), now_ns.div_euclid(1_000_000));
            self.store.append(tenant, vec![Batch::Metrics(ended)]).await?;
        }
        Ok(())
    }

    /// Sees to it that the spans of a tenant which are appended from now on are counted.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) async fn enter(&self, tenant: &Tenant) -> Result<()> {
        if !self.settings.enabled {
            return Ok(());
        }
        let cell = Arc::clone(self.tenants.lock().entry(tenant.clone()).or_default());
        cell.get_or_try_init(|| self.follow(tenant)).await.map(drop)
    }

    /// Has everything that is acknowledged counted and written.
    ///
    /// # Errors
    /// Of the store; the next write has what this one had not.
    pub(crate) async fn write(&self) -> Result<()> {
        self.order(Order::Write).await
    }

    /// As [`SpanMetrics::write`], for the last time.
    ///
    /// # Errors
    /// As [`SpanMetrics::write`]; the next start goes on.
    pub(crate) async fn stop(&self) -> Result<()> {
        self.order(Order::End).await
    }

    async fn order(&self, order: fn(oneshot::Sender<Result<()>>) -> Order) -> Result<()> {
        let cells: Vec<_> = self.tenants.lock().values().cloned().collect();
        for orders in cells.iter().filter_map(|cell| cell.get()) {
            let (sender, done) = oneshot::channel();
            // One that has ended has nothing to write.
            if orders.send(order(sender)).await.is_ok()
                && let Ok(done) = done.await
            {
                done?;
            }
        }
        Ok(())
    }

    async fn follow(&self, tenant: &Tenant) -> Result<Orders> {
        let (snapshot, now_ns) = (self.store.snapshot(tenant), self.clock.now_ns());
        let position = blocking(move || last_position(&snapshot, now_ns)).await?;
        // First follow, then say from where: what comes between is seen twice and counted once.
        let follower = self.store.follow(tenant, Table::Spans)?;
        let (next, now_ms) = (self.store.next_row(), now_ns.div_euclid(1_000_000));
        if position.is_none() {
            self.store.append(tenant, vec![Batch::Metrics(positions(next as f64, now_ms))]).await?;
        }
        let (written_ms, position) = position.unwrap_or((now_ms, Position { counted: next, paired: next }));
        let (orders, taken) = mpsc::channel(1);
        // Counters begin behind what was written last, or they would replace it.
        let state = State::new(&self.settings, position, now_ms.max(written_ms.saturating_add(1)));
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        let following = Following { tenant: tenant.clone(), store, clock, follower, state: Some(state), is_failing: false };
        let interval = Duration::from_secs(self.settings.interval_seconds);
        tokio::spawn(following.run(taken, interval).instrument(signalbox_telemetry::quiet()));
        Ok(orders)
    }
}

/// One tenant.
struct Following {
    tenant: Tenant,
    store: Store,
    clock: Arc<dyn Clock>,
    follower: Follower,
    /// Always there, but for while it is lent to a thread that may block.
    state: Option<State>,
    is_failing: bool,
}

impl Following {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>, interval: Duration) {
        let from = self.state.as_ref().map_or(0, |state| state.position.paired);
        self.catch_up(from).await;
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => {
                    let (answer, ends) = match order {
                        Some(Order::Write(answer)) => (answer, false),
                        Some(Order::End(answer)) => (answer, true),
                        None => return,
                    };
                    while let Some(followed) = self.follower.try_next() {
                        self.take(followed).await;
                    }
                    // Who asked may have gone.
                    let _gone = answer.send(self.write().await);
                    if ends {
                        return;
                    }
                }
                _ = ticks.tick() => self.write_or_warn().await,
                followed = self.follower.next() => match followed {
                    Some(followed) => self.take(followed).await,
                    None => return,
                },
            }
        }
    }

    async fn take(&mut self, followed: Followed) {
        match followed {
            Followed::Rows(rows) => {
                let now = self.clock.monotonic();
                if let Some(Err(error)) = self.state.as_mut().map(|state| state.add(&rows, now)) {
                    tracing::error!(%error, tenant = %self.tenant, "cannot make metrics of spans: {error}");
                }
            }
            Followed::Missed(_) => {
                let from = self.state.as_ref().map_or(0, |state| state.position.counted);
                self.catch_up(from).await;
            }
        }
    }

    /// Counts what the store has from an arrival number on. Tries until it can: nothing may be left out.
    async fn catch_up(&mut self, from: u64) {
        while let Some(mut state) = self.state.take() {
            let (snapshot, now) = (self.store.snapshot(&self.tenant), self.clock.monotonic());
            let read = blocking(move || {
                // What was counted before an error would be counted again, so rows are read before the first is counted.
                let read = rows_from(&snapshot, from).and_then(|batches| {
                    let mut next = state.position.counted;
                    for rows in &batches {
                        next = next.max(state.add_from(rows, from, now)?);
                    }
                    state.position.counted = next;
                    Ok(())
                });
                Ok((state, read))
            });
            let Ok((state, read)) = read.await else { return };
            self.state = Some(state);
            match read {
                Ok(()) => return,
                Err(error) => tracing::error!(%error, tenant = %self.tenant, "cannot read spans to make metrics of them, trying again: {error}"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn write_or_warn(&mut self) {
        let written = self.write().await;
        match (&written, self.is_failing) {
            (Err(error), false) => tracing::warn!(%error, tenant = %self.tenant, "cannot write metrics of spans, they are counted and written later: {error}"),
            (Ok(()), true) => tracing::info!(tenant = %self.tenant, "metrics of spans are written again"),
            _ => {}
        }
        self.is_failing = written.is_err();
    }

    async fn write(&mut self) -> Result<()> {
        let Some(state) = self.state.as_mut() else { return Ok(()) };
        // A clock that was set back must not put a counter before what it counted already.
        let now_ms = self.clock.now_ns().div_euclid(1_000_000).max(state.written_ms.saturating_add(1));
        let now = self.clock.monotonic();
        let batch = state.batch(&*self.store.known_series(&self.tenant), now_ms, now);
        self.store.append(&self.tenant, vec![Batch::Metrics(batch)]).await?;
        state.written(now_ms, now);
        Ok(())
    }
}

/// Pause before spans that could not be read are read again.
const RETRY: Duration = Duration::from_secs(5);
/// How far back a position is looked for: as long as rows may be late.
const POSITION_AGE_NS: i64 = 400 * 24 * 3600 * 1_000_000_000;

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| Error::internal("cannot make metrics of spans: a task stopped").with_source(source))?
}

/// The spans of a snapshot from an arrival number on, and others among them.
fn rows_from(snapshot: &Snapshot, from: u64) -> Result<Vec<arrow_array::RecordBatch>> {
    let request = ScanRequest { projection: Some(projection()), ..ScanRequest::all(TimeRange::ALL) };
    let mut batches = Vec::new();
    for part in snapshot.scan_arrived(Table::Spans, from, &request)? {
        for rows in part.read()? {
            batches.push(rows?);
        }
    }
    Ok(batches)
}

/// When the tenant's metrics were last written, and what they count.
fn last_position(snapshot: &Snapshot, now_ns: i64) -> Result<Option<(i64, Position)>> {
    let range = TimeRange::from_ns(now_ns.saturating_sub(POSITION_AGE_NS), i64::MAX);
    let series = snapshot.select(&[Matcher::equal(signalbox_model::labels::METRIC_NAME, POSITION)], range, PARTS.len())?;
    let mut last: [Option<(i64, u64)>; 2] = [None; 2];
    snapshot.read(&series, range, &mut |at, samples| {
        let part = series.get(at).and_then(|series| series.labels.get("part"));
        let place = PARTS.iter().position(|candidate| Some(*candidate) == part);
        if let (Some(place), Some(ts_ms), Some(number)) = (place, samples.ts_ms.last(), samples.values.last().filter(|number| !is_stale_nan(**number))) {
            last[place] = Some((*ts_ms, *number as u64));
        }
        Ok(())
    })?;
    let [Some((counted_ms, counted)), paired] = last else { return Ok(None) };
    // Of another write than the counted one it would say nothing.
    let paired = paired.filter(|(ts_ms, _)| *ts_ms == counted_ms).map_or(counted, |(_, number)| number);
    Ok(Some((counted_ms, Position { counted, paired: paired.min(counted) })))
}

/// Says for both parts from which arrival number on a tenant's spans count.
fn positions(number: f64, now_ms: i64) -> MetricBatch {
    let mut batch = MetricBatch::default();
    for (index, part) in (0..).zip(PARTS) {
        let labels = signalbox_model::Labels::from_pairs([(signalbox_model::labels::METRIC_NAME, POSITION), ("part", part)]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
        batch.samples.push(index, now_ms, number);
    }
    batch
}
