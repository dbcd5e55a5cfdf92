"""Messages of `tempopb` without a compiler: a few lines that say fields and numbers, made into classes of protobuf."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

OTLP = {"KeyValue": ".opentelemetry.proto.common.v1.KeyValue", "TracesData": ".opentelemetry.proto.trace.v1.TracesData"}
# message: field number type, `*` for repeated, `{}` for a map to the type.
MESSAGES = """
SearchRequest: tags 1 {}string, min_duration_ms 2 uint32, max_duration_ms 3 uint32, limit 4 uint32, start 5 uint32, end 6 uint32, query 8 string, spans_per_span_set 9 uint32
SearchResponse: traces 1 *TraceSearchMetadata, metrics 2 SearchMetrics
TraceSearchMetadata: trace_id 1 string, root_service_name 2 string, root_trace_name 3 string, start_time_unix_nano 4 uint64, duration_ms 5 uint32, span_set 6 SpanSet, span_sets 7 *SpanSet, service_stats 8 {}ServiceStats
ServiceStats: span_count 1 uint32, error_count 2 uint32
SpanSet: spans 1 *Span, matched 2 uint32, attributes 3 *KeyValue
Span: span_id 1 string, name 2 string, start_time_unix_nano 3 uint64, duration_nanos 4 uint64, attributes 5 *KeyValue
SearchMetrics: inspected_traces 1 uint32, completed_jobs 4 uint32, total_jobs 5 uint32, inspected_spans 7 uint64
SearchTagsRequest: scope 1 string, query 2 string, start 3 uint32, end 4 uint32, max_tags_per_scope 5 uint32
SearchTagsResponse: tag_names 1 *string
SearchTagsV2Response: scopes 1 *SearchTagsV2Scope
SearchTagsV2Scope: name 1 string, tags 2 *string
SearchTagValuesRequest: tag_name 1 string, query 2 string, start 4 uint32, end 5 uint32, max_tag_values 6 uint32
SearchTagValuesResponse: tag_values 1 *string
TagValue: type 1 string, value 2 string
SearchTagValuesV2Response: tag_values 1 *TagValue
QueryInstantRequest: query 1 string, start 2 uint64, end 3 uint64
QueryInstantResponse: series 1 *InstantSeries
InstantSeries: labels 1 *KeyValue, value 2 double
QueryRangeRequest: query 1 string, start 2 uint64, end 3 uint64, step 4 uint64, exemplars 16 uint32, max_series 17 uint32
TraceByIdMetrics: inspected_bytes 1 uint64
TraceByIDResponse: trace 1 TracesData, metrics 2 TraceByIdMetrics, status 3 uint32, message 4 string
QueryRangeResponse: series 1 *TimeSeries, metrics 2 SearchMetrics, status 3 uint32, message 4 string
TimeSeries: labels 1 *KeyValue, samples 2 *Sample, exemplars 4 *Exemplar
Sample: timestamp_ms 2 int64, value 1 double
Exemplar: labels 1 *KeyValue, value 2 double, timestamp_ms 3 int64
"""
METHODS = {
    "Search": ("SearchRequest", "SearchResponse"),
    "SearchTags": ("SearchTagsRequest", "SearchTagsResponse"),
    "SearchTagsV2": ("SearchTagsRequest", "SearchTagsV2Response"),
    "SearchTagValues": ("SearchTagValuesRequest", "SearchTagValuesResponse"),
    "SearchTagValuesV2": ("SearchTagValuesRequest", "SearchTagValuesV2Response"),
    "MetricsQueryRange": ("QueryRangeRequest", "QueryRangeResponse"),
    "MetricsQueryInstant": ("QueryInstantRequest", "QueryInstantResponse"),
}
Field = descriptor_pb2.FieldDescriptorProto


def _typed(field, kind):
    if kind in ("string", "double", "uint32", "uint64", "int64"):
        field.type = getattr(Field, f"TYPE_{kind.upper()}")
    else:
        field.type = Field.TYPE_MESSAGE
        field.type_name = OTLP.get(kind, f".tempopb.{kind}")


def _classes():
    file = descriptor_pb2.FileDescriptorProto(name="tempo_of_test.proto", package="tempopb", syntax="proto3", dependency=[common_pb2.DESCRIPTOR.name, trace_pb2.DESCRIPTOR.name])
    for line in MESSAGES.strip().splitlines():
        name, fields = line.split(":")
        message = file.message_type.add(name=name)
        for text in fields.split(","):
            label, number, kind = text.split()
            field = message.field.add(name=label, number=int(number), label=Field.LABEL_OPTIONAL)
            if kind.startswith("{}"):
                entry = message.nested_type.add(name="".join(word.title() for word in label.split("_")) + "Entry")
                entry.options.map_entry = True
                _typed(entry.field.add(name="key", number=1, label=Field.LABEL_OPTIONAL), "string")
                _typed(entry.field.add(name="value", number=2, label=Field.LABEL_OPTIONAL), kind[2:])
                field.label, field.type, field.type_name = Field.LABEL_REPEATED, Field.TYPE_MESSAGE, f".tempopb.{name}.{entry.name}"
                continue
            if kind.startswith("*"):
                field.label = Field.LABEL_REPEATED
            _typed(field, kind.lstrip("*"))
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    names = [line.split(":")[0] for line in MESSAGES.strip().splitlines()]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tempopb.{name}")) for name in names}


CLASSES = _classes()


def ask(channel, method, **fields):
    """All messages that a call of the streaming service is answered with."""
    question, answer = (CLASSES[name] for name in METHODS[method])
    call = channel.unary_stream(f"/tempopb.StreamingQuerier/{method}", question.SerializeToString, answer.FromString)
    return list(call(question(**fields), timeout=60))
