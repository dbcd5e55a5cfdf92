//! Searches as the protobuf messages of three services ask them.

use signalbox_model::{Error, Result, TimeRange, TraceId};
use signalbox_proto::google_rpc::{Duration, Timestamp};
use signalbox_proto::jaeger::expression::Call;
use signalbox_proto::jaeger::{api_v2, api_v3, storage_v2};

use super::params::{LIMIT_DEFAULT, TAGS_MAX, ordered};
use super::{filter, stored_service, transform};
use crate::trace_search::{TraceSearch, tagged};

/// A filter says all that is asked.
pub(super) const BESIDE_FILTER: &str = "a filter cannot be combined with service name, operation name, attributes or durations";

/// What all of them ask.
#[derive(Debug, Default)]
pub(super) struct Question {
    service: String,
    operation: String,
    attributes: Vec<(String, String)>,
    start_min: Option<Timestamp>,
    start_max: Option<Timestamp>,
    duration_min: Option<Duration>,
    duration_max: Option<Duration>,
    depth: i32,
    filter: Option<Call>,
    /// Whether the traces are not to be adjusted.
    pub(super) raw: bool,
}

impl Question {
    /// As a search.
    ///
    /// # Errors
    /// `Invalid` for bounds that make no sense, for a filter that is none, and for one beside what it stands for.
    pub(super) fn search(&self, now_ns: i64) -> Result<TraceSearch> {
        if self.attributes.len() > TAGS_MAX {
            return Err(Error::invalid(format!("cannot search for {} attributes: want at most {TAGS_MAX}", self.attributes.len())));
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let above_zero = |duration: Option<Duration>| duration.map(Duration::to_ns).filter(|ns| *ns > 0);
        if self.filter.is_some() && !(self.service.is_empty() && self.operation.is_empty() && self.attributes.is_empty()) {
            return Err(Error::invalid(BESIDE_FILTER));
        }
        let (min_ns, max_ns) = (above_zero(self.duration_min), above_zero(self.duration_max));
        if self.filter.is_some() && (min_ns.is_some() || max_ns.is_some()) {
            return Err(Error::invalid(BESIDE_FILTER));
        }
        let filter = self.filter.as_ref().map(filter::condition).transpose()?;
        let start_ns = self.start_min.map_or(0, Timestamp::to_ns);
        let range = TimeRange::from_ns(start_ns, self.start_max.map_or(now_ns, Timestamp::to_ns));
        Ok(TraceSearch {
            service: given(&self.service).map(|service| stored_service(&service).to_owned()),
            name: given(&self.operation),
            duration_min_ns: min_ns,
            duration_max_ns: ordered(min_ns, max_ns)?,
            conditions: self.attributes.iter().map(|(name, value)| tagged(name, value)).chain(filter).collect(),
            ..TraceSearch::all(range, usize::try_from(self.depth).ok().filter(|depth| *depth > 0).unwrap_or(LIMIT_DEFAULT))
        })
    }

    /// Requires both ends of the range, as the third API does.
    ///
    /// # Errors
    /// `Invalid` if one is missing.
    pub(super) fn with_times(self) -> Result<Self> {
        match (self.start_min, self.start_max) {
            (Some(_), Some(_)) => Ok(self),
            _ => Err(Error::invalid("start time min and max are required parameters")),
        }
    }
}

impl From<api_v2::TraceQueryParameters> for Question {
    fn from(asked: api_v2::TraceQueryParameters) -> Self {
        Self {
            service: asked.service_name,
            operation: asked.operation_name,
            attributes: asked.tags.into_iter().collect(),
            start_min: asked.start_time_min,
            start_max: asked.start_time_max,
            duration_min: asked.duration_min,
            duration_max: asked.duration_max,
            depth: asked.search_depth,
            filter: None,
            raw: asked.raw_traces,
        }
    }
}

impl From<api_v3::TraceQueryParameters> for Question {
    fn from(asked: api_v3::TraceQueryParameters) -> Self {
        Self {
            service: asked.service_name,
            operation: asked.operation_name,
            attributes: asked.attributes.into_iter().collect(),
            start_min: asked.start_time_min,
            start_max: asked.start_time_max,
            duration_min: asked.duration_min,
            duration_max: asked.duration_max,
            depth: asked.search_depth,
            filter: asked.filter,
            raw: asked.raw_traces,
        }
    }
}

impl From<storage_v2::TraceQueryParameters> for Question {
    fn from(asked: storage_v2::TraceQueryParameters) -> Self {
        Self {
            service: asked.service_name,
            operation: asked.operation_name,
            attributes: transform::attributes(asked.attributes).into_iter().map(|(key, value)| (key, value.to_text())).collect(),
            start_min: asked.start_time_min,
            start_max: asked.start_time_max,
            duration_min: asked.duration_min,
            duration_max: asked.duration_max,
            depth: asked.search_depth,
            filter: asked.filter,
            raw: true,
        }
    }
}

/// A trace identifier of bytes.
pub(super) fn trace_id(bytes: &[u8]) -> Result<TraceId> {
    TraceId::from_slice(bytes).ok_or_else(|| Error::invalid("uninitialized TraceID is not allowed: want 16 bytes, not all zero"))
}

/// A range that must have both ends.
pub(super) fn times(start: Option<Timestamp>, end: Option<Timestamp>) -> Result<TimeRange> {
    let (Some(start), Some(end)) = (start, end) else { return Err(Error::invalid("start_time and end_time are required")) };
    if end.to_ns() <= start.to_ns() {
        return Err(Error::invalid("end_time must be after start_time"));
    }
    Ok(TimeRange::from_ns(start.to_ns(), end.to_ns()))
}
