//! One group of rules and its evaluations: rules one after another, each written before the next is asked, so that a rule sees
//! what those before it found. Then the state is made durable, and only then may anybody be told: a crash in between tells late,
//! never twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use signalbox_lang::duration::format_ms;
use signalbox_meta::{AlertChanges, HistoryEvent, Pairs, StoredAlert, StoredGroup};
use signalbox_model::{Error, Labels, Result};

use crate::catch_up::{Late, Next, next};
use crate::evaluation::{Evaluation, Occasion, evaluate};
use crate::group::Notice;
use crate::history;
use crate::link::generator_url;
use crate::pace::Names;
use crate::record::{self, Sample};
use crate::rule_file::{Group, Rule, RuleKind};
use crate::schedule::Slots;
use crate::state::{Alert, Alerts, Change, State};
use crate::status;
use crate::world::World;

/// After an outage longer than this, pending alerts start over: what was before is no evidence any more.
const OUTAGE_MAX_MS: i64 = 3_600_000;
/// Senders that waited for the server have at most this long before it makes up for what it missed.
const GRACE_MAX_MS: i64 = 60_000;

/// A group with what its evaluations have found.
#[derive(Debug)]
pub(crate) struct Evaluator {
    pub(crate) group: Arc<Group>,
    pub(crate) slots: Slots,
    /// What it reads and writes.
    names: Arc<Names>,
    pub(crate) query_offset_ms: i64,
    pub(crate) rules: Vec<RuleState>,
    /// The slot that was evaluated last, or the one before the group came to be.
    last_ms: i64,
    /// The slot up to which the database knows everything.
    durable_ms: i64,
    /// Before this instant what was missed is not made up: senders that waited for the server have a moment to say what they have.
    resumes_at_ms: i64,
    /// While the group makes up for what it missed.
    late: Option<Late>,
    pub(crate) evaluated: Evaluated,
    /// What may be told as soon as the state is durable.
    untold: BTreeMap<u64, Notice>,
    /// What is to be remembered and is not in the database.
    unsaved: Vec<HistoryEvent>,
}

/// When an evaluation was, and how it went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evaluated {
    pub(crate) at_ns: Option<i64>,
    pub(crate) took: Duration,
    pub(crate) error: Option<String>,
}

/// What a rule found.
#[derive(Debug, Default)]
pub(crate) struct RuleState {
    /// The rule among those of its group, whatever their order.
    pub(crate) key: String,
    pub(crate) alerts: Alerts,
    /// The alerts as they are in the database.
    saved: Alerts,
    /// Alerts of which the database may know something else: it failed, and may have taken what was written all the same.
    doubtful: BTreeSet<Labels>,
    /// Series that the latest evaluation wrote.
    pub(crate) written: BTreeSet<Labels>,
    pub(crate) evaluated: Evaluated,
}

/// Rules of a group by name and labels; equal ones are counted.
pub(crate) fn rule_keys(rules: &[Rule]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let key = |rule: &Rule| {
        let name = format!("{}{}", rule.name, rule.labels);
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}#{count}") }
    };
    rules.iter().map(key).collect()
}

impl Evaluator {
    /// A group as it was stored, ready for its next slot. Its alerts that fire, or are over and may not have been told, wait to be told.
    pub(crate) fn new(group: Group, stored: Option<&StoredGroup>, world: &World, now_ms: i64) -> Self {
        let slots = Slots::new(&group.file, &group.name, group.interval_ms.unwrap_or(world.interval_ms));
        let keys = rule_keys(&group.rules);
        let mut rules: Vec<RuleState> = keys.into_iter().map(|key| RuleState { key, ..RuleState::default() }).collect();
        let outage_max_ms = OUTAGE_MAX_MS.max(world.horizon_ms);
        let is_long_ago = stored.is_some_and(|stored| now_ms.saturating_sub(stored.evaluated_at_ms) > outage_max_ms);
        for alert in stored.map(|stored| stored.alerts.as_slice()).unwrap_or_default() {
            let Some(rule) = rules.iter_mut().find(|rule| rule.key == alert.rule) else { continue };
            let (labels, state) = restore(alert);
            rule.saved.insert(labels.clone(), state.clone());
            match state.state {
                // What was before is no evidence any more; an earlier firing may have to be told to be over.
                State::Pending if is_long_ago && state.resolved_at_ms.is_none() => {}
                State::Pending if is_long_ago => {
                    rule.alerts.insert(labels, Alert { state: State::Inactive, ..state });
                }
                _ => {
                    rule.alerts.insert(labels, state);
                }
            }
        }
        for rule in &mut rules {
            let values = history::values(&rule.alerts, &BTreeMap::new(), &world.asker.external_labels);
            rule.written = record::alert_series(&rule.alerts).into_iter().chain(values).map(|sample| sample.labels).collect();
        }
        let query_offset_ms = group.query_offset_ms.unwrap_or(world.query_offset_ms);
        let last_ms = slots.at_or_before(now_ms);
        let mut evaluator = Self {
            slots,
            names: Arc::new(Names::of(&group)),
            query_offset_ms,
            rules,
            last_ms,
            durable_ms: last_ms,
            resumes_at_ms: last_ms,
            late: None,
            evaluated: Evaluated::default(),
            untold: BTreeMap::new(),
            unsaved: Vec::new(),
            group: Arc::new(group),
        };
        evaluator.untold = by_episode(evaluator.notices(world, |_| true));
        evaluator
    }

