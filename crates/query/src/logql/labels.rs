//! Labels as Loki has them: those of a stream are the attributes of the resource, those of a record beside its line
//! (structured metadata) are its fields and its own attributes.
//!
//! | label | of |
//! |---|---|
//! | `service_name` of the stream | `service.name`, `unknown_service` when there is none |
//! | `detected_level` of the record | its level as one word, `unknown` when there is none |
//! | `trace_id`, `span_id`, `severity_text`, `scope_name`, … of the record | the field, if it has a value |
//! | any other | the attribute of that name; `.` and other characters that labels cannot have are `_` |
//!
//! The first two are added as Loki's distributor does, as long as the settings say so. A name of a record that its stream has
//! too ends in `_extracted`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, FixedSizeBinaryArray, Int32Array, RecordBatch, TimestampNanosecondArray, UInt32Array};
use signalbox_model::Result;
use signalbox_model::schema::{self, logs};

use crate::Settings;
use crate::logs::{LEVEL_LABELS, SERVICE_LABEL, UNKNOWN_SERVICE, label_name};
use crate::rows::{AttributeColumns, Resource, Scope, Texts, column, level_of, span_id, trace_id};

/// Labels, sorted by name. Unlike those of metrics they may have empty values.
pub type LabelSet = Vec<(String, String)>;

/// Names and values of labels.
pub(super) fn pairs(labels: &LabelSet) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// What a name ends in that a stream and a record, or a field and an attribute, both have.
const EXTRACTED: &str = "_extracted";

/// Which labels are added to what was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    pub(super) service_name: bool,
    pub(super) detected_level: bool,
}

impl Added {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { service_name: settings.logql_adds_service_name, detected_level: settings.logql_adds_detected_level }
    }
}

/// Labels of the stream of a resource, sorted. Empty values are no labels.
pub(super) fn stream_labels(resource: &Resource, added: Added) -> LabelSet {
    let attributes = resource.attributes.iter().map(|(key, value)| (label_name(key).into_owned(), value.to_text()));
    let mut labels: LabelSet = attributes.filter(|(_, value)| !value.is_empty()).collect();
    if added.service_name && !labels.iter().any(|(name, _)| name == SERVICE_LABEL) {
        labels.push((SERVICE_LABEL.to_owned(), UNKNOWN_SERVICE.to_owned()));
    }
    labels.sort();
    labels.dedup_by(|later, earlier| later.0 == earlier.0);
    labels
}

/// Streams that were seen before, by the text of their resource.
#[derive(Debug)]
pub(super) struct Streams {
    added: Added,
    streams: HashMap<String, Arc<Stream>>,
}

/// What a resource gives to its records.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) labels: Arc<LabelSet>,
    schema_url: String,
    dropped_attributes_count: u32,
}

impl Streams {
    pub(super) fn new(added: Added) -> Self {
        Self { added, streams: HashMap::new() }
    }

    pub(super) fn get(&mut self, json: &str) -> Arc<Stream> {
        if let Some(stream) = self.streams.get(json) {
            return Arc::clone(stream);
        }
        let resource = Resource::from_json(json);
        let labels = Arc::new(stream_labels(&resource, self.added));
        let stream = Arc::new(Stream { labels, schema_url: resource.schema_url, dropped_attributes_count: resource.dropped_attributes_count });
        self.streams.insert(json.to_owned(), Arc::clone(&stream));
        stream
    }
}

/// Columns that the labels of a record are in.
pub(super) const METADATA_COLUMNS: [&str; 13] = [
    logs::OBSERVED_TIMESTAMP,
    logs::SEVERITY_NUMBER,
    logs::SEVERITY_TEXT,
    logs::EVENT_NAME,
    logs::FLAGS,
    logs::DROPPED_ATTRIBUTES_COUNT,
    schema::TRACE_ID,
    schema::SPAN_ID,
    schema::RESOURCE,
    schema::SCOPE,
    schema::ATTRIBUTES,
    schema::ATTRIBUTE_TYPES,
    schema::TIMESTAMP,
];

