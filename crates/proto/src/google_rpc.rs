//! `google.rpc.Status`, the detail messages that OTLP uses, and points and lengths of time, transcribed from googleapis.

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// The body of every refusal.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// gRPC status code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For people.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Further messages.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Any {
    /// `type.googleapis.com/` and the name of the message.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// When a retry is sensible.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RetryInfo {
    /// Wait at least this long.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Duration>,
}

impl RetryInfo {
    /// Of [`Any::type_url`].
    pub const TYPE_URL: &'static str = "type.googleapis.com/google.rpc.RetryInfo";
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Duration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest in nanoseconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Timestamp {
    /// Whole seconds since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest in nanoseconds, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub fn from_ns(ns: i64) -> Self {
        // The remainder is below 10^9.
        Self { seconds: ns.div_euclid(NANOS_PER_SECOND), nanos: ns.rem_euclid(NANOS_PER_SECOND) as i32 }
    }

    /// Nanoseconds since the Unix epoch, the nearest that there is.
    pub fn to_ns(self) -> i64 {
        self.seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(i64::from(self.nanos))
    }
}

impl Duration {
    /// From nanoseconds.
    pub fn from_ns(ns: i64) -> Self {
        // Both parts have one sign; the remainder is below 10^9.
        Self { seconds: ns / NANOS_PER_SECOND, nanos: (ns % NANOS_PER_SECOND) as i32 }
    }

    /// Nanoseconds, the nearest that there are.
    pub fn to_ns(self) -> i64 {
        self.seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(i64::from(self.nanos))
    }
}
