//! Groups that an HTTP server lists as JSON, asked again and again.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use signalbox_model::{Clock, Error, Result};

use super::{HttpConfig, TargetGroup, Updates, file};
use crate::client::HttpClient;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 256 << 20;
const URL: &str = "__meta_url";

/// Asks one server.
#[derive(Debug)]
pub(super) struct Finder {
    client: HttpClient,
    url: Url,
    /// The address as configured: the label and the source.
    written: String,
    interval: Duration,
}

impl Finder {
    pub(super) fn new(config: &HttpConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let url = Url::parse(&config.url).map_err(|error| Error::invalid("cannot use http_sd_configs.url").with_source(error))?;
        let interval = config.refresh_interval.max(Duration::from_millis(1));
        Ok(Self { client: HttpClient::new(&config.http, clock)?, url, written: config.url.clone(), interval })
    }

    /// Asks until nobody wants to know.
    pub(super) async fn run(self, updates: Updates) {
        loop {
            match self.ask().await {
                Ok(groups) => {
                    if !updates.replace(groups).await {
                        return;
                    }
                }
                Err(error) => tracing::error!(host = self.url.host_str(), "targets stay as they were: {error}"),
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn ask(&self) -> Result<Vec<TargetGroup>> {
        let cannot = |why: &dyn std::fmt::Display| Error::unavailable(format!("cannot discover from {}: {why}", self.url.host_str().unwrap_or_default()));
        let request = self.client.get(self.url.clone()).await?.timeout(self.interval);
        let request = request.header(ACCEPT, "application/json").header("X-Prometheus-Refresh-Interval-Seconds", self.interval.as_secs_f64().to_string());
        let mut answer = request.send().await.map_err(|error| cannot(&error.without_url()))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(cannot(&format!("server returned HTTP status {}", answer.status())));
        }
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        if !is_json(&content_type) {
            return Err(cannot(&format!("unsupported content type {content_type:?}")));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| cannot(&error.without_url()))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(cannot(&format!("found more than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        let groups = file::parse_json(&body).map_err(|problem| cannot(&problem))?;
        Ok(file::with_source(&groups, &self.written, URL))
    }
}

/// `application/json`, in UTF-8 if it says.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase().replace('"', ""));
    parts.next().as_deref() == Some("application/json") && parts.all(|part| part == "charset=utf-8")
}
