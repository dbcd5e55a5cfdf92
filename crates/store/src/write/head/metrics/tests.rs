//! The head against a plain model.
#![allow(clippy::unwrap_used, reason = "tests")]

use signalbox_model::{Labels, SampleColumns, TimeRange};

use super::*;
use crate::read::metrics::run::Run;

fn labels(at: u32) -> Labels {
    Labels::from_pairs([("__name__", format!("m{}", at % 3)), ("series", at.to_string())])
}

fn entry(at: u32) -> SeriesEntry {
    SeriesEntry::New { key: SeriesKey(u128::from(at) * 7919), labels: labels(at) }
}

fn append(head: &MetricHead, series: &[u32], samples: &[(u32, i64, f64, i64)]) {
    let mut columns = SampleColumns::default();
    for (at, ts, value, start) in samples {
        columns.push_started(*at, *ts, *value, *start);
    }
    let batch = MetricBatch { series: series.iter().map(|at| entry(*at)).collect(), samples: columns, ..MetricBatch::default() };
    let refs = head.resolve(&batch.series).unwrap();
    head.append(&batch, &refs).unwrap();
}

fn read(view: &HeadView, at: u32, range: TimeRange) -> Vec<(i64, u64, i64)> {
    let series = view.table.read().find_id(labels(at).series_id()).unwrap();
    let (mut all, mut run) = (Run::default(), Run::default());
    for part in &view.parts {
        if let Some(slot) = part.buffers.slot(series) {
            part.buffers.read_samples(slot, &part.shown, range, &mut run);
            all.overlay(run.ts_ms(), run.values(), run.start_ms());
        }
    }
    let start = |at: usize| all.start_ms().get(at).copied().unwrap_or(0);
    (0..all.ts_ms().len()).map(|at| (all.ts_ms()[at], all.values()[at].to_bits(), start(at))).collect()
}

#[test]
fn scrapes_share_times_and_gaps_part_them() {
    let head = MetricHead::default();
    let series: Vec<u32> = (0..50).collect();
    for scrape in 0..40i64 {
        // From scrape 20 on, series 7 misses every second scrape.
        let present = |at: &u32| !(*at == 7 && scrape >= 20 && scrape % 2 == 0);
        let samples: Vec<_> = series.iter().filter(|at| present(at)).map(|at| (*at, scrape * 15_000 + 3, f64::from(*at) + scrape as f64, 0)).collect();
        append(&head, &series, &samples);
    }
    let view = head.view();
    for at in &series {
        let want = 40 - if *at == 7 { 10 } else { 0 };
        assert_eq!(read(&view, *at, TimeRange::ALL).len(), want, "series {at}");
    }
    assert!(view.parts[0].buffers.groups() <= 3, "{} groups for one target", view.parts[0].buffers.groups());
}

#[test]
fn what_is_read_equals_a_map_of_what_was_appended() {
    for seed in 0..40u64 {
        let head = MetricHead::default();
        let mut random = fastrand(seed);
        let mut model: BTreeMap<(u32, i64), (u64, i64)> = BTreeMap::new();
        for _ in 0..60 {
            let series: Vec<u32> = (0..8).collect();
            let ts = (random() % 50) as i64;
            let mut samples = Vec::new();
            for _ in 0..random() % 12 {
                let at = (random() % 8) as u32;
                let ts = if random().is_multiple_of(3) { (random() % 50) as i64 } else { ts };
                let (value, start) = (f64::from_bits(random()), (random().is_multiple_of(4)) as i64 * 5);
                samples.push((at, ts, value, start));
                model.insert((at, ts), (value.to_bits(), start));
            }
            append(&head, &series, &samples);
            if random().is_multiple_of(9) {
                head.seal();
            }
        }
        let view = head.view();
        for at in 0..8 {
            for range in [TimeRange::ALL, TimeRange::from_ms(10, 30), TimeRange::from_ms(30, 10)] {
                let inside = |ts: i64| range.start_ms() <= ts && ts <= range.end_ms();
                let want: Vec<_> =
                    model.iter().filter(|((series, ts), _)| *series == at && inside(*ts)).map(|((_, ts), (bits, start))| (*ts, *bits, *start)).collect();
                assert_eq!(read(&view, at, range), want, "seed {seed}, series {at}");
            }
        }
    }
}

