//! What is refused: class, place and reason.

use signalbox_lang::traceql::{Class, parse_classified, parse_query};
use signalbox_model::ErrorKind;

#[test]
fn refuses_with_the_class_the_place_and_the_reason() {
    use Class::{Invalid, Syntax, TooLarge, Unsupported};
    let many_labels: String = (0..17).map(|at| format!("{}.a{at}", if at > 0 { "," } else { "" })).collect();
    let many_labels = format!("{{}} | rate() by ({many_labels})");
    let many_patterns = format!("{{ {} .a }}", ".a =~ `x` && ".repeat(201));
    let cases = [
        ("", Syntax, 1, 1, "unexpected end of query, want {"),
        ("{ .a = }", Syntax, 1, 8, "unexpected \"}\", want an attribute, a field such as duration, or a value"),
        ("{ .a = 1", Syntax, 1, 9, "unexpected end of query, want }"),
        ("{\n .a = 1 ]", Syntax, 2, 9, "unexpected character ']'"),
        ("{ . = 1 }", Syntax, 1, 3, "want the name of an attribute after the dot"),
        ("{ .\"a = 1 }", Syntax, 1, 3, "name of attribute not terminated"),
        ("{ .\"a\\n\" = 1 }", Syntax, 1, 3, "invalid escape sequence"),
        ("{ .a = \"x }", Syntax, 1, 8, "unterminated quoted string"),
        ("{ .a = \"\\xff\" }", Syntax, 1, 8, "string is not UTF-8"),
        ("{ .a = 'x' }", Syntax, 1, 8, "unexpected character '\\''"),
        ("{ .a = 1t }", Syntax, 1, 9, "unexpected \"t\", want }"),
        ("{ .a = 0x10 }", Syntax, 1, 9, "unexpected \"x10\""),
        ("{ .a = 9223372036854775808 }", Syntax, 1, 8, "cannot read number"),
        ("{ .a = 1e999 }", Syntax, 1, 8, "cannot read number"),
        ("{ foo = 1 }", Syntax, 1, 3, "unknown identifier: foo"),
        ("{ span:foo = 1 }", Syntax, 1, 8, "want a field of span:"),
        ("{ span: }", Syntax, 1, 9, "want the name of a field"),
        ("{ nil }", Syntax, 1, 3, "nil stands only beside = and !="),
        ("{ .a > nil }", Syntax, 1, 6, "nil stands only beside = and !="),
        ("{ !nil }", Syntax, 1, 3, "nil stands only beside = and !="),
        ("{ .a } /* b", Syntax, 1, 8, "comment not terminated"),
        ("{ .a } { .b }", Syntax, 1, 8, "want the end of the query"),
        ("{ .a } & { .b }", Syntax, 1, 8, "unexpected character '&'"),
        ("{ .a } | coalesce", Syntax, 1, 18, "want ("),
        ("coalesce() | { .a }", Syntax, 1, 1, "coalesce() joins"),
        ("({ .a } | coalesce()) && (coalesce())", Syntax, 1, 27, "coalesce() joins"),
        ("{ .a } | count()", Syntax, 1, 1, "an aggregate is compared with a number"),
        ("{ .a } | count() | { .b }", Syntax, 1, 10, "an aggregate is compared with a number"),
        ("count() > 1 && { .a }", Syntax, 1, 13, "a pipeline goes in parentheses"),
        ("{ .a } >= { .b }", Syntax, 1, 8, ">= does not relate these"),
        ("count() =~ 1", Syntax, 1, 9, "=~ does not relate these"),
        ("{ .a } + 1", Syntax, 1, 8, "+ calculates with numbers, aggregates and series"),
        ("-{ .a }", Syntax, 1, 1, "- stands before a number only"),
        ("{} | rate() | {}", Syntax, 1, 15, "want topk or bottomk"),
        ("{} | rate() | topk(-1)", Syntax, 1, 20, "want an integer"),
        ("{} | rate() > 5 + `x`", Syntax, 1, 19, "want {"),
        ("{} | rate() > ({} | rate())", Syntax, 1, 28, "want a number"),
        ("({} | rate()) % 2", Syntax, 1, 15, "% does not calculate with series"),
        ("({} | rate()) > 1 / 0", Syntax, 1, 19, "division by zero"),
        ("({} | rate()) > 1e300 * 1e300", Syntax, 1, 23, "no finite number"),
        ("({} | rate()) > 2s - 1s", Syntax, 1, 20, "duration cannot be used in scalar arithmetic"),
        ("1s + ({} | rate())", Syntax, 1, 4, "duration cannot be used as a scalar operand"),
        ("{} | quantile_over_time(duration)", Syntax, 1, 33, "want , and a quantile"),
        ("{} | ({} | rate())", Syntax, 1, 6, "series are no spans"),
        ("{} with(a)", Syntax, 1, 10, "want ="),
        ("{} with()", Syntax, 1, 9, "want the name of a hint"),
        ("{} with(a=-1)", Syntax, 1, 11, "want the value of a hint"),
        // Syntax comes before everything else.
        ("{ status } | {", Syntax, 1, 15, "unexpected end of query"),
        ("{ name = 1 }", Invalid, 1, 3, "cannot compare: name = 1"),
        ("{ .x && (status > error) }", Invalid, 1, 10, "cannot compare: status > error"),
        ("{ .a =~ 1 }", Invalid, 1, 3, "cannot compare"),
        ("{ .a =~ .b }", Invalid, 1, 3, "a regular expression is written as a string, not .b"),
        ("{ .a =~ `(` }", Invalid, 1, 3, "cannot compile regular expression"),
        ("{ duration }", Invalid, 1, 3, "span filter field expressions must resolve to a boolean: { duration }"),
        ("{ .a && 1 }", Invalid, 1, 3, "&& takes truths, not .a and 1"),
        ("{ .a + `x` = 1 }", Invalid, 1, 3, "+ takes numbers, not .a and `x`"),
        ("{ -name = 1 }", Invalid, 1, 3, "- takes a number, not name"),
        ("{ duration = nil }", Invalid, 1, 3, "duration = nil is not valid because intrinsics cannot be nil"),
        ("{ nil = resource.service.name }", Invalid, 1, 3, "resource.service.name cannot be nil"),
        ("{} | by(1)", Invalid, 1, 9, "must reference the span"),
        ("{} | sum(name) > 1", Invalid, 1, 10, "must resolve to a number type: sum(name)"),
        ("{} | quantile_over_time(.a, 1.5)", Invalid, 1, 29, "quantile must be between 0 and 1: 1.5"),
        ("{} | rate() | topk(0)", Invalid, 1, 20, "limit must be greater than 0"),
        ("{} | compare({}, 0)", Invalid, 1, 16, "must be an integer between 1 and 1000"),
        ("{} | compare({}, 1, 5, 5)", Invalid, 1, 16, "a start above 0 and an end after it"),
        ("({} | compare({})) * 2", Invalid, 1, 20, "`compare()` cannot be used with second stage functions"),
        ("{ parent.a }", Unsupported, 1, 3, "parent not yet supported"),
        ("{ parent.span.\"a b\" = 1 }", Unsupported, 1, 3, "parent not yet supported"),
        ("{} | select(parent.resource.a)", Unsupported, 1, 13, "parent not yet supported"),
        ("{ parent = nil }", Unsupported, 1, 3, "intrinsic (parent) not yet supported"),
        ("count() > count()", Unsupported, 1, 1, "scalar filter rhs that is no number"),
        ("2 < count()", Unsupported, 1, 1, "scalar filter lhs that is no aggregate"),
        ("({} | count()) > 2", Unsupported, 1, 1, "scalar filter lhs that is no aggregate"),
        // The first of two.
        ("{ status } && { parent.a }", Invalid, 1, 3, "must resolve to a boolean"),
        ("{ parent.a } && { status }", Unsupported, 1, 3, "parent"),
        (many_labels.as_str(), Unsupported, 1, 13, "metrics group by 17 values"),
        (many_patterns.as_str(), TooLarge, 1, 2613, "more than 200 regular expressions"),
    ];
    let mut wrong = Vec::new();
    for (text, class, line, column, reason) in cases {
        match parse_classified(text) {
            Ok(query) => wrong.push(format!("{text}: parsed as {query}")),
            Err(failure) => {
                let found = (failure.class, failure.position.line, failure.position.column);
                if found != (class, line, column) || !failure.message.contains(reason) {
                    wrong.push(format!("{text}: {found:?} {}; want {class:?} {line} {column} {reason}", failure.message));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_carry_kind_and_place() {
    let error = parse_query("{ .a = }").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().starts_with("parse error at line 1, col 8: syntax error"), "{error}");
    assert_eq!(parse_query(&"{".repeat(70_000)).unwrap_err().kind(), ErrorKind::TooLarge);
}
