"""The requests of Loki's clients, as they write them: `logcli`, Grafana's data source, and its Logs Drilldown.

`logcli` itself is asked where there is one, on the path or at `LOGCLI_BIN`.
"""

import datetime
import json
import os
import shutil
import subprocess
import time
import urllib.parse

import pytest
from server import PATIENCE
from websockets.sync.client import connect

LOGCLI = os.environ.get("LOGCLI_BIN") or shutil.which("logcli")
needs_logcli = pytest.mark.skipif(LOGCLI is None, reason="no logcli: want one on the path or at LOGCLI_BIN")
LINES = 25


@pytest.fixture
def loki(servers):
    """A server with lines of two applications, a second apart, pushed as Loki's clients do."""
    server = servers(config={"telemetry": {"self_watch": False}, "api": {"loki": {"delete": True}}}).start()
    server.begin = (int(time.time()) - 120) * 10**9
    shop = [(json.dumps({"level": "error" if number % 5 == 0 else "info", "took": f"{number}ms", "user": {"id": number}, "path": "/buy"}), {"trace": f"t{number}"}) for number in range(LINES)]
    cart = [(f"level=warn code={500 + number % 2} msg=\"no stock\"", {}) for number in range(LINES)]
    for labels, lines in [({"app": "shop", "env": "prod", "pod": "shop-1"}, shop), ({"app": "cart", "env": "dev"}, cart)]:
        values = [[str(server.begin + number * 10**9), line, metadata] for number, (line, metadata) in enumerate(lines)]
        answer = server.session.post(server.http + "/loki/api/v1/push", json={"streams": [{"stream": labels, "values": values}]}, timeout=PATIENCE)
        assert answer.status_code == 204, answer.text
    server.end = server.begin + LINES * 10**9
    return server


def api(server, path, **parameters):
    return server.json(f"/loki/api/v1/{path}", **parameters)


# logcli.


def bounds(server):
    """As logcli says them: whole nanoseconds."""
    return {"start": server.begin, "end": server.end}


def test_logclis_batches_meet_without_a_gap_or_a_repeat(loki):
    """It asks for a batch, then from the last time on, and drops what it has seen of that time."""
    for direction in ["BACKWARD", "FORWARD"]:
        start, end, seen = loki.begin, loki.end, []
        while True:
            data = api(loki, "query_range", query='{app="shop"}', limit=7, start=start, end=end, direction=direction)["data"]
            batch = sorted(((int(value[0]), value[1]) for stream in data["result"] for value in stream["values"]), reverse=direction == "BACKWARD")
            new = [entry for entry in batch if entry not in seen]
            if not new:
                break
            seen += new
            # logcli: the end is excluded, so one nanosecond beyond the last of the batch is asked for again.
            start, end = (start, seen[-1][0] + 1) if direction == "BACKWARD" else (seen[-1][0], end)
        assert len(seen) == LINES == len(set(seen)), direction


def test_what_logcli_asks_besides(loki):
    assert api(loki, "labels", **bounds(loki))["data"] == ["app", "env", "pod", "service_name"]
    assert api(loki, "label/app/values", **bounds(loki))["data"] == ["cart", "shop"]
    streams = api(loki, "series", match=['{app="shop"}', '{app="cart"}'], **bounds(loki))["data"]
    assert sorted(stream["app"] for stream in streams) == ["cart", "shop"]
    assert len(api(loki, "series", match="{}", **bounds(loki))["data"]) == 2
    stats = api(loki, "index/stats", query='{app="shop"}', **bounds(loki))
    assert (stats["streams"], stats["entries"]) == (1, LINES) and {"chunks", "bytes"} <= set(stats)
    volume = api(loki, "index/volume", query='{app=~".+"}', limit="30", **bounds(loki))["data"]
    assert [series["metric"] for series in volume["result"]] == [{"app": "shop"}, {"app": "cart"}]
    # 0 means as many as usual.
    assert api(loki, "index/volume", query='{app=~".+"}', limit="0", **bounds(loki))["data"]["result"] == volume["result"]
    ranged = api(loki, "index/volume_range", query='{app=~".+"}', limit="30", step="10", targetLabels="env", aggregateBy="labels", **bounds(loki))["data"]
    assert ranged["resultType"] == "matrix" and [series["metric"] for series in ranged["result"]] == [{"env": ""}]
    fields = api(loki, "detected_fields", query='{app="shop"}', limit=1000, line_limit=100, **bounds(loki))["fields"]
    assert {field["label"] for field in fields} >= {"level", "took", "user_id", "path"}
    assert api(loki, "detected_field/path/values", query='{app="shop"}', limit=10, line_limit=100, **bounds(loki))["values"] == ["/buy"]
    instant = api(loki, "query", query='sum(count_over_time({app="shop"}[1h]))', limit=30, time=loki.end, direction="BACKWARD")["data"]
    assert instant["result"][0]["value"][1] == str(LINES) and {"summary", "querier", "ingester"} <= set(instant["stats"])
    with connect(loki.http.replace("http", "ws") + "/loki/api/v1/tail?" + urllib.parse.urlencode({"query": '{app="shop"}', "limit": 30, "start": loki.begin, "delay_for": 1})) as tail:
        assert sum(len(stream["values"]) for stream in json.loads(tail.recv(timeout=PATIENCE))["streams"]) == LINES


