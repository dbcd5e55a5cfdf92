//! `http_config` and `tls_config`: how Alertmanager's channels reach a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_norway::Value;

use crate::http::{Authorization, Options};
use crate::settings::{Secret, SecretSource, TlsSettings};

/// How the certificate of a server is checked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsConfig {
    ca: Option<Value>,
    ca_file: Option<PathBuf>,
    cert: Option<Value>,
    cert_file: Option<Value>,
    key: Option<Value>,
    key_file: Option<Value>,
    server_name: Option<Value>,
    min_version: Option<Value>,
    max_version: Option<Value>,
    insecure_skip_verify: bool,
}

impl TlsConfig {
    pub(super) fn settings(self, folder: &Path) -> Result<TlsSettings, String> {
        for (key, is_given) in [
            ("ca", self.ca.is_some()),
            ("cert", self.cert.is_some() || self.cert_file.is_some()),
            ("key", self.key.is_some() || self.key_file.is_some()),
            ("server_name", self.server_name.is_some()),
            ("min_version", self.min_version.is_some()),
            ("max_version", self.max_version.is_some()),
        ] {
            if is_given {
                return Err(format!("tls_config: {key} is not supported"));
            }
        }
        Ok(TlsSettings { ca_file: self.ca_file.map(|file| folder.join(file)), insecure_skip_verify: self.insecure_skip_verify })
    }
}

/// How a server is asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpConfig {
    basic_auth: Option<BasicConfig>,
    authorization: Option<AuthorizationConfig>,
    bearer_token: Option<Secret>,
    bearer_token_file: Option<PathBuf>,
    oauth2: Option<Value>,
    proxy_url: Option<Secret>,
    no_proxy: Option<String>,
    proxy_from_environment: Option<bool>,
    proxy_connect_header: Option<Value>,
    tls_config: Option<TlsConfig>,
    // Redirects are never followed: they could carry the credentials elsewhere.
    #[allow(dead_code, reason = "taken, without effect")]
    follow_redirects: Option<bool>,
    #[allow(dead_code, reason = "taken, without effect")]
    enable_http2: Option<bool>,
    http_headers: Option<BTreeMap<String, HeaderConfig>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BasicConfig {
    username: Option<Secret>,
    username_file: Option<PathBuf>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AuthorizationConfig {
    #[serde(rename = "type")]
    kind: Option<String>,
    credentials: Option<Secret>,
    credentials_file: Option<PathBuf>,
}

/// Values of one header.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HeaderConfig {
    values: Vec<Secret>,
    secrets: Vec<Secret>,
    files: Vec<PathBuf>,
}

/// A secret of two keys; a file is read when it is needed.
fn source(name: &str, text: Option<Secret>, file: Option<PathBuf>, folder: &Path) -> Result<Option<SecretSource>, String> {
    match (text, file) {
        (Some(_), Some(_)) => Err(format!("at most one of {name} & {name}_file must be configured")),
        (Some(text), None) => Ok(Some(SecretSource::Text(text))),
        (None, Some(file)) => Ok(Some(SecretSource::File(folder.join(file)))),
        (None, None) => Ok(None),
    }
}

impl HttpConfig {
    pub(super) fn has_authorization(&self) -> bool {
        self.authorization.is_some()
    }

    /// Says who asks, by a token.
    pub(super) fn set_token(&mut self, token: SecretSource) {
        let (credentials, credentials_file) = match token {
            SecretSource::Text(text) => (Some(text), None),
            SecretSource::File(file) => (None, Some(file)),
        };
        self.authorization = Some(AuthorizationConfig { kind: None, credentials, credentials_file });
    }

    /// How the client of a channel reaches its server.
    pub(super) fn options(self, folder: &Path) -> Result<Options, String> {
        for (key, is_given) in [
            ("oauth2", self.oauth2.is_some()),
            ("proxy_from_environment", self.proxy_from_environment == Some(true)),
            ("proxy_connect_header", self.proxy_connect_header.is_some()),
        ] {
            if is_given {
                return Err(format!("http_config: {key} is not supported"));
            }
        }
        if self.no_proxy.is_some() && self.proxy_url.is_none() {
            return Err("if no_proxy is configured, proxy_url must also be configured".to_owned());
        }
        let mut headers = Vec::new();
        for (name, header) in self.http_headers.clone().unwrap_or_default() {
            if !header.files.is_empty() {
                return Err(format!("http_config: http_headers.{name}.files is not supported"));
            }
            headers.extend(header.values.into_iter().chain(header.secrets).map(|value| (name.clone(), value)));
        }
        let authorization = authorization(self.basic_auth, self.authorization, (self.bearer_token, self.bearer_token_file), folder)?;
        let tls = self.tls_config.unwrap_or_default().settings(folder)?;
        Ok(Options { headers, authorization, tls, proxy_url: self.proxy_url, no_proxy: self.no_proxy, ..Options::default() })
    }
}

fn authorization(
    basic: Option<BasicConfig>,
    given: Option<AuthorizationConfig>,
    (bearer, bearer_file): (Option<Secret>, Option<PathBuf>),
    folder: &Path,
) -> Result<Authorization, String> {
    let bearer = source("bearer_token", bearer, bearer_file, folder)?;
    if [basic.is_some(), given.is_some(), bearer.is_some()].into_iter().filter(|is_given| *is_given).count() > 1 {
        return Err("at most one of basic_auth, oauth2, bearer_token & authorization must be configured".to_owned());
    }
    if let Some(basic) = basic {
        let username = source("basic_auth username", basic.username, basic.username_file, folder)?;
        let password = source("basic_auth password", basic.password, basic.password_file, folder)?;
        return Ok(Authorization::Basic { username: username.unwrap_or_else(|| SecretSource::Text(Secret::new(""))), password });
    }
    let bearer_scheme = || "Bearer".to_owned();
    if let Some(given) = given {
        let scheme = given.kind.map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()).unwrap_or_else(bearer_scheme);
        if scheme.eq_ignore_ascii_case("basic") {
            return Err("authorization type cannot be set to \"basic\", use \"basic_auth\" instead".to_owned());
        }
        let token = source("authorization credentials", given.credentials, given.credentials_file, folder)?;
        return Ok(token.map_or(Authorization::None, |token| Authorization::Token { scheme, token }));
    }
    Ok(bearer.map_or(Authorization::None, |token| Authorization::Token { scheme: bearer_scheme(), token }))
}
