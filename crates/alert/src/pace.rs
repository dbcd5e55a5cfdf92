//! Groups that make up for what they missed go in step: one that reads what another records is not ahead of it.
//!
//! On time nobody waits for anybody: what a group reads is what is there, as in Prometheus. But while an outage is made up, a group
//! that is ahead would find nothing of the time that it asks about. So a missed slot is evaluated when all slots before it are, of all
//! groups that record what it reads. The earliest never waits, so groups that read each other go on as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use signalbox_lang::promql::{Expr, ExprKind};
use signalbox_meta::ALERT_VALUE_SERIES;
use signalbox_model::MatchOp;
use signalbox_model::labels::METRIC_NAME;
use tokio::sync::watch;

use crate::rule_file::{Expression, Group, RuleKind};

/// Series that every group with alerts writes.
const OF_ALERTS: [&str; 3] = ["ALERTS", "ALERTS_FOR_STATE", ALERT_VALUE_SERIES];
/// Nobody waits for a group that has not moved for so long.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// What a group reads and writes, by the names of series.
#[derive(Debug)]
pub(crate) struct Names {
    group: (String, String),
    /// `None` is anything: a name by pattern, or SQL.
    reads: Option<BTreeSet<String>>,
    writes: BTreeSet<String>,
}

impl Names {
    /// Of a group.
    pub(crate) fn of(group: &Group) -> Self {
        let (mut reads, mut writes) = (Some(BTreeSet::new()), BTreeSet::new());
        for rule in &group.rules {
            read(&rule.expr, &mut reads);
            match &rule.kind {
                RuleKind::Recording => {
                    writes.insert(rule.name.clone());
                }
                RuleKind::Alerting(alerting) => {
                    writes.extend(OF_ALERTS.map(str::to_owned));
                    if let Some(recovery) = &alerting.policies.recovery {
                        read(&recovery.expr, &mut reads);
                    }
                }
            }
        }
        Self { group: (group.file.clone(), group.name.clone()), reads, writes }
    }

    fn reads_of(&self, other: &Self) -> bool {
        self.group != other.group && self.reads.as_ref().map_or(!other.writes.is_empty(), |reads| !reads.is_disjoint(&other.writes))
    }
}

/// Adds what an expression reads.
fn read(expression: &Expression, reads: &mut Option<BTreeSet<String>>) {
    match expression {
        Expression::Promql(expr) => read_series(expr, reads),
        // Nobody records lines and spans.
        Expression::Logql(_) | Expression::Traceql { .. } => {}
        Expression::Sql(_) => *reads = None,
    }
}

fn read_series(expr: &Expr, reads: &mut Option<BTreeSet<String>>) {
    expr.visit(&mut |expr| {
        let selector = match &expr.kind {
            ExprKind::VectorSelector(selector) => selector,
            ExprKind::MatrixSelector(matrix) => &matrix.selector,
            _ => return,
        };
        let name = selector.matchers.iter().find(|matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal);
        match name {
            Some(name) => {
                if let Some(reads) = reads {
                    reads.insert(name.value.clone());
                }
            }
            None => *reads = None,
        }
    });
}

/// A group that makes up.
#[derive(Debug)]
struct Behind {
    names: Arc<Names>,
    /// The slot that it evaluates next.
    next_ms: i64,
    /// When it came there, on the clock that nobody sets.
    since: Duration,
}

/// The groups that make up.
#[derive(Debug)]
pub(crate) struct Pace {
    behind: Mutex<BTreeMap<(String, String), Behind>>,
    moved: watch::Sender<()>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { behind: Mutex::default(), moved: watch::Sender::new(()) }
    }
}

impl Pace {
    /// A group evaluates this slot next, and has missed slots; `None` if it is on time.
    pub(crate) fn is_at(&self, names: &Arc<Names>, next_ms: Option<i64>, now: Duration) {
        let mut behind = self.behind.lock();
        let before = match next_ms {
            Some(next_ms) => {
                if behind.get(&names.group).is_some_and(|behind| behind.next_ms == next_ms) {
                    return;
                }
                behind.insert(names.group.clone(), Behind { names: Arc::clone(names), next_ms, since: now })
            }
            None => behind.remove(&names.group),
        };
        drop(behind);
        if next_ms.is_some() || before.is_some() {
            self.moved.send_replace(());
        }
    }

