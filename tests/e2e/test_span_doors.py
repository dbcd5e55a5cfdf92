"""Clients of Zipkin and Jaeger write spans to us, each in its own way; what they send becomes the same spans."""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
import requests
from attributes import of_json
from server import PATIENCE, until

HERE = pathlib.Path(__file__).parent
CLIENTS = {
    "py_zipkin": "zipkin",
    "py_zipkin-protobuf": "zipkin",
    "py_zipkin-v1": "http",
    "py_zipkin-grpc": "zipkin",
    "py_zipkin-grpc-beside-otlp": "otlp-grpc",
    "otel-zipkin-json": "zipkin",
    "otel-jaeger-udp": "jaeger-compact",
    "jaeger-grpc": "jaeger-grpc",
    "otel-jaeger-http": "jaeger-http",
    "jaeger": "jaeger-compact",
}
# Code that some clients bring along was generated for an older library.
OLD_PROTOBUF = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    from server import Server

    server = Server(tmp_path_factory.mktemp("spans"), config={"telemetry": {"self_watch": False}}).start()
    yield server
    server.stop()
    assert not server.problems()


def send(server, client):
    sampling = server.addresses["jaeger-sampling"].rsplit(":", 1)[1]
    command = [sys.executable, str(HERE / "span_clients.py"), client, server.addresses[CLIENTS[client]]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | OLD_PROTOBUF | {"SAMPLING_PORT": sampling})
    assert ended.returncode == 0, ended.stderr


def spans(server, before):
    """The spans of the newest trace that has two, of which `before` knows none, by name."""
    query = "SELECT *, hex(trace_id) AS trace, hex(span_id) AS span, hex(parent_span_id) AS parent FROM spans WHERE name IN ('GET /cart', 'SELECT', 'get /cart', 'select')"
    rows = until(lambda: len(found := [row for row in server.sql(query) if row["trace"] not in before]) >= 2 and found, "two spans")
    assert len(rows) == 2 and rows[0]["trace"] == rows[1]["trace"], rows
    before.add(rows[0]["trace"])
    return {row["name"].upper(): row for row in rows}


def test_clients_of_zipkin_and_jaeger_send_the_same_spans(doors):
    before = set()
    for client in CLIENTS:
        send(doors, client)
        found = spans(doors, before)
        parent, child = found["GET /CART"], found["SELECT"]
        assert child["parent"] == parent["span"] and parent["parent"] is None, client
        assert (parent["kind"], child["kind"]) == (2, 3), client
        assert (parent["service"], parent["attributes"]["http.path"], child["attributes"]["peer.service"]) == ("shop", "/cart", "database"), (client, child)
        assert (parent["status_code"], child["status_code"]) == (0, 2), client
        assert "cache miss" in json.dumps(child["events"]), (client, child["events"])
        assert int(child["duration_ns"]) > 0 and len(child["trace"]) == 32, client
        if client.startswith("otel"):
            assert of_json(child["resource"])["service.name"] == "shop" and "boom" in child["status_message"], client
            assert of_json(child["scope"])["$name"] == "lib", client
    page = doors.get("/metrics").text
    for protocol in ["zipkin", "zipkin_grpc", "jaeger_compact", "jaeger_http", "jaeger_grpc"]:
        assert f'signalbox_receive_rows_total{{protocol="{protocol}",signal="traces"}}' in page


def test_zipkin_is_told_what_is_wrong(doors):
    address = f"http://{doors.addresses['zipkin']}/api/v2/spans"
    assert requests.post(address, data="[{", timeout=PATIENCE).status_code == 400
    answer = requests.post(address, json=[{"traceId": "nonsense", "id": "1"}], timeout=PATIENCE)
    assert answer.status_code == 400 and "invalid_id" in answer.text


def test_a_trace_is_found_by_its_short_id_and_its_long_one(doors):
    span = {"traceId": "00000000000abcde", "id": "b7ad6b7169203331", "name": "short", "timestamp": time.time_ns() // 1000, "duration": 5, "localEndpoint": {"serviceName": "s"}}
    assert requests.post(f"{doors.http}/api/v2/spans", json=[span], timeout=PATIENCE).status_code == 202
    for spelling in ["abcde", "00000000000abcde", "000000000000000000000000000abcde"]:
        answer = doors.get(f"/jaeger/api/traces/{spelling}")
        assert answer.status_code == 200 and "short" in answer.text, (spelling, answer.status_code, answer.text[:300])
