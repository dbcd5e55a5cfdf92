//! Filter and index of traces against plain sets, and against hostile bytes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use super::*;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    fn trace(&mut self) -> [u8; 16] {
        let words = [self.below(u64::MAX), self.below(u64::MAX)];
        std::array::from_fn(|at| words[at / 8].to_le_bytes()[at % 8])
    }
}

/// Filter, index, rows, and the granules of each trace.
fn sample(rows: u64) -> (TraceFilter, TraceIndex, BTreeMap<[u8; 16], BTreeSet<u32>>) {
    let (mut random, mut builder, mut want) = (Random(7), TracesBuilder::default(), BTreeMap::<_, BTreeSet<u32>>::new());
    let traces: Vec<[u8; 16]> = (0..rows / 20).map(|_| random.trace()).collect();
    let column: Vec<Option<[u8; 16]>> = (0..rows).map(|row| (row % 3 > 0).then(|| traces[random.below(traces.len() as u64) as usize])).collect();
    for (row, trace) in column.iter().enumerate() {
        if let Some(trace) = trace {
            want.entry(*trace).or_default().insert((row as u64 / GRANULE_ROWS) as u32);
        }
    }
    for rows in column.chunks(1500) {
        builder.push(&FixedSizeBinaryArray::try_from_sparse_iter_with_size(rows.iter().copied(), 16).unwrap()).unwrap();
    }
    let (filter, index) = builder.finish();
    (filter, index, want)
}

#[test]
fn every_trace_is_found_and_few_others_are() {
    let (filter, index, want) = sample(40_000);
    let (filter, index) = (TraceFilter::decode(&filter.encode()).unwrap(), TraceIndex::decode(&index.encode(), 40_000).unwrap());
    for (trace, granules) in &want {
        assert!(filter.may_have(trace));
        assert_eq!(index.granules(trace), granules.iter().copied().collect::<Vec<_>>());
    }
    assert_eq!(index.len(), want.len());
    let mut random = Random(99);
    let others: Vec<[u8; 16]> = (0..20_000).map(|_| random.trace()).collect();
    let passed = others.iter().filter(|trace| filter.may_have(*trace)).count();
    assert!((10..300).contains(&passed), "{passed} of 20000 pass the filter");
    assert!(others.iter().filter(|trace| !index.granules(*trace).is_empty()).count() < 3);
    assert!(filter.bytes() <= want.len() * 3 / 2 + 32);
}

#[test]
fn rows_without_traces_give_empty_ones() {
    let (filter, index) = TracesBuilder::default().finish();
    let (filter, index) = (TraceFilter::decode(&filter.encode()).unwrap(), TraceIndex::decode(&index.encode(), 0).unwrap());
    assert!(!filter.may_have(&[1; 16]) && index.granules(&[1; 16]).is_empty());
    assert_eq!((filter.bytes(), index.len()), (0, 0));
}

/// The same as the fuzz target, on mutations of a good index.
#[test]
fn hostile_bytes_are_refused_or_an_index() {
    let (filter, index, want) = sample(4000);
    let (mut random, good) = (Random(3), index.encode());
    for cut in 0..good.len() {
        assert!(TraceIndex::decode(&good[..cut], 4000).is_err(), "cut at {cut}");
    }
    assert!(TraceIndex::decode(&good, 1024).is_err(), "granules lie outside");
    let mut refused = 0;
    for _ in 0..5000 {
        let mut bad = good.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bad.len() as u64) as usize;
            match random.below(3) {
                0 => bad[at] = random.below(256) as u8,
                1 => drop(bad.remove(at)),
                _ => bad.insert(at, 0xff),
            }
        }
        match TraceIndex::decode(&bad, 4000) {
            Ok(index) => want.keys().for_each(|trace| assert!(index.granules(trace).iter().all(|granule| *granule < 4))),
            Err(_) => refused += 1,
        }
        drop(TraceFilter::decode(&bad));
    }
    assert!(refused > 1000, "{refused} of 5000 refused");
    assert!(check_trace_filter(&filter.encode()[..20]).is_err() && check_trace_filter(b"").is_err());
    let huge = [b"SBXTRI\0\x01".as_slice(), &[0xff; 9], &[1]].concat();
    assert!(check_trace_index(&huge, u64::MAX).is_err());
}
