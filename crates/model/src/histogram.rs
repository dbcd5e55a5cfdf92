//! Native histograms (Prometheus' sparse histograms, OpenTelemetry's exponential histograms), always with float counts in memory.

/// What is known about a reset before this sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    /// Nothing is known: compare with the previous sample.
    #[default]
    Unknown,
    /// The counter was reset between the previous sample and this one.
    Reset,
    /// It was not reset.
    NotReset,
    /// This is a gauge histogram: resets do not exist.
    Gauge,
}

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Gap to the end of the previous span; for the first span its absolute index.
    pub offset: i32,
    /// Number of buckets in the run.
    pub length: u32,
}

/// A native histogram. Bucket `i` with schema `s` in -4..=8 has the upper bound `2^(i * 2^-s)`; schema -53 has custom bounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Resolution; -53 for custom buckets.
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN observations included.
    pub count: f64,
    /// Sum of the observations; a staleness marker is a histogram whose sum is the stale NaN.
    pub sum: f64,
    /// Whether the counts came as integers and may be rendered as such.
    pub is_integer: bool,
    /// Reset hint.
    pub reset_hint: ResetHint,
    /// Runs of positive buckets.
    pub positive_spans: Vec<Span>,
    /// Absolute counts of the positive buckets, one for each bucket of the spans.
    pub positive_buckets: Vec<f64>,
    /// Runs of negative buckets.
    pub negative_spans: Vec<Span>,
    /// Absolute counts of the negative buckets.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds for schema -53, ascending, +Inf excluded.
    pub custom_values: Vec<f64>,
}

impl Histogram {
    /// The schema that marks custom bounds.
    pub const CUSTOM_SCHEMA: i32 = -53;
}
