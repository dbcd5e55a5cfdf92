//! What is evaluated in a simulation, and who is told: rules, routes, channels.

use std::path::Path;
use std::sync::LazyLock;

use super::witness::Known;
use crate::alertmanager_file::AlertmanagerFile;

pub(super) const INSTANCES: [&str; 3] = ["a", "b", "c"];

pub(super) const RULES: [Known; 4] = [
    Known { alert: "Errors", metric: "errors", source: "errors", hold_ms: 0, keep_ms: 0, interval_ms: 10_000 },
    Known { alert: "Down", metric: "down", source: "down", hold_ms: 40_000, keep_ms: 30_000, interval_ms: 10_000 },
    Known { alert: "Full", metric: "full", source: "full", hold_ms: 60_000, keep_ms: 0, interval_ms: 30_000 },
    Known { alert: "Loaded", metric: RECORDED, source: "load", hold_ms: 30_000, keep_ms: 0, interval_ms: 30_000 },
];
/// What a rule records of one metric for a rule of another group.
pub(super) const RECORDED: &str = "shop:load";
/// How often it is recorded. Evaluations are most of what a life costs, so these groups are not the fastest.
pub(super) const RECORDED_EVERY_MS: i64 = 30_000;
pub(super) const RULE_FILE: &str = "
groups:
- name: fast
  interval: 10s
  rules:
  - {alert: Errors, expr: errors > 0, labels: {severity: warning, team: shop}}
  - {alert: Down, expr: down > 0, for: 40s, keep_firing_for: 30s, labels: {severity: critical, team: infra}, annotations: {summary: '{{ $labels.instance }} is down'}}
- name: slow
  interval: 30s
  rules:
  - {alert: Full, expr: full > 0, for: 1m, labels: {severity: warning, team: infra}}
  - {alert: Loaded, expr: 'shop:load > 0', for: 30s, labels: {severity: warning, team: shop}}
- name: records
  interval: 30s
  rules:
  - {record: 'shop:load', expr: load + 0}
";
/// The alert of another ruler.
pub(super) const OUTSIDE: &str = "Probe";

/// The shortest repeat interval of the plans.
pub(super) const REPEAT_MIN_MS: i64 = 300_000;
/// The plan in which a critical alert inhibits warnings of its instance.
pub(super) const INHIBITING: usize = 0;
/// The channel of the receiver that has quiet times in all plans.
pub(super) const QUIET_CHANNEL: &str = "pager/0";
const PLANS: [&str; 2] = [
    "
route:
  receiver: all
  group_by: [alertname]
  group_wait: 10s
  group_interval: 30s
  repeat_interval: 10m
  routes:
  - {matchers: ['team=infra'], receiver: infra, group_by: [instance], continue: true}
  - {matchers: ['severity=critical'], receiver: pager, group_by: ['...'], group_wait: 0s, repeat_interval: 5m, mute_time_intervals: [quiet]}
inhibit_rules:
- {source_matchers: ['severity=critical'], target_matchers: ['severity=warning'], equal: [instance]}
receivers: [{name: all}, {name: infra}, {name: pager}]
",
    "
route:
  receiver: all
  group_wait: 20s
  group_interval: 20s
  repeat_interval: 1h
  routes:
  - {matchers: ['team=shop'], receiver: pager, group_by: [alertname, instance], active_time_intervals: [loud]}
receivers: [{name: all}, {name: pager}]
",
];
pub(super) const CHANNELS: [(&str, bool); 4] = [("all/0", true), ("infra/0", true), ("infra/1", false), ("pager/0", true)];

/// Minutes of every ten that are quiet.
const QUIET: std::ops::Range<i64> = 6..8;

/// Whether the pager has to be quiet.
pub(super) fn is_quiet(now_ms: i64) -> bool {
    QUIET.contains(&now_ms.div_euclid(60_000).rem_euclid(10))
}

/// The `alertmanager.yml` of a plan, read once for all lives: they begin a process thousands of times.
pub(super) fn plan(index: usize) -> &'static AlertmanagerFile {
    static FILES: LazyLock<[AlertmanagerFile; 2]> = LazyLock::new(|| PLANS.map(|text| AlertmanagerFile::parse(&with_intervals(text), Path::new("")).unwrap()));
    &FILES[index]
}

/// A plan with its time intervals.
fn with_intervals(plan: &str) -> String {
    let times = |from: i64, to: i64| {
        let tens = (0..144).map(|ten| ten * 10);
        let clock = |minute: i64| format!("'{:02}:{:02}'", minute / 60, minute % 60);
        let spans: Vec<String> = tens.map(|ten| format!("{{start_time: {}, end_time: {}}}", clock(ten + from), clock(ten + to))).collect();
        format!("{{times: [{}]}}", spans.join(", "))
    };
    let (quiet, before, after) = (times(QUIET.start, QUIET.end), times(0, QUIET.start), times(QUIET.end, 10));
    let intervals = format!("time_intervals:\n- {{name: quiet, time_intervals: [{quiet}]}}\n- {{name: loud, time_intervals: [{before}, {after}]}}\n");
    format!("{plan}{intervals}")
}
