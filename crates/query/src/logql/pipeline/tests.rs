//! Pipelines against the corpora of Loki by path, tables of our own, and hostile lines.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use serde_json::Value as Json;
use signalbox_lang::logql::ast::{Extraction, Grouping, MetricExpr, Parser};
use signalbox_lang::logql::{Expr, Stage, parse};
use signalbox_model::text::Phrase;
use signalbox_testkit::{conformance, mutate};

use super::*;

type Labels = BTreeMap<String, String>;

/// The stages and what is unwrapped of `{a="b"} <stages>` or of an aggregation with them.
fn compile(stages: &str) -> Pipeline {
    match parse(&format!("{{a=\"b\"}} {stages}")).unwrap_or_else(|error| panic!("{stages}: {error}")) {
        Expr::Logs(logs) => Pipeline::new(&logs.stages, None).unwrap_or_else(|error| panic!("{stages}: {error}")),
        Expr::Metric(_) => unreachable!(),
    }
}

fn compile_range(query: &str) -> Pipeline {
    let Expr::Metric(MetricExpr::Vector(vector)) = parse(query).unwrap() else { panic!("{query}") };
    let MetricExpr::Range(range) = *vector.expr else { panic!("{query}") };
    let grouping = vector.grouping.unwrap_or(Grouping::default());
    Pipeline::grouped(&range.range.logs.stages, range.range.unwrap.as_ref(), &grouping).unwrap()
}

fn pairs(json: &Json) -> Vec<(&str, &str)> {
    json.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect()
}

fn run_with(pipeline: &Pipeline, line: &str, stream: &[(&str, &str)], metadata: &[(&str, &str)]) -> Option<(String, Labels, Option<f64>)> {
    let mut runner = pipeline.runner(0);
    runner.enter_stream(stream.iter().copied());
    // Twice, because the memory of one record serves the next.
    let mut last = None;
    for _ in 0..2 {
        last = runner.run(1_700_000_000_123_456_789, line, metadata.iter().copied()).map(|outcome| {
            let labels = outcome.labels.sorted();
            assert!(labels.windows(2).all(|pair| pair[0].0 < pair[1].0), "{labels:?}");
            let labels = labels.into_iter().map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect();
            (outcome.line.to_owned(), labels, outcome.value)
        });
    }
    last
}

/// The labels besides those of the stream, as `name=value` with spaces between; nothing if the record does not pass.
fn labels_of(stages: &str, line: &str) -> Option<String> {
    let (_, labels, _) = run_with(&compile(stages), line, &[("app", "shop"), ("env", "prod")], &[("trace", "t1"), ("level", "info")])?;
    let own = labels
        .iter()
        .filter(|(name, value)| !matches!((name.as_str(), value.as_str()), ("app", "shop") | ("env", "prod") | ("trace", "t1") | ("level", "info")));
    Some(own.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
}

#[test]
fn extracts_what_loki_extracts() {
    let Some(corpus) = conformance::facts("_agpl/logql/extract.jsonl") else { return };
    let mut failures = Vec::new();
    for case in &corpus {
        let parser = case["parser"].as_str().unwrap();
        let extractions = || {
            let pair = |each: &Json| {
                let (label, expression) = pairs(each)[0];
                Extraction { label: label.to_owned(), expression: expression.to_owned() }
            };
            case["expressions"].as_array().unwrap().iter().map(pair).collect()
        };
        let pipeline = match parser {
            "pattern" => compile(&format!("| pattern {}", case["pattern"])),
            "json-expr" => Pipeline::new(&[Stage::Parser(Parser::Json(extractions()))], None).unwrap(),
            "logfmt-expr" => {
                let logfmt = Parser::Logfmt { is_strict: false, keeps_empty: false, extractions: extractions() };
                Pipeline::new(&[Stage::Parser(logfmt)], None).unwrap()
            }
            _ => compile(&format!("| {parser}")),
        };
        let metadata = case.get("structured_metadata").map(pairs).unwrap_or_default();
        let (_, got, _) = run_with(&pipeline, case["line"].as_str().unwrap(), &pairs(&case["lbs"]), &metadata).unwrap();
        let want: Labels = pairs(&case["want"]).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if got != want {
            failures.push(format!("{case}: got {got:?}"));
        }
    }
    conformance::report("LogQL parsers", corpus.len(), &failures);
}

#[test]
fn patterns_capture_and_match_as_in_loki() {
    let Some(corpus) = conformance::facts("_agpl/logql/pattern.jsonl") else { return };
    let mut failures = Vec::new();
    for case in &corpus {
        let (pattern, line) = (case["expr"].as_str().unwrap(), case["in"].as_str().unwrap());
        let names: Vec<String> =
            pattern.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(name, _)| name.to_owned()).filter(|name| name != "_").collect();
        let stage = format!("| pattern {}", Json::from(pattern));
        let (_, labels, _) = run_with(&compile(&stage), line, &[], &[]).unwrap();
        let got: Vec<&str> = names.iter().filter_map(|name| labels.get(name)).map(String::as_str).collect();
        let want: Vec<&str> = case["expected"].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        // In a filter captures have no names.
        let filter = names.iter().fold(pattern.to_owned(), |filter, name| filter.replace(&format!("<{name}>"), "<_>"));
        let matches = run_with(&compile(&format!("|> {}", Json::from(filter))), line, &[], &[]).is_some();
        if got != want || matches != case["matches"].as_bool().unwrap() {
            failures.push(format!("{case}: got {got:?}, {matches}"));
        }
    }
    conformance::report("LogQL patterns", corpus.len(), &failures);
}