def test_what_logcli_deletes(loki):
    """Times are whole seconds, and so it reads those of the list; without an end a request ends now."""
    request = {"query": '{app="cart"} |= "code=501"', "start": str(loki.begin // 10**9), "max_interval": "1h"}
    assert loki.session.post(loki.http + "/loki/api/v1/delete", params=request, timeout=PATIENCE).status_code == 204
    (listed,) = api(loki, "delete")
    assert [type(listed[name]) for name in ["start_time", "end_time"]] == [int, int] and listed["query"] == request["query"]
    assert listed["start_time"] == loki.begin // 10**9 and 0 <= listed["end_time"] - time.time() + PATIENCE <= PATIENCE + 1
    left = api(loki, "query", query='sum(count_over_time({app="cart"}[1h]))')["data"]["result"]
    assert left[0]["value"][1] == str(LINES // 2 + 1)


@pytest.mark.parametrize("path,parameters,told", [
    ("query_range", {"query": '{app="shop"}', "limit": -1}, "limit must be a positive value"),
    ("query_range", {"query": '{app="shop"}', "limit": 0}, "limit must be a positive value"),
    ("query_range", {"query": '{app="shop"}', "interval": "-1s"}, "interval must be >= 0"),
    ("query_range", {"query": '{app="shop"}', "direction": "sideways"}, "invalid direction 'sideways'"),
    ("query_range", {"query": '{app="shop"}', "start": 2, "end": 1}, "end timestamp must not be before or equal to start time"),
    ("query_range", {"query": 'count_over_time({app="shop"}[1m])', "step": "0"}, "zero or negative query resolution step widths are not accepted"),
    ("query_range", {"query": "{}"}, "queries require at least one regexp or equality matcher that does not have an empty-compatible value"),
    ("query_range", {"query": '{app="shop"'}, "parse error at line 1, col 12: syntax error: unexpected $end"),
    ("query_range", {}, "parse error"),
    ("query", {"query": '{app="shop"}'}, "log queries are not supported as an instant query type"),
    ("index/volume", {"query": '{app="shop"}', "limit": -3}, "limit must be a positive value"),
    ("index/volume", {"query": '{app="shop"}', "aggregateBy": "pod"}, "invalid aggregation option"),
    ("tail", {"query": '{app="shop"}', "delay_for": 9}, "delay_for can't be greater than 5"),
], ids=lambda part: part if isinstance(part, str) else "")
def test_errors_have_the_words_of_loki(loki, path, parameters, told):
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="} if path == "tail" else {}
    answer = loki.get(f"/loki/api/v1/{path}", params=parameters, headers=headers)
    assert answer.status_code == 400 and told in answer.text, answer.text


@pytest.fixture
def logcli(loki):
    """Runs logcli, and gives what it printed."""
    def stamp(time_ns):
        return datetime.datetime.fromtimestamp(time_ns // 10**9, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def run(*arguments, has_range=True, stdin=None):
        times = [f"--from={stamp(loki.begin)}", f"--to={stamp(loki.end)}"] if has_range else []
        command = [LOGCLI, f"--addr={loki.http}", "--quiet", *arguments, *times]
        done = subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=PATIENCE, env=os.environ | {"TZ": "UTC"})
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
        return done.stdout

    return run


@needs_logcli
def test_logcli_itself(loki, logcli):
    raw = logcli("query", '{app="shop"}', "--limit=100", "--batch=7", "--output=raw").splitlines()
    assert len(raw) == LINES and json.loads(raw[0])["user"]["id"] == LINES - 1
    forward = logcli("query", '{app="shop"}', "--limit=100", "--batch=7", "--forward", "--output=jsonl").splitlines()
    assert [json.loads(json.loads(line)["line"])["user"]["id"] for line in forward] == list(range(LINES))
    assert len(logcli("query", '{app=~".+"}', "--limit=10", "--output=default").splitlines()) == 10
    assert '"500"' not in logcli("query", 'sum by (code) (count_over_time({app="shop"}[1m]))')
    ranged = json.loads(logcli("query", 'sum(count_over_time({app="shop"}[1m]))', "--step=10s"))
    assert ranged[0]["metric"] == {} and ranged[0]["values"]
    instant = json.loads(logcli("instant-query", 'sum by (app) (count_over_time({app=~".+"}[1h]))', has_range=False))
    assert {series["metric"]["app"]: series["value"][1] for series in instant} == {"shop": str(LINES), "cart": str(LINES)}
    assert logcli("labels").split() == ["app", "env", "pod", "service_name"] and logcli("labels", "app").split() == ["cart", "shop"]
    assert logcli("series", '{app="shop"}').count("app=") == 1
    analyzed = logcli("series", "--analyze-labels", "{}")
    assert "Total Streams:  2" in analyzed and "app " in analyzed
    assert f"entries: {LINES}" in logcli("stats", '{app="shop"}')
    assert [series["metric"] for series in json.loads(logcli("volume", '{app=~".+"}'))] == [{"app": "shop"}, {"app": "cart"}]
    assert json.loads(logcli("volume_range", '{app=~".+"}', "--step=10s", "--targetLabels=env"))[0]["values"]
    assert "took" in logcli("detected-fields", '{app="shop"}') and "/buy" in logcli("detected-fields", '{app="shop"}', "path")
    assert "bytesProcessedPerSecond" not in logcli("query", '{app="shop"}', "--limit=1", "--output=raw")


@needs_logcli
def test_logcli_deletes(loki, logcli):
    logcli("delete", "create", '{app="cart"} |= "code=501"')
    logcli("delete", "create", '{app="cart"} |= "code=500"', f"--from={datetime.datetime.fromtimestamp(loki.begin // 10**9, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}", has_range=False)
    listed = logcli("delete", "list", has_range=False)
    assert listed.count("Status: received") == 2 and 'Query: {app="cart"} |= "code=501"' in listed
    assert logcli("query", '{app="cart"}', "--output=raw") == ""
    first, second = api(loki, "delete")
    logcli("delete", "cancel", f"--request-id={second['request_id']}", has_range=False)
    assert len(logcli("query", '{app="cart"}', "--output=raw").splitlines()) == LINES // 2 + 1
    loki.session.post(loki.http + "/-/compact", timeout=PATIENCE)
    (listed,) = json.loads(logcli("delete", "list", "--output=jsonl", has_range=False))
    assert (listed["query"], listed["status"], listed["start_time"]) == (first["query"], "processed", first["start_time"])
    refused = subprocess.run([LOGCLI, f"--addr={loki.http}", "delete", "cancel", "--force", f"--request-id={first['request_id']}"], capture_output=True, text=True, timeout=PATIENCE)
    assert refused.returncode != 0 and "already processed" in refused.stderr
    # Who asked, as far as the server knows.
    deletions = {deletion["request"]: deletion for deletion in loki.json("/api/v1/logs/deletions")["deletions"]}
    assert (deletions[first["request_id"]]["state"], deletions[second["request_id"]]["state"]) == ("erased", "cancelled")
    assert all(deletion["asker"].startswith("127.0.0.1:") and "logcli" in deletion["asker"] for deletion in deletions.values())


@needs_logcli
def test_logcli_downloads_in_parallel(loki, logcli, tmp_path):
    parts = ["--parallel-duration=5s", "--parallel-max-workers=3", f"--part-path-prefix={tmp_path}/part", "--merge-parts", "--forward", "--batch=3"]
    raw = logcli("query", '{app="shop"}', *parts, "--output=raw").splitlines()
    assert [json.loads(line)["user"]["id"] for line in raw] == list(range(LINES))
    assert len(logcli("query", '{app="shop"}', "--limit=0", "--output=raw", "--interval=5s").splitlines()) == LINES // 5
    assert len(logcli("query", '{app="shop"}', "--limit=0", "--output=raw", "--compress", "--org-id=fake").splitlines()) == LINES
    labels = logcli("query", '{app="shop"}', "--limit=1", "--include-label=pod", "--output=jsonl").splitlines()
    assert json.loads(labels[0])["labels"] == {"pod": "shop-1"}
    told = subprocess.run([LOGCLI, f"--addr={loki.http}", "query", '{app="shop"} | json', "--stats", "--limit=3", "--since=1h"], capture_output=True, text=True, timeout=PATIENCE)
    assert told.returncode == 0 and "Summary.TotalLinesProcessed" in told.stderr, told.stderr


# Not compared is what Loki writes worse: parentheses that change nothing, `offset 1h0m0s`, and sizes that it rounds.
FORMATTED = [
    '{a="b"}', '{a="b",c!="d",e=~"f.*",g!~`h`}|="x"!="y"|~"z"!~"w"', '{a="b"} |> "<_> x" !> `<_> "y"`', '{a="b"}|json|level="error"|line_format "{{.msg}}"', '{a="b"}|json x="y.z",w|logfmt|unpack|decolorize',
    'sum by(x)(rate({a="b"}|json|unwrap duration(took)|__error__=""[5m]))', 'topk(5,sum(count_over_time({a="b"}[1m]))by(x))', 'quantile_over_time(0.99,{a="b"}|logfmt|unwrap y[5m])by(z)',
    'label_replace(rate({a="b"}[1m]),"x","$1","y","(.*)")', '{a="b"}|label_format x=y,z="{{.w}}"|drop x,y="z"|keep w',
    '{a="b"}|addr=ip("10.0.0.0/8")', '{a="b"}|="x" or "y"', 'absent_over_time({a="b"}[5m])', '-1+2*3',
    'sum(sum(sum(rate({aaaaaaaaaaaaaaaaaaaaaaaaaaaaa="bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}|json|logfmt|cccccccccccccccccccccccccc="d"[5m]))by(x))by(y))by(z)',
    '{a="b"}|regexp "(?P<x>.*)"|pattern `<x> <_>`|x="1"', '{a="b"} # a comment', 'max_over_time({a="b"}|unwrap bytes(x)[1h])', 'sort_desc(sum by(x)(bytes_rate({a="b"}[1m])))',
]


@needs_logcli
@pytest.mark.parametrize("query", FORMATTED)
def test_queries_are_formatted_as_logcli_does(loki, logcli, query):
    assert loki.json("/loki/api/v1/format_query", query=query)["data"] == logcli("fmt", has_range=False, stdin=query).rstrip("\n")


@needs_logcli
def test_logcli_follows(loki):
    command = [LOGCLI, f"--addr={loki.http}", "--quiet", "query", '{app="shop"} | json | level="error"', "--tail", "--limit=3", "--output=raw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        try:
            assert [json.loads(tail.stdout.readline())["user"]["id"] for _ in range(3)] == [10, 15, 20]
            values = [[str(time.time_ns()), json.dumps({"level": "error", "user": {"id": 99}})]]
            assert loki.session.post(loki.http + "/loki/api/v1/push", json={"streams": [{"stream": {"app": "shop"}, "values": values}]}, timeout=PATIENCE).status_code == 204
            assert json.loads(tail.stdout.readline())["user"]["id"] == 99
        finally:
            tail.terminate()


# Grafana.


def iso(time_ns):
    return datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_what_logs_drilldown_asks(loki):
    """Each resource that the application reads, with the times and queries that it writes."""
    times = {"start": iso(loki.begin), "end": iso(loki.end)}
    limits = api(loki, "drilldown-limits")
    assert limits["limits"]["volume_enabled"] and limits["pattern_ingester_enabled"] and limits["version"]
    # The page of services: volumes by label, which must be one value each.
    for label, want in [("service_name", ["shop", "cart"]), ("env", ["prod", "dev"])]:
        result = api(loki, "index/volume", query=f'{{{label}=~".+"}}', limit=5000, **times)["data"]["result"]
        assert [series["metric"][label] for series in result] == want and all(float(series["value"][1]) > 0 for series in result)
    assert set(api(loki, "labels", **times)["data"]) >= {"app", "env", "service_name"}
    detected = {label["label"]: label["cardinality"] for label in api(loki, "detected_labels", query='{service_name="shop"}', **times)["detectedLabels"]}
    assert detected["app"] == 1 and {"env", "pod"} <= set(detected)
    assert {label["label"] for label in api(loki, "detected_labels", query="", **times)["detectedLabels"]} >= {"app", "env"}
    patterns = api(loki, "patterns", query='{service_name="cart"}', step="10s", **times)["data"]
    assert sum(count for pattern in patterns for _, count in pattern["samples"]) == LINES and patterns[0]["level"] == "warn"
    # Structured metadata has no parser, and a field of JSON its path.
    fields = {field["label"]: field for field in api(loki, "detected_fields", query='{service_name="shop"} | json | logfmt | drop __error__, __error_details__', **times)["fields"]}
    assert fields["trace"]["parsers"] is None and fields["user_id"]["jsonPath"] == ["user", "id"]
    assert api(loki, "detected_field/level/values", query='{service_name="shop"} | json | logfmt | drop __error__, __error_details__', **times)["values"] == ["error", "info"]
    assert api(loki, "detected_field/detected_level/values", query='{service_name="shop"}', **times)["values"] == ["error", "info"]
    # Whether a stream is in shards: no values, or it is asked for the empty one.
    assert api(loki, "label/__stream_shard__/values", query='{service_name="shop"}', **times) == {"status": "success"}


@pytest.mark.parametrize("query,want", [
    ('{service_name="shop"} | detected_level=`error` | json | logfmt | drop __error__, __error_details__', 5),
    ('{service_name="shop", __stream_shard__=""} | json | drop __error__, __error_details__ | path=`/buy`', LINES),
    ('{service_name="shop"} | trace=`t7`  |= `buy` | json user_id="[\\"user\\"][\\"id\\"]" | user_id=`7`', 1),
    ('{service_name="cart"} |> `level=warn code=<_> msg="no stock"` | logfmt | drop __error__, __error_details__ | code!=`500`', LINES // 2),
    ('{service_name=~"shop|cart"} |~ `(?i)NO.stock` ', LINES),
    ('{service_name="shop"} | json | logfmt | drop __error__, __error_details__ | (took>=20ms and took<22ms)', 2),
])
def test_what_logs_drilldown_queries(loki, query, want):
    """Log queries with the flags of Grafana, and the counts that its panels make of the same query."""
    flags = {"X-Loki-Response-Encoding-Flags": "categorize-labels", "X-Query-Tags": "Source=grafana-lokiexplore-app", "X-Loki-Response-Warnings": "true"}
    parameters = {"query": query, "limit": 1000, "start": loki.begin, "end": loki.end, "direction": "backward", "step": "1000ms"}
    answer = loki.get("/loki/api/v1/query_range", params=parameters, headers=flags).json()["data"]
    assert answer["encodingFlags"] == ["categorize-labels"]
    values = [value for stream in answer["result"] for value in stream["values"]]
    assert len(values) == want and all(len(value) == 3 and set(value[2]) <= {"structuredMetadata", "parsed"} for value in values)
    counted = api(loki, "query_range", query=f"sum by (detected_level) (count_over_time({query} | drop __error__[1m]))", start=loki.begin, end=loki.end, step="25s")["data"]["result"]
    assert sum(float(series["values"][-1][1]) for series in counted) >= 1
    averaged = f"avg_over_time({{service_name=\"shop\"}} | json | logfmt | drop __error__, __error_details__ | took!=\"\" | unwrap duration(took) | __error__=\"\" [1h]) by ()"
    (series,) = api(loki, "query", query=averaged, time=loki.end)["data"]["result"]
    assert float(series["value"][1]) == pytest.approx(0.012)


def test_what_grafanas_data_source_asks(loki):
    """Its health check, its explorer of labels, its context of a line, and its live tail."""
    assert api(loki, "query", query="vector(1)+vector(1)", time=time.time_ns(), direction="backward", limit=1)["data"]["result"][0]["value"][1] == "2"
    assert api(loki, "detected_labels", start=loki.begin, end=loki.end)["detectedLabels"]
    assert api(loki, "label/pod/values", query='{app="shop"}', start=loki.begin, end=loki.end)["data"] == ["shop-1"]
    at = loki.begin + 12 * 10**9
    for direction, times, want in [("backward", {"start": at - 7200 * 10**9, "end": at}, range(11, 8, -1)), ("forward", {"start": at, "end": at + 7200 * 10**9}, range(12, 15))]:
        data = api(loki, "query_range", query='{app="shop",env="prod",pod="shop-1",service_name="shop"} | json', limit=3, direction=direction, **times)["data"]
        values = [value for stream in data["result"] for value in stream["values"]]
        found = sorted((int(value[0]) for value in values), reverse=direction == "backward")
        assert found == [loki.begin + number * 10**9 for number in want]
    told = loki.get("/loki/api/v1/format_query", params={"query": '{app="shop"}|json|line_format`{{.took}}`'}).json()
    assert told == {"status": "success", "data": '{app="shop"} | json | line_format `{{.took}}`'} or told["status"] == "success"
