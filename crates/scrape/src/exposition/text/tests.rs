use super::*;

/// What a page says, one line for each event; the last one says why it ends.
fn read(page: &str, dialect: Dialect) -> Vec<String> {
    let (mut reader, mut said, mut kind) = (Page::new(page.as_bytes(), dialect), Vec::new(), MetricKind::Unknown);
    loop {
        said.push(match reader.next_event(b"") {
            Ok(Some(Event::Kind { family, kind: new })) => {
                kind = new;
                format!("type {family} {}", kind.as_str())
            }
            Ok(Some(Event::Help { family, help })) => format!("help {family} {help}"),
            Ok(Some(Event::Unit { family, unit })) => format!("unit {family} {unit}"),
            Ok(Some(Event::Sample(Sample { series, value, ts_ms, exemplar }))) => match labels(series, dialect, kind) {
                Ok(labels) => {
                    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                    let ts_ms = ts_ms.map(|ts_ms| format!(" @{ts_ms}")).unwrap_or_default();
                    let exemplar = exemplar.map(|exemplar| format!(" {exemplar:?}")).unwrap_or_default();
                    format!("{} {value}{ts_ms}{exemplar}", labels.join(","))
                }
                Err(error) => {
                    said.push(format!("wrong: {error}"));
                    return said;
                }
            },
            Ok(None) => return said,
            Err(error) => {
                said.push(format!("wrong: {error}"));
                return said;
            }
        });
    }
}

fn prometheus(page: &str) -> Vec<String> {
    read(page, Dialect::Prometheus)
}

fn open_metrics(page: &str) -> Vec<String> {
    read(page, Dialect::OpenMetrics)
}

#[test]
fn reads_all_that_the_prometheus_format_has() {
    let page = "# HELP a_total Of \\\\ and\\n\\\"things\\\".\n# TYPE a_total counter\n  \na_total 1\na_total {x=\"1\" , y=\"a\\\"b\\\\c\\nd\\e\",} +2.5e3 1700000000123 \n\
        # just a comment\n#TYPE a_total gauge\n\t# TYPE h histogram\nh_bucket{le=\"1\"} 3\n{\"with.dots\",\"a b\"=\"c\"b=\"d\"} NaN\n# HELP e\ne -Inf";
    assert_eq!(
        prometheus(page),
        [
            "help a_total Of \\ and\n\\\"things\\\".",
            "type a_total counter",
            "__name__=\"a_total\" 1",
            "__name__=\"a_total\",x=\"1\",y=\"a\\\"b\\\\c\\nd\\\\e\" 2500 @1700000000123",
            "type h histogram",
            "__name__=\"h_bucket\",le=\"1.0\" 3",
            "__name__=\"with.dots\",a b=\"c\",b=\"d\" NaN",
            "help e ",
            "__name__=\"e\" -inf",
        ]
    );
}

#[test]
fn reads_all_that_open_metrics_has() {
    let page = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Of \\\"things\\\".\na_seconds_total{x=\"1\",} 1.0 12.3456 # {trace_id=\"a\\\"b\",\"a.b\"=\"\"} 0.5 1.5\n\
        {\"a.b\",c=\"d\"} 2 # {} 1\n# EOF\n";
    assert_eq!(
        open_metrics(page),
        [
            "type a_seconds counter",
            "unit a_seconds seconds",
            "help a_seconds Of \"things\".",
            "__name__=\"a_seconds_total\",x=\"1\" 1 @12345 ExemplarText { labels: [(\"trace_id\", \"a\\\"b\"), (\"a.b\", \"\")], value: 0.5, ts_ms: Some(1500) }",
            "__name__=\"a.b\",c=\"d\" 2 ExemplarText { labels: [], value: 1.0, ts_ms: None }",
        ]
    );
}

