//! The data points: numbers, histograms with explicit bounds, summaries, and their exemplars.

use signalbox_model::time::NANOS_PER_MILLI;
use signalbox_model::{Exemplar, Labels, SpanId, TimeRange, TraceId};

use super::series::{Identity, Part};
use super::{Header, MetricDecoder, NO_RECORDED_VALUE, PointFault, PointResult, STALE, point};
use crate::otlp::attributes::{AnyValue, attribute};
use crate::wire::{Field, Reader, WireError};

/// Most buckets of one histogram point: each becomes a series.
const EXPLICIT_BUCKETS_MAX: usize = 2_000;

/// What all kinds of points have.
#[derive(Debug, Default)]
pub(super) struct Point<'a> {
    pub(super) identity: Identity<'a>,
    pub(super) exemplars: Vec<&'a [u8]>,
    start_ns: u64,
    time_ns: u64,
    flags: u32,
}

/// Numbers of the fields that all kinds of points have, which differ from kind to kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct PointFields {
    pub(super) attributes: u32,
    pub(super) flags: u32,
    pub(super) exemplars: u32,
}

const NUMBER: PointFields = PointFields { attributes: 7, flags: 8, exemplars: 5 };
const HISTOGRAM: PointFields = PointFields { attributes: 9, flags: 10, exemplars: 8 };
/// Summaries have no exemplars; field 0 does not exist.
const SUMMARY: PointFields = PointFields { attributes: 7, flags: 8, exemplars: 0 };

/// When a point is, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) ts_ms: i64,
    /// 0 when unknown.
    pub(super) start_ms: i64,
    pub(super) is_stale: bool,
}

impl<'a> Point<'a> {
    /// Takes a field if it is one that all kinds of points have.
    #[inline]
    pub(super) fn take(&mut self, field: &Field<'a>, fields: PointFields) -> Result<bool, WireError> {
        match field.number {
            2 => self.start_ns = field.fixed64()?,
            3 => self.time_ns = field.fixed64()?,
            number if number == fields.attributes => self.identity.attributes.push(field.bytes()?),
            number if number == fields.flags => self.flags = field.uint32()?,
            number if number == fields.exemplars => self.exemplars.push(field.bytes()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn when(&self) -> Result<When, PointFault> {
        let milliseconds = |nanoseconds: u64| i64::try_from(nanoseconds).map(|value| value / NANOS_PER_MILLI);
        let (Ok(ts_ms), Ok(start_ms)) = (milliseconds(self.time_ns), milliseconds(self.start_ns)) else {
            return Err(PointFault::new("invalid_timestamp", "its timestamp is later than the year 2262"));
        };
        // A start after the point itself is no start.
        let start_ms = if start_ms > ts_ms { 0 } else { start_ms };
        Ok(When { ts_ms, start_ms, is_stale: self.flags & NO_RECORDED_VALUE != 0 })
    }
}

impl<'a> MetricDecoder<'_, 'a> {
    /// Judges what all kinds of points have, and makes the identity complete.
    pub(super) fn begin(&mut self, point: &mut Point<'a>) -> PointResult<When> {
        let when = point!(point.when());
        let TimeRange { start_ns, end_ns } = self.context.accepted_time;
        // In nanoseconds of whole milliseconds, as the store sees it.
        let at_ns = when.ts_ms.saturating_mul(NANOS_PER_MILLI);
        if at_ns < start_ns {
            return Ok(Err(PointFault::new("too_old", "it is older than the server accepts")));
        }
        if at_ns > end_ns {
            return Ok(Err(PointFault::new("too_far_in_future", "it is further in the future than the server accepts")));
        }
        self.series.identify(&mut point.identity);
        self.latest_ms = self.latest_ms.max(when.ts_ms);
        Ok(Ok(when))
    }

    pub(super) fn number(&mut self, header: &Header<'a>, message: &'a [u8]) -> PointResult {
        let (mut point, mut value) = (Point::default(), None);
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                4 => value = Some(field.double()?),
                6 => value = Some(field.fixed64()? as i64 as f64),
                _ => drop(point.take(&field, NUMBER)?),
            }
        }
        let when = point!(self.begin(&mut point)?);
        let value = match value {
            _ if when.is_stale => STALE,
            Some(value) => value,
            None => return Ok(Err(PointFault::new("no_value", "the point has no value"))),
        };
        let index = point!(self.series(header, &point.identity, Part::Whole)?);
        // The start of a gauge says nothing about its value.
        let start_ms = if header.data == 7 { when.start_ms } else { 0 };
        self.push(header, index, When { start_ms, ..when }, value);
        for wire in &point.exemplars {
            let exemplar = read_exemplar(wire, index)?;
            self.batch.exemplars.extend(exemplar);
        }
        Ok(Ok(()))
    }

    /// Appends a sample: an increment if the metric is a delta, unless it is the staleness marker.
    fn push(&mut self, header: &Header<'a>, index: u32, when: When, value: f64) {
        let columns = if header.is_delta() && !when.is_stale { &mut self.batch.deltas } else { &mut self.batch.samples };
        columns.push_started(index, when.ts_ms, value, when.start_ms);
    }

