//! `ExportMetricsServiceRequest` to samples, native histograms, exemplars and metadata.
//!
//! One walk over the bytes. A point's series is recognised by a hash over the wire bytes that make up its identity
//! (resource, scope, metric, attributes), so that the labels of a known series are never built again: see [`series`].

mod exponential;
mod points;
mod series;

use hashbrown::HashSet;
use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::{Batch, MetricBatch, MetricKind, MetricMetadata, Result};

use self::series::{Identity, Part, SeriesTable};
use super::attributes::{AnyValue, Envelope, Origin, attribute};
use super::names::{NameKind, Translation};
use crate::door::{Context, Decoded, Rejections};
use crate::wire::{Field, Reader, WireError};

/// `flags` bit: the point says that there is no value any more.
const NO_RECORDED_VALUE: u32 = 1;
/// The staleness marker.
pub(super) const STALE: f64 = f64::from_bits(STALE_NAN_BITS);

/// Decodes a request.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no such message.
pub fn decode(bytes: &[u8], context: &Context<'_>, translation: &Translation) -> Result<Decoded> {
    let mut decoder = MetricDecoder {
        context,
        translation,
        series: SeriesTable::new(context, translation),
        batch: MetricBatch::default(),
        rejections: Rejections::default(),
        targets: HashSet::new(),
        latest_ms: i64::MIN,
        is_new: false,
        points: 0,
    };
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            decoder.resource_metrics(field.bytes()?)?;
        }
    }
    let MetricDecoder { mut batch, series, rejections, points, .. } = decoder;
    batch.series = series.finish();
    let is_empty = batch.series.is_empty() && batch.metadata.is_empty();
    Ok(Decoded { batches: if is_empty { Vec::new() } else { vec![Batch::Metrics(batch)] }, rejected: rejections.finish(), points: Some(points) })
}

struct MetricDecoder<'c, 'a> {
    context: &'c Context<'c>,
    translation: &'c Translation,
    series: SeriesTable<'c, 'a>,
    batch: MetricBatch,
    rejections: Rejections,
    /// Targets of which this request has told the attributes: at most one `target_info` for each.
    targets: HashSet<(String, String)>,
    latest_ms: i64,
    /// Whether a series of the metric at hand was not known.
    is_new: bool,
    /// Data points met so far.
    points: u64,
}

/// What a metric says about itself, before its points are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Header<'a> {
    name: &'a str,
    description: &'a str,
    unit: &'a str,
    /// Number of the `oneof` field that holds the points.
    data: u32,
    temporality: i32,
    is_monotonic: bool,
    /// `prometheus.type` of the metric's metadata.
    hint: &'a str,
}

impl Header<'_> {
    fn is_delta(&self) -> bool {
        self.temporality == 1
    }

    fn name_kind(&self) -> NameKind {
        match self.data {
            5 => NameKind::Gauge,
            7 if self.is_monotonic => NameKind::MonotonicSum,
            _ => NameKind::Other,
        }
    }

    fn kind(&self) -> MetricKind {
        match self.data {
            7 if self.is_monotonic => MetricKind::Counter,
            5 | 7 => match self.hint {
                // The specification itself spells one of these "unkown".
                "unknown" | "unkown" => MetricKind::Unknown,
                "info" => MetricKind::Info,
                "stateset" => MetricKind::StateSet,
                _ => MetricKind::Gauge,
            },
            9 | 10 => MetricKind::Histogram,
            11 => MetricKind::Summary,
            _ => MetricKind::Unknown,
        }
    }
}

/// Why a data point is not taken: a reason for the counter, and a sentence for the client.
#[derive(Debug)]
pub(super) struct PointFault {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl PointFault {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A point is taken, or it is rejected alone, or the bytes are no message at all.
pub(super) type PointResult<T = ()> = Result<Result<T, PointFault>, WireError>;

/// Unwraps the inner result of a [`PointResult`] or returns its fault.
macro_rules! point {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(fault) => return Ok(Err(fault)),
        }
    };
}
pub(super) use point;

