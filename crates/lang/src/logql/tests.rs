//! Tests of the LogQL parser and printers: tables of texts, the corpora of Loki and of real dashboards by path, hostile texts.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::prettify::prettify_to;
use super::{Expr, parse, parse_bytes, prettify};

fn round_trips(text: &str) -> Expr {
    let parsed = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let printed = parsed.to_string();
    let same = |other: &str| {
        let again = parse(other).unwrap_or_else(|error| panic!("{text} prints to {other}: {error}"));
        assert_eq!(again.to_string(), printed, "{text}");
        // NaN equals nothing, also not in a tree.
        assert!(again == parsed || printed.contains("(0 / 0)"), "{text} prints to {other}");
    };
    same(&printed);
    same(&prettify(&parsed));
    same(&prettify_to(&parsed, 10));
    parsed
}

#[test]
fn prints_what_it_parsed() {
    let cases = [
        ("{a=\"b\"}", "{a=\"b\"}"),
        ("{ a=\"b\" , c!=`d`,e=~\"f.*\",g !~ \"h\" }", "{a=\"b\", c!=\"d\", e=~\"f.*\", g!~\"h\"}"),
        ("{a=\"b\"}|=\"x\"!=`y\"`|~\"z\" !~ \"\\n\"", "{a=\"b\"} |= \"x\" != \"y\\\"\" |~ \"z\" !~ \"\\n\""),
        ("{a=\"b\"} |= \"x\" or \"y\" or `z` != \"w\"", "{a=\"b\"} |= \"x\" or \"y\" or \"z\" != \"w\""),
        ("{a=\"b\"} |= ip(\"10.0.0.0/8\") or \"y\" != ip(`::1`)", "{a=\"b\"} |= ip(\"10.0.0.0/8\") or \"y\" != ip(\"::1\")"),
        ("{a=\"b\"} |> \"<_> x <_>\" or \"y\" !> `z`", "{a=\"b\"} |> \"<_> x <_>\" or \"y\" !> \"z\""),
        ("{a=\"b\"} # |= \"x\"\n |= \"#\"", "{a=\"b\"} |= \"#\""),
        ("( ({a=\"b\"}) |= \"x\" )", "{a=\"b\"} |= \"x\""),
        ("{a=\"b\"} | json | logfmt | unpack | decolorize", "{a=\"b\"} | json | logfmt | unpack | decolorize"),
        ("{a=\"b\"}|json c, d=\"e.f[0]\"", "{a=\"b\"} | json c=\"c\",d=\"e.f[0]\""),
        ("{a=\"b\"}|logfmt --keep-empty --strict c,d=`e`", "{a=\"b\"} | logfmt --strict --keep-empty c=\"c\",d=\"e\""),
        ("{a=\"b\"} | regexp `(?P<m>\\w+)` | pattern \"<m> <_>\"", "{a=\"b\"} | regexp \"(?P<m>\\\\w+)\" | pattern \"<m> <_>\""),
        ("{a=\"b\"} | line_format `{{.c}}` | label_format d=e,f=\"{{.g}}\"", "{a=\"b\"} | line_format \"{{.c}}\" | label_format d=e,f=\"{{.g}}\""),
        ("{a=\"b\"} | drop c, d=\"e\" | keep f,g!~`h`", "{a=\"b\"} | drop c,d=\"e\" | keep f,g!~\"h\""),
        ("{a=\"b\"} | c=\"d\" | e >= 5 | f<-1.5h | g==2.5KiB, h != ip(\"::1\")", "{a=\"b\"} | c=\"d\" | e>=5 | f<-90m | g==2560B and h!=ip(\"::1\")"),
        ("{a=\"b\"} | c>1KB d<=1MiB", "{a=\"b\"} | c>1KB and d<=1MiB"),
        ("{a=\"b\"} | c=\"1\" or d=\"2\" and e=\"3\"", "{a=\"b\"} | c=\"1\" or d=\"2\" and e=\"3\""),
        ("{a=\"b\"} | (c=\"1\" or d=\"2\") and (e=\"3\")", "{a=\"b\"} | (c=\"1\" or d=\"2\") and e=\"3\""),
        // A comma and a space bind all that follows first.
        ("{a=\"b\"} | c=\"1\", d=\"2\" or e=\"3\"", "{a=\"b\"} | c=\"1\" and (d=\"2\" or e=\"3\")"),
        ("{a=\"b\"} | c=\"1\" or d=\"2\" e=\"3\"", "{a=\"b\"} | c=\"1\" or d=\"2\" and e=\"3\""),
        ("{a=\"b\"} | c=\"1\" d=\"2\", e=\"3\"", "{a=\"b\"} | c=\"1\" and (d=\"2\" and e=\"3\")"),
        // Words of the grammar as names of labels.
        ("{offset=\"b\"} | json=\"x\" | drop>5 | keep keep,by", "{offset=\"b\"} | json=\"x\" | drop>5 | keep keep,by"),
        ("{a=\"b\"} | json != \"x\"", "{a=\"b\"} | json != \"x\""),
        ("vector(1)+vector(1)", "vector(1) + vector(1)"),
        ("vector(1) - (vector(2) - vector(-3.5)) * vector(4)", "vector(1) - (vector(2) - vector(-3.5)) * vector(4)"),
        ("((vector(1)) / vector(2)) / vector(3)", "vector(1) / vector(2) / vector(3)"),
        ("vector(1) ^ vector(2) ^ vector(3)", "vector(1) ^ vector(2) ^ vector(3)"),
        ("(vector(1) ^ vector(2)) ^ vector(3)", "(vector(1) ^ vector(2)) ^ vector(3)"),
        ("vector(1) or vector(2) and vector(3) > bool vector(4) + vector(5)", "vector(1) or vector(2) and vector(3) > bool vector(4) + vector(5)"),
        // Arithmetic of numbers is done at once.
        ("1 + -2 / 1", "-1"),
        ("2 ^ 3 ^ 2", "512"),
        ("-2 ^ 2", "4"),
        ("1 > 2 == 0", "1"),
        ("1 / 0", "(0 / 0)"),
        ("1e308 * 1e308", "(1e308 * 10)"),
        ("1e308 * -1e308 - vector(.5)", "(-1e308 * 10) - vector(0.5)"),
        ("1e-7", "1e-7"),
        ("rate({a=\"b\"}[5m])", "rate({a=\"b\"}[5m])"),
        ("RATE({a=\"b\"}[90s])", "rate({a=\"b\"}[1m30s])"),
        ("count_over_time({a=\"b\"}[1d] offset -1h |= \"x\" | json)", "count_over_time({a=\"b\"} |= \"x\" | json[1d] offset -1h)"),
        ("count_over_time((({a=\"b\"} |= \"x\")[1m] offset 2m))", "count_over_time({a=\"b\"} |= \"x\"[1m] offset 2m)"),
        (
            "quantile_over_time(.99, {a=\"b\"} | json | unwrap duration_seconds(c) | __error__=\"\" | d>5 [1w]) without (e,f)",
            "quantile_over_time(0.99,{a=\"b\"} | json | unwrap duration_seconds(c) | __error__=\"\" | d>5[1w]) without (e,f)",
        ),
        ("max_over_time({a=\"b\"}[5m] offset 1m | unwrap bytes(c)) by ()", "max_over_time({a=\"b\"} | unwrap bytes(c)[5m] offset 1m) by ()"),
        ("sum_over_time({a=\"b\"} | unwrap duration [5m])", "sum_over_time({a=\"b\"} | unwrap duration[5m])"),
        ("sum(rate({a=\"b\"}[5m])) by (c, d)", "sum by (c,d)(rate({a=\"b\"}[5m]))"),
        ("topk without(c) (5, sum (vector(1)))", "topk without (c)(5,sum(vector(1)))"),
        ("sort_desc(approx_topk(3, vector(1)))", "sort_desc(approx_topk(3,vector(1)))"),
        (
            "sum(vector(1)) / on(c,d) group_left(e) (vector(2)) > ignoring() group_right (vector(3))",
            "sum(vector(1)) / on (c,d) group_left (e) vector(2) > ignoring () group_right () vector(3)",
        ),
        ("label_replace(vector(0), \"a\", `$1`, \"c\", \"(.*)\")", "label_replace(vector(0),\"a\",\"$1\",\"c\",\"(.*)\")"),
    ];
    for (text, want) in cases {
        assert_eq!(round_trips(text).to_string(), want, "{text}");
    }
}