    /// Whether a group has to wait before it evaluates a slot.
    pub(crate) fn is_ahead(&self, names: &Names, at_ms: i64, now: Duration) -> bool {
        let is_before = |behind: &Behind| behind.next_ms < at_ms && now.saturating_sub(behind.since) < WAIT_MAX && names.reads_of(&behind.names);
        self.behind.lock().values().any(is_before)
    }

    /// Told whenever a group moves.
    pub(crate) fn moves(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_file;

    fn names(rules: &str) -> Arc<Names> {
        let group = rule_file::parse("a.yaml", &format!("groups: [{rules}]")).unwrap().remove(0);
        Arc::new(Names::of(&group))
    }

    const RECORDS: &str = "{name: records, rules: [{record: a:b, expr: sum(x)}]}";

    #[test]
    fn a_group_reads_what_its_expressions_select() {
        let records = names(RECORDS);
        let cases = [
            ("{name: g, rules: [{alert: A, expr: 'rate(a:b[5m]) > 0'}]}", true),
            ("{name: g, rules: [{alert: A, expr: 'max_over_time((sum(a:b) / x)[5m:1m]) > 0'}]}", true),
            ("{name: g, rules: [{alert: A, expr: '{__name__=~\"a.*\"} > 0'}]}", true),
            ("{name: g, rules: [{alert: A, expr: 'x > 0', recovery_expr: 'a:b < 0'}]}", true),
            ("{name: g, rules: [{alert: A, lang: sql, expr: 'SELECT 1 AS value'}]}", true),
            ("{name: g, rules: [{alert: A, expr: 'x > 0'}]}", false),
            ("{name: g, rules: [{alert: A, lang: logql, expr: 'sum(rate({a=\"b\"}[1m])) > 0'}]}", false),
            ("{name: g, rules: [{record: a:b, expr: x}]}", false),
        ];
        for (rules, expected) in cases {
            assert_eq!(names(rules).reads_of(&records), expected, "{rules}");
        }
        assert!(!records.reads_of(&records), "its own rules are in their order");
        let alerts = names("{name: g, rules: [{alert: A, expr: 'x > 0'}]}");
        assert!(names("{name: h, rules: [{record: n, expr: 'count(ALERTS)'}]}").reads_of(&alerts));
    }

    #[test]
    fn who_reads_is_not_ahead_of_who_records_and_the_earliest_never_waits() {
        let (pace, seconds) = (Pace::default(), Duration::from_secs);
        let (records, reads) = (names(RECORDS), names("{name: g, rules: [{record: x, expr: 'sum(a:b)'}]}"));
        assert!(!pace.is_ahead(&reads, 100, seconds(0)), "nobody is behind");
        pace.is_at(&records, Some(50), seconds(0));
        pace.is_at(&reads, Some(60), seconds(0));
        let ahead = |now| [pace.is_ahead(&reads, 60, seconds(now)), pace.is_ahead(&records, 50, seconds(now))];
        assert_eq!(ahead(0), [true, false], "although it reads x");
        assert_eq!(ahead(300), [false, false], "it has not moved");
        let mut moves = pace.moves();
        pace.is_at(&records, Some(50), seconds(200));
        assert!(!moves.has_changed().unwrap() && !pace.is_ahead(&reads, 60, seconds(300)), "standing still is no move");
        pace.is_at(&records, Some(60), seconds(300));
        assert!(moves.has_changed().unwrap());
        moves.mark_unchanged();
        assert_eq!(ahead(300), [false, false], "both at the same instant");
        pace.is_at(&reads, Some(70), seconds(300));
        assert_eq!([pace.is_ahead(&reads, 70, seconds(300)), pace.is_ahead(&records, 60, seconds(300))], [true, false]);
        pace.is_at(&records, None, seconds(300));
        assert!(!pace.is_ahead(&reads, 70, seconds(300)), "it is on time");
    }
}
