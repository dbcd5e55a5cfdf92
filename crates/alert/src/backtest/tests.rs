//! Rules over histories that a function tells, and the number of questions that this takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use signalbox_model::TimeRange;
use signalbox_query::logql::{MetricAnswer, MetricRequest, MetricSeries, MetricValue};
use signalbox_query::promql::{MatrixSeries, Point, PromqlAnswer, PromqlRequest, Times, Value, VectorSample};
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest};

use super::*;
use crate::rule_file;

const MINUTE_MS: i64 = 60_000;
/// 2023-11-14T22:00:00Z
const T0_MS: i64 = 1_700_000_000_000 - 800_000;

/// The values of series by instance at an instant.
type History = fn(i64) -> Vec<(&'static str, f64)>;

/// Answers every question with the same history, and counts them.
#[derive(Debug)]
struct Historian {
    history: History,
    instants: AtomicU64,
    ranges: AtomicU64,
    refuses_ranges: bool,
}

impl Historian {
    fn new(history: History) -> Self {
        Self { history, instants: AtomicU64::new(0), ranges: AtomicU64::new(0), refuses_ranges: false }
    }

    fn at(&self, at_ms: i64) -> Vec<(Labels, f64)> {
        (self.history)(at_ms - T0_MS).into_iter().map(|(instance, value)| (Labels::from_pairs([("__name__", "m"), ("instance", instance)]), value)).collect()
    }
}

fn promql_answer(value: Value) -> PromqlAnswer {
    PromqlAnswer { value, warnings: Vec::new(), infos: Vec::new(), samples_read: 0, counts: None }
}

#[async_trait]
impl Answers for Historian {
    async fn promql(&self, _tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer> {
        match request.times {
            Times::Instant(at_ms) => {
                self.instants.fetch_add(1, Ordering::Relaxed);
                let samples = self.at(at_ms).into_iter().map(|(labels, value)| VectorSample { labels, ts_ms: at_ms, point: Point::Float(value) });
                Ok(promql_answer(Value::Vector(samples.collect())))
            }
            Times::Range { .. } if self.refuses_ranges => Err(Error::limit("too many points")),
            Times::Range { start_ms, end_ms, step_ms } => {
                self.ranges.fetch_add(1, Ordering::Relaxed);
                let mut series: std::collections::BTreeMap<Labels, Vec<(i64, f64)>> = std::collections::BTreeMap::new();
                for at_ms in (start_ms..=end_ms).step_by(usize::try_from(step_ms).unwrap()) {
                    for (labels, value) in self.at(at_ms) {
                        series.entry(labels).or_default().push((at_ms, value));
                    }
                }
                let series = series.into_iter().map(|(labels, floats)| MatrixSeries { labels, floats, histograms: Vec::new() });
                Ok(promql_answer(Value::Matrix(series.collect())))
            }
        }
    }

    async fn logql(&self, _tenant: &Tenant, request: MetricRequest) -> Result<MetricAnswer> {
        let is_instant = request.start_ns == request.end_ns;
        if is_instant { &self.instants } else { &self.ranges }.fetch_add(1, Ordering::Relaxed);
        let (mut points, mut at_ns) = (Vec::new(), request.start_ns);
        while at_ns <= request.end_ns {
            points.extend(self.at(at_ns / 1_000_000).first().map(|(_, value)| (at_ns, *value)));
            at_ns += request.step_ns.max(1);
        }
        let series = vec![MetricSeries { labels: vec![("app".to_owned(), "shop".to_owned())], points }];
        let value = if is_instant { MetricValue::Vector(series) } else { MetricValue::Matrix(series) };
        Ok(MetricAnswer { value, rows_read: 0, bytes_read: 0 })
    }

    async fn traceql_metrics(&self, _tenant: &Tenant, _request: MetricsRequest) -> Result<MetricsAnswer> {
        self.instants.fetch_add(1, Ordering::Relaxed);
        Ok(MetricsAnswer::default())
    }

    async fn sql_vector(&self, _tenant: &Tenant, _text: &str, at_ms: i64, _timeout: Duration) -> Result<Vec<VectorSample>> {
        self.instants.fetch_add(1, Ordering::Relaxed);
        let sample = |(labels, value)| VectorSample { labels, ts_ms: at_ms, point: Point::Float(value) };
        Ok(self.at(at_ms).into_iter().map(sample).collect())
    }
}

fn bench(engine: Arc<Historian>) -> Bench {
    let settings = Settings { external_labels: [("cluster".to_owned(), "x".to_owned())].into(), ..Settings::default() };
    Bench::new(engine, Tenant::default(), &settings, &signalbox_notify::Settings::default()).unwrap()
}

async fn try_text(engine: &Arc<Historian>, rules: &str, minutes: i64) -> Vec<RuleReport> {
    let groups = rule_file::parse("r", rules).unwrap();
    let request = Request { groups, start_ms: T0_MS, end_ms: T0_MS + minutes * MINUTE_MS, step_ms: None };
    run(&bench(Arc::clone(engine)), &request).await.unwrap()
}

/// Minutes from the start: `labels pending fired resolved max`.
fn shown(report: &RuleReport) -> Vec<String> {
    let minute = |at_ms: Option<i64>| at_ms.map_or("-".to_owned(), |at_ms| ((at_ms - T0_MS) as f64 / MINUTE_MS as f64).to_string());
    let show = |firing: &Firing| {
        let instance = firing.labels.get("instance").unwrap_or("-");
        format!("{instance} {} {} {} {}", minute(Some(firing.pending_at_ms)), minute(firing.fired_at_ms), minute(firing.resolved_at_ms), firing.value_max)
    };
    report.firings.iter().map(show).collect()
}

fn told(report: &RuleReport) -> Vec<String> {
    let show =
        |message: &Notification| format!("{} {} {}+ {}-", (message.at_ms - T0_MS) as f64 / MINUTE_MS as f64, message.reason, message.firing, message.resolved);
    report.notifications.iter().map(show).collect()
}

/// `a` is high from minute 10 to 20 and from 40 on, `b` from 12 to 13.
fn two(since_ms: i64) -> Vec<(&'static str, f64)> {
    let minute = since_ms / MINUTE_MS;
    let mut found = Vec::new();
    if (10..20).contains(&minute) || minute >= 40 {
        found.push(("a", minute as f64));
    }
    if (12..13).contains(&minute) {
        found.push(("b", 7.0));
    }
    found
}

const RULE: &str = "groups: [{name: g, rules: [{alert: High, expr: m > 1, for: 2m, annotations: {summary: '{{ $value }}'}}]}]";

#[tokio::test]
async fn alerts_are_pending_fire_resolve_and_are_told_as_the_server_does() {
    let engine = Arc::new(Historian::new(two));
    let reports = try_text(&engine, RULE, 60).await;
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert_eq!((report.group.as_str(), report.rule.as_str(), report.evaluations), ("g", "High", 61));
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert_eq!(shown(report), ["a 10 12 20 19", "b 12 - 13 7", "a 40 42 - 60"]);
    // The group waits half a minute, then five between messages.
    assert_eq!(told(report), ["12.5 first notification 1+ 0-", "22.5 all alerts resolved 0+ 1-", "42.5 first notification 1+ 0-"]);
    assert_eq!((report.notification_count, report.notifications[0].receiver.as_str()), (3, ""));
    assert_eq!(report.firings[0].labels, Labels::from_pairs([("alertname", "High"), ("instance", "a")]));
}

#[tokio::test]
async fn one_question_is_asked_for_many_instants() {
    let engine = Arc::new(Historian::new(two));
    let report = try_text(&engine, RULE, 3_000).await.remove(0);
    assert_eq!(report.evaluations, 3_001);
    let asked = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((asked(&engine.instants), asked(&engine.ranges)), (1, 6));
    // Half an hour after midnight it is told again, every four hours.
    let repeats = report.notifications.iter().filter(|message| message.reason == "repeat interval elapsed").count();
    assert_eq!(repeats, 12);

    let logs = Arc::new(Historian::new(two));
    let rule = "groups: [{name: g, rules: [{alert: High, lang: logql, expr: 'sum by (app) (rate({app=\"shop\"}[1m])) > 1'}]}]";
    let report = try_text(&logs, rule, 1_000).await.remove(0);
    assert_eq!((asked(&logs.instants), asked(&logs.ranges)), (1, 2));
    assert_eq!(shown(&report), ["- 10 10 20 19", "- 40 40 - 1000"]);
}

#[tokio::test]
async fn what_means_something_else_in_a_range_is_asked_at_instants() {
    let asked = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let of_ranges = Arc::new(Historian::new(two));
    let rule = "groups: [{name: g, rules: [{alert: High, expr: 'm @ end() > 1', for: 2m}]}]";
    assert_eq!(shown(&try_text(&of_ranges, rule, 60).await[0]), ["a 10 12 20 19", "b 12 - 13 7", "a 40 42 - 60"]);
    assert_eq!((asked(&of_ranges.instants), asked(&of_ranges.ranges)), (61, 0));

    let refusing = Arc::new(Historian { refuses_ranges: true, ..Historian::new(two) });
    assert_eq!(shown(&try_text(&refusing, RULE, 60).await[0]), ["a 10 12 20 19", "b 12 - 13 7", "a 40 42 - 60"]);
    assert_eq!(asked(&refusing.instants), 61);

    let sql = Arc::new(Historian::new(two));
    let rule = "groups: [{name: g, interval: 1m, rules: [{alert: High, lang: sql, expr: select 1 as value}]}]";
    let report = try_text(&sql, rule, 20_100).await.remove(0);
    assert_eq!(asked(&sql.instants), 20_000);
    assert!(report.errors.len() == 1 && report.errors[0].starts_with("more than 20000 questions that cannot be asked as ranges"), "{:?}", report.errors);
}

#[tokio::test]
async fn keep_firing_for_recording_rules_and_steps_count() {
    let engine = Arc::new(Historian::new(two));
    let rules = "groups: [{name: g, interval: 5m, rules: [{record: r, expr: m}, {alert: High, expr: m > 1, keep_firing_for: 30m}]}]";
    let reports = try_text(&engine, rules, 100).await;
    assert_eq!((reports[0].evaluations, reports[0].firings.len(), reports[0].notification_count), (21, 0, 0));
    assert_eq!(shown(&reports[1]), ["a 10 10 - 100"], "it goes on until it is found again");
    let groups = rule_file::parse("r", rules).unwrap();
    let request = Request { groups, start_ms: T0_MS, end_ms: T0_MS + 10 * MINUTE_MS, step_ms: Some(1_000) };
    assert_eq!(run(&bench(engine), &request).await.unwrap()[0].evaluations, 601);
}

#[tokio::test]
async fn routes_group_and_inhibit() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("alertmanager.yml");
    let text = "route:\n  receiver: all\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: 1m\n  routes:\n  - {receiver: pager, matchers: ['severity=\"page\"'], continue: false}\n\
                receivers: [{name: all}, {name: pager}]\n\
                inhibit_rules: [{source_matchers: ['severity=\"page\"'], target_matchers: ['severity=\"warning\"'], equal: [instance]}]\n";
    std::fs::write(&file, text).unwrap();
    let settings = Settings { alertmanager_config_file: file, ..Settings::default() };
    let engine = Arc::new(Historian::new(two));
    let bench = Bench::new(engine, Tenant::default(), &settings, &signalbox_notify::Settings::default()).unwrap();
    let rules = "groups: [{name: g, rules: [{alert: P, expr: m > 1, labels: {severity: page}}, {alert: W, expr: m > 1, labels: {severity: warning}}, \
                 {alert: I, expr: m > 1, labels: {severity: info}}]}]";
    let request = Request { groups: rule_file::parse("r", rules).unwrap(), start_ms: T0_MS, end_ms: T0_MS + 30 * MINUTE_MS, step_ms: None };
    let reports = run(&bench, &request).await.unwrap();
    let receivers = |report: &RuleReport| report.notifications.iter().map(|message| message.receiver.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(receivers(&reports[0]), ["pager".to_owned()].into());
    assert_eq!((reports[1].firings.len(), reports[1].notification_count), (2, 0), "inhibited: {:?}", reports[1].notifications);
    assert_eq!(receivers(&reports[2]), ["all".to_owned()].into());
    assert_eq!(told(&reports[2])[0], "10 first notification 1+ 0-");
    assert_eq!(told(&reports[2]).last().unwrap(), "20 all alerts resolved 0+ 1-");
}

#[tokio::test]
async fn too_many_evaluations_are_refused_and_unknown_names_are_not_found() {
    let groups = rule_file::parse("r", RULE).unwrap();
    let request = Request { groups: groups.clone(), start_ms: 0, end_ms: TimeRange::ALL.end_ns / 1_000_000, step_ms: Some(1) };
    let error = run(&bench(Arc::new(Historian::new(two))), &request).await.unwrap_err();
    assert!(error.message().contains("want at most 1000000"), "{}", error.message());
    assert_eq!(select(groups.clone(), Some("g"), Some("High")).unwrap().len(), 1);
    assert_eq!(select(groups.clone(), Some("h"), None).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(select(groups, None, Some("Low")).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(select(Vec::new(), None, None).unwrap().is_empty());
}
