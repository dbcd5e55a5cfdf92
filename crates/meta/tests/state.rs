//! The outbox and the notification log through their public door: order, agreement, durability, damage.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use signalbox_meta::{Attempt, Enqueued, MessageAbout, Meta, NewMessage, Next, NotificationFilter, OUTBOX_MESSAGES_MAX, Outcome, ToldAlert};
use signalbox_model::ErrorKind;

fn message(key: &str, channel: &str, group: &str, at_ns: i64) -> NewMessage {
    NewMessage {
        dedup_key: key.into(),
        group_key: group.into(),
        receiver: "ops".into(),
        channel: channel.into(),
        firing: vec![0xff, 1],
        resolved: vec![2],
        payload: format!("payload of {key}"),
        created_at_ns: at_ns,
        about: MessageAbout::default(),
    }
}

async fn due(meta: &Meta, channel: &str, now_ns: i64) -> Option<String> {
    match meta.next_message(channel, now_ns).await.unwrap() {
        Next::Due(pending) => Some(pending.payload),
        Next::At(_) | Next::Empty => None,
    }
}

async fn id(meta: &Meta, message: &NewMessage) -> i64 {
    match meta.enqueue(std::slice::from_ref(message)).await.unwrap()[..] {
        [Enqueued::New(id) | Enqueued::Known(id)] => id,
        ref other => panic!("one message, one answer: found {other:?}"),
    }
}

#[tokio::test]
async fn outbox_and_log_agree_from_enqueue_to_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let first = message("a", "ops/email", "{}", 10);
    let line = id(&meta, &first).await;
    let logged = meta.latest_notification("ops/email", "{}").await.unwrap().unwrap();
    assert_eq!((logged.id, logged.outcome, logged.attempts, logged.finished_at_ns), (line, Outcome::Pending, 0, None));
    assert_eq!((logged.firing.as_slice(), logged.resolved.as_slice(), logged.receiver.as_str()), ([1, 0xff].as_slice(), [2].as_slice(), "ops"));

    meta.message_failed(line, "connection refused", 20, 50).await.unwrap();
    assert_eq!(meta.next_message("ops/email", 49).await.unwrap(), Next::At(50));
    let Next::Due(pending) = meta.next_message("ops/email", 50).await.unwrap() else { panic!("it is due") };
    assert_eq!((pending.id, pending.attempts, pending.enqueued_at_ns, pending.payload.as_str()), (line, 1, 10, "payload of a"));

    meta.message_delivered(line, "taken", 60).await.unwrap();
    meta.message_delivered(line, "taken", 99).await.unwrap();
    assert_eq!(meta.next_message("ops/email", i64::MAX).await.unwrap(), Next::Empty);
    let logged = meta.latest_notification("ops/email", "{}").await.unwrap().unwrap();
    assert_eq!(
        (logged.outcome, logged.attempts, logged.finished_at_ns, logged.error.as_deref()),
        (Outcome::Delivered, 2, Some(60), Some("connection refused"))
    );
}

#[tokio::test]
async fn a_key_is_enqueued_once_even_after_delivery_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let meta = Meta::open(&path).await.unwrap();
    let first = message("a", "ops/email", "{}", 10);
    let line = id(&meta, &first).await;
    assert_eq!(meta.enqueue(&[first.clone(), first.clone()]).await.unwrap(), [Enqueued::Known(line), Enqueued::Known(line)]);
    meta.message_delivered(line, "taken", 20).await.unwrap();
    drop(meta);
    let meta = Meta::open(&path).await.unwrap();
    assert_eq!(meta.enqueue(&[first]).await.unwrap(), [Enqueued::Known(line)]);
    assert_eq!(meta.next_message("ops/email", i64::MAX).await.unwrap(), Next::Empty);
}

#[tokio::test]
async fn a_group_keeps_its_order_and_holds_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let stuck = id(&meta, &message("firing", "ops/email", "g1", 1)).await;
    id(&meta, &message("resolved", "ops/email", "g1", 2)).await;
    id(&meta, &message("other group", "ops/email", "g2", 3)).await;
    id(&meta, &message("other channel", "ops/webhook", "g1", 4)).await;
    meta.message_failed(stuck, "greylisted", 50, 100).await.unwrap();
    assert_eq!(due(&meta, "ops/email", 50).await.as_deref(), Some("payload of other group"));
    assert_eq!(due(&meta, "ops/webhook", 50).await.as_deref(), Some("payload of other channel"));
    assert_eq!(meta.waiting_messages().await.unwrap(), [("ops/email".to_owned(), 3), ("ops/webhook".to_owned(), 1)]);
    meta.message_delivered(stuck, "taken", 101).await.unwrap();
    assert_eq!(due(&meta, "ops/email", 101).await.as_deref(), Some("payload of resolved"));
}

