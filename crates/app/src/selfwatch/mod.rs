//! Signalbox observes itself: its own metrics, logs and traces go into its own store, through the same sink as everyone
//! else's, under the service `signalbox` of the default tenant.
//!
//! No loop: writing happens in a quiet span, in which nothing becomes own telemetry, and not through a door, so that it is
//! no request. What waits is bounded by [`signalbox_telemetry::Queue`]; a write that fails is dropped and counted, since
//! the next reading of a counter holds what the last one held.

mod batches;

use std::sync::Arc;
use std::time::Duration;

use signalbox_ingest::Sink;
use signalbox_model::{Batch, Clock, Tenant};
use signalbox_telemetry::{Counter, Queue, names, registry};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::admin;

/// Pause between two writes of log records and spans.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// A difference of the clocks between two writes that is no inaccuracy.
const CLOCK_STEP: Duration = Duration::from_secs(5);

/// Who speaks: the resource of own logs and traces, and the labels `job` and `instance` of own metrics.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `instance` and `service.instance.id`: host and main port.
    pub instance: String,
}

impl Identity {
    /// This host and a port.
    pub fn of_port(port: u16) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        Self { instance: format!("{}:{port}", if host.is_empty() { "localhost" } else { host }) }
    }
}

/// Writes own telemetry.
#[derive(Debug)]
pub struct SelfWatch {
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
    identity: Identity,
    start_ns: i64,
    metrics_interval: Duration,
    next_metrics: Duration,
    is_failing: bool,
    steps: Counter,
    /// The clock of the machine and the one that nobody sets, at the last look.
    looked: Option<(i64, Duration)>,
}

impl SelfWatch {
    /// `start_ns` is when the process started, in nanoseconds since the Unix epoch.
    pub fn new(sink: Arc<dyn Sink>, clock: Arc<dyn Clock>, queue: Arc<Queue>, identity: Identity, start_ns: i64, metrics_interval_seconds: u64) -> Self {
        let metrics_interval = Duration::from_secs(metrics_interval_seconds.max(1));
        Self {
            sink,
            clock,
            queue,
            identity,
            start_ns,
            metrics_interval,
            next_metrics: Duration::ZERO,
            is_failing: false,
            steps: registry().counter(names::TELEMETRY_CLOCK_STEPS_TOTAL, &[]),
            looked: None,
        }
    }

    /// Writes every second what was said, and every interval what was measured, until `stop`; then a last time.
    pub async fn run(mut self, stop: CancellationToken) {
        let write = async move {
            let mut ticks = tokio::time::interval(WRITE_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first tick is at once; the first readings should show what the start did.
            ticks.tick().await;
            loop {
                tokio::select! {
                    _ = ticks.tick() => self.write().await,
                    () = stop.cancelled() => break,
                }
            }
            self.next_metrics = Duration::ZERO;
            self.write().await;
        };
        write.instrument(signalbox_telemetry::quiet()).await;
    }

    /// Counts jumps of the clock of the machine: what it went on is not what time passed.
    fn look_at_clock(&mut self) {
        let now = (self.clock.now_ns(), self.clock.monotonic());
        if let Some((wall_ns, monotonic)) = self.looked.replace(now) {
            let passed_ns = i64::try_from(now.1.saturating_sub(monotonic).as_nanos()).unwrap_or(i64::MAX);
            let step_ns = now.0.saturating_sub(wall_ns).saturating_sub(passed_ns);
            if step_ns.unsigned_abs() > CLOCK_STEP.as_nanos() as u64 {
                self.steps.add(1);
                tracing::warn!("the clock of the machine jumped by {} s", step_ns / 1_000_000_000);
            }
        }
    }

    /// Writes what waits, and the metrics if it is time.
    pub async fn write(&mut self) {
        self.look_at_clock();
        let tenant = Tenant::default();
        let (logs, spans) = self.queue.take();
        let now = self.clock.monotonic();
        let mut batches = Vec::new();
        if !logs.is_empty() {
            batches.push(Batch::Logs(batches::logs(&self.identity, &logs)));
        }
        if !spans.is_empty() {
            batches.push(Batch::Traces(batches::spans(&self.identity, &spans)));
        }
        if now >= self.next_metrics {
            self.next_metrics = now + self.metrics_interval;
            let known = self.sink.known_series(&tenant);
            let readings = admin::readings(self.start_ns);
            batches.push(Batch::Metrics(batches::metrics(&self.identity, &readings, self.clock.now_ms(), self.start_ns, &*known)));
        }
        if batches.is_empty() {
            return;
        }
        let rows: Vec<(&str, u64)> = batches.iter().map(|batch| (batch.signal().as_str(), batch.rows() as u64)).collect();
        let result = self.sink.write(&tenant, batches).await;
        let counted = if result.is_ok() { names::TELEMETRY_RECORDS_TOTAL } else { names::TELEMETRY_DROPPED_RECORDS_TOTAL };
        for (signal, rows) in rows {
            registry().counter(counted, &[("signal", signal)]).add(rows);
        }
        match (&result, self.is_failing) {
            (Err(error), false) => tracing::warn!("cannot write own telemetry, it is dropped until the store takes it again: {error}"),
            (Ok(_), true) => tracing::info!("own telemetry is written again"),
            _ => {}
        }
        self.is_failing = result.is_err();
    }
}
