//! Metrics of spans: rate, errors and durations by operation, and the graph of who calls whom, made of every span once.
//!
//! | metric | labels |
//! |---|---|
//! | `traces_spanmetrics_calls_total`, `traces_spanmetrics_latency` | `service`, `span_name`, `span_kind`, `status_code`, dimensions |
//! | `traces_service_graph_request_total`, `…_request_failed_total`, `…_request_server_seconds`, `…_request_client_seconds`, `…_request_messaging_system_seconds` | `client`, `server`, `connection_type` |
//!
//! Names and meanings are those of Tempo's metrics generator. Spans are counted when they arrive. What is counted is what the
//! store holds: the spans that became durable are followed in the order of their arrival numbers, and each write of the
//! metrics has beside it up to which number they count, in one frame of the WAL. After a restart the counters begin at 0 and
//! take the spans behind that number from the store, so that no span is counted twice or not at all, whatever the process
//! died of. The core is pure; [`follow`] is its shell. See `DECISIONS.md`.

mod columns;
mod dimensions;
mod durations;
mod edges;
mod follow;
mod operations;
mod output;
mod pairs;
mod settings;

use std::time::Duration;

use arrow_array::RecordBatch;
use signalbox_model::schema;
use signalbox_model::{KnownSeries, Labels, MetricBatch, MetricKind, Result};
use signalbox_telemetry::{Counter, names, registry};

use columns::Spans;
use edges::Edges;
use operations::Operations;
use output::{Output, Series};
use pairs::{Pairs, Unpaired};

pub(crate) use follow::SpanMetrics;
pub use settings::{Histograms, SpanMetricsSettings};

/// Arrival numbers up to which spans count. `part="counted"`: the first that is not in the metrics; `part="paired"`: the
/// first of a span that waits for the other side of its call.
const POSITION: &str = "signalbox_ingest_span_metrics_position";
const PARTS: [&str; 2] = ["counted", "paired"];

/// What is said of the families.
const FAMILIES: [(&str, MetricKind, &str); 8] = [
    (operations::CALLS, MetricKind::Counter, "Spans by service, operation, kind and status."),
    (operations::LATENCY, MetricKind::Histogram, "Durations of spans in seconds."),
    (edges::REQUESTS, MetricKind::Counter, "Calls between two services."),
    (edges::FAILED, MetricKind::Counter, "Calls between two services that failed on either side."),
    (edges::SERVER_SECONDS, MetricKind::Histogram, "Durations of calls in seconds as servers saw them."),
    (edges::CLIENT_SECONDS, MetricKind::Histogram, "Durations of calls in seconds as clients saw them."),
    (edges::QUEUE_SECONDS, MetricKind::Histogram, "Seconds between the end of sending a message and the start of handling it."),
    (POSITION, MetricKind::Gauge, "Arrival number of spans up to which the metrics made of them count."),
];

/// Arrival numbers: where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    /// The first span that is not counted.
    counted: u64,
    /// The first span that may wait for another.
    paired: u64,
}

/// What was counted of one tenant's spans.
#[derive(Debug)]
struct State {
    settings: SpanMetricsSettings,
    operations: Operations,
    edges: Edges,
    pairs: Pairs,
    position: Position,
    /// When it was last written, or began.
    written_ms: i64,
    series: [Series; 2],
    has_metadata: bool,
    counted: Counter,
    unpaired: [Counter; 2],
    reported: Unpaired,
}

impl State {
    /// Nothing is counted yet; goes on at a position and an instant behind which nothing is written.
    fn new(settings: &SpanMetricsSettings, position: Position, written_ms: i64) -> Self {
        let unpaired = |reason| registry().counter(names::INGEST_UNPAIRED_SPANS_TOTAL, &[("reason", reason)]);
        Self {
            settings: settings.clone(),
            operations: Operations::new(settings),
            edges: Edges::new(settings),
            pairs: Pairs::new(settings),
            position,
            written_ms,
            series: PARTS.map(|part| Series::new(Labels::from_pairs([("part", part)]))),
            has_metadata: false,
            counted: registry().counter(names::INGEST_SPAN_METRICS_SPANS_TOTAL, &[]),
            unpaired: [unpaired("expired"), unpaired("dropped")],
            reported: Unpaired::default(),
        }
    }

    /// Counts spans that follow those before, in the order of their arrival. Spans that are counted already are left out.
    ///
    /// # Errors
    /// `Internal` if the rows are no spans.
    fn add(&mut self, rows: &RecordBatch, now: Duration) -> Result<()> {
        let next = self.add_from(rows, self.position.counted, now)?;
        self.position.counted = self.position.counted.max(next);
        Ok(())
    }

    /// Takes the spans from an arrival number on, in any order, and counts those behind the position, which stays. Gives the
    /// number behind the last one.
    fn add_from(&mut self, rows: &RecordBatch, taken: u64, now: Duration) -> Result<u64> {
        let spans = Spans::of(rows)?;
        let next = spans.numbers.iter().max().map_or(0, |last| last + 1);
        if next <= taken {
            return Ok(next);
        }
        let counted = self.position.counted;
        self.operations.add(&spans, counted, now);
        let Self { pairs, edges, .. } = self;
        let mut found = |call| edges.add(&call, now);
        pairs.add(&spans, (taken, counted), now, &mut found);
        pairs.expire(now, &mut found);
        self.counted.add(spans.numbers.iter().filter(|number| **number >= counted).count() as u64);
        Ok(next)
    }

    /// Everything as samples at an instant, to be written in one piece.
    fn batch(&mut self, known: &dyn KnownSeries, now_ms: i64, now: Duration) -> MetricBatch {
        let Self { pairs, edges, .. } = self;
        pairs.expire(now, &mut |call| edges.add(&call, now));
        let mut output = Output::new(known, self.settings.histograms, (self.written_ms, now_ms), self.idle_before(now));
        self.operations.write(&mut output);
        self.edges.write(&mut output);
        self.position.paired = self.pairs.oldest().unwrap_or(u64::MAX).min(self.position.counted);
        for (series, number) in self.series.iter_mut().zip([self.position.counted, self.position.paired]) {
            output.begin(series, now);
            output.gauge(POSITION, series, number as f64);
        }
        let mut batch = output.batch;
        if !self.has_metadata {
            batch.metadata = output::metadata(&FAMILIES);
        }
        batch
    }

    /// What [`State::batch`] gave at that instant is durable.
    fn written(&mut self, now_ms: i64, now: Duration) {
        let (start_ms, idle_before) = (self.written_ms.min(now_ms - 1), self.idle_before(now));
        self.operations.written(start_ms, idle_before);
        self.edges.written(start_ms, idle_before);
        (self.written_ms, self.has_metadata) = (now_ms, true);
        let unpaired = self.pairs.unpaired;
        self.unpaired[0].add(unpaired.expired - self.reported.expired);
        self.unpaired[1].add(unpaired.dropped - self.reported.dropped);
        self.reported = unpaired;
    }

    fn idle_before(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_secs(self.settings.idle_seconds))
    }
}

/// The columns of spans that are read to be counted, by index.
fn projection() -> Vec<usize> {
    let spans = schema::spans();
    let mut columns: Vec<usize> = columns::COLUMNS.iter().map(|name| schema::index(&spans, name)).collect();
    columns.sort_unstable();
    columns
}

#[cfg(test)]
mod tests;