#[tokio::test]
async fn a_message_that_is_given_up_is_kept_as_a_dead_letter() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let line = id(&meta, &message("a", "ops/webhook", "g", 1)).await;
    id(&meta, &message("b", "ops/webhook", "g", 2)).await;
    meta.message_dead(line, "unexpected status code 404", 5).await.unwrap();
    meta.message_delivered(line, "taken", 6).await.unwrap();
    let letters = meta.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let found = (letters[0].id, letters[0].payload.as_str(), letters[0].attempts, letters[0].error.as_deref());
    assert_eq!(found, (line, "payload of a", 1, Some("unexpected status code 404")));
    assert_eq!(due(&meta, "ops/webhook", 6).await.as_deref(), Some("payload of b"));
    let log = meta.notifications(None, 10).await.unwrap();
    assert_eq!(log.iter().map(|line| line.outcome).collect::<Vec<_>>(), [Outcome::Pending, Outcome::Dead]);
    assert_eq!(meta.notifications(Some(log[0].id), 10).await.unwrap(), log[1..]);
}

#[tokio::test]
async fn what_a_receiver_calls_a_message_is_known_to_the_next_of_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let handle = |group: &'static str, key: &'static str| {
        let meta = &meta;
        async move {
            let line = id(meta, &message(key, "c", group, 1)).await;
            let Next::Due(pending) = meta.next_message("c", 1).await.unwrap() else { panic!("a message waits") };
            assert_eq!(pending.id, line);
            (line, pending.handle)
        }
    };
    let (first, nothing) = handle("g", "a").await;
    assert_eq!(nothing, None);
    meta.message_delivered_as(first, "ok", Some("7"), 5).await.unwrap();
    meta.message_delivered_as(first, "ok", Some("8"), 6).await.unwrap();
    let (second, known) = handle("g", "b").await;
    assert_eq!(known.as_deref(), Some("7"), "a second record of a delivery changes nothing");
    meta.message_delivered(second, "ok", 7).await.unwrap();
    let (third, still) = handle("g", "c").await;
    assert_eq!(still.as_deref(), Some("7"), "a message without a name leaves that of the group");
    meta.message_delivered_as(third, "ok", Some("9"), 8).await.unwrap();
    let (other, none) = handle("another group", "d").await;
    assert_eq!(none, None);
    meta.message_delivered(other, "ok", 9).await.unwrap();
    meta.forget_notifications(100).await.unwrap();
    assert_eq!(handle("g", "e").await.1, None, "it was long ago");
}

#[tokio::test]
async fn refusals_in_a_row_are_those_after_the_latest_other_line() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    for (key, is_refused) in [("a", true), ("b", false), ("c", true), ("d", true)] {
        let line = id(&meta, &message(key, "c", "g", 1)).await;
        let buried = if is_refused { meta.message_refused(line, "401", 5).await } else { meta.message_dead(line, "503", 5).await };
        buried.unwrap();
    }
    id(&meta, &message("e", "c", "other group", 1)).await;
    let refusals = |limit| meta.latest_refusals("c", "g", limit);
    let keys: Vec<String> = refusals(10).await.unwrap().into_iter().map(|line| line.dedup_key).collect();
    assert_eq!(keys, ["d", "c"]);
    assert_eq!(refusals(1).await.unwrap().len(), 1);
    let latest = meta.latest_notification("c", "g").await.unwrap().unwrap();
    assert_eq!((latest.outcome, latest.is_refused, latest.error.as_deref()), (Outcome::Dead, true, Some("401")));
    id(&meta, &message("f", "c", "g", 1)).await;
    assert_eq!(refusals(10).await.unwrap(), []);
}

#[tokio::test]
async fn forgetting_spares_what_waits_and_the_latest_of_each_group() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let (old, dead) = (id(&meta, &message("old", "c", "g", 1)).await, id(&meta, &message("dead", "c", "g", 2)).await);
    let waits = id(&meta, &message("waits", "c", "g", 3)).await;
    let latest = id(&meta, &message("latest", "c", "g", 4)).await;
    meta.message_delivered(old, "taken", 5).await.unwrap();
    meta.message_dead(dead, "no", 5).await.unwrap();
    meta.message_delivered(latest, "taken", 5).await.unwrap();
    assert_eq!(meta.forget_notifications(100).await.unwrap(), 2);
    let left: Vec<i64> = meta.notifications(None, 10).await.unwrap().iter().map(|line| line.id).collect();
    assert_eq!(left, [latest, waits]);
    assert_eq!(meta.dead_letters(10).await.unwrap(), []);
    assert_eq!(meta.latest_notifications().await.unwrap().iter().map(|line| line.id).collect::<Vec<_>>(), [latest]);
}