#[test]
fn refuses_with_the_place_and_the_reason() {
    let cases = [
        ("", "line 1, col 1: syntax error: unexpected $end"),
        ("{a=\"b\"", "line 1, col 7: syntax error: unexpected $end, expecting } or ,"),
        ("{a=\"b\",}", "line 1, col 8: syntax error: unexpected }, expecting IDENTIFIER"),
        ("{}", "at least one regexp or equality matcher"),
        ("{a=~\".*\"}", "at least one regexp or equality matcher"),
        ("{a=\"\"}", "at least one regexp or equality matcher"),
        ("rate({a!=\"b\"}[1m])", "at least one regexp or equality matcher"),
        ("{a=~\"(\"}", "cannot compile regular expression"),
        ("{a=\"b\"} |~ \"[\"", "cannot compile regular expression"),
        ("{a=\"b\"} |= \"ä\"\n|= 5", "line 2, col 4: syntax error: unexpected NUMBER, expecting STRING or ip"),
        ("{a=\"ä\"} |= 5", "line 1, col 12"),
        ("{a=\"b}", "line 1, col 4: literal not terminated"),
        ("{a=\"\\xff\"}", "string is not UTF-8"),
        ("{a=\"b\"} |~ ip(\"1.2.3.4\")", "ip() is not allowed with |~"),
        ("{a=\"b\"} |> \"<a> x\"", "named captures are not allowed"),
        ("{a=\"b\"} |> \"<_><_>\"", "found consecutive capture '<_><_>'"),
        ("{a=\"b\"} | pattern \"a <_> b\"", "invalid pattern parser: at least one capture is required"),
        ("{a=\"b\"} | pattern \"<a> <a>\"", "invalid pattern parser: duplicate capture name (a)"),
        ("{a=\"b\"} | regexp \"(a)\"", "invalid regexp parser: at least one named capture must be supplied"),
        ("{a=\"b\"} | regexp \"[(?P<x>](a)\"", "invalid regexp parser: at least one named capture must be supplied"),
        ("{a=\"b\"} | regexp \"(?P<a>b)(?P<a>c)\"", "invalid regexp parser"),
        ("{a=\"b\"} | label_format c=d,c=\"e\"", "multiple label name 'c' not allowed"),
        ("{a=\"b\"} | label_format __error__=d", "__error__ cannot be formatted"),
        ("{a=\"b\"} | c > \"d\"", "line 1, col 15: syntax error: unexpected STRING"),
        ("{a=\"b\"} | c > ip(\"1.2.3.4\")", "syntax error: unexpected ip"),
        ("{a=\"b\"} | c = d", "syntax error: unexpected IDENTIFIER"),
        ("{a=\"b\"} | c", "syntax error: unexpected $end"),
        ("{a=\"b\"} | unwrap c", "line 1, col 11: syntax error: unexpected unwrap"),
        ("{a=\"b\"}[5m]", "line 1, col 8: syntax error: unexpected RANGE"),
        ("rate({a=\"b\"})", "line 1, col 13: syntax error: unexpected )"),
        ("{", "line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }"),
        ("{a=\"b\"} |", "line 1, col 10: syntax error: unexpected $end"),
        ("rate({a=\"b\"}[5minutes])", "unknown unit \"minutes\" in duration \"5minutes\""),
        ("rate({a=\"b\"}[5)", "missing closing ']' in duration"),
        ("rate({a=\"b\"}[0])", "must be greater than 0"),
        ("rate({a=\"b\"}[5m] | unwrap c | json)", "syntax error: unexpected"),
        ("count_over_time({a=\"b\"} | unwrap c [5m])", "invalid aggregation count_over_time with unwrap"),
        ("sum_over_time({a=\"b\"}[5m])", "invalid aggregation sum_over_time without unwrap"),
        ("rate({a=\"b\"}[5m]) by (c)", "line 1, col 1: grouping not allowed for rate aggregation"),
        ("rate(5, {a=\"b\"}[5m])", "parameter 5 not supported for operation rate"),
        ("quantile_over_time({a=\"b\"} | unwrap c [5m])", "parameter required for operation quantile_over_time"),
        ("topk(vector(1))", "parameter required for operation topk"),
        ("bottomk(1.2, vector(1))", "invalid parameter bottomk(1.2,"),
        ("topk(0, vector(1))", "invalid parameter (must be greater than 0) topk(0"),
        ("sum(3, vector(1))", "unsupported parameter for operation sum(3,"),
        ("sort by (a) (vector(1))", "sort and sort_desc doesn't allow grouping by"),
        ("sum({a=\"b\"})", "syntax error"),
        ("sum by (a) (vector(1)) by (b)", "syntax error: unexpected by"),
        ("1 or vector(1)", "unexpected literal for left leg of logical/set binary operation (or): 1.000000"),
        ("vector(1) and (1 + 1)", "unexpected literal for right leg of logical/set binary operation (and): 2.000000"),
        ("{a=\"b\"} + {a=\"b\"}", "line 1, col 9: unexpected type for left leg of binary operation (+): log query"),
        ("1e999", "syntax error: unexpected"),
        ("label_replace(vector(1), \"a\", \"b\", \"c\", \"(\")", "invalid regex in label_replace"),
        ("variants(rate({a=\"b\"}[5m])) of ({a=\"b\"}[5m])", "not supported: variants()"),
        ("{a=\"b\"} §", "unexpected character '§'"),
        ("{and=\"b\"}", "syntax error: unexpected and"),
    ];
    for (text, want) in cases {
        let error = match parse(text) {
            Ok(parsed) => panic!("{text} parses to {parsed}"),
            Err(error) => error,
        };
        assert!(error.message().contains(want), "{text}: {}", error.message());
    }
}