#[test]
fn refuses_what_is_wrong_and_says_where() {
    let cases = [
        ("a", "want a number as value"),
        ("a 1\nb{", "want the name of a label"),
        ("a{b} 1", "want = after"),
        ("a{b=1} 1", "want a quoted value"),
        ("a{b=\"1} 1", "want a quoted value"),
        ("a{b=\"1\",,} 1", "want the name of a label"),
        ("a{,} 1", "want the name of a label"),
        ("a{b=\"1\",b=\"2\"} 1", "not unique"),
        ("{b=\"1\"} 1", "no metric name"),
        ("{\"a\",\"b\"} 1", "two metric names"),
        ("a{\"b\"} 1", "two metric names"),
        ("{\"\"} 1", "the metric name is empty"),
        ("a{\"\"=\"1\"} 1", "a label has no name"),
        ("1a 1", "want the name of a metric"),
        ("a 1 1.5", "want the end of the line"),
        ("a 1 1-1", "want a timestamp"),
        ("a 1 1 1", "want the end of the line"),
        ("a 0x1p-3", "want a number"),
        ("a 1\r\n", "want a number"),
        ("a 1 99999999999999999999", "want a timestamp"),
        ("# TYPE a foo", "invalid metric type"),
        ("# TYPE a info", "invalid metric type"),
        ("# TYPE a counter ", "invalid metric type"),
        ("# TYPE a", "invalid metric type"),
        ("# TYPE 1a counter", "want the name of a metric"),
    ];
    for (page, want) in cases {
        let said = prometheus(page);
        assert!(said.last().is_some_and(|last| last.starts_with("wrong") && last.contains(want)), "{page:?}: {said:?}");
    }
    assert_eq!(prometheus("a 1\n\nb x y\n").last().unwrap(), "wrong: cannot read line 3 of the page: want a number as value: found \"b x y\"");
    let cases = [
        ("", "does not end with # EOF"),
        ("a 1\n", "does not end with # EOF"),
        ("a 1", "does not end with # EOF"),
        ("a 1\n# EOF\n\n", "something after # EOF"),
        ("a 1\n# EOFF", "something after # EOF"),
        ("\n# EOF", "want the name of a metric"),
        ("# FOO a b\n# EOF", "want TYPE"),
        ("#\n# EOF", "want the name of a metric"),
        ("# HELP a\n# EOF", "want a space"),
        ("# TYPE a untyped\n# EOF", "invalid metric type"),
        ("# UNIT a b\n# EOF", "no suffix"),
        ("# UNIT b b\n# EOF", "no suffix"),
        ("a  1\n# EOF", "want a space and a number"),
        ("a 1 \n# EOF", "want a timestamp"),
        ("a {b=\"c\"} 1\n# EOF", "want a space and a number"),
        ("a{b=\"c\" } 1\n# EOF", "want a comma or a brace"),
        ("a{b=\"1\"c=\"2\"} 1\n# EOF", "want a comma or a brace"),
        ("a{b=\"\n\"} 1\n# EOF", "want a quoted value"),
        ("a 1 NaN\n# EOF", "want a timestamp in seconds"),
        ("a 1 # {\"b\"} 1\n# EOF", "an exemplar has a metric name"),
        ("a 1 # {} 1 Inf\n# EOF", "want a timestamp in seconds after"),
    ];
    for (page, want) in cases {
        let said = open_metrics(page);
        assert!(said.last().is_some_and(|last| last.starts_with("wrong") && last.contains(want)), "{page:?}: {said:?}");
    }
}

#[test]
fn names_and_values_are_utf8_or_refused() {
    for (page, what) in [(&b"a{b=\"\xff\"} 1\n"[..], "value"), (b"{\"\xff\"} 1\n", "name"), (b"a{\"\xff\"=\"\"} 1\n", "label name")] {
        let Ok(Some(Event::Sample(sample))) = Page::new(page, Dialect::Prometheus).next_event(b"") else { panic!("{what}") };
        assert!(labels(sample.series, Dialect::Prometheus, MetricKind::Unknown).is_err(), "{what}");
    }
    assert!(Page::new(b"# HELP a \xff\n", Dialect::Prometheus).next_event(b"").is_err());
    // A zero byte at the start of a line is the end of the page.
    assert_eq!(prometheus("a 1\n\0b 2\n"), ["__name__=\"a\" 1"]);
}

#[test]
fn an_expected_series_is_never_another_one() {
    let lines =
        ["a 1", "a{} 1", "a {b=\"c\"} 1", "a\t{b=\"c\"} 1", "a  {b=\"c\"} 1", "ab 1", "a{b=\"c\"} 1", "a{b=\"c\"}1", "a{b=\"c\",d=\"e\"} 1", "a\t1", "a  1"];
    for dialect in [Dialect::Prometheus, Dialect::OpenMetrics] {
        for line in lines {
            let page = format!("{line}\n# EOF\n");
            let unexpecting = Page::new(page.as_bytes(), dialect).next_event(b"");
            for expected in ["a", "a{}", "a{b=\"c\"}", "a ", "a {b=\"c\"}"] {
                // Only texts of series are ever expected.
                if series::scan(dialect, expected.as_bytes(), 0, &mut |_| {}) != Ok(expected.len()) {
                    continue;
                }
                let expecting = Page::new(page.as_bytes(), dialect).next_event(expected.as_bytes());
                assert_eq!(expecting.is_ok(), unexpecting.is_ok(), "{dialect:?} {line} {expected}");
                assert_eq!(expecting.ok(), unexpecting.as_ref().ok().cloned(), "{dialect:?} {line} {expected}");
            }
        }
    }
}
