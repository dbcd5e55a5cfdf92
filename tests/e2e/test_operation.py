"""Starting, refusing to start, stopping: what an operator sees."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import otlp
import requests
from server import BINARY, PATIENCE


def run(*arguments, **options):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, **options)


def test_says_what_it_is():
    assert re.fullmatch(r"signalbox \d+\.\d+\.\d+\n", run("--version").stdout)
    for flag in ["--config", "--data-dir", "--http-listen", "--otlp-grpc-listen", "--otlp-http-listen"]:
        assert flag in run("serve", "--help").stdout


def test_wrong_configurations_are_named(tmp_path):
    cases = [
        ("htp:\n  listen: 127.0.0.1:0\n", ["htp", "http"]),
        ("http:\n  lisen: 127.0.0.1:0\n", ["lisen", "listen"]),
        ("store:\n  retention:\n    logs:\n      max_age_second: 1\n", ["max_age_second", "max_age_seconds"]),
        ("http:\n  listen: 127.0.0.1:0\n bad", ["config.yaml"]),
        ("ingest:\n  series_max: many\n", ["series_max"]),
    ]
    for text, words in cases:
        file = tmp_path / "config.yaml"
        file.write_text(text)
        for command in [("check", "config", file), ("serve", "--config", file, "--data-dir", tmp_path / "data")]:
            ended = run(*command)
            assert ended.returncode == 2, (text, ended)
            assert all(word in ended.stderr for word in words), (text, ended.stderr)
            assert len(ended.stderr.strip().splitlines()) < 6, ended.stderr
    assert not (tmp_path / "data").exists(), "nothing is made before the configuration is understood"
    missing = run("serve", "--config", tmp_path / "none.yaml")
    assert missing.returncode == 2 and "none.yaml" in missing.stderr
    good = tmp_path / "good.yaml"
    good.write_text("http:\n  listen: 127.0.0.1:0\n")
    assert run("check", "config", good).returncode == 0


def test_a_port_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        for flag, others in [("--http-listen", ["--otlp-grpc-listen", "--otlp-http-listen"]), ("--otlp-grpc-listen", ["--http-listen", "--otlp-http-listen"])]:
            free = [part for other in others for part in (other, "127.0.0.1:0")]
            free += ["--syslog-listen", "", "--gelf-listen", "", "--forward-listen", "", "--zipkin-listen", "", "--jaeger-listen", ""]
            ended = run("serve", "--data-dir", tmp_path / "data", flag, address, *free)
            assert ended.returncode == 1, ended
            assert address in ended.stderr and flag in ended.stderr, ended.stderr


def test_two_servers_do_not_share_a_folder(servers):
    first = servers("first").start()
    flags = ["--http-listen", "--otlp-grpc-listen", "--otlp-http-listen", "--syslog-listen", "--gelf-listen", "--forward-listen"]
    flags += ["--zipkin-listen", "--jaeger-listen"]
    doors = [part for flag in flags for part in (flag, "127.0.0.1:0")]
    second = run("serve", "--data-dir", first.data, *doors)
    assert second.returncode == 1, second
    assert str(first.data) in second.stderr, second.stderr
    assert first.get("/-/ready").status_code == 200


def test_answers_operators_and_watches_itself(server):
    assert server.get("/-/healthy").status_code == 200
    text = server.get("/metrics").text
    assert "# TYPE signalbox_ingest_rows_total counter" in text
    otlp.send(server.otlp, "logs", otlp.logs("visitor", [(time.time_ns(), "hello", {})]))
    assert re.search(r'^signalbox_ingest_rows_total\{.*signal="logs".*\} [1-9]', server.get("/metrics").text, re.M)
    page = server.get("/")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    script = re.search(r'src="(/assets/[^"]+\.js)"', page.text)[1]
    assert "immutable" in server.get(script).headers["cache-control"]
    assert server.get("/ui/logs").status_code == 200
    assert server.json("/api/v1/status/buildinfo")["status"] == "success"
    assert server.json("/prometheus/api/v1/status/buildinfo")["status"] == "success"


def test_own_telemetry_is_there_in_the_first_seconds(server):
    from server import until

    until(lambda: server.query('rate(signalbox_ingest_rows_total{signal="metrics"}[5m])') or server.query("signalbox_ingest_rows_total"), "own metrics")
    until(lambda: server.sql("SELECT body FROM logs WHERE service = 'signalbox'"), "own logs")


def test_sigterm_drains_and_exits_0(servers):
    server = servers().start()
    acknowledged, refused = [], []
    stop = threading.Event()

    def load(number):
        session = requests.Session()
        count = 0
        while not stop.is_set():
            body = f"{number}-{count}"
            count += 1
            try:
                answer = otlp.post(server.otlp, "logs", otlp.logs("drained", [(time.time_ns(), body, {})]), session=session)
            except requests.RequestException:
                return
            if answer.status_code == 200:
                acknowledged.append(body)
            else:
                refused.append(answer.status_code)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 50:
        time.sleep(0.01)
    server.stop()
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert set(refused) <= {503}
    server.start()
    bodies = [row["body"] for row in server.sql("SELECT body FROM logs WHERE service = 'drained'")]
    assert len(bodies) == len(set(bodies)) and set(acknowledged) <= set(bodies)
    # Everything was flushed: there are segments, and a query finds it in them.
    assert list((server.data / "segments").rglob("logs/*.parquet"))


def test_a_second_sigterm_is_heard_while_a_client_holds_on(servers):
    server = servers().start()
    server.expected.append("stopping at once")
    host, port = server.addresses["otlp-http"].split(":")
    with socket.create_connection((host, int(port))) as holding:
        holding.sendall(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\nx")
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while server.process.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGTERM)
        assert server.process.poll() in (0, 128 + signal.SIGTERM), server.process.poll()
    assert os.path.exists(server.data)
