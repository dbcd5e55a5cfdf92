//! The Alertmanager inside, as its API asks it: alerts with what mutes them, groups, silences, alerts from other rulers.
//!
//! What must survive a crash is durable in `meta` before anybody is answered; the dispatcher's memory follows.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_meta::{Meta, OutsideAlert};
use signalbox_model::{Error, ErrorKind, Labels, Result};

use crate::Alerting;
use crate::dispatch::Dispatcher;
use crate::evaluate::pairs;
use crate::group::{AlertGroup, Notice};
use crate::mute::Muted;
use crate::routing::Route;
use crate::silence::{Limits, Silence};

/// Most alerts of a request, and of all other rulers together.
const OUTSIDE_ALERTS_MAX: usize = 100_000;
/// What the receiver of the one route is called where several are told, or none.
const EVERYBODY: &str = "notify.receivers";
/// How long an alert is said to go on that has no end of its own.
const ENDS_AFTER_MS: i64 = 5 * 60_000;

/// An alert that fires.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertView {
    /// The alert.
    pub notice: Notice,
    /// Until when it fires if nobody says more, milliseconds since the Unix epoch.
    pub ends_at_ms: i64,
    /// When it was last heard of, milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
    /// The receivers that its routes name.
    pub receivers: Vec<String>,
    /// What mutes it.
    pub muted: Muted,
}

/// A group of alerts that fire.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// The labels that its alerts share.
    pub labels: Labels,
    /// Key of its route.
    pub route: String,
    /// Who is told.
    pub receiver: String,
    /// Labels of its route, rendered.
    pub route_labels: BTreeMap<String, String>,
    /// Time intervals that mute its route now.
    pub muted_by: Vec<String>,
    /// Its alerts.
    pub alerts: Vec<AlertView>,
}

/// An alert as another ruler sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct PostedAlert {
    /// Labels; those without a value are none.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// When it began, milliseconds since the Unix epoch; now or its end, if nothing is said.
    pub starts_at_ms: Option<i64>,
    /// When it ends or ended, milliseconds since the Unix epoch; after the time to resolve, if nothing is said.
    pub ends_at_ms: Option<i64>,
    /// Where to look at its expression.
    pub generator_url: String,
}

impl Alerting {
    /// All alerts that fire, by labels.
    pub async fn alerts(&self) -> Vec<AlertView> {
        let now_ms = self.now_ms();
        let dispatcher = self.dispatcher().await;
        dispatcher.firing.values().map(|notice| view(&dispatcher, notice, now_ms)).collect()
    }

    /// All groups with alerts that fire, by route and labels.
    pub async fn groups(&self) -> Vec<GroupView> {
        let now_ms = self.now_ms();
        let dispatcher = self.dispatcher().await;
        let shown = |group: &AlertGroup| GroupView {
            labels: group.labels.clone(),
            route: group.route.key.clone(),
            receiver: shown(&dispatcher, &group.route),
            route_labels: dispatcher.route_labels(&group.route, &group.labels, group.members().filter(|notice| notice.ends_at_ms.is_none()), now_ms),
            muted_by: dispatcher.muting.of_route(&group.route, now_ms).into_iter().collect(),
            alerts: group.members().filter(|notice| notice.ends_at_ms.is_none()).map(|notice| view(&dispatcher, notice, now_ms)).collect(),
        };
        dispatcher.groups.iter().map(shown).filter(|group| !group.alerts.is_empty()).collect()
    }

    /// The `alertmanager.yml` in force, without secrets; of a server without one, its one route.
    pub fn alertmanager_yaml(&self) -> String {
        if let Some(original) = self.original() {
            return without_secrets(&original.text);
        }
        let (settings, names) = (self.settings(), self.receiver_names());
        let group_by: Vec<String> = settings.group_by.iter().map(|name| format!("{name:?}")).collect();
        let everybody = everybody(&names);
        let others = names.iter().filter(|name| **name != everybody);
        let receivers: String = std::iter::once(&everybody).chain(others).map(|name| format!("  - name: {name:?}\n")).collect();
        format!(
            "route:\n  receiver: {everybody:?}\n  group_by: [{}]\n  group_wait: {}s\n  group_interval: {}s\n  repeat_interval: {}s\nreceivers:\n{receivers}",
            group_by.join(", "),
            settings.group_wait_seconds,
            settings.group_interval_seconds,
            settings.repeat_interval_seconds
        )
    }

