//! Pages of length-delimited `io.prometheus.client.MetricFamily` messages.
//!
//! A page is walked family by family and metric by metric; only one metric is ever a message in memory. A summary or a
//! histogram becomes several points, as it is several lines in a text.

mod native;

use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Histogram, MetricKind, Result};
use signalbox_proto::prometheus_client as wire;

use super::classic::Classic;
use super::{ExemplarText, number};

pub use native::is_native;

/// Bytes of one metric, which becomes a tree of small messages for a moment: enough for ten thousand buckets with exemplars.
pub const METRIC_BYTES_MAX: usize = 4 << 20;

/// One family, and where its metrics lie.
#[derive(Debug, Clone, Copy)]
pub struct Family<'p> {
    /// Name.
    pub name: &'p str,
    /// Description.
    pub help: &'p str,
    /// Unit.
    pub unit: &'p str,
    /// Type.
    pub kind: MetricKind,
    body: &'p [u8],
}

/// What is wanted of histograms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Native histograms; without it only the classic buckets are looked at.
    pub native: bool,
    /// Classic buckets also where there are native ones, or where they were converted.
    pub classic_too: bool,
    /// Classic buckets are made native ones with custom bounds.
    pub convert: bool,
}

/// One sample of a metric.
#[derive(Debug)]
pub struct Point<'m> {
    /// What the name of the family is followed by.
    pub suffix: &'static str,
    /// `le` or `quantile`.
    pub bound: Option<(&'static str, f64)>,
    /// The value.
    pub value: Value,
    /// Milliseconds since the Unix epoch, if the page says a time.
    pub ts_ms: Option<i64>,
    /// When the counter was 0, in milliseconds since the Unix epoch; 0 when unknown.
    pub start_ms: i64,
    /// Exemplars.
    pub exemplars: Vec<&'m wire::Exemplar>,
}

/// A number or a native histogram.
#[derive(Debug)]
pub enum Value {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Box<Histogram>),
}

/// Reads a page.
#[derive(Debug, Clone)]
pub struct Page<'p> {
    rest: &'p [u8],
}

impl<'p> Page<'p> {
    /// From the start of a page.
    pub fn new(bytes: &'p [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next family, `None` at the end.
    ///
    /// # Errors
    /// `Invalid` when the bytes are no message or the family has no name or an unknown type.
    pub fn next_family(&mut self) -> Result<Option<Family<'p>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let body = block(&mut self.rest)?;
        let mut family = Family { name: "", help: "", unit: "", kind: MetricKind::Counter, body };
        let mut rest = body;
        while let Some((number, value)) = next_field(&mut rest)? {
            match (number, value) {
                (1, Field::Bytes(name)) => family.name = text(name)?,
                (2, Field::Bytes(help)) => family.help = text(help)?,
                (3, Field::Varint(kind)) => family.kind = self::kind(kind)?,
                (5, Field::Bytes(unit)) => family.unit = text(unit)?,
                _ => {}
            }
        }
        if family.name.is_empty() && family.metrics().next().is_some() {
            return Err(Error::invalid("cannot read page: a metric family has no name"));
        }
        Ok(Some(family))
    }
}

