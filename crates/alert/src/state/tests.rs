//! The state machine as tables: at each minute, what is found and what must be.

use super::*;

const MINUTE: i64 = 60_000;
const TERMS: Terms = Terms { hold_ms: 0, keep_firing_ms: 0, retention_ms: 15 * MINUTE, limit: 0, late_ms: None };

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("alertname", "A"), ("x", name)])
}

fn element(name: &str) -> Element {
    Element { labels: labels(name), annotations: Labels::from_pairs([("summary", format!("about {name}"))]), value: 1.0 }
}

/// `a:F0/2` is alert `a`, firing, active since minute 0, fired at minute 2.
fn show(alerts: &Alerts) -> String {
    let show = |(labels, alert): (&Labels, &Alert)| {
        let minute = |at: Option<i64>| at.map_or("-".into(), |at| (at / MINUTE).to_string());
        let (name, active) = (labels.get("x").unwrap(), alert.active_at_ms / MINUTE);
        match alert.state {
            State::Pending => format!("{name}:P{active}"),
            State::Firing if alert.keep_firing_since_ms.is_some() => {
                format!("{name}:K{active}/{}/{}", minute(alert.fired_at_ms), minute(alert.keep_firing_since_ms))
            }
            State::Firing => format!("{name}:F{active}/{}", minute(alert.fired_at_ms)),
            State::Inactive => format!("{name}:R{}/{}", minute(alert.fired_at_ms), minute(alert.resolved_at_ms)),
        }
    };
    alerts.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// Runs one table: minute, found alerts, state after it, moves.
fn check(terms: &Terms, table: &[(i64, &str, &str, &str)]) {
    let mut alerts = Alerts::new();
    for (minute, found, want, moves) in table {
        let elements: Vec<Element> = found.split_whitespace().map(element).collect();
        let (next, transitions) = step(&alerts, elements, minute * MINUTE, terms).unwrap();
        alerts = next;
        let moved: Vec<String> = transitions.iter().map(|transition| format!("{}:{:?}", transition.labels.get("x").unwrap(), transition.change)).collect();
        assert_eq!((show(&alerts).as_str(), moved.join(" ").as_str()), (*want, *moves), "minute {minute}");
    }
}

#[test]
fn without_a_hold_an_alert_fires_at_once() {
    check(
        &TERMS,
        &[
            (0, "", "", ""),
            (1, "a", "a:F1/1", "a:Fired"),
            (2, "a b", "a:F1/1 b:F2/2", "b:Fired"),
            (3, "b", "a:R1/3 b:F2/2", "a:Resolved"),
            (4, "b", "a:R1/3 b:F2/2", ""),
            (5, "a b", "a:F5/5 b:F2/2", "a:Fired"),
            (6, "", "a:R5/6 b:R2/6", "a:Resolved b:Resolved"),
            (21, "", "a:R5/6 b:R2/6", ""),
            (22, "", "", "a:Forgotten b:Forgotten"),
        ],
    );
}

#[test]
fn an_alert_is_pending_for_as_long_as_the_rule_says() {
    let terms = Terms { hold_ms: 3 * MINUTE, ..TERMS };
    check(
        &terms,
        &[
            (0, "a", "a:P0", "a:Began"),
            (1, "a b", "a:P0 b:P1", "b:Began"),
            (2, "a", "a:P0", "b:Cleared"),
            (3, "a", "a:F0/3", "a:Fired"),
            (4, "", "a:R3/4", "a:Resolved"),
            (5, "a", "a:P5", "a:Began"),
            // Not evaluated for a while, as after a restart: the clock of the alert went on.
            (60, "a", "a:F5/60", "a:Fired"),
        ],
    );
}

#[test]
fn a_hold_shorter_than_the_interval_still_takes_an_evaluation() {
    let terms = Terms { hold_ms: 15_000, ..TERMS };
    check(&terms, &[(0, "a", "a:P0", "a:Began"), (1, "a", "a:F0/1", "a:Fired")]);
}

#[test]
fn an_alert_keeps_firing_for_as_long_as_the_rule_says() {
    let terms = Terms { keep_firing_ms: 2 * MINUTE, ..TERMS };
    check(
        &terms,
        &[
            (0, "a", "a:F0/0", "a:Fired"),
            (1, "", "a:K0/0/1", ""),
            (2, "", "a:K0/0/1", ""),
            (3, "", "a:R0/3", "a:Resolved"),
            (4, "a", "a:F4/4", "a:Fired"),
            (5, "", "a:K4/4/5", ""),
            (6, "a", "a:F4/4", ""),
            (7, "", "a:K4/4/7", ""),
            (8, "", "a:K4/4/7", ""),
            (9, "", "a:R4/9", "a:Resolved"),
        ],
    );
}

#[test]
fn what_is_not_found_may_stay_or_go_on() {
    let terms = Terms { hold_ms: 2 * MINUTE, keep_firing_ms: MINUTE, ..TERMS };
    let mut alerts = Alerts::new();
    let mut at = |minute: i64, found: &str, unfound: &[(&str, Unfound)]| {
        let unfound = unfound.iter().map(|(name, unfound)| (labels(name), *unfound)).collect();
        let findings = Findings { elements: found.split_whitespace().map(element).collect(), unfound };
        alerts = step(&alerts, findings, minute * MINUTE, &terms).unwrap().0;
        show(&alerts)
    };
    assert_eq!(at(0, "a b", &[]), "a:P0 b:P0");
    assert_eq!(at(3, "", &[("a", Unfound::Stays), ("b", Unfound::GoesOn), ("c", Unfound::GoesOn)]), "a:P0 b:F0/3", "who stays does not begin to fire");
    assert_eq!(at(4, "a", &[]), "a:F0/4 b:K0/3/4");
    assert_eq!(at(9, "", &[("a", Unfound::Stays), ("b", Unfound::Stays)]), "a:F0/4 b:K0/3/4", "time does not pass for who stays");
    assert_eq!(at(10, "", &[("b", Unfound::GoesOn)]), "a:K0/4/10 b:F0/3");
    assert_eq!(at(11, "", &[]), "a:R4/11 b:K0/3/11");
    assert_eq!(at(12, "", &[("a", Unfound::GoesOn)]), "a:R4/11 b:R3/12", "what is over stays over");
}

#[test]
fn a_pending_alert_is_not_kept() {
    check(&Terms { hold_ms: 5 * MINUTE, keep_firing_ms: 5 * MINUTE, ..TERMS }, &[(0, "a", "a:P0", "a:Began"), (1, "", "", "a:Cleared")]);
}

#[test]
fn a_longer_hold_takes_a_firing_alert_back() {
    let (alerts, _) = step(&Alerts::new(), vec![element("a")], 0, &TERMS).unwrap();
    let (alerts, transitions) = step(&alerts, vec![element("a")], MINUTE, &Terms { hold_ms: 5 * MINUTE, ..TERMS }).unwrap();
    assert_eq!((show(&alerts).as_str(), transitions[0].change), ("a:P0", Change::Demoted));
}

#[test]
fn a_clock_that_is_set_back_does_not_lengthen_the_hold() {
    let terms = Terms { hold_ms: 2 * MINUTE, ..TERMS };
    check(&terms, &[(100, "a", "a:P100", "a:Began"), (40, "a", "a:P40", ""), (42, "a", "a:F40/42", "a:Fired")]);
}

#[test]
fn value_and_annotations_are_the_latest_found() {
    let (alerts, _) = step(&Alerts::new(), vec![element("a")], 0, &Terms { keep_firing_ms: MINUTE, ..TERMS }).unwrap();
    let changed = Element { value: 7.0, annotations: Labels::from_pairs([("summary", "other")]), ..element("a") };
    let (alerts, _) = step(&alerts, vec![changed], 1, &TERMS).unwrap();
    assert_eq!((alerts[&labels("a")].value, alerts[&labels("a")].annotations.get("summary")), (7.0, Some("other")));
    let (alerts, _) = step(&alerts, vec![], 2, &TERMS).unwrap();
    assert_eq!(alerts[&labels("a")].value, 7.0, "kept when it resolves");
}

#[test]
fn equal_labels_and_too_many_alerts_change_nothing() {
    let error = step(&Alerts::new(), vec![element("a"), element("a")], 0, &TERMS).unwrap_err();
    assert_eq!(error.message(), "vector contains metrics with the same labelset after applying alert labels");
    let terms = Terms { limit: 1, ..TERMS };
    let error = step(&Alerts::new(), vec![element("a"), element("b")], 0, &terms).unwrap_err();
    assert_eq!(error.message(), "exceeded limit of 1 with 2 alerts");
    // Inactive alerts do not count.
    let (alerts, _) = step(&Alerts::new(), vec![element("a")], 0, &terms).unwrap();
    step(&alerts, vec![element("b")], 1, &terms).unwrap();
}
