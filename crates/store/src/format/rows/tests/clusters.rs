//! Segments of the last level: in clusters, and merged again.

use super::*;
use crate::deletion::{Deleted, Deletion};
use crate::row_numbers::RowNumbers;

const HOUR_NS: i64 = 3_600_000_000_000;

/// Of each row of a segment in the order of the file: service, time, arrival, pattern.
fn rows_of(world: &World, at: usize) -> Vec<(String, i64, u64, String)> {
    let mut found = Vec::new();
    for rows in world.segments[at].read_all(Wanted::Rest).unwrap() {
        let rows = rows.unwrap();
        let column = |name: &str| rows.column_by_name(name).unwrap();
        let times = column(schema::TIMESTAMP).as_primitive::<TimestampNanosecondType>();
        for (row, sequence) in sequences(&rows).into_iter().enumerate() {
            let pattern = if column(schema::PATTERN).is_null(row) { String::new() } else { text(column(schema::PATTERN).as_ref(), row) };
            found.push((text(column(schema::SERVICE).as_ref(), row), times.value(row), sequence, pattern));
        }
    }
    found
}

fn clusters(world: &World, at: usize) -> Vec<u64> {
    world.segments[at].opened().unwrap().clusters.clone()
}

/// Three flushed segments.
fn flushed(seed: u64) -> (World, Random) {
    let (mut world, mut random) = (World::new(Table::Logs), Random(seed));
    for rows in [2000, 900, 1500] {
        world.append(&mut random, rows);
        world.flush();
    }
    (world, random)
}

#[test]
fn clusters_follow_each_other_and_are_sorted_by_pattern() {
    let (mut world, _) = flushed(31);
    assert!(clusters(&world, 0).is_empty());
    world.merge_to(2, 0, 3);
    let (ends, rows) = (clusters(&world, 0), rows_of(&world, 0));
    assert_eq!(ends, [1024, 2048, 3072, 4096, 4400]);
    let mut in_order = Vec::new();
    for (start, end) in std::iter::once(&0).chain(&ends).zip(&ends) {
        let mut cluster = rows[*start as usize..*end as usize].to_vec();
        let key = |row: &(String, i64, u64, String)| (row.0.clone(), row.1.div_euclid(HOUR_NS), row.3.clone(), row.1, row.2);
        assert!(cluster.is_sorted_by(|left, right| key(left) < key(right)));
        cluster.sort();
        in_order.append(&mut cluster);
    }
    assert!(in_order.is_sorted());
    assert!(!rows.is_sorted());
    world.check("in clusters");
    world.check_columns("in clusters");
}

#[test]
fn clusters_are_taken_apart_when_they_are_merged() {
    let (mut world, mut random) = flushed(32);
    world.merge_to(2, 0, 2);
    world.append(&mut random, 1100);
    world.flush();
    world.merge_to(2, 1, 3);
    assert!(world.segments.iter().all(|segment| !segment.opened().unwrap().clusters.is_empty()));
    world.append(&mut random, 700);
    world.flush();
    world.check("side by side");
    // A level that has none.
    world.merge(0, 3);
    assert!(clusters(&world, 0).is_empty());
    assert!(rows_of(&world, 0).is_sorted_by(|left, right| (&left.0, left.1, left.2) < (&right.0, right.1, right.2)));
    world.merge_to(2, 0, 1);
    world.append(&mut random, 700);
    world.flush();
    world.merge_to(2, 0, 2);
    assert_eq!(clusters(&world, 0).last(), Some(&(world.rows.len() as u64)));
    world.check("merged");
    world.check_columns("merged");
}

#[test]
fn deleted_rows_leave_clusters() {
    let (mut world, _) = flushed(33);
    world.merge_to(2, 0, 3);
    let numbers: Vec<u64> = (0..world.rows.len() as u64).filter(|number| number.is_multiple_of(3)).collect();
    let what = Deleted::Rows { table: Table::Logs, numbers: RowNumbers::of(numbers), reason: String::new() };
    let segments = vec![world.segments[0].record().id];
    let deletion = Deletion { number: 1, tenant: Tenant::default(), what, range: TimeRange::ALL, created_at_ns: 0, segments };
    world.segments[0] = world.segments[0].without([Arc::new(deletion)].into());
    let is_left = |number: &u64| !number.is_multiple_of(3);
    let left: Vec<u64> = (0..world.rows.len() as u64).filter(is_left).collect();
    for level in [2, 1] {
        world.merge_to(level, 0, 1);
        let rows = rows_of(&world, 0);
        let mut found: Vec<u64> = rows.iter().map(|row| row.2).collect();
        assert_eq!(rows.is_sorted(), level == 1);
        found.sort_unstable();
        assert_eq!(found, left);
    }
}

#[test]
fn ends_are_whole_or_none() {
    let ends = |json: &str| cluster::ends_of(Some(json), 10);
    assert_eq!(cluster::ends_of(None, 10), Some(Vec::new()));
    assert_eq!(ends(&cluster::ends_to_json(&[4, 10])), Some(vec![4, 10]));
    for bad in ["", "[", "[]", "[4]", "[0,10]", "[4,4,10]", "[5,4,10]", "[10,11]", "[-1,10]", "{}", "[\"10\"]"] {
        assert_eq!(ends(bad), None, "{bad}");
    }
}
