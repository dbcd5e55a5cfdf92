//! Nodes know where they stand: errors of evaluation point there.

use signalbox_lang::promql::{self, At, DurationContext, DurationValue, ExprKind};

/// The text of every node, parents first.
fn texts(query: &str) -> Vec<&str> {
    let expr = promql::parse(query).unwrap();
    let mut texts = Vec::new();
    expr.visit(&mut |below| texts.push(below.span.of(query)));
    texts
}

#[test]
fn every_node_spans_its_text() {
    assert_eq!(
        texts(" sum by (a) ( rate(x{b=\"c\"}[5m] offset 1m) ) / ( y @ 5 )  > -1"),
        [
            "sum by (a) ( rate(x{b=\"c\"}[5m] offset 1m) ) / ( y @ 5 )  > -1",
            "sum by (a) ( rate(x{b=\"c\"}[5m] offset 1m) ) / ( y @ 5 )",
            "sum by (a) ( rate(x{b=\"c\"}[5m] offset 1m) )",
            "rate(x{b=\"c\"}[5m] offset 1m)",
            "x{b=\"c\"}[5m] offset 1m",
            "( y @ 5 )",
            "y @ 5",
            "-1",
        ]
    );
}

#[test]
fn parameters_come_before_what_is_aggregated() {
    assert_eq!(texts("topk(2, {\"a.b\"} smoothed) without (a, b)"), ["topk(2, {\"a.b\"} smoothed) without (a, b)", "2", "{\"a.b\"} smoothed"]);
}

#[test]
fn literal_durations_are_milliseconds() {
    for (query, range, offset) in [("x[5m]", 300_000, 0), ("x[1.5] offset -2", 1500, -2000), ("x[4.018] offset 1h30m", 4018, 5_400_000), ("x[1ms]", 1, 0)] {
        let ExprKind::MatrixSelector(matrix) = promql::parse(query).unwrap().kind else { panic!("{query}") };
        assert_eq!((matrix.range, matrix.selector.offset), (DurationValue::Literal(range), DurationValue::Literal(offset)), "{query}");
    }
}

#[test]
fn computed_durations_know_step_and_range() {
    let context = DurationContext { step_ms: 15_000, range_ms: 3_600_000 };
    for (range, want) in [
        ("step()", Ok(15_000)),
        ("2*step()+1", Ok(31_000)),
        ("2 * (step() + 1)", Ok(32_000)),
        ("range() / 4", Ok(900_000)),
        ("min_of(step(), 5s)", Ok(5_000)),
        ("max_of(step(), 5s) % 4", Ok(3_000)),
        ("-2^2+10", Ok(6_000)),
        ("2^3^0", Ok(2_000)),
        ("7s - 2s - 1s", Ok(4_000)),
        ("step() - 15s", Err("2:14: duration must be greater than 0")),
        ("-step()", Err("2:9: duration must be greater than 0")),
        ("1 / (step() - 15)", Err("2:19: division by zero")),
        ("range() ^ 4", Err("2:13: duration is out of range")),
        ("range() ^ 100", Err("2:15: duration is NaN or infinite")),
        ("(0 - 1) ^ 0.5", Err("2:15: duration is NaN or infinite")),
    ] {
        let ExprKind::MatrixSelector(matrix) = promql::parse(&format!("x[{range}]")).unwrap().kind else { panic!("{range}") };
        let found = matrix.range.resolve_positive(context).map_err(|error| error.to_string());
        assert_eq!(found, want.map_err(str::to_owned), "{range}");
    }
}

#[test]
fn offsets_end_where_the_expression_around_goes_on() {
    for (query, canonical_roots) in
        [("x offset 5m - 8", 2), ("x offset (5m - 8)", 0), ("x offset step() * 2", 2), ("x offset -(5m) + 8", 2), ("x offset (5m) + y", 2)]
    {
        let expr = promql::parse(query).unwrap();
        assert_eq!(expr.children().len(), canonical_roots, "{query}");
    }
}

#[test]
fn instants_are_milliseconds() {
    for (query, want) in [
        ("x @ 5", At::Timestamp(5000)),
        ("x @ -1.0005", At::Timestamp(-1001)),
        ("x @ 1m", At::Timestamp(60_000)),
        ("x @ start()", At::Start),
        ("x @ end ( )", At::End),
    ] {
        let ExprKind::VectorSelector(selector) = promql::parse(query).unwrap().kind else { panic!("{query}") };
        assert_eq!(selector.at, Some(want), "{query}");
    }
}

#[test]
fn selectors_of_the_api_may_match_everything() {
    let matchers = promql::parse_matchers("{a=~\".*\"}").unwrap();
    assert!(matchers.iter().all(signalbox_model::Matcher::matches_empty));
    let matchers = promql::parse_matchers("up{job!=\"x\",}").unwrap();
    assert_eq!(matchers.iter().map(|matcher| matcher.name.as_str()).collect::<Vec<_>>(), ["job", "__name__"]);
    for (text, message) in [
        ("up[5m]", "1:3: parse error: unexpected \"[\""),
        ("", "unknown position: parse error: unexpected end of input"),
        ("rate(x[5m])", "1:5: parse error: unexpected \"(\""),
    ] {
        assert_eq!(promql::parse_matchers(text).unwrap_err().to_string(), message);
    }
}
