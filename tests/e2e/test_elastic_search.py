"""Elasticsearch's own client, and requests as Grafana's data source sends them, search what came through OTLP."""

import json
import time

import elasticsearch
import elasticsearch.helpers
import otlp
import pytest
import requests
from server import PATIENCE

RECORDS = 250


@pytest.fixture
def shop(servers):
    """A server with records of two services, a second apart."""
    server = servers(config={"telemetry": {"self_watch": False}}).start()
    start_ns = (int(time.time()) - RECORDS - 10) * 10**9
    for service, first in [("cart", 0), ("pay", 1)]:
        records = [
            (start_ns + number * 10**9, f"request {number} " + ("timed out" if number % 10 == 0 else "done"), {"user": f"user-{number % 7}", "path": "/health" if number % 5 else "/buy"})
            for number in range(first, RECORDS, 2)
        ]
        answer = requests.post(server.otlp + "/v1/logs", otlp.logs(service, records).SerializeToString(), headers={"content-type": "application/x-protobuf"}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
    server.start_ns = start_ns
    return server


def test_the_official_client(shop):
    client = elasticsearch.Elasticsearch(shop.http + "/elastic", request_timeout=PATIENCE)
    assert client.count(index="logs-*")["count"] == RECORDS
    assert client.count(index="logs-cart", query={"match_phrase": {"message": "timed out"}})["count"] == 25
    found = client.search(
        index="logs-*",
        size=3,
        query={"bool": {"filter": [{"query_string": {"query": 'service.name:cart AND "timed out" AND NOT path:"/buy"'}}]}},
        sort=[{"@timestamp": "desc"}],
        track_total_hits=True,
    )
    assert found["hits"]["total"] == {"value": 0, "relation": "eq"}
    found = client.search(index="logs-*", size=3, query={"match": {"message": "timed"}}, sort=[{"@timestamp": "desc"}], source=["message", "user"])
    messages = [hit["_source"]["message"] for hit in found["hits"]["hits"]]
    assert messages == ["request 240 timed out", "request 230 timed out", "request 220 timed out"]
    document = client.get(index="logs-cart", id=found["hits"]["hits"][0]["_id"])
    assert document["_source"]["message"] == messages[0] and document["_source"]["service.name"] == "cart"
    buckets = client.search(
        size=0,
        aggs={
            "users": {"terms": {"field": "user.keyword", "size": 2, "order": {"_key": "asc"}}},
            "minutes": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1m", "min_doc_count": 0}},
            "services": {"cardinality": {"field": "service.name"}},
        },
    )["aggregations"]
    assert [(bucket["key"], bucket["doc_count"]) for bucket in buckets["users"]["buckets"]] == [("user-0", 36), ("user-1", 36)]
    assert sum(bucket["doc_count"] for bucket in buckets["minutes"]["buckets"]) == RECORDS
    assert buckets["services"]["value"] == 2
    scrolled = [hit["_source"]["message"] for hit in elasticsearch.helpers.scan(client, index="logs-*", size=60, query={"query": {"match_all": {}}})]
    assert len(scrolled) == RECORDS and len(set(scrolled)) == RECORDS
    assert client.cat.indices(format="json", h="index,docs.count").body == [{"index": f"logs-{name}", "docs.count": "125"} for name in ["cart", "pay"]]
    assert client.indices.get_mapping(index="logs-pay")["logs-pay"]["mappings"]["properties"]["user"] == {"type": "keyword"}
    assert set(client.field_caps(index="logs-*", fields="*")["fields"]) >= {"@timestamp", "message", "user", "path", "service.name"}
    assert [index["name"] for index in client.indices.resolve_index(name="logs-*")["indices"]] == ["logs-cart", "logs-pay"]
    with pytest.raises(elasticsearch.BadRequestError, match="unknown query"):
        client.search(query={"fuzzy": {"message": "reqest"}})
    with pytest.raises(elasticsearch.NotFoundError):
        client.get(index="logs-cart", id="nothing")
    pages, after = [], None
    while True:
        page = client.search(index="logs-*", size=90, sort=[{"@timestamp": "asc"}, {"_doc": "asc"}], search_after=after)["hits"]["hits"]
        if not page:
            break
        pages += [hit["_source"]["message"] for hit in page]
        after = page[-1]["sort"]
    assert pages == [f"request {number} " + ("timed out" if number % 10 == 0 else "done") for number in range(RECORDS)]


def test_grafanas_data_source(shop):
    start, end = shop.start_ns // 10**6, shop.start_ns // 10**6 + RECORDS * 1000
    within = {"range": {"@timestamp": {"format": "epoch_millis", "gte": start, "lte": end}}}
    volume = {
        "size": 0,
        "query": {"bool": {"filter": [within, {"query_string": {"analyze_wildcard": True, "query": "*"}}]}},
        "aggs": {
            "2": {
                "terms": {"field": "service.name", "size": 500, "order": {"_count": "desc"}, "min_doc_count": 1},
                "aggs": {
                    "3": {
                        "date_histogram": {"field": "@timestamp", "fixed_interval": "50000ms", "min_doc_count": 0, "extended_bounds": {"min": start, "max": end}, "format": "epoch_millis"},
                        "aggs": {"1": {"max": {"field": "severity_number"}}},
                    }
                },
            }
        },
    }
    header = {"ignore_unavailable": True, "index": "logs-*"}
    lines = "".join(json.dumps(line) + "\n" for line in [header, volume, header, {"size": 0, "query": {"nonsense": {}}}])
    answer = requests.post(shop.http + "/elastic/_msearch?max_concurrent_shard_requests=5", lines, headers={"content-type": "application/x-ndjson"}, timeout=PATIENCE)
    assert answer.status_code == 200 and answer.headers["x-elastic-product"] == "Elasticsearch"
    first, second = answer.json()["responses"]
    services = first["aggregations"]["2"]["buckets"]
    assert sorted((bucket["key"], bucket["doc_count"]) for bucket in services) == [("cart", 125), ("pay", 125)]
    for bucket in services:
        series = bucket["3"]["buckets"]
        assert sum(point["doc_count"] for point in series) == 125 and series[0]["1"] == {"value": 9.0}
        assert all(later["key"] - point["key"] == 50_000 for point, later in zip(series, series[1:]))
    assert second["status"] == 400 and second["error"]["type"] == "parsing_exception"


def test_our_own_search(shop):
    # Fields, words and phrases in one line.
    query = 'service:cart level:info "timed out" -path:/health'
    found = shop.json("/api/v1/logs/search", query=query, limit=2, total="true", fields="user,path,message")
    assert found["total"] == 25 and [record["fields"]["path"] for record in found["records"]] == ["/buy", "/buy"]
    more = shop.json("/api/v1/logs/search", query=query, limit=2, cursor=found["cursor"])
    assert [record["body"] for record in more["records"]] == ["request 220 timed out", "request 210 timed out"]
    facets = shop.json("/api/v1/logs/facets", query="timed", fields="service,path", more=0)
    assert facets["total"] == 25 and facets["facets"][1]["values"] == [{"value": "/buy", "count": 25}]
    histogram = shop.json("/api/v1/logs/histogram", query="service:pay", interval="30s", by="level")
    assert histogram["total"] == 125 and sum(bucket["values"].get("info", 0) for bucket in histogram["buckets"]) == 125


def flat(document, prefix=""):
    """Objects in objects as names with dots."""
    fields = {}
    for name, value in document.items():
        fields |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return fields


def test_what_the_client_sent_comes_back(servers):
    server = servers(config={"telemetry": {"self_watch": False}}).start()
    client = elasticsearch.Elasticsearch(server.http + "/elastic", request_timeout=PATIENCE)
    assert client.ping() and client.info()["version"]["number"].startswith("8.")
    assert client.cluster.health(wait_for_status="yellow")["status"] == "green"
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".123Z"
    documents = {
        "one": {"@timestamp": now, "message": "payment failed", "log": {"level": "warn"}, "service": {"name": "pay"}, "user": {"id": 7, "tags": ["a", "b"]}, "ok": True, "ratio": 0.5},
        "two": {"@timestamp": now, "log": "plain text", "level": "INFO", "host.name": "node-1", "trace.id": "0af7651916cd43dd8448eb211c80319c"},
        "three": {"@timestamp": now, "message": "nothing else"},
    }
    actions = [{"_index": "filebeat-1", "_id": name, "_source": document} for name, document in documents.items()]
    assert elasticsearch.helpers.bulk(client, actions) == (3, [])
    client.indices.refresh(index="filebeat-1")
    found = client.search(index="filebeat-*", query={"match_all": {}})
    assert {hit["_index"] for hit in found["hits"]["hits"]} == {"filebeat-1"}
    for hit in found["hits"]["hits"]:
        assert flat(hit["_source"]) == flat(documents[hit["_id"]]), hit["_id"]
    for query, want in [
        ({"term": {"user.id": 7}}, ["one"]),
        ({"term": {"user.tags": "b"}}, ["one"]),
        ({"match": {"message": "PAYMENT"}}, ["one"]),
        ({"term": {"log.level": "warn"}}, ["one"]),
        ({"term": {"host.name": "node-1"}}, ["two"]),
        ({"term": {"trace.id": "0af7651916cd43dd8448eb211c80319c"}}, ["two"]),
        ({"ids": {"values": ["three"]}}, ["three"]),
        ({"query_string": {"query": "service.name:pay OR nothing"}}, ["one", "three"]),
    ]:
        hits = client.search(index="filebeat-1", query=query)["hits"]["hits"]
        assert sorted(hit["_id"] for hit in hits) == want, query
    assert client.count(index="logs-*")["count"] == 3 and client.count(index="logs-pay")["count"] == 0
    assert client.get(index="filebeat-1", id="two")["found"]
