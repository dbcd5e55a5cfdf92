//! Tests of the TraceQL parser: tables of texts, the corpus of examples by path, and mutated texts.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::parse;

#[test]
fn prints_what_it_parsed() {
    let cases = [
        ("{}", "{}"),
        ("{ }", "{}"),
        ("{.a=1}", "{ .a = 1 }"),
        ("{ resource.service.name = \"shop\" && name=~`GET .*` }", "{ resource.service.name = \"shop\" && name =~ \"GET .*\" }"),
        ("{ duration > 1.5s && status=error && kind != server }", "{ duration > 1500ms && status = error && kind != server }"),
        ("{ span.http.status_code >= 500 || .x = nil }", "{ span.http.status_code >= 500 || .x = nil }"),
        ("{ (.a=1 || .b=true) && (.c=-1.5 || .d < -2) }", "{ (.a = 1 || .b = true) && (.c = -1.5 || .d < -2) }"),
        ("{ .a=1 && .b=2 || .c=3 }", "{ .a = 1 && .b = 2 || .c = 3 }"),
        ("{ .a=1 && (.b=2 && .c=3) }", "{ .a = 1 && (.b = 2 && .c = 3) }"),
        ("{ span.\"a b\" = \"c\" && ._-/x = 1 }", "{ span.\"a b\" = \"c\" && ._-/x = 1 }"),
        ("{ span:duration <= 1h && span:status = ok && true }", "{ duration <= 1h && status = ok && true }"),
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
        ("", "line 1, col 1: syntax error: unexpected end of query, want {"),
        ("{ .a = }", "col 8: syntax error: unexpected \"}\", want a value"),
        ("{ .a = 1", "unexpected end of query"),
        ("{ name > }", "want a value"),
        ("{ . = 1 }", "want the name of an attribute"),
        ("{ name = 1 }", "cannot compare: name = 1"),
        ("{ status > error }", "cannot compare: status > error"),
        ("{ .a =~ 1 }", "cannot compare"),
        ("{ .a =~ \"(\" }", "cannot compile regular expression"),
        ("{ .a } ", "not supported yet: a field as a condition"),
        ("{ !(.a = 1) }", "not supported yet: negation"),
        ("{ rootName = \"x\" }", "not supported yet: rootName"),
        ("{ event.x = 1 }", "not supported yet: event.x"),
        ("{ .a = 1 } | count() > 2", "not supported yet: pipelines"),
        ("{ .a = 1 } >> { .b = 2 }", "not supported yet: operator >>"),
        ("{ .a = 1 } && { .b = 2 }", "not supported yet: operator &&"),
        ("{ .a + 1 = 2 }", "not supported yet: operator +"),
        ("{ .a = .b }", "not supported yet: an expression on the right"),
        ("{ 1 = 1 }", "not supported yet: a value on the left"),
    ];
    for (text, want) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.message().contains(want), "{text}: {}", error.message());
    }
}

#[test]
fn refuses_hostile_texts_fast() {
    let cases =
        [format!("{{{}", "(".repeat(60_000)), format!("{{.a=1{}}}", "&&.a=1".repeat(9_000)), format!("{{.{}", "a".repeat(70_000)), "{\"".repeat(20_000)];
    for text in cases {
        parse(&text).unwrap_err();
    }
}

#[test]
fn agrees_with_the_corpus_of_tempo() {
    let Some(corpus) = signalbox_testkit::conformance::facts("_agpl/traceql/examples.jsonl") else { return };
    let (mut accepted, mut wrong) = (0, Vec::new());
    for case in corpus {
        let (text, class) = (case["query"].as_str().unwrap(), case["class"].as_str().unwrap());
        match parse(text) {
            Ok(_) => {
                if class != "valid" {
                    wrong.push(format!("accepted what Tempo refuses ({class}): {text}"));
                }
                accepted += 1;
            }
            Err(error) if class == "valid" && !error.message().contains("not supported yet") => wrong.push(format!("{text}: {}", error.message())),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(accepted >= 30, "accepted only {accepted} cases");
}
