"""Prometheus' API against Debian's Prometheus: the same requests, good and bad, to both; what reads from a Prometheus reads from us."""

import json
import math
import re
import signal
import struct
import subprocess
import time

import cramjam
import pytest
import remote_write
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.utils import parse_datetime
from promql_world import STALE
from server import PATIENCE, until
from test_prometheus import PROMETHEUS, free_port

PROMTOOL = PROMETHEUS.with_name("promtool")
COUNT, INTERVAL_MS = 100, 5_000


def data(start_ms):
    """Counters, gauges, a series that ends and one that begins, buckets of a histogram, values that are hard to write."""
    times = [start_ms + step * INTERVAL_MS for step in range(COUNT)]
    for instance in ("a:80", "b:80"):
        labels = {"job": "api", "instance": instance}
        yield {"__name__": "up"} | labels, [(1.0, ts) for ts in times]
        yield {"__name__": "requests_total", "code": "200"} | labels, [(step * 3.5, ts) for step, ts in enumerate(times)]
        yield {"__name__": "requests_total", "code": "500"} | labels, [(step // 7 + 0.1, ts) for step, ts in enumerate(times)]
        for rank, bound in enumerate(("0.1", "1", "+Inf")):
            yield {"__name__": "seconds_bucket", "le": bound} | labels, [(step * (rank + 1.0), ts) for step, ts in enumerate(times)]
    special = [1e-9, -1.5e300, math.inf, -math.inf, math.nan, 0.1 + 0.2, 123456789.0, -0.0, 5e-324, 1e21]
    yield {"__name__": "special"}, [(special[step % len(special)], ts) for step, ts in enumerate(times)]
    yield {"__name__": "ended", "job": "api"}, [(2.0, ts) for ts in times[:-1]] + [(STALE, times[-1])]
    yield {"__name__": "begun", "job": "api"}, [(2.0, times[-1])]


@pytest.fixture
def both(servers, reference):
    """A server of ours and a Prometheus with the same data, and the time of the last sample in seconds."""
    server = servers(config={"telemetry": {"self_watch": False}, "api": {"prometheus": {"admin_api": True}}}).start()
    end = int(time.time()) - 30
    sent = list(data((end - COUNT * INTERVAL_MS // 1000) * 1000 + INTERVAL_MS))
    for base in (server.http, reference.http):
        taken = remote_write.post(base, remote_write.v1(sent))
        assert taken.status_code in (200, 204), f"{base}: {taken.status_code} {taken.text}"
    return server, reference.http, end


def shape(value):
    """The keys of an answer; what is below labels and lists of samples counts as one."""
    if isinstance(value, dict):
        return {key: "labels" if key in ("metric", "labels", "annotations") else shape(below) for key, below in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape(below)) for below in value})
    return "null" if value is None else type(value).__name__.replace("float", "int")


# Good requests: method, path, parameters. {end} is the time of the last sample; {between} lies between two: Prometheus 2
# counts a sample at the early edge of a range, Prometheus 3 and we do not.
GOOD = [
    ("GET", "query", {"query": "up", "time": "{end}"}),
    ("POST", "query", {"query": "sum by (code) (rate(requests_total[1m]))", "time": "{between}", "timeout": "30s"}),
    ("GET", "query", {"query": "requests_total[30s]", "time": "{between}"}),
    ("GET", "query", {"query": "1.5", "time": "{end}.25"}),
    ("GET", "query", {"query": "'text'", "time": "{end}"}),
    ("GET", "query", {"query": "special", "time": "{end}"}),
    ("GET", "query", {"query": "nothing"}),
    ("GET", "query", {"query": "up", "time": "{end}", "lookback_delta": "1m"}),
    ("GET", "query", {"query": "up", "time": "{end}", "stats": "true"}),
    ("GET", "query_range", {"query": "special", "start": "{start}", "end": "{end}", "step": "5"}),
    ("POST", "query_range", {"query": "histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[1m])))", "start": "{start}.5", "end": "{between}", "step": "15s"}),
    ("GET", "query_range", {"query": "time()", "start": "{start}", "end": "{end}", "step": "1m"}),
    ("GET", "query_range", {"query": "ended", "start": "{start}", "end": "{end}", "step": "5"}),
    ("GET", "labels", {"start": "{start}", "end": "{end}"}),
    ("POST", "labels", {"match[]": ["up", "special"]}),
    ("GET", "label/__name__/values", {"start": "{start}", "end": "{end}"}),
    ("GET", "label/code/values", {"match[]": 'requests_total{code=~"5.."}'}),
    ("GET", "label/nothing/values", {}),
    ("GET", "series", {"match[]": ["up", 'requests_total{code="500"}'], "start": "{start}", "end": "{end}"}),
    ("POST", "series", {"match[]": '{job="api",__name__!~"seconds.*"}'}),
    ("GET", "series", {"match[]": "nothing"}),
    ("GET", "query_exemplars", {"query": "up", "start": "{start}", "end": "{end}"}),
    ("GET", "metadata", {"metric": "nothing"}),
    ("GET", "format_query", {"query": "sum(rate(up[5m]))by(job)"}),
    ("GET", "rules", {}),
    ("GET", "alerts", {}),
    ("GET", "alertmanagers", {}),
    ("GET", "status/walreplay", {}),
    ("GET", "status/buildinfo", {}),
]
BAD = [
    ("GET", "query", {}),
    ("GET", "query", {"query": "up{"}),
    ("GET", "query", {"query": "sum(up"}),
    ("GET", "query", {"query": "up", "time": "yesterday"}),
    ("GET", "query", {"query": "up", "timeout": "soon"}),
    ("GET", "query", {"query": "up * on () up", "time": "{end}"}),
    ("GET", "query_range", {"query": "up"}),
    ("GET", "query_range", {"query": "up", "start": "{start}"}),
    ("GET", "query_range", {"query": "up", "start": "{end}", "end": "{start}", "step": "5"}),
    ("GET", "query_range", {"query": "up", "start": "{start}", "end": "{end}", "step": "0"}),
    ("GET", "query_range", {"query": "up", "start": "{start}", "end": "{end}", "step": "-1"}),
    ("GET", "query_range", {"query": "up", "start": "{start}", "end": "{end}", "step": "x"}),
    ("GET", "query_range", {"query": "up", "start": "0", "end": "11001", "step": "1"}),
    ("GET", "query_range", {"query": "up[1m]", "start": "{start}", "end": "{end}", "step": "5"}),
    ("GET", "labels", {"start": "x"}),
    ("GET", "labels", {"match[]": "{}"}),
    ("GET", "labels", {"match[]": '{a=~".*"}'}),
    ("GET", "label/job/values", {"end": "x"}),
    ("GET", "series", {}),
    ("GET", "series", {"match[]": "sum(up)"}),
    ("GET", "series", {"match[]": "up", "start": "x"}),
    ("GET", "query_exemplars", {"query": "up", "start": "2", "end": "1"}),
    ("GET", "query_exemplars", {"query": "up{"}),
    ("GET", "metadata", {"limit": "x"}),
    ("GET", "format_query", {"query": "("}),
    ("GET", "rules", {"type": "x"}),
]
# Errors that today's Prometheus words in another way than 2.42.
REWORDED = [
    (re.compile("Invalid time value"), "invalid time value"),
    (re.compile("1:1: parse error: no expression found in input"), "unknown position: parse error: no expression found in input"),
    (re.compile("^invalid expression type"), 'invalid parameter "query": invalid expression type'),
]


def ask(base, method, path, parameters, end):
    fill = lambda text: text.replace("{start}", str(end - 300)).replace("{end}", str(end)).replace("{between}", f"{end - 2}.5")
    filled = {name: [fill(text) for text in ([value] if isinstance(value, str) else value)] for name, value in parameters.items()}
    where = {"params": filled} if method == "GET" else {"data": filled}
    return requests.request(method, f"{base}/api/v1/{path}", timeout=PATIENCE, **where)


def test_good_requests_have_the_answers_of_prometheus(both):
    server, theirs, end = both
    wrong = []
    for method, path, parameters in GOOD:
        ours, wanted = (ask(base, method, path, parameters, end) for base in (server.http, theirs))
        if ours.status_code != 200 or wanted.status_code != 200 or ours.headers["content-type"] != wanted.headers["content-type"]:
            wrong.append(f"{method} {path} {parameters}: {ours.status_code} {ours.text[:200]}, Prometheus: {wanted.status_code} {wanted.text[:200]}")
            continue
        ours, wanted = ours.json(), wanted.json()
        is_same_everywhere = path not in ("status/buildinfo",) and "stats" not in parameters
        # Prometheus gives series in no order.
        for answer in (ours, wanted):
            if isinstance(answer["data"], dict) and isinstance(answer["data"].get("result"), list) and answer["data"]["resultType"] in ("vector", "matrix"):
                answer["data"]["result"].sort(key=lambda entry: sorted(entry["metric"].items()))
            elif path == "series":
                answer["data"].sort(key=lambda labels: sorted(labels.items()))
        # What Prometheus 3 adds: infos, samplesRead.
        ours.pop("infos", None)
        if "stats" in parameters:
            ours["data"]["stats"]["samples"].pop("samplesRead")
        left, right = (ours, wanted) if is_same_everywhere else (shape(ours), shape(wanted))
        if left != right:
            wrong.append(f"{method} {path} {parameters}:\n  ours   {str(left)[:600]}\n  theirs {str(right)[:600]}")
    assert not wrong, f"{len(wrong)} of {len(GOOD)} differ:\n" + "\n".join(wrong)


def test_bad_requests_have_the_refusals_of_prometheus(both):
    server, theirs, end = both
    wrong = []
    for method, path, parameters in BAD:
        ours, wanted = (ask(base, method, path, parameters, end) for base in (server.http, theirs))
        left, right = ((answer.status_code, answer.headers["content-type"], answer.json()) for answer in (ours, wanted))
        for pattern, words in REWORDED:
            right[2]["error"] = pattern.sub(words, right[2].get("error", ""))
        if path == "query" and "* on" in parameters.get("query", ""):
            # The two series of the complaint come in either order.
            left, right = ((status, kind, body["errorType"]) for status, kind, body in (left, right))
        if left != right:
            wrong.append(f"{method} {path} {parameters}:\n  ours   {left}\n  theirs {right}")
    assert not wrong, f"{len(wrong)} of {len(BAD)} differ:\n" + "\n".join(wrong)


def test_methods_and_origins_are_those_of_prometheus(both):
    server, theirs, _ = both
    headers = ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers", "access-control-expose-headers"]
    for method, path in [("OPTIONS", "query"), ("OPTIONS", "label/job/values"), ("GET", "query?query=1"), ("POST", "rules"), ("PUT", "query"), ("GET", "read")]:
        ours, wanted = (requests.request(method, f"{base}/api/v1/{path}", headers={"Origin": "http://grafana"}, timeout=PATIENCE) for base in (server.http, theirs))
        assert ours.status_code == wanted.status_code, (method, path)
        if ours.status_code < 400:
            assert [ours.headers.get(name) for name in headers] == [wanted.headers.get(name) for name in headers], (method, path)
            assert "Origin" in ours.headers["vary"]


# Remote read.


def varints(body):
    """(field, value) of a message in protobuf: numbers and bytes."""
    at = 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = body[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(body):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 1:
            yield key >> 3, struct.unpack("<d", body[at : at + 8])[0]
            at += 8
        else:
            length = varint()
            yield key >> 3, bytes(body[at : at + length])
            at += length


def read_request(name, start_ms, end_ms, kinds):
    """A ReadRequest for the series of a name."""
    matcher = remote_write.field(2, b"__name__") + remote_write.field(3, name.encode())
    query = remote_write.varint(1 << 3) + remote_write.varint(start_ms) + remote_write.varint(2 << 3) + remote_write.varint(end_ms) + remote_write.field(3, matcher)
    return remote_write.field(1, query) + b"".join(remote_write.varint(2 << 3) + remote_write.varint(kind) for kind in kinds)


def post_read(base, message):
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy", "x-prometheus-remote-read-version": "0.1.0"}
    return requests.post(f"{base}/api/v1/read", data=bytes(cramjam.snappy.compress_raw(message)), headers=headers, timeout=PATIENCE)


def chunks(stream):
    """(labels, type, chunk) of all frames of a streamed answer."""
    found, at = [], 0
    while at < len(stream):
        length = shift = 0
        while True:
            byte = stream[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        frame = stream[at + 4 : at + 4 + length]
        at += 4 + length
        for series in (value for number, value in varints(frame) if number == 1):
            labels = tuple(tuple(text.decode() for _, text in varints(pair)) for number, pair in varints(series) if number == 1)
            for chunk in (dict(varints(value)) for number, value in varints(series) if number == 2):
                found.append((labels, chunk[3], chunk[1], chunk[2], chunk[4]))
    return found


def test_chunks_are_those_of_prometheus_byte_by_byte(both):
    server, theirs, end = both
    for name in ("up", "requests_total", "special", "ended", "begun", "seconds_bucket"):
        wanted = post_read(theirs, read_request(name, (end - 1_000) * 1000, end * 1000, [1]))
        found = chunks(wanted.content)
        assert wanted.status_code == 200 and len(found) > 0
        # Where Prometheus begins a new chunk depends on the hour: each of its chunks is compared with ours of the same time.
        for labels, kind, first_ms, last_ms, body in found:
            ours = post_read(server.http, read_request(name, first_ms, last_ms, [1]))
            assert (ours.status_code, ours.headers["content-type"]) == (200, wanted.headers["content-type"])
            assert (labels, kind, first_ms, last_ms, body) in chunks(ours.content), (name, labels)


def test_samples_are_those_of_prometheus(both):
    server, theirs, end = both
    for name in ("up", "requests_total", "special", "ended"):
        message = read_request(name, (end - 1_000) * 1000, end * 1000, [])
        ours, wanted = (post_read(base, message) for base in (server.http, theirs))
        assert (ours.status_code, ours.headers["content-type"], ours.headers["content-encoding"]) == (200, "application/x-protobuf", "snappy")
        series = lambda answer: sorted(value for _, result in varints(bytes(cramjam.snappy.decompress_raw(answer.content))) for _, value in varints(result))
        # Order within a message, values bit by bit: NaN is not equal to itself.
        flat = lambda answer: [[value if isinstance(value, bytes) else struct.pack("<d", value) for _, value in varints(one)] for one in series(answer)]
        assert flat(ours) == flat(wanted) and len(flat(ours)) > 0, name


class Debian:
    """A Prometheus with a configuration."""

    def __init__(self, folder, config):
        folder.mkdir()
        (folder / "prometheus.yml").write_text(config)
        address = f"127.0.0.1:{free_port()}"
        self.base = f"http://{address}"
        self.log = open(folder / "log", "wb")
        command = [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def __enter__(self):
        until(lambda: requests.get(self.base + "/-/ready", timeout=5).status_code == 200, "Prometheus")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        self.log.close()


READ = [
    "up",
    "special",
    "ended",
    'requests_total{code=~"5.."}',
    "requests_total[1m]",
    "sum by (code) (rate(requests_total[1m]))",
    "histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[1m])))",
    "max_over_time(special[1m]) > 0",
    "up offset 1m unless on (instance) requests_total > 1e9",
    "nothing",
]


def test_a_prometheus_reads_from_us(both, tmp_path):
    server, theirs, end = both
    config = f"global: {{scrape_interval: 1h}}\nremote_read: [{{url: '{server.http}/api/v1/read', read_recent: true}}]\n"
    with Debian(tmp_path / "reader", config) as reader:
        for query in READ:
            for path, parameters in (("query", {"time": end - 7.3}), ("query_range", {"start": end - 200.7, "end": end - 7.7, "step": 11})):
                answers = [requests.get(f"{base}/api/v1/{path}", params={"query": query} | parameters, timeout=PATIENCE).json() for base in (reader.base, theirs)]
                if path == "query_range" and "[1m]" in query and "(" not in query:
                    continue
                for answer in answers:
                    assert answer["status"] == "success", (query, answer)
                    answer["data"]["result"].sort(key=lambda entry: sorted(entry["metric"].items()))
                # Samples in protobuf lose the sign of zero, in Prometheus' own messages too.
                ours, wanted = (json.loads(json.dumps(answer["data"]).replace('"-0"', '"0"')) for answer in answers)
                assert ours == wanted, query
        names = requests.get(f"{reader.base}/api/v1/series", params={"match[]": "requests_total", "start": end - 300, "end": end}, timeout=PATIENCE).json()["data"]
        assert len(names) == 4, names


def test_a_prometheus_federates_from_us(servers, tmp_path):
    config = {"telemetry": {"self_watch": False}, "api": {"prometheus": {"external_labels": {"region": "eu"}}}}
    server = servers(config=config).start()
    now_ms = int(time.time() * 1000)
    sent = [
        ({"__name__": "job:requests:rate", "job": "api"}, [(1.25, now_ms - 5_000), (1234567.5, now_ms)]),
        ({"__name__": "job:requests:rate", "job": "web", "instance": "w:80"}, [(math.inf, now_ms)]),
        ({"__name__": "ended", "job": "api"}, [(1.0, now_ms - 5_000), (STALE, now_ms)]),
        ({"__name__": "other", "job": "api"}, [(1.0, now_ms)]),
    ]
    assert remote_write.post(server.http, remote_write.v1(sent)).status_code in (200, 204)
    job = {
        "job_name": "federate",
        "scrape_interval": "1s",
        "honor_labels": True,
        "metrics_path": "/federate",
        "params": {"match[]": ['{__name__=~"job:.*"}', "ended"]},
        "static_configs": [{"targets": [server.addresses["http"]]}],
    }
    with Debian(tmp_path / "federate", json.dumps({"scrape_configs": [job]})) as reader:
        query = lambda text: requests.get(f"{reader.base}/api/v1/query", params={"query": text}, timeout=PATIENCE).json()["data"]["result"]
        found = until(lambda: query('{__name__=~"job:.*|ended|other"}[1m]'), "a scrape")
        got = sorted((tuple(sorted(entry["metric"].items())), entry["values"]) for entry in found)
        at = now_ms / 1000
        assert got == [
            ((("__name__", "job:requests:rate"), ("instance", "w:80"), ("job", "web"), ("region", "eu")), [[at, "+Inf"]]),
            ((("__name__", "job:requests:rate"), ("job", "api"), ("region", "eu")), [[at, "1234567.5"]]),
        ]
        assert [entry["value"][1] for entry in query("up")] == ["1"]


# Clients.


def promtool(*arguments):
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return sorted(done.stdout.splitlines())


def test_promtool_says_the_same_of_both(both):
    server, theirs, end = both
    for arguments in [
        ["query", "instant", "{base}", "requests_total", f"--time={end}"],
        ["query", "instant", "{base}", "sum(up)", f"--time={end}"],
        ["query", "range", "{base}", "sum by (code) (requests_total)", f"--start={end - 60}", f"--end={end}", "--step=15s"],
        ["query", "series", "{base}", "--match=up", "--match=special", f"--start={end - 60}", f"--end={end}"],
        ["query", "labels", "{base}", "code", f"--start={end - 60}", f"--end={end}"],
    ]:
        ours, wanted = (promtool(*(argument.format(base=base) for argument in arguments)) for base in (server.http, theirs))
        assert ours == wanted and len(ours) > 0, arguments


def test_the_client_of_pypi_works(both):
    server, theirs, end = both
    clients = [PrometheusConnect(url=base, disable_ssl=True) for base in (server.http, theirs)]
    ours, wanted = clients
    # Debian's has no page at /.
    assert ours.check_prometheus_connection()
    order = lambda found: sorted(found, key=lambda entry: sorted(entry["metric"].items()))
    moment = lambda seconds: parse_datetime(time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(seconds)))
    assert sorted(ours.all_metrics()) == sorted(wanted.all_metrics()) and "requests_total" in ours.all_metrics()
    assert sorted(ours.get_label_values("code")) == sorted(wanted.get_label_values("code")) == ["200", "500"]
    assert sorted(ours.get_label_names()) == sorted(wanted.get_label_names())
    assert order(ours.custom_query("requests_total", params={"time": end})) == order(wanted.custom_query("requests_total", params={"time": end})) != []
    assert order(ours.get_current_metric_value("up", {"instance": "a:80"}))[0]["metric"]["instance"] == "a:80"
    over = {"start_time": moment(end - 60), "end_time": moment(end), "step": "15"}
    assert order(ours.custom_query_range("requests_total", **over)) == order(wanted.custom_query_range("requests_total", **over)) != []
    # No sample lies on the early edge of the range, which Prometheus 2 counts.
    over = {"start_time": moment(end - 122), "end_time": moment(end - 2)}
    assert order(ours.get_metric_range_data("requests_total", **over)) == order(wanted.get_metric_range_data("requests_total", **over)) != []
    series = lambda client: sorted(map(sorted, (entry.items() for entry in client.get_series(over["start_time"], over["end_time"], params={"match[]": "up"}))))
    if hasattr(ours, "get_series"):
        assert series(ours) == series(wanted)


# Admin.


def test_deleted_series_stay_deleted(both):
    server, _, end = both
    answer = requests.post(f"{server.http}/api/v1/admin/tsdb/delete_series", data={"match[]": 'requests_total{code="500"}'}, timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (204, "")
    left = lambda: sorted(entry["metric"]["code"] for entry in server.query("requests_total", end))
    assert left() == ["200", "200"]
    assert requests.put(f"{server.http}/api/v1/admin/tsdb/clean_tombstones", timeout=PATIENCE).status_code == 204
    server.kill()
    server.start()
    assert left() == ["200", "200"]
