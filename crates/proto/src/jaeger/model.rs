//! `jaeger.api_v2`, `model.proto`: spans as Jaeger's collector and its second query service speak of them.

use crate::google_rpc::{Duration, Timestamp};

/// Type of a [`KeyValue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum ValueType {
    /// Text.
    String = 0,
    /// Truth.
    Bool = 1,
    /// Integer.
    Int64 = 2,
    /// Floating point.
    Float64 = 3,
    /// Bytes.
    Binary = 4,
}

/// A tag.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    /// Name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Which of the values counts.
    #[prost(enumeration = "ValueType", tag = "2")]
    pub v_type: i32,
    /// Text.
    #[prost(string, tag = "3")]
    pub v_str: String,
    /// Truth.
    #[prost(bool, tag = "4")]
    pub v_bool: bool,
    /// Integer.
    #[prost(int64, tag = "5")]
    pub v_int64: i64,
    /// Floating point.
    #[prost(double, tag = "6")]
    pub v_float64: f64,
    /// Bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub v_binary: Vec<u8>,
}

/// Something that happened in a span.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Log {
    /// When.
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    /// What.
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<KeyValue>,
}

/// How a span stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum SpanRefType {
    /// The other waits for it.
    ChildOf = 0,
    /// The other does not wait for it.
    FollowsFrom = 1,
}

/// A reference to another span.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SpanRef {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    /// How.
    #[prost(enumeration = "SpanRefType", tag = "3")]
    pub ref_type: i32,
}

/// Who sent.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Process {
    /// Name of the service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// What else is known of it.
    #[prost(message, repeated, tag = "2")]
    pub tags: Vec<KeyValue>,
}

/// One span.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    /// Name.
    #[prost(string, tag = "3")]
    pub operation_name: String,
    /// The parent first.
    #[prost(message, repeated, tag = "4")]
    pub references: Vec<SpanRef>,
    /// 1 sampled, 2 debug.
    #[prost(uint32, tag = "5")]
    pub flags: u32,
    /// Start.
    #[prost(message, optional, tag = "6")]
    pub start_time: Option<Timestamp>,
    /// From start to end.
    #[prost(message, optional, tag = "7")]
    pub duration: Option<Duration>,
    /// Attributes, and what the model has no field for.
    #[prost(message, repeated, tag = "8")]
    pub tags: Vec<KeyValue>,
    /// Events.
    #[prost(message, repeated, tag = "9")]
    pub logs: Vec<Log>,
    /// Who sent.
    #[prost(message, optional, tag = "10")]
    pub process: Option<Process>,
    /// Key of the process in a table beside.
    #[prost(string, tag = "11")]
    pub process_id: String,
    /// What is odd about the span.
    #[prost(string, repeated, tag = "12")]
    pub warnings: Vec<String>,
}

/// Spans of one process.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Batch {
    /// The spans.
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<Span>,
    /// Of those spans that have none of their own.
    #[prost(message, optional, tag = "2")]
    pub process: Option<Process>,
}

/// Calls of one service by another.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DependencyLink {
    /// Service of the callers.
    #[prost(string, tag = "1")]
    pub parent: String,
    /// Service that is called.
    #[prost(string, tag = "2")]
    pub child: String,
    /// How often.
    #[prost(uint64, tag = "3")]
    pub call_count: u64,
    /// Who found it out.
    #[prost(string, tag = "4")]
    pub source: String,
}
