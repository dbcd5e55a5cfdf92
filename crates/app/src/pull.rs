//! Scraping as the server runs it: what `prometheus.yml` says goes to the crates it is about, and the API sees the targets.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use signalbox_api::prometheus::{ActiveTarget, RelabelStep, TargetPool, TargetSource};
use signalbox_model::{Clock, Labels, MetricMetadata, Result};
use signalbox_scrape::config::{PrometheusConfig, show_duration};
use signalbox_scrape::{PoolView, Scraping, TargetView};

use crate::config::{self, Config};
use crate::prometheus::{self, Loaded};

/// What a target means that is on this machine.
const LOCAL: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Reads the `prometheus.yml` of the settings; what an empty one says if there is none.
///
/// # Errors
/// `Invalid` with what is wrong in it or not supported.
pub(crate) fn load(file: &Path, clock: &Arc<dyn Clock>) -> Result<Loaded> {
    if file.as_os_str().is_empty() {
        return Ok(Loaded { config: PrometheusConfig::default(), rule_files: Vec::new(), notes: Vec::new() });
    }
    let loaded = prometheus::load(file, config::environment, clock)?;
    for note in &loaded.notes {
        tracing::warn!("{}: {note}", file.display());
    }
    Ok(loaded)
}

/// Gives what `prometheus.yml` says of rules and of this server to those whose business it is.
pub(crate) fn share(loaded: &Loaded, config: &mut Config) {
    if !config.scrape.config_file.as_os_str().is_empty() {
        loaded.apply(&mut config.alert);
        config.api.prometheus.external_labels.extend(loaded.config.global.external_labels.clone());
    }
}

/// The targets, for the API.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) scraping: Arc<Scraping>,
    /// Whether there is a `prometheus.yml`.
    pub(crate) has_config: bool,
    /// Name of this machine, for targets on it.
    pub(crate) hostname: String,
}

impl TargetSource for Targets {
    fn pools(&self) -> Vec<TargetPool> {
        let pool = |pool: PoolView| TargetPool {
            active: pool.active.into_iter().map(|target| self.active(target)).collect(),
            name: pool.name,
            dropped: pool.dropped,
            dropped_count: pool.dropped_count,
        };
        self.scraping.pools().into_iter().map(pool).collect()
    }

    fn metadata(&self, family: Option<&str>) -> Vec<(Labels, Vec<MetricMetadata>)> {
        let of_target = |target: TargetView| {
            let families = target.metadata.lock();
            let known = families.iter().filter(|(name, _)| family.is_none_or(|family| family == name.as_str()));
            let mut known: Vec<MetricMetadata> = known
                .map(|(name, known)| MetricMetadata { name: name.clone(), kind: known.kind, help: known.help.clone(), unit: known.unit.clone() })
                .collect();
            known.sort_by(|left, right| left.name.cmp(&right.name));
            (target.target.labels.clone(), known)
        };
        self.scraping.pools().into_iter().flat_map(|pool| pool.active).map(of_target).collect()
    }

    fn relabel_steps(&self, pool: &str, labels: &Labels) -> Option<Vec<RelabelStep>> {
        let step = |step: signalbox_scrape::RelabelStep| RelabelStep {
            rule: serde_json::to_value(&step.rule).unwrap_or(Value::Null),
            output: step.output,
            is_kept: step.is_kept,
        };
        Some(self.scraping.relabel_steps(pool, labels)?.into_iter().map(step).collect())
    }

    fn pool_yaml(&self, pool: &str) -> Option<String> {
        self.scraping.job_yaml(pool)
    }

    fn config_yaml(&self) -> Option<String> {
        self.has_config.then(|| self.scraping.config_yaml())
    }
}

impl Targets {
    fn active(&self, view: TargetView) -> ActiveTarget {
        let TargetView { target, health, .. } = view;
        ActiveTarget {
            discovered: target.discovered.clone(),
            labels: target.labels.clone(),
            global_url: global_url(&target.url, &self.hostname),
            url: target.url.clone(),
            is_up: health.is_up,
            last_error: health.last_error,
            last_scrape_ms: health.last_scrape_ms,
            last_duration: health.last_duration,
            interval: show_duration(target.interval),
            timeout: show_duration(target.timeout),
        }
    }
}

/// An address as somebody on another machine must write it.
fn global_url(url: &str, hostname: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let local = LOCAL.iter().find_map(|local| rest.strip_prefix(local).filter(|after| after.is_empty() || after.starts_with([':', '/', '?'])));
    match local {
        Some(after) if !hostname.is_empty() => format!("{scheme}://{hostname}{after}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_targets_have_the_name_of_the_machine_for_others() {
        for (url, want) in [
            ("http://localhost:9100/metrics", "http://box:9100/metrics"),
            ("https://127.0.0.1/x", "https://box/x"),
            ("http://[::1]:1/metrics", "http://box:1/metrics"),
            ("http://localhost.example:1/metrics", "http://localhost.example:1/metrics"),
            ("http://other:1/metrics", "http://other:1/metrics"),
        ] {
            assert_eq!(global_url(url, "box"), want);
        }
        assert_eq!(global_url("http://localhost:1/", ""), "http://localhost:1/");
    }
}
