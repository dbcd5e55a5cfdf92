//! Alerts in the database whose rule is gone: who was told that they fire must be told that they are over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_meta::{AlertChanges, HistoryEvent, HistoryNote, Pairs, StoredGroup};
use signalbox_model::{Labels, Result};
use signalbox_notify::message::fingerprint;

use crate::evaluate::{pairs, restore, rule_keys, store, with_external};
use crate::expand::ALERT_NAME;
use crate::group::Notice;
use crate::rule_file::Group;
use crate::state::{State, resolve};
use crate::world::World;

/// Ends the alerts of rules that are gone, and forgets them when they have been over for long enough. Returns what may be told.
///
/// # Errors
/// Of the database; then nothing may be told.
pub(crate) async fn settle(stored: &[StoredGroup], in_force: &[Arc<Group>], world: &World, now_ms: i64) -> Result<Vec<Notice>> {
    let current: BTreeMap<(&str, &str), BTreeSet<String>> =
        in_force.iter().map(|group| ((group.file.as_str(), group.name.as_str()), rule_keys(&group.rules).into_iter().collect())).collect();
    let mut notices = Vec::new();
    for group in stored {
        let rules = current.get(&(group.file.as_str(), group.name.as_str()));
        let has_rule = |key: &str| rules.is_some_and(|rules| rules.contains(key));
        let mut changes =
            AlertChanges { file: group.file.clone(), name: group.name.clone(), evaluated_at_ms: group.evaluated_at_ms, ..AlertChanges::default() };
        let mut remaining = 0;
        for orphan in group.alerts.iter().filter(|alert| !has_rule(&alert.rule)) {
            let (labels, mut alert) = restore(orphan);
            let is_over_for_long = alert.resolved_at_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) > world.asker.retention_ms);
            if (alert.state == State::Pending && alert.resolved_at_ms.is_none()) || is_over_for_long {
                changes.gone.push((orphan.rule.clone(), orphan.labels.clone()));
                continue;
            }
            remaining += 1;
            if alert.state == State::Firing {
                resolve(&mut alert, now_ms);
                changes.history.push(ended(group, &with_external(&labels, &world.asker.external_labels), alert.value, now_ms));
                changes.upserts.push(store(&orphan.rule, &labels, &alert));
            }
            notices.extend(alert.fired_at_ms.map(|starts_at_ms| Notice {
                labels: with_external(&labels, &world.asker.external_labels),
                annotations: alert.annotations.clone(),
                is_late: alert.late_ms.is_some(),
                starts_at_ms,
                ends_at_ms: alert.resolved_at_ms,
                generator_url: format!("{}/ui/alerts", world.asker.external_url),
            }));
        }
        if rules.is_none() && remaining == 0 {
            world.parts.meta.forget_alert_group(&group.file, &group.name).await?;
        } else if !changes.upserts.is_empty() || !changes.gone.is_empty() {
            world.parts.meta.save_alerts(&changes).await?;
        }
    }
    Ok(notices)
}

/// That an alert is over because its rule is gone.
fn ended(group: &StoredGroup, labels: &Labels, value: f64, now_ms: i64) -> HistoryEvent {
    let labels: Pairs = pairs(labels);
    HistoryEvent {
        at_ms: now_ms,
        file: group.file.clone(),
        group: group.name.clone(),
        rule: labels.get(ALERT_NAME).cloned().unwrap_or_default(),
        fingerprint: Some(fingerprint(&labels)),
        labels,
        change: "resolved".to_owned(),
        state: State::Inactive.as_str().to_owned(),
        value: Some(value),
        note: HistoryNote { error: Some("its rule is gone".to_owned()), ..HistoryNote::default() },
        ..HistoryEvent::default()
    }
}
