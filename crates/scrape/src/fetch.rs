//! Asks a target for its page.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use signalbox_ingest::{Budget, Share};
use signalbox_model::{Error, Result};

use crate::client::HttpClient;
use crate::config::{ScrapeConfig, ScrapeProtocol};

/// What a target is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where the page is.
    pub url: String,
    /// Formats that are wanted, best first.
    pub accept: String,
    /// Whether the page may be compressed.
    pub is_compressed: bool,
    /// How long it may take.
    pub timeout: Duration,
    /// Bytes that the page may have, without compression.
    pub bytes_max: u64,
}

/// A page, and the memory it was given.
#[derive(Debug)]
pub struct Fetched {
    /// What the target says the page is.
    pub content_type: Option<String>,
    /// The page, without compression.
    pub body: Vec<u8>,
    /// Given back when the page is dropped.
    pub share: Share,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is larger than it may be.
    #[error("body size limit exceeded")]
    TooLarge,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

/// Brings pages. The twin in tests has them from the test.
#[async_trait]
pub trait Fetch: Send + Sync + fmt::Debug {
    /// Brings one page. Does not look at the timeout: the caller does.
    async fn fetch(&self, request: &Request) -> Result<Fetched, FetchError>;
}

/// Brings pages over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    client: HttpClient,
    budget: Budget,
}

impl HttpFetch {
    /// Over a client; pages that are under way share a budget.
    pub fn new(client: HttpClient, budget: Budget) -> Self {
        Self { client, budget }
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(&self, request: &Request) -> Result<Fetched, FetchError> {
        let url = reqwest::Url::parse(&request.url).map_err(|error| Error::invalid(format!("cannot scrape {:?}: {error}", request.url)))?;
        let builder = self.client.get(url).await?;
        let encoding = if request.is_compressed { "gzip" } else { "identity" };
        let sent = builder
            .header(ACCEPT, &request.accept)
            .header(ACCEPT_ENCODING, encoding)
            .header("X-Prometheus-Scrape-Timeout-Seconds", request.timeout.as_secs_f64().to_string())
            .send();
        let mut response = sent.await.map_err(|error| cannot_get(&request.url, &error))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(Error::unavailable(format!("server returned HTTP status {status}")).into());
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, is_gzip) = (header(CONTENT_TYPE), header(CONTENT_ENCODING).as_deref() == Some("gzip"));
        let mut body = Body { bytes: Vec::new(), bytes_max: request.bytes_max, share: self.budget.share() };
        if is_gzip {
            let mut plain = flate2::write::GzDecoder::new(body);
            while let Some(chunk) = response.chunk().await.map_err(|error| cannot_get(&request.url, &error))? {
                plain.write_all(&chunk).map_err(refused)?;
            }
            body = plain.finish().map_err(refused)?;
        } else {
            while let Some(chunk) = response.chunk().await.map_err(|error| cannot_get(&request.url, &error))? {
                body.write_all(&chunk).map_err(refused)?;
            }
        }
        Ok(Fetched { content_type, body: body.bytes, share: body.share })
    }
}

/// The innermost cause says what it was; the others only that it failed.
pub(crate) fn cannot_get(url: &str, error: &reqwest::Error) -> Error {
    let (mut cause, mut source): (String, Option<&dyn std::error::Error>) = (error.to_string(), std::error::Error::source(error));
    while let Some(inner) = source {
        cause = inner.to_string();
        source = inner.source();
    }
    Error::unavailable(format!("cannot get {url}: {cause}"))
}

/// A page that is coming.
struct Body {
    bytes: Vec<u8>,
    bytes_max: u64,
    share: Share,
}

impl std::io::Write for Body {
    fn write(&mut self, chunk: &[u8]) -> std::io::Result<usize> {
        // Prometheus refuses a page that has just as many bytes as it may.
        if (self.bytes.len() + chunk.len()) as u64 >= self.bytes_max {
            return Err(std::io::Error::other(FetchError::TooLarge));
        }
        self.share.grow(chunk.len()).map_err(std::io::Error::other)?;
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn refused(error: std::io::Error) -> FetchError {
    match error.downcast::<FetchError>() {
        Ok(error) => error,
        Err(error) => match error.downcast::<Error>() {
            Ok(error) => error.into(),
            Err(error) => Error::invalid(format!("cannot read page: {error}")).into(),
        },
    }
}

/// The header `Accept` of a job: its formats with falling weights, and anything else at last.
pub fn accept(job: &ScrapeConfig) -> String {
    let protocols = job.protocols();
    let mut weight = ScrapeProtocol::PROTO_FIRST.len() + 1;
    let mut accept = String::new();
    for protocol in protocols {
        accept.push_str(protocol.media_type());
        if matches!(protocol, ScrapeProtocol::PrometheusText1_0_0 | ScrapeProtocol::OpenMetricsText1_0_0) {
            accept.push_str(";escaping=");
            accept.push_str(job.escaping().name());
        }
        accept.push_str(&format!(";q=0.{weight},"));
        weight -= 1;
    }
    accept + &format!("*/*;q=0.{weight}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_formats_in_the_words_of_prometheus() {
        let mut job = ScrapeConfig::default();
        assert_eq!(
            accept(&job),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
        job.scrape_protocols = Some(vec![ScrapeProtocol::PrometheusProto]);
        assert_eq!(accept(&job), "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,*/*;q=0.5");
    }

    #[test]
    fn a_page_is_bounded_while_it_comes() {
        let budget = Budget::new(100);
        let body = |bytes_max| Body { bytes: Vec::new(), bytes_max, share: budget.share() };
        assert!(matches!(body(10).write_all(&[0; 10]).map_err(refused), Err(FetchError::TooLarge)));
        assert!(body(11).write_all(&[0; 10]).is_ok());
        assert!(matches!(body(1000).write_all(&[0; 101]).map_err(refused), Err(FetchError::Other(_))));
        let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        compressed.write_all(&[0; 1 << 20]).unwrap();
        let mut plain = flate2::write::GzDecoder::new(body(64));
        assert!(matches!(plain.write_all(&compressed.finish().unwrap()).map_err(refused), Err(FetchError::TooLarge)));
        assert_eq!(budget.taken(), 0);
    }
}
