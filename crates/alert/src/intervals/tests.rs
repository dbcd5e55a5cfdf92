//! Alertmanager's own cases.

use serde_json::Value;
use signalbox_testkit::conformance;

use super::{Span, TimeInterval};

/// `02 Jan 06 15:04 +0000`, in milliseconds.
fn instant(text: &str) -> i64 {
    let parsed = jiff::fmt::strtime::parse("%d %b %y %H:%M %z", text).unwrap();
    parsed.to_timestamp().unwrap().as_millisecond()
}

fn instants(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().map(|item| item.as_str().unwrap()).collect()).unwrap_or_default()
}

#[test]
fn alertmanagers_intervals_from_yaml() {
    let Some(cases) = conformance::facts("alerting/alertmanager-timeintervals-yaml.jsonl") else { return };
    let mut failures = Vec::new();
    for case in &cases {
        let parsed = TimeInterval::parse_list(case["yaml"].as_str().unwrap());
        if parsed.is_err() != case["expect_error"].as_bool().unwrap() {
            failures.push(format!("{case}: {parsed:?}"));
            continue;
        }
        match parsed {
            Err(error) if error.message() != case["error_informative"].as_str().unwrap() => failures.push(format!("{case}: {error}")),
            Err(_) => {}
            Ok(intervals) => {
                let is_in = |text: &&str| intervals.iter().any(|interval| interval.contains(instant(text)));
                let wrong = instants(&case["contains"]).iter().any(|at| !is_in(at)) || instants(&case["excludes"]).iter().any(is_in);
                if wrong {
                    failures.push(format!("{case}: {intervals:?}"));
                }
            }
        }
    }
    assert_eq!(cases.len(), 14);
    conformance::report("intervals from YAML", cases.len(), &failures);
}

#[test]
fn alertmanagers_intervals_hold_when_they_should() {
    let Some(cases) = conformance::facts("alerting/alertmanager-timeintervals.jsonl") else { return };
    let mut failures = Vec::new();
    for case in &cases {
        let raw = &case["interval"];
        let spans = |field: &str, begin: &str, end: &str| -> Vec<Span> {
            let number = |value: &Value| i32::try_from(value.as_i64().unwrap()).unwrap();
            let list = raw[field].as_array().cloned().unwrap_or_default();
            list.iter().map(|item| Span { begin: number(&item[begin]), end: number(&item[end]) }).collect()
        };
        let interval = TimeInterval {
            times: spans("Times", "StartMinute", "EndMinute"),
            weekdays: spans("Weekdays", "Begin", "End"),
            days_of_month: spans("DaysOfMonth", "Begin", "End"),
            months: spans("Months", "Begin", "End"),
            years: spans("Years", "Begin", "End"),
            location: raw["Location"][0].as_str().map(|name| jiff::tz::TimeZone::get(name).unwrap()),
        };
        let is_in = |text: &&str| interval.contains(instant(text));
        if instants(&case["active_at"]).iter().any(|at| !is_in(at)) || instants(&case["inactive_at"]).iter().any(is_in) {
            failures.push(format!("{case}"));
        }
    }
    assert_eq!(cases.len(), 5);
    conformance::report("intervals", cases.len(), &failures);
}

#[test]
fn ends_are_told_as_written() {
    let message = |yaml: &str| TimeInterval::parse_list(yaml).unwrap_err().message().to_owned();
    assert_eq!(message("- times: [{start_time: '10:00', end_time: '09:00'}]"), "start time cannot be equal or greater than end time");
    assert_eq!(message("- years: ['2022:2020']"), "end year 2020 is before start year 2022");
    assert_eq!(message("- days_of_month: ['9:3']"), "end day 3 is before start day 9");
    assert_eq!(message("- location: 'Nowhere/Land'"), "unknown time zone Nowhere/Land");
    assert_eq!(message("- months: ['1:2:3']"), "couldn't parse range 1:2:3, invalid format");
    let last_minute = TimeInterval::parse_list("- times: [{start_time: '23:59', end_time: '24:00'}]").unwrap();
    assert!(last_minute[0].contains(instant("08 Jul 20 23:59 +0000")));
    assert!(!last_minute[0].contains(instant("09 Jul 20 00:00 +0000")));
}
