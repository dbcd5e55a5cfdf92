"""Loki's API as its clients use it: pushed through Loki's own door, read through every endpoint, followed, deleted."""

import json
import time

import pytest
from server import PATIENCE
from websockets.sync.client import connect

NOW = time.time_ns()
ALL = '{service_name=~".+"}'


@pytest.fixture
def loki(servers):
    """A server that is silent about itself and deletes what it is asked to."""
    return servers(config={"telemetry": {"self_watch": False}, "api": {"loki": {"delete": True}}}).start()


def push(server, labels, lines, before_seconds=60):
    """Lines, each with structured metadata, a millisecond apart."""
    begin = NOW - before_seconds * 1_000_000_000
    values = [[str(begin + number * 1_000_000), line, metadata] for number, (line, metadata) in enumerate(lines)]
    answer = server.session.post(server.http + "/loki/api/v1/push", json={"streams": [{"stream": labels, "values": values}]}, timeout=PATIENCE)
    assert answer.status_code == 204, answer.text
    return values


def some_lines(server):
    shop = [(json.dumps({"level": "info", "took": f"{number}ms", "user": {"id": number}}), {"trace": f"t{number}"}) for number in range(20)]
    push(server, {"app": "shop", "pod": "shop-1"}, shop)
    push(server, {"app": "cart", "pod": "cart-1"}, [(f"level=error code={number % 2} msg=failed", {}) for number in range(10)])


def lines_of(server, query, **parameters):
    data = server.json("/loki/api/v1/query_range", query=query, limit=1000, **parameters)["data"]
    return sorted((int(value[0]), value[1]) for stream in data["result"] for value in stream["values"])


def test_every_endpoint_tells_of_what_was_pushed(loki):
    some_lines(loki)

    def api(path, **parameters):
        return loki.json(f"/loki/api/v1/{path}", **parameters)

    assert len(lines_of(loki, ALL)) == 30
    assert api("labels")["data"] == ["app", "pod", "service_name"]
    assert api("label/app/values")["data"] == ["cart", "shop"]
    assert api("series", **{"match[]": '{app="cart"}'})["data"] == [{"app": "cart", "pod": "cart-1", "service_name": "cart"}]
    stats = api("index/stats", query=ALL)
    assert (stats["streams"], stats["entries"]) == (2, 30) and stats["bytes"] > 300 and stats["chunks"] >= 1
    volumes = api("index/volume", query=ALL, targetLabels="app")["data"]
    assert volumes["resultType"] == "vector"
    by_app = {series["metric"]["app"]: int(series["value"][1]) for series in volumes["result"]}
    assert set(by_app) == {"cart", "shop"} and sum(by_app.values()) == stats["bytes"]
    ranged = api("index/volume_range", query='{app="shop"}', step="1")["data"]["result"]
    assert sum(int(value[1]) for series in ranged for value in series.get("values", [series.get("value")])) == by_app["shop"]
    assert len(api("index/shards", query=ALL, targetBytesPerShard="1MB")["shards"]) == 1
    patterns = api("patterns", query=ALL, step="1h")["data"]
    assert sum(count for series in patterns for _, count in series["samples"]) == 30
    assert {series["level"] for series in patterns} == {"info", "error"}
    fields = {field["label"]: field for field in api("detected_fields", query=ALL)["fields"]}
    assert (fields["took"]["type"], fields["took"]["cardinality"], fields["took"]["parsers"]) == ("duration", 20, ["json"])
    assert fields["user_id"]["jsonPath"] == ["user", "id"] and fields["trace"]["parsers"] is None
    assert api("detected_field/code/values", query=ALL)["values"] == ["0", "1"]
    labels = {label["label"]: label["cardinality"] for label in api("detected_labels", query=ALL)["detectedLabels"]}
    assert labels == {"app": 2, "pod": 2, "service_name": 2}
    assert api("drilldown-limits")["pattern_ingester_enabled"] is True
    assert api("format_query", query='{a="b"}|="c"')["data"] == '{a="b"} |= "c"'
    vector = api("query", query=f"sum by (app) (count_over_time({ALL}[1h]))")["data"]["result"]
    assert {series["metric"]["app"]: series["value"][1] for series in vector} == {"cart": "10", "shop": "20"}
    assert api("query", query="vector(1)+vector(1)")["data"]["result"][0]["value"][1] == "2"
    assert loki.get("/loki/api/v1/rules").status_code == 404
    assert loki.json("/loki/prometheus/api/v1/rules")["data"]["groups"] == []
    assert loki.get("/loki/api/v1/query", params={"query": ALL}).status_code == 400


