"""Zipkin's read API over what came in as Zipkin, which reads back equal, and over what OpenTelemetry's SDK sent."""

import json
import os
import pathlib
import time

import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from server import PATIENCE

CONFORMANCE = pathlib.Path(os.environ.get("SIGNALBOX_CONFORMANCE") or pathlib.Path(__file__).resolve().parents[3] / "shared/conformance")
FIXTURES = CONFORMANCE / "traces/zipkin"
NAMES = ["ascend", "envoy", "messaging-kafka", "messaging2", "simple-db-p6", "smartthings-mobile-web-install", "smartthings-oauth-authorization", "zipkin2-client"]


@pytest.fixture
def zipkin(servers):
    """A server with Zipkin's door at an address of its own."""
    return servers(config={"receive": {"zipkin": {"listen": "127.0.0.1:0"}}, "telemetry": {"self_watch": False}}).start()


def ask(server, path, status=200, **parameters):
    answer = requests.get(f"http://{server.addresses['zipkin']}{path}", params=parameters, timeout=PATIENCE)
    assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"
    return answer.json() if status == 200 else answer.text


def recent(spans):
    """Spans of long ago as if they had ended a minute ago: a server takes no old ones."""
    times = [timed for span in spans for timed in [span, *span.get("annotations", [])] if "timestamp" in timed]
    shift = int((time.time() - 60) * 1e6) - max(timed["timestamp"] for timed in times)
    for timed in times:
        timed["timestamp"] += shift
    return spans


def comparable(spans):
    """Spans without an order; annotations by time."""
    for span in spans:
        span.get("annotations", []).sort(key=lambda annotation: (annotation["timestamp"], annotation["value"]))
    return sorted(json.dumps(span, sort_keys=True) for span in spans)


@pytest.mark.parametrize("name", NAMES)
def test_what_came_in_reads_back_equal(zipkin, name):
    if not FIXTURES.is_dir():
        assert os.environ.get("CI") != "true", f"no {FIXTURES}"
        pytest.skip(f"no {FIXTURES}: set SIGNALBOX_CONFORMANCE")
    sent = json.loads((FIXTURES / f"{name}.json").read_text())
    sent = recent(sent if isinstance(sent, list) else [sent])
    answer = requests.post(f"http://{zipkin.addresses['zipkin']}/api/v2/spans", json=sent, timeout=PATIENCE)
    assert answer.status_code == 202, answer.text
    found = []
    for trace_id in {span["traceId"] for span in sent}:
        found += ask(zipkin, f"/api/v2/trace/{trace_id}")
    assert comparable(found) == comparable(sent)


def test_what_the_ui_and_grafana_ask(zipkin):
    provider = TracerProvider(resource=Resource({"service.name": "zipkin-shop"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=zipkin.grpc, insecure=True)))
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("get /order", kind=SpanKind.SERVER) as root:
        with tracer.start_as_current_span("select", kind=SpanKind.CLIENT, attributes={"db.system": "mysql", "peer.service": "orders-db"}) as query:
            query.add_event("retried")
            query.set_status(Status(StatusCode.ERROR, "deadlock"))
    trace_id = f"{root.get_span_context().trace_id:032x}"

    assert ask(zipkin, "/api/v2/services") == ["zipkin-shop"]
    assert ask(zipkin, "/api/v2/spans", serviceName="zipkin-shop") == ["get /order", "select"]
    assert ask(zipkin, "/api/v2/remoteServices", serviceName="zipkin-shop") == ["orders-db"]
    ask(zipkin, "/api/v2/spans", status=400)
    spans = {span["name"]: span for span in ask(zipkin, f"/api/v2/trace/{trace_id}")}
    select = spans["select"]
    assert (select["kind"], select["localEndpoint"], select["remoteEndpoint"]) == ("CLIENT", {"serviceName": "zipkin-shop"}, {"serviceName": "orders-db"})
    assert (select["tags"]["error"], select["tags"]["otel.status_code"], select["annotations"][0]["value"]) == ("deadlock", "ERROR", "retried")
    assert select["parentId"] == spans["get /order"]["id"] and "parentId" not in spans["get /order"]
    ask(zipkin, "/api/v2/trace/77", status=404)

    found = lambda **parameters: [trace[0]["traceId"] for trace in ask(zipkin, "/api/v2/traces", **parameters)]
    assert found(serviceName="zipkin-shop", annotationQuery="db.system=mysql and retried and error=deadlock") == [trace_id]
    assert found(remoteServiceName="orders-db", spanName="select", minDuration=1, maxDuration=60_000_000) == [trace_id]
    assert found(serviceName="zipkin-shop", annotationQuery="db.system=redis") == []
    assert found(endTs=int(time.time() * 1000) - 3_600_000, lookback=1000) == []
    assert [len(trace) for trace in ask(zipkin, "/api/v2/traceMany", traceIds=f"{trace_id},77")] == [2]
    end = int(time.time() * 1000) + 1000
    assert ask(zipkin, "/api/v2/dependencies", endTs=end) == [{"parent": "zipkin-shop", "child": "orders-db", "callCount": 1, "errorCount": 1}]
    assert "db.system" in ask(zipkin, "/api/v2/autocompleteKeys")
    assert ask(zipkin, "/api/v2/autocompleteValues", key="db.system") == ["mysql"]
    # The same below the prefix of the main address.
    assert zipkin.json("/zipkin/api/v2/services") == ["zipkin-shop"]
