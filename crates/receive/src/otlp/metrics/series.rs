//! Which series a point belongs to.
//!
//! The key of a series is XXH3-128 over the wire bytes of everything that its labels are made of, hashed in steps: the
//! resource once, the scope once, the metric once, the attributes of a point once, and for each series of the point its
//! part (`_bucket` with its bound, `_sum`, a quantile). Labels are built only for keys that the head does not know.

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Labels, SeriesEntry, SeriesKey};
use xxhash_rust::xxh3::xxh3_128;

use super::{Header, PointFault, Resource};
use crate::door::Context;
use crate::otlp::attributes::{AnyValue, Attribute, Envelope, Origin, attribute};
use crate::otlp::names::Translation;
use crate::series::RequestSeries;
use crate::wire::WireError;

/// Mixed into every key, so that no other protocol can have the same; changes whenever labels are made differently.
const PROTOCOL: &[u8] = b"otlp/metrics/1";
/// Name of the series that tells the attributes of a resource.
pub(super) const TARGET_INFO: &str = "target_info";
const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";

/// Which of the series of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// The metric itself.
    Whole,
    /// `_sum`.
    Sum,
    /// `_count`.
    Count,
    /// `_bucket` with this upper bound.
    Bucket(f64),
    /// The metric with this quantile.
    Quantile(f64),
}

impl Part {
    fn hash_bytes(self) -> [u8; 9] {
        let (tag, bits) = match self {
            Self::Whole => (0, 0),
            Self::Sum => (1, 0),
            Self::Count => (2, 0),
            Self::Bucket(bound) => (3, bound.to_bits()),
            Self::Quantile(quantile) => (4, quantile.to_bits()),
        };
        let mut bytes = [tag; 9];
        bytes[1..].copy_from_slice(&bits.to_le_bytes());
        bytes
    }
}

/// The identity of a point: its attributes as they are on the wire, and the hash over everything.
#[derive(Debug, Default)]
pub(super) struct Identity<'a> {
    pub(super) attributes: Vec<&'a [u8]>,
    hash: u128,
    /// The labels that all series of the point share, built when the first of them is not known.
    base: std::cell::OnceCell<Vec<(String, String)>>,
}

