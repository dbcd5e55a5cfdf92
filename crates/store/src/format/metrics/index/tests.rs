#![allow(clippy::unwrap_used, reason = "tests")]

use signalbox_model::Matcher;

use super::*;
use crate::read::metrics::matching::{judge, select};

fn sample() -> (Vec<Labels>, Index) {
    let all: Vec<Labels> = (0..200)
        .map(|at| {
            let mut pairs = vec![("__name__", format!("m{}", at % 7)), ("host", format!("host-{}", at % 13)), ("n", at.to_string())];
            if at % 3 == 0 {
                pairs.push(("ümlaut", "é".repeat(at)));
            }
            Labels::from_pairs(pairs)
        })
        .collect();
    let mut builder = IndexBuilder::default();
    for (at, labels) in all.iter().enumerate() {
        let times: Vec<i64> = (0..10 + at as i64 % 4).map(|step| step * 15_000 - 40_000).collect();
        builder.push(labels, &times, at % 5 == 0).unwrap();
    }
    (all, builder.finish())
}

#[test]
fn an_index_survives_its_encoding_and_answers_as_its_labels() {
    let (all, index) = sample();
    let rows: u64 = index.series.iter().map(|series| u64::from(series.rows)).sum();
    let bytes = index.encode().unwrap();
    let decoded = Index::decode(&bytes, rows).unwrap();
    assert_eq!(decoded, index);
    assert!(Index::decode(&bytes, rows + 1).is_err());
    for (ordinal, labels) in all.iter().enumerate() {
        assert_eq!(decoded.labels(ordinal as u32, &mut Vec::new()), *labels);
        assert_eq!(decoded.find(labels.series_id()), Some(ordinal as u32));
        assert_eq!(decoded.rows(ordinal as u32).unwrap().leader, (ordinal % 4) as u32);
    }
    assert_eq!(decoded.find(Labels::empty().series_id()), None);
    for matcher in [Matcher::equal("host", "host-3"), Matcher::equal("none", "x"), Matcher::new("n", signalbox_model::MatchOp::Regex, "1[0-5].*").unwrap()] {
        let found = select(std::slice::from_ref(&matcher), &decoded, &mut |matcher| judge(matcher, &decoded).into());
        let want: RoaringBitmap = (0..all.len() as u32).filter(|at| matcher.matches_labels(&all[*at as usize])).collect();
        assert_eq!(found, want, "{matcher}");
    }
}

#[test]
fn a_damaged_index_is_refused_at_every_byte() {
    let (_, index) = sample();
    let rows: u64 = index.series.iter().map(|series| u64::from(series.rows)).sum();
    let bytes = index.encode().unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        assert!(Index::decode(&damaged, rows).is_err(), "byte {at}");
        assert!(Index::decode(&bytes[..at], rows).is_err(), "cut at {at}");
    }
}

/// The same as the fuzz target, on mutations of a good index: what gets past the checksum is decoded without trust.
#[test]
fn mutations_behind_a_good_checksum_never_panic() {
    let (_, index) = sample();
    let rows: u64 = index.series.iter().map(|series| u64::from(series.rows)).sum();
    let good = zstd::stream::decode_all(&index.encode().unwrap()[20..]).unwrap();
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for _ in 0..3000 {
        let mut bad = good.clone();
        for _ in 0..1 + next(3) {
            let at = next(bad.len());
            match next(3) {
                0 => bad[at] = next(256) as u8,
                1 => drop(bad.remove(at)),
                _ => bad.insert(at, 0xff),
            }
        }
        match Index::decode(&seal(&bad).unwrap(), rows) {
            Ok(index) => (0..index.len() as u32).for_each(|ordinal| drop(index.labels(ordinal, &mut Vec::new()))),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1000, "{refused} of 3000 refused");
}
