//! Lists of matchers against Alertmanager's own cases.

use serde_json::Value;
use signalbox_lang::matchers::{parse, parse_classic, parse_one, parse_utf8};
use signalbox_model::{Matcher, Result};
use signalbox_testkit::conformance;

type Parse = fn(&str) -> Result<Vec<Matcher>>;

fn found(case: &Value, list: Parse) -> Option<Vec<(String, String, String)>> {
    let text = case["input"].as_str().unwrap();
    let matchers = match (case["kind"].as_str().unwrap(), list(text)) {
        ("list", matchers) => matchers.ok()?,
        // `single` is one spelling of `parse_one`: exactly one matcher.
        (_, matchers) => Some(matchers.ok()?).filter(|matchers| matchers.len() == 1)?,
    };
    Some(matchers.into_iter().map(|matcher| (matcher.name, matcher.op.as_str().to_owned(), matcher.value)).collect())
}

fn run(file: &str, list: Parse, count: usize) {
    let Some(cases) = conformance::facts(&format!("alerting/{file}.jsonl")) else { return };
    let mut failures = Vec::new();
    for case in &cases {
        let text = |matcher: &Value, key: &str| matcher[key].as_str().unwrap().to_owned();
        let want = case["ok"].as_bool().unwrap().then(|| {
            let matchers = case["matchers"].as_array().unwrap();
            matchers.iter().map(|matcher| (text(matcher, "name"), text(matcher, "op"), text(matcher, "value"))).collect::<Vec<_>>()
        });
        let got = found(case, list);
        if got != want {
            failures.push(format!("{}: want {want:?}, got {got:?}", case["input"]));
        }
    }
    assert_eq!(cases.len(), count);
    conformance::report(file, cases.len(), &failures);
}

#[test]
fn the_classic_spelling() {
    run("alertmanager-matchers-classic", parse_classic, 35);
}

#[test]
fn the_utf8_spelling() {
    run("alertmanager-matchers-utf8", parse_utf8, 51);
}

#[test]
fn either_spelling() {
    run("alertmanager-matchers-compliance", parse, 36);
}

#[test]
fn one_matcher_is_one() {
    assert_eq!(parse_one("{a=b}").unwrap().to_string(), "a=\"b\"");
    assert_eq!(parse_one("").unwrap_err().message(), "no matchers");
    assert_eq!(parse_one("a=b,c=d").unwrap_err().message(), "expected 1 matcher, found 2");
    assert_eq!(parse_utf8("foo=bar}").unwrap_err().message(), "0:8: }: expected opening brace");
    assert_eq!(parse_utf8(",").unwrap_err().message(), "0:1: unexpected ,: expected label name");
    assert_eq!(parse_utf8("{foo=\"bar\\w\"}").unwrap_err().message(), "5:12: \"bar\\w\": invalid input");
}

#[test]
fn hostile_lists_are_refused() {
    assert!(parse(&"a".repeat(100_000)).is_err());
    let many = "a=b,".repeat(2_000);
    assert!(parse(&many).unwrap_err().message().contains("more than 1000 matchers"));
}
