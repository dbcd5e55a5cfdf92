//! Parameters as Prometheus reads them.

use std::time::Duration;

use signalbox_lang::promql::{self, Expr, parse_matchers};
use signalbox_lang::text::quote;
use signalbox_model::{Matcher, TimeRange};
use signalbox_query::promql::{ListingRequest, Times};

use super::refusal::Refusal;
use crate::http::Params;
pub(super) use crate::instant::instant_ms;

/// Points of one series that a range query answers with at most, less one.
const STEPS_MAX: i128 = 11_000;
/// The bounds of a duration in Go, in seconds.
const DURATION_SECONDS_MAX: f64 = 9_223_372_036.854_775;

/// An instant that may be missing.
pub(super) fn optional_instant_ms(params: &Params, name: &str) -> Result<Option<i64>, Refusal> {
    let parse = |text| instant_ms(text).map_err(|error| Refusal::parameter(name, format!("invalid time value for '{name}': {error}")));
    params.get(name).map(parse).transpose()
}

fn required_instant_ms(params: &Params, name: &str) -> Result<i64, Refusal> {
    instant_ms(params.get(name).unwrap_or("")).map_err(|error| Refusal::parameter(name, error))
}

/// Nanoseconds: seconds with a fraction, or a duration. May be negative as a number.
fn duration_ns(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return if seconds.abs() <= DURATION_SECONDS_MAX {
            Ok((seconds * 1e9) as i64)
        } else {
            Err(format!("cannot parse {} to a valid duration. It overflows int64", quote(text)))
        };
    }
    signalbox_lang::duration::parse_ns(text).map_err(|_| format!("cannot parse {} to a valid duration", quote(text)))
}

/// How long the question may take; not at all if the time is negative.
pub(super) fn timeout(params: &Params) -> Result<Option<Duration>, Refusal> {
    let Some(text) = params.get("timeout") else { return Ok(None) };
    let nanoseconds = duration_ns(text).map_err(|error| Refusal::parameter("timeout", error))?;
    Ok(Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))))
}

/// How far back a selector looks.
pub(super) fn lookback(params: &Params) -> Result<Option<Duration>, Refusal> {
    let Some(text) = params.get("lookback_delta") else { return Ok(None) };
    let nanoseconds = duration_ns(text).map_err(|error| Refusal::bad_data(format!("error parsing lookback delta duration: {error}")))?;
    // What is not positive means the setting.
    Ok(u64::try_from(nanoseconds).ok().filter(|nanoseconds| *nanoseconds > 0).map(Duration::from_nanos))
}

/// `limit`; 0 and none are no limit.
pub(super) fn limit(params: &Params) -> Result<Option<usize>, Refusal> {
    let Some(text) = params.get("limit") else { return Ok(None) };
    let limit = integer(text).map_err(|error| Refusal::parameter("limit", error))?;
    let limit = usize::try_from(limit).map_err(|_| Refusal::parameter("limit", "limit must be non-negative"))?;
    Ok(Some(limit).filter(|limit| *limit > 0))
}

/// As Go's `strconv.Atoi`, with its words.
fn integer(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_number = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
        let reason = if is_number { "value out of range" } else { "invalid syntax" };
        format!("strconv.Atoi: parsing {}: {reason}", quote(text))
    })
}

/// A boolean as Go's `strconv.ParseBool` reads it.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A boolean parameter of the search endpoints.
pub(super) fn boolean(params: &Params, name: &str, default: bool) -> Result<bool, Refusal> {
    let Some(text) = params.get(name) else { return Ok(default) };
    parse_bool(text).ok_or_else(|| Refusal::bad_data(format!("invalid {name} {}: must be boolean", quote(text))))
}

/// A bound of the metadata, of which what is negative is none.
pub(super) fn metadata_limit(params: &Params, name: &str) -> Result<Option<usize>, Refusal> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let limit: i64 = text.parse().map_err(|_| Refusal::bad_data(format!("{name} must be a number")))?;
    Ok(usize::try_from(limit).ok())
}

/// `query`, parsed and checked.
pub(super) fn query(params: &Params) -> Result<Expr, Refusal> {
    promql::parse(params.get("query").unwrap_or("")).map_err(|error| Refusal::parameter("query", error))
}

