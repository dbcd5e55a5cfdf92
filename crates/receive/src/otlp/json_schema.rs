//! The messages of OTLP as tables: key in JSON, number on the wire, kind of value. Transcribed from `opentelemetry-proto`.

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Message(&'static Schema),
    Text,
    /// Base64 in JSON.
    Bytes,
    /// Hexadecimal in JSON.
    Hex,
    Bool,
    Enum,
    Uint32,
    Sint32,
    Fixed32,
    Int64,
    Uint64,
    Fixed64,
    Sfixed64,
    Double,
}

/// One field.
#[derive(Debug)]
pub(crate) struct FieldSpec {
    pub(crate) key: &'static str,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) is_repeated: bool,
}

/// The fields of a message.
#[derive(Debug)]
pub(crate) struct Schema(&'static [FieldSpec]);

impl Schema {
    pub(crate) fn fields(&self) -> &'static [FieldSpec] {
        self.0
    }
}

const fn one(key: &'static str, number: u32, kind: Kind) -> FieldSpec {
    FieldSpec { key, number, kind, is_repeated: false }
}

const fn many(key: &'static str, number: u32, kind: Kind) -> FieldSpec {
    FieldSpec { key, number, kind, is_repeated: true }
}

use Kind::{Bool, Bytes, Double, Enum, Fixed32, Fixed64, Hex, Int64, Message, Sfixed64, Sint32, Text, Uint32, Uint64};

/// `ExportLogsServiceRequest`.
pub(crate) static LOGS: Schema = Schema(&[many("resourceLogs", 1, Message(&RESOURCE_LOGS))]);
/// `ExportTraceServiceRequest`.
pub(crate) static TRACES: Schema = Schema(&[many("resourceSpans", 1, Message(&RESOURCE_SPANS))]);
/// `ExportMetricsServiceRequest`.
pub(crate) static METRICS: Schema = Schema(&[many("resourceMetrics", 1, Message(&RESOURCE_METRICS))]);

static RESOURCE_LOGS: Schema = Schema(&[one("resource", 1, Message(&RESOURCE)), many("scopeLogs", 2, Message(&SCOPE_LOGS)), one("schemaUrl", 3, Text)]);
static RESOURCE_SPANS: Schema = Schema(&[one("resource", 1, Message(&RESOURCE)), many("scopeSpans", 2, Message(&SCOPE_SPANS)), one("schemaUrl", 3, Text)]);
static RESOURCE_METRICS: Schema =
    Schema(&[one("resource", 1, Message(&RESOURCE)), many("scopeMetrics", 2, Message(&SCOPE_METRICS)), one("schemaUrl", 3, Text)]);
static SCOPE_LOGS: Schema = Schema(&[one("scope", 1, Message(&SCOPE)), many("logRecords", 2, Message(&LOG_RECORD)), one("schemaUrl", 3, Text)]);
static SCOPE_SPANS: Schema = Schema(&[one("scope", 1, Message(&SCOPE)), many("spans", 2, Message(&SPAN)), one("schemaUrl", 3, Text)]);
static SCOPE_METRICS: Schema = Schema(&[one("scope", 1, Message(&SCOPE)), many("metrics", 2, Message(&METRIC)), one("schemaUrl", 3, Text)]);

static RESOURCE: Schema = Schema(&[many("attributes", 1, Message(&KEY_VALUE)), one("droppedAttributesCount", 2, Uint32)]);
static SCOPE: Schema =
    Schema(&[one("name", 1, Text), one("version", 2, Text), many("attributes", 3, Message(&KEY_VALUE)), one("droppedAttributesCount", 4, Uint32)]);