impl<'p> Family<'p> {
    /// Its metrics.
    pub fn metrics(&self) -> impl Iterator<Item = Result<wire::Metric>> + use<'p> {
        let mut rest = self.body;
        std::iter::from_fn(move || {
            loop {
                match next_field(&mut rest) {
                    Ok(None) => return None,
                    Ok(Some((4, Field::Bytes(metric)))) => return Some(decode(metric)),
                    Ok(Some(_)) => {}
                    Err(error) => {
                        rest = &[];
                        return Some(Err(error));
                    }
                }
            }
        })
    }

    /// What stands for a series in the page: equal for the same series in the next page, different for all others of it.
    pub fn write_series(&self, metric: &wire::Metric, point: &Point<'_>, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(point.suffix.as_bytes());
        for label in &metric.label {
            // 0xff is in no UTF-8 text.
            out.push(0xff);
            out.extend_from_slice(label.name.as_bytes());
            out.push(0xff);
            out.extend_from_slice(label.value.as_bytes());
        }
        if let Some((name, bound)) = point.bound {
            out.push(0xff);
            out.extend_from_slice(name.as_bytes());
            out.push(0xff);
            out.extend_from_slice(&bound.to_bits().to_le_bytes());
        }
        if matches!(point.value, Value::Histogram(_)) {
            out.push(0xff);
        }
    }

    /// The labels of a series, the metric name among them.
    ///
    /// # Errors
    /// `Invalid` when a name is empty or there twice.
    pub fn labels(&self, metric: &wire::Metric, point: &Point<'_>) -> Result<Vec<(String, String)>> {
        let mut labels = vec![(METRIC_NAME.to_owned(), format!("{}{}", self.name, point.suffix))];
        labels.extend(metric.label.iter().map(|label| (label.name.clone(), label.value.clone())));
        labels.extend(point.bound.map(|(name, bound)| (name.to_owned(), number::format_bound(bound))));
        let mut names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.first() == Some(&"") || names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Error::invalid(format!("cannot read page: a metric of family {:?} has a label name that is empty or not unique", self.name)));
        }
        Ok(labels)
    }

    /// The samples of a metric, one after the other, to `take`.
    ///
    /// # Errors
    /// `Invalid` when a histogram makes no sense, and what `take` answers.
    pub fn points<'m>(&self, metric: &'m wire::Metric, wanted: Wanted, take: &mut dyn FnMut(Point<'m>) -> Result<()>) -> Result<()> {
        let ts_ms = (metric.timestamp_ms != 0).then_some(metric.timestamp_ms);
        let float = |suffix, bound, value, start_ms, exemplars| Point { suffix, bound, value: Value::Float(value), ts_ms, start_ms, exemplars };
        match self.kind {
            MetricKind::Counter => {
                let (value, start_ms, exemplar) = match &metric.counter {
                    Some(counter) => (counter.value, to_ms(counter.start_timestamp), counter.exemplar.as_ref()),
                    None => (0.0, 0, None),
                };
                take(float("", None, value, start_ms, exemplar.into_iter().collect()))
            }
            MetricKind::Gauge => take(float("", None, metric.gauge.map_or(0.0, |gauge| gauge.value), 0, Vec::new())),
            MetricKind::Summary => {
                let empty = wire::Summary::default();
                let summary = metric.summary.as_ref().unwrap_or(&empty);
                let start_ms = to_ms(summary.start_timestamp);
                take(float("_count", None, summary.sample_count as f64, start_ms, Vec::new()))?;
                take(float("_sum", None, summary.sample_sum, start_ms, Vec::new()))?;
                summary.quantile.iter().try_for_each(|quantile| take(float("", Some(("quantile", quantile.quantile)), quantile.value, start_ms, Vec::new())))
            }
            MetricKind::Histogram | MetricKind::GaugeHistogram => match &metric.histogram {
                Some(histogram) => self.histogram(histogram, ts_ms, wanted, take),
                None => Ok(()),
            },
            _ => take(float("", None, metric.untyped.map_or(0.0, |untyped| untyped.value), 0, Vec::new())),
        }
    }

    fn histogram<'m>(&self, histogram: &'m wire::Histogram, ts_ms: Option<i64>, wanted: Wanted, take: &mut dyn FnMut(Point<'m>) -> Result<()>) -> Result<()> {
        let is_gauge = self.kind == MetricKind::GaugeHistogram;
        let start_ms = to_ms(histogram.start_timestamp);
        let in_buckets = || histogram.bucket.iter().filter_map(|bucket| bucket.exemplar.as_ref());
        // An exemplar of a native histogram without a time cannot be told from the same one a scrape later.
        let timed = |exemplar: &&'m wire::Exemplar| exemplar.timestamp.is_some();
        let whole = |value: Histogram, exemplars| Point { suffix: "", bound: None, value: Value::Histogram(Box::new(value)), ts_ms, start_ms, exemplars };
        let wrong = |why: String| Error::invalid(format!("cannot read page: histogram {:?}: {why}", self.name));
        if wanted.native && is_native(histogram) {
            let exemplars =
                if histogram.exemplars.is_empty() { in_buckets().filter(timed).collect() } else { histogram.exemplars.iter().filter(timed).collect() };
            take(whole(native::histogram(histogram, is_gauge).map_err(wrong)?, exemplars))?;
            if !wanted.classic_too || histogram.bucket.is_empty() {
                return Ok(());
            }
            return classic_points(histogram, ts_ms, take);
        }
        if wanted.convert {
            if wanted.classic_too {
                classic_points(histogram, ts_ms, take)?;
            }
            let mut classic = Classic::default();
            classic.set_count(count(histogram));
            classic.set_sum(histogram.sample_sum);
            histogram.bucket.iter().for_each(|bucket| classic.set_bucket(bucket.upper_bound, cumulative(bucket)));
            let converted = classic.finish(is_gauge).ok_or_else(|| wrong("its buckets are not cumulative or do not agree with its count".to_owned()))?;
            return take(whole(converted, in_buckets().filter(timed).collect()));
        }
        classic_points(histogram, ts_ms, take)
    }
}

