//! The choice of what to merge, as tables.
#![allow(clippy::unwrap_used, reason = "tests")]

use signalbox_model::TimeRange;

use super::*;
use crate::format::{FrameRange, SegmentId};

const MIB: u64 = 1 << 20;

/// A segment by level, time of flushing in minutes, and MiB.
fn segment((number, (level, minute, mib)): (usize, &(u8, i64, u64))) -> Segment {
    let frame = number as u64 + 1;
    Segment {
        id: SegmentId { epoch: 1, number: number as u32 },
        tenant: Tenant::default(),
        table: Table::Samples,
        level: *level,
        url: String::new(),
        range: TimeRange::ALL,
        frames: vec![FrameRange { first: frame, last: frame }],
        rows: 1,
        bytes: mib * MIB,
        body_bytes: 0,
        checksum: 0,
        created_at_ns: minute * HOUR_NS / 60,
        replaces: Vec::new(),
    }
}

fn planned(row: &[(u8, i64, u64)], now_minute: i64) -> Option<(Range<usize>, u8)> {
    let row: Vec<Segment> = row.iter().enumerate().map(segment).collect();
    plan(&row, 100 * MIB, now_minute * HOUR_NS / 60).map(|plan| (plan.inputs, plan.level))
}

#[test]
fn few_fresh_segments_are_left_alone() {
    assert_eq!(planned(&[], 0), None);
    assert_eq!(planned(&[(0, 1, 1)], 1000), None);
    assert_eq!(planned(&[(0, 1, 1), (0, 11, 1), (0, 21, 1)], 22), None);
}

#[test]
fn a_window_that_is_over_becomes_one_segment_and_many_do_before() {
    assert_eq!(planned(&[(0, 1, 1), (0, 11, 1), (0, 121, 1)], 121), Some((0..2, 1)));
    let many: Vec<_> = (0..14).map(|minute| (0, minute, 1)).collect();
    assert_eq!(planned(&many, 14), Some((0..14, 1)));
    let more: Vec<_> = (0..40).map(|minute| (0, minute, 1)).collect();
    assert_eq!(planned(&more, 40), Some((0..MERGE_INPUTS_MAX, 1)));
}

#[test]
fn no_segment_grows_beyond_the_bound() {
    assert_eq!(planned(&[(0, 1, 60), (0, 2, 30), (0, 3, 30)], 4), Some((0..2, 1)));
    assert_eq!(planned(&[(0, 1, 60), (0, 2, 60), (0, 3, 60)], 500), None);
    assert_eq!(planned(&[(0, 1, 200), (0, 2, 20), (0, 3, 20)], 500), Some((1..3, 1)));
}

#[test]
fn days_are_put_together_of_what_windows_left() {
    let day = 24 * 60;
    assert_eq!(planned(&[(1, 10, 1), (1, 130, 1), (0, 250, 1), (1, 370, 1)], 500), None, "the day is not over");
    assert_eq!(planned(&[(1, 10, 1), (1, 130, 1), (0, 250, 1), (1, 370, 1), (1, day + 1, 1)], day + 2), Some((0..4, 2)));
    assert_eq!(planned(&[(2, 10, 1), (2, 10, 1)], 100 * day), None, "what is merged stays");
    assert_eq!(planned(&[(1, 10, 1), (0, day + 1, 1), (0, day + 2, 1)], day + 3), None, "a window that is open waits");
}

#[test]
fn everything_rises_to_the_last_level_when_asked() {
    let day = 24 * 60;
    let planned = |row: &[(u8, i64, u64)]| {
        let row: Vec<Segment> = row.iter().enumerate().map(segment).collect();
        plan_all(&row, 100 * MIB).map(|plan| (plan.inputs, plan.level))
    };
    assert_eq!(planned(&[(0, 1, 1), (1, 2, 1), (0, 3, 1)]), Some((0..3, 2)));
    assert_eq!(planned(&[(2, 1, 60), (0, 2, 1)]), Some((0..2, 2)));
    assert_eq!(planned(&[(0, 1, 200)]), Some((0..1, 2)), "one that is too large to be merged is written anew alone");
    assert_eq!(planned(&[(2, 1, 99), (2, day + 1, 99), (1, day + 2, 2)]), Some((2..3, 2)), "neither too large nor of another day");
    assert_eq!(planned(&[(2, 1, 99), (2, 1, 99), (2, day + 1, 99)]), None);
}

#[test]
fn every_row_comes_to_rest_with_few_segments() {
    let mut row: Vec<Segment> = (0..2000).map(|minute| (0u8, minute * 10, 1u64)).collect::<Vec<_>>().iter().enumerate().map(segment).collect();
    let now_ns = 20_000 * HOUR_NS / 60;
    let mut merges = 0;
    while let Some(plan) = plan(&row, 100 * MIB, now_ns) {
        let inputs: Vec<Segment> = row.drain(plan.inputs.clone()).collect();
        assert!(inputs.len() >= 2 && inputs.iter().all(|input| input.level < plan.level));
        let newest = inputs.iter().map(|input| input.created_at_ns).max().unwrap();
        let bytes = inputs.iter().map(|input| input.bytes).sum();
        row.insert(plan.inputs.start, Segment { level: plan.level, created_at_ns: newest, bytes, ..inputs[0].clone() });
        merges += 1;
        assert!(merges < 1000);
    }
    assert!(row.len() < 60, "{} segments of 14 days", row.len());
    assert!(row.iter().all(|segment| segment.bytes <= 100 * MIB));
}
