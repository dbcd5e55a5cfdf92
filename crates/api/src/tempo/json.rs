//! Messages as the JSON of protobuf, as Tempo's Go code prints it: what is empty is left out, integers of 64 bits are text,
//! bytes are base64, enumerations are names. Values of samples are always there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use signalbox_proto::otlp::common::v1::any_value::Value as Any;
use signalbox_proto::otlp::common::v1::{AnyValue, KeyValue};
use signalbox_proto::otlp::trace::v1::span::{Event, Link, SpanKind};
use signalbox_proto::otlp::trace::v1::status::StatusCode;
use signalbox_proto::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan};
use signalbox_proto::prost::Message;
use signalbox_proto::tempo::{
    Exemplar, InstantSeries, MetadataMetrics, PartialStatus, QueryInstantResponse, QueryRangeResponse, SearchMetrics, SearchResponse, SearchTagValuesResponse,
    SearchTagValuesV2Response, SearchTagsResponse, SearchTagsV2Response, Span, SpanSet, TagValue, TimeSeries, TraceByIdMetrics, TraceByIdResponse,
    TraceSearchMetadata,
};

/// A message that has a form in JSON.
pub(super) trait Shape: Message {
    /// The form.
    fn json(&self) -> Value;

    /// A shorter form for language models, of the few that have one.
    fn brief(&self) -> Option<Value> {
        None
    }
}

/// An object that leaves out what is empty.
#[derive(Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(super) fn text(self, name: &str, text: &str) -> Self {
        if text.is_empty() { self } else { self.with(name, text.into()) }
    }

    fn short(self, name: &str, number: u32) -> Self {
        if number == 0 { self } else { self.with(name, number.into()) }
    }

    fn long(self, name: &str, number: u64) -> Self {
        if number == 0 { self } else { self.with(name, number.to_string().into()) }
    }

    fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        if bytes.is_empty() { self } else { self.with(name, STANDARD.encode(bytes).into()) }
    }

    pub(super) fn list<T>(self, name: &str, items: &[T], shape: impl FnMut(&T) -> Value) -> Self {
        if items.is_empty() { self } else { self.with(name, items.iter().map(shape).collect()) }
    }

    fn wholeness(self, status: i32, message: &str) -> Self {
        let this = if status == PartialStatus::Partial as i32 { self.with("status", "PARTIAL".into()) } else { self };
        this.text("message", message)
    }

    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

fn number(value: f64) -> Value {
    match value {
        finite if finite.is_finite() => json!(finite),
        nan if nan.is_nan() => "NaN".into(),
        infinite => if infinite > 0.0 { "Infinity" } else { "-Infinity" }.into(),
    }
}

pub(super) fn any_value(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!({ "stringValue": text }),
        Some(Any::BoolValue(truth)) => json!({ "boolValue": truth }),
        Some(Any::IntValue(integer)) => json!({ "intValue": integer.to_string() }),
        Some(Any::DoubleValue(float)) => json!({ "doubleValue": number(*float) }),
        Some(Any::BytesValue(bytes)) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        Some(Any::ArrayValue(array)) => {
            json!({ "arrayValue": Object::default().list("values", &array.values, |value| any_value(Some(value))).done() })
        }
        Some(Any::KvlistValue(map)) => json!({ "kvlistValue": Object::default().list("values", &map.values, key_value).done() }),
        _ => json!({}),
    }
}

fn key_value(pair: &KeyValue) -> Value {
    let object = Object::default().text("key", &pair.key);
    if pair.value.is_some() { object.with("value", any_value(pair.value.as_ref())).done() } else { object.done() }
}

impl Shape for SearchResponse {
    fn json(&self) -> Value {
        // Clients read the list without asking whether it is there.
        let traces = self.traces.iter().map(found).collect();
        Object::default().with("traces", traces).with("metrics", search_metrics(self.metrics.as_ref())).done()
    }
}

