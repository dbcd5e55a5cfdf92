//! Templates of LogQL: tables after Loki's manual, and templates that want too much.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use signalbox_lang::logql::{Expr, parse};

use crate::logql::pipeline::{ERROR_LABEL, Pipeline};

const LINE: &str = "a=Hello b=' x ' n=42 f=3.7 d=1.5s s=2KiB long=abcdefgh epoch=1673798889";
const TIMESTAMP_NS: i64 = 1_700_000_000_123_456_789;
const NOW_NS: i64 = 1_353_755_652_000_000_000;

fn compile(stages: &str) -> Result<Pipeline, String> {
    match parse(&format!("{{a=\"b\"}} {stages}")) {
        Ok(Expr::Logs(logs)) => Pipeline::new(&logs.stages, None).map_err(|error| error.message().to_owned()),
        other => panic!("{stages}: {other:?}"),
    }
}

/// The line that a template makes; the error if it fails.
fn render(template: &str) -> Result<String, String> {
    let pipeline = compile(&format!("| logfmt | line_format {}", signalbox_lang::text::quote(template)))?;
    let mut runner = pipeline.runner(NOW_NS);
    runner.enter_stream([("app", "shop")]);
    let outcome = runner.run(TIMESTAMP_NS, LINE, []).unwrap();
    match outcome.labels.error() {
        Some(error) => Err(format!("{error}: {}", outcome.labels.get("__error_details__").unwrap_or_default())),
        None => Ok(outcome.line.to_owned()),
    }
}

#[test]
fn makes_lines_as_loki_does() {
    let cases = [
        ("plain", "plain"),
        ("{{.a}}-{{ .app }}{{.nothing}}!", "Hello-shop!"),
        ("{{ if eq .a \"Hello\" }}yes{{ else }}no{{ end }} {{ .a | lower | printf \"%s/%s\" .app }}", "yes shop/hello"),
        ("{{ ToLower .a }} {{ ToUpper .a }} {{ Replace .long \"a\" \"x\" 1 }} {{ .long | replace \"abc\" \"\" }}", "hello HELLO xbcdefgh defgh"),
        (
            "{{ Trim .a \"Ho\" }} {{ TrimLeft .a \"H\" }} {{ TrimRight .a \"o\" }} {{ TrimPrefix .a \"He\" }} {{ TrimSuffix .a \"lo\" }}",
            "ell ello Hell llo Hel",
        ),
        ("{{ TrimSpace \" x \" }}{{ trim \" y \" }}{{ trimAll \"$\" \"$5$\" }} {{ trimSuffix \"-\" \"a-\" }}{{ trimPrefix \"-\" \"-b\" }}", "xy5 ab"),
        ("{{ regexReplaceAll \"(l+)o\" .a \"<$1>\" }} {{ regexReplaceAllLiteral \"l+\" .a \"$1\" }} {{ count \"l\" .a }}", "He<ll> He$1o 2"),
        (
            "{{ urlencode \"a b/c\" }} {{ urldecode \"a+b%2Fc\" }} {{ b64enc \"Hello\" }} {{ b64dec \"SGVsbG8\" }} {{ b64enc \"ab\" | b64dec }}",
            "a+b%2Fc a b/c SGVsbG8= Hello ab",
        ),
        ("{{ bytes .s }} {{ duration .d }} {{ duration_seconds \"2m\" }}", "2048 1.5 120"),
        ("[{{ alignLeft 3 .long }}|{{ alignRight 3 .long }}|{{ alignLeft 7 .a }}|{{ alignRight 7 .a }}]", "[abc|fgh|Hello  |  Hello]"),
        (
            "{{ trunc 2 .long }} {{ trunc -2 .long }} {{ substr 1 3 .long }} {{ substr 6 -1 .long }} {{ title \"ab cd\" }} {{ upper .a }}",
            "ab gh bc gh Ab Cd HELLO",
        ),
        ("{{ contains \"ell\" .a }} {{ hasPrefix \"He\" .a }} {{ hasSuffix \"x\" .a }} {{ repeat 2 .a }}", "true true false HelloHello"),
        ("{{ indent 2 \"a\\nb\" }}{{ nindent 1 \"c\" }}", "  a\n  b\n c"),
        (
            "{{ int .f }} {{ int \"5.00\" }} {{ int .n }} {{ float64 .f }} {{ add .n 1 2 }} {{ sub .n 2 }} {{ mul 2 3 .n }} {{ div .n 5 }} {{ mod .n 5 }}",
            "0 5 42 3.7 45 40 252 8 2",
        ),
        (
            "{{ addf 0.1 0.2 }} {{ subf .f 1.2 }} {{ mulf .f 2 }} {{ divf 1 4 }} {{ max 1 .n 3 }} {{ min 1 .n 3 }} {{ maxf 1.5 .f }} {{ minf 1.5 .f }}",
            "0.3 2.5 7.4 0.25 42 1 3.7 1.5",
        ),
        ("{{ ceil .f }} {{ floor .f }} {{ round 123.5555 3 }} {{ round 2.4 0 }} {{ round 2.4 0 0.3 }}", "4 3 123.556 2 3"),
        ("{{ $j := fromJson `{\"k\":[1,\"two\"]}` }}{{ range $j.k }}<{{ . }}>{{ end }}{{ with fromJson \"nope\" }}x{{ else }}-{{ end }}", "<1><two>-"),
        ("{{ .nothing | default \"fallback\" }} {{ default \"x\" .a }}", "fallback Hello"),
        (
            "{{ __line__ | len }} {{ __timestamp__ | date \"2006-01-02T15:04:05.000\" }} {{ __timestamp__ | unixEpoch }}",
            "71 2023-11-14T22:13:20.123 1700000000",
        ),
        ("{{ unixEpochMillis __timestamp__ }} {{ unixEpochNanos __timestamp__ }} {{ now | date \"2006\" }}", "1700000000123 1700000000123456789 2012"),
        (
            "{{ toDate \"2006-01-02\" \"2021-11-02\" | unixEpoch }} {{ unixToTime .epoch | date \"15:04:05\" }} {{ unixToTime \"19373\" | date \"Jan _2\" }}",
            "1635811200 16:08:09 Jan 16",
        ),
        ("{{ toDateInZone \"2006-01-02T15:04:05\" \"Europe/Berlin\" \"2021-07-01T12:00:00\" | unixEpoch }}", "1625133600"),
        ("{{ printf \"%-6.6s|%5d\" .a 7 }} {{ if gt (float64 .f) 3.0 }}big{{ end }}", "Hello |    7 big"),
        ("{{ range $name, $value := . }}{{ if hasPrefix \"a\" $name }}{{ $name }}={{ $value }} {{ end }}{{ end }}", "a=Hello app=shop "),
    ];
    for (template, want) in cases {
        assert_eq!(render(template).as_deref(), Ok(want), "{template}");
    }
}

