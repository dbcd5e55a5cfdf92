//! `http_config`: how Alertmanager's channels reach a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::http::address::Policy;
use crate::http::{Authorization, Options, Proxy, jwt, oauth2};
use crate::settings::{Secret, SecretSource};
use crate::tls::TlsSettings;

/// How a server is asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpConfig {
    basic_auth: Option<BasicConfig>,
    authorization: Option<AuthorizationConfig>,
    bearer_token: Option<Secret>,
    bearer_token_file: Option<PathBuf>,
    oauth2: Option<OAuth2Config>,
    proxy_url: Option<Secret>,
    no_proxy: Option<String>,
    proxy_from_environment: Option<bool>,
    proxy_connect_header: Option<BTreeMap<String, Vec<Secret>>>,
    tls_config: Option<TlsSettings>,
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

/// Where tokens come from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OAuth2Config {
    client_id: String,
    client_secret: Option<Secret>,
    client_secret_file: Option<PathBuf>,
    client_certificate_key_id: String,
    client_certificate_key: Option<Secret>,
    client_certificate_key_file: Option<PathBuf>,
    signature_algorithm: String,
    iss: String,
    audience: String,
    claims: serde_json::Map<String, serde_json::Value>,
    scopes: Vec<String>,
    token_url: Option<Secret>,
    endpoint_params: BTreeMap<String, Secret>,
    grant_type: Option<String>,
    tls_config: Option<TlsSettings>,
    proxy_url: Option<Secret>,
    no_proxy: Option<String>,
    proxy_from_environment: Option<bool>,
    proxy_connect_header: Option<BTreeMap<String, Vec<Secret>>>,
}

impl OAuth2Config {
    fn settings(self, folder: &Path) -> Result<oauth2::Settings, String> {
        if self.client_id.is_empty() {
            return Err("oauth2 client_id must be configured".to_owned());
        }
        let token_url = self.token_url.filter(|url| !url.reveal().is_empty()).ok_or("oauth2 token_url must be configured")?;
        let secret = source("oauth2 client_secret", self.client_secret, self.client_secret_file, folder)?;
        let key = source("oauth2 client_certificate_key", self.client_certificate_key, self.client_certificate_key_file, folder)?;
        let grant = match self.grant_type.as_deref() {
            None | Some("" | "client_credentials") => oauth2::Grant::ClientCredentials(secret.unwrap_or_else(|| SecretSource::Text(Secret::new("")))),
            Some(jwt::GRANT_TYPE) => {
                if let Some(own) = ["assertion", "scope"].into_iter().find(|own| self.endpoint_params.contains_key(*own)) {
                    return Err(format!("oauth2: cannot overwrite parameter {own:?}"));
                }
                let key = key.ok_or("oauth2: one of client_certificate_key or client_certificate_key_file must be configured")?;
                oauth2::Grant::JwtBearer(Box::new(jwt::Settings {
                    key,
                    key_id: self.client_certificate_key_id,
                    algorithm: jwt::Algorithm::from_name(&self.signature_algorithm)?,
                    issuer: self.iss,
                    audience: self.audience,
                    claims: self.claims,
                }))
            }
            Some(other) => return Err(format!("oauth2: grant_type {other:?} is not supported: want client_credentials or {}", jwt::GRANT_TYPE)),
        };
        Ok(oauth2::Settings {
            client_id: self.client_id,
            grant,
            token_url,
            scopes: self.scopes,
            endpoint_params: self.endpoint_params.into_iter().collect(),
            tls: self.tls_config.unwrap_or_default().beside(folder),
            proxy: proxy(self.proxy_url, self.no_proxy, self.proxy_from_environment, self.proxy_connect_header)?,
        })
    }
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