fn found(trace: &TraceSearchMetadata) -> Value {
    let services: Map<String, Value> = trace
        .service_stats
        .iter()
        .map(|(name, stats)| (name.clone(), Object::default().short("spanCount", stats.span_count).short("errorCount", stats.error_count).done()))
        .collect();
    let object = Object::default()
        .text("traceID", &trace.trace_id)
        .text("rootServiceName", &trace.root_service_name)
        .text("rootTraceName", &trace.root_trace_name)
        .long("startTimeUnixNano", trace.start_time_unix_nano)
        .short("durationMs", trace.duration_ms);
    let object = trace.span_set.iter().fold(object, |object, set| object.with("spanSet", span_set(set)));
    let object = object.list("spanSets", &trace.span_sets, span_set);
    if services.is_empty() { object.done() } else { object.with("serviceStats", Value::Object(services)).done() }
}

fn span_set(set: &SpanSet) -> Value {
    Object::default().list("spans", &set.spans, span).short("matched", set.matched).list("attributes", &set.attributes, key_value).done()
}

fn span(span: &Span) -> Value {
    Object::default()
        .text("spanID", &span.span_id)
        .text("name", &span.name)
        .long("startTimeUnixNano", span.start_time_unix_nano)
        .long("durationNanos", span.duration_nanos)
        .list("attributes", &span.attributes, key_value)
        .done()
}

fn search_metrics(metrics: Option<&SearchMetrics>) -> Value {
    let Some(metrics) = metrics else { return json!({}) };
    Object::default()
        .short("inspectedTraces", metrics.inspected_traces)
        .long("inspectedBytes", metrics.inspected_bytes)
        .short("totalBlocks", metrics.total_blocks)
        .short("completedJobs", metrics.completed_jobs)
        .short("totalJobs", metrics.total_jobs)
        .long("totalBlockBytes", metrics.total_block_bytes)
        .long("inspectedSpans", metrics.inspected_spans)
        .done()
}

fn metadata_metrics(metrics: Option<&MetadataMetrics>) -> Value {
    let Some(metrics) = metrics else { return json!({}) };
    Object::default()
        .long("inspectedBytes", metrics.inspected_bytes)
        .short("totalJobs", metrics.total_jobs)
        .short("completedJobs", metrics.completed_jobs)
        .short("totalBlocks", metrics.total_blocks)
        .long("totalBlockBytes", metrics.total_block_bytes)
        .done()
}

impl Shape for SearchTagsResponse {
    fn json(&self) -> Value {
        json!({ "tagNames": self.tag_names, "metrics": metadata_metrics(self.metrics.as_ref()) })
    }
}

impl Shape for SearchTagsV2Response {
    fn json(&self) -> Value {
        let scopes: Vec<Value> =
            self.scopes.iter().map(|scope| Object::default().text("name", &scope.name).list("tags", &scope.tags, |tag| tag.as_str().into()).done()).collect();
        json!({ "scopes": scopes, "metrics": metadata_metrics(self.metrics.as_ref()) })
    }
}

impl Shape for SearchTagValuesResponse {
    fn json(&self) -> Value {
        json!({ "tagValues": self.tag_values, "metrics": metadata_metrics(self.metrics.as_ref()) })
    }
}

impl Shape for SearchTagValuesV2Response {
    fn json(&self) -> Value {
        let value = |value: &TagValue| Object::default().text("type", &value.r#type).text("value", &value.value).done();
        let values: Vec<Value> = self.tag_values.iter().map(value).collect();
        json!({ "tagValues": values, "metrics": metadata_metrics(self.metrics.as_ref()) })
    }

    fn brief(&self) -> Option<Value> {
        Some(super::brief::tag_values(self))
    }
}

impl Shape for QueryRangeResponse {
    fn json(&self) -> Value {
        let series = self.series.iter().map(time_series).collect();
        let object = Object::default().with("series", series).with("metrics", search_metrics(self.metrics.as_ref()));
        object.wholeness(self.status, &self.message).done()
    }
}

fn time_series(series: &TimeSeries) -> Value {
    let sample = |at_ms: i64, value: f64| json!({ "timestampMs": at_ms.to_string(), "value": number(value) });
    let exemplar = |exemplar: &Exemplar| {
        let object = Object::default().list("labels", &exemplar.labels, key_value);
        object.with("value", number(exemplar.value)).with("timestampMs", exemplar.timestamp_ms.to_string().into()).done()
    };
    Object::default()
        .list("labels", &series.labels, key_value)
        .list("samples", &series.samples, |point| sample(point.timestamp_ms, point.value))
        .list("exemplars", &series.exemplars, exemplar)
        .done()
}

impl Shape for QueryInstantResponse {
    fn json(&self) -> Value {
        let one = |series: &InstantSeries| Object::default().list("labels", &series.labels, key_value).with("value", number(series.value)).done();
        let series = self.series.iter().map(one).collect();
        let object = Object::default().with("series", series).with("metrics", search_metrics(self.metrics.as_ref()));
        object.wholeness(self.status, &self.message).done()
    }
}

impl Shape for TraceByIdResponse {
    fn json(&self) -> Value {
        let spans = self.trace.as_ref().map(|trace| trace.resource_spans.as_slice()).unwrap_or_default();
        let trace = Object::default().list("resourceSpans", spans, resource_spans).done();
        let object = Object::default().with("trace", trace).with("metrics", trace_metrics(self.metrics.as_ref()));
        object.wholeness(self.status, &self.message).done()
    }

