"""Answers about known traces: what Python finds in the spans themselves is what every question about them must find."""

import base64
import collections
import json
import os
import pathlib
import subprocess

import pytest
from server import BINARY, PATIENCE

TRACES, START, RANGE = 400, 1_795_456_800, 7200
END = START + RANGE + 600
LOAD = pathlib.Path(os.environ.get("SIGNALBOX_LOAD", pathlib.Path(BINARY).resolve().parent / "examples" / "load"))


def load(*arguments):
    command = [LOAD, "--set", "T1", "--traces", str(TRACES), "--start", str(START), "--range", str(RANGE), "--batch", "500", *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE).stdout


@pytest.fixture(scope="module")
def spans():
    return [json.loads(line) for line in load("--url", "-", "--format", "json").splitlines()]


def search(server, query, limit=10_000):
    """Trace to the number of its spans that fit."""
    answer = server.json("/tempo/api/search", q=query, start=START, end=END, limit=limit)
    return {trace["traceID"].zfill(32): sum(group["matched"] for group in trace["spanSets"]) for trace in answer["traces"]}


def bytes_of(text):
    """An identifier as JSON has it: hexadecimal, or base64 where protobuf's rules are followed to the letter."""
    return text if len(text) in (16, 32) else base64.b64decode(text).hex()


def attributes_of(pairs):
    value = {"stringValue": str, "intValue": int, "boolValue": bool, "doubleValue": float}
    return {pair["key"]: value[kind](content) for pair in pairs for kind, content in pair["value"].items()}


def trace_of(server, trace):
    """The spans of a trace in the form of the data set."""
    answer = server.json(f"/tempo/api/traces/{trace}")
    found = []
    for batch in answer.get("batches") or answer["resourceSpans"]:
        resource = attributes_of(batch["resource"]["attributes"])
        for scope in batch["scopeSpans"]:
            assert (scope["scope"]["name"], scope["scope"]["version"]) == ("com.shop.tracing", "1.0.0")
            for span in scope["spans"]:
                kind = span["kind"] if isinstance(span["kind"], int) else ["INTERNAL", "SERVER", "CLIENT"].index(span["kind"].rsplit("_", 1)[-1]) + 1
                parent = span.get("parentSpanId")
                found.append({
                    "trace": bytes_of(span["traceId"]), "id": bytes_of(span["spanId"]), "parent": bytes_of(parent) if parent else None, "kind": kind,
                    "start": int(span["startTimeUnixNano"]), "end": int(span["endTimeUnixNano"]), "name": span["name"], "resource": resource,
                    "error": (span.get("status") or {}).get("code") in (2, "STATUS_CODE_ERROR"), "attributes": attributes_of(span["attributes"]),
                    "events": len(span.get("events") or [])})
    return sorted(found, key=lambda span: span["id"])


def check(server, spans):
    by_trace = collections.defaultdict(list)
    for span in spans:
        by_trace[span["trace"]].append(span)

    def counted(fits):
        return {trace: count for trace, own in by_trace.items() if (count := sum(map(fits, own)))}

    needle = list(by_trace)[TRACES // 2]
    failed = next(span["trace"] for span in spans if span["error"])
    for trace in [needle, failed, *list(by_trace)[:: TRACES // 7]]:
        want = [span | {"events": int(span["error"])} for span in sorted(by_trace[trace], key=lambda span: span["id"])]
        assert trace_of(server, trace) == want
    assert server.get("/tempo/api/traces/00000000000000000000000000000001").status_code == 404

    questions = {
        "{ status = error }": lambda span: span["error"],
        '{ resource.service.name = "checkout" && duration > 100ms }':
            lambda span: span["resource"]["service.name"] == "checkout" and span["end"] - span["start"] > 100_000_000,
        '{ resource.service.name = "payment" && status = error }': lambda span: span["resource"]["service.name"] == "payment" and span["error"],
        "{ span.http.response.status_code = 404 && kind = server }": lambda span: span["attributes"].get("http.response.status_code") == 404,
        "{ span.http.response.status_code >= 500 }": lambda span: span["attributes"].get("http.response.status_code", 0) >= 500,
        '{ name = "authorize" && duration <= 1ms }': lambda span: span["name"] == "authorize" and span["end"] - span["start"] <= 1_000_000,
        '{ span.user.id = "1000" }': lambda span: span["attributes"].get("user.id") == "1000",
        '{ resource.k8s.node.name = "ip-10-0-1-19" && span.db.system = "redis" }':
            lambda span: span["resource"]["k8s.node.name"] == "ip-10-0-1-19" and span["attributes"].get("db.system") == "redis",
        '{ span.user.id = "no such user" }': lambda span: False,
    }
    # Of some users, paths and addresses.
    for span in spans[:: len(spans) // 8]:
        for key in ["user.id", "url.path", "client.address"]:
            value = span["attributes"].get(key)
            if value:
                questions[f"{{ span.{key} = {json.dumps(value)} }}"] = lambda span, key=key, value=value: span["attributes"].get(key) == value
    for query, fits in questions.items():
        assert search(server, query) == counted(fits), query
    # Fewer than there are.
    few = search(server, "{ kind = server }", limit=20)
    assert len(few) == 20 and few.items() <= counted(lambda span: span["kind"] == 2).items()


def test_every_question_finds_what_is_there(servers, spans):
    server = servers(config={"telemetry": {"self_watch": False}, "alert": {"rule_files": []}}).start()
    load("--url", f"{server.otlp}/v1/traces")
    check(server, spans)
    assert server.session.post(server.http + "/-/compact", timeout=PATIENCE).status_code < 300
    check(server, spans)
    server.kill()
    server.start()
    check(server, spans)