#[test]
fn filters_lines() {
    let line = "GET /api from 10.1.2.3 in 5ms to [2001:db8::5]:80";
    let cases = [
        ("|= \"api\"", true),
        ("|= \"API\"", false),
        ("|= \"nothing\" or \"from\"", true),
        ("!= \"nothing\" or \"from\"", false),
        ("|~ \"/a.i\" !~ \"^from\"", true),
        ("|~ \"(?i)API\"", true),
        ("|> \"GET <_> from <_>\"", true),
        ("|> \"<_>from\"", false),
        ("!> \"<_>from\"", true),
        ("|> \"<_>nothing<_>\" or \"<_>5ms<_>\"", true),
        ("|= ip(\"10.1.2.3\")", true),
        ("|= ip(\"10.0.0.0/8\")", true),
        ("|= ip(\"10.1.2.0 - 10.1.2.9\")", true),
        ("!= ip(\"10.1.2.0-10.1.2.9\")", false),
        ("|= ip(\"10.1.3.0/24\")", false),
        ("|= ip(\"2001:db8::/32\")", true),
        ("|= ip(\"2001:db9::/32\") or \"5ms\"", true),
        ("|= \"\"", true),
    ];
    for (stages, want) in cases {
        assert_eq!(run_with(&compile(stages), line, &[], &[]).is_some(), want, "{stages}");
    }
    for pattern in ["10.0.0.0/33", "10.0.0", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "x", "", "10.0.0.0/+8"] {
        let Expr::Logs(logs) = parse(&format!("{{a=\"b\"}} |= ip(\"{pattern}\")")).unwrap() else { unreachable!() };
        assert!(Pipeline::new(&logs.stages, None).unwrap_err().message().contains("invalid pattern"), "{pattern}");
    }
}