    /// All silences that are known, by id.
    pub async fn silences(&self) -> Vec<Silence> {
        self.dispatcher().await.muting.silences.all()
    }

    /// Sets a silence; with the id of one that is known, changes or replaces it. Durable on return. Answers the id.
    ///
    /// # Errors
    /// `Invalid` for a silence that makes no sense, is too large or is one too many, `NotFound` for an id that nobody knows, and of
    /// the database.
    pub async fn set_silence(&self, silence: Silence) -> Result<String> {
        let now_ms = self.now_ms();
        let limits = self.settings().silence_limits();
        self.dispatcher().await.set_silence(silence, limits, self.meta(), now_ms).await
    }

    /// Ends a silence now, unless it is over. Durable on return.
    ///
    /// # Errors
    /// `NotFound` for an id that nobody knows, and of the database.
    pub async fn expire_silence(&self, id: &str) -> Result<()> {
        let now_ms = self.now_ms();
        self.dispatcher().await.expire_silence(id, self.meta(), now_ms).await
    }

    /// Takes alerts of another ruler. Durable on return.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with some; the others are taken. `Limit` for too many, and of the database.
    pub async fn post(&self, mut alerts: Vec<PostedAlert>) -> Result<()> {
        let now_ms = self.now_ms();
        if let Some(original) = self.original() {
            let ends_at_ms = now_ms.saturating_add(original.resolve_timeout_ms);
            for alert in &mut alerts {
                alert.ends_at_ms.get_or_insert(ends_at_ms);
            }
        }
        let posted = self.dispatcher().await.post(alerts, self.meta(), now_ms).await;
        self.news();
        posted
    }
}

impl Dispatcher {
    /// See [`Alerting::set_silence`].
    pub(crate) async fn set_silence(&mut self, silence: Silence, limits: Limits, meta: &Meta, now_ms: i64) -> Result<String> {
        let silences = &self.muting.silences;
        let earlier = match silence.id.is_empty() {
            true => None,
            false => Some(silences.get(&silence.id).ok_or_else(not_found)?),
        };
        let kept = silence.set(earlier.as_ref(), new_id, now_ms)?;
        limits.check(&kept, silences)?;
        let stored: Vec<_> = kept.iter().map(Silence::to_stored).collect();
        meta.save_silences(&stored).await?;
        let id = kept.last().map(|silence| silence.id.clone()).unwrap_or_default();
        self.muting.silences.put(kept);
        Ok(id)
    }

    /// See [`Alerting::expire_silence`].
    pub(crate) async fn expire_silence(&mut self, id: &str, meta: &Meta, now_ms: i64) -> Result<()> {
        let silence = self.muting.silences.get(id).ok_or_else(not_found)?;
        if let Some(ended) = silence.expire(now_ms) {
            meta.save_silences(&[ended.to_stored()]).await?;
            self.muting.silences.put([ended]);
        }
        Ok(())
    }

    /// See [`Alerting::post`].
    pub(crate) async fn post(&mut self, alerts: Vec<PostedAlert>, meta: &Meta, now_ms: i64) -> Result<()> {
        let (mut good, mut problems) = (Vec::new(), Vec::new());
        for alert in alerts {
            match outside(alert, now_ms) {
                Ok(alert) => good.push(alert),
                Err(error) => problems.push(error.message().to_owned()),
            }
        }
        if self.outside.len() + good.len() > OUTSIDE_ALERTS_MAX {
            return Err(Error::limit(format!("cannot take more alerts: found {}: want at most {OUTSIDE_ALERTS_MAX}", self.outside.len())));
        }
        // What has ended by now is another episode than what is posted.
        self.end_outside(now_ms);
        for alert in &mut good {
            merge(alert, self.outside.get(&Labels::from_pairs(&alert.labels)), now_ms);
        }
        meta.save_outside_alerts(&good).await?;
        self.hear(good, now_ms);
        if problems.is_empty() { Ok(()) } else { Err(Error::invalid(problems.join("\n"))) }
    }
}

/// Who is told of a route. The one route of a server without `alertmanager.yml` names nobody: it is for all receivers of the settings.
fn told(dispatcher: &Dispatcher, route: &Route) -> Vec<String> {
    if !route.receiver.is_empty() {
        return vec![route.receiver.clone()];
    }
    let targets = dispatcher.plan.targets(&route.receiver).iter().map(|target| target.receiver.clone());
    targets.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The receiver of a route as it is shown.
fn shown(dispatcher: &Dispatcher, route: &Route) -> String {
    if route.receiver.is_empty() { everybody(&told(dispatcher, route)) } else { route.receiver.clone() }
}

/// A name for all of them: files have a name at every route.
fn everybody(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        _ => EVERYBODY.to_owned(),
    }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "silence not found")
}