#[tokio::test]
async fn enqueueing_is_all_or_nothing_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let full: Vec<NewMessage> = (0..OUTBOX_MESSAGES_MAX).map(|n| message(&format!("m{n}"), "c", &format!("g{n}"), n)).collect();
    meta.enqueue(&full).await.unwrap();
    let error = meta.enqueue(&[message("elsewhere", "d", "g", 1), message("one more", "c", "g", 1)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(meta.next_message("d", i64::MAX).await.unwrap(), Next::Empty);
    assert_eq!(meta.latest_notification("d", "g").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_callers_enqueue_each_key_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    // Two handles on one file, as two processes have.
    let handles = [Arc::new(Meta::open(&path).await.unwrap()), Arc::new(Meta::open(&path).await.unwrap())];
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let meta = Arc::clone(&handles[task % 2]);
            tokio::spawn(async move {
                let mut fresh = 0;
                for n in 0..20 {
                    let answer = meta.enqueue(&[message(&format!("m{n}"), "c", "g", n)]).await.unwrap();
                    fresh += usize::from(matches!(answer[..], [Enqueued::New(_)]));
                }
                fresh
            })
        })
        .collect();
    let mut fresh = 0;
    for task in tasks {
        fresh += task.await.unwrap();
    }
    assert_eq!(fresh, 20);
    assert_eq!(handles[0].waiting_messages().await.unwrap(), [("c".to_owned(), 20)]);
}

#[tokio::test]
async fn a_damaged_file_and_a_newer_schema_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    std::fs::write(&path, "this is a letter, not a database. ".repeat(200)).unwrap();
    let error = Meta::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().starts_with("cannot open the state database: ") && error.message().contains("state.db"), "{error}");

    let path = dir.path().join("pages.db");
    let meta = Meta::open(&path).await.unwrap();
    let many: Vec<NewMessage> = (0..500).map(|n| message(&format!("m{n}"), "c", "g", n)).collect();
    meta.enqueue(&many).await.unwrap();
    meta.close().await;
    assert_eq!(meta.enqueue(&many).await.unwrap_err().kind(), ErrorKind::Unavailable);
    overwrite_from_second_page(&path);
    assert_eq!(Meta::open(&path).await.unwrap_err().kind(), ErrorKind::Corrupt);

    let missing = Meta::open(dir.path().join("no such folder").join("state.db")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Unavailable);
}

fn overwrite_from_second_page(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > 3 * 4096);
    for byte in &mut bytes[4096..] {
        *byte = 0xa5;
    }
    std::fs::write(path, bytes).unwrap();
}

/// Where the process that is to be killed keeps its state. Set: this is that process.
const KILLED_PATH: &str = "SIGNALBOX_TEST_KILLED_PATH";

/// Not a test of its own: what [`all_that_was_acknowledged_is_there_after_a_kill`] starts as another process.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(KILLED_PATH) else { return };
    let meta = Meta::open(path).await.unwrap();
    for n in 0.. {
        let line = id(&meta, &message(&format!("m{n}"), "c", &format!("g{}", n % 7), n)).await;
        println!("\nenqueued {line}");
        if n % 3 == 0 {
            meta.message_delivered(line, "taken", n).await.unwrap();
            println!("\ndelivered {line}");
        }
    }
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_after_a_kill() {
    for wanted in [5_usize, 40] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "writes_until_it_is_killed", "--nocapture"]).env(KILLED_PATH, &path).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut enqueued, mut delivered) = (Vec::new(), Vec::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            match line.unwrap().split_once(' ') {
                Some(("enqueued", id)) => enqueued.push(id.parse::<i64>().unwrap()),
                Some(("delivered", id)) => delivered.push(id.parse::<i64>().unwrap()),
                _ => {}
            }
            if enqueued.len() == wanted {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(enqueued.len() >= wanted);

        let meta = Meta::open(&path).await.unwrap();
        let log = meta.notifications(None, u32::MAX).await.unwrap();
        for id in &enqueued {
            let line = log.iter().find(|line| line.id == *id).expect("an acknowledged notification is in the log");
            assert!(line.outcome == Outcome::Delivered || !delivered.contains(id), "{line:?}");
        }
        let pending = log.iter().filter(|line| line.outcome == Outcome::Pending).count();
        let waiting: i64 = meta.waiting_messages().await.unwrap().iter().map(|(_, count)| count).sum();
        assert_eq!(i64::try_from(pending).unwrap(), waiting, "log and outbox agree");
    }
}

