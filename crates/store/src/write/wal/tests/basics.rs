//! Appending, reading back, barriers, releases, limits.

use std::sync::Mutex;

use signalbox_model::ErrorKind;
use signalbox_testkit::Call;

use super::*;

#[test]
fn what_was_appended_comes_back_in_order_after_a_restart() {
    let fixture = Fixture::new(SimDisk::default());
    let mut given = Given::default();
    let (wal, report, frames) = fixture.open();
    assert_eq!((report.position, frames.len(), wal.position()), (1, 0, 1));
    for id in 0..40 {
        assert_eq!(given.append(&wal, id, 700 + id as usize * 31).unwrap(), id + 1);
    }
    assert_eq!(wal.position(), 41);
    drop(wal);
    assert!(wal_files(&fixture.disk).len() > 3);
    let (wal, report, frames) = fixture.open();
    given.check(&frames, |_| false, "restart");
    assert_eq!((report.frames, report.position, report.lost.len()), (40, 41, 0));
    assert_eq!(given.append(&wal, 40, 10).unwrap(), 41);
    drop(wal);
    given.check(&fixture.open().2, |_| false, "second restart");
}

#[test]
fn requests_queued_together_share_one_sync() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    append(&wal, 0, 100).unwrap();
    let (entered, is_held) = std::sync::mpsc::sync_channel(1);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    // Groups wait while the applier is busy, so that what follows is queued together.
    let held = wal.barrier(Box::new(move |_| {
        entered.send(()).unwrap();
        released.recv().unwrap();
    }));
    is_held.recv().unwrap();
    let first: Vec<_> = (1..20).map(|id| wal.append(record(id, 100), Box::new(|_| {}))).collect();
    let before = fixture.disk.calls(Call::Sync);
    release.send(()).unwrap();
    block_on(held).unwrap();
    let sequences: Vec<u64> = first.into_iter().map(|answer| block_on(answer).unwrap()).collect();
    assert_eq!(sequences, (2..21).collect::<Vec<u64>>());
    assert!(fixture.disk.calls(Call::Sync) - before < 19, "syncs are shared");
}

#[test]
fn frames_are_applied_in_order_before_they_are_acknowledged() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    let applied = Arc::new(Mutex::new(Vec::new()));
    let mut answers = Vec::new();
    for id in 0..50 {
        let (to_append, to_barrier) = (Arc::clone(&applied), Arc::clone(&applied));
        answers.push(wal.append(record(id, 64), Box::new(move |sequence| to_append.lock().unwrap().push(sequence))));
        if id == 24 {
            answers.push(wal.barrier(Box::new(move |position| to_barrier.lock().unwrap().push(position + 1000))));
        }
    }
    let last = block_on(answers.pop().unwrap()).unwrap();
    assert_eq!(last, 50);
    let want: Vec<u64> = (1..26).chain([1026]).chain(26..51).collect();
    assert_eq!(*applied.lock().unwrap(), want);
}

#[test]
fn a_panic_while_applying_fails_that_append_and_no_other() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    let bad = wal.append(record(0, 64), Box::new(|_| panic!("applied")));
    assert_eq!(block_on(bad).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(append(&wal, 1, 64).unwrap(), 2);
}

#[test]
fn released_files_are_recycled_and_their_old_frames_never_come_back() {
    let mut fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    let mut given = Given::default();
    for id in 0..100 {
        let position = given.append(&wal, id, 900).unwrap();
        if id % 10 == 9 {
            wal.release(position - 5).unwrap();
            fixture.from = position - 5;
        }
    }
    assert!(wal_files(&fixture.disk).len() <= 4, "{:?}", wal_files(&fixture.disk));
    let created = fixture.disk.calls(Call::Open);
    drop(wal);
    let (_wal, report, frames) = fixture.open();
    let unconsumed: Vec<Frame> = frames.into_iter().filter(|frame| !frame.is_consumed).collect();
    given.check(&unconsumed, |sequence| sequence < fixture.from, "recycled");
    assert_eq!(unconsumed.first().map(|frame| frame.sequence), Some(fixture.from));
    assert_eq!(report.lost, []);
    assert!(created < 60, "{created} opens: files are reused");
}

