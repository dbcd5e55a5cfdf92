//! What is stored of one tenant at one instant, or of several.

use std::collections::BTreeSet;
use std::sync::Arc;

use signalbox_model::{Error, Exemplar, Histogram, Labels, Matcher, MetricMetadata, Result, SeriesId, Signal, Table, TimeRange};

use crate::cardinality::{Cardinality, CardinalityRequest};
use crate::federation::{self, Member};
use crate::format::Segment;
use crate::read::metrics::{MetricView, Values};
use crate::read::rows::RowView;
use crate::scan::{ScanPart, ScanRequest};
use crate::tenants::TenantStore;

/// A series that a selection found. Valid for the snapshot that gave it out.
#[derive(Debug, Clone)]
pub struct SeriesHandle {
    /// Identity.
    pub id: SeriesId,
    /// Labels.
    pub labels: Labels,
}

/// A native histogram at an instant.
#[derive(Debug, Clone)]
pub struct HistogramPoint {
    /// Milliseconds since the Unix epoch.
    pub ts_ms: i64,
    /// Start in milliseconds since the Unix epoch, 0 when unknown.
    pub start_ms: i64,
    /// The histogram.
    pub histogram: Arc<Histogram>,
}

/// Samples of one series: ascending in time, no time twice among floats nor among histograms. Staleness markers included.
#[derive(Debug, Clone, Copy)]
pub struct SeriesSamples<'a> {
    /// Times of the float samples in milliseconds since the Unix epoch.
    pub ts_ms: &'a [i64],
    /// Values, as long as the times.
    pub values: &'a [f64],
    /// Start times in milliseconds since the Unix epoch (0 unknown); empty when none is known, else as long as the times.
    pub start_ms: &'a [i64],
    /// Native histogram samples.
    pub histograms: &'a [HistogramPoint],
    /// Series of one reading with the same number have the same times of float samples; 0 says nothing.
    pub times_id: u64,
}

/// Head and segments of one tenant as of one instant. Cheap to clone; keeps what it shows alive. Methods block on the disk.
/// What is appended while it is read does not show: batches are seen as a whole or not at all.
///
/// A snapshot of several tenants shows each as of one instant, labelled as [`signalbox_model::Owners`] says.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) metrics: MetricView,
    pub(crate) logs: RowView,
    pub(crate) spans: RowView,
    pub(crate) store: Arc<TenantStore>,
    /// If it is one of several tenants these; then it has nothing of its own.
    pub(crate) members: Arc<[Member]>,
}

impl Snapshot {
    /// Series that match all matchers and may have samples in the range, sorted by labels.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Limit`] when more than `series_max` series match; of the disk.
    pub fn select(&self, matchers: &[Matcher], range: TimeRange, series_max: usize) -> Result<Vec<SeriesHandle>> {
        if !self.members.is_empty() {
            return federation::select(&self.members, matchers, range, series_max);
        }
        self.metrics.select(matchers, range, series_max)
    }

    /// Reads the samples in the range (both ends included) of each series and hands them to `visit` with the position of
    /// the series in `series`, in any order of series, one call a series, series without samples left out. May be called
    /// from several threads for different series.
    ///
    /// # Errors
    /// Of the disk, and the first error of `visit`.
    pub fn read(&self, series: &[SeriesHandle], range: TimeRange, visit: &mut dyn FnMut(usize, SeriesSamples<'_>) -> Result<()>) -> Result<()> {
        if !self.members.is_empty() {
            return federation::read(&self.members, series, range, Values::Exact, visit);
        }
        self.metrics.read(series, range, Values::Exact, visit)
    }

    /// As [`Snapshot::read`], for whoever asks only when there are samples and which are staleness markers: a value that is no
    /// marker may be shown as another one. Where no marker can be, values are not decoded.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn read_presence(&self, series: &[SeriesHandle], range: TimeRange, visit: &mut dyn FnMut(usize, SeriesSamples<'_>) -> Result<()>) -> Result<()> {
        if !self.members.is_empty() {
            return federation::read(&self.members, series, range, Values::Presence, visit);
        }
        self.metrics.read(series, range, Values::Presence, visit)
    }

    /// Names of labels of the series that match one of the sets of matchers (all series if there is no set), sorted.
    ///
    /// # Errors
    /// Of the disk.
    pub fn label_names(&self, sets: &[Vec<Matcher>], range: TimeRange) -> Result<BTreeSet<String>> {
        if !self.members.is_empty() {
            return federation::label_names(&self.members, sets, range);
        }
        self.metrics.label_names(sets, range)
    }

