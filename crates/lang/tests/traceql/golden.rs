//! What texts mean, shown by what they print to.

use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Root, Scope, Stage};
use signalbox_lang::traceql::{parse_query, tree};

#[test]
fn prints_what_it_parsed() {
    let cases = [
        ("{}", "{}"),
        ("{ }", "{}"),
        ("{.a=1}", "{ .a = 1 }"),
        // Operators: level, side and sign.
        ("{ .a && .b || .c && .d }", "{ ((.a && .b) || .c) && .d }"),
        ("{ .a || .b || (.c || .d) }", "{ .a || .b || (.c || .d) }"),
        ("{ .a = 1 && .b != 2 }", "{ (.a = 1) && (.b != 2) }"),
        ("{ .a + 1 * 2 = 3 - 4 - 5 }", "{ (.a + (1 * 2)) = (3 - 4 - 5) }"),
        ("{ 3 - (4 - .a) = 0 }", "{ (3 - (4 - .a)) = 0 }"),
        ("{ .a ^ 2 ^ 3 = 1 }", "{ (.a ^ 2 ^ 3) = 1 }"),
        ("{ (.a ^ 2) ^ 3 = 1 }", "{ ((.a ^ 2) ^ 3) = 1 }"),
        ("{ -.a * 2 = 1 }", "{ (-(.a * 2)) = 1 }"),
        ("{ -.a + 2 = 1 }", "{ ((-.a) + 2) = 1 }"),
        ("{ -5 ^ 2 < (-5) ^ 2 }", "{ (-(5 ^ 2)) < ((-5) ^ 2) }"),
        ("{ .a * -2 * 3 = 1 }", "{ (.a * (-(2 * 3))) = 1 }"),
        ("{ .a - -5 = --5 }", "{ (.a - -5) = 5 }"),
        ("{ !.a = true }", "{ (!.a) = true }"),
        ("{ !!(.a && .b) }", "{ !(!(.a && .b)) }"),
        // Missing values go to the right.
        ("{ nil != .a }", "{ .a != nil }"),
        ("{ .a + 1 = nil }", "{ (.a + 1) = nil }"),
        ("{ .a = nil = true }", "{ (.a = nil) = true }"),
        ("{ nil = nil }", "{ nil = nil }"),
        // Literals.
        ("{ .a = \"x\\ty\" || .a = `x\"y` || .a = \"`\" }", "{ (.a = `x\ty`) || (.a = `x\"y`) || (.a = \"`\") }"),
        ("{ .a = 1. || .a = .5 || .a = 1e3 || .a = 1e-7 || .a = 25E+20 }", "{ (.a = 1.0) || (.a = 0.5) || (.a = 1000.0) || (.a = 1e-07) || (.a = 2.5e+21) }"),
        ("{ duration > 1.5s && duration < 1d2h && duration != 1y }", "{ (duration > 1.5s) && (duration < 26h0m0s) && (duration != 8760h0m0s) }"),
        (
            "{ .a = 9223372036854775807ns || .a = .24h || .a = 1h15m30.918273645s }",
            "{ (.a = 2562047h47m16.854775807s) || (.a = 14m24s) || (.a = 1h15m30.918273645s) }",
        ),
        ("{ .a = minInt || .a = maxInt || .a = -3 }", "{ (.a = minInt) || (.a = 9223372036854775807) || (.a = -3) }"),
        ("{ status = unset && kind != producer }", "{ (status = unset) && (kind != producer) }"),
        // Names.
        ("{ .a+b-c/d*e:f'g = 1 }", "{ .a+b-c/d*e:f'g = 1 }"),
        ("{ .\"foo\".baz.\"b \\\" \\\\r\" = 1 }", "{ .\"foo.baz.b \\\" \\\\r\" = 1 }"),
        ("{ span.\"plain\" = 1 && .\"1x\" = 1 && .\"\" = 1 }", "{ (span.plain = 1) && (.\"1x\" = 1) && (.\"\" = 1) }"),
        ("{ span.a\\b = 1 }", "{ span.a\\b = 1 }"),
        ("{ event.x = link.y && instrumentation.z = resource.span.a }", "{ (event.x = link.y) && (instrumentation.z = resource.span.a) }"),
        ("{ span:duration = trace:duration && traceDuration = duration }", "{ (duration = traceDuration) && (traceDuration = duration) }"),
        ("{ trace:rootService = rootServiceName && span: name = trace:rootName }", "{ (rootServiceName = rootServiceName) && (name = rootName) }"),
        ("{ .name = name && .duration = span.duration }", "{ (.name = name) && (.duration = span.duration) }"),
        // Comments.
        ("{ .a // = 1\n = /* 2 */ 3 }", "{ .a = 3 }"),
        ("{ .a//b = 1 }", "{ .a//b = 1 }"),
        // Sets of spans.
        ("{.a}>{.b}>>{.c}&&{.d}", "({ .a } > { .b } >> { .c }) && { .d }"),
        ("{.a} && {.b} || {.c} !~ {.d}", "({ .a } && { .b }) || ({ .c } !~ { .d })"),
        ("{} &>> ({} !<< {}) &~ {} ~ {}", "{} &>> ({} !<< {}) &~ {} ~ {}"),
        ("(({.a}))", "{ .a }"),
        ("({.a} | {.b}) | {.c}", "{ .a } | { .b } | { .c }"),
        ("({.a} | count() > 1) && {.b}", "({ .a } | count() > 1) && { .b }"),
        ("(by(.a)) > (max(.b) = 1)", "(by(.a)) > (max(.b) = 1)"),
        // Pipelines.
        ("{}|by(1+.a)|count()>-2*3|coalesce()|select(.a,name)", "{} | by(1 + .a) | count() > -6 | coalesce() | select(.a, name)"),
        ("avg(3 * .field - 2) < 1s", "avg((3 * .field) - 2) < 1s"),
        ("min(span:childCount) < 7 / 2.0", "min(span:childCount) < 3.5"),
        ("min(span:childCount) < 7 / 2", "min(span:childCount) < 3"),
        // Series.
        ("{}|rate()by(.a,name)with(sample=0.1,most_recent=true)", "{} | rate() by (.a, name) with(sample=0.1, most_recent=true)"),
        ("{} | quantile_over_time(duration,0,.5,1)", "{} | quantile_over_time(duration, 0, 0.5, 1)"),
        ("{} | histogram_over_time(.a) | topk (3) >= 1.5 | bottomk(1)", "{} | histogram_over_time(.a) | topk(3) >= 1.5 | bottomk(1)"),
        ("{} | max_over_time(duration) > 1m30s", "{} | max_over_time(duration) > 90"),
        ("{} | compare({.a})", "{} | compare({ .a }, 10)"),
        ("{} | compare({},3,1,2) by", ""),
        ("{} | compare({ },3,1,2)", "{} | compare({}, 3, 1, 2)"),
        ("1 + 2 * ({} | rate()) / 3 + 4", "1 + (2 * ({} | rate()) / 3) + 4"),
        ("(1 + 2) / 2 * ({} | rate())", "1 * ({} | rate())"),
        ("-1.5 - ({} | rate() > 1 | topk(2)) > -2", "-1.5 - ({} | rate() > 1 | topk(2)) > -2"),
        ("(({} | rate()) + ({} | sum_over_time(.a)) | topk(2)) * 2", "(({} | rate()) + ({} | sum_over_time(.a)) | topk(2)) * 2"),
        ("{} with(a=1) with(b=`x`)", "{} with(b=`x`)"),
    ];
    for (text, want) in cases {
        let parsed = parse_query(text);
        if want.is_empty() {
            parsed.unwrap_err();
            continue;
        }
        let parsed = parsed.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parsed.to_string(), want, "{text}");
        assert_eq!(parse_query(want).unwrap(), parsed, "{text}");
    }
}

