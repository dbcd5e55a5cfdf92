"""Jaeger's APIs as its UI, Grafana, Kiali and its own query service use them, over what OpenTelemetry's SDK sent: HTTP, gRPC,
and the remote storage, at addresses of their own."""

import json
import time

import grpc
import otlp
import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from server import PATIENCE, until

DOORS = {"listen": "127.0.0.1:0", "grpc_listen": "127.0.0.1:0", "storage_listen": "127.0.0.1:0"}


def tracer(service, endpoint):
    provider = TracerProvider(resource=Resource({"service.name": service, "host.name": f"{service}-1"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    return provider.get_tracer("shop")


def tell(endpoint, orders=1):
    """Orders: the shop calls the payment, which asks its database and fails; returns the identifiers of the traces."""
    shop, pay = tracer("jaeger-shop", endpoint), tracer("jaeger-pay", endpoint)
    ids = []
    for number in range(orders):
        with shop.start_as_current_span("POST /order", kind=SpanKind.SERVER, attributes={"order": number, "plan": "gold"}) as root:
            with shop.start_as_current_span("call pay", kind=SpanKind.CLIENT) as call:
                with pay.start_as_current_span("charge", context=set_span_in_context(call), kind=SpanKind.SERVER) as charge:
                    with pay.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes={"db.system": "mysql"}):
                        pass
                    charge.add_event("declined", {"reason": "limit"})
                    charge.set_status(Status(StatusCode.ERROR, "declined"))
        ids.append(f"{root.get_span_context().trace_id:032x}")
    return ids


@pytest.fixture
def jaeger(servers):
    server = servers(config={"api": {"jaeger": DOORS}, "telemetry": {"self_watch": False}}).start()
    assert {"jaeger-query", "jaeger-query-grpc", "jaeger-storage"} <= set(server.addresses)
    return server


def ask(server, path, door="jaeger-query", status=200, **parameters):
    answer = requests.get(f"http://{server.addresses[door]}{path}", params=parameters, timeout=PATIENCE)
    assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"
    return answer.json()


def field(number, value):
    """A field of a protobuf message: text, bytes or a message that is bytes already."""
    data = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(data)]) + data


def varint(number, value):
    encoded = bytearray([number << 3])
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def call(channel, method, request, streams=False):
    """Answers the messages of a call as bytes."""
    raw = {"request_serializer": bytes, "response_deserializer": bytes}
    if streams:
        return list(channel.unary_stream(method, **raw)(request, timeout=PATIENCE))
    return channel.unary_unary(method, **raw)(request, timeout=PATIENCE)


def spans(messages):
    return [span for message in messages for resource in TracesData.FromString(message).resource_spans for scope in resource.scope_spans for span in scope.spans]


def test_what_the_ui_and_grafana_ask(jaeger):
    ids = tell(jaeger.grpc, orders=3)
    assert ask(jaeger, "/api/services")["data"] == ["jaeger-pay", "jaeger-shop"]
    assert ask(jaeger, "/api/services/jaeger-pay/operations")["data"] == ["SELECT", "charge"]
    assert ask(jaeger, "/api/operations", service="jaeger-pay", spanKind="server")["data"] == [{"name": "charge", "spanKind": "server"}]
    search = lambda **parameters: {trace["traceID"] for trace in ask(jaeger, "/api/traces", **parameters)["data"]}
    assert search(service="jaeger-shop", lookback="1h", limit=20) == set(ids)
    assert search(service="jaeger-shop", operation="POST /order", tags=json.dumps({"order": "1"})) == {ids[1]}
    assert search(service="jaeger-pay", tags=json.dumps({"error": "true", "reason": "limit"})) == set(ids)
    assert search(service="jaeger-pay", minDuration="1h") == set()
    now = int(time.time() * 1e6)
    assert len(search(service="jaeger-shop", start=now - 10**9, end=now + 10**6, limit=2)) == 2

    trace = ask(jaeger, f"/api/traces/{ids[0]}")["data"][0]
    charge = next(span for span in trace["spans"] if span["operationName"] == "charge")
    tags = {tag["key"]: tag["value"] for tag in charge["tags"]}
    assert (tags["error"], tags["otel.status_code"], tags["otel.status_description"], tags["span.kind"]) == (True, "ERROR", "declined", "server")
    assert [(log["key"], log["value"]) for log in charge["logs"][0]["fields"]] == [("event", "declined"), ("reason", "limit")]
    assert trace["processes"][charge["processID"]]["serviceName"] == "jaeger-pay"
    assert ask(jaeger, "/api/traces/77", status=404)["errors"][0]["code"] == 404
    for path, words in {"/analytics/v1/dependencies": "deep dependencies", "/api/quality-metrics": "how good traces are", "/api/nope": "/api/nope was not found"}.items():
        assert words in ask(jaeger, path, status=404)["errors"][0]["msg"]

    now_ms = int(time.time() * 1000) + 1000
    edges = {(edge["parent"], edge["child"]): edge["callCount"] for edge in ask(jaeger, "/api/dependencies", endTs=now_ms, lookback=3_600_000)["data"]}
    assert edges == {("jaeger-shop", "jaeger-pay"): 3, ("jaeger-pay", "mysql"): 3}

    window = {"service": ["jaeger-shop", "jaeger-pay"], "endTs": now_ms, "lookback": 60_000, "step": 60_000, "ratePer": 60_000}
    last = lambda path, **more: {metric["labels"][0]["value"]: metric["metricPoints"][-1]["gaugeValue"]["doubleValue"] for metric in ask(jaeger, f"/api/metrics/{path}", **window, **more)["metrics"]}
    assert last("calls") == pytest.approx({"jaeger-shop": 3 / 60, "jaeger-pay": 3 / 60})
    assert last("errors") == {"jaeger-shop": 0.0, "jaeger-pay": 1.0}
    assert all(0 < value < 60_000 for value in last("latencies", quantile=0.95).values())

    # The same below the prefix of the main address.
    assert jaeger.json("/jaeger/api/services")["data"] == ["jaeger-pay", "jaeger-shop"]


