//! All rows come out, whatever was flushed and merged.

use signalbox_model::ErrorKind;
use signalbox_testkit::{Call, Fault, Outcome};

use super::*;

#[test]
fn all_rows_come_out_from_head_and_segments_and_merges() {
    for table in [Table::Logs, Table::Spans] {
        for seed in 1..=3 {
            let (mut world, mut random) = (World::new(table), Random(seed));
            for step in 0..14 {
                match random.below(4) {
                    0 => world.flush(),
                    1 => {
                        let from = random.below(world.segments.len() as u64 + 1) as usize;
                        let level = 1 + random.below(2) as u8;
                        world.merge_to(level, from, from + 1 + random.below(4) as usize);
                    }
                    _ => {
                        let rows = [1, 3, 40, 700][random.below(4) as usize];
                        world.append(&mut random, rows);
                    }
                }
                world.check(&format!("{} seed {seed} step {step}", table.as_str()));
            }
            world.flush();
            world.merge(0, usize::MAX);
            assert_eq!(world.segments.len(), 1);
            world.check("merged");
            let record = crate::format::file::read_record(world.disk.as_ref(), Path::new("/data"), &world.segments[0].record().url).unwrap();
            assert_eq!(record, *world.segments[0].record());
        }
    }
}

/// Several row groups, pages and parts.
#[test]
fn large_segments_come_out_whole() {
    for table in [Table::Logs, Table::Spans] {
        let (mut world, mut random) = (World::new(table), Random(5));
        for _ in 0..3 {
            world.append(&mut random, 300);
            world.append(&mut random, 2000);
            world.flush();
        }
        world.check("flushed");
        world.merge(0, 3);
        world.check("merged");
        assert!(world.view().scan(table, &ScanRequest::all(TimeRange::ALL)).unwrap().len() > 1);
    }
}

fn order_of(world: &World, at: usize) -> Vec<(i64, u64, String, Vec<u8>)> {
    let mut keys = Vec::new();
    for rows in world.segments[at].read_all(Wanted::Rest).unwrap() {
        let rows = rows.unwrap();
        let times = rows.column_by_name(schema::TIMESTAMP).unwrap().as_primitive::<TimestampNanosecondType>();
        let services = arrow::compute::cast(rows.column_by_name(schema::SERVICE).unwrap(), &arrow::datatypes::DataType::Utf8).unwrap();
        let traces = rows.column_by_name(schema::TRACE_ID).unwrap().as_fixed_size_binary();
        for (row, sequence) in sequences(&rows).into_iter().enumerate() {
            keys.push((times.value(row), sequence, services.as_string::<i32>().value(row).to_owned(), traces.value(row).to_vec()));
        }
    }
    keys
}

#[test]
fn logs_are_sorted_by_service_time_and_arrival_when_written_and_when_merged() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(11));
    for _ in 0..3 {
        world.append(&mut random, 2000);
        world.flush();
    }
    world.merge(0, 2);
    for at in 0..2 {
        let keys = order_of(&world, at);
        assert!(keys.is_sorted_by(|left, right| (&left.2, left.0, left.1) < (&right.2, right.0, right.1)));
    }
}

#[test]
fn spans_of_a_trace_lie_together_and_traces_are_sorted_by_their_start() {
    let (mut world, mut random) = (World::new(Table::Spans), Random(12));
    world.append(&mut random, 3000);
    world.flush();
    let keys = order_of(&world, 0);
    let traces: Vec<&[_]> = keys.chunk_by(|left, right| left.3 == right.3).collect();
    assert_eq!(traces.len(), keys.iter().map(|key| &key.3).collect::<std::collections::BTreeSet<_>>().len());
    assert!(traces.is_sorted_by(|left, right| (left[0].0, &left[0].3) < (right[0].0, &right[0].3)));
    assert!(traces.iter().all(|spans| spans.is_sorted_by(|left, right| (left.0, left.1) < (right.0, right.1))));
    // What is sorted already stays as it is.
    world.merge(0, 1);
    assert_eq!(order_of(&world, 0), keys);
}

#[test]
fn a_write_that_fails_leaves_the_rows_in_the_head_and_is_tried_again() {
    for table in [Table::Logs, Table::Spans] {
        let (mut world, mut random) = (World::new(table), Random(21));
        world.append(&mut random, 500);
        let sealed = world.head.seal().unwrap();
        world.append(&mut random, 10);
        for call in [Call::Open, Call::Write, Call::Sync, Call::SyncDir] {
            world.sim.fail(Fault { call, nth: 1, outcome: Outcome::Error(signalbox_testkit::disk::EIO), is_sticky: false });
            let error = world.with_target(0, |_, target| write(&sealed, target)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{call:?}: {error}");
            assert!(world.sim.files().is_empty(), "{call:?}");
            world.check("failed");
        }
        let written = world.with_target(0, |_, target| write(&sealed, target)).unwrap();
        world.segments.push(world.open(&written));
        world.head.release(&sealed);
        world.check("written");
    }
}

#[test]
fn nothing_to_merge_gives_nothing_and_tables_do_not_mix() {
    let (mut logs, mut spans, mut random) = (World::new(Table::Logs), World::new(Table::Spans), Random(1));
    assert!(logs.with_target(1, |_, target| merge(&[], target)).unwrap().is_none());
    logs.append(&mut random, 5);
    spans.append(&mut random, 5);
    logs.flush();
    spans.flush();
    let both = [Arc::clone(&logs.segments[0]), Arc::clone(&spans.segments[0])];
    assert_eq!(logs.with_target(1, |_, target| merge(&both, target)).unwrap_err().kind(), ErrorKind::Internal);
    assert!(spans.view().scan(Table::Logs, &ScanRequest::all(TimeRange::ALL)).unwrap().is_empty());
}