/// The labels of the records of a batch.
pub(super) struct MetadataColumns<'a> {
    added: Added,
    pub(super) resource: Texts<'a>,
    observed: &'a TimestampNanosecondArray,
    severity_number: &'a Int32Array,
    severity_text: Texts<'a>,
    event_name: Texts<'a>,
    flags: &'a UInt32Array,
    dropped: &'a UInt32Array,
    trace_id: &'a FixedSizeBinaryArray,
    span_id: &'a FixedSizeBinaryArray,
    scope: Texts<'a>,
    scopes: Vec<Option<Scope>>,
    attributes: AttributeColumns<'a>,
}

impl<'a> MetadataColumns<'a> {
    pub(super) fn of(rows: &'a RecordBatch, added: Added) -> Result<Self> {
        let scope = Texts::of(rows, schema::SCOPE)?;
        Ok(Self {
            added,
            resource: Texts::of(rows, schema::RESOURCE)?,
            observed: column(rows, logs::OBSERVED_TIMESTAMP)?,
            severity_number: column(rows, logs::SEVERITY_NUMBER)?,
            severity_text: Texts::of(rows, logs::SEVERITY_TEXT)?,
            event_name: Texts::of(rows, logs::EVENT_NAME)?,
            flags: column(rows, logs::FLAGS)?,
            dropped: column(rows, logs::DROPPED_ATTRIBUTES_COUNT)?,
            trace_id: column(rows, schema::TRACE_ID)?,
            span_id: column(rows, schema::SPAN_ID)?,
            scope,
            scopes: (0..scope.distinct()).map(|_| None).collect(),
            attributes: AttributeColumns::of(rows)?,
        })
    }

    /// The labels of a record of a stream, into a list that is emptied. Names are distinct, and differ from those of the stream.
    /// If some are wanted, others may be left out.
    pub(super) fn metadata(&mut self, row: usize, stream: &Stream, wanted: Option<&[String]>, out: &mut LabelSet) {
        out.clear();
        let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted.iter().any(|label| label == name || label.strip_suffix(EXTRACTED) == Some(name)));
        let mut add = |name: &str, value: &dyn Fn() -> String| {
            let name = label_name(name);
            if !is_wanted(&name) {
                return;
            }
            let value = value();
            let mut name = name.into_owned();
            if stream.labels.binary_search_by(|(own, _)| own.as_str().cmp(&name)).is_ok() {
                name.push_str(EXTRACTED);
            }
            while out.iter().any(|(own, _)| *own == name) {
                name.push_str(EXTRACTED);
            }
            out.push((name, value));
        };
        let mut field = |name: &str, value: String| {
            if !value.is_empty() {
                add(name, &|| value.clone());
            }
        };
        let some = |count: u32| if count == 0 { String::new() } else { count.to_string() };
        let (number, text) = (self.severity_number.value(row), self.severity_text.get(row));
        if self.added.detected_level {
            field(LEVEL_LABELS[0], level_of(number, text));
        }
        field("trace_id", trace_id(self.trace_id, row).map(|id| id.to_string()).unwrap_or_default());
        field("span_id", span_id(self.span_id, row).map(|id| id.to_string()).unwrap_or_default());
        field("flags", some(self.flags.value(row)));
        field("observed_timestamp", if self.observed.is_valid(row) { self.observed.value(row).to_string() } else { String::new() });
        field("severity_number", if number == 0 { String::new() } else { number.to_string() });
        field("severity_text", text.to_owned());
        field("event_name", self.event_name.get(row).to_owned());
        field("dropped_attributes_count", some(self.dropped.value(row)));
        let code = self.scope.code(row);
        let mut unknown = None;
        let scope = match self.scopes.get_mut(code) {
            Some(known) => known.get_or_insert_with(|| Scope::from_json(self.scope.value(code))),
            None => unknown.get_or_insert_with(Scope::default),
        };
        field("scope_name", scope.name.clone());
        field("scope_version", scope.version.clone());
        field("scope_schema_url", scope.schema_url.clone());
        field("scope_dropped_attributes_count", some(scope.dropped_attributes_count));
        field("resource_schema_url", stream.schema_url.clone());
        field("resource_dropped_attributes_count", some(stream.dropped_attributes_count));
        for (key, value) in self.attributes.entries_of(row) {
            add(key, &|| value.to_owned());
        }
        for (key, value) in &scope.attributes {
            add(key, &|| value.to_text());
        }
    }
}
