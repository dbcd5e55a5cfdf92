//! `annotationQuery`: `http.uri=/foo and retried`.

use signalbox_lang::traceql::tree::{Attribute, CompareOp, FieldExpr, Intrinsic, Scope, Static};
use signalbox_model::{Error, Result};

use crate::trace_search::{any, compare, tagged};

/// Conditions of one query: each is looked for in several places.
const CONDITIONS_MAX: usize = 100;
const ERROR: i32 = 2;

/// What one span must have: a tag with a value, or for a word alone an annotation so called or a tag of that name.
///
/// # Errors
/// `Invalid` for more than a hundred conditions.
pub(super) fn conditions(text: &str) -> Result<Vec<FieldExpr>> {
    let parts: Vec<&str> = text.split(" and ").map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > CONDITIONS_MAX {
        return Err(Error::invalid(format!("annotationQuery has {} conditions: want at most {CONDITIONS_MAX}", parts.len())));
    }
    Ok(parts.into_iter().map(condition).collect())
}

fn condition(part: &str) -> FieldExpr {
    match part.split_once('=') {
        Some(("error", message)) if !message.is_empty() => failed_with(message),
        Some((name, value)) if !value.is_empty() => tagged(name, value),
        // A name with nothing behind it is a word too, as in Zipkin.
        Some((word, _)) => noted(word),
        None => noted(part),
    }
}

fn noted(word: &str) -> FieldExpr {
    let event = compare(Attribute::Intrinsic(Intrinsic::EventName), CompareOp::Equal, Static::Text(word.to_owned()));
    let has = |scope: Scope| compare(Attribute::Named(scope, word.to_owned()), CompareOp::NotEqual, Static::Nil);
    let mut either = vec![event, has(Scope::Span), has(Scope::Resource)];
    if word == "error" {
        either.push(status_error());
    }
    any(either)
}

/// A failed span shows the message of its status as the tag `error`.
fn failed_with(message: &str) -> FieldExpr {
    let said = compare(Attribute::Intrinsic(Intrinsic::StatusMessage), CompareOp::Equal, Static::Text(message.to_owned()));
    any(vec![tagged("error", message), FieldExpr::And(Box::new(status_error()), Box::new(said))])
}

fn status_error() -> FieldExpr {
    compare(Attribute::Intrinsic(Intrinsic::Status), CompareOp::Equal, Static::Status(ERROR))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::conditions;

    fn read(text: &str) -> Vec<String> {
        conditions(text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_words_and_tags() {
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read(" and  and "), [""; 0]);
        let word = "(event:name = `retried`) || (span.retried != nil) || (resource.retried != nil)";
        assert_eq!(read("retried"), [word]);
        assert_eq!(read("retried="), [word]);
        let both = read("http.uri=/foo?a=b and retried");
        assert!(both[0].contains("span.http.uri = `/foo?a=b`"), "{}", both[0]);
        assert_eq!(both[1], word);
        assert!(read("error")[0].contains("status = error"));
        let failed = &read("error=no stock")[0];
        assert!(failed.contains("(status = error) && (statusMessage = `no stock`)"), "{failed}");
    }

    #[test]
    fn refuses_too_many() {
        assert!(conditions(&vec!["a"; 101].join(" and ")).is_err());
        assert!(conditions(&vec!["a"; 100].join(" and ")).is_ok());
    }
}
