//! Labels of streams: their names, their values, and the streams that have them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::TimestampNanosecondArray;
use signalbox_lang::logql::LogExpr;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Result, Table, Tenant, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use super::select::Selector;
use crate::Engine;
use crate::leash::Leash;
use crate::rows::{LogColumns, LogRecord, Resource, Texts, column, level_of};

/// The label of the service.
pub const SERVICE_LABEL: &str = "service_name";
/// What the service of a record without one is called.
pub const UNKNOWN_SERVICE: &str = "unknown_service";
/// The label of the level, and other names of it that selectors may use.
pub(super) const LEVEL_LABELS: [&str; 3] = ["detected_level", "level", "severity"];

/// Streams that one question may list.
const STREAMS_MAX: usize = 100_000;

/// An attribute name as the name of a label: characters that labels cannot have are `_`.
pub fn label_name(attribute: &str) -> Cow<'_, str> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let starts_with_digit = attribute.starts_with(|character: char| character.is_ascii_digit());
    if attribute.chars().all(is_allowed) && !starts_with_digit {
        return Cow::Borrowed(attribute);
    }
    let sanitized: String = attribute.chars().map(|character| if is_allowed(character) { character } else { '_' }).collect();
    Cow::Owned(if starts_with_digit { format!("key_{sanitized}") } else { sanitized })
}

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

fn streams(snapshot: &Snapshot, selectors: &[LogExpr], range: TimeRange, leash: &Leash) -> Result<Vec<StreamLabels>> {
    let mut selectors: Vec<Selector> = selectors.iter().map(|expr| Selector::new(&expr.matchers)).collect();
    let mut keys: HashSet<(String, String)> = HashSet::new();
    let narrow = [schema::TIMESTAMP, logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT, schema::RESOURCE];
    let mut projection: Vec<usize> = narrow.iter().map(|name| schema::index(&schema::logs(), name)).collect();
    projection.sort_unstable();
    // Selectors may look at every column.
    let projection = selectors.is_empty().then_some(projection);
    let services = if let [selector] = selectors.as_slice() { selector.services() } else { Vec::new() };
    for part in snapshot.scan(Table::Logs, &ScanRequest { projection, services, ..ScanRequest::all(range) })? {
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let timestamp: &TimestampNanosecondArray = column(&rows, schema::TIMESTAMP)?;
            let mut wanted: Vec<usize> = (0..rows.num_rows()).filter(|row| range.contains_ns(timestamp.value(*row))).collect();
            if !selectors.is_empty() {
                let columns = LogColumns::of(&rows)?;
                let mut union = BTreeSet::new();
                for selector in &mut selectors {
                    let mut matching = wanted.clone();
                    selector.retain(&columns, &mut matching);
                    union.extend(matching);
                }
                wanted = union.into_iter().collect();
            }
            let (resource, text) = (Texts::of(&rows, schema::RESOURCE)?, Texts::of(&rows, logs::SEVERITY_TEXT)?);
            let number: &arrow::array::Int32Array = column(&rows, logs::SEVERITY_NUMBER)?;
            let distinct: HashSet<(usize, i32, usize)> = wanted.iter().map(|row| (resource.code(*row), number.value(*row), text.code(*row))).collect();
            keys.extend(distinct.into_iter().map(|(code, number, text_code)| (resource.value(code).to_owned(), level_of(number, text.value(text_code)))));
            if keys.len() > STREAMS_MAX {
                return Err(Error::limit(format!("cannot list more than {STREAMS_MAX} streams: ask for a shorter range or select some")));
            }
        }
    }
    let mut resources: HashMap<String, Resource> = HashMap::new();
    let labels = keys.into_iter().map(|(json, level)| {
        let resource = resources.entry(json).or_insert_with_key(|json| Resource::from_json(json));
        stream_labels(resource, &level)
    });
    Ok(labels.collect::<BTreeSet<_>>().into_iter().collect())
}
