//! The Alertmanagers of `prometheus.yml` as alerting tells them: found by `scrape`, told by `alert`.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_alert::{Alerting, Peer};
use signalbox_model::{Error, ErrorKind, Labels, Result};
use signalbox_notify::forward::Posted;
use signalbox_notify::retry::Failure;
use signalbox_scrape::config::PrometheusConfig;
use signalbox_scrape::{Alertmanager, Alertmanagers};
use tokio::task::JoinHandle;

use crate::config::Config;

/// One that was found.
#[derive(Debug)]
struct FoundPeer(Alertmanager);

#[async_trait]
impl Peer for FoundPeer {
    fn url(&self) -> &str {
        self.0.url()
    }

    fn labels<'a>(&self, labels: &'a Labels) -> Option<Cow<'a, Labels>> {
        self.0.relabel(labels)
    }

    async fn post(&self, alerts: &[Posted], _now_ns: i64) -> Result<(), Failure> {
        let json = serde_json::to_vec(alerts).map_err(|error| Failure::permanent(format!("cannot write alerts as JSON: {error}")))?;
        self.0.post(json).await.map_err(|error| match error.kind() {
            ErrorKind::Invalid => Failure::permanent(error.to_string()),
            _ => Failure::transient(error.to_string()),
        })
    }
}

/// Tells those that are found now from now on.
pub(crate) fn tell(alerting: &Alerting, alertmanagers: &Alertmanagers) {
    let found = alertmanagers.found().active.into_iter();
    alerting.forward_to(found.map(|one| (format!("alerting.alertmanagers {}", one.key), Arc::new(FoundPeer(one)) as Arc<dyn Peer>)).collect());
}

/// Follows what discovery finds, until it is aborted.
pub(crate) fn follow(alerting: Arc<Alerting>, alertmanagers: Arc<Alertmanagers>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            alertmanagers.changed().await;
            tell(&alerting, &alertmanagers);
        }
    })
}

/// The setting by which alerts are told to somebody else than the Alertmanagers of `prometheus.yml`, if there is one.
pub(crate) fn told_besides(config: &Config) -> Option<&'static str> {
    let settings = [
        ("alert.alertmanager_config_file", !config.alert.alertmanager_config_file.as_os_str().is_empty()),
        ("notify.receivers", !config.notify.receivers.is_empty()),
        ("alert.forward_to", !config.alert.forward_to.is_empty()),
    ];
    settings.into_iter().find(|(_, is_told)| *is_told).map(|(setting, _)| setting)
}

/// Refuses rules for alerts where somebody would be told without them.
///
/// # Errors
/// `Invalid` if `prometheus.yml` relabels all alerts and others are told as well.
pub(crate) fn check(prometheus: &PrometheusConfig, told_besides: Option<&str>) -> Result<()> {
    match told_besides {
        Some(setting) if !prometheus.alerting.alert_relabel_configs.is_empty() => Err(Error::invalid(format!(
            "cannot use alerting.alert_relabel_configs together with {setting}: they change alerts for the Alertmanagers of the same file only; \
             set alert_relabel_configs at each of alerting.alertmanagers instead"
        ))),
        _ => Ok(()),
    }
}
