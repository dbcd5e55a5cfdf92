//! The choice of what goes, as tables.

use signalbox_model::{Table, Tenant, TimeRange};

use super::*;
use crate::format::SegmentId;

const SECOND_NS: i64 = 1_000_000_000;

/// A segment by the time of its newest row in seconds, and bytes.
fn segment(number: u32, end_second: i64, bytes: u64) -> Segment {
    Segment {
        id: SegmentId { epoch: 1, number },
        tenant: Tenant::default(),
        table: Table::Logs,
        level: 0,
        url: String::new(),
        range: TimeRange::from_ns(0, end_second * SECOND_NS),
        frames: Vec::new(),
        rows: 1,
        bytes,
        body_bytes: 0,
        checksum: 0,
        created_at_ns: 0,
        replaces: Vec::new(),
    }
}

fn chosen(max_age_seconds: u64, max_bytes: u64) -> Vec<(u32, Reason)> {
    let segments = vec![segment(3, 90, 10), segment(1, 10, 30), segment(2, 50, 20), segment(4, 100, 5)];
    let retention = Retention { max_age_seconds, max_bytes };
    choose(segments, &retention, 100 * SECOND_NS).into_iter().map(|(segment, reason)| (segment.id.number, reason)).collect()
}

#[test]
fn without_bounds_everything_stays() {
    assert_eq!(chosen(0, 0), []);
}

#[test]
fn what_is_older_than_the_age_goes() {
    assert_eq!(chosen(50, 0), [(1, Reason::Age)], "a row that is exactly as old as it may be stays");
    assert_eq!(chosen(49, 0), [(1, Reason::Age), (2, Reason::Age)]);
    assert_eq!(chosen(u64::MAX, 0), []);
}

#[test]
fn the_oldest_go_until_the_rest_fits() {
    assert_eq!(chosen(0, 65), []);
    assert_eq!(chosen(0, 64), [(1, Reason::Bytes)]);
    assert_eq!(chosen(0, 15), [(1, Reason::Bytes), (2, Reason::Bytes)]);
    assert_eq!(chosen(0, 1).len(), 4);
    assert_eq!(chosen(60, 15), [(1, Reason::Age), (2, Reason::Bytes)]);
}
