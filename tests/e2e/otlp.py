"""OTLP by hand: for what no SDK sends, and for load."""

import gzip

import requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

REQUESTS = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest, "metrics": ExportMetricsServiceRequest}
RESPONSES = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse, "metrics": ExportMetricsServiceResponse}


def text(key, value):
    return KeyValue(key=key, value=AnyValue(string_value=value))


def typed(key, value):
    """An attribute of the type of its value: text, a whole number or another."""
    return KeyValue(key=key, value=AnyValue(**{{str: "string_value", int: "int_value", float: "double_value"}[type(value)]: value}))


def logs(service, records):
    """A request of (time in ns, body, attributes)."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.append(text("service.name", service))
    scope = resource.scope_logs.add()
    for time_ns, body, attributes in records:
        record = scope.log_records.add(time_unix_nano=time_ns, severity_number=9, severity_text="INFO")
        record.body.string_value = body
        record.attributes.extend(typed(key, value) for key, value in attributes.items())
    return request


def spans(service, all_spans):
    """A request of (trace id, span id, name, start in ns)."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(text("service.name", service))
    scope = resource.scope_spans.add()
    for trace_id, span_id, name, start_ns in all_spans:
        scope.spans.add(trace_id=trace_id, span_id=span_id, name=name, kind=2, start_time_unix_nano=start_ns, end_time_unix_nano=start_ns + 1_000_000)
    return request


def gauges(service, points):
    """A request of (name, attributes, time in ns, value)."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.append(text("service.name", service))
    scope = resource.scope_metrics.add()
    for name, attributes, time_ns, value in points:
        metric = scope.metrics.add(name=name)
        point = metric.gauge.data_points.add(time_unix_nano=time_ns, as_double=value)
        point.attributes.extend(text(key, value) for key, value in attributes.items())
    return request


def exponential_histograms(service, name, ids, time_ns):
    """A request with one histogram an identifier: three values, of which one is zero."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.append(text("service.name", service))
    metric = resource.scope_metrics.add().metrics.add(name=name)
    metric.exponential_histogram.aggregation_temporality = 2
    for id in ids:
        point = metric.exponential_histogram.data_points.add(time_unix_nano=time_ns, count=3, sum=5.0, scale=2, zero_count=1)
        point.positive.offset = 1
        point.positive.bucket_counts.extend([1, 0, 1])
        point.attributes.append(text("id", id))
    return request


def post(base, signal, body, content_type="application/x-protobuf", compress=False, timeout=60, session=requests, headers=()):
    """The raw answer."""
    payload = body if isinstance(body, bytes) else body.SerializeToString()
    headers = {"content-type": content_type} | dict(headers)
    if compress:
        payload, headers["content-encoding"] = gzip.compress(payload), "gzip"
    return session.post(f"{base}/v1/{signal}", data=payload, headers=headers, timeout=timeout)


def send(base, signal, request, **options):
    """Sends, and wants full success."""
    answer = post(base, signal, request, **options)
    assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:300]}"
    response = RESPONSES[signal].FromString(answer.content)
    assert not response.HasField("partial_success"), response
    return response
