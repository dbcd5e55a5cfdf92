//! `io.prometheus.client`, the metrics that a target exposes in protobuf, as today's Prometheus has it.
//!
//! The message `MetricFamily` itself is not here: a page is read metric by metric, so that no page becomes one tree of messages.

/// Type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum MetricType {
    /// Has `counter`.
    Counter = 0,
    /// Has `gauge`.
    Gauge = 1,
    /// Has `summary`.
    Summary = 2,
    /// Has `untyped`.
    Untyped = 3,
    /// Has `histogram`.
    Histogram = 4,
    /// Has `histogram`.
    GaugeHistogram = 5,
}

/// One label.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LabelPair {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A gauge, or a value without a type.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Gauge {
    /// Value.
    #[prost(double, tag = "1")]
    pub value: f64,
}

/// A counter.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Counter {
    /// Value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Exemplar.
    #[prost(message, optional, tag = "2")]
    pub exemplar: Option<Exemplar>,
    /// When it was 0.
    #[prost(message, optional, tag = "3")]
    pub start_timestamp: Option<Timestamp>,
}

/// A quantile of a summary.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Quantile {
    /// Which.
    #[prost(double, tag = "1")]
    pub quantile: f64,
    /// Value.
    #[prost(double, tag = "2")]
    pub value: f64,
}

/// A summary.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Summary {
    /// Observations.
    #[prost(uint64, tag = "1")]
    pub sample_count: u64,
    /// Their sum.
    #[prost(double, tag = "2")]
    pub sample_sum: f64,
    /// Quantiles.
    #[prost(message, repeated, tag = "3")]
    pub quantile: Vec<Quantile>,
    /// When it was empty.
    #[prost(message, optional, tag = "4")]
    pub start_timestamp: Option<Timestamp>,
}

/// A histogram: classic, native, or both.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Histogram {
    /// Observations.
    #[prost(uint64, tag = "1")]
    pub sample_count: u64,
    /// Observations; instead of `sample_count` if above 0.
    #[prost(double, tag = "4")]
    pub sample_count_float: f64,
    /// Sum of the observations.
    #[prost(double, tag = "2")]
    pub sample_sum: f64,
    /// Classic buckets, cumulative.
    #[prost(message, repeated, tag = "3")]
    pub bucket: Vec<Bucket>,
    /// When it was empty.
    #[prost(message, optional, tag = "15")]
    pub start_timestamp: Option<Timestamp>,
    /// Resolution of the native buckets.
    #[prost(sint32, tag = "5")]
    pub schema: i32,
    /// Width of the zero bucket.
    #[prost(double, tag = "6")]
    pub zero_threshold: f64,
    /// Observations in it.
    #[prost(uint64, tag = "7")]
    pub zero_count: u64,
    /// Observations in it; instead of `zero_count` if above 0.
    #[prost(double, tag = "8")]
    pub zero_count_float: f64,
    /// Runs of negative buckets.
    #[prost(message, repeated, tag = "9")]
    pub negative_span: Vec<BucketSpan>,
    /// Differences of their counts.
    #[prost(sint64, repeated, tag = "10")]
    pub negative_delta: Vec<i64>,
    /// Their counts, of a float histogram.
    #[prost(double, repeated, tag = "11")]
    pub negative_count: Vec<f64>,
    /// Runs of positive buckets.
    #[prost(message, repeated, tag = "12")]
    pub positive_span: Vec<BucketSpan>,
    /// Differences of their counts.
    #[prost(sint64, repeated, tag = "13")]
    pub positive_delta: Vec<i64>,
    /// Their counts, of a float histogram.
    #[prost(double, repeated, tag = "14")]
    pub positive_count: Vec<f64>,
    /// Exemplars of the native histogram.
    #[prost(message, repeated, tag = "16")]
    pub exemplars: Vec<Exemplar>,
}

/// A classic bucket.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Bucket {
    /// Observations up to the bound.
    #[prost(uint64, tag = "1")]
    pub cumulative_count: u64,
    /// Observations up to the bound; instead of `cumulative_count` if above 0.
    #[prost(double, tag = "4")]
    pub cumulative_count_float: f64,
    /// Upper bound, inclusive.
    #[prost(double, tag = "2")]
    pub upper_bound: f64,
    /// Exemplar.
    #[prost(message, optional, tag = "3")]
    pub exemplar: Option<Exemplar>,
}

/// A run of native buckets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct BucketSpan {
    /// Gap to the previous run, or the first index.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// Buckets.
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

/// An example observation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Exemplar {
    /// Labels.
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<LabelPair>,
    /// Value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// When.
    #[prost(message, optional, tag = "3")]
    pub timestamp: Option<Timestamp>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest in nanoseconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// One metric of a family.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Metric {
    /// Labels.
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<LabelPair>,
    /// Of the type gauge.
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
    /// Of the type counter.
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Counter>,
    /// Of the type summary.
    #[prost(message, optional, tag = "4")]
    pub summary: Option<Summary>,
    /// Of no type.
    #[prost(message, optional, tag = "5")]
    pub untyped: Option<Gauge>,
    /// Of the types histogram and gauge histogram.
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<Histogram>,
    /// Milliseconds since the Unix epoch, 0 when the page says none.
    #[prost(int64, tag = "6")]
    pub timestamp_ms: i64,
}
