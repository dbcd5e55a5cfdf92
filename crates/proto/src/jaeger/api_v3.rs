//! `jaeger.api_v3.QueryService`. What is not here is as in [`super::api_v2`]; traces are OTLP.

use std::collections::HashMap;

pub use super::api_v2::{GetDependenciesRequest, GetOperationsRequest, GetServicesRequest, GetServicesResponse, Operation};
use super::expression::Call;
use crate::google_rpc::{Duration, Timestamp};

/// Asks for a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTraceRequest {
    /// Hexadecimal digits.
    #[prost(string, tag = "1")]
    pub trace_id: String,
    /// The trace is not older, as a hint.
    #[prost(message, optional, tag = "2")]
    pub start_time: Option<Timestamp>,
    /// The trace is not newer, as a hint.
    #[prost(message, optional, tag = "3")]
    pub end_time: Option<Timestamp>,
    /// Whether nothing of it is to be adjusted.
    #[prost(bool, tag = "4")]
    pub raw_traces: bool,
}

/// Which traces.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceQueryParameters {
    /// Name of the service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// Name of the span.
    #[prost(string, tag = "2")]
    pub operation_name: String,
    /// Attributes of the span, by their text.
    #[prost(map = "string, string", tag = "3")]
    pub attributes: HashMap<String, String>,
    /// Earliest start of the span.
    #[prost(message, optional, tag = "4")]
    pub start_time_min: Option<Timestamp>,
    /// Latest start of the span.
    #[prost(message, optional, tag = "5")]
    pub start_time_max: Option<Timestamp>,
    /// How long the span takes at least.
    #[prost(message, optional, tag = "6")]
    pub duration_min: Option<Duration>,
    /// How long the span takes at most; zero is no bound.
    #[prost(message, optional, tag = "7")]
    pub duration_max: Option<Duration>,
    /// How many traces at most.
    #[prost(int32, tag = "8")]
    pub search_depth: i32,
    /// Whether nothing of them is to be adjusted.
    #[prost(bool, tag = "9")]
    pub raw_traces: bool,
    /// A filter instead of service, operation, attributes and durations.
    #[prost(message, optional, tag = "10")]
    pub filter: Option<Call>,
}

/// Asks for traces.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FindTracesRequest {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub query: Option<TraceQueryParameters>,
}

/// Operations.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetOperationsResponse {
    /// The operations.
    #[prost(message, repeated, tag = "1")]
    pub operations: Vec<Operation>,
}

/// Calls between services.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DependenciesResponse {
    /// The calls.
    #[prost(message, repeated, tag = "1")]
    pub dependencies: Vec<Dependency>,
}

/// Calls of one service by another.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dependency {
    /// Service of the callers.
    #[prost(string, tag = "1")]
    pub parent: String,
    /// Service that is called.
    #[prost(string, tag = "2")]
    pub child: String,
    /// How often.
    #[prost(uint64, tag = "3")]
    pub call_count: u64,
}

/// Spans of one service in a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ServiceSummary {
    /// The service.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its spans.
    #[prost(int32, tag = "2")]
    pub span_count: i32,
    /// Those of them with an error.
    #[prost(int32, tag = "3")]
    pub error_span_count: i32,
}

/// A trace in short.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceSummary {
    /// Hexadecimal digits.
    #[prost(string, tag = "1")]
    pub trace_id: String,
    /// Service of the root.
    #[prost(string, tag = "2")]
    pub root_service_name: String,
    /// Name of the root.
    #[prost(string, tag = "3")]
    pub root_operation_name: String,
    /// First start, nanoseconds since the Unix epoch.
    #[prost(fixed64, tag = "4")]
    pub min_start_time_unix_nano: u64,
    /// Last end, nanoseconds since the Unix epoch.
    #[prost(fixed64, tag = "5")]
    pub max_end_time_unix_nano: u64,
    /// Its spans.
    #[prost(int32, tag = "6")]
    pub span_count: i32,
    /// Those with an error.
    #[prost(int32, tag = "7")]
    pub error_span_count: i32,
    /// Those whose parent is not there.
    #[prost(int32, tag = "8")]
    pub orphan_span_count: i32,
    /// By service.
    #[prost(message, repeated, tag = "9")]
    pub services: Vec<ServiceSummary>,
}

/// Asks for traces in short.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FindTraceSummariesRequest {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub query: Option<TraceQueryParameters>,
}

/// Traces in short.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FindTraceSummariesResponse {
    /// The traces.
    #[prost(message, repeated, tag = "1")]
    pub summaries: Vec<TraceSummary>,
}
