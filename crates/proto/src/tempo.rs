//! Messages of Tempo's API, package `tempopb`: the same over HTTP and over the gRPC service `StreamingQuerier`.
//!
//! Traces, attributes and values in them are OTLP's own messages, whose numbers Tempo shares.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::TracesData;

/// Whether an answer is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum PartialStatus {
    /// It is.
    Complete = 0,
    /// Something is left out, the message says what.
    Partial = 1,
}

/// A trace, of the second version of trace by id.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceByIdResponse {
    /// The trace.
    #[prost(message, optional, tag = "1")]
    pub trace: Option<TracesData>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<TraceByIdMetrics>,
    /// Whether all of it is there.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    /// What is left out.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// What reading a trace cost.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceByIdMetrics {
    /// Bytes that were looked at.
    #[prost(uint64, tag = "1")]
    pub inspected_bytes: u64,
    /// Reads.
    #[prost(uint64, tag = "2")]
    pub backend_reads: u64,
    /// Bytes that were read.
    #[prost(uint64, tag = "3")]
    pub backend_bytes: u64,
    /// Further counts by name.
    #[prost(btree_map = "string, int64", tag = "4")]
    pub additional_metrics: BTreeMap<String, i64>,
}

/// A question for traces.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchRequest {
    /// Attributes and their values, instead of a query.
    #[prost(btree_map = "string, string", tag = "1")]
    pub tags: BTreeMap<String, String>,
    /// Least duration of the trace in milliseconds, 0 for none.
    #[prost(uint32, tag = "2")]
    pub min_duration_ms: u32,
    /// Greatest duration of the trace in milliseconds, 0 for none.
    #[prost(uint32, tag = "3")]
    pub max_duration_ms: u32,
    /// Traces at most, 0 for the default.
    #[prost(uint32, tag = "4")]
    pub limit: u32,
    /// Seconds since the Unix epoch, 0 for none.
    #[prost(uint32, tag = "5")]
    pub start: u32,
    /// Seconds since the Unix epoch, 0 for none.
    #[prost(uint32, tag = "6")]
    pub end: u32,
    /// TraceQL.
    #[prost(string, tag = "8")]
    pub query: String,
    /// Spans of a set at most, 0 for all.
    #[prost(uint32, tag = "9")]
    pub spans_per_span_set: u32,
    /// Names of transformations of the query that are not wanted.
    #[prost(string, repeated, tag = "11")]
    pub skip_ast_transformations: Vec<String>,
}

/// Traces that were found.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchResponse {
    /// The traces.
    #[prost(message, repeated, tag = "1")]
    pub traces: Vec<TraceSearchMetadata>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
}

/// A trace in short.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceSearchMetadata {
    /// Hexadecimal digits.
    #[prost(string, tag = "1")]
    pub trace_id: String,
    /// Service of the root.
    #[prost(string, tag = "2")]
    pub root_service_name: String,
    /// Name of the root.
    #[prost(string, tag = "3")]
    pub root_trace_name: String,
    /// Nanoseconds since the Unix epoch.
    #[prost(uint64, tag = "4")]
    pub start_time_unix_nano: u64,
    /// Milliseconds.
    #[prost(uint32, tag = "5")]
    pub duration_ms: u32,
    /// The first of `span_sets`, for clients that know no more.
    #[prost(message, optional, tag = "6")]
    pub span_set: Option<SpanSet>,
    /// Sets of spans that the query left.
    #[prost(message, repeated, tag = "7")]
    pub span_sets: Vec<SpanSet>,
    /// Spans by service.
    #[prost(btree_map = "string, message", tag = "8")]
    pub service_stats: BTreeMap<String, ServiceStats>,
}

/// Spans of a service.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ServiceStats {
    /// How many.
    #[prost(uint32, tag = "1")]
    pub span_count: u32,
    /// With status error.
    #[prost(uint32, tag = "2")]
    pub error_count: u32,
}

/// A set of spans.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SpanSet {
    /// Those that are told.
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<Span>,
    /// How many are in the set.
    #[prost(uint32, tag = "2")]
    pub matched: u32,
    /// What the set is called.
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
}

/// A span in short.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Span {
    /// Hexadecimal digits.
    #[prost(string, tag = "1")]
    pub span_id: String,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Nanoseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    pub start_time_unix_nano: u64,
    /// Nanoseconds.
    #[prost(uint64, tag = "4")]
    pub duration_nanos: u64,
    /// What the query asked for.
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<KeyValue>,
}

/// What a search or a metrics query cost, and how far it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchMetrics {
    /// Traces that were looked at.
    #[prost(uint32, tag = "1")]
    pub inspected_traces: u32,
    /// Bytes that were looked at.
    #[prost(uint64, tag = "2")]
    pub inspected_bytes: u64,
    /// Parts of the store in the range.
    #[prost(uint32, tag = "3")]
    pub total_blocks: u32,
    /// Jobs that are done.
    #[prost(uint32, tag = "4")]
    pub completed_jobs: u32,
    /// Jobs in all.
    #[prost(uint32, tag = "5")]
    pub total_jobs: u32,
    /// Bytes of the parts.
    #[prost(uint64, tag = "6")]
    pub total_block_bytes: u64,
    /// Spans that were looked at.
    #[prost(uint64, tag = "7")]
    pub inspected_spans: u64,
    /// Reads.
    #[prost(uint64, tag = "8")]
    pub backend_reads: u64,
    /// Bytes that were read.
    #[prost(uint64, tag = "9")]
    pub backend_bytes: u64,
    /// Further counts by name.
    #[prost(btree_map = "string, int64", tag = "10")]
    pub additional_metrics: BTreeMap<String, i64>,
}

