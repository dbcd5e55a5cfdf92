//! Tests of the search language: tables of texts, refusals with their places, and the other dialects.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::{Dialect, Operator, parse, parse_as, parse_simple};

/// The text, parsed and printed; what is printed parses to the same.
fn check(text: &str, want: &str) {
    let parsed = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(parsed.to_string(), want, "{text}");
    assert_eq!(parse(want).unwrap_or_else(|error| panic!("{want}: {error}")), parsed, "{text} as {want}");
}

#[test]
fn prints_what_it_parsed() {
    let cases = [
        ("", "*"),
        ("  ", "*"),
        ("*", "*"),
        ("*:*", "*"),
        ("timeout", "timeout"),
        ("service:checkout level:error \"timed out\" -path:/health", "service:checkout level:error \"timed out\" NOT path:\\/health"),
        ("a b OR c d", "a b OR c d"),
        ("a AND (b OR c)", "a (b OR c)"),
        ("a && b || !c", "a b OR NOT c"),
        ("NOT a b", "NOT a b"),
        ("NOT (a b)", "NOT (a b)"),
        ("--a", "NOT NOT a"),
        ("((a))", "a"),
        ("a (b c)", "a (b c)"),
        ("status:>=500", "status:[\"500\" TO *]"),
        ("status:<500", "status:[* TO \"500\"}"),
        ("duration:[10 TO 20}", "duration:[\"10\" TO \"20\"}"),
        ("@timestamp:{\"2024-01-01T00:00:00Z\" TO now-1h]", "@timestamp:{\"2024-01-01T00:00:00Z\" TO \"now-1h\"]"),
        ("size:[* TO 9]", "size:[* TO \"9\"]"),
        ("size:[* TO *]", "_exists_:size"),
        ("field:*", "_exists_:field"),
        ("_exists_:x.y", "_exists_:x.y"),
        ("field:tim*", "field:tim*"),
        ("t?m**e", "t?m*e"),
        ("field:(a OR \"b c\" OR d*)", "field:a OR field:\"b c\" OR field:d*"),
        ("field:(a -b)", "field:a NOT field:b"),
        ("field:/ab\\/c|d\\.e/", "field:/ab\\/c|d\\.e/"),
        ("/time(d|out)/", "/time(d|out)/"),
        ("path:/api/v1", "path:\\/api/v1"),
        ("path:/a -path:/b x/", "path:\\/a NOT path:\\/b x/"),
        ("http://x/y?z=1", "http\\://x/y?z=1"),
        ("12:30:45", "12\\:30\\:45"),
        ("[error] {x}", "\\[error\\] \\{x\\}"),
        ("a\\:b", "a\\:b"),
        ("a\\*b", "a\\*b"),
        ("\"a \\\"b\\\" \\d\"", "\"a \\\"b\\\" \\\\d\""),
        ("not found and or", "not found and or"),
        ("\\AND", "\\AND"),
        ("ANDROID ORACLE NOTE", "ANDROID ORACLE NOTE"),
        ("a - b", "a \\- b"),
        ("x=1", "x=1"),
        ("my\\ field:1", "my\\ field:1"),
        ("k8s.pod.name:cart-1", "k8s.pod.name:cart-1"),
        ("trace_id:abc", "trace_id:abc"),
        ("\u{4e2d}\u{6587} caf\u{e9}", "\u{4e2d}\u{6587} caf\u{e9}"),
        ("a\\", "a\\\\"),
    ];
    for (text, want) in cases {
        check(text, want);
    }
}

#[test]
fn refuses_with_the_place_and_the_reason() {
    let deep = "(".repeat(100);
    let signs = format!("{}a", "-".repeat(100));
    let many = "a ".repeat(1_025);
    let long = "a".repeat(70_000);
    let cases = [
        ("a OR", "line 1, col 5: unexpected end of the query"),
        ("a\nAND", "line 2, col 4: unexpected end of the query"),
        ("OR a", "col 1: unexpected OR"),
        ("a && || b", "col 6: unexpected ||"),
        ("(a", "col 1: this parenthesis is never closed"),
        ("a)", "col 2: unexpected \")\""),
        ("()", "col 2: unexpected \")\""),
        ("\"a", "col 1: this quote is never closed"),
        ("f:\"a", "col 3: this quote is never closed"),
        ("f:", "col 3: want a value after f:"),
        ("f: a", "col 3: want a value after f:"),
        ("(f:)", "col 4: want a value after f:"),
        ("f:[1 2]", "col 6: want TO"),
        ("f:[1 TO 2", "col 3: this range is never closed"),
        ("f:[ TO 2]", "want"),
        ("f:>", "want a value as a bound"),
        ("_exists_:a*", "want the name of a field"),
        (deep.as_str(), "nests deeper than 64"),
        (signs.as_str(), "nests deeper than 64"),
        (many.as_str(), "more than 1024 clauses"),
        (long.as_str(), "want at most 65536"),
    ];
    for (text, want) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.message().contains(want), "{text}: {error}");
    }
}

#[test]
fn reads_query_strings_as_lucene_does() {
    let or = Dialect::QueryString(Operator::Or);
    let cases = [
        ("a b", "a OR b"),
        ("+a b", "a"),
        ("+a +b c", "a b"),
        ("a -b", "a NOT b"),
        ("a b -c", "(a OR b) NOT c"),
        ("a NOT b", "a NOT b"),
        ("a OR -b", "a OR NOT b"),
        ("-a", "NOT a"),
        ("a AND b", "a b"),
        ("a AND b c", "a b OR c"),
        ("level:(error OR warn)^2", "level:error OR level:warn"),
        ("a^2.5 \"b c\"^3", "a OR \"b c\""),
        ("message:/a b/", "message:/a b/"),
        ("level: error", "level:error"),
        ("*", "*"),
        ("", "*"),
    ];
    for (text, want) in cases {
        let parsed = parse_as(text, or).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parsed.to_string(), want, "{text}");
    }
    assert_eq!(parse_as("a b", Dialect::QueryString(Operator::And)).unwrap().to_string(), "a b");
    for text in ["a~", "a~2", "\"a b\"~3"] {
        assert!(parse_as(text, or).unwrap_err().message().contains("not supported: fuzzy"), "{text}");
    }
}

#[test]
fn reads_simple_query_strings_whatever_they_are() {
    let cases = [
        ("a b", "a OR b"),
        ("a + b", "a b"),
        ("a +b | c", "a b OR c"),
        ("-a", "NOT a"),
        ("a + -b", "a NOT b"),
        ("\"a b\" + tim*", "\"a b\" tim*"),
        ("(a | b) + c", "(a OR b) c"),
        ("\"a", "a"),
        ("a) b", "a b"),
        ("((a", "a"),
        ("a~2 \"b c\"~1", "a OR \"b c\""),
        ("", "*"),
        ("+|-", "\\-"),
        ("f:a", "f\\:a"),
    ];
    for (text, want) in cases {
        assert_eq!(parse_simple(text, Operator::Or).unwrap().to_string(), want, "{text}");
    }
    assert_eq!(parse_simple("a b", Operator::And).unwrap().to_string(), "a b");
    assert!(parse_simple(&"(".repeat(60_000), Operator::And).is_err());
}
