//! Watches a simulation and says which promise was broken.
//!
//! It knows what rules were answered and what receivers were told, nothing of how one leads to the other: when an alert may and
//! must fire it finds out by itself.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_model::Labels;
use signalbox_notify::{Alert, Status};

use super::plans::{INHIBITING, OUTSIDE, QUIET_CHANNEL, RULES, is_quiet};
use super::posts::{Got, Post};
use super::rulers::Ruler;
use super::truth::Asked;
use crate::evaluate::Evaluator;
use crate::state::State;

/// A rule as the witness knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) alert: &'static str,
    /// What its expression reads.
    pub(super) metric: &'static str,
    /// What turns in the world: another metric if the one that is read is recorded.
    pub(super) source: &'static str,
    pub(super) hold_ms: i64,
    pub(super) keep_ms: i64,
    pub(super) interval_ms: i64,
}

/// State of an alert with its times: pending or firing, since when active, since when firing.
type Stand = BTreeMap<(String, String), (State, i64, Option<i64>)>;

/// What may be said of alerts at an instant.
#[derive(Debug, Default)]
struct Speech {
    /// Alerts that may be said to fire: name, instance, and since when.
    firing: BTreeSet<(&'static str, String, i64)>,
    /// Instances of which warnings are inhibited.
    inhibited: BTreeSet<String>,
}

/// What a channel was told of a group.
#[derive(Debug, Default)]
struct Heard {
    last_id: i64,
    last_enqueued_at_ns: i64,
    /// Firing alerts of the latest message.
    latest: BTreeSet<(Labels, i64)>,
    /// The latest word about each alert: its beginning, whether it is over, and in which plan that was.
    words: BTreeMap<Labels, (i64, Status, usize, i64)>,
    ids: BTreeSet<i64>,
}

/// An alert of which a channel was told that it fires, and not that it is over.
#[derive(Debug)]
pub(super) struct Believed {
    pub(super) channel: String,
    pub(super) group_key: String,
    pub(super) labels: Labels,
    pub(super) starts_at_ms: i64,
    pub(super) plan: usize,
    /// The message that said so.
    pub(super) id: i64,
}

/// The witness.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// Since when an alert is found at every evaluation, by metric and instance.
    since: BTreeMap<(String, String), i64>,
    /// Since when it is not.
    lost: BTreeMap<(String, String), i64>,
    /// When it last ceased to be found, whoever died since.
    ended: BTreeMap<(String, String), i64>,
    /// Instants at which an alert was found for long enough, by metric and instance.
    may_fire: BTreeSet<(String, String, i64)>,
    /// Those of them that were made up.
    late: BTreeSet<(String, String, i64)>,
    /// Instants at which rules were answered, and what was found.
    answers: BTreeMap<(String, i64), Vec<BTreeSet<String>>>,
    /// What the database must know.
    durable: Stand,
    /// What it may know as well.
    attempted: Vec<Stand>,
    heard: BTreeMap<(String, String), Heard>,
    /// By the time at which messages are made.
    speech: BTreeMap<i64, Speech>,
}

fn known(metric: &str) -> Option<&'static Known> {
    RULES.iter().find(|rule| rule.metric == metric)
}

fn instance(labels: &Labels) -> String {
    labels.get("instance").unwrap_or_default().to_owned()
}

fn starts(alert: &Alert) -> (Labels, i64) {
    (Labels::from_pairs(&alert.labels), alert.starts_at_ns / 1_000_000)
}

/// The alerts of evaluators that are on, by metric and instance.
fn stand(evaluators: &[Evaluator]) -> Stand {
    let mut stand = Stand::new();
    for evaluator in evaluators {
        for (rule, state) in evaluator.group.rules.iter().zip(&evaluator.rules) {
            for (labels, alert) in state.alerts.iter().filter(|(_, alert)| alert.state != State::Inactive) {
                let metric = rule.text.split(' ').next().unwrap_or_default().to_owned();
                stand.insert((metric, instance(labels)), (alert.state, alert.active_at_ms, alert.fired_at_ms));
            }
        }
    }
    stand
}