fn classic_points<'m>(histogram: &'m wire::Histogram, ts_ms: Option<i64>, take: &mut dyn FnMut(Point<'m>) -> Result<()>) -> Result<()> {
    let start_ms = to_ms(histogram.start_timestamp);
    let float = |suffix, bound, value, exemplars| Point { suffix, bound, value: Value::Float(value), ts_ms, start_ms, exemplars };
    take(float("_count", None, count(histogram), Vec::new()))?;
    take(float("_sum", None, histogram.sample_sum, Vec::new()))?;
    for bucket in &histogram.bucket {
        take(float("_bucket", Some(("le", bucket.upper_bound)), cumulative(bucket), bucket.exemplar.iter().collect()))?;
        if bucket.upper_bound == f64::INFINITY {
            return Ok(());
        }
    }
    take(float("_bucket", Some(("le", f64::INFINITY)), count(histogram), Vec::new()))
}

fn count(histogram: &wire::Histogram) -> f64 {
    if histogram.sample_count_float == 0.0 { histogram.sample_count as f64 } else { histogram.sample_count_float }
}

fn cumulative(bucket: &wire::Bucket) -> f64 {
    if bucket.cumulative_count_float == 0.0 { bucket.cumulative_count as f64 } else { bucket.cumulative_count_float }
}

fn to_ms(timestamp: Option<wire::Timestamp>) -> i64 {
    timestamp.map_or(0, |time| time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos) / 1_000_000))
}

/// An exemplar in the form that all formats share.
pub fn exemplar(exemplar: &wire::Exemplar) -> ExemplarText {
    ExemplarText {
        labels: exemplar.label.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
        value: exemplar.value,
        ts_ms: exemplar.timestamp.map(|time| to_ms(Some(time))),
    }
}

fn kind(number: u64) -> Result<MetricKind> {
    let kind = i32::try_from(number).ok().and_then(|number| wire::MetricType::try_from(number).ok());
    Ok(match kind.ok_or_else(|| Error::invalid(format!("cannot read page: found metric type {number}: want one up to 5")))? {
        wire::MetricType::Counter => MetricKind::Counter,
        wire::MetricType::Gauge => MetricKind::Gauge,
        wire::MetricType::Summary => MetricKind::Summary,
        wire::MetricType::Untyped => MetricKind::Unknown,
        wire::MetricType::Histogram => MetricKind::Histogram,
        wire::MetricType::GaugeHistogram => MetricKind::GaugeHistogram,
    })
}

fn decode(metric: &[u8]) -> Result<wire::Metric> {
    if metric.len() > METRIC_BYTES_MAX {
        return Err(Error::invalid(format!("cannot read page: found a metric of {} bytes: want at most {METRIC_BYTES_MAX}", metric.len())));
    }
    wire::Metric::decode(metric).map_err(no_message)
}

enum Field<'p> {
    Varint(u64),
    Bytes(&'p [u8]),
    Other,
}

fn next_field<'p>(rest: &mut &'p [u8]) -> Result<Option<(u32, Field<'p>)>> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (number, wire_type) = decode_key(rest).map_err(no_message)?;
    let field = match wire_type {
        WireType::Varint => Field::Varint(decode_varint(rest).map_err(no_message)?),
        WireType::LengthDelimited => Field::Bytes(block(rest)?),
        _ => {
            skip_field(wire_type, number, rest, DecodeContext::default()).map_err(no_message)?;
            Field::Other
        }
    };
    Ok(Some((number, field)))
}

/// What a length stands before.
fn block<'p>(rest: &mut &'p [u8]) -> Result<&'p [u8]> {
    let length = decode_varint(rest).map_err(no_message)?;
    let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (block, after) = split.ok_or_else(|| Error::invalid(format!("cannot read page: a message of {length} bytes is cut off")))?;
    *rest = after;
    Ok(block)
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::invalid("cannot read page: a name, help text or unit is not UTF-8"))
}

fn no_message(error: prost::DecodeError) -> Error {
    Error::invalid(format!("cannot read page: {error}"))
}

#[cfg(test)]
mod tests;