def test_the_third_api_answers_otlp(jaeger):
    [trace_id] = tell(jaeger.grpc)
    times = {"query.start_time_min": "2020-01-01T00:00:00Z", "query.start_time_max": "2100-01-01T00:00:00Z"}
    found = ask(jaeger, "/api/v3/traces", **times, **{"query.service_name": "jaeger-pay", "query.attributes": json.dumps({"db.system": "mysql"})})
    names = [span["name"] for resource in found["result"]["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]
    assert sorted(names) == ["POST /order", "SELECT", "call pay", "charge"]
    assert ask(jaeger, f"/api/v3/traces/{trace_id}") == found
    [summary] = ask(jaeger, "/api/v3/trace-summaries", **times)["summaries"]
    assert (summary["traceId"], summary["rootOperationName"], summary["spanCount"], summary["errorSpanCount"]) == (trace_id, "POST /order", 4, 1)
    # OTLP in, Jaeger out.
    answer = requests.post(f"http://{jaeger.addresses['jaeger-query']}/api/transform", json=found["result"], timeout=PATIENCE)
    assert [trace["traceID"] for trace in answer.json()["data"]] == [trace_id]


def test_grpc_of_both_query_services(jaeger):
    [trace_id] = tell(jaeger.grpc)
    for door in ["jaeger-query-grpc", "jaeger-query", "http"]:
        with grpc.insecure_channel(jaeger.addresses[door]) as channel:
            assert call(channel, "/jaeger.api_v3.QueryService/GetServices", b"") == field(1, "jaeger-pay") + field(1, "jaeger-shop")
            operations = call(channel, "/jaeger.api_v2.QueryService/GetOperations", field(1, "jaeger-shop") + field(2, "server"))
            assert operations == field(1, "POST /order") + field(2, field(1, "POST /order") + field(2, "server"))
            read = spans(call(channel, "/jaeger.api_v3.QueryService/GetTrace", field(1, trace_id), streams=True))
            assert sorted(span.name for span in read) == ["POST /order", "SELECT", "call pay", "charge"]
            chunks = call(channel, "/jaeger.api_v2.QueryService/GetTrace", field(1, bytes.fromhex(trace_id)), streams=True)
            assert b"call pay" in b"".join(chunks)
            query = field(1, "jaeger-pay") + field(3, field(1, "reason") + field(2, "limit")) + varint(8, 5)
            assert b"charge" in b"".join(call(channel, "/jaeger.api_v2.QueryService/FindTraces", field(1, query), streams=True))
            with pytest.raises(grpc.RpcError) as refused:
                call(channel, "/jaeger.api_v2.QueryService/GetTrace", field(1, bytes([9] * 16)), streams=True)
            assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.NOT_FOUND, "trace not found")
            with pytest.raises(grpc.RpcError) as refused:
                call(channel, "/jaeger.api_v3.QueryService/FindTraces", field(1, field(1, "jaeger-shop")), streams=True)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_query_service_of_jaeger_stores_and_reads(jaeger):
    # What it writes is OTLP, at the same address.
    [trace_id] = tell(jaeger.addresses["jaeger-storage"])
    identifier = bytes.fromhex(trace_id)
    with grpc.insecure_channel(jaeger.addresses["jaeger-storage"]) as channel:
        reader = "/jaeger.storage.v2.TraceReader"
        stored = call(channel, f"{reader}/GetTraces", field(1, field(1, identifier)), streams=True)
        assert sorted(span.name for span in spans(stored)) == ["POST /order", "SELECT", "call pay", "charge"]
        plan = field(3, field(1, "plan") + field(2, field(1, "gold")))
        found = call(channel, f"{reader}/FindTraceIDs", field(1, field(1, "jaeger-shop") + plan + varint(8, 10)))
        assert identifier in found
        assert call(channel, f"{reader}/FindTraces", field(1, field(1, "jaeger-shop") + plan), streams=True) == stored
        assert call(channel, f"{reader}/FindTraces", field(1, field(1, "jaeger-pay") + plan), streams=True) == []
        # A search needs no service, all of it holds for one span, and filters may have the operators that it names.
        capabilities = call(channel, "/jaeger.storage.v2.Capabilities/GetCapabilities", b"")
        assert capabilities[2:].startswith(varint(1, 1) + varint(2, 1)), capabilities
        assert all(field(2, operator) in capabilities for operator in ("and", "eq", "regex", "some")), capabilities
        start, end = field(1, varint(1, 1)), field(2, varint(1, int(time.time()) + 60))
        links = call(channel, "/jaeger.storage.v2.DependencyReader/GetDependencies", start + end)
        assert field(1, "jaeger-shop") + field(2, "jaeger-pay") + varint(3, 1) in links
        with pytest.raises(grpc.RpcError) as refused:
            call(channel, f"{reader}/Nothing", b"")
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_tags_that_are_fields_of_a_span(jaeger):
    (bad,) = tell(jaeger.grpc)
    shop = tracer("jaeger-shop", jaeger.grpc)
    with shop.start_as_current_span("GET /", kind=SpanKind.INTERNAL, attributes={"http.status_code": 500}) as fine:
        pass
    good = f"{fine.get_span_context().trace_id:032x}"

    def found(**tags):
        answer = ask(jaeger, "/api/traces", service="jaeger-shop", tags=json.dumps(tags), limit=20, lookback="1h")
        return {trace["traceID"] for trace in answer["data"]}

    assert found() == {bad, good}
    assert found(**{"span.kind": "internal"}) == {good}
    assert found(**{"span.kind": "client"}) == {bad}
    assert found(**{"http.status_code": "500"}) == {good}
    assert found(**{"host.name": "jaeger-shop-1"}) == {bad, good}
    assert found(**{"host.name": "jaeger-shop-2"}) == set()
    answer = ask(jaeger, "/api/traces", service="jaeger-pay", tags=json.dumps({"error": "true"}), limit=20, lookback="1h")
    assert {trace["traceID"] for trace in answer["data"]} == {bad}
    assert found(error="true") == set()
    answer = ask(jaeger, "/api/traces", service="jaeger-pay", tags=json.dumps({"otel.status_description": "declined"}), limit=20, lookback="1h")
    assert {trace["traceID"] for trace in answer["data"]} == {bad}


def test_an_archived_trace_outlives_the_others(servers):
    """As the button "Archive Trace" of the UI does: marked over HTTP, found for longer, by all dialects and after kill -9."""
    hour = 3600
    kept = {"name": "archived", "archived": True, "keep_seconds": 30 * 24 * hour}
    retention = {"traces": {"max_age_seconds": 2 * hour}, "logs": {"max_age_seconds": 2 * hour}, "kept_traces": [kept]}
    server = servers(config={"store": {"retention": retention}, "telemetry": {"self_watch": False}}).start()
    at = (int(time.time()) - 5 * hour) * 10**9
    good, other, late = [bytes([number] * 16) for number in (1, 2, 3)]
    rows = [(trace, bytes([step] * 8), f"step {step}", at + step * 10**6) for trace in (good, other, late) for step in (1, 2)]
    otlp.send(server.otlp, "traces", otlp.spans("archived-shop", rows))
    archive = lambda trace: requests.post(f"{server.http}/jaeger/api/archive/{trace}", timeout=PATIENCE)
    answer = archive(good.hex())
    assert (answer.status_code, answer.json()["errors"]) == (200, None), answer.text
    assert archive("77").status_code == 404
    # The mark is durable when it is answered; nothing is judged before it is in a segment.
    server.kill()
    server.start()
    assert archive(late.hex()).status_code == 200
    present = lambda: {row["trace"]: row["n"] for row in server.sql("SELECT encode(trace_id, 'hex') AS trace, count(*) AS n FROM spans GROUP BY 1")}
    assert present() == {trace.hex(): 2 for trace in (good, other, late)}

    def compacted():
        assert server.session.post(f"{server.http}/-/compact", timeout=PATIENCE).status_code < 300
        return present() == {good.hex(): 2, late.hex(): 2}

    until(compacted, "the trace that nobody archived to go")
    server.stop()
    server.start()
    assert server.get(f"/jaeger/api/traces/{other.hex()}").status_code == 404
    [trace] = server.json(f"/jaeger/api/traces/{good.hex()}")["data"]
    assert sorted(span["operationName"] for span in trace["spans"]) == ["step 1", "step 2"]
    found = server.json("/jaeger/api/traces", service="archived-shop", start=at // 1000 - 1, end=at // 1000 + 10**6)["data"]
    assert {trace["traceID"] for trace in found} == {good.hex(), late.hex()}
    assert server.get(f"/tempo/api/v2/traces/{late.hex()}").status_code == 200
