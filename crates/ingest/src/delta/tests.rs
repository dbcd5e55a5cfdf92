#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use signalbox_model::Labels;
use signalbox_model::series::NoKnownSeries;

use super::*;

struct AllKnown;

impl KnownSeries for AllKnown {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        Some(SeriesRef(u32::try_from(key.0).unwrap()))
    }
}

fn new(name: &str, key: u128) -> SeriesEntry {
    SeriesEntry::New { key: SeriesKey(key), labels: Labels::from_pairs([("__name__", name)]) }
}

fn batch(series: SeriesEntry, increments: &[(i64, f64, i64)]) -> MetricBatch {
    let mut batch = MetricBatch { series: vec![series], ..MetricBatch::default() };
    for (ts_ms, value, start_ms) in increments {
        batch.deltas.push_started(0, *ts_ms, *value, *start_ms);
    }
    batch
}

#[derive(Default)]
struct Bench {
    accumulator: Accumulator,
    tally: Tally,
    settings: Settings,
    now: Duration,
}

impl Bench {
    /// The samples (time, value, start) that a batch becomes; the write succeeds or fails.
    fn write(&mut self, mut batch: MetricBatch, is_stored: bool) -> Vec<(i64, f64, i64)> {
        let mut prepared = Prepared::default();
        self.accumulator.prepare(&mut batch, &mut prepared, &self.settings, self.now, &mut self.tally);
        if is_stored {
            self.accumulator.commit(prepared, &AllKnown);
        }
        assert!(batch.deltas.is_empty());
        let samples = &batch.samples;
        (0..samples.len()).map(|row| (samples.ts_ms[row], samples.value[row], samples.start_ms.get(row).copied().unwrap_or(0))).collect()
    }
}

#[test]
fn increments_become_a_sum_with_one_start() {
    let mut bench = Bench::default();
    assert_eq!(bench.write(batch(new("a", 7), &[(20, 2.0, 10), (10, 1.0, 5)]), true), [(10, 1.0, 5), (20, 3.0, 5)]);
    assert_eq!(bench.write(batch(SeriesEntry::Known(SeriesRef(7)), &[(30, 4.0, 20)]), true), [(30, 7.0, 5)]);
    // The same series under another spelling goes on.
    assert_eq!(bench.write(batch(new("a", 8), &[(40, 1.0, 30)]), true), [(40, 8.0, 5)]);
    assert_eq!(bench.tally.finish(), []);
}

#[test]
fn a_write_that_failed_may_be_sent_again() {
    let mut bench = Bench::default();
    bench.write(batch(new("a", 7), &[(10, 1.0, 5)]), true);
    for is_stored in [false, false, true] {
        assert_eq!(bench.write(batch(SeriesEntry::Known(SeriesRef(7)), &[(20, 2.0, 10)]), is_stored), [(20, 3.0, 5)]);
    }
}

#[test]
fn an_increment_that_comes_twice_counts_once() {
    let mut bench = Bench::default();
    bench.write(batch(new("a", 7), &[(10, 1.0, 5)]), true);
    assert_eq!(bench.write(batch(SeriesEntry::Known(SeriesRef(7)), &[(10, 1.0, 5)]), true), []);
    assert_eq!(bench.tally.finish()[0].reason, "delta_out_of_order");
    assert_eq!(bench.write(batch(SeriesEntry::Known(SeriesRef(7)), &[(11, 1.0, 10)]), true), [(11, 2.0, 5)]);
}

#[test]
fn refused_increments_leave_no_series_behind() {
    let mut bench = Bench { settings: Settings { delta_series_max: 1, ..Settings::default() }, ..Bench::default() };
    bench.write(batch(new("a", 7), &[(10, 1.0, 5)]), true);
    let mut second = batch(new("b", 8), &[(10, 1.0, 5)]);
    bench.accumulator.prepare(&mut second, &mut Prepared::default(), &bench.settings, bench.now, &mut bench.tally);
    assert!(second.series.is_empty() && second.samples.is_empty());
    assert_eq!(bench.tally.finish()[0].reason, "delta_limit");
}

#[test]
fn a_silent_series_is_forgotten_and_starts_again() {
    let mut bench = Bench::default();
    bench.write(batch(new("a", 7), &[(10, 5.0, 5)]), true);
    bench.now = Duration::from_secs(7200);
    bench.accumulator.sweep(Duration::from_secs(3600), bench.now);
    assert_eq!(bench.write(batch(SeriesEntry::Known(SeriesRef(7)), &[(20, 2.0, 15)]), true), [(20, 2.0, 15)]);
    assert_eq!(bench.accumulator.by_id.len(), 0);
}

#[test]
fn a_start_that_is_unknown_is_the_first_increment() {
    assert_eq!(Bench::default().write(batch(new("a", 7), &[(10, 1.0, 0), (20, 1.0, 0)]), true), [(10, 1.0, 10), (20, 2.0, 10)]);
}

#[test]
fn histograms_are_summed_too() {
    let increment = |ts_ms, count: f64| signalbox_model::HistogramSample {
        series: 0,
        ts_ms,
        start_ms: 1,
        is_delta: true,
        histogram: Histogram { count, zero_count: count, sum: 1.5, is_integer: true, ..Histogram::default() },
    };
    let mut batch = MetricBatch { series: vec![new("h", 7)], histograms: vec![increment(20, 3.0), increment(10, 2.0)], ..MetricBatch::default() };
    let (mut accumulator, mut prepared, mut tally) = (Accumulator::default(), Prepared::default(), Tally::default());
    accumulator.prepare(&mut batch, &mut prepared, &Settings::default(), Duration::ZERO, &mut tally);
    accumulator.commit(prepared, &NoKnownSeries);
    let totals: Vec<_> =
        batch.histograms.iter().map(|sample| (sample.ts_ms, sample.start_ms, sample.is_delta, sample.histogram.count, sample.histogram.sum)).collect();
    assert_eq!(totals, [(10, 1, false, 2.0, 1.5), (20, 1, false, 5.0, 3.0)]);
    // What the store does not find again is not kept.
    assert!(accumulator.sums.is_empty());
}
