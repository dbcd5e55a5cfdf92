//! Queries that somebody is still typing: `{ resource.cluster = "eu" && span.foo = }` narrows a list by what is whole of it.

use signalbox_lang::traceql;
use signalbox_lang::traceql::tree::{FieldExpr, Pipeline, Query, Root, SpansetExpr, Stage};

/// Conditions that are looked at.
const PARTS_MAX: usize = 100;

/// The condition of a query, or of what is whole of it. `None` narrows nothing: there is no condition, or the query is one
/// that could not narrow a list.
pub(super) fn filter(text: &str) -> Option<FieldExpr> {
    let text = text.trim();
    if let Ok(query) = traceql::parse_query(text) {
        return condition(query);
    }
    let inside = text.strip_prefix('{')?;
    let inside = inside.strip_suffix('}').unwrap_or(inside);
    // Of alternatives each must be narrowed by something, else all are wanted.
    let alternatives = split(inside, "||").into_iter().map(|alternative| {
        let parts = split(alternative, "&&").into_iter().filter_map(|part| condition(traceql::parse_query(&format!("{{{part}}}")).ok()?));
        parts.reduce(|left, right| FieldExpr::And(Box::new(left), Box::new(right)))
    });
    let alternatives: Option<Vec<FieldExpr>> = alternatives.collect();
    alternatives?.into_iter().reduce(|left, right| FieldExpr::Or(Box::new(left), Box::new(right)))
}

/// The condition of a query that is one pair of braces.
fn condition(query: Query) -> Option<FieldExpr> {
    let Root::Spansets(Pipeline { stages }) = query.root else { return None };
    match <[Stage; 1]>::try_from(stages) {
        Ok([Stage::Spanset(SpansetExpr::Filter(condition))]) => condition,
        _ => None,
    }
}

/// Splits at an operator that is in no quotes.
fn split<'t>(text: &'t str, operator: &str) -> Vec<&'t str> {
    let (mut parts, mut begin, mut quote, mut is_escaped) = (Vec::new(), 0, None, false);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some('"'), '\\') => is_escaped = true,
            (Some(open), character) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`' | '\'') => quote = Some(character),
            (None, _) if at >= begin && text[at..].starts_with(operator) && parts.len() < PARTS_MAX => {
                parts.push(&text[begin..at]);
                begin = at + operator.len();
            }
            (None, _) => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whole_of_a_query_narrows() {
        for (text, want) in [
            ("", None),
            ("{}", None),
            ("{", None),
            ("{ true }", Some("true")),
            ("{ resource.a = \"x\" }", Some("resource.a = `x`")),
            ("{ resource.a = \"x\" && span.b = }", Some("resource.a = `x`")),
            ("{ resource.a = \"x\" && span.b = && status = error", Some("resource.a = `x` && status = error")),
            ("{ resource.a = }", None),
            ("{ .a = \"x && y\" && .b = }", Some(".a = `x && y`")),
            ("{ .a = \"x\\\" || y\" && .b = }", Some(".a = `x\" || y`")),
            ("{ .a = 1 && .c = || .b = 2 }", Some(".a = 1 || .b = 2")),
            // One alternative narrows nothing: neither do both.
            ("{ .a = 1 || .b = }", None),
            ("{ .a = 1 } && { .b = 2 }", None),
            ("{ .a = 1 } | rate()", None),
            ("{ .a = \u{e9} && .b = 2 }", Some(".b = 2")),
        ] {
            let want = want.map(|want| filter(&format!("{{ {want} }}")).map(|filter| filter.to_string()));
            assert_eq!(filter(text).map(|filter| filter.to_string()), want.flatten(), "{text}");
        }
    }
}