    /// Goes on after the slot that was evaluated before the server stopped: those since then were missed.
    pub(crate) fn go_on_after(&mut self, evaluated_at_ms: i64, now_ms: i64) {
        self.last_ms = self.slots.at_or_before(evaluated_at_ms.min(now_ms));
        self.durable_ms = self.last_ms;
        self.resumes_at_ms = (self.slots.at_or_before(now_ms) + self.slots.interval_ms()).min(now_ms + GRACE_MAX_MS);
    }

    /// Says to other groups which slot it evaluates next, if it makes up for what it missed.
    pub(crate) fn announce(&self, world: &World) {
        let next = self.after_last(world, world.parts.clock.now_ms()).filter(|next| next.behind > 0 || self.late.is_some());
        world.pace.is_at(&self.names, next.map(|next| next.at_ms), world.parts.clock.monotonic());
    }

    /// Other groups do not wait for it any more.
    pub(crate) fn leave(&self, world: &World) {
        world.pace.is_at(&self.names, None, world.parts.clock.monotonic());
    }

    /// Takes over what an earlier evaluator of the group knows and the database does not.
    pub(crate) fn inherit(&mut self, earlier: &Self) {
        for rule in &mut self.rules {
            let Some(before) = earlier.rules.iter().find(|before| before.key == rule.key) else { continue };
            rule.written.clone_from(&before.written);
            rule.evaluated = before.evaluated.clone();
            // What is in memory is newer than the database, which may have failed.
            rule.alerts.clone_from(&before.alerts);
            rule.saved.clone_from(&before.saved);
            rule.doubtful.clone_from(&before.doubtful);
        }
        self.untold.extend(earlier.untold.clone());
        self.evaluated = earlier.evaluated.clone();
        self.unsaved.clone_from(&earlier.unsaved);
        if self.slots == earlier.slots {
            // What it evaluated and could not save is evaluated again.
            (self.last_ms, self.durable_ms) = (earlier.durable_ms, earlier.durable_ms);
            self.resumes_at_ms = earlier.resumes_at_ms;
            self.unsaved.clear();
        }
    }

    /// Evaluates the group at one slot if its time has come. Returns what may be told: nothing while there is more to make up, so
    /// that an alert is told as it is, and not as it was on the way.
    pub(crate) async fn run_due(&mut self, world: &World) -> Vec<Notice> {
        let now_ms = world.parts.clock.now_ms();
        if self.waits(world) {
            return Vec::new();
        }
        if let Some(next) = self.next(world, now_ms) {
            if next.lost > 0 {
                world.missed.add(next.lost);
                tracing::warn!(group = self.group.name, file = self.group.file, missed = next.lost, "evaluations of rules came too late");
            }
            let is_late = next.behind > 0;
            let late = self.late.unwrap_or_else(|| Late::begin(world.parts.clock.monotonic(), next.behind));
            self.late = is_late.then(|| Late { left: late.left.saturating_sub(1), ..late });
            self.last_ms = next.at_ms;
            self.evaluate(world, next.at_ms, is_late.then(|| now_ms.saturating_sub(next.at_ms))).await;
            self.announce(world);
            if is_late {
                world.late.add(1);
                return Vec::new();
            }
        }
        self.take_untold(world).await
    }