/// `start`, `end` and `step`.
pub(super) fn steps(params: &Params) -> Result<Times, Refusal> {
    let start_ms = required_instant_ms(params, "start")?;
    let end_ms = required_instant_ms(params, "end")?;
    if end_ms < start_ms {
        return Err(Refusal::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ns = duration_ns(params.get("step").unwrap_or("")).map_err(|error| Refusal::parameter("step", error))?;
    let step_ms = step_ns / 1_000_000;
    if step_ms <= 0 {
        return Err(Refusal::parameter("step", "zero or negative query resolution step widths are not accepted. Try a positive integer"));
    }
    if (i128::from(end_ms) - i128::from(start_ms)) / i128::from(step_ms) > STEPS_MAX {
        let message = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
        return Err(Refusal::bad_data(message));
    }
    Ok(Times::Range { start_ms, end_ms, step_ms })
}

/// `match[]`, `start`, `end` and `limit` of a listing.
pub(super) fn listing(params: &Params) -> Result<ListingRequest, Refusal> {
    listing_with(params, Refusal::bad_data)
}

/// As [`listing`]; Prometheus names the parameter when it refuses the selectors of `series`, and only there.
pub(super) fn series_listing(params: &Params) -> Result<ListingRequest, Refusal> {
    listing_with(params, |reason| Refusal::parameter("match[]", reason))
}

fn listing_with(params: &Params, refuse: fn(String) -> Refusal) -> Result<ListingRequest, Refusal> {
    let limit = limit(params)?;
    let start_ms = optional_instant_ms(params, "start")?.unwrap_or(i64::MIN);
    let end_ms = optional_instant_ms(params, "end")?.unwrap_or(i64::MAX);
    let sets = matcher_sets(params).map_err(refuse)?;
    Ok(ListingRequest { sets, range: TimeRange::from_ms(start_ms, end_ms), limit })
}

pub(super) fn matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>, String> {
    let sets: Result<Vec<_>, _> = params.all("match[]").map(parse_matchers).collect();
    let sets = sets.map_err(|error| error.to_string())?;
    if sets.iter().any(|matchers| matchers.iter().all(Matcher::matches_empty)) {
        return Err("match[] must contain at least one non-empty matcher".into());
    }
    Ok(sets)
}

/// The name of a label in a path: `U__` begins a name whose other characters are written as `_` and their code.
pub(super) fn label_name(escaped: &str) -> String {
    escaped.strip_prefix("U__").and_then(unescape).unwrap_or_else(|| escaped.to_owned())
}

fn unescape(text: &str) -> Option<String> {
    let (mut name, mut rest) = (String::new(), text);
    while let Some(underscore) = rest.find('_') {
        name.push_str(&rest[..underscore]);
        rest = &rest[underscore + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            name.push('_');
            rest = after;
            continue;
        }
        let (code, after) = rest.split_once('_')?;
        // Six digits are enough for every character.
        let is_code = code.len() <= 6 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
        name.push(u32::from_str_radix(code, 16).ok().filter(|_| is_code).and_then(char::from_u32)?);
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::{FIRST_INSTANT, LAST_INSTANT};

    #[test]
    fn reads_instants_as_prometheus_does() {
        let cases = [
            ("0", 0),
            ("1700000000", 1_700_000_000_000),
            ("1700000000.781", 1_700_000_000_781),
            ("-1.5", -1_500),
            ("1e3", 1_000_000),
            ("2015-06-03T13:21:58.555Z", 1_433_337_718_555),
            ("2015-06-03T14:21:58.555+01:00", 1_433_337_718_555),
            (FIRST_INSTANT, -8_640_000_000_000_000),
            (LAST_INSTANT, 8_640_000_000_000_000),
        ];
        for (text, want) in cases {
            assert_eq!(instant_ms(text), Ok(want), "{text}");
        }
        for text in ["", "now", "30s", "2015-06-03T", "NaN", "1e300", "inf"] {
            assert!(instant_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_durations_as_prometheus_does() {
        for (text, want) in [("15", 15_000_000_000), ("0.5", 500_000_000), ("1h30m", 5_400_000_000_000), ("-1", -1_000_000_000)] {
            assert_eq!(duration_ns(text), Ok(want), "{text}");
        }
        assert_eq!(duration_ns("1e300").unwrap_err(), "cannot parse \"1e300\" to a valid duration. It overflows int64");
        assert_eq!(duration_ns("5 minutes").unwrap_err(), "cannot parse \"5 minutes\" to a valid duration");
    }

    #[test]
    fn reads_escaped_names() {
        let cases = [
            ("job", "job"),
            ("U__http_2e_status__code", "http.status_code"),
            ("U__label_20_with_1f600_", "label with\u{1f600}"),
            ("U__", ""),
            ("U__x_", "U__x_"),
            ("U__x_zz_", "U__x_zz_"),
            ("U__x_1234567_", "U__x_1234567_"),
            ("U__x_d800_", "U__x_d800_"),
        ];
        for (escaped, want) in cases {
            assert_eq!(label_name(escaped), want, "{escaped}");
        }
    }
}