#[test]
fn refuses_hostile_texts_fast() {
    let selector = "{a=\"b\"}";
    let cases = [
        "(".repeat(100_000),
        "{".repeat(130_000),
        "\"".repeat(100_001),
        "1.".repeat(60_000),
        "5m".repeat(60_000),
        "-".repeat(100_000),
        "sum(".repeat(30_000),
        "vector(1)+".repeat(6_000),
        "vector(1)^".repeat(6_000),
        format!("{selector}{}", " |= \"x\"".repeat(9_000)),
        format!("{selector} | {}", "(".repeat(100_000)),
        format!("{selector} | {}", "a=1,".repeat(30_000)),
        format!("{selector} | json {}", "a,".repeat(60_000)),
        format!("rate({}{selector}", "(".repeat(100_000)),
        "x".repeat(super::TEXT_BYTES_MAX + 1),
    ];
    for text in cases {
        assert!(parse(&text).is_err(), "{text:.40}");
    }
    round_trips(&format!("{selector} | {}a=1", "a=1 and ".repeat(400)));
    round_trips(&format!("{}vector(1)", "vector(1) - ".repeat(400)));
}

#[test]
fn reads_amounts_of_bytes_as_loki_does() {
    let cases = [
        ("42 MB", Some(42_000_000)),
        ("42mib", Some(44_040_192)),
        ("1,005.03 MB", Some(1_005_030_000)),
        ("0", Some(0)),
        ("1.5k", Some(1_500)),
        ("2Ki", Some(2_048)),
        ("7b", Some(7)),
        ("15EB", Some(15_000_000_000_000_000_000)),
        ("16EiB", None),
        ("1ZB", None),
        ("-1B", None),
        ("", None),
        ("MB", None),
        ("1.2.3MB", None),
        ("1äöü", None),
    ];
    for (text, want) in cases {
        assert_eq!(parse_bytes(text), want, "{text}");
    }
}