    /// Whether there is a slot to evaluate.
    pub(crate) fn is_due(&self, world: &World) -> bool {
        self.next(world, world.parts.clock.now_ms()).is_some()
    }

    /// Whether the next evaluation is one that was missed.
    pub(crate) fn is_late(&self, world: &World) -> bool {
        self.next(world, world.parts.clock.now_ms()).is_some_and(|next| next.behind > 0)
    }

    /// Whether it would be ahead of a group that records what it reads, and makes up as well.
    pub(crate) fn waits(&self, world: &World) -> bool {
        let next = self.ripe(world, world.parts.clock.now_ms()).filter(|next| next.behind > 0 || self.late.is_some());
        next.is_some_and(|next| world.pace.is_ahead(&self.names, next.at_ms, world.parts.clock.monotonic()))
    }

    fn next(&self, world: &World, now_ms: i64) -> Option<Next> {
        self.ripe(world, now_ms).filter(|_| !self.waits(world))
    }

    /// The slot whose time has come, whatever other groups do.
    fn ripe(&self, world: &World, now_ms: i64) -> Option<Next> {
        // A clock that was set back must not make it wait for longer than it meant to.
        if (1..=self.slots.interval_ms()).contains(&(self.resumes_at_ms - now_ms)) {
            return None;
        }
        self.after_last(world, now_ms)
    }

    /// The slot after the one that was evaluated last.
    fn after_last(&self, world: &World, now_ms: i64) -> Option<Next> {
        let is_given_up = self.late.is_some_and(|late| !late.goes_on(world.parts.clock.monotonic()));
        next(&self.slots, self.last_ms, now_ms, if is_given_up { 0 } else { world.horizon_ms })
    }

    async fn evaluate(&mut self, world: &World, at_ms: i64, late_ms: Option<i64>) {
        let (at_ns, began) = (world.parts.clock.now_ns(), world.parts.clock.monotonic());
        for index in 0..self.rules.len() {
            let (rule_at_ns, rule_began) = (world.parts.clock.now_ns(), world.parts.clock.monotonic());
            let result = self.rule(index, world, at_ms, late_ms).await;
            let took = world.parts.clock.monotonic().saturating_sub(rule_began);
            let error = result.err().map(|error| error.message().to_owned());
            match &error {
                None => world.good.add(1),
                Some(error) => {
                    world.bad.add(1);
                    tracing::warn!(group = self.group.name, rule = self.group.rules[index].name, "cannot evaluate a rule: {error}");
                }
            }
            self.rules[index].evaluated = Evaluated { at_ns: Some(rule_at_ns), took, error };
        }
        self.evaluated = Evaluated { at_ns: Some(at_ns), took: world.parts.clock.monotonic().saturating_sub(began), error: None };
        world.parts.board.show(status::of(self));
    }

    /// Evaluates one rule, writes its series, and keeps what may be told.
    async fn rule(&mut self, index: usize, world: &World, at_ms: i64, late_ms: Option<i64>) -> Result<()> {
        let rule = &self.group.rules[index];
        let occasion = Occasion { at_ms, query_offset_ms: self.query_offset_ms, interval_ms: self.slots.interval_ms(), late_ms };
        let mut evaluation = evaluate(&world.asker, &self.group, rule, &self.rules[index].alerts, &occasion).await;
        self.untold.extend(by_episode(news(rule, &self.rules[index].alerts, &evaluation, at_ms, world)));
        let events = self.events(index, &evaluation, &occasion, world);
        history::wait(&mut self.unsaved, events);
        evaluation.samples.extend(history::values(&evaluation.alerts, &evaluation.found, &world.asker.external_labels));
        let state = &mut self.rules[index];
        state.alerts = evaluation.alerts;
        let is_recording = matches!(rule.kind, RuleKind::Recording);
        if let Some(error) = evaluation.error {
            // What a rule recorded before its error has not ended; alerts are as they are also after one.
            if !is_recording {
                self.write(index, evaluation.samples, &occasion, world).await?;
            }
            return Err(error);
        }
        self.write(index, evaluation.samples, &occasion, world).await
    }

    /// Writes the series of a rule.
    async fn write(&mut self, index: usize, samples: Vec<Sample>, occasion: &Occasion, world: &World) -> Result<()> {
        let state = &mut self.rules[index];
        world.write(record::batch(&samples, &state.written, occasion.query_ms())).await?;
        state.written = samples.into_iter().map(|sample| sample.labels).collect();
        Ok(())
    }

