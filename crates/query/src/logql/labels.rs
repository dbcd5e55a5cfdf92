//! Labels of streams: their names, their values, and the streams that have them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::{Int32Array, RecordBatch};
use signalbox_lang::logql::LogExpr;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Result, Tenant, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use super::select::Selector;
use crate::Engine;
use crate::leash::Leash;
use crate::logs::{LEVEL_LABELS, LogFilter, SERVICE_LABEL, UNKNOWN_SERVICE, label_name, visit};
use crate::rows::{LogRecord, Resource, Texts, column, level_of};

/// Streams that one question may list.
const STREAMS_MAX: usize = 100_000;

/// Labels of a stream: service, level and resource, sorted by name.
pub type StreamLabels = BTreeMap<String, String>;

impl LogRecord {
    /// Labels of the stream that the record belongs to.
    pub fn stream_labels(&self) -> StreamLabels {
        stream_labels(&self.resource, &self.level())
    }
}

fn stream_labels(resource: &Resource, level: &str) -> StreamLabels {
    let mut labels: StreamLabels = resource.attributes.iter().map(|(key, value)| (label_name(key).into_owned(), value.to_text())).collect();
    labels.retain(|_, value| !value.is_empty());
    labels.entry(SERVICE_LABEL.to_owned()).or_insert_with(|| UNKNOWN_SERVICE.to_owned());
    labels.insert(LEVEL_LABELS[0].to_owned(), level.to_owned());
    labels
}

impl Engine {
    /// Label sets of the streams with records in a range that match one of the selectors (all streams if there is none).
    ///
    /// # Errors
    /// `Limit` for more than 100,000 streams; `Timeout`; of the disk.
    pub async fn log_streams(&self, tenant: &Tenant, selectors: Vec<LogExpr>, range: TimeRange) -> Result<Vec<StreamLabels>> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| streams(&snapshot, &selectors, range, leash)).await
    }

    /// Names of the labels of streams, sorted.
    ///
    /// # Errors
    /// As [`Engine::log_streams`].
    pub async fn log_label_names(&self, tenant: &Tenant, selectors: Vec<LogExpr>, range: TimeRange) -> Result<BTreeSet<String>> {
        let streams = self.log_streams(tenant, selectors, range).await?;
        Ok(streams.into_iter().flat_map(BTreeMap::into_keys).collect())
    }

    /// Values of a label of streams, sorted.
    ///
    /// # Errors
    /// As [`Engine::log_streams`].
    pub async fn log_label_values(&self, tenant: &Tenant, name: &str, selectors: Vec<LogExpr>, range: TimeRange) -> Result<BTreeSet<String>> {
        let name = if LEVEL_LABELS.contains(&name) { LEVEL_LABELS[0] } else { name };
        let streams = self.log_streams(tenant, selectors, range).await?;
        Ok(streams.into_iter().filter_map(|mut labels| labels.remove(name)).collect())
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

fn streams(snapshot: &Snapshot, selectors: &[LogExpr], range: TimeRange, leash: &Leash) -> Result<Vec<StreamLabels>> {
    let mut filter = AnyOf(selectors.iter().map(|expr| Selector::new(&expr.matchers)).collect());
    let mut keys: HashSet<(String, String)> = HashSet::new();
    let columns = [logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT, schema::RESOURCE];
    visit(snapshot, &mut filter, range, &columns, leash, &mut |rows, wanted| {
        let (resource, text) = (Texts::of(rows, schema::RESOURCE)?, Texts::of(rows, logs::SEVERITY_TEXT)?);
        let number: &Int32Array = column(rows, logs::SEVERITY_NUMBER)?;
        let distinct: HashSet<(usize, i32, usize)> = wanted.iter().map(|row| (resource.code(*row), number.value(*row), text.code(*row))).collect();
        keys.extend(distinct.into_iter().map(|(code, number, text_code)| (resource.value(code).to_owned(), level_of(number, text.value(text_code)))));
        if keys.len() > STREAMS_MAX {
            return Err(Error::limit(format!("cannot list more than {STREAMS_MAX} streams: ask for a shorter range or select some")));
        }
        Ok(())
    })?;
    let mut resources: HashMap<String, Resource> = HashMap::new();
    let labels = keys.into_iter().map(|(json, level)| {
        let resource = resources.entry(json).or_insert_with_key(|json| Resource::from_json(json));
        stream_labels(resource, &level)
    });
    Ok(labels.collect::<BTreeSet<_>>().into_iter().collect())
}
