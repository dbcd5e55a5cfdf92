//! A client of HTTP as a configuration describes it: authentication, headers, TLS, proxies, redirects.
//!
//! Secrets in files are read for every request and certificates when their files change, so that both can be exchanged
//! without a restart. Nothing here tries again: who asks knows when the next time is.

mod oauth2;
mod tls;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Url};
use signalbox_model::{Clock, Error, Result};

use crate::config::{HttpClientConfig, PrometheusConfig, ProxyConfig, Secret, TlsConfig};

/// Bytes of a file with a secret or a header.
const SECRET_FILE_BYTES_MAX: u64 = 1 << 20;
/// How long an unused connection is kept: longer than any sensible interval of scraping.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 10;

/// A client of HTTP. Cloning is cheap, clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct HttpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: HttpClientConfig,
    transport: Transport,
    oauth2: Option<oauth2::Tokens>,
}

impl HttpClient {
    /// A client for a configuration that has passed the checks. Opens no connection; reads the files of certificates.
    ///
    /// # Errors
    /// `Invalid` if certificates, proxies or the names of headers cannot be used.
    pub fn new(config: &HttpClientConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let options = Options { follow_redirects: config.follow_redirects, enable_http2: config.enable_http2 };
        let transport = Transport::new(options, &config.tls_config, &config.proxy)?;
        for name in config.http_headers.keys() {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::invalid(format!("cannot send header {name:?}: not the name of a header")))?;
        }
        let oauth2 = config.oauth2.as_ref().map(|section| oauth2::Tokens::new(section, clock)).transpose()?;
        Ok(Self(Arc::new(Inner { config: config.clone(), transport, oauth2 })))
    }

    /// A GET request with all that the configuration adds to it. The caller adds what it accepts and how long it waits.
    ///
    /// # Errors
    /// `Unavailable` if a file cannot be read or a token cannot be had.
    pub async fn get(&self, url: Url) -> Result<RequestBuilder> {
        self.request(Method::GET, url).await
    }

    /// A request with all that the configuration adds to it.
    ///
    /// # Errors
    /// `Unavailable` if a file cannot be read or a token cannot be had.
    pub async fn request(&self, method: Method, url: Url) -> Result<RequestBuilder> {
        let Inner { config, transport, oauth2 } = &*self.0;
        let mut request = transport.client()?.request(method, url).headers(headers(config).await?);
        if let Some(basic) = &config.basic_auth {
            let name = text_or_file(&basic.username, &basic.username_file).await?;
            let password = secret_or_file(&basic.password, &basic.password_file).await?;
            request = request.basic_auth(name, (!password.is_empty()).then(|| password.reveal().to_owned()));
        }
        if let Some(authorization) = &config.authorization {
            let credentials = secret_or_file(&authorization.credentials, &authorization.credentials_file).await?;
            request = request.header(AUTHORIZATION, sensitive(&format!("{} {}", authorization.kind, credentials.reveal()))?);
        }
        if let Some(tokens) = oauth2 {
            request = request.header(AUTHORIZATION, sensitive(&tokens.header().await?)?);
        }
        Ok(request)
    }
}

/// Makes every client of a configuration once, to find certificates that cannot be read and headers that cannot be sent.
///
/// # Errors
/// `Invalid` with the path of the first client that cannot be made.
pub fn check(config: &PrometheusConfig, clock: &Arc<dyn Clock>) -> Result<()> {
    let make = |path: String, http: &HttpClientConfig| match HttpClient::new(http, clock.clone()) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(error.kind(), format!("{path}: {error}"))),
    };
    for (index, job) in config.scrape_configs.iter().enumerate() {
        make(format!("scrape_configs[{index}]"), &job.http)?;
        for (position, section) in job.discovery.https.iter().enumerate() {
            make(format!("scrape_configs[{index}].http_sd_configs[{position}]"), &section.http)?;
        }
    }
    crate::alertmanagers::check(config, clock)
}

async fn headers(config: &HttpClientConfig) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, header) in &config.http_headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::invalid(format!("cannot send header {name:?}")))?;
        for value in &header.values {
            headers.append(name.clone(), sensitive(value)?);
        }
        for value in &header.secrets {
            headers.append(name.clone(), sensitive(value.reveal())?);
        }
        for file in &header.files {
            headers.append(name.clone(), sensitive(&read_secret(file).await?)?);
        }
    }
    Ok(headers)
}