    /// What is to be remembered of the evaluation of a rule.
    fn events(&self, index: usize, evaluation: &Evaluation, occasion: &Occasion, world: &World) -> Vec<HistoryEvent> {
        let state = &self.rules[index];
        let evaluated = history::Evaluated {
            group: &self.group,
            rule: &self.group.rules[index],
            at_ms: occasion.at_ms,
            is_late: occasion.late_ms.is_some(),
            external: &world.asker.external_labels,
        };
        let mut events = evaluated.changes(&state.alerts, &evaluation.alerts, &evaluation.transitions, &evaluation.found);
        events.extend(evaluated.failure(state.evaluated.error.as_deref(), evaluation.error.as_ref().map(Error::message)));
        events
    }

    /// Makes the state durable. Then, and only then, what is new may be told.
    async fn take_untold(&mut self, world: &World) -> Vec<Notice> {
        if let Err(error) = self.save(world).await {
            tracing::error!(group = self.group.name, "cannot save the state of alerts, nobody is told until that works: {error}");
            return Vec::new();
        }
        self.durable_ms = self.last_ms;
        world.progress.note(&self.group.file, &self.group.name, self.last_ms);
        std::mem::take(&mut self.untold).into_values().collect()
    }

    async fn save(&mut self, world: &World) -> Result<()> {
        let mut changes =
            AlertChanges { file: self.group.file.clone(), name: self.group.name.clone(), evaluated_at_ms: self.last_ms, ..AlertChanges::default() };
        for rule in &self.rules {
            let is_known = |labels: &Labels, alert: &Alert| {
                !rule.doubtful.contains(labels) && rule.saved.get(labels).is_some_and(|saved| is_equal_when_stored(saved, alert))
            };
            let changed = rule.alerts.iter().filter(|(labels, alert)| !is_known(labels, alert));
            changes.upserts.extend(changed.map(|(labels, alert)| store(&rule.key, labels, alert)));
            let gone = rule.saved.keys().chain(&rule.doubtful).filter(|labels| !rule.alerts.contains_key(*labels)).collect::<BTreeSet<_>>().into_iter();
            changes.gone.extend(gone.map(|labels| (rule.key.clone(), pairs(labels))));
        }
        // While something is pending, the database must know how long the server was there to see it.
        let is_pending = self.rules.iter().flat_map(|rule| rule.alerts.values()).any(|alert| alert.state == State::Pending);
        if changes.upserts.is_empty() && changes.gone.is_empty() && self.unsaved.is_empty() && !is_pending {
            return Ok(());
        }
        changes.history = std::mem::take(&mut self.unsaved);
        let saved = world.parts.meta.save_alerts(&changes).await;
        if saved.is_err() {
            self.unsaved = changes.history;
        }
        for rule in &mut self.rules {
            if saved.is_ok() {
                rule.saved.clone_from(&rule.alerts);
                rule.doubtful.clear();
            } else {
                rule.doubtful.extend(rule.alerts.keys().chain(rule.saved.keys()).cloned());
            }
        }
        saved
    }

    /// Whether the database has it all.
    #[cfg(test)]
    pub(crate) fn is_saved(&self) -> bool {
        let is_known = |rule: &RuleState, labels: &Labels, alert: &Alert| rule.saved.get(labels).is_some_and(|saved| is_equal_when_stored(saved, alert));
        let is_certain = self.rules.iter().all(|rule| rule.doubtful.is_empty());
        is_certain
            && self.rules.iter().all(|rule| rule.saved.len() == rule.alerts.len() && rule.alerts.iter().all(|(labels, alert)| is_known(rule, labels, alert)))
    }

    fn notices(&self, world: &World, is_wanted: impl Fn(&Alert) -> bool) -> Vec<Notice> {
        let rules = self.group.rules.iter().zip(&self.rules);
        let alerts = rules.flat_map(|(rule, state)| state.alerts.iter().map(move |(labels, alert)| (rule, labels, alert)));
        alerts.filter(|(_, _, alert)| is_wanted(alert)).filter_map(|(rule, labels, alert)| notice(rule, labels, alert, world)).collect()
    }
}

