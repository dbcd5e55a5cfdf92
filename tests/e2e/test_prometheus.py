"""Debian's Prometheus scrapes Debian's node-exporter and writes to us: its own answers equal ours."""

import math
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest
import requests
from server import PATIENCE, until

CACHE = pathlib.Path(os.environ.get("SIGNALBOX_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "signalbox")
PROMETHEUS = CACHE / "debian/prometheus/usr/bin/prometheus"
NODE_EXPORTER = CACHE / "debian/prometheus-node-exporter/usr/bin/prometheus-node-exporter"
# Long enough for all ranges below to lie within what was scraped: how far a counter that begins in a range is extrapolated
# back to zero is not the same in Prometheus 2 and 3.
SCRAPED_SECONDS = 24


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Prometheus:
    """A Prometheus with a node-exporter, writing to us."""

    def __init__(self, folder, server):
        self.folder = folder
        exporter = f"127.0.0.1:{free_port()}"
        address = f"127.0.0.1:{free_port()}"
        self.base = f"http://{address}"
        config = f"""
global: {{scrape_interval: 1s, external_labels: {{region: eu}}}}
scrape_configs:
  - {{job_name: node, static_configs: [{{targets: ["{exporter}"]}}]}}
  - {{job_name: prometheus, static_configs: [{{targets: ["{address}"]}}]}}
  - {{job_name: nobody, static_configs: [{{targets: ["127.0.0.1:{free_port()}"]}}]}}
remote_write:
  - url: {server.http}/api/v1/write
    send_exemplars: true
    send_native_histograms: true
    metadata_config: {{send_interval: 1s}}
    queue_config: {{batch_send_deadline: 500ms}}
"""
        folder.mkdir()
        (folder / "prometheus.yml").write_text(config)
        self.log = open(folder / "log", "wb")
        commands = [
            [NODE_EXPORTER, f"--web.listen-address={exporter}"],
            [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"],
        ]
        self.processes = [subprocess.Popen(command, stdout=self.log, stderr=self.log) for command in commands]

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
        self.log.close()

    def json(self, path, **parameters):
        answer = requests.get(self.base + path, params=parameters, timeout=PATIENCE)
        return answer.json()


@pytest.fixture
def prometheus(servers, tmp_path):
    # Our own metrics are not among theirs.
    server = servers(config={"telemetry": {"self_watch": False}}).start()
    started = Prometheus(tmp_path / "prometheus", server)
    try:
        until(lambda: requests.get(started.base + "/-/ready", timeout=5).status_code == 200, "Prometheus")
        yield server, started
    finally:
        started.stop()


def without_external(metric):
    """What remote write adds."""
    return {name: value for name, value in metric.items() if name != "region"}


def comparable(data):
    """The result of a query with series in one order; values as numbers."""
    kind = data["resultType"]
    if kind in ("scalar", "string"):
        return kind, data["result"]
    key = lambda entry: sorted(without_external(entry["metric"]).items())
    return kind, [(tuple(key(entry)), entry.get("values") or [entry["value"]]) for entry in sorted(data["result"], key=key)]


def same(ours, theirs):
    """Whether two comparable results agree: the same series and times, and values up to the order of additions."""
    if ours[0] != theirs[0] or len(ours[1]) != len(theirs[1]):
        return False
    if ours[0] in ("scalar", "string"):
        return ours == theirs
    for (our_series, our_values), (their_series, their_values) in zip(ours[1], theirs[1]):
        if our_series != their_series or len(our_values) != len(their_values):
            return False
        for (our_time, our_value), (their_time, their_value) in zip(our_values, their_values):
            left, right = float(our_value), float(their_value)
            if our_time != their_time or not (left == right or math.isclose(left, right, rel_tol=1e-9) or (math.isnan(left) and math.isnan(right))):
                return False
    return True


# Raw samples: exactly the same.
SELECTORS = [
    'up',
    'node_load1',
    '{job="node"}',
    '{__name__=~"node_cpu_.*",mode!~"idle|iowait"}',
    'node_filesystem_size_bytes{fstype!="tmpfs",mountpoint=~"/.*"}',
    '{__name__="prometheus_http_requests_total",code=~"2.."}',
    'prometheus_http_request_duration_seconds_bucket{handler="/metrics"}',
    'up[10s]',
    'node_cpu_seconds_total{mode="user"}[10s]',
    '{job="prometheus",__name__=~"go_.*"}[5s]',
    'node_memory_MemFree_bytes offset 5s',
    'nothing_is_called_so',
]
QUERIES = [
    'rate(node_cpu_seconds_total[10s])',
    'irate(node_cpu_seconds_total[10s])',
    'increase(prometheus_http_requests_total[10s])',
    'sum by (mode) (rate(node_cpu_seconds_total[10s]))',
    'sum without (cpu, mode) (node_cpu_seconds_total)',
    '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[10s]))',
    'max by (job) (up) + on (job) group_left () count by (job) (up)',
    'node_memory_MemFree_bytes / node_memory_MemTotal_bytes * 100',
    'node_cpu_seconds_total * on (instance) group_left (nodename) node_uname_info',
    'topk(3, node_cpu_seconds_total)',
    'bottomk(2, go_memstats_alloc_bytes)',
    'quantile(0.9, node_cpu_seconds_total)',
    'stddev by (mode) (node_cpu_seconds_total)',
    'count_values("value", up)',
    'histogram_quantile(0.9, sum by (le) (prometheus_http_request_duration_seconds_bucket))',
    'histogram_quantile(0.5, prometheus_http_request_duration_seconds_bucket)',
    'avg_over_time(node_load1[10s])',
    'max_over_time(go_goroutines[10s]) - min_over_time(go_goroutines[10s])',
    'quantile_over_time(0.5, go_goroutines[10s])',
    'stddev_over_time(go_goroutines[10s])',
    'last_over_time(up[10s])',
    'count_over_time(up[10s])',
    'present_over_time(up[10s])',
    'changes(go_goroutines[10s])',
    'resets(process_cpu_seconds_total[10s])',
    'deriv(go_memstats_alloc_bytes[10s])',
    'predict_linear(go_memstats_alloc_bytes[10s], 60)',
    'delta(go_goroutines[10s])',
    'idelta(go_goroutines[10s])',
    'max_over_time(rate(node_cpu_seconds_total{mode="user"}[5s])[10s:1s])',
    'sum(up) by (job) == 0',
    'up == bool 1',
    'up > 0 or absent(nothing)',
    'up unless on (job) up{job="node"}',
    'node_load1 and on (instance) up',
    'absent(up{job="node"})',
    'absent_over_time(nothing_is_called_so[10s])',
    'label_replace(up, "host", "$1", "instance", "(.*):.*")',
    'label_join(up, "both", "-", "job", "instance")',
    'clamp(node_load1, 0, 0.5)',
    'round(node_load1, 0.1)',
    'ln(node_memory_MemTotal_bytes) ^ 2 % 7',
    '-node_load1',
    'time() - process_start_time_seconds > 0',
    'timestamp(up)',
    'scalar(node_load1) * 2',
    'vector(1)',
    'group by (job) (up)',
    'day_of_week() + hour(vector(0))',
    'sgn(node_load1 - 100)',
    'node_time_seconds - time() < 5',
    'sum(rate(prometheus_http_requests_total[10s] offset 2s))',
]


def moment_between_scrapes(prometheus, now):
    """A time shortly before `now` at which, and full seconds before which, nothing was scraped: Prometheus 2 counts a
    sample at the very start of a range, Prometheus 3 and we do not."""
    raw = prometheus.json("/api/v1/query", query='{__name__=~"up|node_load1|go_goroutines"}[30s]', time=now)["data"]["result"]
    fractions = sorted({round(time * 1000) % 1000 for entry in raw for time, _ in entry["values"]})
    gaps = [((after - before) % 1000 or 1000, before) for before, after in zip(fractions, [*fractions[1:], fractions[0]])]
    width, begin = max(gaps)
    assert width > 20, fractions
    return math.floor(now) - 2 + (begin + width // 2) % 1000 / 1000


def test_our_answers_are_those_of_prometheus(prometheus):
    server, theirs = prometheus

    def is_scraped():
        result = theirs.json("/api/v1/query", query="count_over_time(up[1m])")["data"]["result"]
        return len(result) == 3 and min(float(entry["value"][1]) for entry in result) >= SCRAPED_SECONDS

    until(is_scraped, "scrapes", pause=0.5)
    now = moment_between_scrapes(theirs, time.time())

    def ask(path, **parameters):
        return comparable(server.json(path, **parameters)["data"]), comparable(theirs.json(path, **parameters)["data"])

    def everything_arrived():
        ours, wanted = ask("/api/v1/query", query='{__name__=~".+",job=~".+"}[20s]', time=now)
        return len(wanted[1]) > 500 and same(ours, wanted)

    until(everything_arrived, "all that was written", pause=0.5)
    wrong = []
    for query in SELECTORS:
        ours, wanted = ask("/api/v1/query", query=query, time=now)
        if ours != wanted:
            wrong.append(f"{query}:\n  ours   {str(ours)[:300]}\n  theirs {str(wanted)[:300]}")
    for query in QUERIES:
        ours, wanted = ask("/api/v1/query", query=query, time=now)
        if not same(ours, wanted):
            wrong.append(f"{query}:\n  ours   {str(ours)[:300]}\n  theirs {str(wanted)[:300]}")
        ours, wanted = ask("/api/v1/query_range", query=query, start=now - 6, end=now, step=2)
        if not same(ours, wanted):
            wrong.append(f"{query} over a range:\n  ours   {str(ours)[:300]}\n  theirs {str(wanted)[:300]}")
    assert not wrong, f"{len(wrong)} answers differ\n" + "\n".join(wrong)

    # What there is.
    over = {"start": now - 10, "end": now}
    names = lambda source, path, **parameters: source.json(path, **parameters)["data"]
    assert set(names(server, "/api/v1/label/job/values", **over)) >= {"node", "prometheus", "nobody"}
    for selector in ["node_cpu_seconds_total", '{job="prometheus"}', "up"]:
        asked = {"match[]": selector} | over
        assert set(names(server, "/api/v1/labels", **asked)) - {"region"} == set(names(theirs, "/api/v1/labels", **asked)), selector
        assert names(server, "/api/v1/label/__name__/values", **asked) == names(theirs, "/api/v1/label/__name__/values", **asked), selector
        key = lambda metric: sorted(without_external(metric).items())
        assert sorted(map(key, names(server, "/api/v1/series", **asked))) == sorted(map(key, names(theirs, "/api/v1/series", **asked))), selector
    assert all(entry["metric"].get("region") == "eu" for entry in server.query("up", now))

    def metadata_arrived():
        ours, wanted = names(server, "/api/v1/metadata"), names(theirs, "/api/v1/metadata")
        for name in ["node_cpu_seconds_total", "node_load1", "prometheus_http_request_duration_seconds", "go_gc_duration_seconds"]:
            # Prometheus merges nothing: one entry a target.
            assert {(entry["type"], entry["help"]) for entry in ours[name]} == {(entry["type"], entry["help"]) for entry in wanted[name]}, name
        return True

    until(metadata_arrived, "metadata")


def test_a_target_that_goes_away_is_stale(prometheus):
    server, theirs = prometheus
    until(lambda: server.query('node_load1'), "the first scrape")
    exporter = theirs.processes[0]
    exporter.send_signal(signal.SIGTERM)
    exporter.wait(20)
    until(lambda: [entry["value"][1] for entry in server.query('up{job="node"}')] == ["0"], "a target that is down")
    assert server.query("node_load1") == []
    assert server.query("last_over_time(node_load1[1m])") != []
