//! Tests of the LogQL parser: tables of texts, the corpus of Loki's own cases by path, and mutated texts.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::parse;

#[test]
fn prints_what_it_parsed() {
    let cases = [
        ("{a=\"b\"}", "{a=\"b\"}"),
        ("{ a=\"b\" , c!=`d`,e=~\"f.*\",g !~ \"h\" }", "{a=\"b\", c!=\"d\", e=~\"f.*\", g!~\"h\"}"),
        ("{a=\"b\"}|=\"x\"!=`y\"`|~\"z\" !~ \"\\n\"", "{a=\"b\"} |= \"x\" != \"y\\\"\" |~ \"z\" !~ \"\\n\""),
        ("{a=\"b\"} |= \"x\" or \"y\" or `z` != \"w\"", "{a=\"b\"} |= \"x\" or \"y\" or \"z\" != \"w\""),
        ("{a=\"b\"} # |= \"x\"\n |= \"#\"", "{a=\"b\"} |= \"#\""),
        ("( ({a=\"b\"}) |= \"x\" )", "{a=\"b\"} |= \"x\""),
        ("vector(1)+vector(1)", "vector(1.0) + vector(1.0)"),
        ("vector(1) - (vector(2) - vector(-3.5)) * vector(4)", "vector(1.0) - (vector(2.0) - vector(-3.5)) * vector(4.0)"),
        ("((vector(1)) / vector(2)) / vector(3)", "vector(1.0) / vector(2.0) / vector(3.0)"),
    ];
    for (text, want) in cases {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.to_string(), want, "{text}");
        assert_eq!(parse(want).unwrap(), parsed, "{text}");
    }
}

#[test]
fn refuses_with_the_place_and_the_reason() {
    let cases = [
        ("", "line 1, col 1: syntax error: unexpected end of query"),
        ("{a=\"b\"", "line 1, col 7: syntax error: unexpected end of query, want , or }"),
        ("{a=\"b\",}", "line 1, col 8"),
        ("{}", "at least one regexp or equality matcher"),
        ("{a=~\".*\"}", "at least one regexp or equality matcher"),
        ("{a=\"\"}", "at least one regexp or equality matcher"),
        ("{a=~\"(\"}", "cannot compile regular expression"),
        ("{a=\"b\"} |~ \"[\"", "cannot compile regular expression"),
        ("{a=\"b\"}\n|= 5", "line 2, col 4"),
        ("{a=\"b}", "unterminated quoted string"),
        ("{a=\"b\"} | json", "not supported yet: | json"),
        ("{a=\"b\"} | level=\"error\"", "not supported yet: label filters"),
        ("{a=\"b\"} |= ip(\"1.2.3.4\")", "not supported yet: ip()"),
        ("{a=\"b\"} |> \"<_>\"", "not supported yet: pattern line filters"),
        ("{a=\"b\"}[5m]", "not supported yet: ranges"),
        ("rate({a=\"b\"}[5m])", "not supported yet: rate()"),
        ("sum by (a) (rate({a=\"b\"}[5m]))", "not supported yet: sum()"),
        ("vector(1) > vector(0)", "not supported yet: operator >"),
        ("{a=\"b\"} + {a=\"b\"}", "unexpected \"+\""),
        ("{a=\"b\"} ä", "unexpected character 'ä'"),
    ];
    for (text, want) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.message().contains(want), "{text}: {}", error.message());
    }
}

#[test]
fn refuses_hostile_texts_fast() {
    let cases = ["(".repeat(60_000), format!("{{a=\"b\"}}{}", " |= \"x\"".repeat(9_000)), "vector(1)+".repeat(6_000), "{".repeat(70_000), "\"".repeat(50_001)];
    for text in cases {
        parse(&text).unwrap_err();
    }
}

#[test]
fn agrees_with_the_corpus_of_loki() {
    let Some(corpus) = signalbox_testkit::conformance::facts("_agpl/logql/parse.jsonl") else { return };
    let (mut accepted, mut unsupported) = (0, 0);
    for case in corpus {
        let (text, is_valid) = (case["in"].as_str().unwrap(), case["ok"].as_bool().unwrap());
        match parse(text) {
            Ok(parsed) => {
                assert!(is_valid, "accepted what Loki refuses: {text}");
                assert_eq!(parse(&parsed.to_string()).unwrap(), parsed);
                accepted += 1;
            }
            Err(error) if is_valid => {
                assert!(error.message().contains("not supported yet"), "{text}: {}", error.message());
                unsupported += 1;
            }
            Err(_) => {}
        }
    }
    assert!(accepted >= 8, "the corpus has {accepted} cases of selectors and line filters, {unsupported} beyond");
}