#[test]
fn parsers_read_labels() {
    let cases = [
        // JSON.
        ("| json", r#"{"a":1,"b":{"c":"d","e":{"f":true}},"g":[1,{"h":2}],"i":null,"j k":"é\n\u00e9\ud83d\ude00"}"#, "a=1 b_c=d b_e_f=true j_k=é\né😀"),
        ("| json", r#"{"app":"x","trace":"y","app_extracted":"z"}"#, "app_extracted=x trace_extracted=y"),
        ("| json", r#"{"a":1,"a":2,"1b":3," c ":4,"":5,"d":""}"#, "_1b=3 a=1 c=4 d="),
        ("| json", r#"{"a":{"b":1},"a_b":2}"#, "a_b=1"),
        ("| json", r#"{"a":"\x","b":"\ud800"}"#, "a= b="),
        ("| json", r#"{"a":1,"b":tru}"#, "__error__=JSONParserErr __error_details__=Unknown value type a=1"),
        ("| json", r#"{"a":1"#, "__error__=JSONParserErr __error_details__=Value looks like array, but can't find closing ']' symbol a=1"),
        ("| json", "not json", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"),
        ("| json", "", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"),
        ("| json", "{}", ""),
        ("| json x=\"a.b[1]\", y=\"c\", app=\"d\"", r#"{"a":{"b":[1,{"k":"v"}]},"c":null,"d":"e"}"#, "app_extracted=e x={\"k\":\"v\"} y="),
        ("| json x=\"[0].a\"", r#"[{"a":"b"}]"#, "x=b"),
        ("| json x=\"a\"", "plain", "__error__=JSONParserErr"),
        ("| json x=\"a\"", "{\"b", "x="),
        // logfmt.
        ("| logfmt", "a=1 b=\"c d\" e f= g=\"\" h.i=2 app=x", "a=1 app_extracted=x b=c d h_i=2"),
        ("| logfmt --keep-empty", "a=1 e f= g=\"\"", "a=1 e= f= g="),
        ("| logfmt", "a=\"x\\\"y\\n\" b='z' c=\\", "a=x\"y\n b='z' c=\\"),
        ("| logfmt", "a==b c=d\"e f=g \"h=i\" =j k=\"l", "f=g"),
        ("| logfmt --strict", "x=y a==b f=g", "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 7 : unexpected '=' x=y"),
        ("| logfmt --strict", "x=y k=\"l", "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 9 : unterminated quoted value x=y"),
        ("| logfmt x=\"a\", b, app=\"c\"", "a=1 b=2 c=3 d=4", "app_extracted=3 b=2 x=1"),
        ("| logfmt x=\"a\", y", "b=2", "x= y="),
        // Others.
        ("| regexp \"(?P<m>\\\\w+) (?P<app>\\\\S+)( (?P<opt>z))?\"", "GET /x", "app_extracted=/x m=GET opt="),
        ("| regexp \"(?P<m>\\\\d+)\"", "GET /x", ""),
        ("| pattern \"<m> <_> <p>\"", "a b c d", "m=a p=c d"),
        ("| pattern \"[<m>] <p>\"", "a b c d", ""),
        ("| pattern \"<m>=<p>;\"", "a b", "m=a b"),
        ("| unpack", r#"{"a":"b","n":1,"app":"c","_entry":"x=1"}"#, "a=b app_extracted=c"),
        ("| unpack", r#"{"a":"b"}"#, ""),
        ("| unpack", r#"["a"]"#, "__error__=JSONParserErr __error_details__=expecting json object(6), but it is not"),
        // The first that finds a label keeps it, also where it was dropped.
        ("| json | logfmt", r#"{"a":"1 b=2"}"#, "a=1 b=2"),
        ("| json | drop a | json", r#"{"a":1,"b":2}"#, "b=2"),
        ("| unpack | logfmt", r#"{"a":"b","_entry":"a=1 b=2"}"#, "a=b b=2"),
        // Dropped and kept labels.
        ("| json | drop b, c=\"3\", d=\"x\", app", r#"{"a":1,"b":2,"c":3,"d":4}"#, "a=1 d=4"),
        ("| json | keep a, c=\"3\", d=\"x\", app", r#"{"a":1,"b":2,"c":3,"d":4}"#, "a=1 c=3"),
        ("| json | drop __error__", "x", "__error_details__=Value looks like object, but can't find closing '}' symbol"),
        ("| json | drop __error__, __error_details__", "x", ""),
        ("| json | keep a", "x", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"),
    ];
    for (stages, line, want) in cases {
        assert_eq!(labels_of(stages, line).as_deref(), Some(want), "{stages} on {line}");
    }
    assert_eq!(labels_of("| json | label_format x=a, a=b, y=nothing", r#"{"a":1,"b":2}"#).as_deref(), Some("a=2 x=1"));
    assert_eq!(run_with(&compile("| decolorize"), "\u{1b}[31mred\u{1b}[0m plain \u{1b}[1;32mgreen", &[], &[]).unwrap().0, "red plain green");
    assert_eq!(run_with(&compile("| unpack"), r#"{"a":"b","_entry":"x \"1\""}"#, &[], &[]).unwrap().0, "x \"1\"");
}

#[test]
fn conditions_look_at_labels() {
    let line = "status=500 latency=1.5s size=2KiB addr=10.0.0.7 empty= word=x";
    let cases = [
        ("status = \"500\"", Some("")),
        ("status=~\"5..\" and app=\"shop\" and level!=\"error\" and nothing=\"\"", Some("")),
        ("nothing != \"\"", None),
        ("status >= 500 and status < 501 and status == 500", Some("")),
        ("status > 500 or latency > 1s", Some("")),
        ("latency > 1500ms", None),
        ("latency = 1.5s, size = 2048B size <= 2KiB", Some("")),
        ("size > 2KB", Some("")),
        ("nothing > 1", None),
        ("nothing != 1", None),
        ("addr = ip(\"10.0.0.0/24\") and addr != ip(\"10.0.0.1\")", Some("")),
        ("addr = ip(\"10.0.1.0/24\")", None),
        ("word > 5", Some("__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing \"x\": invalid syntax")),
        ("word > 5s", Some("__error__=LabelFilterErr __error_details__=time: invalid duration \"x\"")),
        ("word > 5KB", Some("__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing \"\": invalid syntax")),
        ("word > 5 | __error__=\"\"", None),
        (
            "word > 5 | __error__=\"LabelFilterErr\" | addr = ip(\"1.1.1.1\")",
            Some("__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing \"x\": invalid syntax"),
        ),
    ];
    let parsed = "addr=10.0.0.7 latency=1.5s size=2KiB status=500 word=x";
    for (condition, want) in cases {
        let got = labels_of(&format!("| logfmt | {condition}"), line);
        let want = want.map(|errors| if errors.is_empty() { parsed.to_owned() } else { format!("{errors} {parsed}") });
        assert_eq!(got, want, "{condition}");
    }
}

#[test]
fn labels_keep_their_categories() {
    let pipeline = compile("| json");
    let mut runner = pipeline.runner(0);
    runner.enter_stream([("app", "shop"), ("gone", "")]);
    let outcome = runner.run(0, r#"{"a":1,"trace":2}"#, [("trace", "t"), ("app", "x")]).unwrap();
    let want = [
        ("a", "1", Category::Parsed),
        ("app", "shop", Category::Stream),
        ("app_extracted", "x", Category::Metadata),
        ("trace", "t", Category::Metadata),
        ("trace_extracted", "2", Category::Parsed),
    ];
    assert_eq!(outcome.labels.sorted(), want);
    // Nothing of a record is left in the next one, nothing of a stream either.
    assert_eq!(runner.run(0, "{}", []).unwrap().labels.sorted(), [("app", "shop", Category::Stream)]);
    runner.enter_stream([("env", "prod")]);
    assert_eq!(runner.run(0, "{}", []).unwrap().labels.sorted(), [("env", "prod", Category::Stream)]);
}

#[test]
fn unwraps_values() {
    let line = "n=1.5 d=90s b=2KiB e= w=x m=-5ms";
    let cases = [
        ("n", Some((1.5, false))),
        ("duration(d)", Some((90.0, false))),
        ("duration_seconds(m)", Some((-0.005, false))),
        ("bytes(b)", Some((2048.0, false))),
        ("e", None),
        ("nothing", None),
        ("w", Some((0.0, true))),
        ("w | __error__=\"\"", None),
        ("n | n > 1", Some((1.5, false))),
        ("n | n > 2", None),
    ];
    for (unwrap, want) in cases {
        let pipeline = compile_range(&format!("sum by (a) (sum_over_time({{a=\"b\"}} | logfmt | unwrap {unwrap} [1m]))"));
        let got = run_with(&pipeline, line, &[], &[])
            .map(|(_, labels, value)| (value.unwrap(), labels.get(ERROR_LABEL).is_some_and(|error| error == "SampleExtractionErr")));
        assert_eq!(got, want, "{unwrap}");
    }
}

#[test]
fn parsers_read_only_what_is_needed() {
    let good = r#"{"a":1,"b":{"c":2,"d":3},"e":4,"app":"x"}"#;
    let bad = r#"{"a":1,"b":{"c":2},!"#;
    let cases = [
        ("sum by (a) (rate({a=\"b\"} | json [1m]))", good, "a=1"),
        ("sum by (b_c) (rate({a=\"b\"} | json | e > 3 [1m]))", good, "b_c=2 e=4"),
        ("sum by (app_extracted) (rate({a=\"b\"} | json [1m]))", good, "app=shop app_extracted=x"),
        ("sum without (a) (rate({a=\"b\"} | json [1m]))", good, "a=1 app=shop app_extracted=x b_c=2 b_d=3 e=4"),
        ("sum(rate({a=\"b\"} | json [1m]))", good, ""),
        ("sum by (a) (sum_over_time({a=\"b\"} | json | unwrap e [1m]))", good, "a=1 e=4"),
        // What is not read cannot be wrong.
        ("sum(rate({a=\"b\"} | json [1m]))", bad, ""),
        ("sum by (a) (rate({a=\"b\"} | json [1m]))", bad, "a=1"),
        (
            "sum by (x) (rate({a=\"b\"} | json [1m]))",
            bad,
            "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol",
        ),
        (
            "sum by (x) (rate({a=\"b\"} | json | __error__!=\"\" [1m]))",
            bad,
            "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol __preserve_error__=true",
        ),
    ];
    for (query, line, want) in cases {
        let stream: &[(&str, &str)] = if want.contains("app=shop") { &[("app", "shop")] } else { &[] };
        let (_, labels, _) = run_with(&compile_range(query), line, stream, &[]).unwrap();
        let got: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(got.join(" "), want, "{query}");
    }
}

#[test]
fn tells_what_it_needs() {
    let text = |stages: &str| compile(stages).needs().text.clauses.clone();
    assert_eq!(
        text("|= \"a\" or \"b\" != \"c\" |= \"d\" | json |= \"e\" | unpack |= \"f\""),
        vec![vec![Phrase::anywhere("a"), Phrase::anywhere("b")], vec![Phrase::anywhere("d")], vec![Phrase::anywhere("e")]]
    );
    assert_eq!(text("|= \"a\" or ip(\"1.2.3.4\") |= \"\" |> \"<_>\""), Vec::<Vec<Phrase>>::new());
    let all = compile("| app=\"x\"");
    assert_eq!((all.needs().line, all.needs().labels.clone()), (false, None));
    let grouped = compile_range("sum by (x, y) (rate({a=\"b\"} | z > 5 or x=\"1\" [1m]))");
    assert_eq!((grouped.needs().line, grouped.needs().labels.clone()), (false, Some(vec!["x".to_owned(), "y".to_owned(), "z".to_owned()])));
    assert!(compile("| json").needs().line);
}

#[test]
fn no_line_makes_it_panic_or_slow() {
    let stages = [
        "| json",
        "| json a=\"a.b[0]\"",
        "| logfmt",
        "| logfmt --strict",
        "| logfmt a=\"b\"",
        "| unpack",
        "| pattern \"<a> <b>\"",
        "|> \"<_>a<_>\" |= ip(\"::/0\")",
    ];
    let pipelines: Vec<Pipeline> = stages.iter().map(|stages| compile(stages)).collect();
    let seeds = [
        r#"{"a":{"b":["c",1.5,null,true]},"d\u00e9\ud83d\ude00":"\"\\x","_entry":"e=1 f=\"g\\\"\""}"#,
        "level=info msg=\"it \\\"works\\\" \\u00e9\" a= b c==d \u{fffd}=e 10.0.0.1 ::1",
    ];
    const PIECES: &[&str] = &["{", "}", "[", "]", "\"", "\\", "\\u", "\\ud83d", ":", ",", "=", " ", "\u{fffd}", "\u{e9}", "::", "1.", "null"];
    mutate::texts(&seeds, PIECES, 2_000, |line| {
        for pipeline in &pipelines {
            run_with(pipeline, line, &[("app", "shop")], &[("a", "b")]);
        }
    });
    let deep = [
        "{\"a\":".repeat(50_000),
        format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)),
        "[".repeat(100_000),
        "a=".repeat(100_000),
        "\"".repeat(99_999),
        "1.".repeat(50_000),
    ];
    for line in &deep {
        for pipeline in &pipelines {
            run_with(pipeline, line, &[], &[]);
        }
    }
}