/// A question for names of attributes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchTagsRequest {
    /// Scope, the empty text for all.
    #[prost(string, tag = "1")]
    pub scope: String,
    /// TraceQL: only of spans that hold it.
    #[prost(string, tag = "2")]
    pub query: String,
    /// Seconds since the Unix epoch, 0 for none.
    #[prost(uint32, tag = "3")]
    pub start: u32,
    /// Seconds since the Unix epoch, 0 for none.
    #[prost(uint32, tag = "4")]
    pub end: u32,
    /// Names of a scope at most, 0 for no bound.
    #[prost(uint32, tag = "5")]
    pub max_tags_per_scope: u32,
    /// After how many known names to stop, 0 for never.
    #[prost(uint32, tag = "6")]
    pub stale_values_threshold: u32,
}

/// Names of attributes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchTagsResponse {
    /// The names.
    #[prost(string, repeated, tag = "1")]
    pub tag_names: Vec<String>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// Names of attributes by scope.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchTagsV2Response {
    /// The scopes.
    #[prost(message, repeated, tag = "1")]
    pub scopes: Vec<SearchTagsV2Scope>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// Names of attributes of a scope.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchTagsV2Scope {
    /// The scope.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The names.
    #[prost(string, repeated, tag = "2")]
    pub tags: Vec<String>,
}

/// A question for values of an attribute.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchTagValuesRequest {
    /// Name of the attribute.
    #[prost(string, tag = "1")]
    pub tag_name: String,
    /// TraceQL: only of spans that hold it.
    #[prost(string, tag = "2")]
    pub query: String,
    /// Seconds since the Unix epoch, 0 for none.
    #[prost(uint32, tag = "4")]
    pub start: u32,
    /// Seconds since the Unix epoch, 0 for none.
    #[prost(uint32, tag = "5")]
    pub end: u32,
    /// Values at most, 0 for no bound.
    #[prost(uint32, tag = "6")]
    pub max_tag_values: u32,
    /// After how many known values to stop, 0 for never.
    #[prost(uint32, tag = "7")]
    pub stale_value_threshold: u32,
}

/// Values of an attribute as text.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchTagValuesResponse {
    /// The values.
    #[prost(string, repeated, tag = "1")]
    pub tag_values: Vec<String>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// A value with its type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, prost::Message)]
pub struct TagValue {
    /// `string`, `int`, `float`, `bool`, `duration`, `keyword`.
    #[prost(string, tag = "1")]
    pub r#type: String,
    /// Its text.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Values of an attribute with their types.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchTagValuesV2Response {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub tag_values: Vec<TagValue>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// What a listing cost, and how far it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetadataMetrics {
    /// Bytes that were looked at.
    #[prost(uint64, tag = "1")]
    pub inspected_bytes: u64,
    /// Jobs in all.
    #[prost(uint32, tag = "2")]
    pub total_jobs: u32,
    /// Jobs that are done.
    #[prost(uint32, tag = "3")]
    pub completed_jobs: u32,
    /// Parts of the store in the range.
    #[prost(uint32, tag = "4")]
    pub total_blocks: u32,
    /// Bytes of the parts.
    #[prost(uint64, tag = "5")]
    pub total_block_bytes: u64,
    /// Reads.
    #[prost(uint64, tag = "6")]
    pub backend_reads: u64,
    /// Bytes that were read.
    #[prost(uint64, tag = "7")]
    pub backend_bytes: u64,
    /// Further counts by name.
    #[prost(btree_map = "string, int64", tag = "8")]
    pub additional_metrics: BTreeMap<String, i64>,
}

/// A metrics query over a range as one step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryInstantRequest {
    /// TraceQL.
    #[prost(string, tag = "1")]
    pub query: String,
    /// Nanoseconds since the Unix epoch.
    #[prost(uint64, tag = "2")]
    pub start: u64,
    /// Nanoseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    pub end: u64,
}

/// One value a series.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryInstantResponse {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<InstantSeries>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
    /// Whether all series are there.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    /// What is left out.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// A series of one value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InstantSeries {
    /// Labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<KeyValue>,
    /// The value.
    #[prost(double, tag = "2")]
    pub value: f64,
}

/// A metrics query by steps.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRangeRequest {
    /// TraceQL.
    #[prost(string, tag = "1")]
    pub query: String,
    /// Nanoseconds since the Unix epoch.
    #[prost(uint64, tag = "2")]
    pub start: u64,
    /// Nanoseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    pub end: u64,
    /// Nanoseconds, 0 for one that suits the range.
    #[prost(uint64, tag = "4")]
    pub step: u64,
    /// Exemplars at most, 0 for the default.
    #[prost(uint32, tag = "16")]
    pub exemplars: u32,
    /// Series at most, 0 for the default.
    #[prost(uint32, tag = "17")]
    pub max_series: u32,
    /// The whole range as one step.
    #[prost(bool, optional, tag = "18")]
    pub instant: Option<bool>,
}

/// Series by steps.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRangeResponse {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<TimeSeries>,
    /// What it cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
    /// Whether all series are there.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    /// What is left out.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// A series.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeSeries {
    /// Labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<KeyValue>,
    /// Values by time.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Spans that stand for many.
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<Exemplar>,
}

/// A value.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "2")]
    pub timestamp_ms: i64,
    /// The value.
    #[prost(double, tag = "1")]
    pub value: f64,
}

/// A span that stands for many.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Exemplar {
    /// `trace:id`, `span:id` and the labels of the series.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<KeyValue>,
    /// Its value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "3")]
    pub timestamp_ms: i64,
}
