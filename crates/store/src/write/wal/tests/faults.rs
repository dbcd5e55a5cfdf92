//! Calls of the disk that fail.

use signalbox_model::ErrorKind;
use signalbox_testkit::disk::{EIO, EMFILE, ENOSPC};
use signalbox_testkit::{Call, Fault, Outcome, Survival};

use super::*;

/// Opens, appends, releases and restarts on a disk with a fault; every answer is noted. Then the fault is gone and, from what
/// the disk holds and from what a power loss leaves of it, everything acknowledged is there.
fn run_with(fault: Fault) -> u64 {
    let mut fixture = Fixture::new(SimDisk::default());
    let mut given = Given::default();
    let mut refused = 0;
    {
        let (wal, _, _) = fixture.open();
        (0..4).for_each(|id| assert!(given.append(&wal, id, 1500).is_ok()));
    }
    fixture.disk.fail(fault);
    for process in 1..3u64 {
        let Ok((wal, _, _)) = fixture.try_open() else {
            refused += 1;
            continue;
        };
        for step in 0..16u64 {
            let id = process * 100 + step;
            if let Err(error) = given.append(&wal, id, 400 + 150 * step as usize) {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}: {error}");
                assert!(error.retry_after().is_some(), "{fault:?}: {error}");
                refused += 1;
                fixture.clock.advance(seconds(2));
            }
            if step == 10 {
                let position = wal.position() - 3;
                // A failed release is tried again by the next one.
                refused += u64::from(wal.release(position).is_err());
                fixture.from = position;
            }
        }
    }
    fixture.disk.heal();
    let before = fixture.disk.clone();
    for survival in [Survival::Nothing, Survival::Everything, Survival::TornSectors] {
        let disk = before.crash(before.operations(), survival, 7);
        let after = Fixture { disk, from: fixture.from, ..Fixture::new(SimDisk::default()) };
        check(&after, given.clone(), &format!("{fault:?}, then {survival:?}"));
    }
    check(&fixture, given, &format!("{fault:?}"));
    refused
}

fn check(fixture: &Fixture, mut given: Given, context: &str) {
    for opening in 0..2u64 {
        let (wal, report, frames) = fixture.try_open().unwrap_or_else(|error| panic!("{context}: {error}"));
        let fresh: Vec<Frame> = frames.into_iter().filter(|frame| !frame.is_consumed).collect();
        given.check(&fresh, |sequence| sequence < fixture.from, context);
        assert_eq!(report.lost_frames, 0, "{context}: {:?}", report.lost);
        given.append(&wal, 9000 + opening, 700).unwrap_or_else(|error| panic!("{context}: {error}"));
    }
}

#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost() {
    let (mut runs, mut refused) = (0, 0);
    for call in Call::ALL {
        let outcomes = match call {
            Call::Write => vec![Outcome::Error(EIO), Outcome::Error(ENOSPC), Outcome::Short(0), Outcome::Short(17), Outcome::Short(512)],
            Call::Open => vec![Outcome::Error(EMFILE), Outcome::Error(ENOSPC)],
            // What cannot be read at all is lost and said to be; `damage` tests that. Here a read fails once.
            Call::Read => vec![Outcome::Error(EIO), Outcome::Short(1)],
            _ => vec![Outcome::Error(EIO), Outcome::Error(ENOSPC)],
        };
        for outcome in outcomes {
            for nth in 1..=30 {
                for is_sticky in [false, true] {
                    let is_hopeless = is_sticky && call == Call::Read && matches!(outcome, Outcome::Error(_));
                    if !is_hopeless {
                        refused += run_with(Fault { call, nth, outcome, is_sticky });
                        runs += 1;
                    }
                }
            }
        }
    }
    println!("{runs} faults, {refused} refusals");
    assert!(runs > 1000 && refused > runs, "{runs} runs, {refused} refusals");
}