    /// Takes the proxy of another one, if there is none. Alertmanager does so for one service alone; for others what an entry says
    /// stands in place of all that `global` does.
    pub(super) fn inherit_proxy(&mut self, other: Self) {
        if self.proxy_url.is_none() && self.proxy_from_environment != Some(true) {
            self.proxy_url = other.proxy_url;
        }
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
    pub(super) fn options(self, folder: &Path, policy: &Policy) -> Result<Options, String> {
        let mut headers = Vec::new();
        for (name, header) in self.http_headers.unwrap_or_default() {
            let texts = header.values.into_iter().chain(header.secrets).map(SecretSource::Text);
            let sources = texts.chain(header.files.into_iter().map(|file| SecretSource::File(folder.join(file))));
            headers.extend(sources.map(|source| (name.clone(), source)));
        }
        let given =
            Given { basic: self.basic_auth, authorization: self.authorization, bearer: (self.bearer_token, self.bearer_token_file), oauth2: self.oauth2 };
        Ok(Options {
            headers,
            authorization: given.resolve(folder)?,
            tls: self.tls_config.unwrap_or_default().beside(folder),
            proxy: proxy(self.proxy_url, self.no_proxy, self.proxy_from_environment, self.proxy_connect_header)?,
            policy: policy.clone(),
            ..Options::default()
        })
    }
}

fn proxy(
    url: Option<Secret>,
    no_proxy: Option<String>,
    from_environment: Option<bool>,
    connect_headers: Option<BTreeMap<String, Vec<Secret>>>,
) -> Result<Proxy, String> {
    let url = url.filter(|url| !url.reveal().is_empty());
    let no_proxy = no_proxy.filter(|hosts| !hosts.is_empty());
    let connect_headers: Vec<(String, SecretSource)> = connect_headers
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), SecretSource::Text(value))))
        .collect();
    match (url, from_environment.unwrap_or(false)) {
        (Some(_), true) => Err("if proxy_from_environment is configured, proxy_url must not be configured".to_owned()),
        (None, true) if no_proxy.is_some() => Err("if proxy_from_environment is configured, no_proxy must not be configured".to_owned()),
        (None, false) if no_proxy.is_some() => Err("if no_proxy is configured, proxy_url must also be configured".to_owned()),
        (None, false) if !connect_headers.is_empty() => {
            Err("if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured".to_owned())
        }
        (Some(url), false) => Ok(Proxy::Url { url, no_proxy, connect_headers }),
        (None, true) => Ok(Proxy::Environment { connect_headers }),
        (None, false) => Ok(Proxy::None),
    }
}

/// The ways to say who asks, of which at most one may be used.
struct Given {
    basic: Option<BasicConfig>,
    authorization: Option<AuthorizationConfig>,
    bearer: (Option<Secret>, Option<PathBuf>),
    oauth2: Option<OAuth2Config>,
}

impl Given {
    fn resolve(self, folder: &Path) -> Result<Authorization, String> {
        let bearer = source("bearer_token", self.bearer.0, self.bearer.1, folder)?;
        let given = [self.basic.is_some(), self.authorization.is_some(), bearer.is_some(), self.oauth2.is_some()];
        if given.into_iter().filter(|is_given| *is_given).count() > 1 {
            return Err("at most one of basic_auth, oauth2, bearer_token & authorization must be configured".to_owned());
        }
        if let Some(oauth2) = self.oauth2 {
            return Ok(Authorization::OAuth2(Box::new(oauth2.settings(folder)?)));
        }
        if let Some(basic) = self.basic {
            let username = source("basic_auth username", basic.username, basic.username_file, folder)?;
            let password = source("basic_auth password", basic.password, basic.password_file, folder)?;
            return Ok(Authorization::Basic { username: username.unwrap_or_else(|| SecretSource::Text(Secret::new(""))), password });
        }
        let bearer_scheme = || "Bearer".to_owned();
        if let Some(given) = self.authorization {
            let scheme = given.kind.map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()).unwrap_or_else(bearer_scheme);
            if scheme.eq_ignore_ascii_case("basic") {
                return Err("authorization type cannot be set to \"basic\", use \"basic_auth\" instead".to_owned());
            }
            let token = source("authorization credentials", given.credentials, given.credentials_file, folder)?;
            return Ok(token.map_or(Authorization::None, |token| Authorization::Token { scheme, token }));
        }
        Ok(bearer.map_or(Authorization::None, |token| Authorization::Token { scheme: bearer_scheme(), token }))
    }
}
