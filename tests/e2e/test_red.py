"""Metrics of spans: what OpenTelemetry's SDK sent is what PromQL, exemplars and the service map say, and kill -9 changes nothing."""

import time

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from server import until

CONFIG = {"ingest": {"span_metrics": {"interval_seconds": 1, "wait_seconds": 1, "dimensions": ["zone", "http.request.method"]}}}
ORDERS = 40
FAILED = 8


def provider(server, service):
    made = TracerProvider(resource=Resource({"service.name": service, "zone": "eu"}))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=server.grpc, insecure=True)))
    return made


def order(front, back, fails):
    """A shop's front calls its back, which asks a database and a bank that sends no spans."""
    with front.start_as_current_span("GET /order", kind=SpanKind.SERVER, attributes={"http.request.method": "GET"}) as root:
        with front.start_as_current_span("call back", kind=SpanKind.CLIENT):
            with back.start_as_current_span("POST /order", kind=SpanKind.SERVER) as served:
                with back.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes={"db.system": "postgresql", "db.name": "orders"}):
                    time.sleep(0.002)
                with back.start_as_current_span("pay", kind=SpanKind.CLIENT, attributes={"peer.service": "bank"}):
                    pass
                if fails:
                    served.set_status(Status(StatusCode.ERROR, "sold out"))
                    root.set_status(Status(StatusCode.ERROR))
        return root.get_span_context().trace_id


@pytest.fixture
def shop(servers):
    server = servers(config=CONFIG).start()
    providers = [provider(server, "front"), provider(server, "back")]
    front, back = [made.get_tracer("shop") for made in providers]
    traces = {f"{order(front, back, number < FAILED):032x}" for number in range(ORDERS)}
    for made in providers:
        made.shutdown()
    return server, traces


def counted(server, expression, labels=()):
    return {tuple(series["metric"].get(label, "") for label in labels): float(series["value"][1]) for series in server.query(expression)}