    /// Values of a label of the series that match one of the sets of matchers (all series if there is no set), sorted.
    ///
    /// # Errors
    /// Of the disk.
    pub fn label_values(&self, name: &str, sets: &[Vec<Matcher>], range: TimeRange) -> Result<BTreeSet<String>> {
        if !self.members.is_empty() {
            return federation::label_values(&self.members, name, sets, range);
        }
        self.metrics.label_values(name, sets, range)
    }

    /// Metadata of metric families, sorted by name.
    pub fn metadata(&self) -> Vec<MetricMetadata> {
        if !self.members.is_empty() {
            return federation::metadata(&self.members);
        }
        self.store.metrics.metadata()
    }

    /// Exemplars in the range of the series that match, sorted by labels, then time.
    ///
    /// # Errors
    /// Of the disk.
    pub fn exemplars(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<(Labels, Vec<Exemplar>)>> {
        if !self.members.is_empty() {
            return federation::exemplars(&self.members, matchers, range);
        }
        self.metrics.exemplars(matchers, range)
    }

    /// The segments of floats, histograms and exemplars, oldest first.
    pub fn metric_segments(&self) -> impl Iterator<Item = &Segment> {
        let own = std::iter::once(self).chain(self.members.iter().map(|member| &member.snapshot));
        own.flat_map(|snapshot| snapshot.metrics.segments.iter().map(|segment| segment.record()))
    }

    /// Counts series: by metric, by label and by value, with their bytes and how many are new. `check` is asked now and then
    /// and may end the work.
    ///
    /// # Errors
    /// Of the disk; of `check`.
    pub fn cardinality(&self, request: &CardinalityRequest, check: &mut dyn FnMut() -> Result<()>) -> Result<Cardinality> {
        if !self.members.is_empty() {
            return Err(Error::invalid("cannot count the series of several tenants at once: ask for one"));
        }
        self.metrics.cardinality(request, check)
    }

    /// As [`Snapshot::scan`], of logs or spans that have an arrival number from `first` on. A part may have others too.
    ///
    /// # Errors
    /// Of the disk; `Internal` for a table of metrics.
    pub fn scan_arrived(&self, table: Table, first: u64, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        if !self.members.is_empty() {
            return Err(Error::invalid("cannot read by arrival what several tenants have: ask for one"));
        }
        match table.signal() {
            Signal::Metrics => Err(Error::internal("cannot scan samples by arrival: they have no numbers")),
            Signal::Logs => self.logs.scan_arrived(table, first, request),
            Signal::Traces => self.spans.scan_arrived(table, first, request),
        }
    }

    /// Keys of attributes of the rows of logs or spans in the segments and pieces of the head that overlap a range, without
    /// reading rows: some keys may be of rows outside. `None` where a segment has too many to know.
    ///
    /// # Errors
    /// Of the disk.
    pub fn attribute_keys(&self, table: Table, range: &TimeRange) -> Result<Option<BTreeSet<String>>> {
        if !self.members.is_empty() {
            return federation::attribute_keys(&self.members, table, range);
        }
        match table.signal() {
            Signal::Metrics => Ok(None),
            Signal::Logs => self.logs.attribute_keys(table, range),
            Signal::Traces => self.spans.attribute_keys(table, range),
        }
    }

    /// Services of the rows of logs or spans, sorted; the empty text for rows without one. Of segments dictionaries are read and no rows,
    /// unless rows of them are deleted. `check` is asked now and then and may end the work.
    ///
    /// # Errors
    /// Of the disk; of `check`; `Internal` for a table of metrics.
    pub fn services(&self, table: Table, check: &mut dyn FnMut() -> Result<()>) -> Result<BTreeSet<String>> {
        if !self.members.is_empty() {
            return federation::services(&self.members, table, check);
        }
        match table.signal() {
            Signal::Metrics => Err(Error::internal("cannot list services of samples: they have labels")),
            Signal::Logs => self.logs.services(table, check),
            Signal::Traces => self.spans.services(table, check),
        }
    }

    /// Rows of a table as parts that can be read independently; their union is the table. Columns are those of the schema
    /// of the table in `model::schema`, of the projection if there is one.
    ///
    /// # Errors
    /// Of the disk.
    pub fn scan(&self, table: Table, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        if !self.members.is_empty() {
            return federation::scan(&self.members, table, request);
        }
        match table.signal() {
            Signal::Metrics => self.metrics.scan(table, request),
            Signal::Logs => self.logs.scan(table, request),
            Signal::Traces => self.spans.scan(table, request),
        }
    }
}