#[test]
fn names_attributes_as_tempo_does() {
    let named = |scope, name: &str| Attribute::Named(scope, name.to_owned()).attribute_name();
    assert_eq!(named(Scope::Resource, "service.name"), "resource.service.name");
    assert_eq!(named(Scope::Any, "foo"), ".foo");
    assert_eq!(named(Scope::Instrumentation, "a b"), "instrumentation.\"a b\"");
    for intrinsic in Intrinsic::ALL {
        let attribute = Attribute::Intrinsic(intrinsic);
        let query = parse_query(&format!("{{}} | select({})", attribute.attribute_name())).unwrap();
        let Root::Spansets(pipeline) = query.root else { panic!("{attribute}") };
        assert_eq!(pipeline.stages[1], Stage::Select(vec![attribute]));
    }
    assert_eq!(Attribute::Intrinsic(Intrinsic::ChildCount).attribute_name(), "span:childCount");
    assert_eq!(Attribute::Intrinsic(Intrinsic::RootService).attribute_name(), "rootServiceName");
}

#[test]
fn prints_values_that_are_never_written() {
    let values = tree::Static::Array(vec![tree::Static::Text("a".to_owned()), tree::Static::Int(1), tree::Static::Nil]);
    assert_eq!(values.to_string(), "[`a`, 1, nil]");
    assert_eq!(tree::Static::Float(f64::INFINITY).to_string(), "+Inf");
    assert_eq!(tree::Static::Status(7).to_string(), "unset");
}
