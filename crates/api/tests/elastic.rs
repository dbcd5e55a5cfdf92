//! Elasticsearch's search API: what Grafana and official clients send, and the exact shapes of what they get.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::World;

async fn post(world: &World, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(format!("/elastic{path}")).header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
    let answer = world.send(request).await;
    (answer.status, answer.json())
}

async fn hits(world: &World, query: Value) -> Vec<i64> {
    let (status, answer) = post(world, "/logs-*/_search", &json!({ "query": query, "sort": [{ "@timestamp": "asc" }, "_doc"] })).await;
    assert_eq!(status, 200, "{query}: {answer}");
    let hits = answer["hits"]["hits"].as_array().unwrap();
    let nanoseconds = |hit: &Value| {
        let text = hit["_source"]["@timestamp"].as_str().unwrap();
        text.strip_prefix("2023-11-14T22:13:20.00000000").unwrap().trim_end_matches('Z').parse().unwrap()
    };
    hits.iter().map(nanoseconds).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_what_grafanas_logs_ask() {
    for world in [World::head().await, World::segments().await] {
        let header = json!({ "ignore_unavailable": true, "index": "logs-*" });
        let filter = json!([
            { "range": { "@timestamp": { "format": "epoch_millis", "gte": 1_699_999_990_000_i64, "lte": 1_700_000_010_000_i64 } } },
            { "query_string": { "analyze_wildcard": true, "query": "tea" } }
        ]);
        let body = json!({
            "size": 500,
            "query": { "bool": { "filter": filter } },
            "sort": { "@timestamp": { "order": "desc", "unmapped_type": "boolean" }, "_doc": { "order": "desc" } },
            "docvalue_fields": ["@timestamp"],
            "fields": [{ "field": "@timestamp", "format": "strict_date_optional_time_nanos" }],
            "script_fields": {},
            "highlight": { "fields": { "*": {} }, "fragment_size": 2_147_483_647_i64, "pre_tags": ["@HIGHLIGHT@"], "post_tags": ["@/HIGHLIGHT@"] },
            "aggs": { "1": { "date_histogram": { "field": "@timestamp", "fixed_interval": "10s", "min_doc_count": 0, "format": "epoch_millis",
                "extended_bounds": { "min": 1_699_999_990_000_i64, "max": 1_700_000_010_000_i64 } } } }
        });
        let request = Request::post("/elastic/_msearch?max_concurrent_shard_requests=5").header("content-type", "application/x-ndjson");
        let answer = world.send(request.body(Body::from(format!("{header}\n{body}\n"))).unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut answer = answer.json()["responses"][0].take();
        answer["took"] = json!(1);
        let source = json!({
            "@timestamp": "2023-11-14T22:13:20.000000001Z",
            "message": "cannot order \"tea\"\nno stock",
            "level": "error",
            "severity_text": "Error",
            "severity_number": 17,
            "event_name": "order.failed",
            "trace_id": "5b8efff798038103d269b633813fc60c",
            "span_id": "0000000000000002",
            "flags": 1,
            "observed_timestamp": "2023-11-14T22:13:20.000000002Z",
            "scope.name": "lib",
            "scope.version": "1.2",
            "service.name": "cart",
            "k8s.pod.name": "cart-1",
            "http.method": "GET",
            "size": 12,
            "scope.attributes.language": "rust",
        });
        let tie = answer["hits"]["hits"][0]["sort"][1].take();
        assert_eq!(tie.as_u64().unwrap() >> 33, 1);
        let id = answer["hits"]["hits"][0]["_id"].take();
        assert!(id.as_str().unwrap().starts_with("17979cfe362a0001-"), "{id}");
        let hit = json!({
            "_index": "logs-cart", "_id": null, "_score": null, "_source": source, "sort": [1_700_000_000_000_i64, null],
            "fields": { "@timestamp": ["2023-11-14T22:13:20.000000001Z"] },
            "highlight": { "message": ["cannot order \"@HIGHLIGHT@tea@/HIGHLIGHT@\"\nno stock"] }
        });
        let bucket = |key: i64, count: u64| json!({ "key_as_string": key.to_string(), "key": key, "doc_count": count });
        let want = json!({
            "took": 1, "timed_out": false, "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 },
            "hits": { "total": { "value": 1, "relation": "eq" }, "max_score": null, "hits": [hit] },
            "aggregations": { "1": { "buckets": [bucket(1_699_999_990_000, 0), bucket(1_700_000_000_000, 1), bucket(1_700_000_010_000, 0)] } },
            "status": 200
        });
        assert_eq!(answer, want);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_what_each_query_says() {
    let world = World::head().await;
    let cases: Vec<(Value, &[i64])> = vec![
        (json!({ "match_all": {} }), &[1, 2, 3, 4]),
        (json!({ "match_none": {} }), &[]),
        (json!({ "match": { "message": "TEA nothing" } }), &[1]),
        (json!({ "match": { "message": { "query": "tea nothing", "operator": "and" } } }), &[]),
        (json!({ "match_phrase": { "message": "order tea no" } }), &[1]),
        (json!({ "match_phrase": { "message": "tea order" } }), &[]),
        (json!({ "match_phrase_prefix": { "message": "ordered cof" } }), &[2]),
        (json!({ "multi_match": { "query": "coffee", "fields": ["message^2", "service.name"] } }), &[2]),
        (json!({ "term": { "service.name.keyword": { "value": "cart" } } }), &[1, 2]),
        (json!({ "term": { "service.name": "Cart" } }), &[]),
        (json!({ "term": { "size": 12 } }), &[1]),
        (json!({ "terms": { "level": ["warn", "error"] } }), &[1, 3]),
        (json!({ "range": { "size": { "gte": 12, "lt": 13 } } }), &[1]),
        (json!({ "range": { "@timestamp": { "gte": "2023-11-14T22:13:20.000000002Z", "lt": "2023-11-14T22:13:20.000000004Z" } } }), &[2, 3]),
        (json!({ "range": { "@timestamp": { "gte": "now-1h", "lte": "now" } } }), &[1, 2, 3, 4]),
        (json!({ "range": { "@timestamp": { "gt": "2023-11-14||/d" } } }), &[]),
        (json!({ "exists": { "field": "replicas" } }), &[3]),
        (json!({ "prefix": { "k8s.pod.name": "car" } }), &[1, 2]),
        (json!({ "wildcard": { "k8s.pod.name": { "value": "c?rt*" } } }), &[1, 2]),
        (json!({ "regexp": { "k8s.pod.name": "cart-[0-9]" } }), &[1, 2]),
        (json!({ "regexp": { "k8s.pod.name": "art" } }), &[]),
        (json!({ "ids": { "values": ["17979cfe362a0001-1", "x"] } }), &[1]),
        (json!({ "query_string": { "query": "service.name:cart AND NOT coffee" } }), &[1]),
        (json!({ "query_string": { "query": "tea coffee" } }), &[1, 2]),
        (json!({ "query_string": { "query": "level:(error OR warn)", "default_operator": "AND" } }), &[1, 3]),
        (json!({ "simple_query_string": { "query": "tea | coffee", "fields": ["message"] } }), &[1, 2]),
        (json!({ "constant_score": { "filter": { "term": { "level": "info" } } } }), &[2]),
        (json!({ "bool": { "must": { "term": { "service.name": "cart" } }, "must_not": [{ "match": { "message": "tea" } }] } }), &[2]),
        (json!({ "bool": { "should": [{ "term": { "level": "info" } }, { "term": { "level": "warn" } }] } }), &[2, 3]),
        (json!({ "bool": { "filter": { "match_all": {} }, "should": [{ "term": { "level": "info" } }] } }), &[1, 2, 3, 4]),
        (json!({ "bool": { "filter": [], "should": [{ "term": { "level": "info" } }], "minimum_should_match": 1 } }), &[2]),
        (json!({ "bool": { "should": [{ "exists": { "field": "size" } }, { "term": { "level": "error" } }], "minimum_should_match": "100%" } }), &[1]),
        (json!({ "bool": {} }), &[1, 2, 3, 4]),
    ];
    let ids = post(&world, "/_search", &json!({ "sort": "@timestamp" })).await.1;
    let first = ids["hits"]["hits"][0]["_id"].as_str().unwrap().to_owned();
    for (query, want) in cases {
        let text = query.to_string().replace("17979cfe362a0001-1", &first);
        assert_eq!(hits(&world, serde_json::from_str(&text).unwrap()).await, want, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_in_the_shapes_of_elasticsearch() {
    let world = World::segments().await;
    let (status, answer) = post(
        &world,
        "/_search",
        &json!({
            "size": 0,
            "aggs": {
                "services": { "terms": { "field": "service.name", "size": 1, "order": { "_key": "asc" } }, "aggs": { "size": { "avg": { "field": "size" } } } },
                "levels": { "filters": { "filters": { "bad": { "query_string": { "query": "level:error" } }, "good": { "match": { "level": "info" } } } } },
                "sizes": { "range": { "field": "size", "ranges": [{ "to": 10 }, { "from": 10, "to": 20 }] } },
                "newest": { "max": { "field": "@timestamp" } },
                "none": { "min": { "field": "nothing" } },
                "distinct": { "cardinality": { "field": "service.name" } },
                "stats": { "stats": { "field": "replicas" } },
                "percentiles": { "percentiles": { "field": "replicas", "percents": [50] } },
                "top": { "top_hits": { "size": 1, "_source": ["message"] } },
                "metric": { "top_metrics": { "metrics": { "field": "ratio" }, "sort": { "replicas": "desc" } } },
                "days": { "date_histogram": { "field": "@timestamp", "calendar_interval": "day", "time_zone": "+01:00", "min_doc_count": 1 } },
                "histogram": { "histogram": { "field": "size", "interval": 5 } },
                "absent": { "missing": { "field": "service.name" } },
            }
        }),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    let found = &answer["aggregations"];
    assert_eq!(
        found["services"],
        json!({ "doc_count_error_upper_bound": 0, "sum_other_doc_count": 1, "buckets": [{ "key": "cart", "doc_count": 2, "size": { "value": 12.0 } }] })
    );
    assert_eq!(found["levels"], json!({ "buckets": { "bad": { "doc_count": 1 }, "good": { "doc_count": 1 } } }));
    assert_eq!(
        found["sizes"],
        json!({ "buckets": [{ "key": "*-10.0", "to": 10.0, "doc_count": 0 }, { "key": "10.0-20.0", "from": 10.0, "to": 20.0, "doc_count": 1 }] })
    );
    assert_eq!(found["newest"], json!({ "value": 1_700_000_000_000.0, "value_as_string": "2023-11-14T22:13:20.000Z" }));
    assert_eq!(found["none"], json!({ "value": null }));
    assert_eq!(found["distinct"], json!({ "value": 2 }));
    assert_eq!(found["stats"], json!({ "count": 1, "min": 3.0, "max": 3.0, "avg": 3.0, "sum": 3.0 }));
    assert_eq!(found["percentiles"], json!({ "values": { "50.0": 3.0 } }));
    assert_eq!(found["top"]["hits"]["total"], json!({ "value": 4, "relation": "eq" }));
    assert_eq!(found["top"]["hits"]["hits"][0]["_source"], json!({}));
    assert_eq!(found["metric"], json!({ "top": [{ "sort": [3.0], "metrics": { "ratio": 0.5 } }] }));
    assert_eq!(found["days"], json!({ "buckets": [{ "key_as_string": "2023-11-14T00:00:00.000+01:00", "key": 1_699_916_400_000_i64, "doc_count": 4 }] }));
    assert_eq!(found["histogram"], json!({ "buckets": [{ "key": 10.0, "doc_count": 1 }] }));
    assert_eq!(found["absent"], json!({ "doc_count": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_by_search_after_and_by_scroll() {
    let world = World::head().await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let mut body = json!({ "size": 1, "sort": [{ "@timestamp": { "order": "desc" } }, { "_doc": { "order": "desc" } }], "_source": false });
        if let Some(after) = after.take() {
            body["search_after"] = after;
        }
        let (status, answer) = post(&world, "/logs-*/_search", &body).await;
        assert_eq!(status, 200, "{answer}");
        let Some(hit) = answer["hits"]["hits"].get(0) else { break };
        assert!(hit.get("_source").is_none(), "{hit}");
        // As clients do that read every number as a double.
        after = Some(json!([hit["sort"][0].as_f64(), hit["sort"][1].as_f64()]));
        seen.push(hit["_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 4);
    let (_, mut page) = post(&world, "/_search?scroll=1m&size=3", &json!({ "sort": ["_doc"], "query": { "match_all": {} } })).await;
    let mut scrolled = Vec::new();
    while !page["hits"]["hits"].as_array().unwrap().is_empty() {
        assert_eq!(page["hits"]["total"]["value"], 4, "{page}");
        scrolled.extend(page["hits"]["hits"].as_array().unwrap().iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()));
        page = post(&world, "/_search/scroll", &json!({ "scroll": "1m", "scroll_id": page["_scroll_id"] })).await.1;
    }
    scrolled.reverse();
    assert_eq!(scrolled, seen);
    let request = Request::delete("/elastic/_search/scroll").body(Body::from("{}")).unwrap();
    assert_eq!(world.send(request).await.json(), json!({ "succeeded": true, "num_freed": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_hold_what_their_names_say() {
    let world = World::head().await;
    for (index, want) in [
        ("_all", 4),
        ("*", 4),
        ("logs", 4),
        ("logs-*", 4),
        ("logs-cart", 2),
        ("logs-c*", 2),
        ("logs-unknown_service", 1),
        ("logs-u*", 1),
        ("logs-cart,logs-shop", 3),
        ("logs-*,-logs-cart", 2),
        ("filebeat-*", 0),
    ] {
        let answer = world.get(&format!("/elastic/{index}/_count")).await;
        assert_eq!(answer.json()["count"], want, "{index}");
    }
    let cat = world.get("/elastic/_cat/indices?h=index,docs.count").await;
    assert_eq!(cat.text(), "logs-cart 2\nlogs-shop 1\nlogs-unknown_service 1\n");
    let cat = world.get("/elastic/_cat/indices/logs-c*?format=json&h=index,health").await;
    assert_eq!(cat.json(), json!([{ "index": "logs-cart", "health": "green" }]));
    let resolved = world.get("/elastic/_resolve/index/logs-s*").await.json();
    assert_eq!(resolved["indices"], json!([{ "name": "logs-shop", "aliases": ["logs"], "attributes": ["open"] }]));
    let mapping = world.get("/elastic/logs-cart/_mapping").await.json();
    let properties = &mapping["logs-cart"]["mappings"]["properties"];
    assert_eq!(properties["message"], json!({ "type": "text" }));
    assert_eq!(properties["@timestamp"], json!({ "type": "date" }));
    assert_eq!(properties["k8s"]["properties"]["pod"]["properties"]["name"], json!({ "type": "keyword" }));
    assert_eq!(properties["size"], json!({ "type": "long" }));
    let caps = world.get("/elastic/logs-*/_field_caps?fields=si*,message").await.json();
    assert_eq!(caps["fields"]["size"]["long"]["aggregatable"], true);
    assert_eq!(caps["fields"]["message"]["text"]["aggregatable"], false);
    assert_eq!(caps["fields"].as_object().unwrap().len(), 2, "{caps}");
    assert_eq!(world.get("/elastic/nothing/_mapping").await.json()["error"]["type"], "index_not_found_exception");
    assert_eq!(world.get("/elastic/_stats").await.json()["_all"]["total"]["docs"]["count"], 4);
    let described = world.get("/elastic/logs-shop").await.json();
    assert_eq!(described["logs-shop"]["aliases"], json!({ "logs": {} }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_a_field() {
    for world in [World::head().await, World::segments().await] {
        for (query, want) in [
            (json!({ "query_string": { "query": "_index:\"logs-cart\"" } }), 2),
            (json!({ "query_string": { "query": "_index:logs-c* OR _index:logs-shop" } }), 3),
            (json!({ "query_string": { "query": "NOT _index:logs-cart" } }), 2),
            (json!({ "query_string": { "query": "_index:*-s?op" } }), 1),
            (json!({ "term": { "_index": "logs-unknown_service" } }), 1),
            (json!({ "terms": { "_index": ["logs-cart", "logs-shop", "other"] } }), 3),
            (json!({ "prefix": { "_index": "logs-u" } }), 1),
            (json!({ "wildcard": { "_index": "other*" } }), 0),
            (json!({ "exists": { "field": "_index" } }), 4),
        ] {
            let (status, answer) = post(&world, "/_count", &json!({ "query": query })).await;
            assert_eq!((status, &answer["count"]), (200, &json!(want)), "{query}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_by_name_what_is_not_spoken() {
    let world = World::head().await;
    let nested = (0..50).fold(json!({ "match_all": {} }), |query, _| json!({ "bool": { "must": query } }));
    let deep = (0..20).fold(json!({ "filter": { "match_all": {} } }), |inner, _| json!({ "filter": { "match_all": {} }, "aggs": { "a": inner } }));
    let cases = [
        (json!({ "query": { "fuzzy": { "a": "b" } } }), "parsing_exception", "unknown query [fuzzy]"),
        (json!({ "query": { "regexp": { "_index": "a" } } }), "illegal_argument_exception", "field [_index]"),
        (json!({ "query": { "query_string": { "query": format!("_index:{}", "a*".repeat(40)) } } }), "illegal_argument_exception", "more than 32 pieces"),
        (json!({ "query": { "match_all": {}, "term": {} } }), "parsing_exception", "one query"),
        (json!({ "query": { "match": { "a": "b", "c": "d" } } }), "parsing_exception", "wants one field"),
        (json!({ "query": { "query_string": { "query": "a AND (" } } }), "parsing_exception", "line 1, col 8"),
        (json!({ "query": { "query_string": { "query": "a~2" } } }), "parsing_exception", "fuzzy"),
        (json!({ "query": { "regexp": { "message": "(" } } }), "illegal_argument_exception", "regular expression"),
        (json!({ "query": { "range": { "@timestamp": { "gte": "soon" } } } }), "illegal_argument_exception", "soon"),
        (json!({ "query": nested }), "parsing_exception", "nests deeper"),
        (json!({ "size": 20_000 }), "illegal_argument_exception", "Result window is too large"),
        (json!({ "from": 9_999, "size": 2 }), "illegal_argument_exception", "[10000] but was [10001]"),
        (json!({ "sort": "user.keyword" }), "illegal_argument_exception", "sorting by [user.keyword]"),
        (json!({ "aggs": { "a": { "significant_terms": { "field": "a" } } } }), "parsing_exception", "[significant_terms]"),
        (json!({ "aggs": { "a": { "avg": { "script": "1" } } } }), "illegal_argument_exception", "scripts are not supported"),
        (json!({ "aggs": { "a": { "moving_percentiles": { "buckets_path": "1" } } } }), "parsing_exception", "[moving_percentiles]"),
        (json!({ "aggs": { "a": deep } }), "parsing_exception", "nest deeper"),
        (
            json!({ "aggs": { "a": { "date_histogram": { "field": "@timestamp", "fixed_interval": "1ms", "extended_bounds": { "min": 0, "max": 1_700_000_000_000_i64 } } } } }),
            "too_many_buckets_exception",
            "65536",
        ),
        (json!({ "knn": { "field": "a" } }), "parsing_exception", "[knn]"),
        (json!({ "search_after": [1], "sort": ["_doc"] }), "illegal_argument_exception", "search_after"),
    ];
    for (body, kind, reason) in cases {
        let (status, answer) = post(&world, "/_search", &body).await;
        assert_eq!((status, &answer["error"]["type"], &answer["status"]), (400, &json!(kind), &json!(400)), "{body}: {answer}");
        assert!(answer["error"]["root_cause"][0]["reason"].as_str().unwrap().contains(reason), "{body}: {answer}");
    }
    let request = Request::post("/elastic/_msearch").body(Body::from("{}\n{\"query\":{\"fuzzy\":{}}}\n{\"index\":\"logs-cart\"}\n{\"size\":0}\n")).unwrap();
    let answer = world.send(request).await.json();
    assert_eq!((&answer["responses"][0]["status"], &answer["responses"][1]["hits"]["total"]["value"]), (&json!(400), &json!(2)), "{answer}");
    for (path, body) in [("/_msearch", ""), ("/_msearch", "{}\n"), ("/_search", "{"), ("/_search/scroll", "{\"scroll_id\":\"x\"}")] {
        let answer = world.send(Request::post(format!("/elastic{path}")).body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
    }
}
