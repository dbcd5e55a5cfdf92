//! `http_config` and `tls_config`: how Alertmanager's channels reach a server.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_norway::Value;

use crate::settings::{Secret, TlsSettings};
use crate::webhook::{BasicAuth, Settings};

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
    authorization: Option<Authorization>,
    bearer_token: Option<Secret>,
    bearer_token_file: Option<PathBuf>,
    oauth2: Option<Value>,
    proxy_url: Option<Value>,
    no_proxy: Option<Value>,
    proxy_from_environment: Option<Value>,
    proxy_connect_header: Option<Value>,
    tls_config: Option<TlsConfig>,
    // Redirects are never followed: they could carry the credentials elsewhere.
    #[allow(dead_code, reason = "taken, without effect")]
    follow_redirects: Option<bool>,
    #[allow(dead_code, reason = "taken, without effect")]
    enable_http2: Option<bool>,
    http_headers: Option<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BasicConfig {
    username: Option<String>,
    username_file: Option<Value>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Authorization {
    #[serde(rename = "type")]
    kind: Option<String>,
    credentials: Option<Secret>,
    credentials_file: Option<PathBuf>,
}

impl HttpConfig {
    /// Puts what it says into the settings of a webhook.
    pub(super) fn apply(self, settings: &mut Settings, folder: &Path) -> Result<(), String> {
        for (key, is_given) in [
            ("oauth2", self.oauth2.is_some()),
            ("proxy_url", self.proxy_url.is_some()),
            ("no_proxy", self.no_proxy.is_some()),
            ("proxy_from_environment", self.proxy_from_environment.is_some()),
            ("proxy_connect_header", self.proxy_connect_header.is_some()),
            ("http_headers", self.http_headers.is_some()),
        ] {
            if is_given {
                return Err(format!("http_config: {key} is not supported"));
            }
        }
        let at = |file: Option<PathBuf>| file.map(|file| folder.join(file));
        if let Some(basic) = self.basic_auth {
            if basic.username_file.is_some() {
                return Err("http_config: basic_auth.username_file is not supported".to_owned());
            }
            let (username, password_file) = (basic.username.unwrap_or_default(), at(basic.password_file));
            settings.basic_auth = Some(BasicAuth { username, password: basic.password, password_file });
        }
        (settings.bearer_token, settings.bearer_token_file) = (self.bearer_token, at(self.bearer_token_file));
        if let Some(authorization) = self.authorization {
            let kind = authorization.kind.unwrap_or_default();
            if !kind.is_empty() && !kind.eq_ignore_ascii_case("bearer") {
                return Err(format!("http_config: authorization type {kind:?} is not supported: want Bearer"));
            }
            (settings.bearer_token, settings.bearer_token_file) = (authorization.credentials, at(authorization.credentials_file));
        }
        settings.tls = self.tls_config.unwrap_or_default().settings(folder)?;
        Ok(())
    }
}
