//! The suites of Prometheus and every query of real rules and dashboards.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use signalbox_lang::promql::{self, Expr, ExprKind};
use signalbox_lang::{Span, duration};

use signalbox_testkit::conformance as corpus;

/// All that they expect to fail fails when it is evaluated, not when it is parsed.
const SCRIPTS: [&str; 9] =
    ["aggregators", "duration_expression", "functions", "info", "literals", "native_histograms", "operators", "start_timestamps", "type_and_unit"];

/// The input of a fact; bytes that are not UTF-8 become U+FFFD, as at the door.
fn input(fact: &Value) -> String {
    match &fact["input"] {
        Value::String(text) => text.clone(),
        object => String::from_utf8_lossy(&STANDARD.decode(object["$base64"].as_str().unwrap()).unwrap()).into_owned(),
    }
}

/// The name of the root in the tree of Prometheus.
fn root(expr: &Expr) -> &'static str {
    match &expr.kind {
        ExprKind::Number(_) => "NumberLiteral",
        ExprKind::String(_) => "StringLiteral",
        ExprKind::VectorSelector(_) => "VectorSelector",
        ExprKind::MatrixSelector(_) => "MatrixSelector",
        ExprKind::Subquery(_) => "SubqueryExpr",
        ExprKind::Call(_) => "Call",
        ExprKind::Aggregate(_) => "AggregateExpr",
        ExprKind::Binary(_) => "BinaryExpr",
        ExprKind::Unary(_) => "UnaryExpr",
        ExprKind::Paren(_) => "ParenExpr",
    }
}

/// Why a query and its canonical text are not the same tree, on one line and on several.
pub(super) fn round_trip(query: &str, expr: &Expr) -> Option<String> {
    [expr.to_string(), promql::prettify(expr), promql::prettify_to(expr, 10)].iter().find_map(|printed| reparse(query, expr, printed))
}

fn reparse(query: &str, expr: &Expr, printed: &str) -> Option<String> {
    match promql::parse(printed) {
        Err(error) => Some(format!("{query:?} prints as {printed:?}: {error}")),
        Ok(again) if again != *expr => Some(format!("{query:?} prints as {printed:?}, another tree")),
        Ok(again) if again.to_string() != expr.to_string() => Some(format!("{query:?}: {printed:?} prints differently")),
        Ok(_) => None,
    }
}

#[test]
fn accepts_and_rejects_what_prometheus_does() {
    let Some(facts) = corpus::facts("promql/parser/parse.jsonl") else { return };
    let (mut failures, mut messages, mut same) = (Vec::new(), 0, 0);
    for fact in &facts {
        let query = input(fact);
        match (promql::parse(&query), fact["ok"].as_bool().unwrap()) {
            (Ok(expr), true) => {
                if root(&expr) != fact["root"].as_str().unwrap() {
                    failures.push(format!("{query:?}: root is {}, want {}", root(&expr), fact["root"]));
                }
                let number = match (&expr.kind, &fact["number"]) {
                    (ExprKind::Number(number), Value::Number(want)) => Some((number.value, want.as_f64().unwrap())),
                    (ExprKind::Number(number), Value::String(want)) => Some((number.value, want.parse().unwrap())),
                    _ => None,
                };
                if let Some((found, want)) = number.filter(|(found, want)| found != want) {
                    failures.push(format!("{query:?}: is {found}, want {want}"));
                }
                failures.extend(round_trip(&query, &expr));
            }
            (Err(error), false) => {
                messages += 1;
                let want = fact["go_errors_informative"][0].as_str().unwrap();
                let is_same = error.message().ends_with(&format!("parse error: {want}"));
                same += usize::from(is_same);
                if !is_same {
                    eprintln!("other message: {query:?}: {error}; Prometheus: {want}");
                }
            }
            (Ok(expr), false) => failures.push(format!("{query:?}: accepted as {expr}, want an error: {}", fact["go_errors_informative"])),
            (Err(error), true) => failures.push(format!("{query:?}: {error}")),
        }
    }
    eprintln!("messages: {same} of {messages} as in Prometheus");
    corpus::report("parse.jsonl", facts.len(), &failures);
}

