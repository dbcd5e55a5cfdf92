//! OTLP's yes and no: partial success, `google.rpc.Status`, `RetryInfo`.

use prost::Message as _;
use serde_json::{Value, json};
use signalbox_model::{ErrorKind, Signal};
use signalbox_proto::google_rpc::{Any, Duration, RetryInfo, Status};
use signalbox_proto::otlp::collector::{logs::v1 as logs, metrics::v1 as metrics, trace::v1 as trace};

use crate::http::{Outcome, Refusal};

/// gRPC status codes that OTLP uses.
pub(crate) mod code {
    pub(crate) const OK: i32 = 0;
    pub(crate) const INVALID_ARGUMENT: i32 = 3;
    pub(crate) const NOT_FOUND: i32 = 5;
    pub(crate) const PERMISSION_DENIED: i32 = 7;
    pub(crate) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(crate) const UNIMPLEMENTED: i32 = 12;
    pub(crate) const UNAVAILABLE: i32 = 14;
}

/// The gRPC code of an error. `RESOURCE_EXHAUSTED` is retried only beside a `RetryInfo`, which [`status`] adds for a limit
/// of rate and never for a message that is too large. Our own bugs are `UNAVAILABLE`: clients drop data on `INTERNAL`.
pub(crate) fn grpc_code(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Invalid => code::INVALID_ARGUMENT,
        ErrorKind::TooLarge | ErrorKind::Limit => code::RESOURCE_EXHAUSTED,
        ErrorKind::NotFound => code::NOT_FOUND,
        ErrorKind::Denied => code::PERMISSION_DENIED,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Corrupt | ErrorKind::Internal => code::UNAVAILABLE,
    }
}

/// The body of a refusal.
pub(crate) fn status(refusal: &Refusal, code: i32) -> Status {
    let details = refusal.retry_after().map(|delay| {
        let retry_delay = Duration { seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX), nanos: delay.subsec_nanos() as i32 };
        Any { type_url: RetryInfo::TYPE_URL.into(), value: RetryInfo { retry_delay: Some(retry_delay) }.encode_to_vec() }
    });
    Status { code, message: refusal.message().to_owned(), details: details.into_iter().collect() }
}

/// The same in JSON.
pub(crate) fn status_json(refusal: &Refusal, code: i32) -> Value {
    let details = refusal.retry_after().map(|delay| json!({"@type": RetryInfo::TYPE_URL, "retryDelay": format!("{}s", delay.as_secs_f64())}));
    json!({"code": code, "message": refusal.message(), "details": details.into_iter().collect::<Vec<_>>()})
}

/// The answer to a request that was taken: `partial_success` is set only if rows were rejected.
pub(crate) fn response(signal: Signal, outcome: &Outcome) -> Vec<u8> {
    let rejected = i64::try_from(outcome.rejected_rows()).unwrap_or(i64::MAX);
    let error_message = outcome.message();
    let is_partial = !outcome.rejected.is_empty();
    match signal {
        Signal::Logs => {
            let partial = logs::ExportLogsPartialSuccess { rejected_log_records: rejected, error_message };
            logs::ExportLogsServiceResponse { partial_success: is_partial.then_some(partial) }.encode_to_vec()
        }
        Signal::Traces => {
            let partial = trace::ExportTracePartialSuccess { rejected_spans: rejected, error_message };
            trace::ExportTraceServiceResponse { partial_success: is_partial.then_some(partial) }.encode_to_vec()
        }
        Signal::Metrics => {
            let partial = metrics::ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message };
            metrics::ExportMetricsServiceResponse { partial_success: is_partial.then_some(partial) }.encode_to_vec()
        }
    }
}

/// The same in JSON; 64-bit integers are strings there.
pub(crate) fn response_json(signal: Signal, outcome: &Outcome) -> Value {
    if outcome.rejected.is_empty() {
        return json!({});
    }
    let key = match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
    };
    json!({"partialSuccess": {key: outcome.rejected_rows().to_string(), "errorMessage": outcome.message()}})
}