impl Witness {
    /// What rules were answered, before the state of their alerts is looked at.
    pub(super) fn hear_answers(&mut self, asked: Vec<Asked>) {
        for Asked { metric, at_ms, now_ms, found, known: data } in asked {
            let Some(found) = found else { continue };
            let Some(rule) = known(&metric) else { continue };
            let key = |instance: &String| (metric.clone(), instance.clone());
            // What is made up believes what is there, and nothing that is not.
            let is_late = at_ms + rule.interval_ms <= now_ms;
            for instance in &found {
                let since = self.since.entry(key(instance)).or_insert(at_ms);
                *since = (*since).min(at_ms);
                if at_ms - *since >= rule.hold_ms {
                    self.may_fire.insert((metric.clone(), instance.clone(), at_ms));
                    if is_late {
                        self.late.insert((metric.clone(), instance.clone(), at_ms));
                    }
                }
                self.lost.remove(&key(instance));
            }
            let is_gone = |instance: &String| !found.contains(instance) && (!is_late || data.contains(instance));
            let gone: Vec<_> = self.since.keys().filter(|(of, instance)| *of == metric && is_gone(instance)).cloned().collect();
            for gone in gone {
                self.since.remove(&gone);
                self.ended.insert(gone.clone(), at_ms);
                self.lost.entry(gone).or_insert(at_ms);
            }
            for ((of, _), lost) in &mut self.lost {
                if *of == metric {
                    *lost = (*lost).min(at_ms);
                }
            }
            self.answers.entry((metric, at_ms)).or_default().push(found);
        }
    }

    /// An alert fires when it must, and not when it must not. `at_ms` is the latest evaluation of each metric that was answered.
    pub(super) fn look_at_alerts(&mut self, evaluators: &[Evaluator], at_ms: &BTreeMap<String, i64>) -> Result<(), String> {
        let stand = stand(evaluators);
        for ((metric, instance), (state, active_at_ms, fired_at_ms)) in &stand {
            if let Some(fired_at_ms) = fired_at_ms.filter(|_| *state == State::Firing)
                && !self.may_fire.contains(&(metric.clone(), instance.clone(), fired_at_ms))
            {
                return Err(format!("{metric} of {instance} fires since {fired_at_ms}, when it was not found for long enough (active since {active_at_ms})"));
            }
            let rule = known(metric).ok_or("an unknown rule")?;
            if let (Some(lost_ms), Some(at_ms)) = (self.lost.get(&(metric.clone(), instance.clone())), at_ms.get(metric))
                && at_ms - lost_ms >= rule.keep_ms + rule.interval_ms
            {
                return Err(format!("{metric} of {instance} is {state:?} at {at_ms}, and not found since {lost_ms}"));
            }
        }
        for ((metric, instance), since_ms) in &self.since {
            let rule = known(metric).ok_or("an unknown rule")?;
            let is_firing = stand.get(&(metric.clone(), instance.clone())).is_some_and(|(state, ..)| *state == State::Firing);
            if let Some(at_ms) = at_ms.get(metric)
                && !is_firing
                && at_ms - since_ms >= rule.hold_ms + rule.interval_ms
            {
                return Err(format!("{metric} of {instance} does not fire at {at_ms}, and is found since {since_ms}"));
            }
        }
        let is_saved = evaluators.iter().all(Evaluator::is_saved);
        if is_saved {
            (self.durable, self.attempted) = (stand, Vec::new());
        } else if self.attempted.last() != Some(&stand) {
            self.attempted.push(stand);
        }
        Ok(())
    }

    /// The process died in an evaluation, whose outcome may or may not be durable.
    pub(super) fn die_evaluating(&mut self, evaluators: &[Evaluator]) {
        self.attempted.push(stand(evaluators));
    }

    /// Another process has resumed.
    pub(super) fn resume(&mut self, evaluators: &[Evaluator], is_pending_forgotten: bool) -> Result<(), String> {
        let stand = stand(evaluators);
        let firing =
            |stand: &Stand| -> Stand { stand.iter().filter(|(_, (state, ..))| *state == State::Firing).map(|(key, value)| (key.clone(), *value)).collect() };
        // Groups are saved one by one, so each alert may be as it was at any of the attempts.
        let may_be = |key: &(String, String)| -> Vec<Option<(State, i64, Option<i64>)>> {
            std::iter::once(&self.durable).chain(&self.attempted).map(|stand| stand.get(key).copied()).collect()
        };
        for key in self.durable.keys().chain(self.attempted.iter().flat_map(BTreeMap::keys)) {
            let (now, before) = (stand.get(key).copied(), may_be(key));
            let is_excused = is_pending_forgotten && before.iter().any(|before| before.is_none_or(|(state, ..)| state == State::Pending));
            if !before.contains(&now) && !is_excused {
                return Err(format!("{key:?} was {before:?} and is {now:?} after a restart"));
            }
        }
        if let Some(ghost) = firing(&stand).into_iter().find(|(key, _)| may_be(key).iter().all(Option::is_none)) {
            return Err(format!("{ghost:?} fires after a restart, and did not before"));
        }
        self.since = stand.iter().map(|(key, (_, active_at_ms, _))| (key.clone(), *active_at_ms)).collect();
        self.lost.clear();
        (self.durable, self.attempted) = (stand, Vec::new());
        Ok(())
    }

