//! `prometheus.yml`: from the file to what the server does with it, and what `signalbox check` says of it. Both take the same
//! way, so that both say the same.

use std::path::Path;
use std::sync::Arc;

use signalbox_model::{Clock, Error, Result};
use signalbox_scrape::client;
use signalbox_scrape::config::{Effect, PrometheusConfig};

/// A `prometheus.yml` of which everything can be done.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: PrometheusConfig,
    /// Patterns of rule files of which each finds a file.
    pub rule_files: Vec<String>,
    /// What has no effect, each with its path, for people.
    pub notes: Vec<String>,
}

/// Whether a file means to be a `prometheus.yml`. One that cannot be read does not.
pub fn is_meant_by(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| PrometheusConfig::is_meant_by(&text))
}

/// Loads a file and makes sure that all it asks for can be done. The rules in the rule files are not looked at.
///
/// # Errors
/// `Invalid` if Prometheus would not take it, if it asks for what is not supported, or if a certificate cannot be read.
pub fn load(file: &Path, environment: impl Fn(&str) -> Option<String>, clock: &Arc<dyn Clock>) -> Result<Loaded> {
    let config = PrometheusConfig::load(file, environment)?;
    // The text holds what the source would say again.
    let about_file = |error: Error| Error::invalid(format!("cannot use {}: {error}", file.display()));
    config.ensure_supported().map_err(about_file)?;
    client::check(&config, clock).map_err(about_file)?;
    let mut notes: Vec<String> = config.unsupported().iter().filter(|one| one.effect == Effect::None).map(ToString::to_string).collect();
    let mut rule_files = Vec::new();
    for pattern in &config.rule_files {
        // As in Prometheus a pattern may find nothing; a path that finds nothing is worth a word.
        let finds = glob::glob(pattern).is_ok_and(|mut paths| paths.any(|path| path.is_ok()));
        if finds {
            rule_files.push(pattern.clone());
        } else if !pattern.contains(['*', '?', '[']) {
            notes.push(format!("rule_files: {pattern} does not exist"));
        }
    }
    Ok(Loaded { config, rule_files, notes })
}

impl Loaded {
    /// Adds what it says about rules to the settings of alerting: files, intervals, external labels.
    pub fn apply(&self, alert: &mut signalbox_alert::Settings) {
        let global = &self.config.global;
        alert.rule_files.extend(self.rule_files.iter().cloned());
        alert.evaluation_interval_seconds = global.evaluation_interval.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        alert.query_offset_seconds = global.rule_query_offset.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        alert.external_labels.extend(global.external_labels.clone());
    }
}
