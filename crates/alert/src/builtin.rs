//! Rules that nobody has to write: about the server itself, and the watchdog that always barks.
//!
//! They are groups like any other, in the file `builtin`, asked of the server's own metrics (`telemetry.self_watch`).

use std::collections::BTreeSet;
use std::sync::Arc;

use signalbox_lang::duration::format_ms;
use signalbox_lang::matchers;
use signalbox_meta::{GroupStatus, Health};
use signalbox_model::{Error, Result};

use crate::dispatch::{Plan, Target};
use crate::group::GroupBy;
use crate::routing::Route;
use crate::rule_file::{Group, parse};
use crate::settings::Settings;

/// The rules.
const TEXT: &str = include_str!("builtin.yaml");
/// How often a stall is looked for while it becomes one.
const STALL_LOOKS: i64 = 10;
/// What stands for the path of their file.
pub(crate) const FILE: &str = "builtin";
/// Evaluations of the watchdog that may be missed before it falls silent.
const INTERVALS_MAX: i64 = 2;
/// The alert that always fires.
const WATCHDOG: &str = "Watchdog";

/// What stands where mutings are named while the watchdog is silent.
pub(crate) const STALLED: &str = "rules are not evaluated";
/// The end of the id of the watchdog's route; files make none that has it.
const ROUTE: &str = "/watchdog";

/// Whether a route is the one of the watchdog.
pub(crate) fn is_watchdog(route: &Route) -> bool {
    route.id.ends_with(ROUTE)
}

/// The alert that is told as it is, whatever becomes of the labels of others: one that rules for labels drop would cry wolf.
pub(crate) fn spared(settings: &Settings) -> Option<&'static str> {
    (!settings.watchdog.receiver.is_empty()).then_some(WATCHDOG)
}

/// Whether the watchdog must not be told although it fires: its rule was not evaluated of late, or could not be. An alert that
/// nobody asks about any more goes on firing.
pub(crate) fn is_stalled(groups: &[Arc<GroupStatus>], now_ms: i64) -> bool {
    let watchdog = |group: &Arc<GroupStatus>| {
        let rule = group.rules.iter().find(|rule| rule.name == WATCHDOG)?;
        let age_max_ms = i64::try_from(group.interval.as_millis()).unwrap_or(i64::MAX).saturating_mul(INTERVALS_MAX);
        let is_late = rule.evaluated_at_ns.is_none_or(|at_ns| now_ms.saturating_sub(at_ns.div_euclid(1_000_000)) > age_max_ms);
        Some(is_late || rule.health != Health::Good)
    };
    groups.iter().filter(|group| group.file == FILE).find_map(watchdog).unwrap_or(false)
}

fn stalled_after_ms(settings: &Settings) -> i64 {
    i64::try_from(settings.builtin.stalled_after_seconds).unwrap_or(i64::MAX).saturating_mul(1_000)
}

/// The rules as the settings want them.
fn text(settings: &Settings) -> String {
    let after_ms = stalled_after_ms(settings);
    TEXT.replace("STALLED_AFTER", &format_ms(after_ms)).replace("STALLED_FOR", &format_ms(after_ms / 2))
}

/// The group of the rules that the settings leave on; none if they leave none.
///
/// # Errors
/// `Invalid` if the settings name a rule that there is not.
pub(crate) fn groups(settings: &Settings) -> Result<Vec<Group>> {
    let mut groups = parse(FILE, &text(settings))?;
    let known: BTreeSet<String> = groups.iter().flat_map(|group| &group.rules).map(|rule| rule.name.clone()).collect();
    if let Some(unknown) = settings.builtin.rules_off.iter().find(|name| !known.contains(*name)) {
        return Err(Error::invalid(format!("cannot use setting alert.builtin.rules_off: found {unknown:?}: want names among {known:?}")));
    }
    for group in &mut groups {
        // A stall that is found soon is looked for often.
        let longest_ms = match group.rules.iter().any(|rule| rule.name == WATCHDOG) {
            true => settings.watchdog_interval_ms(),
            false => (stalled_after_ms(settings) / STALL_LOOKS).max(1_000),
        };
        group.interval_ms = group.interval_ms.map(|interval_ms| interval_ms.min(longest_ms));
        group.rules.retain(|rule| {
            let is_on = if rule.name == WATCHDOG { !settings.watchdog.receiver.is_empty() } else { settings.builtin.enabled };
            is_on && !settings.builtin.rules_off.contains(&rule.name)
        });
    }
    groups.retain(|group| !group.rules.is_empty());
    Ok(groups)
}

