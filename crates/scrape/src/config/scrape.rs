//! One job of `scrape_configs`: what is scraped, how often, how, within which limits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::http::HttpClientConfig;
use super::render;
use super::values::{EscapingScheme, NameScheme, ScrapeProtocol, bytes, duration};
use crate::discovery::DiscoveryConfigs;
use crate::relabel::RelabelConfig;

/// What holds for every job that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalConfig {
    /// Time between two scrapes of a target.
    #[serde(with = "duration")]
    pub scrape_interval: Duration,
    /// How long a scrape may take, at most the interval.
    #[serde(with = "duration")]
    pub scrape_timeout: Duration,
    /// Formats that are asked for, best first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// Time between two evaluations of a group of rules.
    #[serde(with = "duration")]
    pub evaluation_interval: Duration,
    /// How far back of the evaluation rules look.
    #[serde(with = "duration", skip_serializing_if = "Duration::is_zero")]
    pub rule_query_offset: Duration,
    /// File that queries are logged to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query_log_file: String,
    /// File that failed scrapes are logged to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scrape_failure_log_file: String,
    /// Labels for the world outside; variables of the environment are filled in.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub external_labels: BTreeMap<String, String>,
    /// Bytes of an uncompressed page; 0 is no limit.
    #[serde(with = "bytes", skip_serializing_if = "is_zero_bytes")]
    pub body_size_limit: i64,
    /// Samples of a scrape after relabelling; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub sample_limit: u64,
    /// Targets of a job after relabelling; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub target_limit: u64,
    /// Labels of a series; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_limit: u64,
    /// Bytes of the name of a label; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_name_length_limit: u64,
    /// Bytes of the value of a label; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_value_length_limit: u64,
    /// Dropped targets of a job that are remembered for the targets page; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub keep_dropped_targets: u64,
    /// Which names are valid.
    pub metric_name_validation_scheme: NameScheme,
    /// How targets are asked to write other names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_name_escaping_scheme: Option<EscapingScheme>,
    /// Whether native histograms are taken.
    pub scrape_native_histograms: bool,
    /// Whether classic histograms become native ones with custom buckets.
    pub convert_classic_histograms_to_nhcb: bool,
    /// Whether a classic histogram is taken where there is also a native one.
    pub always_scrape_classic_histograms: bool,
    /// Whether `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes` are written too.
    pub extra_scrape_metrics: bool,
}

impl GlobalConfig {
    /// Time between two scrapes where nothing is configured.
    pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(60);
    /// How long a scrape may take where nothing is configured.
    pub const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);
    /// Time between two evaluations where nothing is configured.
    pub const EVALUATION_INTERVAL: Duration = Duration::from_secs(60);
}

impl Default for GlobalConfig {
    fn default() -> Self {
        Self {
            // Zero is "not set", filled in once the section is read: the timeout depends on the interval.
            scrape_interval: Duration::ZERO,
            scrape_timeout: Duration::ZERO,
            scrape_protocols: None,
            evaluation_interval: Duration::ZERO,
            rule_query_offset: Duration::ZERO,
            query_log_file: String::new(),
            scrape_failure_log_file: String::new(),
            external_labels: BTreeMap::new(),
            body_size_limit: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: NameScheme::Utf8,
            metric_name_escaping_scheme: None,
            scrape_native_histograms: false,
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            extra_scrape_metrics: false,
        }
    }
}

