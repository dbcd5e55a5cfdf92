use signalbox_meta::HistoryNote;

use super::*;

fn event(at_ms: i64, change: &str, state: &str, value: f64) -> HistoryEvent {
    HistoryEvent { at_ms, change: change.to_owned(), state: state.to_owned(), value: Some(value), ..HistoryEvent::default() }
}

fn mute(at_ms: i64, change: &str, receiver: &str, silenced_by: &[&str], muted_by: &[&str]) -> HistoryEvent {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let note = HistoryNote { receiver: Some(receiver.to_owned()), silenced_by: texts(silenced_by), muted_by: texts(muted_by), ..HistoryNote::default() };
    HistoryEvent { value: None, note, ..event(at_ms, change, "firing", 0.0) }
}

/// Two episodes, newest first.
fn episodes() -> Vec<HistoryEvent> {
    vec![
        event(9_000, "resolved", "inactive", 4.0),
        event(8_000, "kept", "firing", 4.0),
        mute(7_500, "silenced", "ops", &["a"], &[]),
        event(7_000, "firing", "firing", 2.0),
        event(6_000, "pending", "pending", 1.0),
        event(3_000, "resolved", "inactive", 7.0),
        event(2_000, "firing", "firing", 7.0),
    ]
}

#[test]
fn the_window_begins_with_the_latest_episode() {
    let events = episodes();
    assert_eq!(start(&events, None, None, 20_000), 6_000);
    assert_eq!(start(&events[1..], None, Some(1), 8_500), 6_000);
    assert_eq!(start(&events[5..], None, None, 4_000), 2_000);
    assert_eq!(start(&[], None, None, 4_000_000), 4_000_000 - LOOK_BACK_MS);
    assert_eq!(start(&[], None, Some(7_000), 4_000_000), 7_000);
    assert_eq!(start(&[], None, Some(3_999_000), 4_000_000), 4_000_000 - LOOK_BACK_MS);
}

#[test]
fn firings_that_nobody_was_told_of_are_in_the_window_and_move_nothing() {
    let untold = |at_ms, began_at_ms, state: &str| {
        let note = HistoryNote { receiver: Some("ops".to_owned()), began_at_ms: Some(began_at_ms), ..HistoryNote::default() };
        HistoryEvent { value: None, note, ..event(at_ms, "untold", state, 0.0) }
    };
    let mut events = episodes();
    events.insert(0, untold(9_500, 7_000, "inactive"));
    assert_eq!(start(&events, None, None, 20_000), 6_000);
    events.insert(0, untold(9_500, 2_000, "firing"));
    assert_eq!(start(&events, None, None, 20_000), 2_000, "both of them");
    assert_eq!(state_at(&events, None), "inactive");
    assert_eq!(evaluations(&[], &events, &[], 0).len(), 2, "the ends");
    assert_eq!(muted(&events, None), json!({ "silenced_by": [], "inhibited_by": [], "muted_by": [] }));
    assert_eq!(history::show(&events[0])["began_at"], "1970-01-01T00:00:02.000Z");
}

#[test]
fn evaluations_have_values_states_and_errors() {
    let events = &episodes()[..5];
    let failure = HistoryEvent { note: HistoryNote { error: Some("no".to_owned()), ..HistoryNote::default() }, ..event(7_700, "error", "error", 0.0) };
    let recovered = event(7_900, "recovered", "ok", 0.0);
    // Queries look back for half a second.
    let samples = [(5_500, 1.0), (6_500, f64::INFINITY), (7_500, f64::NAN)];
    let shown = evaluations(&samples, events, &[recovered, failure], 500);
    let want = json!([
        { "at": "1970-01-01T00:00:06.000Z", "value": 1.0, "state": "pending" },
        { "at": "1970-01-01T00:00:07.000Z", "value": "+Inf", "state": "firing" },
        { "at": "1970-01-01T00:00:07.700Z", "value": null, "state": "firing", "error": "no" },
        { "at": "1970-01-01T00:00:08.000Z", "value": null, "state": "firing" },
        { "at": "1970-01-01T00:00:09.000Z", "value": null, "state": "inactive" },
    ]);
    assert_eq!(json!(shown), want);
    let nan = [event(1_000, "firing", "firing", f64::NAN)];
    assert_eq!(json!(evaluations(&[(1_000, f64::NAN)], &nan, &[], 0))[0]["value"], "NaN", "found, with a value that is no number");
}

#[test]
fn what_mutes_is_the_latest_of_each_receiver_until_the_alert_is_over() {
    let all = |events: &[HistoryEvent]| muted(events, None);
    let nothing = json!({ "silenced_by": [], "inhibited_by": [], "muted_by": [] });
    assert_eq!(all(&episodes()), nothing);
    assert_eq!(all(&episodes()[1..]), json!({ "silenced_by": ["a"], "inhibited_by": [], "muted_by": [] }));
    let many = [
        mute(5, "unmuted", "ops", &[], &[]),
        mute(4, "muted", "dev", &[], &["night"]),
        mute(3, "silenced", "ops", &["a"], &[]),
        mute(2, "silenced", "dev", &["b"], &[]),
    ];
    assert_eq!(all(&many), json!({ "silenced_by": [], "inhibited_by": [], "muted_by": ["night"] }));
    let live = DeskAlert {
        labels: Pairs::new(),
        annotations: Pairs::new(),
        fingerprint: String::new(),
        starts_at_ms: 0,
        ends_at_ms: 0,
        updated_at_ms: 0,
        generator_url: String::new(),
        receivers: Vec::new(),
        silenced_by: vec!["c".to_owned()],
        inhibited_by: Vec::new(),
        muted_by: Vec::new(),
    };
    assert_eq!(muted(&many, Some(&live)), json!({ "silenced_by": ["c"], "inhibited_by": [], "muted_by": ["night"] }));
    assert_eq!(state_at(&episodes(), None), "inactive");
    assert_eq!(state_at(&episodes()[2..], None), "firing");
    assert_eq!(state_at(&[], Some(&live)), "firing");
}
