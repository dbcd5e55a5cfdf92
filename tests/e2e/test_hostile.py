"""Requests that are too large, too slow, broken or wrong: refused by the protocol's own words, and nothing else suffers."""

import gzip
import json
import socket
import time

import grpc
import otlp
import pytest
import remote_write
import requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from server import until

MIB = 1 << 20
LIMITS = {"wire_bytes_max": MIB, "bytes_max": 2 * MIB, "read_timeout_seconds": 2}
EXPORT_LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture
def server(servers):
    return servers(config={"receive": {"otlp": {"limits": LIMITS}, "remote_write": {"limits": LIMITS}}, "telemetry": {"self_watch": False}}).start()


def one_log(body="fine"):
    return otlp.logs("hostile", [(time.time_ns(), body, {})])


def peak_bytes(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def status_of(answer):
    """google.rpc.Status: (code, message)."""
    from google.rpc.status_pb2 import Status

    if answer.headers["content-type"].startswith("application/json"):
        return answer.json()["code"], answer.json()["message"]
    status = Status.FromString(answer.content)
    return status.code, status.message


def bodies(server):
    return [row["body"] for row in server.sql("SELECT body FROM logs WHERE service = 'hostile'")]


def test_bodies_past_the_limits_are_413(server):
    before = peak_bytes(server)
    large = otlp.post(server.otlp, "logs", b"\0" * (MIB + 1))
    assert large.status_code == 413 and large.headers["content-type"] == "application/x-protobuf"
    # 300 MiB of nothing.
    bomb = gzip.compress(b"\0" * (300 * MIB), 9)
    assert len(bomb) < MIB
    for content_type in ["application/x-protobuf", "application/json"]:
        answer = otlp.post(server.otlp, "traces", bomb, content_type=content_type, headers={"content-encoding": "gzip"})
        assert answer.status_code == 413 and answer.headers["content-type"] == content_type
        assert status_of(answer)[0] == 8
    # Snappy says its length in front: refused before anything is allocated.
    claims = remote_write.varint(1 << 31) + b"\0" * 100
    answer = requests.post(server.http + "/api/v1/write", data=claims, headers={"content-type": "application/x-protobuf", "content-encoding": "snappy"}, timeout=60)
    assert answer.status_code in (400, 413)
    # A declared length is enough to be refused.
    host, port = server.addresses["otlp-http"].split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 999999999\r\n\r\n")
        assert b" 413 " in connection.recv(4096).split(b"\r\n")[0] + b" "
    assert peak_bytes(server) - before < 64 * MIB
    otlp.send(server.otlp, "logs", one_log())
    assert bodies(server) == ["fine"]


def test_wrong_and_broken_requests_are_refused_by_their_kind(server):
    good = one_log().SerializeToString()
    post = lambda body, **headers: requests.post(server.otlp + "/v1/logs", data=body, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=60)
    protobuf = "application/x-protobuf"
    assert post(good, content_type="text/plain").status_code == 415
    assert post(good).status_code == 415
    assert post(good, content_type=protobuf, content_encoding="br").status_code == 415
    assert post(good, content_type=protobuf, content_encoding="gzip").status_code == 400
    assert post(gzip.compress(good)[:-6], content_type=protobuf, content_encoding="gzip").status_code == 400
    for broken in [good[:-3], b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a" * 5]:
        answer = post(broken, content_type=protobuf)
        assert answer.status_code == 400 and answer.headers["content-type"] == protobuf
        code, message = status_of(answer)
        assert code == 3 and message
    for broken in [b"{", b"[]", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"x"}]}]}]}', b"\xff", b"[" * 100_000, b'{"resourceLogs":' + b"[{" * 10_000]:
        answer = post(broken, content_type="application/json")
        assert answer.status_code == 400 and answer.json()["code"] == 3, answer.text
    assert requests.get(server.otlp + "/v1/logs", timeout=60).status_code == 405
    assert post(b"", content_type=protobuf).status_code == 200
    assert requests.post(server.otlp + "/v1/nothing", timeout=60).status_code == 404

    write = lambda body, **headers: requests.post(server.http + "/api/v1/write", data=body, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=60)
    assert write(b"not snappy", content_type=protobuf, content_encoding="snappy").status_code == 400
    assert write(b"", content_type="application/json", content_encoding="snappy").status_code == 415
    assert write(b"", content_type=protobuf + ";proto=some.thing.Else", content_encoding="snappy").status_code == 415
    unsorted = remote_write.field(1, b"".join(remote_write.field(1, remote_write.field(1, n) + remote_write.field(2, v)) for n, v in [(b"b", b"1"), (b"__name__", b"m")]))
    assert remote_write.post(server.http, unsorted).status_code in (204, 400)
    assert bodies(server) == []


def test_clients_that_stop_or_dawdle_do_no_harm(server):
    host, port = server.addresses["otlp-http"].split(":")
    body = one_log("never complete").SerializeToString()
    head = f"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    # One that goes away in the middle.
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head + body[:10])
    # Many that say nothing, and one that says a byte now and then: it is given up after read_timeout_seconds.
    idle = [socket.create_connection((host, int(port)), timeout=60) for _ in range(50)]
    slow = socket.create_connection((host, int(port)), timeout=60)
    slow.sendall(head + body[:1])
    answered = b""

    def dribble():
        nonlocal answered
        slow.settimeout(0.2)
        try:
            slow.sendall(body[1:2])
            answered += slow.recv(4096)
        except TimeoutError:
            pass
        except OSError:
            return True
        return answered

    # While they dawdle, others are served.
    otlp.send(server.otlp, "logs", one_log())
    until(dribble, "the end of the slow request", pause=0.3)
    assert answered == b"" or b" 400 " in answered.split(b"\r\n")[0] or b" 408 " in answered.split(b"\r\n")[0], answered
    for connection in [*idle, slow]:
        connection.close()
    assert bodies(server) == ["fine"]


