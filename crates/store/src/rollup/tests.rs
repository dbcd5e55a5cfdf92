#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use signalbox_model::Histogram;
use signalbox_model::batch::STALE_NAN_BITS;

use super::*;

const STALE: f64 = f64::from_bits(STALE_NAN_BITS);

fn rule(after_seconds: u64, resolution_seconds: u64, job: &str) -> RollupSettings {
    RollupSettings { selector: String::new(), after_seconds, resolution_seconds, matchers: vec![Matcher::equal("job", job)] }
}

fn thin(thinning: Thinning, samples: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let (times, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    let stays = thinning.samples(&times, &values, &[]);
    samples.iter().zip(stays).filter(|(_, stays)| *stays).map(|(sample, _)| *sample).collect()
}

fn bits(samples: &[(i64, f64)]) -> Vec<(i64, u64)> {
    samples.iter().map(|(ts_ms, value)| (*ts_ms, value.to_bits())).collect()
}

#[test]
fn the_last_of_each_window_stays_as_it_was_and_the_end_of_a_window_belongs_to_it() {
    let gauge = Thinning { resolution_ms: 100, is_counter: false };
    let samples = [
        (-150, 9.0),
        (-100, 8.0),
        (0, 7.0),
        (1, 6.0),
        (99, -0.0),
        (100, 5.0),
        (101, 4.0),
        (250, STALE),
        (880, 3.0),
        (900, f64::NAN),
        (940, STALE),
        (950, STALE),
    ];
    let want = [(-100, 8.0), (0, 7.0), (100, 5.0), (101, 4.0), (250, STALE), (900, f64::NAN), (950, STALE)];
    assert_eq!(bits(&thin(gauge, &samples)), bits(&want));
    assert_eq!(bits(&thin(gauge, &want)), bits(&want), "what is thin stays");
    assert_eq!(thin(gauge, &[]), []);
    let ends = [(i64::MIN, 1.0), (i64::MAX, 2.0)];
    assert_eq!(thin(gauge, &ends), ends);
}

#[test]
fn both_sides_of_a_reset_of_a_counter_stay() {
    let counter = Thinning { resolution_ms: 1000, is_counter: true };
    // Falls within the window, over a staleness marker, and to a value that grows above the old one again.
    let samples = [(10, 5.0), (20, 9.0), (30, STALE), (40, 1.0), (50, 3.0), (60, 3.0), (70, 2.0), (80, 20.0), (90, 30.0)];
    let want = [(10, 5.0), (20, 9.0), (40, 1.0), (60, 3.0), (70, 2.0), (90, 30.0)];
    assert_eq!(thin(counter, &samples), want);
    assert_eq!(thin(counter, &want), want);
    let stays = counter.samples(&[1, 2, 3, 4], &[1.0, 2.0, 3.0, 4.0], &[7, 7, 8, 8]);
    assert_eq!(stays, [true, true, true, true], "a new start is a reset");
    assert_eq!(counter.samples(&[1, 2, 3], &[1.0, 2.0, 3.0], &[7, 0, 7]), [true, false, true], "no start says nothing");
}

#[test]
fn thinning_again_and_coarse_after_fine_change_nothing() {
    let mut random = signalbox_testkit::mutate::Random::new(7);
    for round in 0..500 {
        let mut ts_ms = -3_000;
        let samples: Vec<(i64, f64)> = (0..random.below(80))
            .map(|_| {
                ts_ms += 1 + random.below(60) as i64;
                let value = if random.below(10) == 0 { STALE } else { random.below(6) as f64 };
                (ts_ms, value)
            })
            .collect();
        let is_counter = round % 2 == 0;
        let (fine, coarse) = (Thinning { resolution_ms: 50, is_counter }, Thinning { resolution_ms: 250, is_counter });
        let thinned = thin(fine, &samples);
        assert_eq!(bits(&thin(fine, &thinned)), bits(&thinned), "{samples:?}");
        assert_eq!(bits(&thin(coarse, &thinned)), bits(&thin(coarse, &samples)), "{samples:?}");
        if is_counter {
            let counted = |samples: &[(i64, f64)]| {
                let values: Vec<f64> = samples.iter().map(|(_, value)| *value).filter(|value| !value.is_nan()).collect();
                values.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum::<f64>()
            };
            assert_eq!(counted(&thinned), counted(&samples), "{samples:?}");
        }
    }
}

#[test]
fn histograms_keep_the_last_of_a_window_resets_and_staleness() {
    let thinning = Thinning { resolution_ms: 100, is_counter: false };
    let points = |counts: &[(i64, f64, ResetHint)]| -> Vec<HistogramPoint> {
        let histogram = |count, reset_hint| {
            let sum = if f64::is_nan(count) { STALE } else { count };
            Histogram { count, sum, reset_hint, ..Histogram::default() }
        };
        counts.iter().map(|(ts_ms, count, hint)| HistogramPoint { ts_ms: *ts_ms, start_ms: 0, histogram: Arc::new(histogram(*count, *hint)) }).collect()
    };
    let unknown = ResetHint::Unknown;
    let counter =
        points(&[(1, 1.0, unknown), (2, 4.0, unknown), (3, STALE, unknown), (4, 2.0, unknown), (5, 3.0, unknown), (6, 9.0, unknown), (200, STALE, unknown)]);
    assert_eq!(thinning.histograms(&counter), [true, true, false, true, false, true, true]);
    let told = points(&[(1, 1.0, unknown), (2, 4.0, unknown), (3, 5.0, ResetHint::Reset), (4, 6.0, ResetHint::NotReset), (5, 7.0, unknown)]);
    assert_eq!(thinning.histograms(&told), [true, true, true, false, true]);
    let gauge = points(&[(1, 5.0, ResetHint::Gauge), (2, 1.0, ResetHint::Gauge), (3, 2.0, ResetHint::Gauge)]);
    assert_eq!(thinning.histograms(&gauge), [false, false, true]);
}

#[test]
fn the_coarsest_rule_that_is_due_applies() {
    let rules = [rule(100, 10, "api"), rule(1_000, 60, "api"), rule(100, 30, "web")];
    let labels = |name: &str, job: &str| Labels::from_pairs([("__name__", name), ("job", job)]);
    let resolution = |newest_ms, now_ms, job: &str| Rollup::due(&rules, newest_ms, now_ms).of(&labels("m", job)).map(|thinning| thinning.resolution_ms);
    assert_eq!(resolution(5_000, 109_999, "api"), None, "its window ends at 10 s");
    assert_eq!(resolution(5_000, 110_000, "api"), Some(10_000));
    assert_eq!(resolution(5_000, 1_059_999, "api"), Some(10_000));
    assert_eq!(resolution(5_000, 1_060_000, "api"), Some(60_000));
    assert_eq!((resolution(5_000, 1_060_000, "web"), resolution(5_000, 1_060_000, "db")), (Some(30_000), None));
    assert_eq!((resolution(i64::MAX, i64::MAX, "api"), Rollup::due(&rules, 0, i64::MIN).rules()), (None, 0));
    let is_counter = |name: &str| Rollup::due(&rules, 0, i64::MAX).of(&labels(name, "api")).unwrap().is_counter;
    assert!(is_counter("a_total") && is_counter("a_bucket") && !is_counter("total") && !is_counter("a_bytes"));
}
