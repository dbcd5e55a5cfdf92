//! The API server: where it is and who we are to it, by `api_server`, by a kubeconfig file, or as a pod in the cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use signalbox_model::{Error, ErrorKind, Result};

use super::super::{KubernetesConfig, Surroundings};
use crate::client::HttpClient;
use crate::config::{Authorization, BasicAuth, HttpClientConfig, Secret, TlsConfig};

/// Bytes of a kubeconfig file.
const KUBECONFIG_BYTES_MAX: u64 = 4 << 20;

/// A connection to the API server.
#[derive(Debug, Clone)]
pub(super) struct ApiServer {
    client: HttpClient,
    /// Ends with a slash.
    base: Url,
}

impl ApiServer {
    /// Reads what the configuration names; does not connect.
    pub(super) fn new(config: &KubernetesConfig, around: &Surroundings) -> Result<Self> {
        let (server, http) = if !config.kubeconfig_file.is_empty() {
            kubeconfig(Path::new(&config.kubeconfig_file))?
        } else if config.api_server.is_empty() {
            in_cluster(around)?
        } else {
            (config.api_server.clone(), config.http.clone())
        };
        let with_slash = format!("{}/", server.trim_end_matches('/'));
        let base = Url::parse(&with_slash).map_err(|error| Error::invalid(format!("cannot use API server {server:?}")).with_source(error))?;
        Ok(Self { client: HttpClient::new(&http, around.clock.clone())?, base })
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// `NotFound` with the status for 404 and 410, `Denied` for 401 and 403, else `Unavailable`.
    pub(super) async fn get(&self, path: &str, parameters: &[(&str, &str)], timeout: Duration) -> Result<reqwest::Response> {
        let unavailable = |why: &dyn std::fmt::Display| Error::unavailable(format!("cannot get {path}: {why}"));
        let url = self.base.join(path).map_err(|error| unavailable(&error))?;
        let request = self.client.get(url).await?.query(parameters).header("Accept", "application/json").timeout(timeout);
        let answer = request.send().await.map_err(|error| unavailable(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let kind = match status.as_u16() {
            404 | 410 => ErrorKind::NotFound,
            401 | 403 => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        };
        Err(Error::new(kind, format!("cannot get {path}: found status {status}")))
    }
}

/// The namespace that we run in.
pub(super) fn own_namespace(around: &Surroundings) -> Result<String> {
    let file = around.service_account.join("namespace");
    let text =
        std::fs::read_to_string(&file).map_err(|error| Error::invalid(format!("could not determine the pod's namespace: {}: {error}", file.display())))?;
    let name = text.trim();
    if name.is_empty() { Err(Error::invalid("could not read own namespace name (empty file)")) } else { Ok(name.to_owned()) }
}

/// A pod is told the address by its environment, and token and certificate by files.
fn in_cluster(around: &Surroundings) -> Result<(String, HttpClientConfig)> {
    let variable = |name: &str| (around.environment)(name).filter(|value| !value.is_empty());
    let (Some(host), Some(port)) = (variable("KUBERNETES_SERVICE_HOST"), variable("KUBERNETES_SERVICE_PORT")) else {
        return Err(Error::invalid(
            "unable to load in-cluster configuration: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined; elsewhere set api_server or kubeconfig_file",
        ));
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let file = |name: &str| around.service_account.join(name).display().to_string();
    let http = HttpClientConfig {
        authorization: Some(Authorization { kind: "Bearer".to_owned(), credentials_file: file("token"), ..Authorization::default() }),
        tls_config: TlsConfig { ca_file: file("ca.crt"), ..TlsConfig::default() },
        ..HttpClientConfig::default()
    };
    Ok((format!("https://{host}:{port}"), http))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Kubeconfig {
    current_context: String,
    contexts: Vec<NamedContext>,
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: String,
    certificate_authority_data: String,
    insecure_skip_tls_verify: bool,
    tls_server_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    token: Secret,
    #[serde(alias = "tokenFile")]
    token_file: String,
    client_certificate: String,
    client_certificate_data: String,
    client_key: String,
    client_key_data: Secret,
    username: String,
    password: Secret,
    exec: Option<serde::de::IgnoredAny>,
    auth_provider: Option<serde::de::IgnoredAny>,
}

/// Address and credentials of the current context of a kubeconfig file.
fn kubeconfig(file: &Path) -> Result<(String, HttpClientConfig)> {
    let cannot = |why: &dyn std::fmt::Display| Error::invalid(format!("cannot use kubeconfig_file {}: {why}", file.display()));
    let bytes = file.metadata().map_err(|error| cannot(&error))?.len();
    if bytes > KUBECONFIG_BYTES_MAX {
        return Err(cannot(&format!("found {bytes} bytes: want at most {KUBECONFIG_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| cannot(&error))?;
    // What is wrong may quote what stands there, which may be a secret.
    let config: Kubeconfig = serde_norway::from_str(&text).map_err(|_| cannot(&"not a kubeconfig in YAML"))?;
    let context = config.contexts.into_iter().find(|context| context.name == config.current_context).map(|context| context.context);
    let context = context.ok_or_else(|| cannot(&format!("no context {:?}", config.current_context)))?;
    let clusters: BTreeMap<String, Cluster> = config.clusters.into_iter().map(|cluster| (cluster.name, cluster.cluster)).collect();
    let mut users: BTreeMap<String, User> = config.users.into_iter().map(|user| (user.name, user.user)).collect();
    let cluster = clusters.get(&context.cluster).ok_or_else(|| cannot(&format!("no cluster {:?}", context.cluster)))?;
    let user = users.remove(&context.user).unwrap_or_default();
    if user.exec.is_some() || user.auth_provider.is_some() {
        return Err(cannot(&"credentials of exec and auth-provider are not supported: want a token or a certificate"));
    }
    let decode = |what: &str, data: &str| {
        let bytes = STANDARD.decode(data.trim()).map_err(|_| cannot(&format!("{what} is not base64")))?;
        String::from_utf8(bytes).map_err(|_| cannot(&format!("{what} is not PEM")))
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let path = |text: &str| if text.is_empty() { String::new() } else { PathBuf::from(folder).join(text).display().to_string() };
    // Data wins over files, as in kubectl.
    let file_without = |data: &str, file: &str| if data.is_empty() { path(file) } else { String::new() };
    let tls_config = TlsConfig {
        ca: decode("certificate-authority-data", &cluster.certificate_authority_data)?,
        ca_file: file_without(&cluster.certificate_authority_data, &cluster.certificate_authority),
        cert: decode("client-certificate-data", &user.client_certificate_data)?,
        cert_file: file_without(&user.client_certificate_data, &user.client_certificate),
        key: Secret::new(decode("client-key-data", user.client_key_data.reveal())?),
        key_file: file_without(user.client_key_data.reveal(), &user.client_key),
        server_name: cluster.tls_server_name.clone(),
        insecure_skip_verify: cluster.insecure_skip_tls_verify,
        ..TlsConfig::default()
    };
    let has_token = !user.token.is_empty() || !user.token_file.is_empty();
    let credentials_file = if user.token.is_empty() { path(&user.token_file) } else { String::new() };
    let authorization = has_token.then(|| Authorization { kind: "Bearer".to_owned(), credentials: user.token, credentials_file, ..Authorization::default() });
    let basic_auth = (!user.username.is_empty()).then(|| BasicAuth { username: user.username, password: user.password, ..BasicAuth::default() });
    let http = HttpClientConfig { authorization, basic_auth, tls_config, ..HttpClientConfig::default() };
    Ok((cluster.server.clone(), http))
}
