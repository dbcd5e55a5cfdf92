//! Grouping as tables: at each second, what happens and what is told.

use super::*;

const POLICY: (i64, i64, i64) = (30_000, 300_000, 4 * 3_600_000);

fn policy(group_by: &[&str]) -> Arc<Route> {
    let (wait_ms, interval_ms, repeat_ms) = POLICY;
    let group_by = GroupBy::new(&group_by.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>());
    Arc::new(Route { group_by, wait_ms, interval_ms, repeat_ms, ..Route::root("ops".to_owned()) })
}

fn notice(name: &str, instance: &str, starts_at_s: i64, ends_at_s: Option<i64>) -> Notice {
    Notice {
        is_late: false,
        labels: Labels::from_pairs([("alertname", name), ("instance", instance)]),
        annotations: Labels::empty(),
        starts_at_ms: starts_at_s * 1000,
        ends_at_ms: ends_at_s.map(|at| at * 1000),
        generator_url: String::new(),
    }
}

/// One receiver and its log.
struct World {
    groups: Groups,
    told: BTreeMap<Labels, Told>,
}

impl World {
    fn new(root: Arc<Route>) -> Self {
        Self { groups: Groups::new(root), told: BTreeMap::new() }
    }

    /// What is told at a second: `First A/a+ A/b-` for the alerts on and over.
    fn flush(&mut self, at_s: i64) -> Vec<String> {
        let now_ms = at_s * 1000;
        let due: Vec<(Labels, Option<Telling>)> = self
            .groups
            .due(now_ms)
            .into_iter()
            .map(|group| (group.labels.clone(), decide(group.members(), self.told.get(&group.labels), now_ms, POLICY.2)))
            .collect();
        let mut lines = Vec::new();
        for (labels, telling) in due {
            if let Some(Telling { news, notices }) = telling {
                let show = |notice: &Notice| {
                    let sign = if notice.ends_at_ms.is_none() { '+' } else { '-' };
                    format!("{}/{}{sign}", notice.labels.get("alertname").unwrap(), notice.labels.get("instance").unwrap())
                };
                let mut shown: Vec<String> = notices.iter().map(show).collect();
                shown.sort();
                lines.push(format!("{news:?} {}", shown.join(" ")));
                let firing = notices.iter().filter(|notice| notice.ends_at_ms.is_none()).map(Notice::episode).collect();
                self.told.insert(labels.clone(), Told { at_ms: now_ms, firing });
            }
            self.groups.told(&("{}".to_owned(), labels), now_ms);
        }
        lines
    }

    /// Nothing is remembered but the log.
    fn restart(&mut self) {
        self.groups = Groups::new(Arc::clone(self.groups.root()));
    }
}

#[test]
fn a_new_group_waits_then_tells_all_at_once() {
    let mut world = World::new(policy(&["alertname"]));
    world.groups.update(&notice("A", "a", 0, None), 0);
    world.groups.update(&notice("A", "b", 10, None), 10_000);
    world.groups.update(&notice("B", "a", 20, None), 20_000);
    assert_eq!(world.flush(29), [""; 0]);
    assert_eq!(world.flush(30), ["First A/a+ A/b+"]);
    assert_eq!(world.groups.next_at_ms(), Some(50_000));
    assert_eq!(world.flush(50), ["First B/a+"]);
}

#[test]
fn news_wait_for_the_interval() {
    let mut world = World::new(policy(&["alertname"]));
    world.groups.update(&notice("A", "a", 0, None), 0);
    assert_eq!(world.flush(30), ["First A/a+"]);
    world.groups.update(&notice("A", "b", 60, None), 60_000);
    assert_eq!(world.flush(100), [""; 0]);
    assert_eq!(world.flush(330), ["Fired A/a+ A/b+"]);
    assert_eq!(world.flush(630), [""; 0], "nothing is new");
    world.groups.update(&notice("A", "a", 0, Some(640)), 640_000);
    assert_eq!(world.flush(930), ["Resolved A/a- A/b+"]);
    world.groups.update(&notice("A", "b", 60, Some(1000)), 1_000_000);
    assert_eq!(world.flush(1230), ["AllResolved A/b-"]);
    assert!(world.groups.is_empty());
}