/// The series of a request.
pub(super) struct SeriesTable<'c, 'a> {
    context: &'c Context<'c>,
    translation: &'c Translation,
    settings_hash: u128,
    resource: Resource<'a>,
    resource_hash: u128,
    job: String,
    instance: String,
    scope: Vec<(String, &'a str, String)>,
    scope_fault: Option<String>,
    scope_hash: u128,
    metric_hash: u128,
    metric_name: Option<Result<String, String>>,
    series: RequestSeries<'c>,
    scratch: Vec<u8>,
}

impl<'c, 'a> SeriesTable<'c, 'a> {
    pub(super) fn new(context: &'c Context<'c>, translation: &'c Translation) -> Self {
        // Series that were made under other settings have other labels.
        let settings_hash = xxh3_128(format!("{translation:?}").as_bytes());
        Self {
            context,
            translation,
            settings_hash,
            resource: Origin::default(),
            resource_hash: 0,
            job: String::new(),
            instance: String::new(),
            scope: Vec::new(),
            scope_fault: None,
            scope_hash: 0,
            metric_hash: 0,
            metric_name: None,
            series: RequestSeries::new(context.known),
            scratch: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<SeriesEntry> {
        self.series.finish()
    }

    pub(super) fn set_resource(&mut self, wire: &[u8], resource: Resource<'a>) -> Result<(), WireError> {
        let (namespace, name) = (resource.text_of(SERVICE_NAMESPACE)?, resource.text_of(SERVICE_NAME)?);
        self.job = if namespace.is_empty() || name.is_empty() { name } else { format!("{namespace}/{name}") };
        self.instance = resource.text_of(SERVICE_INSTANCE)?;
        self.resource = resource;
        self.resource_hash = xxh3_128(wire);
        Ok(())
    }

    pub(super) fn set_scope(&mut self, envelope: &Envelope<'a>, scope: Origin<'a>) {
        self.scratch.clear();
        append_hashed(&mut self.scratch, envelope.origin);
        append_hashed(&mut self.scratch, envelope.schema_url.as_bytes());
        self.scope_hash = xxh3_128(&self.scratch);
        self.scope.clear();
        self.scope_fault = None;
        if self.translation.scope_labels
            && let Err(fault) = self.scope_labels(&scope)
        {
            self.scope_fault = Some(fault);
        }
    }

    fn scope_labels(&mut self, scope: &Origin<'a>) -> Result<(), String> {
        const OWN: [&str; 3] = ["otel_scope_name", "otel_scope_version", "otel_scope_schema_url"];
        for (label, value) in OWN.into_iter().zip([scope.name, scope.version, scope.schema_url]) {
            if !value.is_empty() {
                self.scope.push((label.to_owned(), label, value.to_owned()));
            }
        }
        for (key, value) in &scope.attributes {
            let label = self.translation.label_name(&format!("otel_scope_{key}"))?;
            if OWN.contains(&label.as_str()) {
                continue;
            }
            self.scope.push((label, key, label_text(value).map_err(|error| error.to_string())?));
        }
        Ok(())
    }

    pub(super) fn set_metric(&mut self, header: &Header<'_>) {
        self.scratch.clear();
        append_hashed(&mut self.scratch, PROTOCOL);
        for hash in [self.settings_hash, self.resource_hash, self.scope_hash] {
            self.scratch.extend_from_slice(&hash.to_le_bytes());
        }
        for text in [header.name, header.description, header.unit, header.hint] {
            append_hashed(&mut self.scratch, text.as_bytes());
        }
        self.scratch.extend_from_slice(&[header.data as u8, u8::from(header.is_monotonic)]);
        self.metric_hash = xxh3_128(&self.scratch);
        self.metric_name = None;
    }

    /// The name of the metric at hand.
    pub(super) fn metric_name(&mut self, header: &Header<'_>) -> Result<String, String> {
        let translation = self.translation;
        self.metric_name.get_or_insert_with(|| translation.metric_name(header.name, header.unit, header.name_kind())).clone()
    }

    /// Completes the identity of a point whose attributes have been collected.
    pub(super) fn identify(&mut self, identity: &mut Identity<'a>) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.metric_hash.to_le_bytes());
        for attribute in &identity.attributes {
            append_hashed(&mut self.scratch, attribute);
        }
        identity.hash = xxh3_128(&self.scratch);
    }

    /// The index of a series, and whether it was met for the first time ever.
    pub(super) fn index(&mut self, header: &Header<'_>, identity: &Identity<'a>, part: Part) -> Result<Result<(u32, bool), PointFault>, WireError> {
        let mut bytes = [0u8; 25];
        bytes[..16].copy_from_slice(&identity.hash.to_le_bytes());
        bytes[16..].copy_from_slice(&part.hash_bytes());
        let key = SeriesKey(xxh3_128(&bytes));
        if let Some(index) = self.series.find(key) {
            return Ok(Ok((index, false)));
        }
        match self.labels(header, identity, part)? {
            Ok(labels) => Ok(Ok((self.series.add(key, SeriesEntry::New { key, labels }), true))),
            Err(fault) => Ok(Err(fault)),
        }
    }

    fn labels(&mut self, header: &Header<'_>, identity: &Identity<'a>, part: Part) -> Result<Result<Labels, PointFault>, WireError> {
        let mut name = match self.metric_name(header) {
            Ok(name) => name,
            Err(message) => return Ok(Err(PointFault::new("invalid_metric_name", message))),
        };
        if identity.base.get().is_none() {
            match self.base_labels(identity)? {
                // A cell that was empty a line ago takes the value.
                Ok(base) => drop(identity.base.set(base)),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        let extra = match part {
            Part::Whole => None,
            Part::Sum => {
                name.push_str("_sum");
                None
            }
            Part::Count => {
                name.push_str("_count");
                None
            }
            Part::Bucket(bound) => {
                name.push_str("_bucket");
                Some(("le", bound_text(bound)))
            }
            Part::Quantile(quantile) => Some(("quantile", bound_text(quantile))),
        };
        let base = identity.base.get().map(Vec::as_slice).unwrap_or_default();
        let pairs = base.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let own = [(METRIC_NAME, name.as_str())].into_iter().chain(extra.as_ref().map(|(label, value)| (*label, value.as_str())));
        Ok(Ok(Labels::from_pairs(pairs.chain(own))))
    }

    /// The labels that all series of a point share: attributes, scope, job and instance.
    fn base_labels(&self, identity: &Identity<'a>) -> Result<Result<Vec<(String, String)>, PointFault>, WireError> {
        if let Some(fault) = &self.scope_fault {
            return Ok(Err(PointFault::new("invalid_label_name", fault.clone())));
        }
        let mut parsed = Vec::with_capacity(identity.attributes.len());
        for wire in &identity.attributes {
            let (key, value) = attribute(wire)?;
            if !value.fits_depth(self.context.attribute_depth_max)? {
                return Ok(Err(PointFault::new("too_deep", format!("attribute {key:?} is nested too deep"))));
            }
            parsed.push((key, value));
        }
        Ok(match self.attribute_labels(&parsed, self.scope.clone())? {
            Ok(mut labels) => {
                self.add_target(&mut labels);
                Ok(labels)
            }
            Err(message) => Err(PointFault::new("invalid_label_name", message)),
        })
    }

    fn add_target(&self, labels: &mut Vec<(String, String)>) {
        for (label, value) in [("job", &self.job), ("instance", &self.instance)] {
            if !value.is_empty() {
                labels.retain(|(name, _)| name != label);
                labels.push((label.to_owned(), value.clone()));
            }
        }
    }

    /// Attributes as labels. Keys that become one label are joined by `;` in the order of the keys.
    fn attribute_labels(
        &self,
        attributes: &[Attribute<'a>],
        start: Vec<(String, &'a str, String)>,
    ) -> Result<Result<Vec<(String, String)>, String>, WireError> {
        let mut all = start;
        for (key, value) in attributes {
            match self.translation.label_name(key) {
                Ok(label) => all.push((label, key, label_text(value)?)),
                Err(message) => return Ok(Err(message)),
            }
        }
        all.sort_by(|left, right| (&left.0, left.1).cmp(&(&right.0, right.1)));
        let mut labels: Vec<(String, String)> = Vec::with_capacity(all.len() + 4);
        for (label, _, value) in all {
            match labels.last_mut() {
                Some((last, joined)) if *last == label => {
                    joined.push(';');
                    joined.push_str(&value);
                }
                _ => labels.push((label, value)),
            }
        }
        Ok(Ok(labels))
    }

    /// Job and instance of the resource at hand.
    pub(super) fn target(&self) -> (&str, &str) {
        (&self.job, &self.instance)
    }

    /// The `target_info` series of the resource at hand; `None` when the resource says nothing more than its identity.
    pub(super) fn target_info(&mut self) -> Result<Option<(u32, bool)>, WireError> {
        self.scratch.clear();
        append_hashed(&mut self.scratch, PROTOCOL);
        append_hashed(&mut self.scratch, TARGET_INFO.as_bytes());
        for hash in [self.settings_hash, self.resource_hash] {
            self.scratch.extend_from_slice(&hash.to_le_bytes());
        }
        let key = SeriesKey(xxh3_128(&self.scratch));
        if let Some(index) = self.series.find(key) {
            return Ok(Some((index, false)));
        }
        let identifying = [SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_INSTANCE];
        // An attribute whose key cannot be a label is left out here: the rows of the resource do not depend on it.
        let is_told = |key: &str| !identifying.contains(&key) && self.translation.label_name(key).is_ok();
        let told: Vec<Attribute<'a>> = self.resource.attributes.iter().filter(|(key, _)| is_told(key)).copied().collect();
        let Ok(mut labels) = self.attribute_labels(&told, Vec::new())? else { return Ok(None) };
        if labels.is_empty() {
            return Ok(None);
        }
        self.add_target(&mut labels);
        labels.push((METRIC_NAME.to_owned(), TARGET_INFO.to_owned()));
        let entry = SeriesEntry::New { key, labels: Labels::from_pairs(labels) };
        Ok(Some((self.series.add(key, entry), true)))
    }
}

fn label_text(value: &AnyValue<'_>) -> Result<String, WireError> {
    let mut text = String::new();
    value.write_text(&mut text)?;
    Ok(text)
}

/// A bound or quantile as Prometheus writes it for OTLP: shortest decimal form without exponent.
fn bound_text(value: f64) -> String {
    if value == f64::INFINITY { "+Inf".to_owned() } else { value.to_string() }
}

/// Length first, so that two texts side by side cannot be read as two others.
fn append_hashed(scratch: &mut Vec<u8>, bytes: &[u8]) {
    scratch.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    scratch.extend_from_slice(bytes);
}
