//! What kept people from being told, as far as it is remembered: one event when an alert of a group begins to be muted, when what
//! mutes it changes, and when nothing does any more. And firings that came and went before their group was told, which nobody heard of:
//! as in Alertmanager that is no news. Decided when a group is due, because only then is anybody told or not.

use std::collections::BTreeMap;

use signalbox_meta::{HistoryEvent, HistoryNote};
use signalbox_model::Labels;
use signalbox_notify::message::fingerprint;

use crate::evaluate::pairs;
use crate::group::{GroupId, Notice};
use crate::mute::Muted;
use crate::state::State;

/// What muted the alerts of each group when it was due last. After a restart everything that is muted is told once more.
#[derive(Debug, Default)]
pub(crate) struct MuteLog {
    known: BTreeMap<GroupId, BTreeMap<Labels, HistoryNote>>,
}

/// What mutes an alert for a receiver, `intervals` those that mute its route.
pub(crate) fn note<'a>(receiver: &str, muted: &Muted, intervals: impl IntoIterator<Item = &'a String>) -> HistoryNote {
    let of_labels = |labels: &Labels| format!("{:016x}", fingerprint(&pairs(labels)));
    let note = HistoryNote {
        silenced_by: muted.silenced_by.clone(),
        inhibited_by: muted.inhibited_by.iter().map(of_labels).collect(),
        muted_by: intervals.into_iter().cloned().collect(),
        ..HistoryNote::default()
    };
    if note == HistoryNote::default() { note } else { HistoryNote { receiver: Some(receiver.to_owned()), ..note } }
}

impl MuteLog {
    /// Takes what mutes the firing alerts of a group now. Returns what is to be remembered.
    pub(crate) fn observe(&mut self, id: &GroupId, notes: Vec<(Labels, HistoryNote)>, now_ms: i64) -> Vec<HistoryEvent> {
        let before = self.known.remove(id).unwrap_or_default();
        let (mut now, mut events) = (BTreeMap::new(), Vec::new());
        for (labels, note) in notes {
            let known = before.get(&labels);
            let is_muted = note != HistoryNote::default();
            if known != Some(&note) && (is_muted || known.is_some()) {
                let note = if is_muted { note.clone() } else { HistoryNote { receiver: known.and_then(|known| known.receiver.clone()), ..note.clone() } };
                events.push(event(&labels, note, now_ms));
            }
            if is_muted {
                now.insert(labels, note);
            }
        }
        if !now.is_empty() {
            self.known.insert(id.clone(), now);
        }
        events
    }

    /// Forgets groups that are no more.
    pub(crate) fn keep(&mut self, is_there: impl Fn(&GroupId) -> bool) {
        self.known.retain(|id, _| is_there(id));
    }
}

/// That a firing of an alert was over before the group it was in was told: a receiver does not hear of it. It may fire again by now.
pub(crate) fn untold(own: &Labels, receiver: &str, over: &Notice, is_firing: bool, at_ms: i64) -> HistoryEvent {
    let state = if is_firing { State::Firing } else { State::Inactive };
    let note = HistoryNote { receiver: Some(receiver.to_owned()), began_at_ms: Some(over.starts_at_ms), ..HistoryNote::default() };
    HistoryEvent { change: "untold".to_owned(), state: state.as_str().to_owned(), ..event(own, note, at_ms) }
}

fn event(labels: &Labels, note: HistoryNote, at_ms: i64) -> HistoryEvent {
    let change = match (note.silenced_by.is_empty(), note.inhibited_by.is_empty(), note.muted_by.is_empty()) {
        (false, _, _) => "silenced",
        (true, false, _) => "inhibited",
        (true, true, false) => "muted",
        (true, true, true) => "unmuted",
    };
    let labels = pairs(labels);
    HistoryEvent {
        at_ms,
        fingerprint: Some(fingerprint(&labels)),
        labels,
        change: change.to_owned(),
        state: "firing".to_owned(),
        note,
        ..HistoryEvent::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mutes_is_told_when_it_changes() {
        let down = Labels::from_pairs([("alertname", "Down")]);
        let id = |name: &str| ("{}".to_owned(), Labels::from_pairs([("alertname", name)]));
        let silenced = |ids: &[&str]| Muted { silenced_by: ids.iter().map(|id| (*id).to_owned()).collect(), inhibited_by: None };
        let inhibited = Muted { silenced_by: Vec::new(), inhibited_by: Some(Labels::from_pairs([("alertname", "Cause")])) };
        let mut log = MuteLog::default();
        let mut told = |muted: &Muted, intervals: &[String]| {
            let events = log.observe(&id("Down"), vec![(down.clone(), note("ops", muted, intervals))], 5);
            events.into_iter().map(|event| format!("{} {}", event.change, serde_json::to_string(&event.note).unwrap())).collect::<Vec<_>>()
        };
        let nothing = Muted::default();
        assert_eq!(told(&nothing, &[]), [""; 0]);
        assert_eq!(told(&silenced(&["a"]), &[]), [r#"silenced {"receiver":"ops","silenced_by":["a"]}"#]);
        assert_eq!(told(&silenced(&["a"]), &[]), [""; 0]);
        assert_eq!(told(&silenced(&["a", "b"]), &[]), [r#"silenced {"receiver":"ops","silenced_by":["a","b"]}"#]);
        assert_eq!(told(&inhibited, &["night".to_owned()]), [r#"inhibited {"receiver":"ops","inhibited_by":["fc8e6be92dabe183"],"muted_by":["night"]}"#]);
        assert_eq!(told(&nothing, &["night".to_owned()]), [r#"muted {"receiver":"ops","muted_by":["night"]}"#]);
        assert_eq!(told(&nothing, &[]), [r#"unmuted {"receiver":"ops"}"#]);
        assert_eq!(told(&nothing, &[]), [""; 0]);
        log.observe(&id("Down"), vec![(down.clone(), note("ops", &silenced(&["a"]), &[]))], 6);
        assert!(log.observe(&id("Other"), Vec::new(), 6).is_empty());
        log.keep(|known| *known != id("Down"));
        assert!(log.known.is_empty());
    }
}
