"""OpenTelemetry's SDK for Python over gRPC and over HTTP: what was sent equals what the APIs return, field by field."""

import json
import math
import time

import pytest
from attributes import described, of_json, plain, read, read_text, text_of
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableGauge, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

RESOURCE = Resource(
    {
        "service.name": "python-shop",
        "service.namespace": "e2e",
        "service.instance.id": "i-1",
        "host.cpus": 8,
        "load.factor": 0.25,
        "is.canary": True,
        "zones": ["a", "b"],
    },
    schema_url="https://opentelemetry.io/schemas/1.30.0",
)
ALL_TYPES = {
    "text": "größer, \"quoted\" \\ and \n on two lines",
    "empty": "",
    "yes": True,
    "whole": -(2**62),
    "fraction": 0.1,
    "texts": ["a", "", "c"],
    "wholes": [1, 2, 3],
    "fractions": [0.5, 1e300],
    "truths": [True, False],
}


@pytest.fixture(params=["grpc", "http"])
def transport(request):
    return request.param


def exporters(server, transport, **metric_options):
    """The exporters of traces, logs and metrics."""
    if transport == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        common = {"endpoint": server.grpc, "insecure": True, "compression": Compression.Gzip}
        return OTLPSpanExporter(**common), OTLPLogExporter(**common), OTLPMetricExporter(**common, **metric_options)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    at = lambda signal: {"endpoint": f"{server.otlp}/v1/{signal}", "compression": Compression.Gzip}
    return OTLPSpanExporter(**at("traces")), OTLPLogExporter(**at("logs")), OTLPMetricExporter(**at("metrics"), **metric_options)


