//! Connections: which addresses they may go to, through which proxy, under which TLS.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderMap, HeaderName};

use super::address::{Policy, literal};
use super::{Proxy, chain, sensitive};
use crate::settings::{Secret, SecretSource};
use crate::tls::{TlsMaterial, TlsSettings, TlsVersion};

/// Makes requests to servers that the policy allows.
pub(super) struct Connector {
    tls: TlsSettings,
    proxy: Proxy,
    policy: Policy,
    timeout: Duration,
    /// The client, and what it was made from.
    built: Mutex<(Made, reqwest::Client)>,
}

/// What a client was made from, as far as it may change.
#[derive(Debug, Clone, PartialEq)]
struct Made {
    /// Of the files.
    digest: Vec<u8>,
    /// The host whose addresses are meant where [`TlsSettings::server_name`] is asked for.
    aliased: Option<String>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("tls", &self.tls).field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(tls: TlsSettings, proxy: Proxy, policy: Policy, timeout: Duration) -> Result<Self, String> {
        if let Some(server_name) = &tls.server_name {
            if !matches!(proxy, Proxy::None) {
                return Err("tls.server_name is not supported together with a proxy".into());
            }
            if server_name.is_empty() || literal(server_name).is_some() {
                return Err(format!("tls.server_name: found {server_name:?}: want a name"));
            }
        }
        let material = tls.material()?;
        let made = Made { digest: material.digest(), aliased: None };
        let client = build(&tls, &material, &proxy, &policy, timeout, None)?;
        Ok(Self { tls, proxy, policy, timeout, built: Mutex::new((made, client)) })
    }

    /// A request to a URL, if it may be made.
    pub(super) fn request(&self, method: reqwest::Method, mut url: reqwest::Url) -> Result<reqwest::RequestBuilder, String> {
        let host = url.host_str().ok_or("url: found no host")?.to_owned();
        if let Some(address) = literal(&host) {
            // Such a host is not resolved: the resolver below never sees it.
            self.policy.check(&host, address)?;
        }
        let Some(server_name) = self.tls.server_name.as_deref().filter(|_| url.scheme() == "https") else {
            return Ok(self.client(None)?.request(method, url));
        };
        // TLS asks for the name in the URL. So that it asks for another one, that is put there; the resolver knows whose
        // addresses are meant, and the server behind TLS reads the host that was configured.
        let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        url.set_host(Some(server_name)).map_err(|error| format!("tls.server_name: {error}"))?;
        Ok(self.client(Some(host))?.request(method, url).header(HOST, authority))
    }

    /// The client, made anew if a file of certificates or keys has changed.
    fn client(&self, aliased: Option<String>) -> Result<reqwest::Client, String> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tls.has_files() || built.0.aliased != aliased {
            let material = self.tls.material()?;
            let made = Made { digest: material.digest(), aliased: aliased.clone() };
            if made != built.0 {
                *built = (made, build(&self.tls, &material, &self.proxy, &self.policy, self.timeout, aliased)?);
            }
        }
        Ok(built.1.clone())
    }
}

fn build(
    tls: &TlsSettings,
    material: &TlsMaterial,
    proxy: &Proxy,
    policy: &Policy,
    timeout: Duration,
    aliased: Option<String>,
) -> Result<reqwest::Client, String> {
    // Whoever installs one first wins; both are the same.
    if rustls::crypto::CryptoProvider::get_default().is_none() && rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("the cryptography was installed by another part of the process");
    }
    let proxy_host =
        if let Proxy::Url { url, .. } = proxy { reqwest::Url::parse(url.reveal()).ok().and_then(|url| url.host_str().map(str::to_owned)) } else { None };
    let guard = Guard { policy: policy.clone(), proxy_host, aliased };
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeout)
        .pool_max_idle_per_host(1)
        .dns_resolver(Arc::new(guard))
        .tls_danger_accept_invalid_certs(tls.insecure_skip_verify);
    if let Some(pem) = &material.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| format!("tls.ca_file: {}", chain(&error)))?;
        if certificates.is_empty() {
            return Err("tls.ca_file: found no certificate: want PEM".into());
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(pem) = material.identity() {
        // The error may show what was read: a key.
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(|_| "tls.cert and tls.key: want a certificate and its key, both PEM")?);
    }
    let version = |version: TlsVersion| if version == TlsVersion::Tls13 { reqwest::tls::Version::TLS_1_3 } else { reqwest::tls::Version::TLS_1_2 };
    if let Some(min) = tls.min_version {
        builder = builder.tls_version_min(version(min));
    }
    if let Some(max) = tls.max_version {
        if max < TlsVersion::Tls12 || tls.min_version.is_some_and(|min| min > max) {
            return Err("tls.max_version: want TLS12 or TLS13, and no less than tls.min_version".into());
        }
        builder = builder.tls_version_max(version(max));
    }
    builder = match proxy {
        Proxy::None => builder.no_proxy(),
        // The client of the library asks the environment by itself, but gives no way to add headers then.
        Proxy::Environment { connect_headers } if connect_headers.is_empty() => builder,
        Proxy::Environment { .. } => return Err("proxy_connect_header is not supported together with proxy_from_environment".into()),
        Proxy::Url { url, no_proxy, connect_headers } => {
            let proxy = reqwest::Proxy::all(url.reveal()).map_err(|_| "proxy_url: want the URL of a proxy".to_owned())?;
            let proxy = proxy.no_proxy(no_proxy.as_deref().and_then(reqwest::NoProxy::from_string));
            builder.proxy(if connect_headers.is_empty() { proxy } else { proxy.headers(connect(connect_headers)?) })
        }
    };
    builder.build().map_err(|error| format!("tls: {}", chain(&error)))
}

fn connect(headers: &[(String, SecretSource)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, source) in headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("proxy_connect_header: found {name:?}: want the name of a header"))?;
        let text: Secret = source.read()?;
        map.append(header, sensitive(text.reveal()).ok_or_else(|| format!("proxy_connect_header: the value of {name:?} is not allowed in a header"))?);
    }
    Ok(map)
}

/// Resolves names to those of their addresses that may be reached. What it returns is what is connected to.
#[derive(Debug)]
struct Guard {
    policy: Policy,
    /// The proxy stands where the configuration says.
    proxy_host: Option<String>,
    aliased: Option<String>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.aliased.clone().unwrap_or_else(|| name.as_str().to_owned());
        let policy = (self.proxy_host.as_deref() != Some(name.as_str())).then(|| self.policy.clone());
        Box::pin(async move {
            let found: Vec<IpAddr> = match literal(&host) {
                Some(address) => vec![address],
                None => tokio::net::lookup_host((host.as_str(), 0)).await?.map(|address| address.ip()).collect(),
            };
            let Some(policy) = policy else { return Ok(addresses(found)) };
            let (mut allowed, mut refusal) = (Vec::new(), None);
            for address in found {
                match policy.check(&host, address) {
                    Ok(()) => allowed.push(address),
                    Err(why) => refusal = refusal.or(Some(why)),
                }
            }
            match refusal {
                Some(why) if allowed.is_empty() => Err(why.into()),
                _ => Ok(addresses(allowed)),
            }
        })
    }
}

fn addresses(found: Vec<IpAddr>) -> Addrs {
    // The port is that of the URL.
    Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)))
}