def test_a_query_is_followed(loki):
    some_lines(loki)
    address = loki.http.replace("http://", "ws://") + "/loki/api/v1/tail?"
    query = "query=%7Bapp%3D%22cart%22%7D%20%7C%20logfmt%20%7C%20code%3D%221%22"
    flags = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
    with connect(address + query + "&limit=2", additional_headers=flags) as tail, connect(address + query + "&delay_for=1") as late:
        first = json.loads(tail.recv(timeout=PATIENCE))
        assert first["encodingFlags"] == ["categorize-labels"]
        (stream,) = first["streams"]
        assert stream["stream"] == {"app": "cart", "pod": "cart-1", "service_name": "cart"} and len(stream["values"]) == 2
        assert stream["values"][0][2]["parsed"]["code"] == "1"
        push(loki, {"app": "shop", "pod": "shop-1"}, [("code=1", {})], before_seconds=1)
        (sent,) = push(loki, {"app": "cart", "pod": "cart-1"}, [("code=1 n=1", {"who": "me"})], before_seconds=1)
        push(loki, {"app": "cart", "pod": "cart-1"}, [("code=0 n=2", {})], before_seconds=1)
        ((stream,),) = [json.loads(tail.recv(timeout=PATIENCE))["streams"]]
        assert stream["values"][0][:2] == sent[:2] and stream["values"][0][2]["structuredMetadata"]["who"] == "me"
        # Five were there.
        told = []
        while len(told) < 6:
            told += [value[1] for stream in json.loads(late.recv(timeout=PATIENCE))["streams"] for value in stream["values"]]
        assert told[-1] == "code=1 n=1"
    assert loki.get("/loki/api/v1/tail", params={"query": '{app="cart"}', "delay_for": 6}).status_code == 400


def test_what_is_deleted_stays_deleted(loki):
    some_lines(loki)
    order = {"query": '{app="cart"} | logfmt | code="1"', "start": NOW // 1_000_000_000 - 3600}
    answer = loki.session.post(loki.http + "/loki/api/v1/delete", params=order, timeout=PATIENCE)
    assert answer.status_code == 204, answer.text
    (request,) = loki.json("/loki/api/v1/delete")
    assert (request["query"], request["status"]) == (order["query"], "received")
    assert request["request_id"] == answer.headers["X-Delete-Request-ID"]
    assert len(lines_of(loki, ALL)) == 25 and not lines_of(loki, '{app="cart"} |= "code=1"')
    loki.kill()
    loki.start()
    assert len(lines_of(loki, ALL)) == 25 and not lines_of(loki, '{app="cart"} |= "code=1"')
    assert loki.session.post(loki.http + "/-/compact", timeout=PATIENCE).status_code == 200
    assert len(lines_of(loki, ALL)) == 25 and loki.json("/loki/api/v1/delete") == [request | {"status": "processed"}]
    push(loki, {"app": "cart", "pod": "cart-1"}, [("level=error code=1 msg=again", {})], before_seconds=5)
    assert len(lines_of(loki, '{app="cart"} |= "code=1"')) == 1
    assert loki.session.delete(loki.http + "/loki/api/v1/delete", params={"request_id": "none"}, timeout=PATIENCE).status_code == 404


def test_deletion_is_off_unless_it_is_asked_for(server):
    answer = server.session.post(server.http + "/loki/api/v1/delete", params={"query": ALL, "start": "1700000000"}, timeout=PATIENCE)
    assert answer.status_code == 403 and "api.loki.delete" in answer.text
