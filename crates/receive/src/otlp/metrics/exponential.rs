//! Exponential histograms as native histograms.

use signalbox_model::histogram::Span;
use signalbox_model::{Histogram, HistogramSample};

use super::points::{Point, PointFields, read_exemplar};
use super::series::Part;
use super::{Header, MetricDecoder, PointFault, PointResult, STALE, point};
use crate::wire::{Reader, WireError, zigzag};

const FIELDS: PointFields = PointFields { attributes: 1, flags: 10, exemplars: 11 };
/// Width of the zero bucket when the source names none: Prometheus' own default.
const ZERO_THRESHOLD: f64 = 1e-128;
/// Finest and coarsest resolution of native histograms.
const SCHEMA_MAX: i32 = 8;
const SCHEMA_MIN: i32 = -4;
/// Most buckets on one side of zero. SDKs use 160.
const BUCKETS_MAX: usize = 10_000;

#[derive(Debug, Default)]
struct Exponential {
    count: u64,
    sum: Option<f64>,
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive: Side,
    negative: Side,
}

/// The buckets on one side of zero, dense from an offset on.
#[derive(Debug, Default)]
struct Side {
    offset: i32,
    counts: Vec<u64>,
}

impl<'a> MetricDecoder<'_, 'a> {
    pub(super) fn exponential_histogram(&mut self, header: &Header<'a>, message: &'a [u8]) -> PointResult {
        let (mut point, mut exponential) = (Point::default(), Exponential::default());
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                4 => exponential.count = field.fixed64()?,
                5 => exponential.sum = Some(field.double()?),
                6 => exponential.scale = field.sint32()?,
                7 => exponential.zero_count = field.fixed64()?,
                8 => exponential.positive = Side::read(field.message()?)?,
                9 => exponential.negative = Side::read(field.message()?)?,
                14 => exponential.zero_threshold = field.double()?,
                _ => drop(point.take(&field, FIELDS)?),
            }
        }
        let when = point!(self.begin(&mut point)?);
        let histogram = point!(if when.is_stale { Ok(stale()) } else { exponential.into_native() });
        let index = point!(self.series(header, &point.identity, Part::Whole)?);
        let is_delta = header.is_delta() && !when.is_stale;
        self.batch.histograms.push(HistogramSample { series: index, ts_ms: when.ts_ms, start_ms: when.start_ms, is_delta, histogram });
        for wire in &point.exemplars {
            let exemplar = read_exemplar(wire, index)?;
            self.batch.exemplars.extend(exemplar);
        }
        Ok(Ok(()))
    }
}

/// The histogram that says "this series ended here".
fn stale() -> Histogram {
    Histogram { sum: STALE, is_integer: true, ..Histogram::default() }
}

impl Exponential {
    fn into_native(self) -> Result<Histogram, PointFault> {
        let fault = |message: &str| Err(PointFault::new("invalid_histogram", message));
        if self.scale < SCHEMA_MIN {
            return fault("its scale is less than -4");
        }
        let Some(sum) = self.sum else { return fault("it has no sum") };
        if self.positive.counts.len().max(self.negative.counts.len()) > BUCKETS_MAX {
            return fault("it has too many buckets");
        }
        if self.zero_threshold.is_nan() || self.zero_threshold < 0.0 {
            return fault("its zero threshold is negative or NaN");
        }
        let counts = self.positive.counts.iter().chain(&self.negative.counts);
        let total = counts.fold(self.zero_count, |total, count| total.saturating_add(*count));
        // NaN observations are in the count and in no bucket.
        if total > self.count {
            return fault("its count is less than the sum of its buckets");
        }
        let shift = u32::try_from(self.scale - SCHEMA_MAX).unwrap_or(0);
        let (Some(positive), Some(negative)) = (self.positive.into_native(shift), self.negative.into_native(shift)) else {
            return fault("a bucket's index does not fit");
        };
        Ok(Histogram {
            schema: self.scale.min(SCHEMA_MAX),
            zero_threshold: if self.zero_threshold == 0.0 { ZERO_THRESHOLD } else { self.zero_threshold },
            zero_count: self.zero_count as f64,
            count: self.count as f64,
            sum,
            is_integer: true,
            positive_spans: positive.0,
            positive_buckets: positive.1,
            negative_spans: negative.0,
            negative_buckets: negative.1,
            ..Histogram::default()
        })
    }
}

impl Side {
    fn read(mut reader: Reader<'_>) -> Result<Self, WireError> {
        let mut side = Self::default();
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => side.offset = zigzag(u64::from(field.uint32()?)) as i32,
                2 => {
                    let counts = &mut side.counts;
                    field.each_varint(|count| {
                        // One more than allowed is kept, so that the point is refused; the rest would only cost memory.
                        if counts.len() <= BUCKETS_MAX {
                            counts.push(count);
                        }
                    })?;
                }
                _ => {}
            }
        }
        Ok(side)
    }

    /// Sparse form at a resolution coarser by `shift`. Native buckets are numbered by their upper bound, exponential ones
    /// by their lower, hence the one that is added. `None` if an index leaves 32 bits.
    fn into_native(self, shift: u32) -> Option<(Vec<Span>, Vec<f64>)> {
        let (mut spans, mut buckets) = (Vec::<Span>::new(), Vec::<f64>::new());
        // Index after the last bucket written.
        let mut next = 0i64;
        for (position, count) in (0i64..).zip(self.counts).filter(|(_, count)| *count != 0) {
            let at = ((i64::from(self.offset) + position) >> shift.min(63)) + 1;
            match (spans.last_mut(), buckets.last_mut()) {
                (Some(_), Some(bucket)) if at + 1 == next => *bucket += count as f64,
                (Some(span), _) if at == next => {
                    span.length += 1;
                    buckets.push(count as f64);
                    next += 1;
                }
                _ => {
                    spans.push(Span { offset: i32::try_from(at - next).ok()?, length: 1 });
                    buckets.push(count as f64);
                    next = at + 1;
                }
            }
        }
        Some((spans, buckets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(offset: i32, counts: &[u64], shift: u32) -> (Vec<(i32, u32)>, Vec<f64>) {
        let (spans, buckets) = Side { offset, counts: counts.to_vec() }.into_native(shift).expect("indexes fit");
        (spans.iter().map(|span| (span.offset, span.length)).collect(), buckets)
    }

    // PROMCOMPAT-110: the example of the specification.
    #[test]
    fn dense_buckets_become_spans() {
        assert_eq!(native(3, &[10, 0, 0, 20, 5, 2], 0), (vec![(4, 1), (2, 3)], vec![10.0, 20.0, 5.0, 2.0]));
        assert_eq!(native(-2, &[1, 1], 0), (vec![(-1, 2)], vec![1.0, 1.0]));
        assert_eq!(native(0, &[0, 0], 0), (vec![], vec![]));
    }

    #[test]
    fn coarser_resolution_merges_neighbours() {
        // Indexes -3..=2 at half the resolution: (-3 -> -2), (-2,-1 -> -1), (0,1 -> 0), (2 -> 1), each plus one.
        assert_eq!(native(-3, &[1, 2, 3, 4, 5, 6], 1), (vec![(-1, 4)], vec![1.0, 5.0, 9.0, 6.0]));
        assert_eq!(native(-5, &[1, 2], 31), (vec![(0, 1)], vec![3.0]));
    }

    #[test]
    fn an_index_beyond_32_bits_is_refused() {
        assert!(Side { offset: i32::MAX, counts: vec![1] }.into_native(0).is_none());
    }
}