fn view(dispatcher: &Dispatcher, notice: &Notice, now_ms: i64) -> AlertView {
    let outside = dispatcher.outside.get(&notice.labels);
    AlertView {
        ends_at_ms: outside.map_or(now_ms.saturating_add(ENDS_AFTER_MS), |alert| alert.ends_at_ms),
        updated_at_ms: outside.map_or(now_ms, |alert| alert.updated_at_ms),
        receivers: dispatcher.plan.root.find(&notice.labels).into_iter().flat_map(|route| told(dispatcher, route)).collect(),
        muted: dispatcher.muted(&notice.labels, now_ms),
        notice: notice.clone(),
    }
}

/// Keys of `alertmanager.yml` whose values nobody should see.
const SECRET_KEYS: [&str; 12] =
    ["password", "secret", "token", "credentials", "api_key", "routing_key", "service_key", "user_key", "api_url", "url", "webhook_url", "key"];

/// The text with `<secret>` in place of values that may be secrets, without comments.
fn without_secrets(text: &str) -> String {
    let Ok(mut document) = serde_norway::from_str::<serde_norway::Value>(text) else { return String::new() };
    hide(&mut document);
    serde_norway::to_string(&document).unwrap_or_default()
}

fn hide(value: &mut serde_norway::Value) {
    use serde_norway::Value;
    match value {
        Value::Sequence(items) => items.iter_mut().for_each(hide),
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter_mut() {
                let is_secret = key.as_str().is_some_and(|key| SECRET_KEYS.iter().any(|secret| key == *secret || key.ends_with(&format!("_{secret}"))));
                match value {
                    Value::String(text) if is_secret => *text = "<secret>".to_owned(),
                    value => hide(value),
                }
            }
        }
        _ => {}
    }
}

