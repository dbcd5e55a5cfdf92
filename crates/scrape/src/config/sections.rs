//! The sections of `prometheus.yml` that are not about scraping: read whole, so that a mistake in them is found.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::http::{HttpClientConfig, TlsConfig};
use super::values::{bytes, duration};
use crate::discovery::DiscoveryConfigs;
use crate::relabel::RelabelConfig;

/// Settings of Go's runtime.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// Target of Go's garbage collector in percent: without effect here.
    pub gogc: i64,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { gogc: 75 }
    }
}

impl RuntimeConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where alerts are sent, and how they are changed before.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertingConfig {
    /// Rules for the labels of alerts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alert_relabel_configs: Vec<RelabelConfig>,
    /// Who is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alertmanagers: Vec<AlertmanagerConfig>,
}

impl AlertingConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Alertmanagers that are found and told together.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// `http` or `https`.
    pub scheme: String,
    /// What stands in front of the path of the API.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path_prefix: String,
    /// How long it may take to tell.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Version of the API: only `v2`.
    pub api_version: ApiVersion,
    /// Rules for the Alertmanagers found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relabel_configs: Vec<RelabelConfig>,
    /// Rules for alerts sent to these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alert_relabel_configs: Vec<RelabelConfig>,
    /// Signing of Amazon.
    #[serde(skip_serializing)]
    pub sigv4: Option<IgnoredSection>,
    /// Where they are found.
    #[serde(rename = "$sd")]
    pub discovery: DiscoveryConfigs,
    /// How they are asked.
    #[serde(rename = "$http")]
    pub http: HttpClientConfig,
}

impl Default for AlertmanagerConfig {
    fn default() -> Self {
        Self {
            scheme: "http".to_owned(),
            path_prefix: String::new(),
            timeout: Duration::from_secs(10),
            api_version: ApiVersion,
            relabel_configs: Vec::new(),
            alert_relabel_configs: Vec::new(),
            sigv4: None,
            discovery: DiscoveryConfigs::default(),
            http: HttpClientConfig::default(),
        }
    }
}

/// The one version of Alertmanager's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersion;

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "v2" => Ok(Self),
            other => Err(de::Error::custom(format!("expected Alertmanager api version to be one of [v2] but got {other}"))),
        }
    }
}

impl Serialize for ApiVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("v2")
    }
}

/// A section that nobody reads: it may hold secrets, so nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IgnoredSection;

impl<'de> Deserialize<'de> for IgnoredSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Where samples are sent on.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteWriteConfig {
    /// Address of the receiver.
    pub url: String,
    /// How long a request may take.
    #[serde(with = "duration")]
    pub remote_timeout: Duration,
    /// Further headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Rules for what is sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_relabel_configs: Vec<RelabelConfig>,
    /// Name, unique if there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether exemplars are sent.
    pub send_exemplars: bool,
    /// Whether native histograms are sent.
    pub send_native_histograms: bool,
    /// Whether all addresses of a name are used.
    pub round_robin_dns: bool,
    /// Version of the messages.
    pub protobuf_message: String,
    /// Whether requests that fail are logged.
    pub failed_request_logging: bool,
    /// The queue in front of the receiver.
    pub queue_config: QueueConfig,
    /// What is told about metrics.
    pub metadata_config: MetadataConfig,
    /// Signing of Amazon.
    #[serde(skip_serializing)]
    pub sigv4: Option<IgnoredSection>,
    /// Tokens of Microsoft.
    #[serde(skip_serializing)]
    pub azuread: Option<IgnoredSection>,
    /// Tokens of Google.
    #[serde(skip_serializing)]
    pub google_iam: Option<IgnoredSection>,
    /// How the receiver is asked.
    #[serde(rename = "$http")]
    pub http: HttpClientConfig,
}

impl Default for RemoteWriteConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            remote_timeout: Duration::from_secs(30),
            headers: BTreeMap::new(),
            write_relabel_configs: Vec::new(),
            name: String::new(),
            send_exemplars: false,
            send_native_histograms: false,
            round_robin_dns: false,
            protobuf_message: "prometheus.WriteRequest".to_owned(),
            failed_request_logging: false,
            queue_config: QueueConfig::default(),
            metadata_config: MetadataConfig::default(),
            sigv4: None,
            azuread: None,
            google_iam: None,
            http: HttpClientConfig { enable_http2: false, ..HttpClientConfig::default() },
        }
    }
}

/// The queue in front of a receiver of remote write.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    pub capacity: i64,
    pub max_shards: i64,
    pub min_shards: i64,
    pub max_samples_per_send: i64,
    #[serde(with = "duration")]
    pub batch_send_deadline: Duration,
    #[serde(with = "duration")]
    pub min_backoff: Duration,
    #[serde(with = "duration")]
    pub max_backoff: Duration,
    pub retry_on_http_429: bool,
    #[serde(with = "duration")]
    pub sample_age_limit: Duration,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            max_shards: 50,
            min_shards: 1,
            max_samples_per_send: 2000,
            batch_send_deadline: Duration::from_secs(5),
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
            retry_on_http_429: false,
            sample_age_limit: Duration::ZERO,
        }
    }
}