/// A plan in which the watchdog goes to its receiver, and nowhere else, as often as the settings say.
///
/// # Errors
/// `Invalid` if there is no such receiver.
pub(crate) fn route_watchdog(plan: Plan, settings: &Settings, all_targets: &[Target]) -> Result<Plan> {
    let receiver = &settings.watchdog.receiver;
    if receiver.is_empty() {
        return Ok(plan);
    }
    let Plan { root, mut receivers, receiver_labels, templates } = plan;
    let targets: Vec<Target> = all_targets.iter().filter(|target| target.receiver == *receiver).cloned().collect();
    if targets.is_empty() {
        let known: BTreeSet<&str> = all_targets.iter().map(|target| target.receiver.as_str()).collect();
        return Err(Error::invalid(format!("cannot use setting alert.watchdog.receiver: found {receiver:?}: want the name of a receiver, one of {known:?}")));
    }
    receivers.insert(receiver.clone(), targets);
    let interval_ms = settings.watchdog_interval_ms();
    let route = Route {
        id: format!("{}{ROUTE}", root.id),
        key: format!("{}/{{alertname=\"{WATCHDOG}\"}}", root.key),
        group_by: GroupBy::new(&["alertname".to_owned()]),
        wait_ms: 0,
        interval_ms,
        repeat_ms: interval_ms,
        matchers: matchers::parse(&format!("alertname=\"{WATCHDOG}\""))?,
        ..Route::root(receiver.clone())
    };
    let mut root = Route::clone(&root);
    root.routes.insert(0, Arc::new(route));
    Ok(Plan { root: Arc::new(root), receivers, receiver_labels, templates })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use signalbox_meta::{AlertingStatus, RuleKind, RuleStatus};
    use signalbox_model::Labels;

    use super::*;
    use crate::mute::Muting;
    use crate::settings::{Builtin, Watchdog};

    fn names(settings: &Settings) -> Vec<String> {
        groups(settings).unwrap().iter().flat_map(|group| &group.rules).map(|rule| rule.name.clone()).collect()
    }

    #[test]
    fn each_rule_can_be_turned_off_and_the_watchdog_on() {
        let mut settings = Settings::default();
        let all = names(&settings);
        assert!(all.contains(&"SignalboxIngestStalled".to_owned()) && !all.contains(&WATCHDOG.to_owned()), "{all:?}");
        settings.builtin.rules_off = vec!["SignalboxIngestStalled".to_owned()];
        assert_eq!(names(&settings).len(), all.len() - 1);
        settings.builtin = Builtin { enabled: false, ..Builtin::default() };
        assert_eq!((names(&settings), groups(&settings).unwrap().len()), (vec![], 0));
        settings.watchdog = Watchdog { receiver: "dog".to_owned(), ..Watchdog::default() };
        assert_eq!(names(&settings), [WATCHDOG]);
        let interval_ms = |interval_seconds| {
            let watchdog = Watchdog { receiver: "dog".to_owned(), interval_seconds };
            groups(&Settings { watchdog, ..Settings::default() }).unwrap().iter().map(|group| group.interval_ms.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((interval_ms(5), interval_ms(3_600)), (vec![60_000, 5_000], vec![60_000, 60_000]), "as often as it is told, at least once a minute");
        settings.builtin.rules_off = vec!["Nothing".to_owned()];
        assert!(groups(&settings).unwrap_err().message().starts_with("cannot use setting alert.builtin.rules_off: found \"Nothing\": want names among"));
    }

    #[test]
    fn a_stall_is_what_the_settings_say() {
        let stall = |stalled_after_seconds| {
            let settings = Settings { builtin: Builtin { stalled_after_seconds, ..Builtin::default() }, ..Settings::default() };
            let group = groups(&settings).unwrap().remove(0);
            let rule = group.rules.iter().find(|rule| rule.name == "SignalboxIngestStalled").unwrap();
            let crate::rule_file::RuleKind::Alerting(alerting) = &rule.kind else { panic!("it alerts") };
            (group.interval_ms.unwrap(), rule.query.matches(" offset 10m").count(), rule.query.matches("[6s]").count(), alerting.hold_ms)
        };
        assert_eq!((stall(600), stall(6)), ((60_000, 2, 0, 300_000), (1_000, 0, 2, 3_000)));
        let settings = Settings { builtin: Builtin { stalled_after_seconds: 3, ..Builtin::default() }, ..Settings::default() };
        let refused = settings.check().unwrap_err();
        assert_eq!(refused.message(), "cannot use setting alert.builtin.stalled_after_seconds: found 3: want 4 to 86400");
    }

    #[test]
    fn the_watchdog_is_silent_when_nobody_evaluates_it() {
        let status = |evaluated_at_ns, health| {
            let kind = RuleKind::Alerting(AlertingStatus {
                hold: Duration::ZERO,
                keep_firing: Duration::ZERO,
                annotations: Labels::empty(),
                extras: Vec::new(),
                alerts: Vec::new(),
            });
            let (query, lang, labels) = ("vector(1)".to_owned(), "promql", Labels::empty());
            let rule = RuleStatus {
                name: WATCHDOG.to_owned(),
                query,
                lang,
                range: None,
                labels,
                health,
                last_error: None,
                evaluated_at_ns,
                evaluation: Duration::ZERO,
                kind,
            };
            let (file, name, interval) = (FILE.to_owned(), "signalbox".to_owned(), Duration::from_secs(60));
            [Arc::new(GroupStatus {
                file,
                name,
                interval,
                query_offset: Duration::ZERO,
                limit: 0,
                evaluated_at_ns,
                evaluation: Duration::ZERO,
                rules: vec![rule],
            })]
        };
        let at = |seconds: i64| Some(seconds * 1_000_000_000);
        for (what, groups, want) in [
            ("just now", status(at(1_000), Health::Good), false),
            ("one missed", status(at(880), Health::Good), false),
            ("three missed", status(at(879), Health::Good), true),
            ("before the clock was set back", status(at(2_000), Health::Good), false),
            ("never", status(None, Health::Unknown), true),
            ("in vain", status(at(1_000), Health::Bad), true),
        ] {
            assert_eq!(is_stalled(&groups, 1_000_000), want, "{what}");
        }
        assert!(!is_stalled(&[], 1_000_000), "there is none");
    }

    #[test]
    fn the_watchdog_goes_to_its_receiver_alone() {
        let target = |receiver: &str| Target { receiver: receiver.to_owned(), channel: format!("{receiver}/webhook"), sends_resolved: true };
        let all = [target("ops"), target("dog")];
        let plan = || Plan::flat(Route::root(String::new()), vec![target("ops")]);
        let settings = Settings { watchdog: Watchdog { receiver: "dog".to_owned(), interval_seconds: 90 }, ..Settings::default() };
        let routed = route_watchdog(plan(), &settings, &all).unwrap();
        let found = |name: &str| {
            let routes = routed.root.find(&Labels::from_pairs([("alertname", name)]));
            routes.iter().map(|route| (route.receiver.clone(), route.wait_ms, route.repeat_ms)).collect::<Vec<_>>()
        };
        assert_eq!(found(WATCHDOG), [("dog".to_owned(), 0, 90_000)]);
        assert_eq!(found("Down"), [(String::new(), 30_000, 4 * 3_600_000)]);
        assert_eq!(routed.receivers["dog"], [target("dog")]);
        let muted_by = |muting: Muting| [&routed.root, &routed.root.routes[0]].map(|route| muting.of_route(route, 0).into_iter().collect::<Vec<_>>());
        assert_eq!(muted_by(Muting::default()), [vec![], vec![]] as [Vec<String>; 2]);
        assert_eq!(muted_by(Muting { is_stalled: true, ..Muting::default() }), [vec![], vec![STALLED.to_owned()]], "the others go on");
        let settings = Settings { watchdog: Watchdog { receiver: "cat".to_owned(), ..Watchdog::default() }, ..Settings::default() };
        assert!(route_watchdog(plan(), &settings, &all).unwrap_err().message().starts_with("cannot use setting alert.watchdog.receiver: found \"cat\""));
    }
}
