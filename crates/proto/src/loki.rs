//! Messages of Loki's query frontend, package `queryrange`: what it answers to `Accept: application/vnd.google.protobuf`.
//!
//! Statistics have the fields that are ever set here; what is left out is zero to who reads it.

use crate::google_rpc::{Status, Timestamp};

/// Every answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryResponse {
    /// Of the question: code 0, as refusals are plain text.
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
    /// What was asked for.
    #[prost(oneof = "Answer", tags = "2, 3, 4, 5, 6, 10, 11, 12, 13")]
    pub response: Option<Answer>,
}

/// What was asked for.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Answer {
    /// Label sets of streams.
    #[prost(message, tag = "2")]
    Series(SeriesResponse),
    /// Names or values of labels.
    #[prost(message, tag = "3")]
    Labels(LabelsResponse),
    /// How much there is.
    #[prost(message, tag = "4")]
    Stats(StatsResponse),
    /// Series of samples.
    #[prost(message, tag = "5")]
    Metric(MetricResponse),
    /// Log records.
    #[prost(message, tag = "6")]
    Streams(StreamsResponse),
    /// Parts of the index.
    #[prost(message, tag = "10")]
    Shards(ShardsResponse),
    /// Fields of records, or values of one.
    #[prost(message, tag = "11")]
    DetectedFields(DetectedFieldsResponse),
    /// Patterns of lines.
    #[prost(message, tag = "12")]
    Patterns(PatternsResponse),
    /// Labels of streams.
    #[prost(message, tag = "13")]
    DetectedLabels(DetectedLabelsResponse),
}

/// Label sets of streams.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SeriesResponse {
    /// `success`
    #[prost(string, tag = "1")]
    pub status: String,
    /// The label sets.
    #[prost(message, repeated, tag = "2")]
    pub data: Vec<SeriesIdentifier>,
    /// Of the API.
    #[prost(uint32, tag = "3")]
    pub version: u32,
}

/// Labels of a stream.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SeriesIdentifier {
    /// The labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<LabelPair>,
}

/// A name and a value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LabelPair {
    /// Of the label.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Names or values of labels.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LabelsResponse {
    /// `success`
    #[prost(string, tag = "1")]
    pub status: String,
    /// The names or values.
    #[prost(string, repeated, tag = "2")]
    pub data: Vec<String>,
    /// Of the API.
    #[prost(uint32, tag = "3")]
    pub version: u32,
}

/// How much there is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StatsResponse {
    /// The counts.
    #[prost(message, optional, tag = "1")]
    pub response: Option<IndexStats>,
}

/// How much a selector finds.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct IndexStats {
    /// Streams.
    #[prost(uint64, tag = "1")]
    pub streams: u64,
    /// Parts of the store.
    #[prost(uint64, tag = "2")]
    pub chunks: u64,
    /// Bytes of lines.
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
    /// Records.
    #[prost(uint64, tag = "4")]
    pub entries: u64,
}

/// Series of samples, and what they cost.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetricResponse {
    /// The series.
    #[prost(message, optional, tag = "1")]
    pub response: Option<PrometheusResponse>,
    /// What they cost.
    #[prost(message, optional, tag = "2")]
    pub statistics: Option<Statistics>,
}

/// Series of samples as Prometheus has them.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PrometheusResponse {
    /// `success`
    #[prost(string, tag = "1")]
    pub status: String,
    /// The series.
    #[prost(message, optional, tag = "2")]
    pub data: Option<PrometheusData>,
}

/// Series and their kind.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PrometheusData {
    /// `matrix`, `vector` or `scalar`.
    #[prost(string, tag = "1")]
    pub result_type: String,
    /// The series; a scalar is one without labels.
    #[prost(message, repeated, tag = "2")]
    pub result: Vec<SampleStream>,
}

/// A series.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SampleStream {
    /// Its labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<LabelPair>,
    /// Its samples, ascending.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

/// A sample.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sample {
    /// Its value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "2")]
    pub timestamp_ms: i64,
}

/// Log records, and what they cost.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StreamsResponse {
    /// `success`
    #[prost(string, tag = "1")]
    pub status: String,
    /// The records.
    #[prost(message, optional, tag = "2")]
    pub data: Option<StreamsData>,
    /// 0 for forward, 1 for backward.
    #[prost(int32, tag = "5")]
    pub direction: i32,
    /// Records that were asked for at most.
    #[prost(uint32, tag = "6")]
    pub limit: u32,
    /// Of the API.
    #[prost(uint32, tag = "7")]
    pub version: u32,
    /// What they cost.
    #[prost(message, optional, tag = "8")]
    pub statistics: Option<Statistics>,
}

/// Log records by stream.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StreamsData {
    /// `streams`
    #[prost(string, tag = "1")]
    pub result_type: String,
    /// The streams.
    #[prost(message, repeated, tag = "2")]
    pub result: Vec<Stream>,
}

/// Log records of one stream.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Stream {
    /// Labels, `{a="b", c="d"}`.
    #[prost(string, tag = "1")]
    pub labels: String,
    /// The records.
    #[prost(message, repeated, tag = "2")]
    pub entries: Vec<Entry>,
}

/// A log record.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    /// When it happened.
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    /// Its line.
    #[prost(string, tag = "2")]
    pub line: String,
    /// What it carries beside its line.
    #[prost(message, repeated, tag = "3")]
    pub structured_metadata: Vec<LabelPair>,
    /// What the query made of it.
    #[prost(message, repeated, tag = "4")]
    pub parsed: Vec<LabelPair>,
}

