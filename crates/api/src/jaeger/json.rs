//! Jaeger's model as the JSON that its UI and Grafana read. Times are microseconds.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use signalbox_proto::google_rpc::Timestamp;
use signalbox_proto::jaeger::model::{KeyValue, Log, Process, Span, SpanRef, SpanRefType, ValueType};
use signalbox_query::rows::Resource;

use super::adjust::ShownTrace;
use super::model;

/// Beyond this JavaScript rounds integers; Jaeger sends them as text.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// A trace with its table of processes.
#[derive(Debug, serde::Serialize)]
pub(super) struct TraceJson {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<SpanJson>,
    processes: Processes,
    warnings: Option<Vec<String>>,
}

impl TraceJson {
    pub(super) fn new(trace: ShownTrace) -> Self {
        let mut processes = ProcessTable::default();
        let mut spans = Vec::with_capacity(trace.spans.len());
        for shown in trace.spans {
            let process = processes.number(&shown.span.service, &shown.span.resource);
            spans.push(SpanJson { span: model::span(shown), process });
        }
        Self { trace_id: model::trace_id(trace.trace_id), spans, processes: Processes(processes.into_processes()), warnings: None }
    }
}

/// Gives each process of a trace a number from 1.
#[derive(Debug, Default)]
struct ProcessTable {
    known: Vec<(String, Arc<Resource>)>,
    /// Spans of one resource share it, so that few are compared by what is in them.
    by_place: HashMap<*const Resource, usize>,
}

impl ProcessTable {
    fn number(&mut self, service: &str, resource: &Arc<Resource>) -> usize {
        if let Some(number) = self.by_place.get(&Arc::as_ptr(resource)) {
            return *number;
        }
        let alike = self.known.iter().position(|(known_service, known)| known_service == service && known == resource);
        alike.map_or_else(
            || {
                // Kept, so that its place is nobody else's while the table is used.
                self.known.push((service.to_owned(), Arc::clone(resource)));
                self.by_place.insert(Arc::as_ptr(resource), self.known.len());
                self.known.len()
            },
            |position| position + 1,
        )
    }

    fn into_processes(self) -> Vec<Process> {
        self.known.iter().map(|(service, resource)| model::process(service, resource)).collect()
    }
}

/// Processes as `p1`, `p2`, …
#[derive(Debug)]
struct Processes(Vec<Process>);

impl Serialize for Processes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (index, process) in self.0.iter().enumerate() {
            map.serialize_entry(&format!("p{}", index + 1), &ProcessJson(process))?;
        }
        map.end()
    }
}

struct ProcessJson<'a>(&'a Process);

impl Serialize for ProcessJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut process = serializer.serialize_struct("Process", 2)?;
        process.serialize_field("serviceName", &self.0.service_name)?;
        process.serialize_field("tags", &Tags(&self.0.tags))?;
        process.end()
    }
}

#[derive(Debug)]
struct SpanJson {
    span: Span,
    process: usize,
}

impl Serialize for SpanJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = &self.span;
        let mut fields = serializer.serialize_struct("Span", 11)?;
        fields.serialize_field("traceID", &model::trace_id_text(&span.trace_id))?;
        fields.serialize_field("spanID", &hex::encode(&span.span_id))?;
        fields.serialize_field("flags", &span.flags)?;
        fields.serialize_field("operationName", &span.operation_name)?;
        fields.serialize_field("references", &Each(&span.references))?;
        fields.serialize_field("startTime", &micros(span.start_time))?;
        fields.serialize_field("duration", &span.duration.map_or(0, |duration| duration.to_ns() / 1_000))?;
        fields.serialize_field("tags", &Tags(&span.tags))?;
        fields.serialize_field("logs", &Each(&span.logs))?;
        fields.serialize_field("processID", &format!("p{}", self.process))?;
        fields.serialize_field("warnings", &(!span.warnings.is_empty()).then_some(&span.warnings))?;
        fields.end()
    }
}

fn micros(time: Option<Timestamp>) -> i64 {
    time.map_or(0, |time| time.to_ns().div_euclid(1_000))
}

/// A list of what has a shape of its own in JSON.
struct Each<'a, T>(&'a [T]);

impl<'a, T> Serialize for Each<'a, T>
where
    Shape<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shape))
    }
}

struct Shape<'a, T>(&'a T);

impl Serialize for Shape<'_, SpanRef> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Reference", 3)?;
        let kind = if self.0.ref_type() == SpanRefType::ChildOf { "CHILD_OF" } else { "FOLLOWS_FROM" };
        fields.serialize_field("refType", kind)?;
        fields.serialize_field("traceID", &model::trace_id_text(&self.0.trace_id))?;
        fields.serialize_field("spanID", &hex::encode(&self.0.span_id))?;
        fields.end()
    }
}

impl Serialize for Shape<'_, Log> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Log", 2)?;
        fields.serialize_field("timestamp", &micros(self.0.timestamp))?;
        fields.serialize_field("fields", &Tags(&self.0.fields))?;
        fields.end()
    }
}

struct Tags<'a>(&'a [KeyValue]);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for tag in self.0 {
            list.serialize_element(&TagJson(tag))?;
        }
        list.end()
    }
}

struct TagJson<'a>(&'a KeyValue);

impl Serialize for TagJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tag = self.0;
        let mut fields = serializer.serialize_struct("KeyValue", 3)?;
        fields.serialize_field("key", &tag.key)?;
        match tag.v_type() {
            ValueType::String => {
                fields.serialize_field("type", "string")?;
                fields.serialize_field("value", &tag.v_str)?;
            }
            ValueType::Bool => {
                fields.serialize_field("type", "bool")?;
                fields.serialize_field("value", &tag.v_bool)?;
            }
            ValueType::Int64 => {
                fields.serialize_field("type", "int64")?;
                if tag.v_int64.unsigned_abs() <= EXACT_MAX {
                    fields.serialize_field("value", &tag.v_int64)?;
                } else {
                    fields.serialize_field("value", &tag.v_int64.to_string())?;
                }
            }
            ValueType::Float64 => {
                fields.serialize_field("type", "float64")?;
                // JSON has no such numbers.
                match tag.v_float64 {
                    value if value.is_finite() => fields.serialize_field("value", &value)?,
                    value if value.is_nan() => fields.serialize_field("value", "NaN")?,
                    value if value > 0.0 => fields.serialize_field("value", "Infinity")?,
                    _ => fields.serialize_field("value", "-Infinity")?,
                }
            }
            ValueType::Binary => {
                fields.serialize_field("type", "binary")?;
                fields.serialize_field("value", &BASE64.encode(&tag.v_binary))?;
            }
        }
        fields.end()
    }
}
