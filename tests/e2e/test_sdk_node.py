"""OpenTelemetry's SDK for Node over OTLP/HTTP with JSON and with protobuf, and over gRPC."""

import json
import pathlib
import subprocess

import pytest
from attributes import of_json, read

HERE = pathlib.Path(__file__).parent


@pytest.mark.parametrize("transport", ["json", "proto", "grpc"])
def test_what_node_sends_comes_back(server, transport):
    endpoint = f"http://{server.grpc}" if transport == "grpc" else server.otlp
    run = subprocess.run(["node", str(HERE / "node" / "send.mjs"), transport, endpoint], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "rror" not in run.stderr, run.stderr
    sent = json.loads(run.stdout)
    service = f"node-{transport}"
    traces_come_back(server, service, sent)
    logs_come_back(server, service, sent)
    metrics_come_back(server, service, sent)


def expected_types(sent):
    types = sent["types"]
    return {
        "text": ("s", types["text"]),
        "yes": ("b", "true"),
        "whole": ("i", str(types["whole"])),
        "fraction": ("d", 0.1),
        "texts": ("a", ["a", "b"]),
        "wholes": ("a", [1, 2]),
    }


def traces_come_back(server, service, sent):
    rows = server.sql(f"SELECT *, CAST(timestamp AS BIGINT) AS at, hex(span_id) AS span, hex(parent_span_id) AS parent FROM spans WHERE trace_id = '{sent['trace']}' ORDER BY kind")
    root, child = rows
    assert (root["span"], root["parent"], root["name"], root["kind"]) == (sent["root"]["id"], None, "GET /", 2)
    assert (child["span"], child["parent"], child["name"], child["kind"]) == (sent["child"]["id"], sent["root"]["id"], "query", 3)
    for row, told in [(root, sent["root"]), (child, sent["child"])]:
        assert (str(row["at"]), str(row["duration_ns"])) == (told["start"], told["duration"])
        assert row["service"] == service
    assert read(root["attributes"], root["attribute_types"]) == expected_types(sent)
    assert (child["status_code"], child["status_message"]) == (2, "failed")
    retry, exception = child["events"]
    assert (retry["name"], read(retry["attributes"], retry["attribute_types"])) == ("retry", {"attempt": ("i", "2")})
    assert exception["name"] == "exception" and exception["attributes"]["exception.message"] == "not a number"
    [link] = child["links"]
    assert (link["trace_id"], link["span_id"], link["attributes"]) == ("0123456789abcdef0123456789abcdef", "0123456789abcdef", {"why": "batch"})
    scope = of_json(root["scope"])
    assert (scope["$name"], scope["$version"]) == ("node.shop", "3.1")
    resource = of_json(root["resource"])
    assert resource["process.pid"] == 7 and resource["zones"] == ["a", "b"]
    assert len(server.json(f"/jaeger/api/traces/{sent['trace']}")["data"][0]["spans"]) == 2


def logs_come_back(server, service, sent):
    rows = server.sql(f"SELECT *, CAST(timestamp AS BIGINT) AS at, hex(trace_id) AS trace, hex(span_id) AS span FROM logs WHERE service = '{service}' ORDER BY timestamp")
    plain, structured = rows
    assert [int(row["at"]) for row in rows] == [sent["time"] * 1_000_000, (sent["time"] + 1) * 1_000_000]
    assert all((row["trace"], row["span"]) == (sent["trace"], sent["root"]["id"]) for row in rows)
    assert (plain["body"], plain["severity_number"], plain["severity_text"]) == ("plain words", 13, "WARN")
    assert read(plain["attributes"], plain["attribute_types"]) == expected_types(sent)
    assert structured["body_type"] == "m"
    assert json.loads(structured["body"]) == {"message": "structured", "list": [1, "two", {"three": 3}], "bytes": {"$bytes": "AP8="}}
    assert read(structured["attributes"], structured["attribute_types"]) == {"deep": ("m", {"a": [True]})}
    found = server.streams(f'{{service_name="{service}"}} |= "plain"', start=(sent["time"] - 1000) * 1_000_000, end=(sent["time"] + 1000) * 1_000_000)
    assert [line for _, _, line, _ in found] == ["plain words"]


def metrics_come_back(server, service, sent):
    def values(name):
        return {tuple(sorted((key, value) for key, value in entry["metric"].items() if key in ("paid", "le", "room"))): float(entry["value"][1]) for entry in server.query(f'{name}{{job="{service}"}}')}

    latencies, sizes = sent["latencies"], sent["sizes"]
    assert values("node_orders_total") == {(("paid", "true"),): 5.0}
    assert values("node_items") == {(): -3.0}
    assert values("node_temperature_celsius") == {(("room", "cellar"),): -4.5}
    buckets = {(("le", text),): float(sum(value <= bound for value in latencies)) for text, bound in [("0.1", 0.1), ("1", 1.0), ("+Inf", float("inf"))]}
    assert values("node_latency_seconds_bucket") == buckets
    assert values("node_latency_seconds_count") == {(): float(len(latencies))}
    assert values("node_latency_seconds_sum")[()] == pytest.approx(sum(latencies), rel=1e-12)
    [native] = server.query(f'node_size_bytes{{job="{service}"}}')
    histogram = native["histogram"][1]
    assert (float(histogram["count"]), float(histogram["sum"])) == (len(sizes), sum(sizes))
    for boundary, low, high, count in histogram["buckets"]:
        assert boundary == 0
        assert float(count) == sum(float(low) < value <= float(high) for value in sizes)
    assert sum(float(bucket[3]) for bucket in histogram["buckets"]) == len(sizes)