fn check_printer(path: &str, print: impl Fn(&Expr) -> String) {
    let Some(facts) = corpus::facts(path) else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let (query, want) = (fact["in"].as_str().unwrap(), fact["out"].as_str().unwrap());
        match promql::parse(query) {
            Err(error) => failures.push(format!("{query:?}: {error}")),
            Ok(expr) => {
                if print(&expr) != want {
                    failures.push(format!("{query:?} prints as\n{}\nwant\n{want}", print(&expr)));
                }
                failures.extend(round_trip(query, &expr));
            }
        }
    }
    corpus::report(path, facts.len(), &failures);
}

#[test]
fn prints_as_prometheus_does() {
    check_printer("promql/parser/printer.jsonl", Expr::to_string);
}

#[test]
fn prettifies_as_prometheus_does() {
    // The suite of Prometheus was made with lines of ten.
    check_printer("promql/parser/prettier.jsonl", |expr| promql::prettify_to(expr, 10));
}

#[test]
fn reads_durations_as_prometheus_does() {
    let Some(facts) = corpus::facts("promql/durations.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let text = fact["in"].as_str().unwrap();
        let only_signed = fact["only_where_negative_allowed"] == true;
        let unsigned = duration::parse_ns(text).ok();
        let signed = duration::parse_signed_ns(text).ok();
        let want = fact["ns"].as_i64();
        if signed != want || unsigned != want.filter(|_| !only_signed) {
            failures.push(format!("{text:?}: {unsigned:?} and signed {signed:?}, want {want:?}"));
        }
        if let (Some(nanoseconds), Some(canonical)) = (signed, fact["canonical"].as_str())
            && duration::format_ms(nanoseconds / 1_000_000) != canonical
        {
            failures.push(format!("{text:?} prints as {}, want {canonical}", duration::format_ms(nanoseconds / 1_000_000)));
        }
    }
    corpus::report("durations.jsonl", facts.len(), &failures);
}

/// The expressions behind `eval` in a script.
pub(super) fn expressions(script: &str) -> Vec<String> {
    let mut expressions = Vec::new();
    for line in script.lines() {
        let Some(rest) = line.trim().strip_prefix("eval") else { continue };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let parameters = match words.get(usize::from(rest.starts_with('_'))) {
            // `instant at <time>`
            Some(&"instant") => 3,
            // `range from <start> to <end> step <step>`
            Some(&"range") => 7,
            _ => continue,
        } + usize::from(rest.starts_with('_'));
        let mut expression = rest.trim_start();
        for _ in 0..parameters {
            expression = expression.split_once(char::is_whitespace).unwrap().1.trim_start();
        }
        expressions.push(expression.to_owned());
    }
    expressions
}

#[test]
fn parses_every_expression_of_the_scripts() {
    let (mut failures, mut cases) = (Vec::new(), 0);
    for script in SCRIPTS {
        let Some(text) = corpus::read(&format!("promql/promqltest/{script}.test")) else { return };
        let expressions = expressions(&text);
        cases += expressions.len();
        for query in expressions {
            match promql::parse(&query) {
                Ok(expr) => failures.extend(round_trip(&query, &expr)),
                Err(error) => failures.push(format!("{script}: {query:?}: {error}")),
            }
        }
    }
    corpus::report("promqltest", cases, &failures);
}

#[test]
fn parses_every_query_of_real_rules_and_dashboards() {
    let Some(facts) = corpus::facts("realworld/queries/promql.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let (query, is_wrong) = (fact["expr"].as_str().unwrap(), fact["expect_parse_error"] == true);
        match promql::parse(query) {
            Ok(expr) if is_wrong => failures.push(format!("{query:?}: accepted as {expr}")),
            Ok(expr) => {
                // One form of three: compiling that many regular expressions unoptimised takes its time.
                failures.extend(reparse(query, &expr, &promql::prettify(&expr)));
                expr.visit(&mut |below: &Expr| assert!(!below.span.of(query).is_empty(), "{query:?}: {:?} is outside", below.span));
                assert_ne!(expr.span, Span::default());
            }
            Err(_) if is_wrong => {}
            Err(error) => failures.push(format!("{query:?}: {error}")),
        }
    }
    corpus::report("realworld/queries/promql.jsonl", facts.len(), &failures);
}
