//! Rows of one signal and one tenant on their way from a decoder to the store.

use arrow_array::RecordBatch;

use crate::{Histogram, Labels, Result, SeriesEntry, Signal, SpanId, TraceId, schema};

/// Rows of one signal.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a request has at most three of them, and they are moved a handful of times")]
pub enum Batch {
    /// Samples and what belongs to them.
    Metrics(MetricBatch),
    /// Log records.
    Logs(LogBatch),
    /// Spans.
    Traces(SpanBatch),
}

impl Batch {
    /// The signal of the rows.
    pub fn signal(&self) -> Signal {
        match self {
            Self::Metrics(_) => Signal::Metrics,
            Self::Logs(_) => Signal::Logs,
            Self::Traces(_) => Signal::Traces,
        }
    }

    /// Number of samples (floats and histograms), records or spans.
    pub fn rows(&self) -> usize {
        match self {
            Self::Metrics(batch) => batch.samples.len() + batch.deltas.len() + batch.histograms.len(),
            Self::Logs(batch) => batch.0.num_rows(),
            Self::Traces(batch) => batch.0.num_rows(),
        }
    }
}

/// Samples as columns that refer to a table of series.
#[derive(Debug, Clone, Default)]
pub struct MetricBatch {
    /// The series of this batch; the columns refer to them by index. One series should appear once.
    pub series: Vec<SeriesEntry>,
    /// Float samples: gauges, and cumulative counters.
    pub samples: SampleColumns,
    /// Float increments (OTLP delta temporality); `ingest` turns them into cumulative samples, the store never sees any.
    pub deltas: SampleColumns,
    /// Native histogram samples.
    pub histograms: Vec<HistogramSample>,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
    /// Type, help and unit by metric family name.
    pub metadata: Vec<MetricMetadata>,
}

/// Float samples as parallel columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleColumns {
    /// Index into [`MetricBatch::series`].
    pub series: Vec<u32>,
    /// Milliseconds since the Unix epoch.
    pub ts_ms: Vec<i64>,
    /// Value; the staleness marker is [`STALE_NAN_BITS`].
    pub value: Vec<f64>,
    /// Start of the counter in milliseconds since the Unix epoch, 0 when unknown. Either empty (none known) or as long as the others.
    pub start_ms: Vec<i64>,
}

/// Bits of the NaN that says "this series ended here" (Prometheus' staleness marker).
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is the staleness marker.
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

impl SampleColumns {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Appends a sample without a start time.
    pub fn push(&mut self, series: u32, ts_ms: i64, value: f64) {
        self.push_started(series, ts_ms, value, 0);
    }

    /// Appends a sample with a start time; 0 means unknown.
    pub fn push_started(&mut self, series: u32, ts_ms: i64, value: f64, start_ms: i64) {
        if start_ms != 0 && self.start_ms.is_empty() {
            self.start_ms.resize(self.value.len(), 0);
        }
        if start_ms != 0 || !self.start_ms.is_empty() {
            self.start_ms.push(start_ms);
        }
        self.series.push(series);
        self.ts_ms.push(ts_ms);
        self.value.push(value);
    }
}

/// One native histogram sample.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSample {
    /// Index into [`MetricBatch::series`].
    pub series: u32,
    /// Milliseconds since the Unix epoch.
    pub ts_ms: i64,
    /// Start in milliseconds since the Unix epoch, 0 when unknown.
    pub start_ms: i64,
    /// Whether this is an increment that `ingest` must accumulate first.
    pub is_delta: bool,
    /// The histogram.
    pub histogram: Histogram,
}

/// An example observation that links a series to a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Index into [`MetricBatch::series`].
    pub series: u32,
    /// Milliseconds since the Unix epoch.
    pub ts_ms: i64,
    /// Observed value.
    pub value: f64,
    /// Trace, if the exemplar names one.
    pub trace_id: Option<TraceId>,
    /// Span, if the exemplar names one.
    pub span_id: Option<SpanId>,
    /// All other labels of the exemplar (trace and span identifiers excluded).
    pub labels: Labels,
}

/// Type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricKind {
    /// Nothing was said.
    #[default]
    Unknown,
    /// Only goes up, or starts again at 0.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Classic or native histogram.
    Histogram,
    /// Histogram that goes up and down.
    GaugeHistogram,
    /// Quantiles computed by the client.
    Summary,
    /// Constant labels with value 1.
    Info,
    /// One of several states.
    StateSet,
}

impl MetricKind {
    /// The word that Prometheus' metadata API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The kind with this word; unknown words are [`MetricKind::Unknown`].
    pub fn from_word(word: &str) -> Self {
        [Self::Counter, Self::Gauge, Self::Histogram, Self::GaugeHistogram, Self::Summary, Self::Info, Self::StateSet]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .unwrap_or_default()
    }
}

/// Type, help and unit of a metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMetadata {
    /// Family name as queries see it.
    pub name: String,
    /// Type.
    pub kind: MetricKind,
    /// Description.
    pub help: String,
    /// Unit.
    pub unit: String,
}

/// Log records with the schema [`schema::logs`], proven.
#[derive(Debug, Clone)]
pub struct LogBatch(RecordBatch);

/// Spans with the schema [`schema::spans`], proven.
#[derive(Debug, Clone)]
pub struct SpanBatch(RecordBatch);

macro_rules! proven {
    ($name:ident, $schema:path) => {
        impl $name {
            /// Proves the schema.
            ///
            /// # Errors
            /// [`crate::ErrorKind::Internal`] if the schema of the rows is another one.
            pub fn new(rows: RecordBatch) -> Result<Self> {
                schema::prove(&rows, &$schema())?;
                Ok(Self(rows))
            }

            /// The rows.
            pub fn rows(&self) -> &RecordBatch {
                &self.0
            }

            /// The rows, owned.
            pub fn into_rows(self) -> RecordBatch {
                self.0
            }
        }
    };
}

proven!(LogBatch, schema::logs);
proven!(SpanBatch, schema::spans);

/// Rows that were not taken, and why; the protocol's reply tells the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// How many samples, records or spans.
    pub rows: u64,
    /// A word from a closed set, for the counter of rejected rows, such as `too_old` or `series_limit`.
    pub reason: &'static str,
    /// For the client.
    pub message: String,
}