impl<'a> MetricDecoder<'_, 'a> {
    fn resource_metrics(&mut self, message: &'a [u8]) -> Result<()> {
        let envelope = Envelope::read(message)?;
        let resource = envelope.resource(self.context.attribute_depth_max)?;
        self.series.set_resource(envelope.origin, resource)?;
        self.latest_ms = i64::MIN;
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            if field.number == 2 {
                self.scope_metrics(field.bytes()?)?;
            }
        }
        self.target_info()?;
        Ok(())
    }

    fn scope_metrics(&mut self, message: &'a [u8]) -> Result<()> {
        let envelope = Envelope::read(message)?;
        let scope = envelope.scope(self.context.attribute_depth_max)?;
        self.series.set_scope(&envelope, scope);
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            if field.number == 2 {
                self.metric(field.bytes()?)?;
            }
        }
        Ok(())
    }

    fn metric(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let (header, data) = read_header(message)?;
        let Some(data) = data else { return Ok(()) };
        self.series.set_metric(&header);
        self.is_new = false;
        let mut reader = Reader::new(data);
        while let Some(field) = reader.next_field()? {
            if field.number == 1 {
                self.points += 1;
                let taken = self.point(&header, &field)?;
                if let Err(fault) = taken {
                    self.rejections.add(1, fault.reason, || format!("metric {:?}: {}", header.name, fault.message));
                }
            }
        }
        // A description that changes makes new keys, so known series never hide news.
        if self.is_new
            && let Ok(name) = self.series.metric_name(&header)
        {
            let metadata = MetricMetadata { name, kind: header.kind(), help: header.description.to_owned(), unit: self.translation.unit_name(header.unit) };
            self.batch.metadata.push(metadata);
        }
        Ok(())
    }

    fn point(&mut self, header: &Header<'a>, field: &Field<'a>) -> PointResult {
        if header.data != 5 && header.data != 11 && !matches!(header.temporality, 1 | 2) {
            return Ok(Err(PointFault::new("invalid_temporality", "its aggregation temporality is neither delta nor cumulative")));
        }
        let message = field.bytes()?;
        match header.data {
            5 | 7 => self.number(header, message),
            9 => self.histogram(header, message),
            10 => self.exponential_histogram(header, message),
            _ => self.summary(header, message),
        }
    }

    /// The index of a series of the point at hand.
    fn series(&mut self, header: &Header<'a>, identity: &Identity<'a>, part: Part) -> Result<Result<u32, PointFault>, WireError> {
        let found = self.series.index(header, identity, part)?;
        Ok(found.map(|(index, is_new)| {
            self.is_new |= is_new;
            index
        }))
    }

    /// The resource as a series of its own, at the time of its latest point.
    fn target_info(&mut self) -> Result<(), WireError> {
        if !self.translation.target_info || self.latest_ms == i64::MIN {
            return Ok(());
        }
        let (job, instance) = self.series.target();
        if (job.is_empty() && instance.is_empty()) || !self.targets.insert((job.to_owned(), instance.to_owned())) {
            return Ok(());
        }
        let Some((index, is_new)) = self.series.target_info()? else { return Ok(()) };
        self.batch.samples.push(index, self.latest_ms, 1.0);
        if is_new {
            self.batch.metadata.push(MetricMetadata {
                name: series::TARGET_INFO.into(),
                kind: MetricKind::Info,
                help: "Target metadata".into(),
                unit: String::new(),
            });
        }
        Ok(())
    }
}

/// The fields of a metric beside its points, and the message that holds the points.
fn read_header(message: &[u8]) -> Result<(Header<'_>, Option<&[u8]>), WireError> {
    let (mut header, mut data) = (Header::default(), None);
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => header.name = field.text()?,
            2 => header.description = field.text()?,
            3 => header.unit = field.text()?,
            5 | 7 | 9 | 10 | 11 => {
                header.data = field.number;
                data = Some(field.bytes()?);
            }
            12 => {
                if let ("prometheus.type", AnyValue::String(hint)) = attribute(field.bytes()?)? {
                    header.hint = hint;
                }
            }
            _ => {}
        }
    }
    let mut reader = Reader::new(data.unwrap_or_default());
    while let Some(field) = reader.next_field()? {
        match (header.data, field.number) {
            (7 | 9 | 10, 2) => header.temporality = field.int32()?,
            (7, 3) => header.is_monotonic = field.varint()? != 0,
            _ => {}
        }
    }
    Ok((header, data))
}

/// Nothing is borrowed from a resource after its walk; this is what [`series`] keeps of it.
pub(super) type Resource<'a> = Origin<'a>;