/// A value of a header that nobody logs.
fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Error::invalid("cannot send a header: its value holds characters that no header may hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn text_or_file(text: &str, file: &str) -> Result<String> {
    if file.is_empty() { Ok(text.to_owned()) } else { read_secret(file).await }
}

async fn secret_or_file(secret: &Secret, file: &str) -> Result<Secret> {
    if file.is_empty() { Ok(secret.clone()) } else { read_secret(file).await.map(Secret::new) }
}

/// The text of a file without the space around it.
async fn read_secret(file: &str) -> Result<String> {
    let cannot = |why: &dyn std::fmt::Display| Error::unavailable(format!("cannot read {file}: {why}"));
    let bytes = tokio::fs::metadata(file).await.map_err(|error| cannot(&error))?.len();
    if bytes > SECRET_FILE_BYTES_MAX {
        return Err(cannot(&format!("found {bytes} bytes: want at most {SECRET_FILE_BYTES_MAX}")));
    }
    let text = tokio::fs::read_to_string(file).await.map_err(|error| cannot(&error))?;
    Ok(text.trim().to_owned())
}

#[derive(Debug, Clone, Copy)]
struct Options {
    follow_redirects: bool,
    enable_http2: bool,
}

/// Connections, made anew when the files of certificates change.
#[derive(Debug)]
struct Transport {
    options: Options,
    tls: TlsConfig,
    proxy: ProxyConfig,
    current: Mutex<(Vec<Stamp>, reqwest::Client)>,
}

/// What tells that a file has changed: its time and its size.
type Stamp = Option<(SystemTime, u64)>;

impl Transport {
    fn new(options: Options, tls: &TlsConfig, proxy: &ProxyConfig) -> Result<Self> {
        let current = Mutex::new((stamps(tls), build(options, tls, proxy)?));
        Ok(Self { options, tls: tls.clone(), proxy: proxy.clone(), current })
    }

    fn client(&self) -> Result<reqwest::Client> {
        let mut current = self.current.lock();
        let stamps = stamps(&self.tls);
        if current.0 != stamps {
            *current = (stamps, build(self.options, &self.tls, &self.proxy)?);
        }
        Ok(current.1.clone())
    }
}

fn stamps(tls: &TlsConfig) -> Vec<Stamp> {
    let files = [&tls.ca_file, &tls.cert_file, &tls.key_file].into_iter().filter(|file| !file.is_empty());
    files.map(|file| Path::new(file).metadata().ok().and_then(|known| Some((known.modified().ok()?, known.len())))).collect()
}

fn build(options: Options, tls: &TlsConfig, proxy: &ProxyConfig) -> Result<reqwest::Client> {
    let redirects = if options.follow_redirects { reqwest::redirect::Policy::limited(REDIRECTS_MAX) } else { reqwest::redirect::Policy::none() };
    let mut builder = reqwest::Client::builder()
        .redirect(redirects)
        .pool_idle_timeout(IDLE_MAX)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("Signalbox/", env!("CARGO_PKG_VERSION")));
    if !options.enable_http2 {
        builder = builder.http1_only();
    }
    builder = tls::apply(builder, tls, options.enable_http2)?;
    // Without this, the variables of the environment are used.
    if !proxy.proxy_from_environment {
        builder = builder.no_proxy();
    }
    if !proxy.proxy_url.is_empty() {
        builder = builder.proxy(proxy_of(proxy)?);
    }
    builder.build().map_err(|error| Error::invalid("cannot make a client of HTTP").with_source(error))
}

fn proxy_of(config: &ProxyConfig) -> Result<reqwest::Proxy> {
    let url = &config.proxy_url;
    let proxy = reqwest::Proxy::all(url.reveal()).map_err(|error| Error::invalid(format!("cannot use proxy_url {}", url.shown())).with_source(error))?;
    let mut headers = HeaderMap::new();
    for (name, values) in &config.proxy_connect_header {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::invalid(format!("cannot send header {name:?}: not the name of a header")))?;
        for value in values {
            headers.append(name.clone(), sensitive(value.reveal())?);
        }
    }
    Ok(proxy.headers(headers).no_proxy(reqwest::NoProxy::from_string(&config.no_proxy)))
}

#[cfg(test)]
mod tests;