#[test]
fn splits_long_queries_as_loki_does() {
    let cases = [
        ("{job=\"loki\", instance=\"localhost\"}", "{job=\"loki\", instance=\"localhost\"}"),
        (
            "{job=\"loki\", instance=\"localhost\"}|= \"error\" != \"memcached\" |= ip(\"192.168.0.1\") |logfmt|level=\"error\"",
            "{job=\"loki\", instance=\"localhost\"}\n  |= \"error\"\n  != \"memcached\"\n  |= ip(\"192.168.0.1\")\n  | logfmt\n  | level=\"error\"",
        ),
        (
            "count_over_time({job=\"loki\", instance=\"localhost\"}|= \"error\"[5m] offset 20m)",
            "count_over_time(\n  {job=\"loki\", instance=\"localhost\"}\n    |= \"error\" [5m] offset 20m\n)",
        ),
        (
            "quantile_over_time(0.99,{container=\"ingress-nginx\",service=\"hosted-grafana\"}| json| unwrap latency| __error__=\"\"[1m]) by (cluster)",
            "quantile_over_time(\n  0.99,\n  {container=\"ingress-nginx\", service=\"hosted-grafana\"}\n    | json\n    | unwrap latency\n    | __error__=\"\" [1m]\n) by (cluster)",
        ),
        (
            "topk(5, count_over_time({foo=\"bar\",namespace=\"loki\",instance=\"localhost\"}[5m])) by (container)",
            "topk by (container)(\n  5,\n  count_over_time(\n    {foo=\"bar\", namespace=\"loki\", instance=\"localhost\"} [5m]\n  )\n)",
        ),
        (
            "rate({a=\"b\"}[1m]) / (rate({c=\"d\"}[1m]) * rate({e=\"f\"}[1m]))",
            "  rate(\n    {a=\"b\"} [1m]\n  )\n/\n  (\n      rate(\n        {c=\"d\"} [1m]\n      )\n    *\n      rate(\n        {e=\"f\"} [1m]\n      )\n  )",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(prettify_to(&parse(text).unwrap(), if text.starts_with("rate") { 15 } else { 20 }), want, "{text}");
    }
}

#[test]
fn agrees_with_the_corpus_of_loki() {
    let Some(corpus) = signalbox_testkit::conformance::facts("_agpl/logql/parse.jsonl") else { return };
    let mut wrong = Vec::new();
    for case in &corpus {
        let (text, is_valid) = (case["in"].as_str().unwrap(), case["ok"].as_bool().unwrap());
        match parse(text) {
            Ok(_) if !is_valid => wrong.push(format!("accepted what Loki refuses: {text}")),
            Ok(_) => drop(round_trips(text)),
            Err(error) if is_valid => wrong.push(format!("{text}: {error}")),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty() && corpus.len() >= 131, "of {} cases are wrong:\n{}", corpus.len(), wrong.join("\n"));
}

#[test]
fn parses_the_queries_of_real_dashboards() {
    let Some(corpus) = signalbox_testkit::conformance::facts("realworld/queries/logql.jsonl") else { return };
    for case in &corpus {
        // Where a dashboard says "all", Grafana sends `.+`.
        round_trips(&case["expr"].as_str().unwrap().replace("=~\".*\"", "=~\".+\""));
    }
    assert!(corpus.len() >= 35);
}
