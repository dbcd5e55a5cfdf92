//! What a snapshot shows of metrics: head and segments as one.

use std::sync::Arc;

use signalbox_model::{Error, Exemplar, Labels, Matcher, Result, Table, TimeRange};

use crate::format::metrics::MetricSegment;
use crate::scan::{ScanPart, ScanRequest};
use crate::snapshot::{SeriesHandle, SeriesSamples};
use crate::write::head::metrics::HeadView;

/// Head and segments of the metrics of one tenant at one instant. Cheap to clone. Contracts as those of `Snapshot`.
#[derive(Debug, Clone)]
pub(crate) struct MetricView {
    pub(crate) head: HeadView,
    /// Segments of the tables of metrics, oldest first: what lies in a later one wins.
    pub(crate) segments: Arc<[Arc<MetricSegment>]>,
}

impl MetricView {
    pub(crate) fn select(&self, _matchers: &[Matcher], _range: TimeRange, _series_max: usize) -> Result<Vec<SeriesHandle>> {
        Err(Error::internal("cannot select series yet"))
    }

    pub(crate) fn read(&self, _series: &[SeriesHandle], _range: TimeRange, _visit: &mut dyn FnMut(usize, SeriesSamples<'_>) -> Result<()>) -> Result<()> {
        Err(Error::internal("cannot read samples yet"))
    }

    pub(crate) fn exemplars(&self, _matchers: &[Matcher], _range: TimeRange) -> Result<Vec<(Labels, Vec<Exemplar>)>> {
        Err(Error::internal("cannot read exemplars yet"))
    }

    /// `Samples`, `Histograms` and `Exemplars` only; other tables have no parts.
    pub(crate) fn scan(&self, _table: Table, _request: &ScanRequest) -> Result<Vec<ScanPart>> {
        Err(Error::internal("cannot scan metrics yet"))
    }
}
