//! Messages of Prometheus' remote read: `prometheus.ReadRequest` and its two kinds of answers.

use crate::remote_write_v1::{Label, TimeSeries};

/// One request.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadRequest {
    /// What is asked for; the answers come in the same order.
    #[prost(message, repeated, tag = "1")]
    pub queries: Vec<Query>,
    /// [`ResponseType`]s that the client takes, best first; none means samples.
    #[prost(enumeration = "ResponseType", repeated, tag = "2")]
    pub accepted_response_types: Vec<i32>,
}

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum ResponseType {
    /// One [`ReadResponse`], compressed with snappy.
    Samples = 0,
    /// Frames of [`ChunkedReadResponse`].
    StreamedXorChunks = 1,
}

/// One selection over a range of time.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Query {
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub start_timestamp_ms: i64,
    /// Milliseconds since the Unix epoch, included.
    #[prost(int64, tag = "2")]
    pub end_timestamp_ms: i64,
    /// All have to match.
    #[prost(message, repeated, tag = "3")]
    pub matchers: Vec<LabelMatcher>,
    /// What becomes of the samples.
    #[prost(message, optional, tag = "4")]
    pub hints: Option<ReadHints>,
}

/// One condition on a label.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LabelMatcher {
    /// 0 `=`, 1 `!=`, 2 `=~`, 3 `!~`.
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    /// Name of the label.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Text or regular expression.
    #[prost(string, tag = "3")]
    pub value: String,
}

/// What becomes of the samples.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadHints {
    /// Step of the query in milliseconds.
    #[prost(int64, tag = "1")]
    pub step_ms: i64,
    /// Function or aggregation around the selector; `series` wants no samples.
    #[prost(string, tag = "2")]
    pub func: String,
    /// Samples before are not needed, milliseconds since the Unix epoch.
    #[prost(int64, tag = "3")]
    pub start_ms: i64,
    /// Samples after are not needed, milliseconds since the Unix epoch.
    #[prost(int64, tag = "4")]
    pub end_ms: i64,
    /// Labels of an aggregation.
    #[prost(string, repeated, tag = "5")]
    pub grouping: Vec<String>,
    /// Whether the aggregation is by those labels, or without them.
    #[prost(bool, tag = "6")]
    pub by: bool,
    /// Range of the selector in milliseconds.
    #[prost(int64, tag = "7")]
    pub range_ms: i64,
}

/// An answer as samples.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadResponse {
    /// One for each query.
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<QueryResult>,
}

/// The answer to one query.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryResult {
    /// Series with their samples.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// One frame of an answer as chunks.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChunkedReadResponse {
    /// A series or a part of one.
    #[prost(message, repeated, tag = "1")]
    pub chunked_series: Vec<ChunkedSeries>,
    /// Which query this belongs to.
    #[prost(int64, tag = "2")]
    pub query_index: i64,
}

/// A series or a part of one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChunkedSeries {
    /// Labels, sorted by name.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Chunks by time.
    #[prost(message, repeated, tag = "2")]
    pub chunks: Vec<Chunk>,
}

/// Samples of one kind, encoded as in Prometheus' storage.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Chunk {
    /// Time of the first sample, milliseconds since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub min_time_ms: i64,
    /// Time of the last sample.
    #[prost(int64, tag = "2")]
    pub max_time_ms: i64,
    /// 1 floats (XOR), 2 integer histograms, 3 float histograms.
    #[prost(int32, tag = "3")]
    pub r#type: i32,
    /// The samples.
    #[prost(bytes = "vec", tag = "4")]
    pub data: Vec<u8>,
}
