//! What there is to select: series, label names and values, metadata of metrics, exemplars.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_lang::promql::{Expr, ExprKind};
use signalbox_model::{Error, Exemplar, Labels, Matcher, MetricMetadata, Owners, Result, TimeRange};

use crate::Engine;

/// Series that one listing may have.
pub const LISTED_SERIES_MAX: usize = 1_000_000;
/// Exemplars that one answer may have.
pub const EXEMPLARS_MAX: usize = 100_000;

/// Which series a listing looks at.
#[derive(Debug, Clone)]
pub struct ListingRequest {
    /// A series counts when it matches all matchers of one of the sets; without a set all series count.
    pub sets: Vec<Vec<Matcher>>,
    /// Series with samples in this range, as far as the index of the store knows: it may list a little more.
    pub range: TimeRange,
    /// How many results the caller wants at most; `None` wants all.
    pub limit: Option<usize>,
}

/// Results, and whether more were there than were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// Sorted, each once.
    pub results: Vec<T>,
    /// Whether the limit cut some off.
    pub is_cut: bool,
}

impl<T: Ord> Listing<T> {
    fn new(found: BTreeSet<T>, limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(usize::MAX);
        let is_cut = found.len() > limit;
        Self { results: found.into_iter().take(limit).collect(), is_cut }
    }
}

/// Exemplars of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesExemplars {
    /// Labels of the series.
    pub labels: Labels,
    /// Ascending in time.
    pub exemplars: Vec<Exemplar>,
}

impl Engine {
    /// Label sets of series, sorted.
    ///
    /// # Errors
    /// `Limit` for more than [`LISTED_SERIES_MAX`] series; `Timeout`; of the disk.
    pub async fn series(&self, owners: impl Into<Owners>, request: ListingRequest) -> Result<Listing<Labels>> {
        let snapshot = self.store.snapshot(owners);
        self.blocking(move |leash| {
            let mut found = BTreeSet::new();
            let everything = [Vec::new()];
            let sets = if request.sets.is_empty() { &everything[..] } else { &request.sets };
            for set in sets {
                leash.check()?;
                found.extend(snapshot.select(set, request.range, LISTED_SERIES_MAX)?.into_iter().map(|series| series.labels));
                if found.len() > LISTED_SERIES_MAX {
                    return Err(Error::limit(format!("cannot list more than {LISTED_SERIES_MAX} series: ask for a shorter range or select some")));
                }
            }
            Ok(Listing::new(found, request.limit))
        })
        .await
    }

    /// Names of labels, sorted.
    ///
    /// # Errors
    /// `Timeout`; of the disk.
    pub async fn label_names(&self, owners: impl Into<Owners>, request: ListingRequest) -> Result<Listing<String>> {
        let snapshot = self.store.snapshot(owners);
        self.blocking(move |leash| {
            let found = snapshot.label_names(&request.sets, request.range)?;
            leash.check()?;
            Ok(Listing::new(found, request.limit))
        })
        .await
    }

    /// Values of a label, sorted.
    ///
    /// # Errors
    /// `Timeout`; of the disk.
    pub async fn label_values(&self, owners: impl Into<Owners>, name: &str, request: ListingRequest) -> Result<Listing<String>> {
        let (snapshot, name) = (self.store.snapshot(owners), name.to_owned());
        self.blocking(move |leash| {
            let found = snapshot.label_values(&name, &request.sets, request.range)?;
            leash.check()?;
            Ok(Listing::new(found, request.limit))
        })
        .await
    }

    /// Metadata of metric families, sorted by name; of all, or of one.
    ///
    /// # Errors
    /// `Timeout`.
    pub async fn metric_metadata(&self, owners: impl Into<Owners>, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        let (snapshot, metric) = (self.store.snapshot(owners), metric.map(str::to_owned));
        self.blocking(move |_leash| {
            let mut metadata = snapshot.metadata();
            metadata.retain(|family| metric.as_ref().is_none_or(|metric| family.name == *metric));
            Ok(metadata)
        })
        .await
    }

    /// Exemplars of the series that the selectors of an expression select, sorted by labels.
    ///
    /// # Errors
    /// `Limit` for more than [`EXEMPLARS_MAX`] exemplars; `Timeout`; of the disk.
    pub async fn exemplars(&self, owners: impl Into<Owners>, expr: &Expr, range: TimeRange) -> Result<Vec<SeriesExemplars>> {
        let (snapshot, selectors) = (self.store.snapshot(owners), selectors(expr));
        self.blocking(move |leash| {
            let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
            for matchers in &selectors {
                leash.check()?;
                // Two selectors may select one series: its exemplars are the same.
                found.extend(snapshot.exemplars(matchers, range)?);
                if found.values().map(Vec::len).sum::<usize>() > EXEMPLARS_MAX {
                    return Err(Error::limit(format!("cannot answer with more than {EXEMPLARS_MAX} exemplars: ask for a shorter range or select some")));
                }
            }
            Ok(found.into_iter().map(|(labels, exemplars)| SeriesExemplars { labels, exemplars }).collect())
        })
        .await
    }
}

/// The matchers of each selector in an expression.
fn selectors(expr: &Expr) -> Vec<Vec<Matcher>> {
    let mut selectors = Vec::new();
    expr.visit(&mut |below| match &below.kind {
        ExprKind::VectorSelector(selector) => selectors.push(selector.matchers.clone()),
        ExprKind::MatrixSelector(matrix) => selectors.push(matrix.selector.matchers.clone()),
        _ => {}
    });
    selectors
}
