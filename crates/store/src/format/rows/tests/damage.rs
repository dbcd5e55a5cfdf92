//! Damage is found and said; it never shows as other rows, nor as a panic.

use signalbox_model::{ErrorKind, Phrase};
use signalbox_testkit::{Call, Fault, Outcome};

use super::random::trace;
use super::*;

/// Flips bits all over the file: every read gives the rows as they were, or says that the file is damaged.
#[test]
fn a_flipped_bit_gives_the_same_rows_or_corrupt() {
    for table in [Table::Logs, Table::Spans] {
        let (mut world, mut random) = (World::new(table), Random(41));
        world.append(&mut random, 400);
        world.flush();
        let (path, record) = (world.path(0), world.segments[0].record().clone());
        let good = world.sim.files()[&path].clone();
        let requests = [
            ScanRequest::all(TimeRange::ALL),
            ScanRequest { trace_id: Some(trace(3)), ..ScanRequest::all(TimeRange::ALL) },
            ScanRequest { services: vec!["s2".into()], projection: Some(vec![0, 3]), ..ScanRequest::all(TimeRange::ALL) },
            super::text::request(Phrase::anywhere("order 1")),
        ];
        let read = |world: &World, request: &ScanRequest| world.scan(request).map(|batches| batches.iter().flat_map(texts).collect::<Vec<_>>());
        let want: Vec<Vec<String>> = requests.iter().map(|request| read(&world, request).unwrap()).collect();
        let (mut at, mut refused) = (0, 0);
        while at < good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << random.below(8);
            world.sim.put(&path, bad);
            world.cache = Arc::new(PageCache::new(1 << 20));
            world.segments = vec![world.open(&record)];
            for (request, want) in requests.iter().zip(&want) {
                match read(&world, request) {
                    Ok(found) => assert_eq!(found, *want, "byte {at} of {}", good.len()),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
                        assert!(world.segments[0].is_damaged());
                        refused += 1;
                    }
                }
            }
            assert_eq!(world.segments[0].verify().unwrap_err().kind(), ErrorKind::Corrupt, "byte {at}");
            at += 1 + random.below(good.len() as u64 / 80) as usize;
        }
        assert!(refused > 100);
        world.sim.put(&path, good);
        world.segments = vec![world.open(&record)];
        world.check("healed");
    }
}

#[test]
fn a_cut_or_missing_file_is_corrupt() {
    let (mut world, mut random) = (World::new(Table::Logs), Random(42));
    world.append(&mut random, 100);
    world.flush();
    let (path, record) = (world.path(0), world.segments[0].record().clone());
    let good = world.sim.files()[&path].clone();
    for len in [0, 1, good.len() / 2, good.len() - 1] {
        world.sim.put(&path, good[..len].to_vec());
        world.cache = Arc::new(PageCache::new(1 << 20));
        world.segments = vec![world.open(&record)];
        assert_eq!(world.scan(&ScanRequest::all(TimeRange::ALL)).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(world.segments[0].is_damaged());
    }
    let mut lost = record.clone();
    lost.url = "segments/none.parquet".into();
    assert_eq!(world.open(&lost).read_all(Wanted::Rest).map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    let mut other = record;
    other.rows += 1;
    world.sim.put(&path, good);
    assert_eq!(world.open(&other).read_all(Wanted::Rest).map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// The indexes of traces alone are made again from the columns.
#[test]
fn damaged_indexes_of_traces_are_made_again() {
    for table in [Table::Logs, Table::Spans] {
        let (mut world, mut random) = (World::new(table), Random(43));
        world.append(&mut random, 5000);
        world.flush();
        let (path, record) = (world.path(0), world.segments[0].record().clone());
        let request = ScanRequest { trace_id: Some(trace(5)), ..ScanRequest::all(TimeRange::ALL) };
        let want: Vec<String> = world.scan(&request).unwrap().iter().flat_map(texts).collect();
        assert!(want.len() > 3);
        let mut bad = world.sim.files()[&path].clone();
        // The blobs are the end of the body, in its last block.
        bad[record.body_bytes as usize - 5] ^= 1;
        world.sim.put(&path, bad);
        world.cache = Arc::new(PageCache::new(1 << 20));
        world.segments = vec![world.open(&record)];
        let found: Result<Vec<RecordBatch>> = world.scan(&request);
        match found {
            Ok(found) => assert_eq!(found.iter().flat_map(texts).collect::<Vec<_>>(), want),
            // The last page of rows may share the block.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
        assert!(world.segments[0].verify().is_err());
    }
}

#[test]
fn a_disk_that_fails_is_not_a_damaged_file() {
    for table in [Table::Logs, Table::Spans] {
        let (mut world, mut random) = (World::new(table), Random(44));
        world.append(&mut random, 2500);
        world.flush();
        for nth in 1..40 {
            world.cache = Arc::new(PageCache::new(1 << 20));
            world.segments = vec![world.open(&world.segments[0].record().clone())];
            world.sim.fail(Fault { call: Call::Read, nth, outcome: Outcome::Error(signalbox_testkit::disk::EIO), is_sticky: false });
            let found = world.scan(&ScanRequest::all(TimeRange::ALL));
            world.sim.heal();
            if let Err(error) = found {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            }
            assert!(!world.segments[0].is_damaged());
        }
        world.check("healed");
    }
}

#[test]
fn a_merge_of_a_damaged_input_says_which_and_leaves_no_file() {
    let (mut world, mut random) = (World::new(Table::Spans), Random(45));
    for _ in 0..3 {
        world.append(&mut random, 3000);
        world.flush();
    }
    let path = world.path(1);
    let mut bad = world.sim.files()[&path].clone();
    bad[1000] ^= 4;
    world.sim.put(&path, bad);
    let (inputs, files) = (world.segments.clone(), world.sim.files().len());
    let error = world.with_target(1, |_, target| merge(&inputs, target)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(inputs.iter().map(|input| input.is_damaged()).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(world.sim.files().len(), files);
}
