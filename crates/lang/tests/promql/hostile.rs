//! Queries that mean harm: refused or read, quickly, on a small stack.

use std::time::{Duration, Instant};

use signalbox_lang::promql::{self, limits};
use signalbox_model::{Error, ErrorKind};

/// Half of what a worker thread has, so that there is room for whoever calls the parser.
const STACK_BYTES: usize = 1 << 20;
/// Far more than any of these takes, even unoptimised on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Parses, prints and walks on a small stack.
fn parse(query: &str) -> Result<String, Error> {
    let query = query.to_owned();
    let run = move || {
        let start = Instant::now();
        let parsed = promql::parse(&query).map(|expr| {
            let copy = expr.clone();
            assert!(copy == expr);
            promql::prettify(&expr);
            expr.to_string()
        });
        assert!(start.elapsed() < PATIENCE, "{} bytes take {:?}", query.len(), start.elapsed());
        parsed
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap()
}

fn refused(query: &str, why: &str) {
    let error = parse(query).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains(why), "{error}");
}

#[test]
fn refuses_100_kilobytes_before_reading_them() {
    for query in ["(".repeat(100_000), "x".repeat(100_000), "a+".repeat(50_000)] {
        let start = Instant::now();
        refused(&query, "cannot parse query of 100000 bytes: want at most 65536");
        assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    }
}

#[test]
fn reads_the_deepest_nesting_that_is_allowed_and_refuses_more() {
    let openings = [("(", ")"), ("abs(", ")"), ("sum(", ")"), ("-", ""), ("x ^ ", ""), ("-(", ")"), ("abs((", "))"), ("x or (", ")")];
    for (open, close) in openings {
        let nested = |levels: usize| format!("{}x{}", open.repeat(levels), close.repeat(levels));
        parse(&nested(30)).unwrap_or_else(|error| panic!("{open:?}: {error}"));
        let deepest = (1..=limits::NESTING_MAX).take_while(|levels| parse(&nested(*levels)).is_ok()).last().unwrap();
        refused(&nested(deepest + 1), "nested deeper than");
        refused(&nested(4_000), "nested deeper than");
    }
}

#[test]
fn refuses_deep_durations() {
    refused(&format!("x[{}1{}]", "(".repeat(1000), ")".repeat(1000)), "nested deeper than");
    refused(&format!("x[{}1]", "-".repeat(1000)), "nested deeper than");
    refused(&format!("x[{}1{}]", "min_of(1,".repeat(1000), ")".repeat(1000)), "nested deeper than");
    refused(&format!("x[1{}]", "+1".repeat(20_000)), "levels of operators");
    refused(&format!("x offset {}1{}", "(".repeat(1000), ")".repeat(1000)), "nested deeper than");
    parse(&format!("x[1{}]", "+1".repeat(500))).unwrap();
}

#[test]
fn refuses_chains_that_would_make_a_tall_tree() {
    refused(&format!("x{}", " + x".repeat(16_000)), "more than 512 levels of operators");
    refused(&format!("x{}", "+x".repeat(20_000)), "more than 512 levels of operators");
    refused(&format!("x{}", " or x".repeat(10_000)), "more than 512 levels of operators");
    refused(&format!("x{}", "[1:]".repeat(10_000)), "more than 512 levels of operators");
    parse(&format!("x{}", " + x".repeat(limits::HEIGHT_MAX - 1))).unwrap();
}

#[test]
fn reads_wide_queries() {
    let labels: Vec<String> = (0..3000).map(|index| format!("l{index}=\"v\"")).collect();
    parse(&format!("x{{{}}}", labels.join(","))).unwrap();
    let names: Vec<String> = (0..8000).map(|index| format!("l{index}")).collect();
    parse(&format!("sum by ({}) (x)", names.join(","))).unwrap();
    let balanced = (0..9).fold("x".to_owned(), |half, _| format!("({half})+({half})"));
    parse(&balanced).unwrap();
    parse(&format!("sort_by_label(x{})", ", \"l\"".repeat(9000))).unwrap();
    refused(&format!("abs(x{})", ", x".repeat(9000)), "expected 1 argument(s)");
}