/// Parts of the index.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShardsResponse {
    /// The parts.
    #[prost(message, optional, tag = "1")]
    pub response: Option<Shards>,
}

/// Parts of the index.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Shards {
    /// The parts.
    #[prost(message, repeated, tag = "1")]
    pub shards: Vec<Shard>,
    /// What finding them cost.
    #[prost(message, optional, tag = "2")]
    pub statistics: Option<Statistics>,
}

/// A part of the index.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Shard {
    /// Fingerprints of its streams.
    #[prost(message, optional, tag = "1")]
    pub bounds: Option<Bounds>,
    /// How much it holds.
    #[prost(message, optional, tag = "2")]
    pub stats: Option<IndexStats>,
}

/// Fingerprints of streams, both included.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Bounds {
    /// The least.
    #[prost(uint64, tag = "1")]
    pub min: u64,
    /// The greatest.
    #[prost(uint64, tag = "2")]
    pub max: u64,
}

/// Fields of records, or values of one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DetectedFieldsResponse {
    /// Either.
    #[prost(message, optional, tag = "1")]
    pub response: Option<DetectedFields>,
}

/// Fields of records, or values of one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DetectedFields {
    /// The fields.
    #[prost(message, repeated, tag = "1")]
    pub fields: Vec<DetectedField>,
    /// Fields or values that were asked for at most.
    #[prost(uint32, tag = "2")]
    pub limit: u32,
    /// The values.
    #[prost(string, repeated, tag = "3")]
    pub values: Vec<String>,
}

/// A field of records.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DetectedField {
    /// Its name as a label.
    #[prost(string, tag = "1")]
    pub label: String,
    /// `string`, `int`, `float`, `boolean`, `duration` or `bytes`.
    #[prost(string, tag = "2")]
    pub kind: String,
    /// Values that it has.
    #[prost(uint64, tag = "3")]
    pub cardinality: u64,
    /// Stages that find it; none for what is no part of the line.
    #[prost(string, repeated, tag = "4")]
    pub parsers: Vec<String>,
    /// Where it is in a JSON object.
    #[prost(string, repeated, tag = "6")]
    pub json_path: Vec<String>,
}

/// Labels of streams.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DetectedLabelsResponse {
    /// The labels.
    #[prost(message, optional, tag = "1")]
    pub response: Option<DetectedLabels>,
}

/// Labels of streams.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DetectedLabels {
    /// The labels.
    #[prost(message, repeated, tag = "1")]
    pub detected_labels: Vec<DetectedLabel>,
}

/// A label of streams.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DetectedLabel {
    /// Its name.
    #[prost(string, tag = "1")]
    pub label: String,
    /// Values that it has.
    #[prost(uint64, tag = "2")]
    pub cardinality: u64,
}

/// Patterns of lines.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PatternsResponse {
    /// The patterns.
    #[prost(message, optional, tag = "1")]
    pub response: Option<Patterns>,
}

/// Patterns of lines.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Patterns {
    /// By pattern and level.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<PatternSeries>,
}

/// How often lines of one pattern and level came.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PatternSeries {
    /// The pattern.
    #[prost(string, tag = "1")]
    pub pattern: String,
    /// Counts, ascending.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<PatternSample>,
    /// The level.
    #[prost(string, tag = "3")]
    pub level: String,
}

/// Lines of a pattern within a step.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct PatternSample {
    /// Begin of the step in milliseconds since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub timestamp_ms: i64,
    /// How many.
    #[prost(int64, tag = "2")]
    pub value: i64,
}

/// What a question cost, of `stats.Result`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Statistics {
    /// In short.
    #[prost(message, optional, tag = "1")]
    pub summary: Option<Summary>,
    /// Who read the store.
    #[prost(message, optional, tag = "2")]
    pub querier: Option<Querier>,
}

/// What a question cost in short.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Summary {
    /// Bytes of lines that were looked at, per second.
    #[prost(int64, tag = "1")]
    pub bytes_processed_per_second: i64,
    /// Lines that were looked at, per second.
    #[prost(int64, tag = "2")]
    pub lines_processed_per_second: i64,
    /// Bytes of lines that were looked at.
    #[prost(int64, tag = "3")]
    pub total_bytes_processed: i64,
    /// Lines that were looked at.
    #[prost(int64, tag = "4")]
    pub total_lines_processed: i64,
    /// Seconds that it took.
    #[prost(double, tag = "5")]
    pub exec_time: f64,
    /// Records or series in the answer.
    #[prost(int64, tag = "8")]
    pub total_entries_returned: i64,
    /// Parts of the time that were asked for one after the other.
    #[prost(int64, tag = "9")]
    pub splits: i64,
}

/// What reading cost.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Querier {
    /// Of the store.
    #[prost(message, optional, tag = "1")]
    pub store: Option<StoreStatistics>,
    /// Seconds that it took.
    #[prost(double, tag = "2")]
    pub exec_time: f64,
}

/// What reading the store cost.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct StoreStatistics {
    /// In its parts.
    #[prost(message, optional, tag = "4")]
    pub chunk: Option<ChunkStatistics>,
}

/// What reading parts of the store cost.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct ChunkStatistics {
    /// Bytes of lines.
    #[prost(int64, tag = "6")]
    pub decompressed_bytes: i64,
    /// Lines.
    #[prost(int64, tag = "7")]
    pub decompressed_lines: i64,
}
