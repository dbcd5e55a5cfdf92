//! Streams: their labels, the names and values of these.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{Int32Array, RecordBatch};
use signalbox_lang::logql::LogExpr;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Owners, Result, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use super::labels::{Added, LabelSet, stream_labels};
use super::select::Selector;
use crate::Engine;
use crate::leash::Leash;
use crate::logs::{LEVEL_LABELS, LogFilter, visit};
use crate::rows::{Resource, Texts, column, level_of};

/// Streams that one question may list.
const STREAMS_MAX: usize = 100_000;

/// Labels of a stream: those of its resource, sorted by name.
pub type StreamLabels = BTreeMap<String, String>;

impl Engine {
    /// Label sets of the streams with records in a range that match one of the selectors (all streams if there is none).
    ///
    /// # Errors
    /// `Limit` for more than 100,000 streams; `Timeout`; of the disk.
    pub async fn log_streams(&self, owners: impl Into<Owners>, selectors: Vec<LogExpr>, range: TimeRange) -> Result<Vec<StreamLabels>> {
        let (snapshot, added) = (self.store.snapshot(owners), Added::of(&self.settings));
        let labels = self.blocking(move |leash| streams(&snapshot, &selectors, range, added, leash)).await?;
        Ok(labels.into_iter().map(|labels| labels.into_iter().collect()).collect())
    }

    /// Names of the labels of streams, sorted.
    ///
    /// # Errors
    /// As [`Engine::log_streams`].
    pub async fn log_label_names(&self, owners: impl Into<Owners>, selectors: Vec<LogExpr>, range: TimeRange) -> Result<BTreeSet<String>> {
        let streams = self.log_streams(owners, selectors, range).await?;
        Ok(streams.into_iter().flat_map(BTreeMap::into_keys).collect())
    }

    /// Values of a label of streams, sorted; of `detected_level`, `level` and `severity` also the levels of records.
    ///
    /// # Errors
    /// As [`Engine::log_streams`].
    pub async fn log_label_values(&self, owners: impl Into<Owners>, name: &str, selectors: Vec<LogExpr>, range: TimeRange) -> Result<BTreeSet<String>> {
        let owners = owners.into();
        let streams = self.log_streams(&owners, selectors.clone(), range).await?;
        let values: BTreeSet<String> = streams.into_iter().filter_map(|mut labels| labels.remove(name)).collect();
        if !values.is_empty() || !LEVEL_LABELS.contains(&name) {
            return Ok(values);
        }
        let (snapshot, added) = (self.store.snapshot(owners), Added::of(&self.settings));
        self.blocking(move |leash| levels(&snapshot, &selectors, range, added, leash)).await
    }
}

/// What one of some selectors selects, everything if there is none.
struct AnyOf(Vec<Selector>);

impl LogFilter for AnyOf {
    fn narrow(&self, scan: &mut ScanRequest) {
        if let [selector] = self.0.as_slice() {
            selector.narrow(scan);
        }
        let services: Vec<Vec<String>> = self.0.iter().map(Selector::services).collect();
        if services.iter().all(|services| !services.is_empty()) {
            scan.services = services.concat();
        }
    }

    fn columns(&self) -> Vec<&'static str> {
        self.0.iter().flat_map(Selector::columns).collect()
    }

    fn labels(&self) -> Vec<String> {
        self.0.iter().flat_map(Selector::labels).collect()
    }

    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let mut union = BTreeSet::new();
        for selector in &mut self.0 {
            let mut matching = candidates.clone();
            selector.retain(rows, &mut matching)?;
            union.extend(matching);
        }
        *candidates = union.into_iter().collect();
        Ok(0)
    }
}

fn any_of(selectors: &[LogExpr], added: Added) -> AnyOf {
    AnyOf(selectors.iter().map(|expr| Selector::new(&expr.matchers, added)).collect())
}

fn streams(snapshot: &Snapshot, selectors: &[LogExpr], range: TimeRange, added: Added, leash: &Leash) -> Result<BTreeSet<LabelSet>> {
    let mut resources: HashSet<String> = HashSet::new();
    visit(snapshot, &mut any_of(selectors, added), range, &[schema::RESOURCE], Vec::new(), leash, &mut |rows, wanted| {
        let resource = Texts::of(rows, schema::RESOURCE)?;
        let used = resource.used(wanted.iter().copied());
        for (code, _) in used.iter().enumerate().filter(|(_, is_used)| **is_used) {
            if !resources.contains(resource.value(code)) {
                resources.insert(resource.value(code).to_owned());
            }
        }
        if resources.len() > STREAMS_MAX {
            return Err(Error::limit(format!("cannot list more than {STREAMS_MAX} streams: ask for a shorter range or select some")));
        }
        Ok(())
    })?;
    Ok(resources.iter().map(|json| stream_labels(&Resource::from_json(json), added)).collect())
}

fn levels(snapshot: &Snapshot, selectors: &[LogExpr], range: TimeRange, added: Added, leash: &Leash) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    visit(snapshot, &mut any_of(selectors, added), range, &[logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT], Vec::new(), leash, &mut |rows, wanted| {
        let (number, text): (&Int32Array, _) = (column(rows, logs::SEVERITY_NUMBER)?, Texts::of(rows, logs::SEVERITY_TEXT)?);
        let distinct: HashSet<(i32, usize)> = wanted.iter().map(|row| (number.value(*row), text.code(*row))).collect();
        found.extend(distinct.into_iter().map(|(number, code)| level_of(number, text.value(code))));
        if found.len() > STREAMS_MAX {
            return Err(Error::limit(format!("cannot list more than {STREAMS_MAX} levels: ask for a shorter range or select some")));
        }
        Ok(())
    })?;
    Ok(found)
}
