//! How Signalbox speaks HTTP to somebody: authentication, TLS, proxies, headers. The same options stand in scrape
//! configurations and in those of discovery.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::values::Secret;

/// Options of an HTTP client, the inlined part of many sections.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpClientConfig {
    /// Name and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// The header `Authorization`. The deprecated `bearer_token` and `bearer_token_file` are moved here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    /// A token from an OAuth 2 server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
    /// Deprecated; empty once the configuration is checked: see `authorization`.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub bearer_token: Secret,
    /// Deprecated; empty once the configuration is checked: see `authorization`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bearer_token_file: String,
    /// TLS.
    #[serde(skip_serializing_if = "TlsConfig::is_default")]
    pub tls_config: TlsConfig,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether HTTP/2 is used where a server offers it.
    pub enable_http2: bool,
    /// Proxies.
    #[serde(rename = "$proxy")]
    pub proxy: ProxyConfig,
    /// Headers of every request, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub http_headers: BTreeMap<String, Header>,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            bearer_token: Secret::default(),
            bearer_token_file: String::new(),
            tls_config: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy: ProxyConfig::default(),
            http_headers: BTreeMap::new(),
        }
    }
}

/// Name and password; each may stand in a file, which is read for every request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// The name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// File with the name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username_file: String,
    /// Name of the name in a secret manager. Not supported: there is no secret manager.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username_ref: String,
    /// The password.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub password: Secret,
    /// File with the password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password_file: String,
    /// Name of the password in a secret manager. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password_ref: String,
}

/// The header `Authorization: <type> <credentials>`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// `Bearer` unless configured.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credentials.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub credentials: Secret,
    /// File with the credentials, read for every request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub credentials_file: String,
    /// Name of the credentials in a secret manager. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub credentials_ref: String,
}

/// OAuth 2, client credentials.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuth2 {
    /// Name of the client.
    pub client_id: String,
    /// Its secret.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub client_secret: Secret,
    /// File with its secret, read for every token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_secret_file: String,
    /// Name of its secret in a secret manager. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_secret_ref: String,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_certificate_key_id: String,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub client_certificate_key: Secret,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_certificate_key_file: String,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_certificate_key_ref: String,
    /// `client_credentials`, or `urn:ietf:params:oauth:grant-type:jwt-bearer`, which is not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub grant_type: String,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub signature_algorithm: String,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub iss: String,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub audience: String,
    /// For signed JSON web tokens. Not supported.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, serde_json::Value>,
    /// What is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Where tokens are fetched.
    pub token_url: String,
    /// Further parameters of the request for a token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoint_params: BTreeMap<String, String>,
    /// TLS to the server of tokens.
    #[serde(skip_serializing_if = "TlsConfig::is_default")]
    pub tls_config: TlsConfig,
    /// Proxies to the server of tokens.
    #[serde(rename = "$proxy")]
    pub proxy: ProxyConfig,
}

/// TLS of a client.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates of the authority, PEM; those of the system if there are none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca: String,
    /// Our certificate, PEM.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cert: String,
    /// The key of our certificate, PEM.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub key: Secret,
    /// File with the certificates of the authority.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca_file: String,
    /// File with our certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cert_file: String,
    /// File with the key of our certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key_file: String,
    /// Name in a secret manager. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca_ref: String,
    /// Name in a secret manager. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cert_ref: String,
    /// Name in a secret manager. Not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key_ref: String,
    /// The name that the certificate of the server must have, instead of the host in the address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server_name: String,
    /// Whether any certificate is taken.
    pub insecure_skip_verify: bool,
    /// Lowest version. TLS 1.0 and 1.1 are never spoken: as a lower bound they mean 1.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_version: Option<TlsVersion>,
    /// Highest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_version: Option<TlsVersion>,
}

impl TlsConfig {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TlsVersion {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

/// Proxies.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// The proxy of every request. May hold a password, so it is shown like a secret if it does.
    #[serde(skip_serializing_if = "ProxyUrl::is_empty")]
    pub proxy_url: ProxyUrl,
    /// Hosts, domains and networks that are asked without the proxy, with commas between them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub no_proxy: String,
    /// Whether `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the environment are used.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub proxy_from_environment: bool,
    /// Headers for the proxy when a tunnel is asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
}

/// An address that may hold a password: it is shown without.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ProxyUrl(String);

impl ProxyUrl {
    /// The address as configured.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address with `xxxxx` for the password, as Prometheus shows it.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        match rest[..end].rsplit_once('@').map(|(user, host)| (user.split_once(':').map(|(name, _)| name), host)) {
            Some((Some(name), host)) => format!("{scheme}://{name}:xxxxx@{host}{}", &rest[end..]),
            _ => self.0.clone(),
        }
    }
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

/// The values of one header.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    /// Values that may be shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Values that may not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// Files with values, read for every request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}
