//! The search endpoints: what is found, in which order and lines, and what is refused with which words.

use serde_json::{Value, json};

use crate::world::World;

async fn lines(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/api/v1/search/{}&start=1700000000", query.replace("[]", "%5B%5D"))).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/x-ndjson; charset=utf-8"), "{query}: {}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_values_are_found_in_batches() {
    for world in [World::head().await, World::segments().await] {
        let end = |has_more: bool| json!({ "status": "success", "has_more": has_more });
        let found = lines(&world, "metric_names?include_metadata=true&batch_size=2").await;
        let latency = json!({ "name": "latency_seconds", "type": "histogram", "help": "How long a request took.", "unit": "seconds" });
        let requests = json!({ "name": "requests_total", "type": "counter", "help": "Requests \"answered\"." });
        let up = json!({ "name": "up", "type": "gauge" });
        assert_eq!(found, [json!({ "results": [latency, requests] }), json!({ "results": [up] }), end(false)]);
        // "es" is in "requests" in one run, and in "latency_seconds" with a gap.
        let found = lines(&world, "metric_names?search[]=es&sort_by=score&limit=1&include_score=true").await;
        assert_eq!((&found[0]["results"][0]["name"], &found[1]), (&json!("requests_total"), &end(true)));
        assert!(found[0]["results"][0]["score"].as_f64().is_some_and(|score| score > 0.85 && score < 0.86), "{found:?}");
        let found = lines(&world, "metric_names?search[]=UP&case_sensitive=false").await;
        assert_eq!(found, [json!({ "results": [{ "name": "up" }] }), end(false)]);
        let found = lines(&world, "label_names?match[]=up&sort_by=alpha&sort_dir=dsc").await;
        assert_eq!(found, [json!({ "results": [{ "name": "job" }, { "name": "instance" }, { "name": "__name__" }] }), end(false)]);
        let found = lines(&world, "label_values?label=job&search[]=shp&fuzz_alg=jarowinkler&fuzz_threshold=80").await;
        assert_eq!(found, [json!({ "results": [{ "value": "shop" }] }), end(false)]);
        let found = lines(&world, "label_values?label=job&search[]=nothing").await;
        assert_eq!(found, [json!({ "results": [] }), end(false)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_words_of_prometheus() {
    let world = World::head().await;
    let many = "search[]=a&".repeat(33);
    for (query, want) in [
        ("label_values?search[]=a", "missing required parameter \"label\""),
        ("metric_names?start=x", "invalid time value for 'start': cannot parse \"x\" to a valid timestamp"),
        ("metric_names?start=9&end=1", "end timestamp must not be before start timestamp"),
        ("metric_names?match[]=%7B%7D", "match[] must contain at least one non-empty matcher"),
        (&format!("metric_names?{many}"), "too many search[] terms: got 33, maximum is 32"),
        ("metric_names?fuzz_threshold=101", "invalid fuzz_threshold \"101\": must be 0-100"),
        ("metric_names?fuzz_alg=soundex", "unsupported fuzz_alg \"soundex\": must be one of [subsequence jarowinkler]"),
        ("metric_names?case_sensitive=maybe", "invalid case_sensitive \"maybe\": must be boolean"),
        ("metric_names?include_metadata=2", "invalid include_metadata \"2\": must be boolean"),
        ("metric_names?sort_dir=asc", "sort_dir is only valid when sort_by is set"),
        ("metric_names?sort_by=score&sort_dir=asc&search[]=a", "sort_dir is not supported for sort_by=score"),
        ("metric_names?sort_by=alpha&sort_dir=up", "invalid sort_dir \"up\": must be \"asc\" or \"dsc\""),
        ("metric_names?sort_by=score", "sort_by=score requires search[] to be set"),
        ("label_names?sort_by=size", "invalid sort_by \"size\" for label_names: must be \"alpha\" or \"score\""),
        ("metric_names?limit=0", "invalid limit \"0\": must be a positive integer"),
        ("metric_names?limit=10001", "limit 10001 exceeds the configured maximum (10000, see --web.search.max-limit)"),
        ("metric_names?batch_size=-1", "invalid batch_size \"-1\": must be a positive integer"),
    ] {
        let answer = world.get(&format!("/api/v1/search/{}", query.replace("[]", "%5B%5D"))).await;
        let json = answer.json();
        assert_eq!((answer.status, json["errorType"].as_str(), json["error"].as_str()), (400, Some("bad_data"), Some(want)), "{query}");
    }
}