/// What a receiver of remote write is told about metrics.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetadataConfig {
    pub send: bool,
    #[serde(with = "duration")]
    pub send_interval: Duration,
    pub max_samples_per_send: i64,
}

impl Default for MetadataConfig {
    fn default() -> Self {
        Self { send: true, send_interval: Duration::from_secs(60), max_samples_per_send: 2000 }
    }
}

/// Where further samples are asked for.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteReadConfig {
    /// Address of the other store.
    pub url: String,
    /// How long a request may take.
    #[serde(with = "duration")]
    pub remote_timeout: Duration,
    /// Bytes of a frame of a streamed answer.
    pub chunked_read_limit: u64,
    /// Further headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Whether it is asked for times that the own store holds.
    pub read_recent: bool,
    /// Name, unique if there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Labels that a selector must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub required_matchers: BTreeMap<String, String>,
    /// Whether external labels are added to selectors.
    pub filter_external_labels: bool,
    /// How it is asked.
    #[serde(rename = "$http")]
    pub http: HttpClientConfig,
}

impl Default for RemoteReadConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            remote_timeout: Duration::from_secs(60),
            chunked_read_limit: 50_000_000,
            headers: BTreeMap::new(),
            read_recent: false,
            name: String::new(),
            required_matchers: BTreeMap::new(),
            filter_external_labels: true,
            http: HttpClientConfig::default(),
        }
    }
}

/// How samples are stored.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// The store of samples.
    pub tsdb: TsdbConfig,
    /// The store of exemplars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exemplars: Option<ExemplarsConfig>,
}

impl StorageConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The store of samples.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TsdbConfig {
    /// How much older than the newest a sample may be.
    #[serde(with = "duration", skip_serializing_if = "Duration::is_zero")]
    pub out_of_order_time_window: Duration,
    /// Share of stale series in the head that starts a compaction.
    pub stale_series_compaction_threshold: f64,
    /// How samples are encoded.
    pub chunk_encoding: ChunkEncodingConfig,
    /// What is kept.
    pub retention: RetentionConfig,
}

/// How samples are encoded.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChunkEncodingConfig {
    /// `xor` or `xor2`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub floats: String,
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long; zero is not set.
    #[serde(with = "duration", skip_serializing_if = "Duration::is_zero")]
    pub time: Duration,
    /// How many bytes; zero is not set.
    #[serde(with = "bytes")]
    pub size: i64,
    /// How much of the disk, in percent; zero is not set.
    pub percentage: f64,
}

/// The store of exemplars.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExemplarsConfig {
    /// How many are kept.
    pub max_exemplars: i64,
}

/// Where traces of the server itself are sent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TracingConfig {
    /// `grpc` or `http`.
    pub client_type: TracingClient,
    /// Address of the receiver.
    pub endpoint: String,
    /// Share of traces that are sent.
    pub sampling_fraction: f64,
    /// Whether TLS is off.
    pub insecure: bool,
    /// TLS.
    #[serde(skip_serializing_if = "TlsConfig::is_default")]
    pub tls_config: TlsConfig,
    /// Further headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// `gzip` or nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compression: String,
    /// How long a request may take.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

/// The protocol of traces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TracingClient {
    #[default]
    Grpc,
    Http,
}

/// How samples that come in by OTLP are named.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpConfig {
    /// Whether every attribute of a resource becomes a label.
    pub promote_all_resource_attributes: bool,
    /// Attributes of resources that become labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub promote_resource_attributes: Vec<String>,
    /// Attributes of resources that do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_resource_attributes: Vec<String>,
    /// How names are translated.
    pub translation_strategy: String,
    /// Whether `service.name` and its like stay on `target_info`.
    pub keep_identifying_resource_attributes: bool,
    /// Whether explicit histograms become native ones with custom buckets.
    pub convert_histograms_to_nhcb: bool,
    /// Whether name, version and attributes of the scope become labels.
    pub promote_scope_metadata: bool,
    /// Whether a label that starts with an underscore gets `key` in front.
    pub label_name_underscore_sanitization: bool,
    /// Whether several underscores stay several.
    pub label_name_preserve_multiple_underscores: bool,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            promote_all_resource_attributes: false,
            promote_resource_attributes: Vec::new(),
            ignore_resource_attributes: Vec::new(),
            translation_strategy: "UnderscoreEscapingWithSuffixes".to_owned(),
            keep_identifying_resource_attributes: false,
            convert_histograms_to_nhcb: false,
            promote_scope_metadata: false,
            label_name_underscore_sanitization: true,
            label_name_preserve_multiple_underscores: true,
        }
    }
}

impl OtlpConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