def test_rows_that_cannot_be_kept_are_a_partial_success(server):
    now = time.time_ns()
    old = now - 400 * 24 * 3600 * 10**9
    answer = otlp.post(server.otlp, "metrics", otlp.gauges("hostile", [("kept", {}, now, 1.0), ("too.old", {}, old, 2.0)]))
    assert answer.status_code == 200
    partial = otlp.RESPONSES["metrics"].FromString(answer.content).partial_success
    assert partial.rejected_data_points == 1 and "too_old" in partial.error_message
    assert [float(entry["value"][1]) for entry in server.query("kept")] == [1.0]
    assert server.query("too_old") == []

    records = [(now, "short", {}), (now, "x" * (300 << 10), {}), (old, "old", {})]
    as_json = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": str(at), "body": {"stringValue": body}} for at, body, _ in records]}]}]}
    answer = requests.post(server.otlp + "/v1/logs", json=as_json, timeout=60)
    assert answer.status_code == 200 and answer.json()["partialSuccess"]["rejectedLogRecords"] == "2", answer.text
    message = answer.json()["partialSuccess"]["errorMessage"]
    assert "body_too_long" in message and "too_old" in message

    # A span without identifiers is no span.
    request = otlp.spans("hostile", [(b"\1" * 16, b"\2" * 8, "good", now), (b"", b"", "bad", now)])
    partial = otlp.RESPONSES["traces"].FromString(otlp.post(server.otlp, "traces", request).content).partial_success
    assert partial.rejected_spans == 1
    assert [row["name"] for row in server.sql("SELECT name FROM spans WHERE service = 'hostile'")] == ["good"]

    # Remote write: the rest is written, and the answer says never to send the bad again.
    at = now // 1_000_000
    series = [({"__name__": "kept_too", "job": "j"}, [(1.0, at)]), ({"__name__": "refused", "job": "j"}, [(1.0, old // 1_000_000)])]
    for version in [1, 2]:
        message = remote_write.v1(series) if version == 1 else remote_write.v2(series)
        answer = remote_write.post(server.http, message, version)
        assert answer.status_code == 400, answer.text
        if version == 2:
            assert answer.headers["x-prometheus-remote-write-samples-written"] == "1"
    assert len(server.query("kept_too")) == 1


def test_grpc_speaks_in_statuses(server):
    with grpc.insecure_channel(server.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        export = channel.unary_unary(EXPORT_LOGS)
        response = export(one_log().SerializeToString(), timeout=60)
        assert not ExportLogsServiceResponse.FromString(response).HasField("partial_success")
        cases = [
            (export, b"\xff" * 30, grpc.StatusCode.INVALID_ARGUMENT),
            (export, b"\0" * (3 * MIB), grpc.StatusCode.RESOURCE_EXHAUSTED),
            (channel.unary_unary("/no.such.Service/Call"), b"", grpc.StatusCode.UNIMPLEMENTED),
            (channel.unary_unary(EXPORT_LOGS + "Nothing"), b"", grpc.StatusCode.UNIMPLEMENTED),
        ]
        for call, message, code in cases:
            with pytest.raises(grpc.RpcError) as error:
                call(message, timeout=60)
            assert error.value.code() == code, error.value
        old = otlp.logs("hostile", [(1, "from 1970", {}), (time.time_ns(), "now", {})])
        partial = ExportLogsServiceResponse.FromString(export(old.SerializeToString(), timeout=60)).partial_success
        assert partial.rejected_log_records == 1
    assert sorted(bodies(server)) == ["fine", "now"]


def test_hostile_questions_are_refused_quickly(server):
    deep = "(" * 50_000 + "1" + ")" * 50_000
    for path, parameters in [
        ("/api/v1/query", {"query": deep}),
        ("/api/v1/query", {"query": "x" * 100_000 + "{"}),
        ("/api/v1/query_range", {"query": "up", "start": "0", "end": "1e12", "step": "1"}),
        ("/loki/api/v1/query_range", {"query": '{a="' + "(" * 100_000 + '"'}),
        ("/tempo/api/search", {"q": "{" * 50_000}),
    ]:
        start = time.monotonic()
        answer = server.session.post(server.http + path, data=parameters, timeout=60) if path.startswith("/api") else server.get(path, params=parameters)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:200])
        assert time.monotonic() - start < 5
    for query in ["DROP TABLE logs", "SELECT * FROM '/etc/passwd'", "SELECT " + "(" * 10_000]:
        answer = server.session.post(server.http + "/api/v1/sql", json={"query": query}, timeout=60)
        assert answer.status_code == 400 and json.loads(answer.text)["error"]["kind"] == "invalid"
