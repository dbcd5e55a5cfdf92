"""Answers about a known data set: what Python finds in the lines themselves is what every question about them must find."""

import collections
import json
import math
import os
import pathlib
import re
import subprocess

import pytest
from server import BINARY, PATIENCE

RECORDS, START, RANGE = 20_000, 1_795_456_800, 7200
END = START + RANGE + 3
WHOLE = f"[{RANGE + 3}s]"
ALL = '{service_name=~".+"}'
LOAD = pathlib.Path(os.environ.get("SIGNALBOX_LOAD", pathlib.Path(BINARY).resolve().parent / "examples" / "load"))


def load(*arguments):
    command = [LOAD, "--set", "L1", "--records", str(RECORDS), "--start", str(START), "--range", str(RANGE), "--batch", "1000", *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE).stdout


@pytest.fixture(scope="module")
def lines():
    return [json.loads(line) for line in load("--url", "-", "--format", "json").splitlines()]


def instant(server, query):
    answer = server.json("/loki/api/v1/query", query=query, time=END)
    return {tuple(sorted(entry["metric"].items())): float(entry["value"][1]) for entry in answer["data"]["result"]}


def ranged(server, query, **more):
    return server.json("/loki/api/v1/query_range", query=query, start=START, end=END, direction="backward", **more)["data"]["result"]


def total(server, query):
    return instant(server, query).get((), 0.0)


def rows(found):
    return sorted((int(time), line) for stream in found for time, line, *_ in stream["values"])


def check(server, lines):
    bodies = [line["message"] for line in lines]
    for text in ["timeout", "deadlock", "checksum mismatch", "ORD-0012", "imeou", "10.1.2", "no such text"]:
        want = sum(text in body for body in bodies)
        assert total(server, f"sum(count_over_time({ALL} |= `{text}` {WHOLE}))") == want, text
        assert total(server, f"sum(count_over_time({ALL} != `{text}` {WHOLE}))") == len(bodies) - want, text
    for pattern in [r"took [0-9]{4,}ms", r"(?i)TIMEOUT", r"ORD-00[0-9]{6} ", r"^[0-9.]+ \"POST .* 50[03] "]:
        want = sum(re.search(pattern, body) is not None for body in bodies)
        assert want > 0 and total(server, f"sum(count_over_time({ALL} |~ `{pattern}` {WHOLE}))") == want, pattern

    found = collections.Counter()
    for entry in ranged(server, f'sum(count_over_time({ALL} |= "timeout" [1m]))', step="60s"):
        found.update({int(time): float(value) for time, value in entry["values"]})
    want = collections.Counter()
    for line in lines:
        # The window of a step is open at its left: a record at the very step belongs to it.
        step = -(-(line["ts"] - START * 10**9) // (60 * 10**9))
        if "timeout" in line["message"] and step * 60 <= RANGE + 3:
            want[START + 60 * step] += 1.0
    assert found == want

    by = collections.Counter((("service_name", line["service.name"]), ("severity_text", line["level"])) for line in lines)
    assert instant(server, f"sum by (service_name, severity_text) (count_over_time({ALL} {WHOLE}))") == by

    status = collections.Counter((("service_name", line["service.name"]),) for line in lines if line.get("http.response.status_code") == 500)
    assert instant(server, f'sum by (service_name) (count_over_time({ALL} | http_response_status_code="500" {WHOLE}))') == status

    addresses = collections.Counter(line["client.address"] for line in lines if "client.address" in line)
    top = instant(server, f'topk(10, sum by (client_address) (count_over_time({ALL} | client_address!="" {WHOLE})))')
    assert sorted(top.values()) == sorted(count for _, count in addresses.most_common(10))
    assert all(addresses[dict(labels)["client_address"]] == count for labels, count in top.items())

    took = collections.defaultdict(list)
    for line in lines:
        if line.get("http.route") == "/api/v1/orders":
            took[(("service_name", line["service.name"]),)].append(line["http.server.request.duration_ms"])
    query = f'quantile_over_time(0.99, {ALL} | http_route="/api/v1/orders" | unwrap http_server_request_duration_ms {WHOLE}) by (service_name)'
    answered = instant(server, query)
    assert answered.keys() == took.keys()
    for labels, values in took.items():
        values.sort()
        rank = 0.99 * (len(values) - 1)
        low, high = values[math.floor(rank)], values[min(math.floor(rank) + 1, len(values) - 1)]
        assert answered[labels] == pytest.approx(low + (high - low) * (rank - math.floor(rank))), labels

    # One trace, by its number: all of its records, no others.
    trace = next(line["trace_id"] for line in lines[RECORDS // 2 :] if "trace_id" in line)
    want = sorted((line["ts"], line["message"]) for line in lines if line.get("trace_id") == trace)
    assert rows(ranged(server, f'{ALL} | trace_id="{trace}"', limit=100)) == want
    assert rows(ranged(server, f'{{trace_id="{trace}"}}', limit=100)) == want

    newest = sorted(((line["ts"], line["message"]) for line in lines if (line["service.name"], line["level"]) == ("checkout", "ERROR")), reverse=True)
    assert rows(ranged(server, '{service_name="checkout"} | severity_text="ERROR"', limit=20)) == sorted(newest[:20])

    # The search language counts the same, by words.
    word = re.compile(r"(?<![0-9A-Za-z_])timeout(?![0-9A-Za-z_])", re.IGNORECASE)
    want = sum(word.search(line["message"]) is not None and line["level"] == "ERROR" for line in lines)
    assert server.json("/api/v1/logs/search", query="timeout level:error", start=START, end=END, limit=1, total="true")["total"] == want


def test_every_question_finds_what_is_there(servers, lines):
    server = servers(config={"telemetry": {"self_watch": False}, "alert": {"rule_files": []}}).start()
    load("--url", f"{server.otlp}/v1/logs")
    check(server, lines)
    assert server.session.post(server.http + "/-/compact", timeout=PATIENCE).status_code < 300
    check(server, lines)
    server.kill()
    server.start()
    check(server, lines)
