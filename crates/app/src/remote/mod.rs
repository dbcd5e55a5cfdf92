//! Commands that ask a running server over its API.

pub(crate) mod explain;
pub(crate) mod rules;

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use signalbox_model::{Error, ErrorKind, Result};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer that is no JSON which an error shows.
const SHOWN_BYTES_MAX: usize = 500;

/// Where the server is.
#[derive(Debug, Clone, Args)]
pub(crate) struct At {
    /// The server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4400")]
    url: String,
    /// A header of every request, such as `Authorization: Bearer …` for a proxy before the server.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

/// A server.
#[derive(Debug)]
pub(crate) struct Remote {
    url: String,
    headers: Vec<(String, String)>,
    client: reqwest::Client,
}

impl Remote {
    /// The server at a place.
    ///
    /// # Errors
    /// `Invalid` if a header is none.
    pub(crate) fn new(at: &At) -> Result<Self> {
        let header = |text: &String| match text.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(Error::invalid(format!("cannot use --header: found {text:?}: want NAME: VALUE"))),
        };
        let headers = at.headers.iter().map(header).collect::<Result<_>>()?;
        let client = reqwest::Client::builder().timeout(TIMEOUT).build();
        let client = client.map_err(|error| Error::internal("cannot make an HTTP client").with_source(error))?;
        Ok(Self { url: at.url.trim_end_matches('/').to_owned(), headers, client })
    }

    /// The `data` of an answer of our own API.
    ///
    /// # Errors
    /// With what the server says.
    pub(crate) async fn data(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let mut body = self.get(path, query).await?;
        let mut answer: Value = serde_json::from_str(&body).map_err(|_| {
            body.truncate(body.floor_char_boundary(SHOWN_BYTES_MAX));
            Error::unavailable(format!("cannot read the answer of {}{path}: found {body:?}: want JSON", self.url))
        })?;
        Ok(answer["data"].take())
    }

    /// The body of an answer.
    ///
    /// # Errors
    /// With what the server says.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<String> {
        self.send(self.client.get(format!("{}{path}", self.url)).query(query), path).await
    }

    /// Posts YAML.
    ///
    /// # Errors
    /// With what the server says.
    pub(crate) async fn post(&self, path: &str, yaml: &str) -> Result<()> {
        let request = self.client.post(format!("{}{path}", self.url)).header("content-type", "application/yaml").body(yaml.to_owned());
        self.send(request, path).await.map(|_| ())
    }

    /// Deletes what is at a path.
    ///
    /// # Errors
    /// With what the server says.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.send(self.client.delete(format!("{}{path}", self.url)), path).await.map(|_| ())
    }

    async fn send(&self, mut request: reqwest::RequestBuilder, path: &str) -> Result<String> {
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let unreachable = |error: reqwest::Error| Error::unavailable(format!("cannot ask {}{path}", self.url)).with_source(error.without_url());
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body);
        }
        let kind = match status.as_u16() {
            404 => ErrorKind::NotFound,
            400..=499 => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        Err(Error::new(kind, format!("{}{path} answers {status}: {}", self.url, reason(&body))))
    }
}

/// What an error says, in the envelope of our own API or without one.
fn reason(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let said = parsed.as_ref().and_then(|answer| answer["error"].as_str().or(answer["message"].as_str()));
    let text = said.unwrap_or(body).trim();
    text[..text.floor_char_boundary(SHOWN_BYTES_MAX.min(text.len()))].to_owned()
}
