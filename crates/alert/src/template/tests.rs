//! Templates against the conformance suite, against tables of our own, and against hostile text.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use signalbox_lang::promql;
use signalbox_testkit::mutate;

use signalbox_testkit::conformance as corpus;

use super::*;

const NOW_MS: i64 = 1_353_755_652_000;

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int),
        Json::String(text) => Value::text(text),
        Json::Array(list) => Value::List(Arc::new(list.iter().map(from_json).collect())),
        Json::Object(map) => Value::Map(Arc::new(map.iter().map(|(name, value)| (name.clone(), from_json(value))).collect::<BTreeMap<_, _>>())),
    }
}

/// Expands without the variables of alerts, with any value as `.`.
fn bare(source: &str, input: Option<&Json>, answers: &QueryAnswers) -> Expansion {
    match template::Template::parse("test", source, &NOWHERE) {
        Err(message) => Expansion::Failed(format!("error parsing template test: {message}")),
        Ok(template) => {
            let template = Template { inner: Arc::new(Inner { name: "test".into(), source: source.into(), template }) };
            template.run(&input.map_or(Value::Nil, from_json), NOW_MS, "http://testhost:9090/path/prefix", answers)
        }
    }
}

fn samples(json: &Json) -> Vec<Sample> {
    let sample = |element: &Json| {
        let labels = element["Metric"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        Sample { labels: Labels::from_pairs(labels), value: SampleValue::Float(element["F"].as_f64().unwrap()) }
    };
    json.as_array().into_iter().flatten().map(sample).collect()
}

/// Answers every query of a template alike.
fn expand_with(source: &str, input: Option<&Json>, answer: &[Sample]) -> Expansion {
    let mut answers = QueryAnswers::default();
    loop {
        match bare(source, input, &answers) {
            Expansion::Needs(query) => {
                promql::parse(&query).expect("the suite asks queries that parse");
                answers.insert(query, Ok(answer.to_vec()));
            }
            done => return done,
        }
    }
}

#[test]
fn passes_the_suite_of_prometheus() {
    let Some(facts) = corpus::facts("alerting/prometheus-templates.jsonl") else { return };
    let (mut failures, mut cases, mut consoles) = (Vec::new(), 0, 0);
    for fact in &facts {
        // HTML escaping and other options belong to console pages, which Signalbox does not have.
        if fact.get("html").is_some() || fact.get("options").is_some() {
            consoles += 1;
            continue;
        }
        cases += 1;
        let source = fact["text"].as_str().unwrap();
        let got = expand_with(source, fact.get("input"), &samples(&fact["query_result"]));
        let is_right = match fact.get("output") {
            Some(output) => got == Expansion::Done(output.as_str().unwrap().into()),
            None => fact["fail"] == Json::Bool(true) && matches!(got, Expansion::Failed(_)),
        };
        if !is_right {
            failures.push(format!("{source}: {got:?}: want {fact}"));
        }
    }
    assert_eq!(consoles, 6, "cases for console pages");
    corpus::report("templates", cases, &failures);
}

#[test]
fn expands_the_annotations_of_the_compliance_suite() {
    let Some(root) = corpus::root() else { return };
    let file = root.join("alerting/prometheus-compliance/rules.yaml");
    let groups = crate::rule_file::parse("rules.yaml", &std::fs::read_to_string(file).unwrap()).unwrap();
    let mut annotations = std::collections::BTreeMap::new();
    for rule in groups.iter().flat_map(|group| &group.rules) {
        let crate::rule_file::RuleKind::Alerting(alerting) = &rule.kind else { panic!("{} records", rule.name) };
        annotations.extend(alerting.annotation_templates.iter().map(|(name, template)| ((rule.name.clone(), name.clone()), template.clone())));
    }
    let expand = |alert: &str, annotation: &str| {
        let found = labels(&[("alertname", "Old"), ("foo", "bar"), ("variant", "one")]);
        let context = Context { labels: &found, value: &SampleValue::Float(15.0), now_ms: NOW_MS, external_labels: &Labels::empty(), external_url: "http://h" };
        let mut answers = QueryAnswers::default();
        let series = |id: &str, value: f64| Sample { labels: labels(&[("id", id)]), value: SampleValue::Float(value) };
        loop {
            match annotations[&(alert.to_owned(), annotation.to_owned())].expand(&context, &answers) {
                Expansion::Needs(query) => answers.insert(query, Ok(vec![series("2", 20.0), series("1", 10.0)])),
                Expansion::Done(text) => return text,
                Expansion::Failed(message) => panic!("{message}"),
            }
        }
    };
    for (alert, annotation, want) in [
        ("NewAlerts_OrderCheck_Rule2", "description", "Based on ALERTS. Old alertname was Old. foo was bar."),
        ("PendingAndFiringAndResolved_SimpleAlert", "summary", "The value is 15 15"),
        ("ZeroFor_SmallFor_ZeroFor", "template_query_test", "Args are: foo bar 99. first_id:1,1:10,2:20,"),
        ("ZeroFor_SmallFor_ZeroFor", "template_test", "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC"),
        ("ZeroFor_SmallFor_SmallFor", "template_test", "This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text. ."),
    ] {
        assert_eq!(expand(alert, annotation), want, "{alert} {annotation}");
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn alert(source: &str) -> Expansion {
    let template = match Template::parse("Down", source) {
        Ok(template) => template,
        Err(message) => return Expansion::Failed(message),
    };
    let (own, external) = (labels(&[("__name__", "up"), ("instance", "a:9"), ("job", "<j>")]), labels(&[("cluster", "c1")]));
    let mut answers = QueryAnswers::default();
    answers.insert("up".into(), Ok(vec![sample("b", 2.0), sample("a", 1.0)]));
    answers.insert("none".into(), Ok(Vec::new()));
    answers.insert("broken".into(), Err("it broke".into()));
    let context = Context { labels: &own, value: &SampleValue::Float(0.5), now_ms: 1_000, external_labels: &external, external_url: "http://h/p" };
    template.expand(&context, &answers)
}

fn sample(instance: &str, value: f64) -> Sample {
    Sample { labels: labels(&[("__name__", "up"), ("instance", instance)]), value: SampleValue::Float(value) }
}

#[test]
fn expands_what_go_expands() {
    let cases = [
        ("plain {{ $labels.instance }} {{ .Labels.job }} {{ $value }} {{ $externalLabels.cluster }} {{ $externalURL }}", "plain a:9 <j> 0.5 c1 http://h/p"),
        ("{{ $labels }}|{{ $labels.nothing }}|{{ len $labels }}|{{ index $labels \"job\" }}", "map[__name__:up instance:a:9 job:<j>]||3|<j>"),
        ("a {{- /* comment */ -}} b {{- 1 -}} c", "ab1c"),
        ("{{ if gt $value 0.4 }}big{{ else if gt $value 0.2 }}mid{{ else }}small{{ end }}", "big"),
        ("{{ if and true (eq $labels.job \"x\") }}1{{ else }}0{{ end }}{{ if or false \"x\" }}1{{ end }}{{ if not nil }}1{{ end }}", "011"),
        ("{{ range query \"up\" | sortByLabel \"instance\" }}{{ .Labels.instance }}={{ .Value }};{{ end }}", "a=1;b=2;"),
        ("{{ range $i, $s := query \"up\" }}{{ $i }}:{{ label \"instance\" $s }}:{{ value $s }} {{ end }}", "0:b:2 1:a:1 "),
        ("{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"),
        ("{{ range $k, $v := $labels }}{{ if eq $k \"instance\" }}{{ continue }}{{ end }}{{ $k }}={{ $v }} {{ end }}", "__name__=up job=<j> "),
        ("{{ range 5 }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}", "012"),
        ("{{ with $x := query \"up\" }}{{ len $x }}{{ (index $x 0).Value }}{{ end }}{{ with query \"none\" }}x{{ else }}-{{ end }}", "22-"),
        ("{{ define \"t\" }}[{{ .arg0 }} {{ .arg1 }}]{{ end }}{{ template \"t\" (args 1 \"b\") }}{{ template \"t\" args }}", "[1 b][<no value> <no value>]"),
        ("{{ block \"b\" .Value }}<{{ . }}>{{ end }}{{ tmpl \"b\" 7 }}", "<0.5><7>"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}", "32"),
        ("{{ $labels.job | html }} {{ \"a b&c\" | urlquery }} {{ js \"it's <b>\" }}", "&lt;j&gt; a+b%26c it\\'s \\u003Cb\\u003E"),
        ("{{ print 1 2 \"a\" \"b\" }} {{ println \"x\" 1 }}{{ printf \"%05.1f %q\" 3.14159 \"q\" }}", "1 2ab x 1\n003.1 \"q\""),
        ("{{ slice \"hello\" 1 3 }} {{ index \"abc\" 1 }} {{ len \"héllo\" }}", "el 98 6"),
        ("{{ eq 1 2 1 }}{{ ne \"a\" \"b\" }}{{ lt 1 2 }}{{ le 2 2 }}{{ ge 1.5 1.5 }}{{ gt \"b\" \"a\" }}", "truetruetruetruetruetrue"),
        ("{{ 'a' }} {{ 0x1F }} {{ 1e3 }} {{ -5 }} {{ 1_000 }} {{ true }} {{ `raw\\n` }} {{ 0b11 }} {{ 017 }}", "97 31 1000 -5 1000 true raw\\n 3 15"),
        (
            "{{ title \"this part\" }} {{ toUpper \"a\" }} {{ toLower \"B\" }} {{ match \"^a+$\" \"aaa\" }} {{ reReplaceAll \"(a)(b)\" \"$2$1\" \"abx\" }}",
            "This Part A b true bax",
        ),
        (
            "{{ pathPrefix }} {{ externalURL }} {{ now }} {{ parseDuration \"2h10m15s\" }} {{ urlQueryEscape \"a=b c\" }} {{ strvalue (query \"up\" | first) }}.",
            "/p http://h/p 1 7815 a%3Db+c .",
        ),
        ("{{ with $value }}{{ . }}{{ $ | len | print }}{{ end }}", "FAIL len of type struct"),
        ("{{ $ }}", "{map[__name__:up instance:a:9 job:<j>] map[cluster:c1] http://h/p 0.5}"),
        ("{{ (query \"up\" | first).Labels.instance }} {{ query \"up\" | first }}", "b {map[__name__:up instance:b] 2}"),
    ];
    for (source, want) in cases {
        match (alert(source), want.strip_prefix("FAIL ")) {
            (Expansion::Done(text), None) => assert_eq!(text, want, "{source}"),
            (Expansion::Failed(message), Some(part)) => assert!(message.contains(part), "{source}: {message}"),
            (got, _) => panic!("{source}: {got:?}"),
        }
    }
}

#[test]
fn fails_in_the_words_of_go() {
    let cases = [
        ("{{ $label.foo }}", "template: __alert_Down:1: undefined variable \"$label\""),
        ("x\n{{ nosuch }}", "template: __alert_Down:2: function \"nosuch\" not defined"),
        ("{{ }}", "template: __alert_Down:1: missing value for command"),
        ("{{ if }}x{{ end }}", "template: __alert_Down:1: missing value for if"),
        ("{{ if true }}x", "template: __alert_Down:1: unexpected EOF in if"),
        ("{{ end }}", "template: __alert_Down:1: unexpected {{end}}"),
        ("{{ .Labels.job", "template: __alert_Down:1: unclosed action"),
        ("{{ \"abc }}", "template: __alert_Down:1: unterminated quoted string"),
        ("{{ (1 }}", "template: __alert_Down:1: unclosed left paren"),
        ("{{ 1 | 2 }}", "template: __alert_Down:1: non executable command in pipeline stage 2"),
        ("{{/* x }}", "template: __alert_Down:1: unclosed comment"),
        ("{{ break }}", "template: __alert_Down:1: {{break}} outside {{range}}"),
        (
            "{{ query \"none\" | first | value }}",
            "error executing template __alert_Down: template: __alert_Down:1:130: executing \"__alert_Down\" at <first>: \
             error calling first: first() called on vector with no elements",
        ),
        (
            "{{ query \"broken\" }}",
            "error executing template __alert_Down: template: __alert_Down:1:115: executing \"__alert_Down\" at <query \"broken\">: error calling query: it broke",
        ),
        (
            "\n{{ $labels.instance.foo }}",
            "error executing template __alert_Down: template: __alert_Down:2:10: executing \"__alert_Down\" at <$labels.instance.foo>: \
             can't evaluate field foo in type string",
        ),
        (
            "{{ eq 1 1.0 }}",
            "error executing template __alert_Down: template: __alert_Down:1:115: executing \"__alert_Down\" at <eq 1 1.0>: \
             error calling eq: incompatible types for comparison",
        ),
        (
            "{{ template \"x\" }}",
            "error executing template __alert_Down: template: __alert_Down:1:115: executing \"__alert_Down\" at <{{template \"x\"}}>: template \"x\" not defined",
        ),
    ];
    for (source, want) in cases {
        assert_eq!(alert(source), Expansion::Failed(want.into()), "{source}");
    }
}

#[test]
fn a_greedy_template_is_stopped() {
    let cases = [
        ("{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}".to_owned(), "exceeded maximum template depth"),
        ("{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}".to_owned(), "more than 100000 steps"),
        ("{{ $x := \"0123456789\" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}".to_owned(), "more than 1048576 bytes"),
        (format!("{}1{}", "{{ (".to_owned() + &"(".repeat(100), ")".repeat(101) + " }}"), "more than 64 levels of nesting"),
        ("{{ if true }}".repeat(100), "more than 64 levels of nesting"),
        ("x".repeat(template::limits::TEXT_BYTES_MAX), "want at most 65536"),
        ("{{ reReplaceAll \"((a{1,100}){1,100}){1,100}\" \"\" \"a\" }}".to_owned(), "error parsing regexp"),
    ];
    for (source, part) in cases {
        match alert(&source) {
            Expansion::Failed(message) => assert!(message.contains(part), "{message}"),
            got => panic!("{got:?}"),
        }
    }
    let greedy = "{{ range 1000 }}{{ query (print \"up\" .) }}{{ end }}";
    let Expansion::Failed(message) = expand_with(greedy, None, &[]) else { panic!("it went on asking") };
    assert!(message.contains("more than 64 queries"), "{message}");
}

const PIECES: [&str; 20] =
    ["{{", "}}", "{{-", "-}}", "(", ")", "\"", "`", "'", "|", ":=", ".", ",", "$x", "99999999999999999999", "5m", "{{end}}", "{{ if ", "nil", "\u{e9}"];

#[test]
fn no_mutant_of_a_template_makes_it_panic() {
    let seeds = [
        "{{ define \"t\" }}Args are: {{.arg0}}. {{ with query \"up\" }}{{ . | sortByLabel \"id\" | first | label \"id\" }},{{ range $v := sortByLabel \"id\" . }}{{ $v }}{{end}}{{end}}{{ end }}{{ template \"t\" (args \"foo\" 99) }}",
        "{{ if match \"[0-9]+\" \"1234\" }}{{ reReplaceAll \"r.*d\" \"x$1\" \"rpld\" }}{{ else if gt $value 1.5 }}{{ printf \"%-08.3f %*d %q\" 1.5 3 4 \"é\" }}{{ end }}",
        "{{- range $i, $e := $labels -}} {{ $i }}{{ $e | title | toUpper }}{{ continue }}{{- else }}{{ slice \"héllo\" 1 3 }} {{ (now | toTime).Format \"Mon Jan _2 15:04:05.000 2006\" }}{{- end }}",
        "{{ (\"-30m\" | parseDuration | toDuration | (now | toTime).Add).UnixMilli }}{{/* c */}}{{ humanizeDuration 12.3 }}{{ 'x' | html | js | urlquery }}{{ index $labels \"a\" }}",
    ];
    mutate::texts(&seeds, &PIECES, 1_500, |text| {
        alert(text);
    });
}
