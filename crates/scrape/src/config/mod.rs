//! `prometheus.yml`, whole: read strictly, checked in Prometheus' words, with the path and line of what is wrong.
//!
//! Two questions, two answers. Whether a file is a valid configuration of Prometheus is what [`PrometheusConfig::load`] says.
//! Whether Signalbox can do all that it asks for is what [`PrometheusConfig::unsupported`] says: a section that would have no
//! effect is named, never passed over.

mod http;
mod scrape;
mod sections;
pub(crate) mod values;

use serde::{Deserialize, Serialize};

pub use http::{Authorization, BasicAuth, Header, HttpClientConfig, OAuth2, ProxyConfig, ProxyUrl, TlsConfig, TlsVersion};
pub use scrape::{GlobalConfig, ScrapeConfig};
pub use sections::{
    AlertingConfig, AlertmanagerConfig, ExemplarsConfig, OtlpConfig, QueueConfig, RemoteReadConfig, RemoteWriteConfig, RetentionConfig, RuntimeConfig,
    StorageConfig, TracingConfig, TsdbConfig,
};
pub use values::{EscapingScheme, NameScheme, ScrapeProtocol, Secret, parse_bytes, parse_duration, show_bytes, show_duration};

/// A configuration of Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// What holds for every job.
    pub global: GlobalConfig,
    /// Settings of Go's runtime.
    #[serde(skip_serializing_if = "RuntimeConfig::is_default")]
    pub runtime: RuntimeConfig,
    /// Where alerts are sent.
    #[serde(skip_serializing_if = "AlertingConfig::is_default")]
    pub alerting: AlertingConfig,
    /// Patterns of files with rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule_files: Vec<String>,
    /// Patterns of files with further jobs. Once loaded, their jobs are among [`PrometheusConfig::scrape_configs`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scrape_config_files: Vec<String>,
    /// The jobs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scrape_configs: Vec<ScrapeConfig>,
    /// How samples are stored.
    #[serde(skip_serializing_if = "StorageConfig::is_default")]
    pub storage: StorageConfig,
    /// Where traces of the server itself are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingConfig>,
    /// Where samples are sent on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_write: Vec<RemoteWriteConfig>,
    /// Where further samples are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_read: Vec<RemoteReadConfig>,
    /// How samples that come in by OTLP are named.
    #[serde(skip_serializing_if = "OtlpConfig::is_default")]
    pub otlp: OtlpConfig,
}
