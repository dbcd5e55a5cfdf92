//! Reading files again while the server runs: `prometheus.yml` and rule files. What is wrong stays out, what is in force stays.

use std::path::PathBuf;
use std::sync::Arc;

use signalbox_alert::{Alerting, rule_file};
use signalbox_api::prometheus::Notices;
use signalbox_model::{Clock, Result};
use signalbox_scrape::config::PrometheusConfig;
use signalbox_scrape::{Alertmanagers, Scraping};
use signalbox_telemetry::{names, registry};
use tokio::sync::Mutex;

use crate::{peers, pull};

/// Reads files again, one time after the other.
#[derive(Debug)]
pub(crate) struct Reloader {
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) scraping: Arc<Scraping>,
    pub(crate) alertmanagers: Arc<Alertmanagers>,
    pub(crate) prometheus_file: PathBuf,
    /// Those of the own configuration.
    pub(crate) rule_files: Vec<String>,
    /// What is only read at the start.
    pub(crate) at_start: PrometheusConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) notices: Notices,
    pub(crate) one_at_a_time: Mutex<()>,
}

impl Reloader {
    /// Reads everything again.
    ///
    /// # Errors
    /// If a file is wrong; then nothing changes.
    pub(crate) async fn reload(&self) -> Result<()> {
        let _one = self.one_at_a_time.lock().await;
        let reloaded = self.try_reload().await;
        let outcome = if reloaded.is_ok() { "success" } else { "failure" };
        registry().counter(names::SCRAPE_RELOADS_TOTAL, &[("outcome", outcome)]).add(1);
        self.notices.reloaded(self.clock.now_ns(), reloaded.is_ok());
        reloaded
    }

    /// Reads only the rule files again.
    ///
    /// # Errors
    /// If one is wrong; then nothing changes.
    pub(crate) async fn reload_rules(&self) -> Result<()> {
        let _one = self.one_at_a_time.lock().await;
        self.alerting.reload_rules().await
    }

    async fn try_reload(&self) -> Result<()> {
        let loaded = pull::load(&self.prometheus_file, &self.clock)?;
        let rule_files = [self.rule_files.as_slice(), loaded.rule_files.as_slice()].concat();
        let prometheus = loaded.config;
        // Rules that are wrong must not be found after the targets have changed.
        rule_file::load_all(&rule_files)?;
        self.alerting.check()?;
        let (new, old) = (&prometheus.global, &self.at_start.global);
        let is_same =
            new.evaluation_interval == old.evaluation_interval && new.external_labels == old.external_labels && new.rule_query_offset == old.rule_query_offset;
        if !is_same {
            tracing::warn!("evaluation_interval, rule_query_offset and external_labels of {} take effect at the next start", self.prometheus_file.display());
        }
        self.alertmanagers.apply(&prometheus)?;
        peers::tell(&self.alerting, &self.alertmanagers);
        self.alerting.relabel(peers::relabelling(&prometheus)).await;
        self.scraping.apply(prometheus)?;
        self.alerting.reload_files(&rule_files).await
    }
}
