//! What a valid configuration of Prometheus asks for and Signalbox does not do.
//!
//! Nothing is passed over: a section either works, or keeps the file from being used, or, where it only tunes the insides of
//! Prometheus and cannot change an answer, is told to be without effect.

use std::fmt;

use super::http::{HttpClientConfig, OAuth2, ProxyConfig, TlsConfig, TlsVersion};
use super::scrape::ScrapeConfig;
use super::{JWT_GRANT, PrometheusConfig};
use crate::discovery::DiscoveryConfigs;

/// What follows from a section that is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The configuration cannot be used: something would be missing.
    Refused,
    /// The section tunes what Signalbox does not have; nothing is missing.
    None,
}

/// A section or option that is not supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Where it stands: `scrape_configs[2].ec2_sd_configs`. Jobs of further files count on behind those of the main one.
    pub path: String,
    /// Why, or what to do instead.
    pub why: String,
    /// What follows.
    pub effect: Effect,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

pub(super) fn unsupported(config: &PrometheusConfig) -> Vec<Unsupported> {
    let mut found = Found(Vec::new());
    let defaults = PrometheusConfig::default();
    found.refuse_if(!config.global.query_log_file.is_empty(), "global.query_log_file", || {
        "queries are not logged to a file: slow ones are in the log, running ones under /api/v1/status".to_owned()
    });
    found.none_if(config.runtime != defaults.runtime, "runtime", "there is no runtime of Go to tune");
    for (index, manager) in config.alerting.alertmanagers.iter().enumerate() {
        let path = format!("alerting.alertmanagers[{index}]");
        found.refuse_if(manager.sigv4.is_some(), &format!("{path}.sigv4"), || "requests are not signed as Amazon wants it".to_owned());
        found.http(&path, &manager.http);
        found.discovery(&path, &manager.discovery);
    }
    for (index, job) in config.scrape_configs.iter().enumerate() {
        found.job(&format!("scrape_configs[{index}]"), job);
    }
    found.storage(config);
    found.refuse_if(config.tracing.is_some(), "tracing", || "Signalbox keeps its own traces itself: see `telemetry` in its own configuration".to_owned());
    found.refuse_if(!config.remote_write.is_empty(), "remote_write", || "samples are not sent on".to_owned());
    found.refuse_if(!config.remote_read.is_empty(), "remote_read", || "samples are not asked for elsewhere".to_owned());
    found.refuse_if(config.otlp != defaults.otlp, "otlp", || "set `receive.otlp.translation` in Signalbox's own configuration".to_owned());
    found.0
}

struct Found(Vec<Unsupported>);

impl Found {
    fn refuse_if(&mut self, is_asked: bool, path: &str, why: impl FnOnce() -> String) {
        if is_asked {
            self.0.push(Unsupported { path: path.to_owned(), why: why(), effect: Effect::Refused });
        }
    }

    fn none_if(&mut self, is_asked: bool, path: &str, why: &str) {
        if is_asked {
            self.0.push(Unsupported { path: path.to_owned(), why: format!("without effect: {why}"), effect: Effect::None });
        }
    }

    fn storage(&mut self, config: &PrometheusConfig) {
        let tsdb = &config.storage.tsdb;
        let elsewhere = || "set `store.retention.metrics` in Signalbox's own configuration".to_owned();
        self.refuse_if(!tsdb.retention.time.is_zero(), "storage.tsdb.retention.time", elsewhere);
        self.refuse_if(tsdb.retention.size != 0, "storage.tsdb.retention.size", elsewhere);
        self.refuse_if(tsdb.retention.percentage != 0.0, "storage.tsdb.retention.percentage", elsewhere);
        self.none_if(!tsdb.out_of_order_time_window.is_zero(), "storage.tsdb.out_of_order_time_window", "samples may come in any order");
        self.none_if(tsdb.stale_series_compaction_threshold != 0.0, "storage.tsdb.stale_series_compaction_threshold", "the store compacts by itself");
        self.none_if(!tsdb.chunk_encoding.floats.is_empty(), "storage.tsdb.chunk_encoding", "the store has encodings of its own");
        self.none_if(config.storage.exemplars.is_some(), "storage.exemplars", "exemplars are kept as long as samples");
    }

    fn job(&mut self, path: &str, job: &ScrapeConfig) {
        self.refuse_if(!job.scrape_failure_log_file.is_empty(), &format!("{path}.scrape_failure_log_file"), || {
            "failed scrapes are in the log and on the targets page, not in a file".to_owned()
        });
        self.http(path, &job.http);
        self.discovery(path, &job.discovery);
    }

    fn discovery(&mut self, path: &str, configs: &DiscoveryConfigs) {
        for unsupported in &configs.unsupported {
            self.refuse_if(true, &format!("{path}.{}", unsupported.key), || {
                "targets are found by static, file, http, dns and kubernetes discovery only".to_owned()
            });
        }
        for (index, config) in configs.https.iter().enumerate() {
            self.http(&format!("{path}.http_sd_configs[{index}]"), &config.http);
        }
        for (index, config) in configs.kubernetes.iter().enumerate() {
            self.http(&format!("{path}.kubernetes_sd_configs[{index}]"), &config.http);
        }
    }

    fn http(&mut self, path: &str, config: &HttpClientConfig) {
        let no_manager = || "there is no secret manager".to_owned();
        if let Some(basic) = &config.basic_auth {
            self.refuse_if(!basic.username_ref.is_empty(), &format!("{path}.basic_auth.username_ref"), no_manager);
            self.refuse_if(!basic.password_ref.is_empty(), &format!("{path}.basic_auth.password_ref"), no_manager);
        }
        let credentials_ref = config.authorization.as_ref().is_some_and(|section| !section.credentials_ref.is_empty());
        self.refuse_if(credentials_ref, &format!("{path}.authorization.credentials_ref"), no_manager);
        if let Some(oauth2) = &config.oauth2 {
            self.oauth2(&format!("{path}.oauth2"), oauth2);
        }
        self.tls(&format!("{path}.tls_config"), &config.tls_config);
        self.proxy(path, &config.proxy);
    }

    fn proxy(&mut self, path: &str, config: &ProxyConfig) {
        let is_socks = config.proxy_url.reveal().trim_start().to_ascii_lowercase().starts_with("socks");
        self.refuse_if(is_socks, &format!("{path}.proxy_url"), || "proxies are spoken to in HTTP, not in SOCKS".to_owned());
    }

    fn oauth2(&mut self, path: &str, config: &OAuth2) {
        self.refuse_if(config.grant_type == JWT_GRANT, &format!("{path}.grant_type"), || "only client credentials are supported".to_owned());
        self.refuse_if(!config.client_secret_ref.is_empty(), &format!("{path}.client_secret_ref"), || "there is no secret manager".to_owned());
        self.tls(&format!("{path}.tls_config"), &config.tls_config);
        self.proxy(path, &config.proxy);
    }

    fn tls(&mut self, path: &str, config: &TlsConfig) {
        for (key, reference) in [("ca_ref", &config.ca_ref), ("cert_ref", &config.cert_ref), ("key_ref", &config.key_ref)] {
            self.refuse_if(!reference.is_empty(), &format!("{path}.{key}"), || "there is no secret manager".to_owned());
        }
        let is_too_old = config.max_version.is_some_and(|version| version < TlsVersion::Tls12);
        self.refuse_if(is_too_old, &format!("{path}.max_version"), || "TLS below 1.2 is not spoken".to_owned());
    }
}