static KEY_VALUE: Schema = Schema(&[one("key", 1, Text), one("value", 2, Message(&ANY_VALUE))]);
static ANY_VALUE: Schema = Schema(&[
    one("stringValue", 1, Text),
    one("boolValue", 2, Bool),
    one("intValue", 3, Int64),
    one("doubleValue", 4, Double),
    one("arrayValue", 5, Message(&ARRAY_VALUE)),
    one("kvlistValue", 6, Message(&KEY_VALUE_LIST)),
    one("bytesValue", 7, Bytes),
]);
static ARRAY_VALUE: Schema = Schema(&[many("values", 1, Message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Schema = Schema(&[many("values", 1, Message(&KEY_VALUE))]);

static LOG_RECORD: Schema = Schema(&[
    one("timeUnixNano", 1, Fixed64),
    one("severityNumber", 2, Enum),
    one("severityText", 3, Text),
    one("body", 5, Message(&ANY_VALUE)),
    many("attributes", 6, Message(&KEY_VALUE)),
    one("droppedAttributesCount", 7, Uint32),
    one("flags", 8, Fixed32),
    one("traceId", 9, Hex),
    one("spanId", 10, Hex),
    one("observedTimeUnixNano", 11, Fixed64),
    one("eventName", 12, Text),
]);

static SPAN: Schema = Schema(&[
    one("traceId", 1, Hex),
    one("spanId", 2, Hex),
    one("traceState", 3, Text),
    one("parentSpanId", 4, Hex),
    one("name", 5, Text),
    one("kind", 6, Enum),
    one("startTimeUnixNano", 7, Fixed64),
    one("endTimeUnixNano", 8, Fixed64),
    many("attributes", 9, Message(&KEY_VALUE)),
    one("droppedAttributesCount", 10, Uint32),
    many("events", 11, Message(&EVENT)),
    one("droppedEventsCount", 12, Uint32),
    many("links", 13, Message(&LINK)),
    one("droppedLinksCount", 14, Uint32),
    one("status", 15, Message(&STATUS)),
    one("flags", 16, Fixed32),
]);
static EVENT: Schema =
    Schema(&[one("timeUnixNano", 1, Fixed64), one("name", 2, Text), many("attributes", 3, Message(&KEY_VALUE)), one("droppedAttributesCount", 4, Uint32)]);
static LINK: Schema = Schema(&[
    one("traceId", 1, Hex),
    one("spanId", 2, Hex),
    one("traceState", 3, Text),
    many("attributes", 4, Message(&KEY_VALUE)),
    one("droppedAttributesCount", 5, Uint32),
    one("flags", 6, Fixed32),
]);
static STATUS: Schema = Schema(&[one("message", 2, Text), one("code", 3, Enum)]);

static METRIC: Schema = Schema(&[
    one("name", 1, Text),
    one("description", 2, Text),
    one("unit", 3, Text),
    one("gauge", 5, Message(&GAUGE)),
    one("sum", 7, Message(&SUM)),
    one("histogram", 9, Message(&HISTOGRAM)),
    one("exponentialHistogram", 10, Message(&EXPONENTIAL_HISTOGRAM)),
    one("summary", 11, Message(&SUMMARY)),
    many("metadata", 12, Message(&KEY_VALUE)),
]);
static GAUGE: Schema = Schema(&[many("dataPoints", 1, Message(&NUMBER_POINT))]);
static SUM: Schema = Schema(&[many("dataPoints", 1, Message(&NUMBER_POINT)), one("aggregationTemporality", 2, Enum), one("isMonotonic", 3, Bool)]);
static HISTOGRAM: Schema = Schema(&[many("dataPoints", 1, Message(&HISTOGRAM_POINT)), one("aggregationTemporality", 2, Enum)]);
static EXPONENTIAL_HISTOGRAM: Schema = Schema(&[many("dataPoints", 1, Message(&EXPONENTIAL_POINT)), one("aggregationTemporality", 2, Enum)]);
static SUMMARY: Schema = Schema(&[many("dataPoints", 1, Message(&SUMMARY_POINT))]);

static NUMBER_POINT: Schema = Schema(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("asDouble", 4, Double),
    many("exemplars", 5, Message(&EXEMPLAR)),
    one("asInt", 6, Sfixed64),
    many("attributes", 7, Message(&KEY_VALUE)),
    one("flags", 8, Uint32),
]);
static HISTOGRAM_POINT: Schema = Schema(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    many("bucketCounts", 6, Fixed64),
    many("explicitBounds", 7, Double),
    many("exemplars", 8, Message(&EXEMPLAR)),
    many("attributes", 9, Message(&KEY_VALUE)),
    one("flags", 10, Uint32),
    one("min", 11, Double),
    one("max", 12, Double),
]);
static EXPONENTIAL_POINT: Schema = Schema(&[
    many("attributes", 1, Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    one("scale", 6, Sint32),
    one("zeroCount", 7, Fixed64),
    one("positive", 8, Message(&BUCKETS)),
    one("negative", 9, Message(&BUCKETS)),
    one("flags", 10, Uint32),
    many("exemplars", 11, Message(&EXEMPLAR)),
    one("min", 12, Double),
    one("max", 13, Double),
    one("zeroThreshold", 14, Double),
]);
static BUCKETS: Schema = Schema(&[one("offset", 1, Sint32), many("bucketCounts", 2, Uint64)]);
static SUMMARY_POINT: Schema = Schema(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    many("quantileValues", 6, Message(&QUANTILE)),
    many("attributes", 7, Message(&KEY_VALUE)),
    one("flags", 8, Uint32),
]);
static QUANTILE: Schema = Schema(&[one("quantile", 1, Double), one("value", 2, Double)]);
static EXEMPLAR: Schema = Schema(&[
    one("timeUnixNano", 2, Fixed64),
    one("asDouble", 3, Double),
    one("spanId", 4, Hex),
    one("traceId", 5, Hex),
    one("asInt", 6, Sfixed64),
    many("filteredAttributes", 7, Message(&KEY_VALUE)),
]);
