//! Why an alert is not told now, pure: a silence covers it, another alert inhibits it, its route is muted at this time.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_model::Labels;

use crate::builtin;
use crate::inhibit::{Inhibition, inhibited_by};
use crate::intervals::TimeInterval;
use crate::routing::Route;
use crate::severity::Ranks;
use crate::silence::Silences;

/// What may mute alerts.
#[derive(Debug, Clone, Default)]
pub struct Muting {
    /// Rules of inhibition.
    pub inhibitions: Vec<Inhibition>,
    /// Time intervals by name.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// Severities of rules that have several.
    pub ranks: Ranks,
    /// Silences.
    pub silences: Silences,
    /// Whether rules are not evaluated, so that the watchdog must not be told.
    pub is_stalled: bool,
}

/// Alerts that fire, by the labels that they are told with and by their own, in the same order.
#[derive(Debug, Default)]
pub struct Firing<'a> {
    told: Vec<&'a Labels>,
    own: Vec<&'a Labels>,
}

impl<'a> Firing<'a> {
    /// Of alerts that are told with their own labels.
    pub fn untouched(firing: impl Iterator<Item = &'a Labels>) -> Self {
        let told: Vec<&Labels> = firing.collect();
        Self { own: told.clone(), told }
    }

    /// Of alerts of which each has the labels that are told and its own.
    pub fn new(firing: impl Iterator<Item = (&'a Labels, &'a Labels)>) -> Self {
        let (told, own) = firing.unzip();
        Self { told, own }
    }
}

/// What mutes one alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Muted {
    /// Ids of silences.
    pub silenced_by: Vec<String>,
    /// The alert that inhibits it.
    pub inhibited_by: Option<Labels>,
}

impl Muted {
    /// Whether anything does.
    pub fn is_muted(&self) -> bool {
        !self.silenced_by.is_empty() || self.inhibited_by.is_some()
    }
}

impl Muting {
    /// What mutes an alert among those that fire. Severities of a rule go by labels that are its `own`, all else by those that are told.
    pub fn of(&self, labels: &Labels, own: &Labels, firing: &Firing<'_>, now_ms: i64) -> Muted {
        let silenced_by = self.silences.covering(labels, now_ms);
        let inhibitor = inhibited_by(&self.inhibitions, labels, &firing.told).or_else(|| self.ranks.outranked_by(own, &firing.own));
        let inhibited_by = inhibitor.map(|index| firing.told[index].clone());
        Muted { silenced_by, inhibited_by }
    }

    /// The time intervals that mute a route: those to mute that hold, or those to be active in if none of them does. That of the
    /// watchdog is muted while rules are not evaluated.
    pub fn of_route(&self, route: &Route, now_ms: i64) -> BTreeSet<String> {
        let holds = |name: &&String| self.intervals.get(*name).is_some_and(|intervals| intervals.iter().any(|interval| interval.contains(now_ms)));
        let mut muted: BTreeSet<String> = route.mute_intervals.iter().filter(holds).cloned().collect();
        if !route.active_intervals.is_empty() && !route.active_intervals.iter().any(|name| holds(&name)) {
            muted.extend(route.active_intervals.iter().cloned());
        }
        if self.is_stalled && builtin::is_watchdog(route) {
            muted.insert(builtin::STALLED.to_owned());
        }
        muted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2023-11-13T10:00:00Z.
    const MONDAY_MS: i64 = 1_699_869_600_000;
    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_route_is_muted_in_some_intervals_and_outside_of_others() {
        let weekend = TimeInterval::parse_list("- weekdays: ['saturday', 'sunday']").unwrap();
        let work = TimeInterval::parse_list("- weekdays: ['monday:friday']").unwrap();
        let muting = Muting { intervals: [("weekend".to_owned(), weekend), ("work".to_owned(), work)].into(), ..Muting::default() };
        let route = |mute: &[&str], active: &[&str]| Route {
            mute_intervals: mute.iter().map(|name| (*name).to_owned()).collect(),
            active_intervals: active.iter().map(|name| (*name).to_owned()).collect(),
            ..Route::root(String::new())
        };
        let muted = |route: &Route, at_ms| muting.of_route(route, at_ms).into_iter().collect::<Vec<_>>();
        let saturday_ms = MONDAY_MS + 5 * DAY_MS;
        assert_eq!(muted(&route(&["weekend"], &[]), MONDAY_MS), [""; 0]);
        assert_eq!(muted(&route(&["weekend"], &[]), saturday_ms), ["weekend"]);
        assert_eq!(muted(&route(&[], &["work"]), MONDAY_MS), [""; 0]);
        assert_eq!(muted(&route(&[], &["work"]), saturday_ms), ["work"]);
        assert_eq!(muted(&route(&[], &["work", "weekend"]), saturday_ms), [""; 0]);
        assert_eq!(muted(&route(&["weekend"], &["work"]), saturday_ms), ["weekend", "work"]);
    }
}
