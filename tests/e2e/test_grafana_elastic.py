"""Every kind of query that Grafana's data source for Elasticsearch makes, as its backend writes it down."""

import json
import time

import otlp
import pytest
import requests
from server import PATIENCE

RECORDS = 200
STEP_MS = 20_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A server with records of two services, a second apart; the fifth of each five took longer."""
    from server import Server

    server = Server(tmp_path_factory.mktemp("grafana") / "server", {"telemetry": {"self_watch": False}}, ()).start()
    server.start_ms = (int(time.time()) - RECORDS - 60) // 20 * 20_000
    for service, first in [("cart", 0), ("pay", 1)]:
        records = [
            ((server.start_ms + number * 1000) * 10**6, f"request {number} " + ("timed out" if number % 10 == 0 else "done"), {"user": f"user-{number % 4}", "took": 100.0 if number % 5 == 4 else 10.0, "n": number})
            for number in range(first, RECORDS, 2)
        ]
        answer = requests.post(server.otlp + "/v1/logs", otlp.logs(service, records).SerializeToString(), headers={"content-type": "application/x-protobuf"}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
    yield server
    server.stop()


def body(server, text="*", **rest):
    """What each query begins with."""
    times = {"range": {"@timestamp": {"format": "epoch_millis", "gte": server.start_ms, "lte": server.start_ms + RECORDS * 1000}}}
    filters = [times] + ([{"query_string": {"analyze_wildcard": True, "query": text}}] if text else [])
    return {"query": {"bool": {"filter": filters}}, "size": 0} | rest


def ask(server, *bodies, expected=200):
    lines = "".join(json.dumps(line) + "\n" for one in bodies for line in [{"ignore_unavailable": True, "index": "logs-*"}, one])
    answer = requests.post(server.http + "/elastic/_msearch?max_concurrent_shard_requests=5", lines, headers={"content-type": "application/x-ndjson"}, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    responses = answer.json()["responses"]
    assert [response["status"] for response in responses] == [expected] * len(bodies), json.dumps(responses)[:2000]
    return responses[0] if len(bodies) == 1 else responses


def histogram(server, aggs=None, **rest):
    bounds = {"min": server.start_ms, "max": server.start_ms + RECORDS * 1000}
    settings = {"field": "@timestamp", "min_doc_count": 0, "extended_bounds": bounds, "format": "epoch_millis", "fixed_interval": f"{STEP_MS}ms"}
    return {"2": {"date_histogram": settings | rest} | ({"aggs": aggs} if aggs else {})}


def points(response):
    return response["aggregations"]["2"]["buckets"]


def test_count(shop):
    found = points(ask(shop, body(shop, aggs=histogram(shop))))
    assert sum(point["doc_count"] for point in found) == RECORDS
    assert found[0]["key"] == shop.start_ms and found[0]["key_as_string"] == str(shop.start_ms) and len(found) == RECORDS * 1000 // STEP_MS + 1


@pytest.mark.parametrize("rest", [{"time_zone": "Europe/Berlin"}, {"offset": "5s"}, {"missing": "2020-01-01"}], ids=lambda rest: next(iter(rest)))
def test_histograms_have_their_settings(shop, rest):
    found = [point for point in points(ask(shop, body(shop, aggs=histogram(shop, **rest)))) if point["doc_count"]]
    assert sum(point["doc_count"] for point in found) == RECORDS
    assert {point["key"] % STEP_MS for point in found} == {5000 if "offset" in rest else 0}


@pytest.mark.parametrize("kind,settings,check", [
    ("avg", {}, lambda value: value["value"] == 28.0),
    ("sum", {"missing": 0}, lambda value: value["value"] == 560.0),
    ("min", {}, lambda value: value["value"] == 10.0),
    ("max", {}, lambda value: value["value"] == 100.0),
    ("cardinality", {"precision_threshold": "100"}, lambda value: value["value"] == 2),
    ("extended_stats", {"sigma": "2"}, lambda value: (value["count"], value["sum"], value["max"]) == (20, 560.0, 100.0) and value["std_deviation"] == 36.0 and value["std_deviation_bounds"]["upper"] == 100.0),
    ("percentiles", {"percents": ["25", "50", "99"]}, lambda value: value["values"]["50.0"] == 10.0 and value["values"]["99.0"] == 100.0),
    ("value_count", {}, lambda value: value["value"] == 20),
    ("stats", {}, lambda value: (value["min"], value["avg"]) == (10.0, 28.0)),
], ids=lambda part: part if isinstance(part, str) else "")
def test_metrics(shop, kind, settings, check):
    found = points(ask(shop, body(shop, aggs=histogram(shop, {"1": {kind: {"field": "took"} | settings}}))))
    assert all(check(point["1"]) for point in found[:-1]), found[0]


def test_rate_and_top_metrics(shop):
    for settings, want in [({"unit": "second", "mode": "value_count", "field": "n"}, 1.0), ({"unit": "minute", "field": "took"}, 1680.0), ({}, 1.0)]:
        found = points(ask(shop, body(shop, aggs=histogram(shop, {"1": {"rate": settings}}))))
        assert found[0]["1"]["value"] == want
    latest = {"top_metrics": {"metrics": [{"field": "n"}], "size": "1", "sort": [{"@timestamp": "desc"}]}}
    found = points(ask(shop, body(shop, aggs=histogram(shop, {"1": latest}))))
    assert found[0]["1"]["top"][0]["metrics"] == {"n": 19}


@pytest.mark.parametrize("kind,settings,check", [
    ("cumulative_sum", {"buckets_path": "1"}, lambda values: values[:3] == [560.0, 1120.0, 1680.0]),
    ("derivative", {"buckets_path": "1", "unit": "1s"}, lambda values: values[1] == 0.0),
    ("serial_diff", {"buckets_path": "1", "lag": 1}, lambda values: values[1] == 0.0),
    ("moving_fn", {"buckets_path": "1", "window": 3, "shift": 1, "script": "MovingFunctions.unweightedAvg(values)"}, lambda values: values[2] == 560.0),
    ("moving_avg", {"buckets_path": "1", "window": 2, "model": "holt", "settings": {"alpha": 0.5, "beta": 0.5}}, lambda values: values[2] == 560.0),
    ("bucket_script", {"buckets_path": {"var1": "1", "var2": "_count"}, "script": "params.var1 / params.var2"}, lambda values: values[0] == 28.0),
], ids=lambda part: part if isinstance(part, str) else "")
def test_pipelines(shop, kind, settings, check):
    found = points(ask(shop, body(shop, aggs=histogram(shop, {"1": {"sum": {"field": "took"}}, "3": {kind: settings}}))))
    values = [point.get("3", {}).get("value") for point in found]
    assert check(values), values


def test_pipelines_over_counts(shop):
    found = points(ask(shop, body(shop, aggs=histogram(shop, {"3": {"cumulative_sum": {"buckets_path": "_count"}}}))))
    assert [point["3"]["value"] for point in found][:3] == [20.0, 40.0, 60.0]


@pytest.mark.parametrize("order,first", [({"_count": "desc"}, None), ({"_key": "desc"}, "user-3"), ({"_term": "asc"}, "user-0"), ({"1": "desc"}, None), ({"1[95.0]": "desc"}, None), ({"1[std_deviation]": "asc"}, None)], ids=str)
def test_terms(shop, order, first):
    name = next(iter(order))
    metric = {"percentiles": {"field": "took", "percents": ["95"]}} if "95" in name else {"extended_stats": {"field": "took"}} if "std" in name else {"avg": {"field": "took"}}
    terms = {"terms": {"field": "user.keyword", "size": 10, "min_doc_count": 1, "missing": "nobody", "order": order}, "aggs": histogram(shop, {"1": metric}) | {"1": metric}}
    response = ask(shop, body(shop, aggs={"4": terms}))
    buckets = response["aggregations"]["4"]["buckets"]
    assert [bucket["doc_count"] for bucket in buckets] == [50] * 4
    assert first is None or buckets[0]["key"] == first
    assert sum(point["doc_count"] for point in buckets[0]["2"]["buckets"]) == 50


def test_filters_and_histogram(shop):
    filters = {"timed out": {"query_string": {"query": '"timed out"', "analyze_wildcard": True}}, "user:user-1": {"query_string": {"query": "user:user-1", "analyze_wildcard": True}}}
    response = ask(shop, body(shop, aggs={"3": {"filters": {"filters": filters}, "aggs": histogram(shop)}}))
    buckets = response["aggregations"]["3"]["buckets"]
    assert (buckets["timed out"]["doc_count"], buckets["user:user-1"]["doc_count"]) == (20, 50)
    assert sum(point["doc_count"] for point in buckets["timed out"]["2"]["buckets"]) == 20
    response = ask(shop, body(shop, aggs={"3": {"histogram": {"field": "n", "interval": 50, "min_doc_count": 0}, "aggs": histogram(shop)}}))
    assert [(bucket["key"], bucket["doc_count"]) for bucket in response["aggregations"]["3"]["buckets"]] == [(0.0, 50), (50.0, 50), (100.0, 50), (150.0, 50)]


@pytest.mark.parametrize("kind,settings", [("geohash_grid", {"field": "place", "precision": 3}), ("nested", {"path": "items"}), ("derivative", {"buckets_path": "_count"})])
def test_what_logs_do_not_have_is_named(shop, kind, settings):
    response = ask(shop, body(shop, aggs={"3": {kind: settings, "aggs": histogram(shop)}}), expected=400)
    assert kind in response["error"]["reason"] or "pipeline" in response["error"]["reason"]
    script = {"bucket_script": {"buckets_path": {"a": "_count"}, "script": "doc['took'].value"}}
    response = ask(shop, body(shop, aggs=histogram(shop, {"3": script})), expected=400)
    assert "[script] wants arithmetic" in response["error"]["reason"]


def of_logs(server, **rest):
    """Query type `logs`."""
    return body(
        server,
        **{
            "size": 500,
            "sort": {"@timestamp": {"order": "desc", "unmapped_type": "boolean"}, "_doc": {"order": "desc"}},
            "docvalue_fields": ["@timestamp"],
            "script_fields": {},
            "fields": [{"field": "@timestamp", "format": "strict_date_optional_time_nanos"}],
            "highlight": {"fields": {"*": {}}, "fragment_size": 2147483647, "pre_tags": ["@HIGHLIGHT@"], "post_tags": ["@/HIGHLIGHT@"]},
            "aggs": {"1": histogram(server)["2"]},
        }
        | rest,
    )


def test_logs_and_what_is_around_one(shop):
    response = ask(shop, of_logs(shop, size=7) | {"query": body(shop, '"timed out"')["query"]})
    hits = response["hits"]["hits"]
    assert [hit["_source"]["message"] for hit in hits] == [f"request {number} timed out" for number in range(190, 120, -10)]
    assert "@HIGHLIGHT@timed" in json.dumps(hits[0]["highlight"])
    stamp = hits[0]["fields"]["@timestamp"][0]
    assert stamp.endswith("Z") and stamp.startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(shop.start_ms // 1000 + 190)))
    assert sum(bucket["doc_count"] for bucket in response["aggregations"]["1"]["buckets"]) == 20
    # Context: the same query, with what came after and before, whatever its text.
    after = hits[3]["sort"]
    for order, numbers in [("desc", [159, 158, 157]), ("asc", [161, 162, 163])]:
        sort = {"@timestamp": {"order": order, "unmapped_type": "boolean"}, "_doc": {"order": order}}
        context = ask(shop, of_logs(shop, size=3, search_after=after, sort=sort))
        assert [hit["_source"]["n"] for hit in context["hits"]["hits"]] == numbers


@pytest.mark.parametrize("is_data", [True, False])
def test_raw_data_and_raw_documents(shop, is_data):
    rest = {"size": 500, "sort": {"@timestamp": {"order": "desc", "unmapped_type": "boolean"}, "_doc": {"order": "desc"}}, "docvalue_fields": ["@timestamp"], "script_fields": {}}
    rest |= {"fields": [{"field": "@timestamp", "format": "strict_date_optional_time_nanos"}]} if is_data else {}
    hits = ask(shop, body(shop, **rest))["hits"]["hits"]
    assert len(hits) == RECORDS and hits[0]["_source"]["n"] == RECORDS - 1
    assert {"_id", "_index", "_source", "sort", "fields"} <= set(hits[0])


@pytest.mark.parametrize("text,count", [
    ("", RECORDS),
    ("timed AND out", 20),
    ('user:"user-1"', 50),
    ('-user:"user-1"', 150),
    ('*:* AND -user:"user-1"', 150),
    ("user:/user-[12]/", 100),
    ("-user:/user-[12]/", 100),
    ("took:>50", 40),
    ("took:<50", 160),
    ("n:[10 TO 19]", 10),
    ("user:(user-1 OR user-2)", 100),
    ("message:reque*", RECORDS),
    ("_exists_:user", RECORDS),
    ("NOT _exists_:nothing", RECORDS),
    ("service.name:cart AND (timed OR nonsense)", 20),
    ('_index:"logs-cart"', RECORDS // 2),
    ("_index:logs-* AND -_index:logs-pay", RECORDS // 2),
])
def test_texts_of_queries_and_ad_hoc_filters(shop, text, count):
    assert ask(shop, body(shop, text) | {"track_total_hits": True})["hits"]["total"]["value"] == count


def test_variables_annotations_and_health(shop):
    terms = {"1": {"terms": {"field": "user", "size": 500, "order": {"_key": "asc"}}}}
    found = ask(shop, body(shop, "service.name:cart", aggs=terms))["aggregations"]["1"]["buckets"]
    assert [bucket["key"] for bucket in found] == ["user-0", "user-2"]
    times = {"range": {"@timestamp": {"from": shop.start_ms, "to": shop.start_ms + RECORDS * 1000, "format": "epoch_millis"}}}
    annotations = {"query": {"bool": {"filter": [{"bool": {"should": [times], "minimum_should_match": 1}}, {"query_string": {"query": '"timed out"'}}]}}, "size": 10000}
    assert len(ask(shop, annotations)["hits"]["hits"]) == 20
    health = requests.get(shop.http + "/elastic/_cluster/health?wait_for_status=yellow&timeout=5s", timeout=PATIENCE).json()
    assert health["status"] == "green"
    mapping = requests.get(shop.http + "/elastic/logs-*/_mapping", timeout=PATIENCE).json()
    assert mapping["logs-cart"]["mappings"]["properties"]["@timestamp"]["type"] in ("date", "date_nanos")
    caps = requests.get(shop.http + "/elastic/logs-*/_field_caps?fields=*", timeout=PATIENCE).json()["fields"]
    assert caps["took"]["double"]["aggregatable"] and caps["user"]["keyword"]["searchable"]
