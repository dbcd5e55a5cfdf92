//! Native histograms in Prometheus' float histogram chunks. All histograms of a chunk have the same buckets, which are
//! written once; numbers are what differs from the histogram before.

use signalbox_model::Histogram;
use signalbox_model::batch::is_stale_nan;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_query::promql::HistogramPoint;

use super::bits::{Bits, Xor};

/// What the first two bits of the third byte say of resets before the first histogram.
const FLAG_RESET: u8 = 0b1000_0000;
const FLAG_NOT_RESET: u8 = 0b0100_0000;
const FLAG_GAUGE: u8 = 0b1100_0000;

/// Whether a histogram may follow another in one chunk. Readers take all but the first of a chunk for no reset.
pub(super) fn continues(before: &Histogram, next: &Histogram) -> bool {
    if is_stale_nan(before.sum) || is_stale_nan(next.sum) {
        return false;
    }
    let is_gauge = next.reset_hint == ResetHint::Gauge;
    let has_its_kind = (before.reset_hint == ResetHint::Gauge) == is_gauge && next.reset_hint != ResetHint::Reset;
    let has_its_buckets = before.schema == next.schema
        && before.zero_threshold.to_bits() == next.zero_threshold.to_bits()
        && before.positive_spans == next.positive_spans
        && before.negative_spans == next.negative_spans
        && before.custom_values == next.custom_values;
    let grows = |before: &[f64], next: &[f64]| before.iter().zip(next).all(|(before, next)| next >= before);
    has_its_kind
        && has_its_buckets
        && (is_gauge
            || (next.count >= before.count
                && next.zero_count >= before.zero_count
                && grows(&before.positive_buckets, &next.positive_buckets)
                && grows(&before.negative_buckets, &next.negative_buckets)))
}

/// A chunk of histograms each of which [`continues`] the one before it: at least one and at most 65,535.
pub(super) fn encode(points: &[HistogramPoint]) -> Vec<u8> {
    let Some((first, later)) = points.split_first() else { return vec![0, 0, 0] };
    // Of the end of a series only that it ends is written.
    let ended = Histogram { sum: first.histogram.sum, ..Histogram::default() };
    let histogram = if is_stale_nan(first.histogram.sum) { &ended } else { first.histogram.as_ref() };
    let flag = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => FLAG_RESET,
        ResetHint::NotReset => FLAG_NOT_RESET,
        ResetHint::Gauge => FLAG_GAUGE,
    };
    let mut bits = Bits::after(&[0, 0, flag]);
    write_layout(&mut bits, histogram);
    bits.write_varbit(first.ts_ms);
    let mut numbers = numbers(histogram).map(Xor::after).collect::<Vec<_>>();
    self::numbers(histogram).for_each(|number| bits.write_float(number));
    let (mut last_ms, mut delta) = (first.ts_ms, 0_i64);
    for point in later {
        let next = point.ts_ms.wrapping_sub(last_ms);
        bits.write_varbit(next.wrapping_sub(delta));
        numbers.iter_mut().zip(self::numbers(&point.histogram)).for_each(|(xor, number)| xor.write(&mut bits, number));
        (last_ms, delta) = (point.ts_ms, next);
    }
    bits.finish(points.len() as u16)
}

/// The numbers of a histogram in their order in the chunk.
fn numbers(histogram: &Histogram) -> impl Iterator<Item = f64> + '_ {
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    [histogram.count, histogram.zero_count, histogram.sum].into_iter().chain(buckets.copied())
}

fn write_layout(bits: &mut Bits, histogram: &Histogram) {
    write_zero_threshold(bits, histogram.zero_threshold);
    bits.write_varbit(i64::from(histogram.schema));
    write_spans(bits, &histogram.positive_spans);
    write_spans(bits, &histogram.negative_spans);
    if histogram.schema == Histogram::CUSTOM_SCHEMA {
        bits.write_varbit_unsigned(histogram.custom_values.len() as u64);
        histogram.custom_values.iter().for_each(|bound| write_bound(bits, *bound));
    }
}

fn write_spans(bits: &mut Bits, spans: &[Span]) {
    bits.write_varbit_unsigned(spans.len() as u64);
    for span in spans {
        bits.write_varbit_unsigned(u64::from(span.length));
        bits.write_varbit(i64::from(span.offset));
    }
}

/// One byte for 0 and for the powers of two from 2^-243 to 2^10, else nine.
fn write_zero_threshold(bits: &mut Bits, threshold: f64) {
    let is_power = threshold.is_normal() && threshold > 0.0 && threshold.to_bits() << 12 == 0;
    let exponent = (threshold.to_bits() >> 52) as i32 - 1023;
    if threshold == 0.0 {
        bits.write(0, 8);
    } else if is_power && (-243..=10).contains(&exponent) {
        bits.write((exponent + 244) as u64, 8);
    } else {
        bits.write(255, 8);
        bits.write_float(threshold);
    }
}

/// Few bits for whole thousandths that are not large, else 65.
fn write_bound(bits: &mut Bits, bound: f64) {
    /// The largest number of thousandths that takes four bytes.
    const THOUSANDTHS_MAX: f64 = 33_554_430.0;
    let thousandths = (bound * 1_000.0).round();
    if (0.0..=THOUSANDTHS_MAX).contains(&(bound * 1_000.0)) && thousandths / 1_000.0 == bound {
        bits.write_varbit_unsigned(thousandths as u64 + 1);
    } else {
        bits.write(0, 1);
        bits.write_float(bound);
    }
}
