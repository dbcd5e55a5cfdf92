//! `jaeger.api_v2.QueryService`.

use std::collections::HashMap;

use super::model::{DependencyLink, Span};
use crate::google_rpc::{Duration, Timestamp};

/// Asks for a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTraceRequest {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
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

/// Some spans of an answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SpansResponseChunk {
    /// The spans.
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<Span>,
}

/// Asks to keep a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ArchiveTraceRequest {
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

/// The trace is kept.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ArchiveTraceResponse {}

/// Which traces.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceQueryParameters {
    /// Name of the service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// Name of the span.
    #[prost(string, tag = "2")]
    pub operation_name: String,
    /// Tags of the span, by their text.
    #[prost(map = "string, string", tag = "3")]
    pub tags: HashMap<String, String>,
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
}

/// Asks for traces.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FindTracesRequest {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub query: Option<TraceQueryParameters>,
}

/// Asks for services.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct GetServicesRequest {}

/// Services.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetServicesResponse {
    /// Their names.
    #[prost(string, repeated, tag = "1")]
    pub services: Vec<String>,
}

/// Asks for operations of a service.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetOperationsRequest {
    /// Which.
    #[prost(string, tag = "1")]
    pub service: String,
    /// Kind of the spans; empty for all.
    #[prost(string, tag = "2")]
    pub span_kind: String,
}

/// Name and kind of spans.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Operation {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// `server`, `client`, …; empty where unspecified.
    #[prost(string, tag = "2")]
    pub span_kind: String,
}

/// Operations.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetOperationsResponse {
    /// Their names, for old clients.
    #[prost(string, repeated, tag = "1")]
    pub operation_names: Vec<String>,
    /// The operations.
    #[prost(message, repeated, tag = "2")]
    pub operations: Vec<Operation>,
}

/// Asks for calls between services.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct GetDependenciesRequest {
    /// Spans start not before.
    #[prost(message, optional, tag = "1")]
    pub start_time: Option<Timestamp>,
    /// Spans start not after.
    #[prost(message, optional, tag = "2")]
    pub end_time: Option<Timestamp>,
}

/// Calls between services.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetDependenciesResponse {
    /// The calls.
    #[prost(message, repeated, tag = "1")]
    pub dependencies: Vec<DependencyLink>,
}