#[test]
fn refuses_templates_that_are_none() {
    for (stages, want) in [
        ("| line_format \"{{.a\"", "invalid line template: template: line:1: unclosed action"),
        ("| line_format \"{{ nosuch .a }}\"", "function \"nosuch\" not defined"),
        ("| label_format x=\"{{ if }}\"", "invalid template for label 'x': template: label:1: missing value for if"),
    ] {
        let message = compile(stages).unwrap_err();
        assert!(message.contains(want), "{message}");
    }
}

#[test]
fn marks_records_whose_template_fails() {
    for (template, want) in [
        ("{{ div 1 0 }}", "error calling div: runtime error: integer divide by zero"),
        ("{{ divf 1 0 }}", "decimal division by 0"),
        ("{{ bytes .a }}", "error calling bytes: strconv.ParseFloat: parsing \"\": invalid syntax"),
        ("{{ regexReplaceAll \"(\" .a \"\" }}", "error calling regexReplaceAll"),
        ("{{ ToLower 5 }}", "wrong type for value; expected string; got int"),
        ("{{ unixEpoch .a }}", "wrong type for value; expected time.Time; got string"),
        ("{{ toDate \"2006\" \"x\" }}", "cannot parse time"),
        ("{{ repeat 999999999 .a }}", "more than 1048576 bytes"),
        ("{{ indent 999999 \"\\n\\n\\n\" }}", "more than 1048576 bytes"),
        ("{{ alignLeft 9223372036854775807 .a }}", "more than 1048576 bytes"),
        ("{{ repeat -1 .a }}", "negative Repeat count"),
        (
            "{{ $x := \"0123456789\" }}{{ range $i, $e := fromJson \"[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3]\" }}{{ $x = print $x $x }}{{ end }}",
            "more than 1048576 bytes",
        ),
        ("{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}", "exceeded maximum template depth"),
    ] {
        let message = render(template).unwrap_err();
        assert!(message.starts_with("TemplateFormatErr: ") && message.contains(want), "{template}: {message}");
    }
}

#[test]
fn formats_labels() {
    let cases = [
        ("x=\"{{.a}}!\"", "x=Hello!"),
        ("x=n, y=\"{{.n}}{{.a}}\"", "y=Hello x=42"),
        // All templates see what was before.
        ("x=\"1\", y=\"{{.x}}{{.a}}\"", "x=1 y=Hello"),
        ("a=\"{{ .a | lower }}\", y=\"{{ .a | upper }}\"", "a=hello y=HELLO"),
        ("app=\"{{.app}}-{{.a}}\"", "app=shop-Hello"),
    ];
    for (formats, want) in cases {
        let pipeline = compile(&format!("| logfmt a, n | label_format {formats}")).unwrap();
        let mut runner = pipeline.runner(NOW_NS);
        runner.enter_stream([("app", "shop")]);
        let outcome = runner.run(TIMESTAMP_NS, LINE, []).unwrap();
        for pair in want.split(' ') {
            let (name, value) = pair.split_once('=').unwrap();
            assert_eq!(outcome.labels.get(name), Some(value), "{formats}");
        }
    }
    let pipeline = compile("| label_format x=\"{{ div 1 0 }}\", y=\"{{ div 4 2 }}\"").unwrap();
    let mut runner = pipeline.runner(NOW_NS);
    let outcome = runner.run(0, "", []).unwrap();
    assert_eq!((outcome.labels.get(ERROR_LABEL), outcome.labels.get("x"), outcome.labels.get("y")), (Some("TemplateFormatErr"), None, Some("2")));
}

#[test]
fn rewritten_lines_are_read_by_what_follows() {
    let pipeline = compile("| logfmt | line_format \"k={{.a}} n={{add .n 1}}\" | logfmt |= \"n=43\" | line_format \"{{.k}}\"").unwrap();
    let mut runner = pipeline.runner(NOW_NS);
    for _ in 0..2 {
        let outcome = runner.run(0, LINE, []).unwrap();
        assert_eq!((outcome.line, outcome.labels.get("k"), outcome.labels.get("n")), ("Hello", Some("Hello"), Some("42")));
    }
}
