//! Another ruler of a simulation, which posts its alerts as Prometheus does: at once when one begins or ends, then again and again,
//! each time with an end by which it will have spoken again. Some rulers say nothing of an end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::plans::{INSTANCES, OUTSIDE};
use crate::alertmanager::PostedAlert;

/// How often an alert that goes on is posted.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long one that is over is posted.
const OVER_FOR: Duration = Duration::from_secs(900);
/// How long an alert goes on if nothing more is heard.
const ENDS_AFTER_MS: i64 = 240_000;
/// What the server takes for the end if none is said.
const IMPLIED_MS: i64 = 300_000;

#[derive(Debug)]
struct Probe {
    starts_at_ms: i64,
    ended_at_ms: Option<i64>,
    ended: Option<Duration>,
    /// When a post of it was last answered with success, since it began or ended.
    taken: Option<Duration>,
}

/// What the server may take an alert for.
#[derive(Debug, Default)]
struct Said {
    /// All beginnings that were ever posted, and ends: one that is not posted is implied.
    starts_ms: BTreeSet<i64>,
    ends_ms: BTreeSet<i64>,
    /// Ends of the post that was last taken, and of those after it that may have been.
    standing_ms: Vec<i64>,
    /// Whether the standing one was taken, and has not been over since: after the clock is set back that is no end any more.
    is_certain: bool,
}

/// The ruler, and what it said.
#[derive(Debug)]
pub(super) struct Ruler {
    probes: BTreeMap<&'static str, Probe>,
    said: BTreeMap<&'static str, Said>,
    /// Whether it says when its alerts end that go on.
    says_ends: bool,
    /// There are two of it, which take turns here; they see alerts begin at different instants.
    is_other: bool,
}

impl Ruler {
    pub(super) fn new(says_ends: bool) -> Self {
        Self { probes: BTreeMap::new(), said: BTreeMap::new(), says_ends, is_other: false }
    }

    /// The alert of an instance begins or ends.
    pub(super) fn turn(&mut self, instance: usize, now_ms: i64, now: Duration) {
        let instance = INSTANCES[instance % INSTANCES.len()];
        match self.probes.get_mut(instance) {
            Some(probe) if probe.ended.is_none() => {
                // A clock that was set back does not make it end before it began.
                (probe.ended_at_ms, probe.ended, probe.taken) = (Some(now_ms.max(probe.starts_at_ms)), Some(now), None);
            }
            _ => {
                self.probes.insert(instance, Probe { starts_at_ms: now_ms, ended_at_ms: None, ended: None, taken: None });
            }
        }
    }

    /// What it posts now.
    pub(super) fn due(&mut self, now_ms: i64, now: Duration) -> Vec<PostedAlert> {
        self.probes.retain(|_, probe| probe.ended.is_none_or(|ended| now - ended < OVER_FOR || probe.taken.is_none()));
        self.is_other = !self.is_other;
        let mut posted = Vec::new();
        for (instance, probe) in &self.probes {
            if probe.taken.is_some_and(|taken| now - taken < AGAIN_AFTER) {
                continue;
            }
            let ends_at_ms = probe.ended_at_ms.or(self.says_ends.then_some(now_ms + ENDS_AFTER_MS));
            // After the clock was set back, what it says of the beginning is in the future.
            let starts_at_ms = (probe.starts_at_ms - if self.is_other { 3_000 } else { 0 }).min(now_ms);
            let said = self.said.entry(instance).or_default();
            let implied_ms = ends_at_ms.unwrap_or(now_ms + IMPLIED_MS);
            said.starts_ms.insert(starts_at_ms);
            said.ends_ms.insert(implied_ms);
            said.standing_ms.push(implied_ms);
            posted.push(PostedAlert {
                labels: labels(instance),
                annotations: BTreeMap::new(),
                starts_at_ms: Some(starts_at_ms),
                ends_at_ms,
                generator_url: "http://ruler".to_owned(),
            });
        }
        posted
    }

    /// Time has passed.
    pub(super) fn look(&mut self, now_ms: i64) {
        for said in self.said.values_mut() {
            said.is_certain &= said.standing_ms.iter().all(|ends_ms| *ends_ms > now_ms);
        }
    }

    /// What it posted was taken.
    pub(super) fn taken(&mut self, posted: &[PostedAlert], now: Duration) {
        for alert in posted {
            let Some((instance, probe)) = self.probes.iter_mut().find(|(instance, _)| alert.labels["instance"] == **instance) else { continue };
            probe.taken = Some(now);
            if let Some(said) = self.said.get_mut(instance) {
                said.standing_ms.drain(..said.standing_ms.len() - 1);
                said.is_certain = true;
            }
        }
    }

    /// Whether the server may take the alert of an instance, which began then, for one that fires at an instant.
    pub(super) fn may_fire(&self, instance: &str, starts_at_ms: i64, now_ms: i64) -> bool {
        self.said.get(instance).is_some_and(|said| said.starts_ms.contains(&starts_at_ms) && said.standing_ms.iter().any(|ends_ms| *ends_ms > now_ms))
    }

    /// Beginnings of the alert of an instance that fires at an instant, if the server may take it for that.
    pub(super) fn firing(&self, now_ms: i64) -> impl Iterator<Item = (&'static str, i64)> {
        let fires = move |said: &Said| said.standing_ms.iter().any(|ends_ms| *ends_ms > now_ms);
        self.said.iter().filter(move |(_, said)| fires(said)).flat_map(|(instance, said)| said.starts_ms.iter().map(|starts_ms| (*instance, *starts_ms)))
    }

    /// Instances whose alert the server must take for one that fires at an instant.
    pub(super) fn certain(&self, now_ms: i64) -> impl Iterator<Item = &'static str> {
        self.said.iter().filter(move |(_, said)| said.is_certain && said.standing_ms.len() == 1 && said.standing_ms[0] > now_ms).map(|(instance, _)| *instance)
    }

    /// Whether an end was ever posted, or implied.
    pub(super) fn has_said_end(&self, instance: &str, starts_at_ms: i64, ends_at_ms: i64) -> bool {
        self.said.get(instance).is_some_and(|said| said.starts_ms.contains(&starts_at_ms) && (said.ends_ms.contains(&ends_at_ms) || ends_at_ms == starts_at_ms))
    }

    /// Instances whose alert fires, whatever the server knows.
    pub(super) fn fires(&self) -> impl Iterator<Item = &'static str> {
        self.probes.iter().filter(|(_, probe)| probe.ended.is_none()).map(|(instance, _)| *instance)
    }
}

/// The labels of its alert of an instance.
pub(super) fn labels(instance: &str) -> BTreeMap<String, String> {
    [("alertname", OUTSIDE), ("instance", instance), ("severity", "critical"), ("team", "outside")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
