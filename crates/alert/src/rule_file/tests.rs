//! Rule files against the conformance data and real packs, against tables of our own, and against hostile text.

use std::path::{Path, PathBuf};

use signalbox_testkit::conformance as corpus;
use signalbox_testkit::mutate;

use super::*;

fn problems(text: &str) -> String {
    parse("r.yaml", text).map(|_| String::new()).unwrap_or_else(|error| error.message().to_owned())
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let (mut dirs, mut files) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| ["yaml", "yml", "rules"].iter().any(|known| extension == *known)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What is refused, with a part of the reason. Everything else that has `groups:` must load.
const REFUSED: &[(&str, &str)] = &[
    (
        "prometheus-rulefmt/bad_expr.bad.yaml",
        "5:15: group \"yolo\", rule 1, \"yolo\": could not parse expression: 1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
    ),
    ("prometheus-rulefmt/bad_field.bad.yaml", "8:9: field annotation not found: did you mean annotations?"),
    ("prometheus-rulefmt/duplicate_grp.bad.yaml", "3:5: groupname: \"yolo\" is repeated in the same file"),
    ("prometheus-rulefmt/invalid_label_name.bad.yaml", "7:11: group \"yolo\", rule 1, \"hola\": invalid label name: __name__"),
    ("prometheus-rulefmt/noexpr.bad.yaml", "4:9: group \"yolo\", rule 1, \"ylo\": field 'expr' must be set in rule"),
    ("prometheus-rulefmt/record_and_for.bad.yaml", "6:14: group \"yolo\", rule 1, \"Hello\": invalid field 'for' in recording rule"),
    ("prometheus-rulefmt/record_and_keep_firing_for.bad.yaml", "invalid field 'keep_firing_for' in recording rule"),
    // Prometheus loads it, and `promtool` warns.
    ("prometheus-rulefmt/test_aliases.yaml", "24:9: group \"my-group-name\", rule 3, \"HighAlert\": duplicate of rule 1"),
    (
        "prometheus-rules-fixtures/invalid_rules.yaml",
        "6:9: field unexpected_field not found: want one of record, alert, expr, for, keep_firing_for, labels, annotations, lang, range",
    ),
    ("promtool/bad-rules-syntax.yml", "7:15: group \"bad-syntax\", rule 1, \"x\": could not parse expression: 1:7: parse error: unexpected end of input"),
    ("promtool/rules-bad.yml", "rule 1, \"InstanceDown\": annotation \"summary\": template: __alert_InstanceDown:1: undefined variable \"$label\""),
    ("promtool/rules_extrafields.yml", "7:5: field namespace not found: want one of name, interval, query_offset, limit, labels, rules, lang"),
    ("promtool/prometheus-rules.lint.yml", "11:5: group \"example\", rule 2, \"HighRequestLatency\": duplicate of rule 1"),
    // Extensions of Thanos and VictoriaMetrics, which Prometheus refuses as well.
    ("thanos/cmd/thanos/testdata/rules-files/invalid-rules-data.yaml", "field partial_response_strategy not found"),
    ("thanos/cmd/thanos/testdata/rules-files/invalid-yaml-format.yaml", "could not find expected ':'"),
    ("thanos/cmd/thanos/testdata/rules-files/unreadable_valid.yaml", "field partial_response_strategy not found"),
    ("thanos/cmd/thanos/testdata/rules-files/valid.yaml", "field partial_response_strategy not found"),
    ("thanos/cmd/thanos/testdata/rules-files/valid_2.yaml", "field partial_response_strategy not found"),
    ("vmalert/dir/rules0-bad.rules", "annotation \"summary\": template: __alert_InvalidAnnotations:1: missing value for command"),
    ("vmalert/dir/rules0-good.rules", "label \"expr\": template: __alert_VMRows:1: undefined variable \"$expr\""),
    ("vmalert/dir/rules1-bad.rules", "groupname: \"sameGroup\" is repeated in the same file"),
    ("vmalert/dir/rules6-bad.rules", "field headers not found"),
    ("vmalert/rules/rules-multi-doc-duplicates-bad.rules", "groupname: \"foo\" is repeated in the same file"),
    ("vmalert/rules/rules0-bad.rules", "could not parse expression"),
    ("vmalert/rules/rules1-bad.rules", "field concurrency not found"),
    ("vmalert/rules/rules2-good.rules", "field concurrency not found"),
    ("vmalert/rules/rules3-good.rules", "field concurrency not found"),
    ("vmalert/rules/rules4-good.rules", "field concurrency not found"),
    ("vmalert/rules/rules_interval_bad.rules", "field eval_offset not found"),
    ("vmalert-tool/disable-group-label.yaml", "not a rule file"),
];

#[test]
fn loads_and_refuses_what_prometheus_does() {
    let Some(root) = corpus::root().map(|root| root.join("rules")) else { return };
    let (mut failures, mut cases, mut refused) = (Vec::new(), 0, 0);
    for path in files_below(&root) {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let Some((_, reason)) = REFUSED.iter().find(|(file, _)| *file == name) else {
            if text.lines().any(|line| line.trim_start().starts_with("groups:")) {
                cases += 1;
                failures.extend(parse(&name, &text).err().map(|error| error.to_string()));
            }
            continue;
        };
        if *reason == "not a rule file" {
            continue;
        }
        cases += 1;
        refused += 1;
        match parse(&name, &text) {
            Ok(_) => failures.push(format!("{name}: loads, want {reason}")),
            Err(error) if error.message().contains(reason) => {}
            Err(error) => failures.push(format!("{error}: want {reason}")),
        }
    }
    corpus::report("rule files", cases, &failures);
    assert_eq!(refused, REFUSED.len() - 1, "every refused file is there");
    assert!(cases > 45, "{cases} files");
}

/// The rule file in a manifest of Kubernetes.
fn spec_of_manifest(text: &str) -> Option<String> {
    let manifest: serde_json::Value = serde_norway::from_str(text).ok()?;
    let groups = manifest.get("groups").or_else(|| manifest.get("spec")?.get("groups"))?;
    serde_json::to_string(&serde_json::json!({ "groups": groups })).ok()
}

#[test]
fn loads_the_rules_of_the_real_world() {
    let Some(root) = corpus::root() else { return };
    let (mut failures, mut files, mut alerts, mut records) = (Vec::new(), 0, 0, 0);
    for pack in ["awesome-prometheus-alerts", "kube-prometheus", "kubernetes-mixin", "monitoring-mixins", "node_exporter", "tempo-mixin", "loki-mixin"] {
        for path in files_below(&root.join("realworld").join(pack)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let Some(rules) = (if text.lines().any(|line| line.starts_with("groups:")) { Some(text) } else { spec_of_manifest(&text) }) else { continue };
            files += 1;
            match parse(&path.display().to_string(), &rules) {
                Ok(groups) => {
                    for rule in groups.iter().flat_map(|group| &group.rules) {
                        match rule.kind {
                            RuleKind::Alerting(_) => alerts += 1,
                            RuleKind::Recording => records += 1,
                        }
                    }
                }
                Err(error) => failures.push(error.to_string()),
            }
        }
    }
    eprintln!("{alerts} alerts and {records} recording rules");
    corpus::report("real rule files", files, &failures);
    assert!(alerts > 1000 && records > 400, "{alerts} alerts, {records} recording rules");
}

#[test]
fn loads_the_example_of_the_repository() {
    let groups = load_all(&[concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/rules/*.yaml").to_owned()]).unwrap();
    assert!(groups.iter().map(|group| group.rules.len()).sum::<usize>() >= 2);
}

#[test]
fn keeps_what_is_written() {
    let text = "groups:\n- name: g\n  interval: 30s\n  query_offset: 1m\n  limit: 7\n  labels: {team: a, x: group}\n  rules:\n  - alert: Down\n    expr: up==0\n    for: 5m\n    keep_firing_for: 1h\n    labels: {x: 1.10, y: yes}\n    annotations:\n      summary: '{{ $labels.x }}'\n  - record: job:up\n    expr: sum(up)by(job)\n";
    let groups = parse("r.yaml", text).unwrap();
    let [group] = &groups[..] else { panic!("{groups:?}") };
    assert_eq!(
        (group.file.as_str(), group.name.as_str(), group.interval_ms, group.query_offset_ms, group.limit),
        ("r.yaml", "g", Some(30_000), Some(60_000), 7)
    );
    let [down, job_up] = &group.rules[..] else { panic!("two rules") };
    assert_eq!((down.name.as_str(), down.query.as_str()), ("Down", "up == 0"));
    assert_eq!(down.labels, Labels::from_pairs([("team", "a"), ("x", "1.10"), ("y", "yes")]), "scalars are text as written");
    let RuleKind::Alerting(alerting) = &down.kind else { panic!("it alerts") };
    assert_eq!((alerting.hold_ms, alerting.keep_firing_ms, alerting.annotation_templates[0].1.source()), (300_000, 3_600_000, "{{ $labels.x }}"));
    assert_eq!(
        (job_up.name.as_str(), job_up.query.as_str(), &job_up.labels),
        ("job:up", "sum by (job) (up)", &Labels::from_pairs([("team", "a"), ("x", "group")]))
    );
    assert!(matches!(job_up.kind, RuleKind::Recording));
}

#[test]
fn reads_rules_in_every_language() {
    let text = "groups:
- name: g
  lang: logql
  rules:
  - record: errors
    expr: sum by(app)(count_over_time({app=~`.+`}|=`error`[5m]))
  - alert: Slow
    lang: traceql
    range: 5m
    expr: '{duration>1s}|rate() by(name)'
  - alert: Orders
    lang: sql
    expr: |
      SELECT count(*) AS value FROM logs
  - alert: Down
    lang: promql
    expr: up==0
- name: h
  rules:
  - &rate
    record: a
    lang: traceql
    expr: '{}|count_over_time()'
  - <<: *rate
    record: b
    range: 1h
  - alert: Down
    expr: up==0
";
    let groups = parse("r.yaml", text).unwrap();
    let shown: Vec<_> =
        groups.iter().flat_map(|group| &group.rules).map(|rule| (rule.expr.language().as_str(), rule.query.as_str(), rule.expr.range_ms())).collect();
    assert_eq!(
        shown,
        [
            ("logql", "sum by (app)(count_over_time({app=~\".+\"} |= \"error\"[5m]))", None),
            ("traceql", "{ duration > 1s } | rate() by (name)", Some(300_000)),
            ("sql", "SELECT count(*) AS value FROM logs", None),
            ("promql", "up == 0", None),
            ("traceql", "{} | count_over_time()", None),
            ("traceql", "{} | count_over_time()", Some(3_600_000)),
            ("promql", "up == 0", None),
        ]
    );
}

#[test]
fn refuses_what_another_language_cannot_answer() {
    let rule = |rule: &str| problems(&format!("groups:\n- name: g\n  rules:\n  - alert: A\n{rule}"));
    for (text, want) in [
        ("    lang: promsql\n    expr: up\n", "r.yaml: 5:11: unknown lang \"promsql\": want promql, logql, traceql or sql"),
        (
            "    lang: logql\n    expr: '{app=\"a\"}'\n",
            "r.yaml: 6:11: group \"g\", rule 1, \"A\": could not use expression: it answers log lines: want a metric query, such as sum(rate({...}[5m]))",
        ),
        ("    lang: logql\n    expr: up == 0\n", "r.yaml: 6:11: group \"g\", rule 1, \"A\": could not parse expression: "),
        (
            "    lang: traceql\n    expr: '{}'\n",
            "r.yaml: 6:11: group \"g\", rule 1, \"A\": could not use expression: it answers traces: want a metrics query, such as {...} | rate()",
        ),
        ("    lang: traceql\n    expr: '{} | rate('\n", "r.yaml: 6:11: group \"g\", rule 1, \"A\": could not parse expression: "),
        ("    lang: traceql\n    expr: '{} | rate()'\n    range: 0s\n", "r.yaml: 7:12: group \"g\", rule 1, \"A\": invalid field 'range': want more than 0s"),
        ("    lang: traceql\n    expr: '{} | rate()'\n    range: 5x\n", "r.yaml: 7:12: unknown unit \"x\" in duration \"5x\""),
        ("    expr: up\n    range: 5m\n", "r.yaml: 6:12: group \"g\", rule 1, \"A\": invalid field 'range' in promql rule: the expression says it"),
        ("    lang: sql\n    expr: SELEC 1\n", "r.yaml: 6:11: group \"g\", rule 1, \"A\": could not parse expression: "),
        ("    lang: sql\n    expr: DROP TABLE logs\n", "could not parse expression: cannot run \"DROP TABLE logs\": want one SELECT, or EXPLAIN of one"),
        ("    lang: sql\n    expr: EXPLAIN SELECT 1\n", "could not parse expression: cannot take values from EXPLAIN: want one SELECT"),
        ("    lang: sql\n    expr: SELECT 1; SELECT 2\n", "could not parse expression: cannot run several statements: want one SELECT"),
        ("    lang: sql\n", "r.yaml: 4:5: group \"g\", rule 1, \"A\": field 'expr' must be set in rule"),
    ] {
        let found = rule(text);
        assert!(found.starts_with(want) || found.contains(&format!("\"A\": {want}")), "{text:?}: {found}");
        assert_eq!(found.lines().filter(|line| line.starts_with("r.yaml: ")).count(), 1, "{text:?}: {found}");
    }
    let found = problems("groups:\n- name: g\n  lang: influxql\n  rules:\n  - {alert: A, expr: up}\n");
    assert_eq!(found, "r.yaml: 3:9: unknown lang \"influxql\": want promql, logql, traceql or sql");
}

#[test]
fn policies_are_those_of_the_rule_or_of_its_group() {
    let text = "groups:\n- name: g\n  no_data: no_data\n  on_error: alert\n  rules:\n  - {alert: A, expr: up == 0}\n  - &b {alert: B, expr: up == 0, no_data: keep_last, \
                on_error: ok, recovery_expr: ' up ==  1'}\n  - {<<: *b, alert: C, on_error: keep_last}\n  - {record: r, expr: up}\n";
    let groups = parse("r.yaml", text).unwrap();
    let show = |rule: &Rule| match &rule.kind {
        RuleKind::Recording => "records".to_owned(),
        RuleKind::Alerting(AlertingRule { policies, .. }) => {
            let recovery = policies.recovery.as_ref().map_or("-", |recovery| &recovery.query);
            format!("{} {} {recovery}", policies.no_data.as_str(), policies.on_error.as_str())
        }
    };
    let shown: Vec<String> = groups[0].rules.iter().map(show).collect();
    assert_eq!(shown, ["no_data alert -", "keep_last ok up == 1", "keep_last keep_last up == 1", "records"]);
    let found = problems(
        "groups:\n- name: g\n  no_data: never\n  on_error: no_data\n  rules:\n  - alert: A\n    expr: up\n    no_data: OK\n    on_error: fire\n    recovery_expr: up ==\n  \
         - record: r\n    expr: up\n    no_data: ok\n    on_error: ok\n    recovery_expr: up\n",
    );
    for want in [
        "r.yaml: 3:12: unknown no_data \"never\": want one of ok, alert, keep_last, no_data",
        "r.yaml: 4:13: unknown on_error \"no_data\": want one of keep_last, alert, ok",
        "r.yaml: 8:14: group \"g\", rule 1, \"A\": unknown no_data \"OK\": want one of ok, alert, keep_last, no_data",
        "r.yaml: 9:15: group \"g\", rule 1, \"A\": unknown on_error \"fire\": want one of keep_last, alert, ok",
        "r.yaml: 10:20: group \"g\", rule 1, \"A\": could not parse expression: ",
        "rule 2, \"r\": invalid field 'no_data' in recording rule",
        "rule 2, \"r\": invalid field 'on_error' in recording rule",
        "rule 2, \"r\": invalid field 'recovery_expr' in recording rule",
    ] {
        assert!(found.contains(want), "no {want:?} in\n{found}");
    }
}

#[test]
fn a_rule_with_severities_is_as_many_rules() {
    let text = "groups:\n- name: g\n  rules:\n  - alert: Full\n    expr: a or b\n    for: 5m\n    labels: {team: x}\n    annotations: {summary: full}\n    severities:\n    \
                - {severity: critical, threshold: '> 9', recovery_threshold: '<= 8.5', for: 1m, annotations: {summary: very full}, labels: {team: y}}\n    \
                - {severity: warning, expr: c > 7, outranks: false}\n  - {alert: After, expr: up}\n";
    let groups = parse("r.yaml", text).unwrap();
    let show = |rule: &Rule| {
        let RuleKind::Alerting(alerting) = &rule.kind else { panic!("it records") };
        let recovery = alerting.policies.recovery.as_ref().map_or("-", |recovery| recovery.query.as_str());
        format!(
            "{}{} {} / {recovery} {} {} {:?}",
            rule.name,
            rule.labels,
            rule.query,
            alerting.hold_ms,
            alerting.annotations,
            rule.rank.map(|rank| (rank.position, rank.outranks))
        )
    };
    assert_eq!(
        groups[0].rules.iter().map(show).collect::<Vec<_>>(),
        [
            "Full{severity=\"critical\", team=\"y\"} (a or b) > 9 / (a or b) <= 8.5 60000 {summary=\"very full\"} Some((0, true))",
            "Full{severity=\"warning\", team=\"x\"} c > 7 / - 300000 {summary=\"full\"} Some((1, false))",
            "After{} up / - 0 {} None",
        ]
    );
    let rule = |text: &str| problems(&format!("groups:\n- name: g\n  rules:\n  - alert: A\n    {text}\n"));
    for (text, want) in [
        ("severities: []", "found 0 severities: want 1 to 16"),
        ("severities: [{severity: a, threshold: '> 1'}]", "field 'expr' must be set in the rule for a threshold"),
        ("expr: up\n    severities: [{severity: a, threshold: 'up'}]", "cannot read threshold \"up\": want a comparison with a number, such as \"> 0.9\""),
        ("expr: up\n    severities: [{severity: a, threshold: '> 1 or up'}]", "cannot read threshold"),
        ("expr: up\n    severities: [{severity: a}]", "one of 'expr' or 'threshold' must be set in severities"),
        ("expr: up\n    severities: [{severity: a, expr: up}]", "field 'expr' is used by no severity: want a threshold"),
        ("expr: up\n    severities: [{threshold: '> 1'}]", "field 'severity' must be set in severities"),
        ("expr: up\n    severities: [{severity: a, threshold: '> 1'}, {severity: a, threshold: '> 2'}]", "severity \"a\" is repeated"),
        ("expr: up\n    recovery_expr: up\n    severities: [{severity: a, threshold: '> 1'}]", "each of the severities has its own way back"),
        ("expr: up\n    labels: {severity: a}\n    severities: [{severity: a, threshold: '> 1'}]", "label \"severity\" is set by the severities"),
        ("lang: sql\n    expr: SELECT 1 AS value\n    severities: [{severity: a, threshold: '> 1'}]", "invalid field 'threshold' in sql rule"),
    ] {
        let found = rule(text);
        assert!(found.contains(want), "{text}: {found}");
    }
    assert!(
        problems("groups: [{name: g, rules: [{record: r, expr: up, severities: [{severity: a, threshold: '> 1'}]}]}]")
            .contains("invalid field 'severities' in recording rule")
    );
}

#[test]
fn what_the_documentation_of_rule_files_shows_loads() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/rules/README.md")).unwrap();
    let blocks: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        parse("README.md", block).unwrap();
    }
}

#[test]
fn follows_aliases_and_merge_keys() {
    let text = "groups:\n- name: g\n  rules:\n  - &down\n    alert: &name Down\n    expr: &expr up == 0\n    for: 5m\n    labels: {a: b}\n  - <<: *down\n    alert: Other\n  - record: *name\n    expr: *expr\n";
    let groups = parse("r.yaml", text).unwrap();
    let shown: Vec<(&str, &str, usize)> = groups[0].rules.iter().map(|rule| (rule.name.as_str(), rule.query.as_str(), rule.labels.len())).collect();
    assert_eq!(shown, [("Down", "up == 0", 1), ("Other", "up == 0", 1), ("Down", "up == 0", 0)]);
    assert!(matches!(&groups[0].rules[1].kind, RuleKind::Alerting(alerting) if alerting.hold_ms == 300_000));
}

#[test]
fn says_everything_that_is_wrong_at_once() {
    let text = "groups:\n- name: g\n  interval: 5x\n  rules:\n  - alert: A\n    record: B\n    expr: 'up ='\n  - expr: up\n  - record: 'a{b}'\n    expr: '\"text\"'\n    for: 1m\n    annotations: {a: b}\n- rules: []\n";
    let found = problems(text);
    for want in [
        "r.yaml: 3:13: unknown unit \"x\" in duration \"5x\"",
        "r.yaml: 5:12: group \"g\", rule 1, \"A\": only one of 'record' and 'alert' must be set",
        "r.yaml: 7:11: group \"g\", rule 1, \"A\": could not parse expression: 1:4: parse error:",
        "r.yaml: 8:5: group \"g\", rule 2, \"\": one of 'record' or 'alert' must be set",
        "r.yaml: 12:18: group \"g\", rule 3, \"a{b}\": invalid field 'annotations' in recording rule",
        "r.yaml: 11:10: group \"g\", rule 3, \"a{b}\": invalid field 'for' in recording rule",
        "r.yaml: 9:13: group \"g\", rule 3, \"a{b}\": braces present in the recording rule name; should it be in expr?: a{b}",
        "could not use expression: it is a string: want an instant vector or a scalar",
        "r.yaml: 13:3: Groupname must not be empty",
    ] {
        assert!(found.contains(want), "no {want:?} in\n{found}");
    }
}

#[test]
fn refuses_what_yaml_should_not_have() {
    for (text, want) in [
        ("group: []\n", "r.yaml: 1:1: field group not found: did you mean groups?"),
        ("groups: 5\n", "r.yaml: 1:9: groups: invalid type: integer `5`, expected a sequence"),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    expr: up\n", "duplicate field `expr`"),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    labels: {a: b, a: c}\n", "mapping key \"a\" already defined"),
        ("groups: [", "r.yaml: "),
        ("\u{0}", "r.yaml: "),
    ] {
        let found = problems(text);
        assert!(found.contains(want), "{text:?}: {found}");
    }
    for empty in ["", "groups:\n", "# nothing\n", "---\n---\n", "{}"] {
        assert_eq!(parse("r.yaml", empty).unwrap().len(), 0, "{empty:?}");
    }
}

#[test]
fn finds_files_by_pattern_each_once() {
    let dir = tempfile::tempdir().unwrap();
    for (name, group) in [("b.yaml", "b"), ("a.yaml", "a"), ("c.txt", "c")] {
        std::fs::write(dir.path().join(name), format!("groups: [{{name: {group}, rules: []}}]")).unwrap();
    }
    let pattern = |name: &str| dir.path().join(name).display().to_string();
    let names = |patterns: &[String]| load_all(patterns).unwrap().iter().map(|group| group.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&[pattern("*.yaml")]), ["a", "b"]);
    assert_eq!(names(&[pattern("b.yaml"), pattern("*.y?ml"), pattern("nothing*")]), ["b", "a"]);
    let error = load_all(&[pattern("nothing.yaml")]).unwrap_err();
    assert!(error.message().ends_with("nothing.yaml\": it does not exist"), "{error}");
    std::fs::write(dir.path().join("a.yaml"), "groups: [{name: ''}]").unwrap();
    std::fs::write(dir.path().join("b.yaml"), "grups: []").unwrap();
    let error = load_all(&[pattern("*.yaml")]).unwrap_err();
    assert_eq!(error.message().lines().count(), 2, "one line for each file: {error}");
    let large = "#".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1);
    std::fs::write(dir.path().join("a.yaml"), large).unwrap();
    let error = load_all(&[pattern("a.yaml")]).unwrap_err();
    assert!(error.message().contains("want at most"), "{error}");
}

#[test]
fn no_mutant_of_a_rule_file_makes_it_panic() {
    let seeds = [
        "groups:\n- name: g\n  interval: 30s\n  labels: {team: a}\n  rules:\n  - &a\n    alert: Down\n    expr: &e up == 0\n    for: 5m\n    labels: {x: 1.1}\n    annotations:\n      summary: \"{{ $labels.x | title }}\"\n  - <<: *a\n    alert: Other\n  - record: job:up\n    expr: *e\n",
        "{\"groups\":[{\"name\":\"g\",\"rules\":[{\"record\":\"a\",\"expr\":\"rate(up[5m])\"}]}]}\n---\ngroups:\n",
        "groups:\n- name: g\n  lang: logql\n  rules:\n  - record: a\n    expr: sum(rate({a=\"b\"}[5m]))\n  - alert: B\n    lang: traceql\n    range: 5m\n    expr: '{} | rate()'\n  - alert: C\n    lang: sql\n    expr: SELECT 1 AS value\n    no_data: alert\n    on_error: ok\n    recovery_expr: SELECT 2 AS value\n",
    ];
    mutate::texts(&seeds, &["  - ", ": ", "\n", "{{", "}}", "*a", "&a ", "<<: ", "---\n", "\"", "'", "|", "#", "\u{e9}"], 1_500, |text| {
        problems(text);
    });
}

#[test]
fn a_group_is_the_same_if_nothing_that_it_does_is_another() {
    let first = "{name: g, interval: 10s, limit: 3, rules: [{record: a, expr: x}, {alert: A, expr: x > 0, for: 1m, labels: {a: b}, annotations: {c: d}}]}";
    let group = |text: &str| parse("a.yaml", &format!("groups:\n- {text}")).unwrap().remove(0);
    let same =
        "{rules: [{expr: x, record: a}, {alert: A, labels: {a: b}, expr: x > 0, for: 60s, annotations: {c: d}}], name: g, limit: 3, interval: 10s} # same";
    assert!(group(first).is_same_as(&group(same)));
    let other_file = parse("b.yaml", &format!("groups:\n- {first}")).unwrap().remove(0);
    assert!(!group(first).is_same_as(&other_file));
    let changes = [
        ("name: g", "name: h"),
        ("interval: 10s", "interval: 11s"),
        ("limit: 3", "limit: 4"),
        ("limit: 3", "limit: 3, query_offset: 1s"),
        ("limit: 3", "limit: 3, labels: {team: x}"),
        ("record: a", "record: b"),
        ("record: a, expr: x", "record: a, expr: y"),
        ("{record: a, expr: x}, ", ""),
        ("for: 1m", "for: 2m"),
        ("for: 1m", "for: 1m, keep_firing_for: 1m"),
        ("for: 1m", "for: 1m, no_data: alert"),
        ("for: 1m", "for: 1m, on_error: alert"),
        ("for: 1m", "for: 1m, recovery_expr: x < 0"),
        ("labels: {a: b}", "labels: {a: '{{ $value }}'}"),
        ("{c: d}", "{c: e}"),
        ("expr: x > 0", "expr: x > 1"),
        ("alert: A, expr: x > 0, for: 1m", "alert: A, lang: sql, expr: SELECT 1 AS value, for: 1m"),
    ];
    for (from, to) in changes {
        assert!(first.contains(from) && !group(first).is_same_as(&group(&first.replacen(from, to, 1))), "{from} -> {to}");
    }
}