#[tokio::test]
async fn a_copy_has_what_was_written_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    id(&meta, &message("a", "ops/email", "{}", 10)).await;
    let path = dir.path().join("copy.db");
    meta.copy_to(&path).await.unwrap();
    id(&meta, &message("b", "ops/webhook", "{}", 10)).await;
    let copy = Meta::open(&path).await.unwrap();
    assert_eq!((due(&copy, "ops/email", 20).await.as_deref(), due(&copy, "ops/webhook", 20).await), (Some("payload of a"), None));
    assert_eq!(meta.copy_to(&path).await.unwrap_err().kind(), ErrorKind::Unavailable, "nothing is written over");
}

#[tokio::test]
async fn the_log_tells_why_whom_and_what_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let labels = |name: &str| [("alertname".to_owned(), name.to_owned())].into();
    let told = |fingerprint, name: &str, is_firing| ToldAlert { fingerprint, labels: labels(name), is_firing };
    let about = |alerts| MessageAbout { reason: "first notification".into(), group_labels: labels("Down"), alerts };
    let first = NewMessage { about: about(vec![told(u64::MAX, "Down", true), told(2, "Up", false)]), ..message("a", "ops/email", "{}", 10) };
    let second = NewMessage { about: about(vec![told(2, "Up", true)]), receiver: "dev".into(), ..message("b", "dev/email", "{b}", 20) };
    let (first, second) = (id(&meta, &first).await, id(&meta, &second).await);
    meta.message_failed(first, "connection refused", 15, 50).await.unwrap();
    meta.message_delivered(first, "250 OK", 60).await.unwrap();
    meta.message_delivered(first, "250 OK", 61).await.unwrap();
    meta.message_dead(second, "404", 70).await.unwrap();

    let filter = NotificationFilter { limit: 10, ..NotificationFilter::default() };
    let ids = async |filter: NotificationFilter| meta.notification_records(&filter).await.unwrap().iter().map(|record| record.line.id).collect::<Vec<_>>();
    assert_eq!(ids(filter.clone()).await, [second, first]);
    assert_eq!(ids(NotificationFilter { limit: 1, ..filter.clone() }).await, [second]);
    assert_eq!(ids(NotificationFilter { start_ns: Some(11), ..filter.clone() }).await, [second]);
    assert_eq!(ids(NotificationFilter { end_ns: Some(10), ..filter.clone() }).await, [first]);
    assert_eq!(ids(NotificationFilter { receiver: Some("dev".into()), ..filter.clone() }).await, [second]);
    assert_eq!(ids(NotificationFilter { outcome: Some(Outcome::Delivered), ..filter.clone() }).await, [first]);
    assert_eq!(ids(NotificationFilter { group_key: Some("{b}".into()), ..filter.clone() }).await, [second]);
    assert_eq!(ids(NotificationFilter { fingerprint: Some(2), ..filter.clone() }).await, [second, first]);
    let record = meta.notification_records(&NotificationFilter { fingerprint: Some(u64::MAX), ..filter }).await.unwrap().remove(0);
    assert_eq!((record.about.reason.as_str(), record.about.group_labels), ("first notification", labels("Down")));
    assert_eq!(record.about.alerts, [told(u64::MAX, "Down", true), told(2, "Up", false)]);
    let attempt = |at_ns, is_ok, answer: &str| Attempt { at_ns, is_ok, answer: answer.into() };
    assert_eq!(record.attempts, [attempt(15, false, "connection refused"), attempt(60, true, "250 OK")]);
    assert_eq!(meta.labels_of(u64::MAX).await.unwrap(), Some(labels("Down")));
    assert_eq!(meta.labels_of(1).await.unwrap(), None);

    // What is known of a line goes with it.
    id(&meta, &message("c", "ops/email", "{}", 90)).await;
    assert_eq!(meta.forget_notifications(80).await.unwrap(), 1);
    assert_eq!(meta.notification_records(&NotificationFilter { fingerprint: Some(u64::MAX), limit: 9, ..NotificationFilter::default() }).await.unwrap(), []);
}