/// What receivers may hear of an evaluation: what ended by it, and what fires after it.
fn news(rule: &Rule, before: &Alerts, evaluation: &Evaluation, at_ms: i64, world: &World) -> Vec<Notice> {
    let mut notices = Vec::new();
    tracing::trace!(rule = rule.name, at_ms, found = evaluation.found.len(), "a rule was evaluated");
    for transition in &evaluation.transitions {
        tracing::debug!(alert = %transition.labels, change = ?transition.change, "an alert moved");
        let is_over = match transition.change {
            // The episode that was told ended; its successor is told when it fires.
            Change::Began | Change::Fired | Change::Forgotten | Change::Cleared => false,
            Change::Resolved | Change::Demoted => true,
        };
        if let Some(alert) = before.get(&transition.labels).filter(|_| is_over) {
            let ended = Alert { state: State::Inactive, resolved_at_ms: Some(at_ms), ..alert.clone() };
            notices.extend(notice(rule, &transition.labels, &ended, world));
        }
    }
    for (labels, alert) in evaluation.alerts.iter().filter(|(_, alert)| alert.state == State::Firing) {
        notices.extend(notice(rule, labels, alert, world));
    }
    notices
}

/// What is known last of each firing of an alert.
fn by_episode(notices: Vec<Notice>) -> BTreeMap<u64, Notice> {
    notices.into_iter().map(|notice| (notice.episode(), notice)).collect()
}

/// The annotation of an alert that was found late.
const LATE: &str = "late";

/// The annotations of an alert as receivers see them.
fn annotations(alert: &Alert) -> Labels {
    let Some(late_ms) = alert.late_ms.filter(|_| alert.annotations.get(LATE).is_none()) else { return alert.annotations.clone() };
    let mut annotations = alert.annotations.to_builder();
    // Seconds are what people read.
    annotations.set(LATE, &format!("found {} after it began to fire: rules were not evaluated then", format_ms(late_ms - late_ms % 1000)));
    annotations.build()
}

/// An alert as receivers see it; `None` if it never fired.
fn notice(rule: &Rule, labels: &Labels, alert: &Alert, world: &World) -> Option<Notice> {
    Some(Notice {
        labels: with_external(labels, &world.asker.external_labels),
        annotations: annotations(alert),
        is_late: alert.late_ms.is_some(),
        starts_at_ms: alert.fired_at_ms?,
        ends_at_ms: alert.resolved_at_ms,
        generator_url: generator_url(rule, labels, &world.asker.external_url),
    })
}

/// Labels of the server are added where the alert has none of the name.
pub(crate) fn with_external(labels: &Labels, external: &Labels) -> Labels {
    let mut builder = external.to_builder();
    for (name, value) in labels {
        builder.set(name, value);
    }
    builder.build()
}

fn is_equal_when_stored(left: &Alert, right: &Alert) -> bool {
    let times = |alert: &Alert| (alert.state, alert.active_at_ms, alert.fired_at_ms, alert.resolved_at_ms, alert.keep_firing_since_ms, alert.late_ms);
    times(left) == times(right)
}

pub(crate) fn pairs(labels: &Labels) -> Pairs {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(crate) fn store(rule: &str, labels: &Labels, alert: &Alert) -> StoredAlert {
    StoredAlert {
        rule: rule.to_owned(),
        labels: pairs(labels),
        annotations: pairs(&alert.annotations),
        value: alert.value,
        state: alert.state.as_str().to_owned(),
        active_at_ms: alert.active_at_ms,
        fired_at_ms: alert.fired_at_ms,
        resolved_at_ms: alert.resolved_at_ms,
        keep_firing_since_ms: alert.keep_firing_since_ms,
        late_ms: alert.late_ms,
    }
}

pub(crate) fn restore(alert: &StoredAlert) -> (Labels, Alert) {
    let state = [State::Pending, State::Firing].into_iter().find(|state| state.as_str() == alert.state).unwrap_or(State::Inactive);
    let restored = Alert {
        annotations: Labels::from_pairs(&alert.annotations),
        value: alert.value,
        state,
        active_at_ms: alert.active_at_ms,
        fired_at_ms: alert.fired_at_ms,
        resolved_at_ms: alert.resolved_at_ms,
        keep_firing_since_ms: alert.keep_firing_since_ms,
        late_ms: alert.late_ms,
    };
    (Labels::from_pairs(&alert.labels), restored)
}
