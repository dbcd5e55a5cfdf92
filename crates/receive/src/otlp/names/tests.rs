#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::Value;
use signalbox_testkit::conformance::facts;

use super::*;

fn text<'a>(fact: &'a Value, key: &str) -> &'a str {
    fact.get(key).and_then(Value::as_str).unwrap_or_default()
}

// PROMCOMPAT-053, PROMCOMPAT-056, PROMCOMPAT-057, PROMCOMPAT-058, PROMCOMPAT-074
#[test]
fn metric_names_agree_with_prometheus_translator() {
    let Some(facts) = facts("otlp/prometheus-naming/metric-names.jsonl") else { return };
    assert_eq!(facts.len(), 56);
    for fact in &facts {
        let flag = |key: &str| fact["namer"].get(key).and_then(Value::as_bool).unwrap_or_default();
        let strategy = match (flag("UTF8Allowed"), flag("WithMetricSuffixes")) {
            (false, true) => Strategy::UnderscoreEscapingWithSuffixes,
            (false, false) => Strategy::UnderscoreEscapingWithoutSuffixes,
            (true, true) => Strategy::NoUTF8EscapingWithSuffixes,
            (true, false) => Strategy::NoTranslation,
        };
        let translation = Translation { strategy, namespace: text(&fact["namer"], "Namespace").into(), ..Translation::default() };
        let metric = &fact["metric"];
        let kind = match text(metric, "Type") {
            "monotoniccounter" => NameKind::MonotonicSum,
            "gauge" => NameKind::Gauge,
            _ => NameKind::Other,
        };
        let got = translation.metric_name(text(metric, "Name"), text(metric, "Unit"), kind);
        let want = match fact.get("wantError") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(text(fact, "wantMetricName").to_owned()),
        };
        assert_eq!(got, want, "{fact}");
        if let Some(unit) = fact.get("wantUnitName") {
            assert_eq!(translation.unit_name(text(metric, "Unit")), unit.as_str().unwrap(), "{fact}");
        }
    }
}

// PROMCOMPAT-117
#[test]
fn label_names_agree_with_prometheus_translator() {
    let Some(facts) = facts("otlp/prometheus-naming/label-names.jsonl") else { return };
    assert_eq!(facts.len(), 11);
    for fact in &facts {
        let variants = [
            (Translation::default(), "sanitized", "wantSanitizationError"),
            (
                Translation { label_keep_underscores: true, ..Translation::default() },
                "sanitizedMultipleUnderscores",
                "wantSanitizationMultipleUnderscoresError",
            ),
            (Translation { label_underscore_prefix: true, ..Translation::default() }, "sanitizedUnderscoreLabelSanitization", "wantSanitizationError"),
        ];
        for (translation, key, error) in variants {
            let want = match fact.get(error) {
                Some(error) => Err(error.as_str().unwrap().to_owned()),
                None => Ok(fact.get(key).unwrap_or(&fact["sanitized"]).as_str().unwrap().to_owned()),
            };
            assert_eq!(translation.label_name(text(fact, "label")), want, "{key}: {fact}");
        }
        let kept = Translation { strategy: Strategy::NoTranslation, ..Translation::default() }.label_name(text(fact, "label"));
        match fact.get("wantUTF8Error") {
            Some(error) => assert_eq!(kept, Err(error.as_str().unwrap().to_owned())),
            None => assert_eq!(kept.as_deref(), Ok(text(fact, "label"))),
        }
    }
}

#[test]
fn names_that_need_care() {
    let translation = Translation::default();
    assert_eq!(translation.label_name("0day").as_deref(), Ok("key_0day"));
    assert!(translation.label_name("").is_err());
    assert!(translation.metric_name("", "s", NameKind::Gauge).is_ok_and(|name| name == "seconds"));
    assert!(translation.metric_name("", "", NameKind::Gauge).is_err());
    assert_eq!(translation.metric_name("total.requests", "", NameKind::MonotonicSum).as_deref(), Ok("requests_total"));
    assert_eq!(translation.metric_name("speed", "m/s", NameKind::Gauge).as_deref(), Ok("speed_meters_per_second"));
    assert_eq!(translation.metric_name("packets", "{packet}", NameKind::MonotonicSum).as_deref(), Ok("packets_total"));
}