#[test]
fn consumed_frames_of_a_file_that_is_still_needed_are_handed_out_as_consumed() {
    let mut fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    (0..10).for_each(|id| assert!(append(&wal, id, 100).is_ok()));
    drop(wal);
    fixture.from = 7;
    let (_wal, report, frames) = fixture.open();
    assert_eq!(frames.iter().map(|frame| (frame.sequence, frame.is_consumed)).collect::<Vec<_>>(), (1..11).map(|at| (at, at < 7)).collect::<Vec<_>>());
    assert_eq!(report.frames, 4);
}

#[test]
fn a_position_ahead_of_the_log_is_where_it_goes_on() {
    let mut fixture = Fixture::new(SimDisk::default());
    fixture.from = 500;
    let (wal, report, _) = fixture.open();
    assert_eq!((report.position, append(&wal, 0, 10).unwrap()), (500, 500));
}

#[test]
fn a_frame_larger_than_a_file_gets_a_file_to_measure() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    let mut given = Given::default();
    for (id, len) in [(0, 100), (1, 100_000), (2, 100)] {
        given.append(&wal, id, len).unwrap();
    }
    wal.close();
    let (wal, _, frames) = fixture.open();
    given.check(&frames, |_| false, "large frame");
    wal.release(100).unwrap();
    assert!(fixture.disk.files().values().all(|content| content.len() <= 16 * 1024), "a large file is not kept");
}

#[test]
fn a_full_queue_refuses_with_a_time_to_retry() {
    let mut fixture = Fixture::new(SimDisk::default());
    fixture.settings.queue_requests = 3;
    let (wal, _, _) = fixture.open();
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    let held = wal.barrier(Box::new(move |_| released.recv().unwrap()));
    let answers: Vec<_> = (0..8).map(|id| wal.append(record(id, 64), Box::new(|_| {}))).collect();
    release.send(()).unwrap();
    block_on(held).unwrap();
    let results: Vec<_> = answers.into_iter().map(block_on).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
    let refused = results.into_iter().find_map(Result::err).unwrap();
    assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, Some(seconds(1))));
    append(&wal, 9, 64).unwrap();
}

#[test]
fn a_closed_log_serves_what_is_queued_and_refuses_more() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    let queued = wal.append(record(0, 64), Box::new(|_| {}));
    wal.close();
    assert_eq!(block_on(queued).unwrap(), 1);
    assert_eq!(append(&wal, 1, 64).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(fixture.open().1.position, 3, "the mark has a sequence too");
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    append(&wal, 0, 64).unwrap();
    drop(wal);
    let path = wal_files(&fixture.disk).remove(0);
    let mut content = fixture.disk.files().remove(&path).unwrap();
    for at in [0usize, 4096] {
        content[at + 8] = 2;
        let crc = crc32c::crc32c(&content[at..at + 60]);
        content[at + 60..at + 64].copy_from_slice(&crc.to_le_bytes());
    }
    fixture.disk.put(&path, content);
    assert_eq!(fixture.try_open().unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn spares_are_prepared_ahead_and_used() {
    let mut fixture = Fixture::new(SimDisk::default());
    fixture.settings.spare_files = 1;
    let (wal, _, _) = fixture.open();
    let mut given = Given::default();
    (0..60).for_each(|id| assert!(given.append(&wal, id, 900).is_ok()));
    drop(wal);
    let (_wal, report, frames) = fixture.open();
    given.check(&frames, |_| false, "spares");
    assert_eq!(report.lost, []);
    let passing = fixture.disk.files().into_keys().filter(|path| path.to_string_lossy().contains("new-")).count();
    assert_eq!(passing, 0);
}
