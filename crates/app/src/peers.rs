//! The Alertmanagers of `prometheus.yml` as alerting tells them: found by `scrape`, told by `alert`.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_alert::relabel::Relabelling;
use signalbox_alert::{Alerting, Peer};
use signalbox_model::{ErrorKind, Labels};
use signalbox_notify::forward::Posted;
use signalbox_notify::retry::Failure;
use signalbox_scrape::config::PrometheusConfig;
use signalbox_scrape::relabel::{self, RelabelConfig};
use signalbox_scrape::{Alertmanager, Alertmanagers};
use tokio::task::JoinHandle;

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

/// What alerts of our own rules are told as by a `prometheus.yml`: here and by the Alertmanagers of the same file.
pub(crate) fn relabelling(prometheus: &PrometheusConfig) -> Relabelling {
    let rules: Arc<[RelabelConfig]> = prometheus.alerting.alert_relabel_configs.as_slice().into();
    match rules.is_empty() {
        true => Relabelling::default(),
        false => Relabelling::new(move |labels| relabel::apply(&rules, labels)),
    }
}
