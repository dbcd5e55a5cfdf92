//! Deletions of log records through the public door: each step, what is listed, what is forgotten.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use signalbox_meta::{LogDeletion, LogDeletionFilter, LogDeletionState as State, LogDeletionStep, Meta};

fn asked(tenant: &str, request: &str, asked_at_ns: i64) -> LogDeletion {
    LogDeletion {
        request: request.to_owned(),
        tenant: tenant.to_owned(),
        query: "{app=\"ü\"} |= `a\nb`".to_owned(),
        start_ns: asked_at_ns - 100,
        end_ns: asked_at_ns - 50,
        asked_at_ns,
        asker: "10.0.0.7:1 for 192.0.2.1, logcli".to_owned(),
        state: State::Asked,
        records: None,
        masked_at_ns: None,
        ended_at_ns: None,
        note: String::new(),
    }
}

async fn take(meta: &Meta, (tenant, request): (&str, &str), (from, to): (State, State), at_ns: i64, records: Option<u64>, note: &str) -> bool {
    meta.move_log_deletion(&LogDeletionStep { tenant, request, from, to, at_ns, records, note }).await.unwrap()
}

async fn names(meta: &Meta, filter: LogDeletionFilter) -> Vec<String> {
    meta.log_deletions(&filter).await.unwrap().into_iter().map(|deletion| deletion.request).collect()
}

fn all() -> LogDeletionFilter {
    LogDeletionFilter { limit: 100, ..LogDeletionFilter::default() }
}

#[tokio::test]
async fn every_step_is_kept_and_none_is_taken_twice() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let mut want = asked("red", "1", 1_000);
    assert!(meta.add_log_deletion(&want).await.unwrap());
    assert!(!meta.add_log_deletion(&asked("red", "1", 7)).await.unwrap(), "the name is taken");
    assert!(meta.add_log_deletion(&asked("blue", "1", 2_000)).await.unwrap(), "but not of others");
    let red = ("red", "1");
    assert!(take(&meta, red, (State::Asked, State::Asked), 1_001, None, "the disk refuses").await);
    assert!(take(&meta, red, (State::Asked, State::Masked), 1_002, Some(3), "").await);
    assert!(!take(&meta, red, (State::Asked, State::Failed), 1_003, None, "late").await);
    assert!(!take(&meta, ("green", "1"), (State::Asked, State::Failed), 1_003, None, "").await);
    drop(meta);
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    want = LogDeletion { state: State::Masked, records: Some(3), masked_at_ns: Some(1_002), note: "the disk refuses".to_owned(), ..want };
    let of_red = LogDeletionFilter { tenant: Some("red".to_owned()), ..all() };
    assert_eq!(meta.log_deletions(&of_red).await.unwrap(), [want.clone()]);
    assert!(take(&meta, red, (State::Masked, State::Cancelling), 1_004, None, "").await);
    assert!(take(&meta, red, (State::Cancelling, State::Masked), 1_005, None, "").await);
    assert_eq!(meta.log_deletions(&of_red).await.unwrap(), [want.clone()], "a cancellation that came to nothing leaves no trace");
    assert!(take(&meta, red, (State::Masked, State::Cancelling), 1_006, None, "").await);
    assert!(take(&meta, red, (State::Cancelling, State::Cancelled), 1_007, None, "cancelled by 10.0.0.8").await);
    want = LogDeletion { state: State::Cancelled, ended_at_ns: Some(1_007), note: "cancelled by 10.0.0.8".to_owned(), ..want };
    assert_eq!(meta.log_deletions(&of_red).await.unwrap(), [want]);
}

#[tokio::test]
async fn lists_are_of_what_was_asked_for_and_old_ones_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    for (number, tenant) in (1..).zip(["red", "red", "blue"]) {
        meta.add_log_deletion(&asked(tenant, &number.to_string(), number * 1_000)).await.unwrap();
        take(&meta, (tenant, &number.to_string()), (State::Asked, State::Masked), number * 1_000, Some(1), "").await;
    }
    for (request, at_ns) in [("1", 5_000), ("2", 6_000)] {
        take(&meta, ("red", request), (State::Masked, State::Erased), at_ns, None, "").await;
    }
    assert_eq!(names(&meta, all()).await, ["3", "2", "1"]);
    assert_eq!(names(&meta, LogDeletionFilter { limit: 1, ..all() }).await, ["3"]);
    assert_eq!(names(&meta, LogDeletionFilter { tenant: Some("red".to_owned()), ..all() }).await, ["2", "1"]);
    assert_eq!(names(&meta, LogDeletionFilter { states: vec![State::Masked, State::Asked], ..all() }).await, ["3"]);
    assert_eq!(names(&meta, LogDeletionFilter { request: Some("2".to_owned()), ..all() }).await, ["2"]);
    assert_eq!(names(&meta, LogDeletionFilter { start_ns: Some(1_950), end_ns: Some(2_000), ..all() }).await, ["2"], "both ends are of it");
    assert_eq!(names(&meta, LogDeletionFilter { start_ns: Some(1_951), end_ns: Some(2_899), ..all() }).await, Vec::<String>::new());
    assert_eq!(meta.forget_log_deletions(5_000).await.unwrap(), 0);
    assert_eq!(meta.forget_log_deletions(i64::MAX).await.unwrap(), 2, "one that is not over is never too old");
    assert_eq!(names(&meta, all()).await, ["3"]);
}