#[test]
fn after_a_failed_sync_that_file_is_never_written_or_synced_again() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    let mut given = Given::default();
    given.append(&wal, 0, 300).unwrap();
    fixture.disk.fail(Fault { call: Call::Sync, nth: 1, outcome: Outcome::Error(EIO), is_sticky: false });
    let error = given.append(&wal, 1, 300).unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(seconds(1))));
    let poisoned = fixture.disk.files().remove(&wal_files(&fixture.disk)[0]).unwrap();
    assert_eq!(given.append(&wal, 2, 300).unwrap(), 2, "a new file goes on with the sequence that failed");
    assert_eq!(wal_files(&fixture.disk).len(), 2);
    assert_eq!(fixture.disk.files().remove(&wal_files(&fixture.disk)[0]).unwrap(), poisoned);
    drop(wal);
    let (_wal, report, frames) = fixture.open();
    given.check(&frames, |_| false, "poisoned");
    assert_eq!((frames.len(), report.lost), (2, vec![]), "the frame whose sync failed lost against the one that took its place");
}

#[test]
fn a_disk_that_stays_broken_is_tried_again_after_a_while_and_not_before() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    append(&wal, 0, 300).unwrap();
    fixture.disk.fail(Fault { call: Call::Sync, nth: 1, outcome: Outcome::Error(EIO), is_sticky: true });
    assert!(append(&wal, 1, 300).is_err());
    assert!(append(&wal, 2, 300).is_err(), "the new file cannot be synced either");
    let calls = fixture.disk.calls(Call::Open);
    assert!(append(&wal, 3, 300).is_err());
    assert_eq!(fixture.disk.calls(Call::Open), calls, "no attempt before its time");
    fixture.disk.heal();
    assert!(append(&wal, 4, 300).is_err());
    fixture.clock.advance(seconds(1));
    assert_eq!(append(&wal, 5, 300).unwrap(), 2);
}

#[test]
fn a_full_disk_refuses_and_nothing_acknowledged_is_lost_after_space_returns_and_a_restart() {
    let fixture = Fixture::new(SimDisk::default());
    let mut given = Given::default();
    let (wal, _, _) = fixture.open();
    fixture.disk.limit(Some(3 * 16 * 1024));
    let mut refused = 0;
    for id in 0..60 {
        match given.append(&wal, id, 1000) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(seconds(1))));
                refused += 1;
                fixture.clock.advance(seconds(1));
            }
        }
    }
    assert!(refused > 10 && given.acknowledged.len() > 10);
    let mut barrier_ran = false;
    assert!(block_on(wal.barrier(Box::new(|_| {}))).is_ok_and(|_| {
        barrier_ran = true;
        true
    }));
    assert!(barrier_ran, "a flush can cut the head while the disk is full");
    fixture.disk.limit(None);
    fixture.clock.advance(seconds(1));
    for id in 100..110 {
        given.append(&wal, id, 1000).unwrap();
    }
    drop(wal);
    for survival in Survival::ALL {
        let disk = fixture.disk.crash(fixture.disk.operations(), survival, 1);
        let (_, report, frames) = Fixture::new(disk).open();
        given.check(&frames, |_| false, "space returned");
        assert_eq!(report.lost_frames, 0);
    }
}

#[test]
fn a_write_cut_short_by_a_full_disk_is_undone_at_once() {
    let fixture = Fixture::new(SimDisk::default());
    let (wal, _, _) = fixture.open();
    let mut given = Given::default();
    given.append(&wal, 0, 300).unwrap();
    let before = fixture.disk.files();
    fixture.disk.fail(Fault { call: Call::Write, nth: 1, outcome: Outcome::Short(100), is_sticky: false });
    fixture.disk.fail(Fault { call: Call::Write, nth: 2, outcome: Outcome::Error(ENOSPC), is_sticky: false });
    assert!(given.append(&wal, 1, 300).is_err());
    assert_eq!(fixture.disk.files(), before, "the torn bytes are zeros again");
    given.append(&wal, 2, 100).unwrap();
    drop(wal);
    let (_wal, _, frames) = fixture.open();
    given.check(&frames, |_| false, "short write");
    assert_eq!(frames.len(), 2);
}

#[test]
fn below_the_reserve_appends_are_refused_and_above_it_they_go_on() {
    let mut fixture = Fixture::new(SimDisk::default());
    fixture.settings.reserve_bytes = 100_000;
    let (wal, _, _) = fixture.open();
    append(&wal, 0, 300).unwrap();
    fixture.disk.limit(Some(fixture.disk.used_bytes() + 99_999));
    fixture.clock.advance(seconds(1));
    assert_eq!(append(&wal, 1, 300).unwrap_err().kind(), ErrorKind::Unavailable);
    fixture.disk.limit(Some(fixture.disk.used_bytes() + 100_000));
    append(&wal, 2, 300).unwrap();
}