#[test]
fn stays_linear_where_look_ahead_could_repeat() {
    let spaces = " ".repeat(60_000);
    parse(&format!("fill{spaces}")).unwrap();
    for query in [
        format!("x{}", " offset (1)".repeat(5000)),
        format!("x offset (1){}", "+(-".repeat(15_000)),
        format!("x offset {}", "-".repeat(60_000)),
        "fill ".repeat(12_000),
        "\"\\".repeat(30_000),
        "#".repeat(60_000),
        "{".repeat(60_000),
        "[".repeat(60_000),
        "a[1".repeat(20_000),
        "1_".repeat(30_000),
        "1e".repeat(30_000),
        "5m".repeat(30_000),
        format!("0x{}", "f".repeat(60_000)),
        "9".repeat(60_000) + "d",
    ] {
        assert!(parse(&query).is_err(), "{}", &query[..40]);
    }
    parse(&"9".repeat(300)).unwrap();
}

#[test]
fn refuses_every_truncation_or_reads_it() {
    let query =
        "sum by (a, \"b c\") (rate({\"x.y\", z=~\"a|b\", w!=\"\\u1234\\x00\"}[5m:1m] @ end() offset -(2*step()))) / on (a) group_left (b) fill (-0x1F) y";
    parse(query).unwrap();
    for length in 0..query.len() {
        if query.is_char_boundary(length) {
            let _either = parse(&query[..length]);
        }
    }
}

#[test]
fn refuses_nul_bytes_and_strange_characters() {
    refused("\0", "1:1: parse error: unexpected character: '\\x00'");
    refused("x\0", "1:2: parse error: unexpected character: '\\x00'");
    refused("x{a\0=\"b\"}", "unexpected character inside braces: '\\x00'");
    refused("héhé", "unexpected character: 'é'");
    refused("\u{feff}x", "unexpected character: '\\ufeff'");
    refused("x\u{a0}", "unexpected character: '\\u00a0'");
    parse("x{a=\"\0\"}").unwrap();
}

#[test]
fn refuses_invalid_escapes() {
    for (text, why) in [
        ("\"\\q\"", "unknown escape sequence U+0071 'q'"),
        ("\"\\'\"", "unknown escape sequence U+0027 '''"),
        ("\"\\x4\"", "illegal character U+0022 '\"' in escape sequence"),
        ("\"\\x", "escape sequence not terminated"),
        ("\"\\400\"", "escape sequence is an invalid Unicode code point"),
        ("\"\\ud800\"", "escape sequence is an invalid Unicode code point"),
        ("\"\\U00110000\"", "escape sequence is an invalid Unicode code point"),
        ("\"\\Uffffffff\"", "escape sequence is an invalid Unicode code point"),
        ("\"a\nb\"", "unterminated quoted string"),
        ("'a", "unterminated quoted string"),
        ("`a", "unterminated raw string"),
        ("\"\u{fffd}\"", "invalid UTF-8 rune"),
    ] {
        refused(text, why);
    }
}

#[test]
fn refuses_regular_expressions_that_are_wrong_or_too_large() {
    refused("x{a=~\"(\"}", "1:3: parse error: cannot compile regular expression");
    let many = |count: usize| format!("x{{{}}}", vec!["a=~\"b|c\""; count].join(","));
    parse(&many(limits::REGEXES_MAX)).unwrap();
    refused(&many(limits::REGEXES_MAX + 1), "more than 200 regular expressions");
    refused("x{a=~\"b)|(c\"}", "unopened group");
    refused("x{a=~\"((a{1000}){1000}){1000}\"}", "cannot compile regular expression");
}