    /// Messages are about to be made.
    pub(super) fn before_messages(&mut self, now_ms: i64, plan: usize, ruler: &Ruler) {
        let firing = |stand: &Stand| -> BTreeSet<(&'static str, String, i64)> {
            let own = stand.iter().filter(|(_, (state, ..))| *state == State::Firing);
            own.filter_map(|((metric, instance), (_, _, fired_at_ms))| Some((known(metric)?.alert, instance.clone(), (*fired_at_ms)?))).collect()
        };
        let (durable, is_certain) = (firing(&self.durable), self.attempted.is_empty());
        let is_new = !self.speech.contains_key(&now_ms);
        let speech = self.speech.entry(now_ms).or_default();
        speech.firing.extend(durable.iter().cloned().chain(self.attempted.iter().flat_map(firing)));
        speech.firing.extend(ruler.firing(now_ms).map(|(instance, starts_at_ms)| (OUTSIDE, instance.to_owned(), starts_at_ms)));
        let mut inhibited: BTreeSet<String> = BTreeSet::new();
        if plan == INHIBITING {
            inhibited.extend(ruler.certain(now_ms).map(str::to_owned));
            inhibited.extend(durable.into_iter().filter(|(alert, ..)| is_certain && *alert == "Down").map(|(_, instance, _)| instance));
        }
        // After the clock was set back messages may be made twice at an instant.
        speech.inhibited = if is_new { inhibited } else { speech.inhibited.intersection(&inhibited).cloned().collect() };
    }

    /// What a channel was told.
    pub(super) fn hear(&mut self, post: &Post, got: &Got, repeat_min_ms: i64, plan: usize, ruler: &Ruler) -> Result<(), String> {
        let channel = post.name.as_str();
        let Got { id, message, .. } = got;
        let what = format!("message {id} to {channel} about {}", message.group_key);
        let heard = self.heard.entry((channel.to_owned(), message.group_key.clone())).or_default();
        if *id < heard.last_id {
            return Err(format!("{what}: came after message {}", heard.last_id));
        }
        if !heard.ids.insert(*id) {
            return if got.may_be_known { Ok(()) } else { Err(format!("{what}: told twice, and nothing went wrong in between")) };
        }
        if let Some(silenced) = got.silenced.first() {
            return Err(format!("{what}: {silenced} is silenced"));
        }
        let made_at_ms = got.enqueued_at_ns / 1_000_000;
        if channel == QUIET_CHANNEL && is_quiet(made_at_ms) {
            return Err(format!("{what}: made at {made_at_ms}, when {channel} is quiet"));
        }
        let firing: BTreeSet<(Labels, i64)> = message.firing().map(starts).collect();
        let has_resolved = message.resolved().next().is_some();
        let since_ms = (got.enqueued_at_ns - heard.last_enqueued_at_ns) / 1_000_000;
        if heard.last_id > 0 && !post.is_unrecorded(heard.last_id) && !has_resolved && heard.latest == firing && since_ms < repeat_min_ms {
            return Err(format!("{what}: says what message {} said {since_ms} ms before", heard.last_id));
        }
        (heard.last_id, heard.last_enqueued_at_ns, heard.latest) = (*id, got.enqueued_at_ns, firing.clone());
        let nothing = Speech::default();
        let speech = self.speech.get(&made_at_ms).unwrap_or(&nothing);
        for (labels, starts_at_ms) in firing {
            let name = labels.get("alertname").unwrap_or_default();
            let alert = RULES.iter().map(|rule| rule.alert).chain([OUTSIDE]).find(|alert| *alert == name).unwrap_or_default();
            if !speech.firing.contains(&(alert, instance(&labels), starts_at_ms)) {
                return Err(format!("{what}: {labels} fires since {starts_at_ms}, which was not true when it was made at {made_at_ms}"));
            }
            if labels.get("severity") == Some("warning") && speech.inhibited.contains(&instance(&labels)) {
                return Err(format!("{what}: {labels} is inhibited at {made_at_ms}"));
            }
            heard.words.insert(labels, (starts_at_ms, Status::Firing, plan, *id));
        }
        for alert in message.resolved() {
            self.hear_end(post, got, alert, plan, ruler).map_err(|why| format!("{what}: {why}"))?;
        }
        Ok(())
    }

