//! OTLP's yes and no: partial success, and refusals in JSON.

use prost::Message as _;
use serde_json::{Value, json};
use signalbox_model::Signal;
use signalbox_proto::google_rpc::RetryInfo;
use signalbox_proto::otlp::collector::{logs::v1 as logs, metrics::v1 as metrics, trace::v1 as trace};

use crate::http::{Outcome, Refusal};

/// The body of a refusal in JSON; in binary it is [`crate::grpc::status`].
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