    pub(super) fn histogram(&mut self, header: &Header<'a>, message: &'a [u8]) -> PointResult {
        let (mut point, mut buckets) = (Point::default(), Buckets::default());
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                4 => buckets.count = field.fixed64()?,
                5 => buckets.sum = Some(field.double()?),
                6 => field.each_fixed64(|count| buckets.counts.push(count))?,
                7 => field.each_fixed64(|bits| buckets.bounds.push(f64::from_bits(bits)))?,
                _ => drop(point.take(&field, HISTOGRAM)?),
            }
        }
        point!(buckets.check());
        let when = point!(self.begin(&mut point)?);
        let stale_or = |value: f64| if when.is_stale { STALE } else { value };
        let index = point!(self.series(header, &point.identity, Part::Count)?);
        self.push(header, index, when, stale_or(buckets.count as f64));
        if buckets.sum.is_some() || when.is_stale {
            let index = point!(self.series(header, &point.identity, Part::Sum)?);
            self.push(header, index, when, stale_or(buckets.sum.unwrap_or(0.0)));
        }
        let mut cumulative = 0u64;
        let mut indexes = Vec::with_capacity(buckets.bounds.len() + 1);
        for (bound, count) in buckets.bounds.iter().zip(&buckets.counts) {
            cumulative = cumulative.saturating_add(*count);
            let index = point!(self.series(header, &point.identity, Part::Bucket(*bound))?);
            self.push(header, index, when, stale_or(cumulative as f64));
            indexes.push(index);
        }
        let infinite = point!(self.series(header, &point.identity, Part::Bucket(f64::INFINITY))?);
        self.push(header, infinite, when, stale_or(buckets.count as f64));
        indexes.push(infinite);
        for wire in &point.exemplars {
            if let Some(mut exemplar) = read_exemplar(wire, infinite)? {
                let bucket = buckets.bounds.partition_point(|bound| *bound < exemplar.value);
                exemplar.series = indexes.get(bucket).copied().unwrap_or(infinite);
                self.batch.exemplars.push(exemplar);
            }
        }
        Ok(Ok(()))
    }

    pub(super) fn summary(&mut self, header: &Header<'a>, message: &'a [u8]) -> PointResult {
        let (mut point, mut count, mut sum, mut quantiles) = (Point::default(), 0, 0.0, Vec::new());
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                4 => count = field.fixed64()?,
                5 => sum = field.double()?,
                6 => quantiles.push(read_quantile(field.message()?)?),
                _ => drop(point.take(&field, SUMMARY)?),
            }
        }
        if quantiles.len() > EXPLICIT_BUCKETS_MAX {
            return Ok(Err(PointFault::new("invalid_summary", "it has too many quantiles")));
        }
        // This also refuses NaN.
        if !quantiles.iter().all(|(quantile, _)| (0.0..=1.0).contains(quantile)) {
            return Ok(Err(PointFault::new("invalid_summary", "a quantile is not between 0 and 1")));
        }
        let when = point!(self.begin(&mut point)?);
        let stale_or = |value: f64| if when.is_stale { STALE } else { value };
        quantiles.sort_by(|left, right| left.0.total_cmp(&right.0));
        for (part, value) in [(Part::Sum, sum), (Part::Count, count as f64)] {
            let index = point!(self.series(header, &point.identity, part)?);
            self.batch.samples.push_started(index, when.ts_ms, stale_or(value), when.start_ms);
        }
        for (quantile, value) in quantiles {
            let index = point!(self.series(header, &point.identity, Part::Quantile(quantile))?);
            self.batch.samples.push(index, when.ts_ms, stale_or(value));
        }
        Ok(Ok(()))
    }
}

#[derive(Debug, Default)]
struct Buckets {
    count: u64,
    sum: Option<f64>,
    counts: Vec<u64>,
    bounds: Vec<f64>,
}

impl Buckets {
    fn check(&self) -> Result<(), PointFault> {
        let fault = |message: &str| Err(PointFault::new("invalid_histogram", message));
        if self.counts.len() > EXPLICIT_BUCKETS_MAX {
            return fault("it has too many buckets");
        }
        if self.counts.len() != self.bounds.len() + usize::from(!self.counts.is_empty()) {
            return fault("it has not one bucket more than bounds");
        }
        // Negated, so that it refuses NaN as well.
        if !self.bounds.is_sorted_by(|left, right| left < right) || self.bounds.iter().any(|bound| bound.is_nan()) {
            return fault("its bounds do not ascend");
        }
        Ok(())
    }
}

fn read_quantile(mut reader: Reader<'_>) -> Result<(f64, f64), WireError> {
    let (mut quantile, mut value) = (0.0, 0.0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => quantile = field.double()?,
            2 => value = field.double()?,
            _ => {}
        }
    }
    Ok((quantile, value))
}

/// An exemplar; `None` when it has no value or an impossible time.
pub(super) fn read_exemplar(message: &[u8], series: u32) -> Result<Option<Exemplar>, WireError> {
    let (mut time, mut value, mut trace_id, mut span_id) = (0, None, None, None);
    let mut labels = Vec::new();
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            2 => time = field.fixed64()?,
            3 => value = Some(field.double()?),
            4 => span_id = SpanId::from_slice(field.bytes()?),
            5 => trace_id = TraceId::from_slice(field.bytes()?),
            6 => value = Some(field.fixed64()? as i64 as f64),
            7 => labels.push(attribute(field.bytes()?)?),
            _ => {}
        }
    }
    let (Some(value), Ok(time)) = (value, i64::try_from(time)) else { return Ok(None) };
    let labels = exemplar_labels(&labels)?;
    Ok(Some(Exemplar { series, ts_ms: time / NANOS_PER_MILLI, value, trace_id, span_id, labels }))
}

/// Filtered attributes under their own keys; identifiers of the exemplar itself win over attributes that look like them.
fn exemplar_labels(attributes: &[(&str, AnyValue<'_>)]) -> Result<Labels, WireError> {
    const DEPTH_MAX: usize = 8;
    let mut pairs = Vec::with_capacity(attributes.len());
    for (key, value) in attributes {
        if !matches!(*key, "trace_id" | "span_id") && value.fits_depth(DEPTH_MAX)? {
            let mut text = String::new();
            value.write_text(&mut text)?;
            pairs.push((*key, text));
        }
    }
    Ok(Labels::from_pairs(pairs))
}
