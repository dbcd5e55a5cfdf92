//! `jaeger.storage.v2`: what a Jaeger query service asks of a storage. What is not here is as in [`super::api_v2`]; traces are
//! OTLP, and writing is OTLP's `Export`.

pub use super::api_v2::{GetDependenciesRequest, GetOperationsRequest, GetServicesRequest, GetServicesResponse, Operation};
pub use super::api_v3::{GetOperationsResponse, ServiceSummary};
use super::expression::Call;
pub use super::model::DependencyLink as Dependency;
use crate::google_rpc::{Duration, Timestamp};
use crate::otlp::common::v1::KeyValue;

/// Asks for a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTraceParams {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// The trace is not older, as a hint.
    #[prost(message, optional, tag = "2")]
    pub start_time: Option<Timestamp>,
    /// The trace is not newer, as a hint.
    #[prost(message, optional, tag = "3")]
    pub end_time: Option<Timestamp>,
}

/// Asks for traces.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTracesRequest {
    /// Which.
    #[prost(message, repeated, tag = "1")]
    pub query: Vec<GetTraceParams>,
}

/// Which traces. Attributes have the layout of OTLP's.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceQueryParameters {
    /// Name of the service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// Name of the span.
    #[prost(string, tag = "2")]
    pub operation_name: String,
    /// Attributes of the span.
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
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
    /// A filter instead of service, operation, attributes and durations.
    #[prost(message, optional, tag = "9")]
    pub filter: Option<Call>,
}

/// Asks for traces.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FindTracesRequest {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub query: Option<TraceQueryParameters>,
}

/// A trace that was found.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FoundTraceId {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// First start.
    #[prost(message, optional, tag = "2")]
    pub start: Option<Timestamp>,
    /// Last end.
    #[prost(message, optional, tag = "3")]
    pub end: Option<Timestamp>,
}

/// Traces that were found.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FindTraceIdsResponse {
    /// The traces.
    #[prost(message, repeated, tag = "1")]
    pub trace_ids: Vec<FoundTraceId>,
}

/// A trace in short.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceSummary {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
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

/// Traces in short.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FindTraceSummariesResponse {
    /// The traces.
    #[prost(message, repeated, tag = "1")]
    pub summaries: Vec<TraceSummary>,
}

/// Calls between services.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetDependenciesResponse {
    /// The calls.
    #[prost(message, repeated, tag = "1")]
    pub dependencies: Vec<Dependency>,
}

/// Asks what the storage can do.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct GetCapabilitiesRequest {}

/// What the storage can do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetCapabilitiesResponse {
    /// In searches.
    #[prost(message, optional, tag = "1")]
    pub search: Option<SearchCapabilities>,
}

/// What searches can do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SearchCapabilities {
    /// Search all services.
    #[prost(bool, tag = "1")]
    pub without_service_name: bool,
    /// All conditions hold for one span.
    #[prost(bool, tag = "2")]
    pub same_span_conjunction: bool,
    /// Filters; none if they are not understood.
    #[prost(message, optional, tag = "3")]
    pub filter: Option<FilterCapabilities>,
}

/// What filters can do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FilterCapabilities {
    /// Levels of attributes and fields.
    #[prost(string, repeated, tag = "1")]
    pub levels: Vec<String>,
    /// Operators.
    #[prost(string, repeated, tag = "2")]
    pub operators: Vec<String>,
}