/// Whatever is appended later, over earlier samples too, an earlier view answers as when it was taken.
#[test]
fn a_view_shows_what_was_there_when_it_was_taken() {
    for seed in 0..40u64 {
        let head = MetricHead::default();
        let mut random = fastrand(seed + 1000);
        let series: Vec<u32> = (0..1100).collect();
        append(&head, &series, &series.iter().map(|at| (*at, 0, f64::from(*at), 0)).collect::<Vec<_>>());
        let picked = [0, 3, 1023, 1024, 1099];
        // A view and what it answered when it was taken: of each picked series its rows.
        type Rows = Vec<(i64, u64, i64)>;
        let mut views: Vec<(HeadView, Vec<Rows>)> = Vec::new();
        for _ in 0..40 {
            let mut samples = Vec::new();
            for _ in 0..random() % 9 {
                let at = picked[random() as usize % picked.len()];
                samples.push((at, (random() % 12) as i64, (random() % 3) as f64, (random() % 2) as i64 * 5));
            }
            append(&head, &series, &samples);
            for (view, before) in &views {
                let now: Vec<_> = picked.iter().map(|at| read(view, *at, TimeRange::ALL)).collect();
                assert_eq!(&now, before, "seed {seed}");
            }
            match random() % 6 {
                0 => views.clear(),
                1 => drop(head.seal()),
                2 | 3 => {
                    let view = head.view();
                    let seen = picked.iter().map(|at| read(&view, *at, TimeRange::ALL)).collect();
                    views.push((view, seen));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_view_keeps_what_is_sealed_and_released_after_it() {
    let head = MetricHead::default();
    append(&head, &[1], &[(0, 10, 1.0, 0)]);
    let before = head.view();
    let sealed = head.seal().unwrap();
    append(&head, &[1], &[(0, 20, 2.0, 0)]);
    assert_eq!(read(&head.view(), 1, TimeRange::ALL).len(), 2);
    head.release(&sealed);
    assert_eq!(read(&head.view(), 1, TimeRange::ALL).len(), 1);
    assert_eq!(read(&before, 1, TimeRange::ALL).len(), 1);
    assert!(head.seal().is_some());
    assert!(head.seal().is_none());
}

#[test]
fn idle_series_are_forgotten_and_come_back_under_another_reference() {
    let head = MetricHead::default();
    append(&head, &[1, 2], &[(0, 10, 1.0, 0), (1, 10, 1.0, 0)]);
    let known = head.find(SeriesKey(7919)).unwrap();
    for round in 0..5 {
        let sealed = head.seal().unwrap();
        head.release(&sealed);
        append(&head, &[2], &[(0, 100 + round, 1.0, 0)]);
    }
    assert_eq!(head.active_series(), 1);
    assert_eq!(head.find(SeriesKey(7919)), None);
    assert_eq!(head.resolve(&[SeriesEntry::Known(known)]).unwrap_err().kind(), signalbox_model::ErrorKind::Unavailable);
    append(&head, &[1], &[(0, 200, 1.0, 0)]);
    assert_eq!(head.active_series(), 2);
    assert_ne!(head.find(SeriesKey(7919)), Some(known));
}

#[test]
fn a_batch_that_refers_beyond_its_series_changes_nothing() {
    let head = MetricHead::default();
    let mut batch = MetricBatch { series: vec![entry(1)], ..MetricBatch::default() };
    batch.samples.push(0, 1, 1.0);
    batch.samples.push(1, 1, 1.0);
    let refs = head.resolve(&batch.series).unwrap();
    assert!(head.append(&batch, &refs).is_err());
    assert!(head.seal().is_none());
}

/// A small generator, so that a failure names its seed.
fn fastrand(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }
}