def tell_a_story(exporter):
    """Spans with everything a span can have; returns them as the SDK has them."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.orders", "1.2.3", "https://opentelemetry.io/schemas/1.21.0", {"scope.kind": "test"})
    other = SpanContext(0xABCDEF0123456789ABCDEF0123456789, 0x1234567890ABCDEF, True, TraceFlags(1), TraceState([("vendor", "x:1")]))
    remote = trace.set_span_in_context(trace.NonRecordingSpan(SpanContext(other.trace_id, 0x77, True, TraceFlags(1), TraceState([("rojo", "00f067aa")]))))
    with tracer.start_as_current_span("POST /checkout", context=remote, kind=SpanKind.SERVER, attributes=ALL_TYPES, links=[Link(other, {"link.reason": "batch", "n": 7})]) as root:
        with tracer.start_as_current_span("charge", kind=SpanKind.CLIENT) as child:
            child.add_event("retry", {"attempt": 2, "pause": 0.5, "again": True})
            try:
                raise ValueError("card was declined")
            except ValueError as error:
                child.record_exception(error)
                child.set_status(Status(StatusCode.ERROR, "declined"))
        with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER):
            pass
        root.set_status(Status(StatusCode.OK))
    with tracer.start_as_current_span("consume", kind=SpanKind.CONSUMER, links=[Link(root.get_span_context())]):
        pass
    assert provider.force_flush()
    provider.shutdown()
    return memory.get_finished_spans()


def by_id(traces):
    """{span id: (resource, scope, span)} as comparable texts; the order of attributes does not count."""
    found = {}
    for resource_spans in traces.resource_spans:
        resource = described(resource_spans.resource.attributes), resource_spans.schema_url
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            for span in scope_spans.spans:
                span.attributes.sort(key=lambda pair: pair.key)
                for part in [*span.events, *span.links]:
                    part.attributes.sort(key=lambda pair: pair.key)
                assert span.span_id not in found, "a span came twice"
                found[span.span_id] = (resource, (scope.name, scope.version, described(scope.attributes), scope_spans.schema_url), str(span))
    return found


def test_traces_come_back_as_they_were_sent(server, transport):
    sent = tell_a_story(exporters(server, transport)[0])
    assert len(sent) == 4
    expected = by_id(encode_spans(sent))
    found = {}
    for trace_id in {span.context.trace_id for span in sent}:
        answer = server.get(f"/tempo/api/traces/{trace_id:032x}", headers={"accept": "application/protobuf"})
        assert answer.status_code == 200
        found |= by_id(TracesData.FromString(answer.content))
    assert found == expected

    # Jaeger's dialect of the same.
    root = next(span for span in sent if span.name == "POST /checkout")
    charge = next(span for span in sent if span.name == "charge")
    jaeger = server.json(f"/jaeger/api/traces/{root.context.trace_id:032x}")["data"][0]
    spans = {span["spanID"]: span for span in jaeger["spans"]}
    assert len(spans) == 3
    told = spans[f"{root.context.span_id:016x}"]
    assert (told["operationName"], told["startTime"]) == ("POST /checkout", root.start_time // 1000)
    assert told["duration"] == (root.end_time - root.start_time) // 1000
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in told["tags"]}
    assert tags["text"] == ("string", ALL_TYPES["text"]) and tags["yes"] == ("bool", True) and tags["fraction"] == ("float64", 0.1)
    assert tags["span.kind"] == ("string", "server") and int(tags["whole"][1]) == -(2**62)
    below = spans[f"{charge.context.span_id:016x}"]
    parents = [(reference["refType"], reference["spanID"]) for reference in below["references"]]
    assert parents == [("CHILD_OF", f"{root.context.span_id:016x}")]
    logs = [{field["key"]: field["value"] for field in log["fields"]} for log in below["logs"]]
    assert [log["event"] for log in logs] == ["retry", "exception"]
    assert logs[1]["exception.type"] == "ValueError" and logs[1]["exception.message"] == "card was declined"
    process = jaeger["processes"][told["processID"]]
    assert process["serviceName"] == "python-shop"
    assert {tag["key"]: tag["value"] for tag in process["tags"]}["host.cpus"] == 8

    # What search finds, and what it does not.
    search = lambda **parameters: {trace["traceID"] for trace in server.json("/jaeger/api/traces", service="python-shop", limit=10, **parameters)["data"]}
    assert f"{root.context.trace_id:032x}" in search(tags=json.dumps({"error": "true"}), operation="charge")
    assert f"{root.context.trace_id:032x}" in search(tags=json.dumps({"yes": "true"}))
    assert search(tags=json.dumps({"yes": "false"})) == set()
    assert server.json("/jaeger/api/services")["data"].count("python-shop") == 1
    assert {"POST /checkout", "charge", "publish", "consume"} == set(server.json("/jaeger/api/services/python-shop/operations")["data"])

    # SQL.
    rows = server.sql("SELECT *, hex(trace_id) AS trace, hex(span_id) AS span, hex(parent_span_id) AS parent FROM spans WHERE service = 'python-shop' ORDER BY timestamp")
    assert len(rows) == 4
    for row in rows:
        span = next(span for span in sent if f"{span.context.span_id:016x}" == row["span"])
        assert row["trace"] == f"{span.context.trace_id:032x}"
        assert row["parent"] == (f"{span.parent.span_id:016x}" if span.parent else None)
        assert int(row["duration_ns"]) == span.end_time - span.start_time
        assert row["name"] == span.name and row["kind"] == span.kind.value + 1
        assert len(row["events"]) == len(span.events) and len(row["links"]) == len(span.links)
        assert row["trace_state"] == (span.context.trace_state.to_header() or None)
        resource = of_json(row["resource"])
        assert resource["zones"] == ["a", "b"] and resource["load.factor"] == 0.25 and resource["is.canary"] is True
        assert resource["$schema_url"] == RESOURCE.schema_url


BODIES = [
    ("plain", SeverityNumber.INFO, "order placed, total 12 €"),
    ("map", SeverityNumber.WARN2, {"message": "slow", "took": 1.5, "steps": [1, "two", None], "raw": b"\x00\xff"}),
    ("list", SeverityNumber.DEBUG, ["a", 1, True]),
    ("number", SeverityNumber.ERROR, 42),
    ("truth", SeverityNumber.FATAL4, True),
    ("none", SeverityNumber.TRACE, None),
]


def test_logs_come_back_as_they_were_sent(server, transport):
    memory = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporters(server, transport)[1]))
    logger = provider.get_logger("shop.log", "0.9", attributes={"scope.kind": "test"})
    context = trace.set_span_in_context(trace.NonRecordingSpan(SpanContext(0xA0A1A2A3A4A5A6A7A8A9AAABACADAEAF, 0xB0B1B2B3B4B5B6B7, False, TraceFlags(1))))
    now = time.time_ns()
    attributes = {**ALL_TYPES, "nested": {"a": {"b": [1, {"c": b"\x01"}]}}, "bytes": b"\x00\x01\xff"}
    for index, (kind, severity, body) in enumerate(BODIES):
        record = LogRecord(timestamp=now + index, observed_timestamp=now + 1000 + index, context=context if index % 2 == 0 else None, severity_number=severity,
                           severity_text=severity.name, body=body, attributes={"kind": kind, **attributes}, event_name="shop.event" if index == 1 else None)
        logger.emit(record)
    assert provider.force_flush()
    provider.shutdown()
    encoded = encode_logs(memory.get_finished_logs())
    sent = [record for resource in encoded.resource_logs for scope in resource.scope_logs for record in scope.log_records]
    assert len(sent) == len(BODIES)

    rows = server.sql("SELECT *, CAST(timestamp AS BIGINT) AS at, CAST(observed_timestamp AS BIGINT) AS seen, hex(trace_id) AS trace, hex(span_id) AS span FROM logs WHERE service = 'python-shop' ORDER BY timestamp")
    assert len(rows) == len(sent)
    for row, record in zip(rows, sent):
        assert (int(row["at"]), int(row["seen"])) == (record.time_unix_nano, record.observed_time_unix_nano)
        assert (row["severity_number"], row["severity_text"], row["event_name"]) == (record.severity_number, record.severity_text, record.event_name)
        assert (row["trace"] or "", row["span"] or "") == (record.trace_id.hex(), record.span_id.hex())
        assert (row["flags"], row["dropped_attributes_count"]) == (record.flags, record.dropped_attributes_count)
        assert read(row["attributes"], row["attribute_types"]) == described(record.attributes)
        letter, body = text_of(record.body)
        if record.HasField("body") and letter != "n":
            letter_found = row["body_type"] or "s"
            assert (letter_found, read_text(letter_found, row["body"])) == (letter, body)
        scope = of_json(row["scope"])
        assert (scope["$name"], scope["$version"], scope["scope.kind"]) == ("shop.log", "0.9", "test")
        assert {key: value for key, value in of_json(row["resource"]).items() if key != "$schema_url"} == {pair.key: plain(pair.value) for pair in encoded.resource_logs[0].resource.attributes}

    # Loki's dialect of the same.
    streams = server.streams('{service_name="python-shop"}', start=now - 10**9, end=now + 10**9, direction="forward")
    assert [at for _, at, _, _ in sorted(streams, key=lambda entry: entry[1])] == [record.time_unix_nano for record in sent]
    at, line, metadata = next((at, line, metadata) for _, at, line, metadata in streams if metadata["kind"] == "plain")
    assert (at, line) == (now, "order placed, total 12 €")
    assert metadata["text"] == ALL_TYPES["text"] and metadata["yes"] == "true" and metadata["whole"] == str(-(2**62))
    assert metadata["trace_id"] == f"{0xA0A1A2A3A4A5A6A7A8A9AAABACADAEAF:032x}" and metadata["severity_number"] == "9"
    lines = [line for _, _, line, _ in server.streams('{service_name="python-shop"} |= "placed"', start=now - 10**9, end=now + 10**9)]
    assert lines == ["order placed, total 12 €"]
    assert [metadata["kind"] for _, _, _, metadata in server.streams('{service_name="python-shop"} != "placed" |~ "^4.$"', start=now - 10**9, end=now + 10**9)] == ["number"]
    assert "python-shop" in server.json("/loki/api/v1/label/service_name/values")["data"]


LATENCIES = [3.0, 7.0, 7.5, 40.0, 900.0]
SIZES = [0.001, 0.5, 1.0, 1.5, 2.0, 100.0, 0.0, 1e6]


@pytest.fixture(params=["cumulative", "delta"])
def temporality(request):
    return request.param


def measure(server, transport, temporality):
    """Takes measurements with every instrument in two exports; returns the contexts of the spans they were taken in."""
    wanted = AggregationTemporality.DELTA if temporality == "delta" else AggregationTemporality.CUMULATIVE
    exporter = exporters(server, transport, preferred_temporality={Counter: wanted, Histogram: wanted, UpDownCounter: AggregationTemporality.CUMULATIVE, ObservableGauge: AggregationTemporality.CUMULATIVE})[2]
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    views = [
        View(instrument_name="shop.latency", aggregation=ExplicitBucketHistogramAggregation([5.0, 10.0, 50.0])),
        View(instrument_name="shop.size", aggregation=ExponentialBucketHistogramAggregation(max_size=160, max_scale=4)),
    ]
    provider = MeterProvider(metric_readers=[reader], resource=RESOURCE, views=views)
    meter = provider.get_meter("shop.meter", "2.0")
    tracer = TracerProvider(resource=RESOURCE).get_tracer("shop.meter")
    orders = meter.create_counter("shop.orders", unit="{order}", description="Orders placed")
    items = meter.create_up_down_counter("shop.cart.items")
    latency = meter.create_histogram("shop.latency", unit="ms", description="Time of a request")
    size = meter.create_histogram("shop.size", unit="By")
    meter.create_observable_gauge("shop.temperature", callbacks=[lambda _options: [Observation(21.5, {"room": "cellar"})]], unit="Cel")
    contexts = []
    for export in range(2):
        with tracer.start_as_current_span("measured") as span:
            contexts.append(span.get_span_context())
            orders.add(3 if export == 0 else 4, {"paid": True, "tier": 1})
            orders.add(1, {"paid": False, "tier": 1})
            items.add(5 if export == 0 else -2)
            for value in LATENCIES[:3] if export == 0 else LATENCIES[3:]:
                latency.record(value)
            for value in SIZES[:4] if export == 0 else SIZES[4:]:
                size.record(value)
        time.sleep(0.01)  # two exports have two times in milliseconds
        assert provider.force_flush()
    # The reader exports once more at its end; with delta temporality there is nothing then.
    provider.shutdown()
    return contexts


def test_metrics_come_back_as_they_were_sent(server, transport, temporality):
    start = time.time()
    contexts = measure(server, transport, temporality)
    labels = {"job": "e2e/python-shop", "instance": "i-1", "otel_scope_name": "shop.meter", "otel_scope_version": "2.0"}

    def values(expression):
        found = {}
        for entry in server.query(expression):
            metric = dict(entry["metric"])
            name = metric.pop("__name__")
            for key, value in labels.items():
                assert metric.pop(key) == value, entry
            found[name, tuple(sorted(metric.items()))] = float(entry["value"][1])
        return found

    assert values("shop_orders_total") == {
        ("shop_orders_total", (("paid", "true"), ("tier", "1"))): 7.0,
        ("shop_orders_total", (("paid", "false"), ("tier", "1"))): 2.0,
    }
    assert values("shop_cart_items") == {("shop_cart_items", ()): 3.0}
    assert values("shop_temperature_celsius") == {("shop_temperature_celsius", (("room", "cellar"),)): 21.5}
    assert values("shop_latency_milliseconds_bucket") == {
        ("shop_latency_milliseconds_bucket", (("le", bound),)): count for bound, count in [("5", 1.0), ("10", 3.0), ("50", 4.0), ("+Inf", 5.0)]
    }
    assert values("shop_latency_milliseconds_count") == {("shop_latency_milliseconds_count", ()): 5.0}
    assert values("shop_latency_milliseconds_sum") == {("shop_latency_milliseconds_sum", ()): sum(LATENCIES)}

    # The exponential histogram is a native one.
    [native] = server.query("shop_size_bytes")
    histogram = native["histogram"][1]
    assert float(histogram["count"]) == len(SIZES) and float(histogram["sum"]) == pytest.approx(sum(SIZES), rel=1e-12)
    for boundary, low, high, count in histogram["buckets"]:
        low, high = float(low), float(high)
        # 0: open left, 1: open right, 2: open, 3: closed.
        inside = [v for v in SIZES if (low < v if boundary in (0, 2) else low <= v) and (v < high if boundary in (1, 2) else v <= high)]
        assert float(count) == len(inside), (boundary, low, high, count, inside)
    [count] = server.query("histogram_count(shop_size_bytes)")
    assert float(count["value"][1]) == len(SIZES)

    # Resource, metadata, exemplars.
    [info] = server.query('target_info{job="e2e/python-shop"}')
    assert info["metric"] == {"__name__": "target_info", "job": "e2e/python-shop", "instance": "i-1", "host_cpus": "8", "load_factor": "0.25", "is_canary": "true", "zones": '["a","b"]'}
    metadata = server.json("/api/v1/metadata")["data"]
    assert metadata["shop_orders_total"] == [{"type": "counter", "help": "Orders placed", "unit": ""}] or metadata["shop_orders_total"][0]["type"] == "counter"
    assert metadata["shop_latency_milliseconds"][0]["type"] == "histogram" and metadata["shop_latency_milliseconds"][0]["help"] == "Time of a request"
    found = server.json("/api/v1/query_exemplars", query='{__name__=~"shop_(orders|latency|size).*"}', start=start - 10, end=time.time() + 10)["data"]
    exemplars = {}
    for series in found:
        for exemplar in series["exemplars"]:
            ids = exemplar["labels"]["trace_id"], exemplar["labels"]["span_id"]
            exemplars.setdefault(series["seriesLabels"]["__name__"], set()).add((*ids, float(exemplar["value"])))
    identifiers = [(f"{context.trace_id:032x}", f"{context.span_id:016x}") for context in contexts]
    known = {*identifiers}
    assert all((trace_id, span_id) in known for all_of in exemplars.values() for trace_id, span_id, _ in all_of)
    latencies = {value for name, all_of in exemplars.items() if name.startswith("shop_latency") for *_, value in all_of}
    assert latencies and latencies <= set(LATENCIES)
    assert exemplars.get("shop_size_bytes"), "native histograms have exemplars"

    # SQL.
    rows = server.sql("SELECT value FROM metrics WHERE name = 'shop_orders_total' AND label(labels, 'paid') = 'true' ORDER BY timestamp")
    assert [row["value"] for row in rows][:2] == [3.0, 7.0]