/// A random UUID, version 4.
fn new_id() -> String {
    let random = rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{random:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// What Alertmanager makes of an alert that is posted.
fn outside(alert: PostedAlert, now_ms: i64) -> Result<OutsideAlert> {
    let labels: BTreeMap<String, String> = alert.labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if labels.is_empty() {
        return Err(Error::invalid("at least one label pair required"));
    }
    if labels.contains_key("") {
        return Err(Error::invalid("invalid label set: invalid name \"\""));
    }
    if alert.annotations.contains_key("") {
        return Err(Error::invalid("invalid annotations: invalid name \"\""));
    }
    let starts_at_ms = alert.starts_at_ms.unwrap_or_else(|| alert.ends_at_ms.map_or(now_ms, |ends_at_ms| ends_at_ms.min(now_ms)));
    let ends_at_ms = alert.ends_at_ms.unwrap_or(now_ms.saturating_add(ENDS_AFTER_MS));
    if ends_at_ms < starts_at_ms {
        return Err(Error::invalid("start time must be before end time"));
    }
    Ok(OutsideAlert { labels, annotations: alert.annotations, generator_url: alert.generator_url, starts_at_ms, ends_at_ms, updated_at_ms: now_ms })
}

/// An alert that overlaps what is known of it is the same episode: it began when that began. Also if another ruler says that it began
/// before, as one of a pair does: receivers know it as it was told first, and another beginning would be another page.
fn merge(alert: &mut OutsideAlert, known: Option<&OutsideAlert>, now_ms: i64) {
    if let Some(known) = known
        && known.ends_at_ms > now_ms
        && alert.starts_at_ms <= known.ends_at_ms
    {
        alert.starts_at_ms = known.starts_at_ms;
    }
}

/// An alert from outside as receivers see it: on until its end.
pub(crate) fn notice(alert: &OutsideAlert, now_ms: i64) -> Notice {
    Notice {
        is_late: false,
        labels: Labels::from_pairs(&alert.labels),
        annotations: Labels::from_pairs(&alert.annotations),
        starts_at_ms: alert.starts_at_ms,
        ends_at_ms: (alert.ends_at_ms <= now_ms).then_some(alert.ends_at_ms),
        generator_url: alert.generator_url.clone(),
    }
}

/// Labels as the API writes them.
pub fn label_pairs(labels: &Labels) -> BTreeMap<String, String> {
    pairs(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Plan;
    use crate::mute::Muting;
    use crate::routing::Route;

    /// Beginnings and ends.
    type Episodes = &'static [(i64, Option<i64>)];

    fn posted(starts_at_ms: Option<i64>, ends_at_ms: Option<i64>) -> PostedAlert {
        let labels = [("alertname".to_owned(), "Down".to_owned()), ("empty".to_owned(), String::new())].into();
        PostedAlert { labels, annotations: BTreeMap::new(), starts_at_ms, ends_at_ms, generator_url: String::new() }
    }

    fn times(starts_at_ms: Option<i64>, ends_at_ms: Option<i64>) -> Result<(i64, i64)> {
        outside(posted(starts_at_ms, ends_at_ms), 1_000_000).map(|alert| (alert.starts_at_ms, alert.ends_at_ms))
    }

    #[test]
    fn times_that_are_not_given_are_made_up_as_alertmanager_does() {
        assert_eq!(times(None, None).unwrap(), (1_000_000, 1_300_000));
        assert_eq!(times(Some(900_000), None).unwrap(), (900_000, 1_300_000));
        assert_eq!(times(None, Some(800_000)).unwrap(), (800_000, 800_000));
        assert_eq!(times(Some(900_000), Some(800_000)).unwrap_err().message(), "start time must be before end time");
        let labels = outside(posted(None, None), 0).unwrap().labels;
        assert_eq!(labels.len(), 1, "a label without a value is none");
        let nothing = PostedAlert { labels: BTreeMap::new(), ..posted(None, None) };
        assert_eq!(outside(nothing, 0).unwrap_err().message(), "at least one label pair required");
    }

    #[test]
    fn an_alert_that_goes_on_began_when_it_began() {
        let known = outside(posted(Some(900_000), Some(1_200_000)), 1_000_000).unwrap();
        let merged = |starts_at_ms, now_ms| {
            let mut alert = outside(posted(Some(starts_at_ms), Some(2_000_000)), now_ms).unwrap();
            merge(&mut alert, Some(&known), now_ms);
            alert.starts_at_ms
        };
        assert_eq!(merged(1_000_000, 1_000_000), 900_000);
        assert_eq!(merged(800_000, 1_000_000), 900_000, "the other one of a pair saw it earlier");
        assert_eq!(merged(1_250_000, 1_250_000), 1_250_000, "it had ended");
    }

    #[tokio::test]
    async fn an_alert_that_goes_on_as_another_episode_is_over_as_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
        let plan = Plan::flat(Route::root(String::new()), Vec::new());
        let mut dispatcher = Dispatcher::new(plan, Muting::default(), String::new());
        let steps: [(i64, i64, i64, Episodes); 4] = [
            (1_000_000, 900_000, 1_200_000, &[(900_000, None)]),
            // Past its end before that was noticed: another one.
            (1_200_000, 903_000, 1_500_000, &[(900_000, Some(1_200_000)), (903_000, None)]),
            // The other one of a pair: the same.
            (1_300_000, 900_000, 1_500_000, &[(900_000, Some(1_200_000)), (903_000, None)]),
            // It begins after it ends, says a clock that goes wrong.
            (1_400_000, 1_600_000, 1_700_000, &[(900_000, Some(1_200_000)), (903_000, Some(1_400_000)), (1_600_000, None)]),
        ];
        for (now_ms, starts_at_ms, ends_at_ms, expected) in steps {
            dispatcher.post(vec![posted(Some(starts_at_ms), Some(ends_at_ms))], &meta, now_ms).await.unwrap();
            let members = dispatcher.groups.iter().flat_map(AlertGroup::members).map(|notice| (notice.starts_at_ms, notice.ends_at_ms));
            let mut members: Vec<_> = members.collect();
            members.sort_unstable();
            assert_eq!(members, expected, "{now_ms}");
        }
    }

    #[test]
    fn what_is_shown_has_no_secrets() {
        let shown =
            without_secrets("global: {smtp_auth_password: hush, smtp_from: a@b}\nreceivers: [{name: r, webhook_configs: [{url: 'http://hush'}]}] # hush");
        assert!(!shown.contains("hush") && shown.contains("smtp_auth_password: <secret>") && shown.contains("smtp_from: a@b"), "{shown}");
    }

    #[test]
    fn ids_are_uuids() {
        let id = new_id();
        let shape: String = id.chars().map(|character| if character == '-' { '-' } else { 'x' }).collect();
        assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        assert!(id[14..].starts_with('4') && "89ab".contains(&id[19..20]), "{id}");
        assert_ne!(id, new_id());
    }
}
