//! Alerting as Alertmanager's API asks it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_alert::Alerting;
use signalbox_alert::alertmanager::{self, AlertView, GroupView};
use signalbox_alert::explain::{Way, WayStep};
use signalbox_alert::silence::Silence;
use signalbox_api::alertmanager::{AlertDesk, DeskAlert, DeskGroup, DeskSilence, DeskWay, DeskWayStep, PostedAlert};
use signalbox_model::{Clock, Labels, Result};
use signalbox_notify::message::fingerprint;

/// The desk of a server.
#[derive(Debug)]
pub(crate) struct OwnAlerts {
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl AlertDesk for OwnAlerts {
    async fn alerts(&self) -> Vec<DeskAlert> {
        self.alerting.alerts().await.into_iter().map(|alert| show(alert, &[])).collect()
    }

    async fn groups(&self) -> Vec<DeskGroup> {
        let show_group = |group: GroupView| DeskGroup {
            labels: alertmanager::label_pairs(&group.labels),
            route_labels: group.route_labels,
            receiver: group.receiver,
            alerts: group.alerts.into_iter().map(|alert| show(alert, &group.muted_by)).collect(),
        };
        self.alerting.groups().await.into_iter().map(show_group).collect()
    }

    async fn post(&self, alerts: Vec<PostedAlert>) -> Result<()> {
        let taken = |alert: PostedAlert| alertmanager::PostedAlert {
            labels: alert.labels,
            annotations: alert.annotations,
            starts_at_ms: alert.starts_at_ms,
            ends_at_ms: alert.ends_at_ms,
            generator_url: alert.generator_url,
        };
        self.alerting.post(alerts.into_iter().map(taken).collect()).await
    }

    async fn receivers(&self) -> Vec<String> {
        self.alerting.receivers().await
    }

    async fn ways(&self, labels: &BTreeMap<String, String>) -> Vec<DeskWay> {
        let step = |step: WayStep| DeskWayStep { matchers: step.matchers, receiver: step.receiver, continues: step.continues };
        let show_way = |way: Way| DeskWay {
            steps: way.steps.into_iter().map(step).collect(),
            receiver: way.receiver,
            group_key: way.group_key,
            group_by: way.group_by,
            wait_ms: way.wait_ms,
            interval_ms: way.interval_ms,
            repeat_ms: way.repeat_ms,
        };
        self.alerting.ways(&Labels::from_pairs(labels)).await.into_iter().map(show_way).collect()
    }

    async fn silences(&self) -> Vec<DeskSilence> {
        let now_ms = self.clock.now_ms();
        let show_silence = |silence: Silence| DeskSilence {
            state: silence.phase(now_ms).as_str(),
            id: silence.id,
            matchers: silence.matchers,
            starts_at_ms: silence.starts_at_ms,
            ends_at_ms: silence.ends_at_ms,
            updated_at_ms: silence.updated_at_ms,
            created_by: silence.created_by,
            comment: silence.comment,
            annotations: silence.annotations,
        };
        self.alerting.silences().await.into_iter().map(show_silence).collect()
    }

    async fn set_silence(&self, silence: DeskSilence) -> Result<String> {
        let silence = Silence {
            id: silence.id,
            matchers: silence.matchers,
            starts_at_ms: silence.starts_at_ms,
            ends_at_ms: silence.ends_at_ms,
            updated_at_ms: silence.updated_at_ms,
            created_by: silence.created_by,
            comment: silence.comment,
            annotations: silence.annotations,
        };
        self.alerting.set_silence(silence).await
    }

    async fn expire_silence(&self, id: &str) -> Result<()> {
        self.alerting.expire_silence(id).await
    }

    fn config(&self) -> String {
        self.alerting.alertmanager_yaml()
    }
}

fn show(alert: AlertView, muted_by: &[String]) -> DeskAlert {
    let labels = alertmanager::label_pairs(&alert.notice.labels);
    DeskAlert {
        fingerprint: fingerprint_of(&alert.notice.labels),
        labels,
        annotations: alertmanager::label_pairs(&alert.notice.annotations),
        starts_at_ms: alert.notice.starts_at_ms,
        ends_at_ms: alert.ends_at_ms,
        updated_at_ms: alert.updated_at_ms,
        generator_url: alert.notice.generator_url,
        receivers: alert.receivers,
        silenced_by: alert.muted.silenced_by,
        inhibited_by: alert.muted.inhibited_by.iter().map(fingerprint_of).collect(),
        muted_by: muted_by.to_vec(),
    }
}

fn fingerprint_of(labels: &Labels) -> String {
    format!("{:016x}", fingerprint(&alertmanager::label_pairs(labels)))
}