def test_rates_errors_and_durations_are_what_was_sent(shop):
    server, traces = shop
    calls = "sum by (service, span_name, span_kind, status_code, zone, http_request_method) (traces_spanmetrics_calls_total{service=~\"front|back\"})"
    labels = ["service", "span_name", "span_kind", "status_code", "zone", "http_request_method"]
    want = {
        ("front", "GET /order", "SPAN_KIND_SERVER", "STATUS_CODE_UNSET", "eu", "GET"): ORDERS - FAILED,
        ("front", "GET /order", "SPAN_KIND_SERVER", "STATUS_CODE_ERROR", "eu", "GET"): FAILED,
        ("front", "call back", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET", "eu", ""): ORDERS,
        ("back", "POST /order", "SPAN_KIND_SERVER", "STATUS_CODE_UNSET", "eu", ""): ORDERS - FAILED,
        ("back", "POST /order", "SPAN_KIND_SERVER", "STATUS_CODE_ERROR", "eu", ""): FAILED,
        ("back", "SELECT", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET", "eu", ""): ORDERS,
        ("back", "pay", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET", "eu", ""): ORDERS,
    }
    until(lambda: counted(server, calls, labels) == want, "all spans in the metrics")
    # The series begin with 0, so that all of it is an increase, though PromQL stretches it to the window.
    increase = counted(server, "sum(increase(traces_spanmetrics_calls_total{service=~\"front|back\"}[10m]))")[()]
    assert increase >= sum(want.values()) * 0.99
    # Native and classic histograms hold the same.
    native = counted(server, "histogram_count(sum(traces_spanmetrics_latency{service=\"back\", span_name=\"SELECT\"}))")[()]
    classic = counted(server, "sum(traces_spanmetrics_latency_bucket{service=\"back\", span_name=\"SELECT\", le=\"+Inf\"})")[()]
    assert native == classic == ORDERS
    stored = server.sql("select count(*) as spans, sum(duration_ns) / 1e9 as seconds from spans where service = 'back' and name = 'SELECT'")[0]
    sums = counted(server, "sum(traces_spanmetrics_latency_sum{service=\"back\", span_name=\"SELECT\"})")[()]
    assert stored["spans"] == ORDERS and abs(stored["seconds"] - sums) < 1e-6
    median = counted(server, "histogram_quantile(0.5, sum(traces_spanmetrics_latency{service=\"back\", span_name=\"SELECT\"}))")[()]
    exact = sorted(row["duration_ns"] for row in server.sql("select duration_ns from spans where service = 'back' and name = 'SELECT'"))[ORDERS // 2 - 1] / 1e9
    assert exact / 1.1 <= median <= exact * 1.1

    # An exemplar leads to a trace that was sent, and that opens.
    now = time.time()
    for name in ["traces_spanmetrics_latency", "traces_spanmetrics_latency_bucket"]:
        found = server.json("/api/v1/query_exemplars", query=name + '{service="front"}', start=now - 600, end=now + 60)["data"]
        ids = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
        assert ids and ids <= traces, name
        assert server.get(f"/tempo/api/traces/{ids.pop()}").status_code == 200


def test_the_service_graph_is_what_called_what(shop):
    server, _ = shop
    labels = ["client", "server", "connection_type"]
    want = {
        ("user", "front", "virtual_node"): ORDERS,
        ("front", "back", ""): ORDERS,
        ("back", "orders", "database"): ORDERS,
        ("back", "bank", "virtual_node"): ORDERS,
    }
    until(lambda: counted(server, "traces_service_graph_request_total{server!=\"signalbox\"}", labels) == want, "all edges")
    failed = counted(server, "traces_service_graph_request_failed_total{server!=\"signalbox\"} > 0", labels)
    assert failed == {("user", "front", "virtual_node"): FAILED, ("front", "back", ""): FAILED}
    # What Grafana asks for its graph.
    seconds = counted(server, 'sum by (client, server, le) (traces_service_graph_request_server_seconds_bucket{server="back", le="+Inf"})', ["client", "server"])
    assert seconds == {("front", "back"): ORDERS}

    answer = server.json("/api/v1/service_map")
    # The server is a service like others.
    edges = [edge for edge in answer["edges"] if edge["server"] != "signalbox"]
    assert {(edge["client"], edge["server"], edge["connection"] if edge["connection"] != "request" else "") for edge in edges} == set(want)
    nodes = {node["name"]: node for node in answer["nodes"] if node["name"] != "signalbox"}
    assert {name: node["kind"] for name, node in nodes.items()} == {"front": "service", "back": "service", "orders": "database", "bank": "external", "user": "user"}
    for name in ["front", "back"]:
        assert nodes[name]["rate"] > 0 and abs(nodes[name]["error_rate"] / nodes[name]["rate"] - FAILED / ORDERS) < 0.01
        assert 0 < nodes[name]["p50"] <= nodes[name]["p95"] <= nodes[name]["p99"]
    operations = server.json("/api/v1/service_map/operations", service="back")["operations"]
    assert {operation["name"] for operation in operations} == {"POST /order", "SELECT", "pay"}


def total(server, expression):
    """What a counter counted over all restarts: what falls began anew."""
    total = 0
    for series in server.query(expression + "[1h]"):
        last = 0
        for _, value in series["values"]:
            value = float(value)
            total += value if value < last else value - last
            last = value
    return total


def test_kill_9_neither_loses_nor_doubles_a_span(servers):
    server = servers(config=CONFIG).start()
    sent = 0
    for round_ in range(4):
        for batch in range(5):
            now = time.time_ns()
            spans = [
                {"traceId": f"{sent + number + 1:032x}", "spanId": f"{number + 1:016x}", "name": f"op {number % 3}", "kind": 1,
                 "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1_000_000)}
                for number in range(20)
            ]
            body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "worker"}}]}, "scopeSpans": [{"spans": spans}]}]}
            answer = server.session.post(server.otlp + "/v1/traces", json=body, timeout=60)
            assert answer.status_code == 200, answer.text
            sent += len(spans)
            # In the last round of each second one the metrics are written between the requests.
            time.sleep(0.3 if round_ % 2 else 0)
        server.kill()
        server.start()
    until(lambda: total(server, 'traces_spanmetrics_calls_total{service="worker"}') >= sent, "all spans in the metrics")
    server.stop()
    server.start()
    assert total(server, 'traces_spanmetrics_calls_total{service="worker"}') == sent
    assert total(server, 'traces_spanmetrics_latency_count{service="worker"}') == sent
