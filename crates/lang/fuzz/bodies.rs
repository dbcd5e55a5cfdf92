//! What every target does with one input: a plain function, so that the tests run it too, on stable.

use signalbox_lang::{duration, go_duration, logql, matchers, promql, search, traceql};
use signalbox_model::matcher::{MatchOp, Matcher};

/// PromQL: what parses prints to text that parses to the same.
pub(crate) fn promql(text: &str) {
    if let Ok(expr) = promql::parse(text) {
        let printed = expr.to_string();
        let again = promql::parse(&printed).unwrap_or_else(|error| panic!("{text:?} prints to {printed:?}: {error}"));
        assert_eq!(again.to_string(), printed, "{text:?}");
        promql::prettify(&expr);
    }
}

/// Lists of matchers, as in `match[]` and as Alertmanager writes them.
pub(crate) fn matchers(text: &str) {
    let _either = promql::parse_matchers(text);
    if let (Ok(utf8), Err(_)) = (matchers::parse_utf8(text), matchers::parse_classic(text)) {
        assert_eq!(matchers::parse(text).map_or(0, |found| found.len()), utf8.len(), "{text:?}");
    }
}

/// The regular expression of a matcher: compiled within its limits, or refused.
pub(crate) fn matcher_regex(text: &str) {
    if let Ok(matcher) = Matcher::new("name", MatchOp::Regex, text) {
        matcher.matches("");
        matcher.matches("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    }
}

/// LogQL: what parses prints to text that parses to the same.
pub(crate) fn logql(text: &str) {
    if let Ok(expr) = logql::parse(text) {
        let printed = expr.to_string();
        // Long queries grow by what is printed with parentheses and units; beyond the bound on length they need not parse.
        for again in [printed.clone(), logql::prettify(&expr)].into_iter().filter(|again| again.len() <= logql::TEXT_BYTES_MAX) {
            let parsed = logql::parse(&again).unwrap_or_else(|error| panic!("{text:?} prints to {again:?}: {error}"));
            assert_eq!(parsed.to_string(), printed, "{text:?}");
        }
    }
    let _either = logql::parse_bytes(text);
}

/// TraceQL: what parses prints to text that parses to the same; what does not has a place in the text.
pub(crate) fn traceql(text: &str) {
    match traceql::parse_classified(text) {
        Ok(query) => {
            let printed = query.to_string();
            match traceql::parse_classified(&printed) {
                Ok(again) => assert_eq!(again, query, "{text:?} prints to {printed:?}"),
                // What is printed with more parentheses may pass a bound that the text kept.
                Err(failure) => assert_eq!(failure.class, traceql::Class::TooLarge, "{text:?} prints to {printed:?}: {failure}"),
            }
        }
        Err(failure) => assert!(failure.position.line > 0 && failure.position.column > 0, "{text:?}: {failure}"),
    }
}

/// The search language: what parses prints to text that parses to the same; the other dialects never panic.
pub(crate) fn search(text: &str) {
    if let Ok(expr) = search::parse(text) {
        let printed = expr.to_string();
        let again = search::parse(&printed).unwrap_or_else(|error| panic!("{text:?} prints to {printed:?}: {error}"));
        assert_eq!(again.to_string(), printed, "{text:?}");
    }
    let _either = search::parse_as(text, search::Dialect::QueryString(search::Operator::Or));
    let _either = search::parse_simple(text, search::Operator::And);
}

/// Durations of Prometheus and of Go: what is read prints to text that reads as the same.
pub(crate) fn durations(text: &str) {
    if let Ok(milliseconds) = duration::parse_ms(text) {
        assert_eq!(duration::parse_ms(&duration::format_ms(milliseconds)).ok(), Some(milliseconds), "{text:?}");
    }
    let _either = duration::parse_signed_ns(text);
    if let Some(nanoseconds) = go_duration::parse(text) {
        assert_eq!(go_duration::parse(&go_duration::print(nanoseconds)), Some(nanoseconds), "{text:?}");
    }
}
