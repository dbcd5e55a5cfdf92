//! Alerting as Alertmanager's API asks it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_alert::Alerting;
use signalbox_alert::alertmanager::{self, AlertView, GroupView};
use signalbox_alert::alertmanager_config::AlertmanagerConfig;
use signalbox_alert::explain::{Way, WayStep};
use signalbox_alert::preview::{self, ReceiverView, RouteMatch};
use signalbox_alert::routing::Route;
use signalbox_alert::silence::Silence;
use signalbox_api::alertmanager::{
    AlertDesk, DeskAlert, DeskChannel, DeskConfig, DeskGroup, DeskMatch, DeskPeers, DeskReceiver, DeskRoute, DeskSilence, DeskStep, DeskTimings, DeskWay,
    DeskWayStep, PostedAlert, ReceiverTest, Telling, TestAnswer,
};
use signalbox_lang::duration;
use signalbox_model::{Clock, Labels, Result};
use signalbox_notify::message::fingerprint;
use signalbox_notify::test::Outcome;
use signalbox_scrape::Alertmanagers;

/// The desk of a server.
#[derive(Debug)]
pub(crate) struct OwnAlerts {
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) alertmanagers: Arc<Alertmanagers>,
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

    async fn receivers(&self) -> Vec<DeskReceiver> {
        let channel = |(name, kind): (String, &'static str)| DeskChannel { name, kind };
        let show = |receiver: ReceiverView| DeskReceiver {
            name: receiver.name,
            labels: receiver.labels,
            channels: receiver.channels.into_iter().map(channel).collect(),
        };
        self.alerting.receivers().await.into_iter().map(show).collect()
    }

    async fn routes(&self) -> Result<DeskRoute> {
        Ok(show_route(&*self.alerting.routes().await))
    }

    async fn test_routes(&self, labels: &BTreeMap<String, String>) -> Result<Vec<DeskMatch>> {
        let matches = self.alerting.test_routes(&Labels::from_pairs(labels)).await;
        Ok(matches.into_iter().filter_map(show_match).collect())
    }

    async fn test_receiver(&self, test: ReceiverTest) -> Result<Vec<TestAnswer>> {
        let show = |outcome: Outcome| TestAnswer {
            channel: outcome.channel,
            ok: outcome.is_ok,
            answer: outcome.answer,
            retry_after_ms: outcome.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        };
        let outcomes = self.alerting.test_receiver(&test.receiver, &test.labels, &test.annotations).await?;
        Ok(outcomes.into_iter().map(show).collect())
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

    async fn told_as(&self, labels: &BTreeMap<String, String>) -> Option<(u64, BTreeMap<String, String>)> {
        self.alerting.told_as(&Labels::from_pairs(labels)).await.as_ref().map(named)
    }

    async fn telling(&self) -> Option<Telling> {
        self.alerting.telling().await.map(|told| Box::new(told) as Telling)
    }

    async fn aliased(&self, told: &BTreeMap<String, String>) -> Vec<(u64, BTreeMap<String, String>)> {
        let told = Labels::from_pairs(told);
        self.alerting.own_labels(&told).await.iter().filter(|own| **own != told).map(named).collect()
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

    async fn set_config(&self) -> Result<DeskConfig> {
        let config = self.alerting.alertmanager_config().await?;
        Ok(DeskConfig { template_files: config.templates, alertmanager_config: config.text })
    }

    async fn put_config(&self, config: DeskConfig) -> Result<()> {
        let config = AlertmanagerConfig { text: config.alertmanager_config, templates: config.template_files };
        self.alerting.set_alertmanager_config(config).await
    }

    async fn delete_config(&self) -> Result<()> {
        self.alerting.delete_alertmanager_config().await
    }

    fn alertmanagers(&self) -> DeskPeers {
        DeskPeers { active: self.alerting.alertmanagers(), dropped: self.alertmanagers.found().dropped }
    }

    fn config(&self) -> String {
        self.alerting.alertmanager_yaml()
    }
}

fn timings(route: &Route) -> DeskTimings {
    DeskTimings {
        group_by: preview::group_by(route),
        group_wait: duration::format_ms(route.wait_ms),
        group_interval: duration::format_ms(route.interval_ms),
        repeat_interval: duration::format_ms(route.repeat_ms),
    }
}

fn show_route(route: &Route) -> DeskRoute {
    DeskRoute {
        receiver: route.receiver.clone(),
        matchers: preview::matchers(route),
        continues: route.continues,
        timings: timings(route),
        mute_time_intervals: route.mute_intervals.clone(),
        active_time_intervals: route.active_intervals.clone(),
        labels: route.labels.clone(),
        routes: route.routes.iter().map(|below| show_route(below)).collect(),
    }
}

fn show_match(matched: RouteMatch) -> Option<DeskMatch> {
    let step = |route: &Arc<Route>| DeskStep { matchers: preview::matchers(route), receiver: route.receiver.clone(), continues: route.continues };
    let route = matched.way.last()?;
    Some(DeskMatch {
        receiver: route.receiver.clone(),
        path: matched.path,
        steps: matched.way.iter().map(step).collect(),
        group_key: matched.group_key,
        group_labels: alertmanager::label_pairs(&matched.group_labels),
        route_labels: matched.route_labels,
        timings: timings(route),
        is_muted_now: matched.is_muted,
        channels: matched.channels,
    })
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

fn named(labels: &Labels) -> (u64, BTreeMap<String, String>) {
    let labels = alertmanager::label_pairs(labels);
    (fingerprint(&labels), labels)
}

fn fingerprint_of(labels: &Labels) -> String {
    format!("{:016x}", fingerprint(&alertmanager::label_pairs(labels)))
}
