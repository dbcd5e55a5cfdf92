//! The files of unit tests of the conformance data, rules of all languages, and hostile text.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use signalbox_ingest::sink::{Accepted, Sink, Written};
use signalbox_model::{Batch, KnownSeries, Labels, Result, Tenant};
use signalbox_query::Engine;
use signalbox_store::Store;
use signalbox_testkit::disk::SimDisk;
use signalbox_testkit::{ManualClock, conformance, mutate};

use super::*;
use crate::rule_file::{self, Group, UnknownFields, check};

#[derive(Debug)]
struct Direct(Store);

#[async_trait]
impl Sink for Direct {
    async fn write(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted> {
        let written = Written::of(&batches);
        self.0.append(tenant, batches).await?;
        Ok(Accepted { rejected: Vec::new(), written })
    }

    fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries> {
        self.0.known_series(tenant)
    }
}

/// A laboratory in memory.
pub(crate) async fn laboratory(step_ms: i64) -> Laboratory {
    let clock = Arc::new(ManualClock::at_ms(4_102_444_800_000));
    let store = Store::open(signalbox_store::Settings::small(), Path::new("store"), Arc::new(SimDisk::default()), clock.clone()).await.unwrap();
    let step = Duration::from_millis(step_ms.unsigned_abs()).as_secs().max(1);
    let settings = signalbox_query::Settings { promql_subquery_step_seconds: step, ..signalbox_query::Settings::default() };
    Laboratory { engine: Arc::new(Engine::new(store.clone(), clock, settings)), sink: Arc::new(Direct(store)) }
}

/// Runs all tests of a file with these rules. Failures, each with the name of its test.
async fn run_all(mut file: TestFile, groups: &[Group], options: &Options) -> Vec<String> {
    let laboratory = laboratory(file.subquery_step_ms()).await;
    let mut failures = Vec::new();
    for (index, test) in std::mem::take(&mut file.tests).into_iter().enumerate() {
        let tenant = Tenant::new(&format!("test-{index}")).unwrap();
        let outcome = run(&file, groups, test, &laboratory, &tenant, options).await;
        failures.extend(outcome.failures.iter().map(|failure| format!("{}: {failure}", outcome.name)));
    }
    failures
}

/// Runs a file of the conformance data; what went wrong. `None` without the data.
async fn run_file(path: &str, unknown: UnknownFields, options: &Options) -> Option<Vec<String>> {
    let text = conformance::read(path)?;
    let file = match read(&text) {
        Ok(file) => file,
        Err(error) => return Some(vec![error.message().to_owned()]),
    };
    let folder = conformance::root()?.join(path).parent()?.to_owned();
    let patterns: Vec<String> = file.rule_files.iter().map(|pattern| folder.join(pattern).display().to_string()).collect();
    let paths = match rule_file::find(&patterns) {
        Ok(paths) => paths,
        Err(error) => return Some(vec![error.message().to_owned()]),
    };
    let (mut groups, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let checked = check("rules", &rule_file::read(&path).unwrap(), unknown);
        groups.extend(checked.groups);
        problems.extend(checked.problems.iter().map(ToString::to_string));
    }
    Some(if problems.is_empty() { run_all(file, &groups, options).await } else { problems })
}

async fn check_file(path: &str, unknown: UnknownFields, options: &Options, want: &[&str]) {
    let Some(failures) = run_file(path, unknown, options).await else { return };
    let is_same = failures.len() == want.len() && failures.iter().zip(want).all(|(failure, want)| failure.contains(want));
    assert!(is_same, "{path}: want {want:?}, got:\n{}", failures.join("\n"));
}

/// The verdict of `promtool` on its own files: what goes wrong, in order.
const PROMTOOL: &[(&str, &[&str])] = &[
    ("unittest", &[]),
    ("bad-input-series", &["cannot read series \"up{job"]),
    ("bad-promql", &["many-to-many matching not allowed"]),
    ("bad-rules-syntax-test", &["could not parse expression"]),
    (
        "failing",
        &[
            "Failing test: ",
            "Failing test:     expr: \"test\"",
            "Failing alert test:     name: Failing alert test,\n    alertname: InstanceDown",
            "alertname: AlwaysFiring, time: 5m",
        ],
    ),
    // Negative offsets are no feature that could be disabled.
    ("negative-offset-test", &[]),
    ("no-test-group-interval", &[]),
    ("rules_run", &["wrong test:     expr: \"test\", time: 0s,\n        exp: test 1E+00\n        got: test 0E+00"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn files_of_promtool_have_its_verdict() {
    for (name, want) in PROMTOOL {
        check_file(&format!("rules/promtool/{name}.yml"), UnknownFields::Refused, &Options::default(), want).await;
    }
    let extra = "rules/promtool/rules_run_extrafields.yml";
    check_file(extra, UnknownFields::Ignored, &Options::default(), &[]).await;
    check_file(extra, UnknownFields::Refused, &Options::default(), &["field namespace not found"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_vmalert_tool_have_its_verdict() {
    let external = Options { external_labels: Labels::from_pairs([("cluster", "prod")]), external_url: "http://grafana:3000".into(), ..Options::default() };
    for (name, want) in [
        ("test1", &[][..]),
        ("test2", &[]),
        ("long-period", &[]),
        ("failed-test", &["alertname: Test, time: 0s", "alertname: InstanceDown, time: 5m", "alertname: AlwaysFiring, time: 5m"]),
        ("failed-test-with-missing-rulefile", &["non-existing-file.yaml\": it does not exist"]),
    ] {
        check_file(&format!("rules/vmalert-tool/{name}.yaml"), UnknownFields::Refused, &external, want).await;
    }
    let plain = Options { without_group_label: true, ..Options::default() };
    check_file("rules/vmalert-tool/disable-group-label.yaml", UnknownFields::Refused, &plain, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_others_pass() {
    for path in [
        "rules/thanos/examples/alerts/tests.yaml",
        "_agpl/rules/loki-operator/operator/internal/manifests/internal/alerts/testdata/test.yaml",
        "realworld/kubernetes-mixin/unit-tests/apiserver-availability-test.yaml",
        "realworld/kubernetes-mixin/unit-tests/kube_scheduler-test.yaml",
        "realworld/kubernetes-mixin/unit-tests/resource_alerts-test.yaml",
    ] {
        check_file(path, UnknownFields::Refused, &Options::default(), &[]).await;
    }
}

async fn failures(rules: &str, tests: &str) -> Vec<String> {
    let groups = rule_file::parse("rules", rules).unwrap();
    run_all(read(tests).unwrap(), &groups, &Options::default()).await
}

const LANGUAGES: &str = r#"
groups:
- name: all
  rules:
  - alert: Errors
    lang: logql
    expr: sum by (app) (count_over_time({app=~".+"} |= "error" [2m])) > 2
    for: 1m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.app }} has {{ $value }} errors'}
  - alert: Slow
    lang: traceql
    range: 2m
    expr: '{ resource.service.name = "shop" && duration > 1s } | count_over_time() by (name) > 1'
  - alert: Failing
    lang: sql
    expr: select service, count(*) as value from spans where status_code = 2 and timestamp > now() - interval '2 minutes' and timestamp <= now() group by service
  - record: app:errors
    lang: logql
    expr: sum by (app) (count_over_time({app=~".+"} |= "error" [2m]))
"#;

const LANGUAGE_TESTS: &str = r#"
tests:
- name: languages
  start_timestamp: 2026-01-01T00:00:00Z
  interval: 1m
  input_logs:
  - {stream: {app: cart}, body: "error: timeout", at: 10s, every: 20s, times: 12, severity: error, attributes: {code: 500}}
  - {labels: {app: shop}, body: fine, at: [5s, 1m]}
  - {resource: {service.name: web}, body: "error: none", at: 1m}
  input_spans:
  - {service: shop, name: GET /, duration: 1500ms, status: error, at: [30s, 45s, 100s], attributes: {http.status_code: 500}}
  - {service: cart, name: GET /cart, duration: 2s, at: 1m}
  alert_rule_test:
  - eval_time: 1m
    alertname: Errors
  - eval_time: 2m
    alertname: Errors
    exp_alerts: [{exp_labels: {app: cart, severity: page}, exp_annotations: {summary: cart has 6 errors}}]
  - {eval_time: 6m, alertname: Errors}
  - eval_time: 1m
    alertname: Slow
    exp_alerts: [{exp_labels: {name: GET /}}]
  - eval_time: 1m
    alertname: Failing
    exp_alerts: [{exp_labels: {service: shop}}]
  - {eval_time: 5m, alertname: Failing}
  promql_expr_test:
  - expr: app:errors
    eval_time: 2m
    exp_samples: [{labels: 'app:errors{app="cart"}', value: 6}]
  logql_expr_test:
  - expr: sum by (detected_level) (count_over_time({app="cart"}[1m]))
    eval_time: 1m
    exp_samples: [{labels: '{detected_level="error"}', value: 3}]
  - expr: count(rate({app="cart"} | code = "500" [1m]))
    eval_time: 1m
    exp_samples: [{value: 1}]
  traceql_expr_test:
  - expr: '{ span.http.status_code = 500 } | count_over_time()'
    eval_time: 2m
    range: 2m
    exp_samples: [{labels: count_over_time, value: 3}]
  sql_expr_test:
  - expr: select severity_text, count(*) as value from logs where timestamp <= now() and severity_number = 17 group by severity_text
    eval_time: 2m
    exp_samples: [{labels: '{severity_text="error"}', value: 6}]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn rules_over_logs_and_spans_are_tested() {
    let found = failures(LANGUAGES, LANGUAGE_TESTS).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
    let wrong = LANGUAGE_TESTS.replace("times: 12", "times: 3").replace("1500ms", "500ms").replace("value: 3}]", "value: 4}]");
    let found = failures(LANGUAGES, &wrong).await;
    for want in ["alertname: Errors, time: 2m", "alertname: Slow, time: 1m", "app:errors", "traceql", "detected_level"] {
        let is_said = found.iter().any(|failure| failure.contains(want) || want == "traceql" && failure.contains("count_over_time()\", time: 2m"));
        assert!(is_said, "{want} in\n{}", found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_comes_in_as_time_goes_by_and_everything_may_be_shown() {
    let rules = "groups: [{name: g, rules: [{record: ahead, expr: x offset -1m}, {record: r, expr: 'vector(time())'}]}]";
    let tests = "{evaluation_interval: 1m, tests: [{interval: 30s, input_series: [{series: x, values: '0+1x9'}], promql_expr_test: [\
                 {expr: ahead, eval_time: 2m, exp_samples: [{labels: ahead, value: 4}]}, {expr: r, eval_time: 2m, exp_samples: [{labels: r, value: 120}]}, \
                 {expr: x, eval_time: 3m, exp_samples: [{labels: x, value: 6}]}]}]}";
    let groups = rule_file::parse("rules", rules).unwrap();
    assert_eq!(run_all(read(tests).unwrap(), &groups, &Options::default()).await, [""; 0]);
    let mut file = read(tests).unwrap();
    let test = file.tests.pop().unwrap();
    let options = Options { with_dump: true, ..Options::default() };
    let outcome = run(&file, &groups, test, &laboratory(60_000).await, &Tenant::default(), &options).await;
    let dump = outcome.dump.unwrap();
    assert!(dump.contains("x =>\n0 @[0s]\n1 @[30s]") && dump.contains("r =>\n0 @[0s]\n60 @[1m]"), "{dump}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_fails_ends_its_test() {
    let rules = "groups: [{name: g, rules: [{record: r, expr: 'a + on() b'}]}]";
    let tests = "{tests: [{input_series: [{series: a, values: 1x3}, {series: 'b{x=\"1\"}', values: '_ 1x2'}, {series: 'b{x=\"2\"}', values: '_ 1x2'}], \
                 promql_expr_test: [{expr: a, eval_time: 3m}]}]}";
    let found = failures(rules, tests).await;
    assert!(found.len() == 1 && found[0].contains("    rule: r, time: 1m, err: found duplicate series"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_says_of_no_data_and_errors_is_tested() {
    let rules = "groups: [{name: g, rules: [{alert: Gone, expr: x > 5, no_data: alert}, {alert: Broken, expr: 'x + on() y > 0', on_error: alert, annotations: {reason: broken}}, \
                 {alert: High, expr: x > 5, recovery_expr: x < 3}]}]";
    let tests = "{tests: [{input_series: [{series: x, values: '1 6 4 2 stale'}, {series: 'y{i=\"1\"}', values: '_ _ 1x3'}, {series: 'y{i=\"2\"}', values: '_ _ 1x3'}], \
                 alert_rule_test: [{eval_time: 3m, alertname: Gone}, {eval_time: 4m, alertname: Gone, exp_alerts: [{exp_annotations: {reason: no data}}]}, \
                 {eval_time: 1m, alertname: Broken}, {eval_time: 2m, alertname: Broken, exp_alerts: [{exp_annotations: {reason: broken}}]}, \
                 {eval_time: 2m, alertname: High, exp_alerts: [{}]}, {eval_time: 3m, alertname: High}]}]}";
    assert_eq!(failures(rules, tests).await, [""; 0]);
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    for (text, want) in [
        ("tests: [{x: 1}]", "1:10: field x not found"),
        ("evaluation_interval: 1parsec", "1parsec"),
        ("group_eval_order: [a, b, a]", "group name repeated in evaluation order: a"),
        ("tests: [{start_timestamp: yesterday}]", "cannot parse start_timestamp \"yesterday\""),
        ("tests: [{promql_expr_test: [{expr: up, range: 1m}]}]", "only of traceql_expr_test"),
        ("tests: {}", "invalid type"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.message().contains(want), "{text}: {}", error.message());
    }
    assert!(read("").unwrap().tests.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_test_fails_it_alone() {
    for (test, want) in [
        ("{alert_rule_test: [{eval_time: 5m}]}", "an item under alert_rule_test misses required attribute alertname at eval_time 5m"),
        ("{name: n, alert_rule_test: [{}]}", "at eval_time 0s (in TestGroup n)"),
        ("{input_logs: [{body: x}]}", "cannot read number 1 of input_logs: no time"),
        ("{input_logs: [{at: 1m, every: 1m}]}", "every and times belong together"),
        ("{input_logs: [{every: 1m, times: 99999999}]}", "times is 99999999"),
        ("{input_logs: [{at: 1m, stream: {a: b}, resource: {a: b}}]}", "stream and resource"),
        ("{input_logs: [{at: 1m, severity: loud}]}", "no severity \"loud\""),
        ("{input_spans: [{at: 1m, trace_id: xyz}]}", "no trace id \"xyz\""),
        ("{input_spans: [{at: 1m, status: bad}]}", "no status \"bad\": want unset, ok, error"),
        ("{promql_expr_test: [{expr: up, exp_samples: [{labels: 'a{'}]}]}", "labels \"a{\": "),
        ("{promql_expr_test: [{expr: up, exp_samples: [{value: x}]}]}", "\"x\" is no number"),
        ("{promql_expr_test: [{expr: up, exp_samples: [{histogram: '1'}]}]}", "expected histogram"),
        ("{promql_expr_test: [{expr: '\"text\"'}]}", "it is a string"),
        ("{promql_expr_test: [{expr: up, eval_time: 10000d}]}", "want at most 1000000"),
    ] {
        let found = failures("groups: []", &format!("tests: [{test}, {{name: good}}]")).await;
        assert!(found.len() == 1 && found[0].contains(want), "{test}: {found:?}");
    }
}

#[test]
fn no_mutant_of_a_file_of_tests_makes_it_panic() {
    let seeds = [
        LANGUAGE_TESTS,
        "rule_files: [a]\nfuzzy_compare: true\ntests:\n- input_series:\n  - series: a{b=\"c\"}\n    values: 1+1x3 _ {{schema:1 buckets:[1 2]}}x2\n",
    ];
    mutate::texts(&seeds, &["  - ", ": ", "\n", "{", "}", "x", "9", "1h", "-", "\"", "e", "\u{e9}"], 1_500, |text| {
        let Ok(file) = read(text) else { return };
        for mut test in file.tests {
            if let Ok(inputs) = &mut test.inputs {
                inputs.take_until(1_000_000);
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_documentation_passes() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/rules/TESTS.md")).unwrap();
    let blocks: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    let [rules, tests] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    assert_eq!(failures(rules, tests).await, [""; 0]);
}