    /// An alert is over: the channel was told that it fires, or it came and went while nobody was there, and that is told once.
    fn hear_end(&mut self, post: &Post, got: &Got, alert: &Alert, plan: usize, ruler: &Ruler) -> Result<(), String> {
        let Some(heard) = self.heard.get_mut(&(post.name.clone(), got.message.group_key.clone())) else { return Ok(()) };
        let (labels, starts_at_ms) = starts(alert);
        let word = heard.words.get(&labels).copied();
        // Nobody knows that it heard what it heard when the answer got lost or the process died.
        let is_doubtful = word.is_some_and(|(_, _, _, id)| post.is_unrecorded(id));
        let is_believed = matches!(word, Some((_, Status::Firing, ..)));
        if is_believed && !post.sends_resolved() && !is_doubtful {
            return Err(format!("{labels} is over, which the channel does not want to know"));
        }
        if matches!(word, Some((known_ms, Status::Resolved, ..)) if known_ms == starts_at_ms) && !is_doubtful {
            return Err(format!("{labels} that began at {starts_at_ms} is over, as message {:?} said", word.map(|word| word.3)));
        }
        let ends_at_ms = alert.ends_at_ns.unwrap_or_default() / 1_000_000;
        heard.words.insert(labels.clone(), (starts_at_ms, Status::Resolved, plan, got.id));
        let Some(rule) = RULES.iter().find(|rule| Some(rule.alert) == labels.get("alertname")) else {
            return match ruler.has_said_end(&instance(&labels), starts_at_ms, ends_at_ms) {
                true if is_believed || is_doubtful => Ok(()),
                true => Err(format!("{labels} is over, and nobody was told that it fires")),
                false => Err(format!("{labels} that began at {starts_at_ms} is over since {ends_at_ms}, which nobody said")),
            };
        };
        let episode = (rule.metric.to_owned(), instance(&labels), starts_at_ms);
        if !is_believed && !is_doubtful && !self.late.contains(&episode) {
            return Err(format!("{labels} that began at {starts_at_ms} is over, was not told to fire, and nobody was late"));
        }
        let found = self.answers.get(&(rule.metric.to_owned(), ends_at_ms)).cloned().unwrap_or_default();
        // After the clock was set back an alert is said to end when it began.
        if ends_at_ms != starts_at_ms && !found.iter().any(|found| !found.contains(&instance(&labels))) {
            return Err(format!("{labels} is over since {ends_at_ms}, which was never true"));
        }
        Ok(())
    }

    /// What a channel was last told about an alert of a group.
    pub(super) fn word(&self, channel: &str, group_key: &str, labels: &Labels) -> Option<(i64, Status, usize, i64)> {
        self.heard.get(&(channel.to_owned(), group_key.to_owned()))?.words.get(labels).copied()
    }

    /// When an alert of a rule last ceased to be found.
    pub(super) fn ended(&self, labels: &Labels) -> Option<i64> {
        let rule = RULES.iter().find(|rule| labels.get("alertname") == Some(rule.alert))?;
        self.ended.get(&(rule.metric.to_owned(), instance(labels))).copied()
    }

    /// All channels and groups that were told that alerts fire which they were not told to be over.
    pub(super) fn believed(&self) -> Vec<Believed> {
        let mut believed = Vec::new();
        for ((channel, group_key), heard) in &self.heard {
            for (labels, (starts_at_ms, status, plan, id)) in &heard.words {
                if *status == Status::Firing {
                    let (channel, group_key, labels) = (channel.clone(), group_key.clone(), labels.clone());
                    believed.push(Believed { channel, group_key, labels, starts_at_ms: *starts_at_ms, plan: *plan, id: *id });
                }
            }
        }
        believed
    }
}
