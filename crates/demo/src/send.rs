//! Sends OTLP over HTTP, and tries again by its rules: after the answers that invite to, later each time, and when told.

use std::time::Duration;

use prost::Message;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use signalbox_model::{Error, ErrorKind, Result};
use signalbox_proto::google_rpc::Status;
use signalbox_proto::otlp::collector::logs::v1::ExportLogsServiceResponse;
use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceResponse;
use signalbox_proto::otlp::collector::trace::v1::ExportTraceServiceResponse;

use crate::dice::Dice;
use crate::shop::Export;

const PROTOBUF: &str = "application/x-protobuf";
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A request that is not answered after this long is sent again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What was sent and acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Requests that were taken.
    pub requests: u64,
    /// Spans and log records in them.
    pub rows: u64,
    /// Rows and points that the server refused.
    pub rejected: u64,
    /// Bytes of the requests.
    pub bytes: u64,
}

/// A connection to an OTLP/HTTP endpoint.
#[derive(Debug)]
pub struct Sender {
    client: reqwest::Client,
    endpoint: String,
    dice: Dice,
    pub(crate) sent: Sent,
}

impl Sender {
    /// A sender to an endpoint such as `http://127.0.0.1:4318`, without the path of a signal.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if no client can be made; one needs a TLS provider that the process has installed.
    pub fn new(endpoint: &str, seed: u64) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build();
        let client = client.map_err(|source| Error::invalid("cannot make an HTTP client").with_source(source))?;
        Ok(Self { client, endpoint: endpoint.trim_end_matches('/').to_owned(), dice: Dice::new(seed, &[9]), sent: Sent::default() })
    }

    /// Sends an export, and tries again for as long as `patience`.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the patience is over, [`ErrorKind::Invalid`] when the server refuses for good.
    pub async fn send(&mut self, export: &Export, seed: u64, patience: Duration) -> Result<()> {
        let (traces, logs) = (export.traces(seed), export.logs(seed));
        if !traces.resource_spans.is_empty() {
            let answer = self.post("/v1/traces", traces.encode_to_vec(), patience).await?;
            let partial = decode::<ExportTraceServiceResponse>(&answer)?.partial_success;
            self.note("spans", partial.map(|partial| (partial.rejected_spans, partial.error_message)));
        }
        if !logs.resource_logs.is_empty() {
            let answer = self.post("/v1/logs", logs.encode_to_vec(), patience).await?;
            let partial = decode::<ExportLogsServiceResponse>(&answer)?.partial_success;
            self.note("log records", partial.map(|partial| (partial.rejected_log_records, partial.error_message)));
        }
        for metrics in &export.metrics {
            let answer = self.post("/v1/metrics", metrics.encode_to_vec(), patience).await?;
            let partial = decode::<ExportMetricsServiceResponse>(&answer)?.partial_success;
            self.note("data points", partial.map(|partial| (partial.rejected_data_points, partial.error_message)));
        }
        self.sent.rows += export.rows() as u64;
        Ok(())
    }

    /// Rows that were refused are not sent again: that is what partial success means.
    fn note(&mut self, what: &str, partial: Option<(i64, String)>) {
        let Some((rejected, message)) = partial else { return };
        self.sent.rejected += u64::try_from(rejected).unwrap_or(0);
        tracing::warn!(rejected, "the server refused {rejected} {what}: {message}");
    }

    async fn post(&mut self, path: &str, body: Vec<u8>, patience: Duration) -> Result<Vec<u8>> {
        let url = format!("{}{path}", self.endpoint);
        let mut pause = FIRST_PAUSE;
        let mut waited = Duration::ZERO;
        loop {
            let error = match self.attempt(&url, body.clone()).await {
                Ok(answer) => {
                    self.sent.requests += 1;
                    self.sent.bytes += body.len() as u64;
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if error.kind() != ErrorKind::Unavailable || waited >= patience {
                return Err(error);
            }
            // Half of the pause is chance, so that senders that failed together do not come back together.
            let jittered = pause.mul_f64(0.5 + 0.5 * self.dice.unit());
            let delay = error.retry_after().unwrap_or(jittered);
            tracing::debug!(%url, "{error}: trying again in {} ms", delay.as_millis());
            tokio::time::sleep(delay).await;
            waited += delay.max(Duration::from_millis(1));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One attempt; [`ErrorKind::Unavailable`] if another may succeed.
    async fn attempt(&self, url: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        let unreachable = |source: reqwest::Error| Error::unavailable(format!("cannot send to {url}: no answer")).with_source(source);
        let response = self.client.post(url).header(CONTENT_TYPE, PROTOBUF).body(body).send().await.map_err(unreachable)?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        let answer = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(answer.to_vec());
        }
        let reason = Status::decode(&*answer).map(|status| status.message).unwrap_or_default();
        let message = format!("cannot send to {url}: found status {status}: {reason}");
        let may_retry =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT);
        if !may_retry {
            return Err(Error::invalid(message));
        }
        let error = Error::unavailable(message);
        Err(if let Some(seconds) = retry_after { error.with_retry_after(Duration::from_secs(seconds)) } else { error })
    }
}

fn decode<M: Message + Default>(answer: &[u8]) -> Result<M> {
    M::decode(answer).map_err(|source| Error::invalid("cannot decode the answer of the server: want a response of OTLP").with_source(source))
}