    fn brief(&self) -> Option<Value> {
        Some(super::brief::trace(self))
    }
}

fn trace_metrics(metrics: Option<&TraceByIdMetrics>) -> Value {
    metrics.map_or_else(|| json!({}), |metrics| Object::default().long("inspectedBytes", metrics.inspected_bytes).done())
}

/// The spans of one resource.
pub(super) fn resource_spans(spans: &ResourceSpans) -> Value {
    let object = spans.resource.iter().fold(Object::default(), |object, resource| {
        let dropped = resource.dropped_attributes_count;
        object.with("resource", Object::default().list("attributes", &resource.attributes, key_value).short("droppedAttributesCount", dropped).done())
    });
    object.list("scopeSpans", &spans.scope_spans, scope_spans).text("schemaUrl", &spans.schema_url).done()
}

fn scope_spans(spans: &ScopeSpans) -> Value {
    let object = spans.scope.iter().fold(Object::default(), |object, scope| {
        let shape = Object::default().text("name", &scope.name).text("version", &scope.version).list("attributes", &scope.attributes, key_value);
        object.with("scope", shape.short("droppedAttributesCount", scope.dropped_attributes_count).done())
    });
    object.list("spans", &spans.spans, otlp_span).text("schemaUrl", &spans.schema_url).done()
}

fn otlp_span(span: &OtlpSpan) -> Value {
    let object = Object::default()
        .bytes("traceId", &span.trace_id)
        .bytes("spanId", &span.span_id)
        .text("traceState", &span.trace_state)
        .bytes("parentSpanId", &span.parent_span_id)
        .short("flags", span.flags)
        .text("name", &span.name);
    let object = if span.kind == 0 { object } else { object.with("kind", kind(span.kind).into()) };
    let object = object
        .long("startTimeUnixNano", span.start_time_unix_nano)
        .long("endTimeUnixNano", span.end_time_unix_nano)
        .list("attributes", &span.attributes, key_value)
        .short("droppedAttributesCount", span.dropped_attributes_count)
        .list("events", &span.events, event)
        .short("droppedEventsCount", span.dropped_events_count)
        .list("links", &span.links, link)
        .short("droppedLinksCount", span.dropped_links_count);
    let object = span.status.iter().fold(object, |object, status| {
        let shape = Object::default().text("message", &status.message);
        object.with("status", if status.code == 0 { shape.done() } else { shape.with("code", status_code(status.code).into()).done() })
    });
    object.done()
}

/// The name of a kind of spans.
pub(super) fn kind(kind: i32) -> &'static str {
    SpanKind::try_from(kind).unwrap_or(SpanKind::Unspecified).as_str_name()
}

/// The name of a code of a status.
pub(super) fn status_code(code: i32) -> &'static str {
    StatusCode::try_from(code).unwrap_or(StatusCode::Unset).as_str_name()
}

fn event(event: &Event) -> Value {
    Object::default()
        .long("timeUnixNano", event.time_unix_nano)
        .text("name", &event.name)
        .list("attributes", &event.attributes, key_value)
        .short("droppedAttributesCount", event.dropped_attributes_count)
        .done()
}

fn link(link: &Link) -> Value {
    Object::default()
        .bytes("traceId", &link.trace_id)
        .bytes("spanId", &link.span_id)
        .text("traceState", &link.trace_state)
        .list("attributes", &link.attributes, key_value)
        .short("droppedAttributesCount", link.dropped_attributes_count)
        .short("flags", link.flags)
        .done()
}