/// One job. Once the configuration is loaded, every option holds what is in force: its own or that of `global`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScrapeConfig {
    /// Value of the label `job`; unique.
    pub job_name: String,
    /// Whether labels of the page win over those of the target.
    pub honor_labels: bool,
    /// Whether timestamps of the page are taken.
    pub honor_timestamps: bool,
    /// Whether series with timestamps of the page go stale when they disappear.
    pub track_timestamps_staleness: bool,
    /// Parameters of the query in the address of the page.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Vec<String>>,
    /// Time between two scrapes.
    #[serde(with = "duration")]
    pub scrape_interval: Duration,
    /// How long a scrape may take, at most the interval.
    #[serde(with = "duration")]
    pub scrape_timeout: Duration,
    /// Formats that are asked for, best first. Never `None` once loaded: see [`ScrapeConfig::protocols`].
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// The format of a page that does not say which it is; without it such a page is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    /// Whether native histograms are taken. Never `None` once loaded.
    pub scrape_native_histograms: Option<bool>,
    /// Whether a classic histogram is taken where there is also a native one. Never `None` once loaded.
    pub always_scrape_classic_histograms: Option<bool>,
    /// Whether classic histograms become native ones with custom buckets. Never `None` once loaded.
    pub convert_classic_histograms_to_nhcb: Option<bool>,
    /// File that failed scrapes are logged to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scrape_failure_log_file: String,
    /// Path of the page.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Whether a compressed page is asked for.
    pub enable_compression: bool,
    /// Bytes of an uncompressed page; 0 is no limit.
    #[serde(with = "bytes", skip_serializing_if = "is_zero_bytes")]
    pub body_size_limit: i64,
    /// Samples of a scrape after relabelling; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub sample_limit: u64,
    /// Targets after relabelling; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub target_limit: u64,
    /// Labels of a series; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_limit: u64,
    /// Bytes of the name of a label; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_name_length_limit: u64,
    /// Bytes of the value of a label; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_value_length_limit: u64,
    /// Buckets of a native histogram: beyond it they are merged; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub native_histogram_bucket_limit: u64,
    /// Least factor between the bounds of a native histogram: below it buckets are merged; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero_factor")]
    pub native_histogram_min_bucket_factor: f64,
    /// Dropped targets that are remembered for the targets page; 0 is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub keep_dropped_targets: u64,
    /// Which names are valid. Never `None` once loaded: see [`ScrapeConfig::names`].
    pub metric_name_validation_scheme: Option<NameScheme>,
    /// How targets are asked to write other names. Never `None` once loaded: see [`ScrapeConfig::escaping`].
    pub metric_name_escaping_scheme: Option<EscapingScheme>,
    /// Whether `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes` are written too. Never `None` once loaded.
    pub extra_scrape_metrics: Option<bool>,
    /// Where targets are found.
    #[serde(rename = "$sd")]
    pub discovery: DiscoveryConfigs,
    /// How targets are asked.
    #[serde(rename = "$http")]
    pub http: HttpClientConfig,
    /// Rules for targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relabel_configs: Vec<RelabelConfig>,
    /// Rules for series.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metric_relabel_configs: Vec<RelabelConfig>,
}

impl Default for ScrapeConfig {
    fn default() -> Self {
        Self {
            job_name: String::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            params: BTreeMap::new(),
            scrape_interval: Duration::ZERO,
            scrape_timeout: Duration::ZERO,
            scrape_protocols: None,
            fallback_scrape_protocol: None,
            scrape_native_histograms: None,
            always_scrape_classic_histograms: None,
            convert_classic_histograms_to_nhcb: None,
            scrape_failure_log_file: String::new(),
            metrics_path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            enable_compression: true,
            body_size_limit: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: None,
            metric_name_escaping_scheme: None,
            extra_scrape_metrics: None,
            discovery: DiscoveryConfigs::default(),
            http: HttpClientConfig::default(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
        }
    }
}

impl ScrapeConfig {
    /// The job as YAML with everything that is in force; secrets show as `<secret>`.
    pub fn to_yaml(&self) -> String {
        render::yaml(self)
    }

    /// Formats that are asked for, best first.
    pub fn protocols(&self) -> &[ScrapeProtocol] {
        self.scrape_protocols.as_deref().unwrap_or(&ScrapeProtocol::DEFAULT)
    }

    /// Whether native histograms are taken.
    pub fn takes_native_histograms(&self) -> bool {
        self.scrape_native_histograms.unwrap_or(false)
    }

    /// Whether a classic histogram is taken where there is also a native one.
    pub fn always_takes_classic_histograms(&self) -> bool {
        self.always_scrape_classic_histograms.unwrap_or(false)
    }

    /// Whether classic histograms become native ones with custom buckets.
    pub fn converts_classic_histograms(&self) -> bool {
        self.convert_classic_histograms_to_nhcb.unwrap_or(false)
    }

    /// Whether the further `scrape_*` series are written.
    pub fn writes_extra_metrics(&self) -> bool {
        self.extra_scrape_metrics.unwrap_or(false)
    }

    /// Which names are valid.
    pub fn names(&self) -> NameScheme {
        self.metric_name_validation_scheme.unwrap_or_default()
    }

    /// How targets are asked to write other names.
    pub fn escaping(&self) -> EscapingScheme {
        self.metric_name_escaping_scheme.unwrap_or(EscapingScheme::AllowUtf8)
    }

    /// Bytes of an uncompressed page, if there is a limit.
    pub fn body_bytes_max(&self) -> Option<u64> {
        u64::try_from(self.body_size_limit).ok().filter(|bytes| *bytes > 0)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero_bytes(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero_factor(number: &f64) -> bool {
    *number == 0.0
}