#[test]
fn what_does_not_change_is_told_again_after_the_repeat_interval() {
    let mut world = World::new(policy(&[]));
    world.groups.update(&notice("A", "a", 0, None), 0);
    assert_eq!(world.flush(30), ["First A/a+"]);
    let mut told = Vec::new();
    for at_s in (330..30_000).step_by(300) {
        told.extend(world.flush(at_s).into_iter().map(|line| format!("{at_s}: {line}")));
    }
    assert_eq!(told, ["14430: Repeat A/a+", "28830: Repeat A/a+"]);
}

#[test]
fn what_came_and_went_between_two_messages_is_not_told() {
    let mut world = World::new(policy(&[]));
    world.groups.update(&notice("A", "a", 0, None), 0);
    world.groups.update(&notice("A", "a", 0, Some(20)), 20_000);
    assert_eq!(world.flush(30), [""; 0]);
    assert!(world.groups.is_empty());
}

#[test]
fn an_alert_that_fires_again_is_news() {
    let mut world = World::new(policy(&[]));
    world.groups.update(&notice("A", "a", 0, None), 0);
    assert_eq!(world.flush(30), ["First A/a+"]);
    world.groups.update(&notice("A", "a", 0, Some(60)), 60_000);
    world.groups.update(&notice("A", "a", 120, None), 120_000);
    assert_eq!(world.flush(330), ["Fired A/a+"]);
}

#[test]
fn a_restart_tells_nothing_twice_and_forgets_nothing() {
    let mut world = World::new(policy(&["alertname"]));
    world.groups.update(&notice("A", "a", 0, None), 0);
    world.groups.update(&notice("A", "b", 0, None), 0);
    assert_eq!(world.flush(30), ["First A/a+ A/b+"]);
    world.restart();
    world.groups.update(&notice("A", "a", 0, None), 100_000);
    world.groups.update(&notice("A", "b", 0, Some(90)), 100_000);
    assert_eq!(world.flush(100), ["Resolved A/a+ A/b-"]);
    world.restart();
    world.groups.update(&notice("A", "a", 0, None), 200_000);
    world.groups.update(&notice("A", "b", 0, Some(90)), 200_000);
    assert_eq!(world.flush(200), [""; 0]);
    // An alert that fired just before the restart still waits for others.
    world.restart();
    world.groups.update(&notice("C", "a", 290, None), 300_000);
    assert_eq!(world.flush(319), [""; 0]);
    assert_eq!(world.flush(320), ["First C/a+"]);
}

#[test]
fn three_dots_tell_every_alert_alone() {
    let mut world = World::new(policy(&["..."]));
    world.groups.update(&notice("A", "a", 0, None), 0);
    world.groups.update(&notice("A", "b", 0, None), 0);
    assert_eq!(world.flush(30), ["First A/a+", "First A/b+"]);
}

#[test]
fn a_clock_that_is_set_back_delays_no_group_for_long() {
    let mut world = World::new(policy(&[]));
    world.groups.update(&notice("A", "a", 100_000, None), 100_000_000);
    assert_eq!(world.flush(1_000), ["First A/a+"]);
}

#[test]
fn what_came_and_went_while_nobody_was_there_is_told_all_the_same() {
    let late = |ends_at_s| Notice { is_late: true, ..notice("Down", "a", 100, ends_at_s) };
    let telling = |notice: &Notice| decide([notice].into_iter(), None, 200_000, 3_600_000).map(|telling| (telling.news, telling.notices.len()));
    assert_eq!(telling(&late(Some(150))), Some((News::AllResolved, 1)));
    assert_eq!(telling(&late(None)), Some((News::First, 1)));
    assert_eq!(telling(&notice("Down", "a", 100, Some(150))), None);
}
