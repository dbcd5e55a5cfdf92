//! Every path and method that Prometheus' own OpenAPI file documents: answered with a body that fits the schema in the file, or
//! on the list of what is left out, with the refusal that it gets.

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;

use crate::world::{Answer, World};

/// What is sent for a path and a method.
const ASKED: &[(&str, &str, &str)] = &[
    ("get", "/query", "query=up&time=1700000030&stats=all"),
    ("post", "/query", "query=latency_seconds&time=1700000030&limit=1"),
    ("get", "/query_range", "query=up&start=1700000000&end=1700000060&step=15&stats=all"),
    ("post", "/query_range", "query=latency_seconds&start=1700000000&end=1700000060&step=15"),
    ("get", "/query_exemplars", "query=requests_total&start=1700000000&end=1700000060"),
    ("post", "/query_exemplars", "query=requests_total"),
    ("get", "/format_query", "query=sum(up)by(job)"),
    ("post", "/format_query", "query=sum(up)by(job)"),
    ("get", "/parse_query", "query=sum(up)by(job)"),
    ("post", "/parse_query", "query=sum(up)by(job)"),
    ("get", "/labels", "match[]=up&limit=1"),
    ("post", "/labels", "match[]=up"),
    ("get", "/label/{name}/values", "start=1700000000"),
    ("get", "/search/metric_names", "search[]=up&include_metadata=true&include_score=true&start=1700000000"),
    ("post", "/search/metric_names", "search[]=re&start=1700000000"),
    ("get", "/search/label_names", "sort_by=alpha&sort_dir=dsc&start=1700000000"),
    ("post", "/search/label_names", "limit=1&start=1700000000"),
    ("get", "/search/label_values", "label=job&start=1700000000"),
    ("post", "/search/label_values", "label=job&batch_size=1&start=1700000000"),
    ("get", "/series", "match[]=up"),
    ("post", "/series", "match[]=up&limit=1"),
    ("get", "/metadata", ""),
    ("get", "/rules", ""),
    ("get", "/alerts", ""),
    ("get", "/alertmanagers", ""),
    ("get", "/scrape_pools", ""),
    ("get", "/scrape_pools/config", "scrapePool=node"),
    ("get", "/targets", ""),
    ("get", "/targets/metadata", ""),
    ("get", "/targets/relabel_steps", "scrapePool=node&labels=%7B%22__address__%22%3A%22a%22%7D"),
    ("get", "/status/config", ""),
    ("get", "/status/runtimeinfo", ""),
    ("get", "/status/buildinfo", ""),
    ("get", "/status/flags", ""),
    ("get", "/status/tsdb", "limit=3"),
    ("get", "/status/tsdb/blocks", ""),
    ("get", "/status/walreplay", ""),
    ("get", "/status/self_metrics", "metric_name_pattern=signalbox_.*"),
    ("get", "/notifications", ""),
    ("get", "/features", ""),
];

/// What does not answer in the envelope: tests of its own look at it.
const ELSEWHERE: &[(&str, &str)] = &[("post", "/read")];

/// What this router does not answer: path, method, and the beginning of the refusal; or where the answer is tested.
const LEFT_OUT: &[(&str, &str, u16, &str)] = &[
    ("put", "/admin/tsdb/delete_series", 500, "admin APIs disabled"),
    ("post", "/admin/tsdb/delete_series", 500, "admin APIs disabled"),
    ("put", "/admin/tsdb/clean_tombstones", 500, "admin APIs disabled"),
    ("post", "/admin/tsdb/clean_tombstones", 500, "admin APIs disabled"),
    ("put", "/admin/tsdb/snapshot", 500, "admin APIs disabled"),
    ("post", "/admin/tsdb/snapshot", 500, "admin APIs disabled"),
    // Receivers answer these, in a router of their own.
    ("post", "/write", 404, "no such path"),
    ("post", "/otlp/v1/metrics", 404, "no such path"),
];

/// A schema of the file, with references followed.
struct Schemas<'a>(&'a Value);

impl Schemas<'_> {
    /// Where a value does not fit a schema, if anywhere. What is not understood of a schema is a mistake of the test.
    fn check(&self, value: &Value, schema: &Value, place: &str) -> Result<(), String> {
        for (key, expected) in schema.as_object().unwrap() {
            match key.as_str() {
                "$ref" => {
                    let target = expected.as_str().unwrap().strip_prefix('#').unwrap();
                    self.check(value, self.0.pointer(target).unwrap(), place)?;
                }
                "type" => check_type(value, expected.as_str().unwrap(), place)?,
                "enum" if !expected.as_array().unwrap().contains(value) => return Err(format!("{place}: {value} is none of {expected}")),
                "properties" => {
                    for (name, property) in expected.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.check(value, property, &format!("{place}/{name}"))?;
                        }
                    }
                }
                "required" => {
                    for name in expected.as_array().unwrap() {
                        value.get(name.as_str().unwrap()).ok_or_else(|| format!("{place}: no {name}"))?;
                    }
                }
                "additionalProperties" => self.check_others(value, schema, expected, place)?,
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(item, expected, &format!("{place}/{index}"))?;
                    }
                }
                "minItems" if value.as_array().unwrap().len() < expected.as_u64().unwrap() as usize => return Err(format!("{place}: too short")),
                "maxItems" if value.as_array().unwrap().len() > expected.as_u64().unwrap() as usize => return Err(format!("{place}: too long")),
                "anyOf" | "oneOf" => {
                    let complaints: Vec<String> = expected.as_array().unwrap().iter().filter_map(|one| self.check(value, one, place).err()).collect();
                    let fitting = expected.as_array().unwrap().len() - complaints.len();
                    if fitting == 0 || (key == "oneOf" && fitting > 1) {
                        return Err(format!("{place}: {fitting} alternatives fit: {complaints:?}"));
                    }
                }
                "format" => check_format(value, expected.as_str().unwrap(), place)?,
                "enum" | "minItems" | "maxItems" | "description" | "example" | "examples" | "default" | "minimum" => {}
                other => panic!("the test does not know {other}"),
            }
        }
        Ok(())
    }

    fn check_others(&self, value: &Value, schema: &Value, expected: &Value, place: &str) -> Result<(), String> {
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, other) in value.as_object().into_iter().flatten().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name))) {
            match expected {
                Value::Bool(true) => {}
                Value::Bool(false) => return Err(format!("{place}: {name} is too much")),
                schema => self.check(other, schema, &format!("{place}/{name}"))?,
            }
        }
        Ok(())
    }
}

fn check_type(value: &Value, expected: &str, place: &str) -> Result<(), String> {
    let fits = match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("the test does not know the type {other}"),
    };
    if fits { Ok(()) } else { Err(format!("{place}: {value} is no {expected}")) }
}

fn check_format(value: &Value, expected: &str, place: &str) -> Result<(), String> {
    match expected {
        "date-time" if value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).is_none() => Err(format!("{place}: {value} is no instant")),
        "date-time" | "int64" | "double" => Ok(()),
        other => panic!("the test does not know the format {other}"),
    }
}

async fn ask(world: &World, method: &str, path: &str, parameters: &str) -> Answer {
    let path = format!("/api/v1{}", path.replace("{name}", "job"));
    let parameters = parameters.replace("[]", "%5B%5D");
    let method: Method = method.to_uppercase().parse().unwrap();
    let request = if method == Method::GET {
        Request::builder().method(method).uri(format!("{path}?{parameters}")).body(Body::empty())
    } else {
        Request::builder().method(method).uri(path).header("content-type", "application/x-www-form-urlencoded").body(Body::from(parameters))
    };
    world.send(request.unwrap()).await
}

/// What is wrong with an answer, if anything: of NDJSON the lines are what they should be.
fn complaint(answer: &Answer, content: &Value, schemas: &Schemas<'_>) -> Option<String> {
    if answer.status != 200 {
        return Some(format!("{}: {}", answer.status, answer.text()));
    }
    if let Some(json) = content.get("application/json") {
        return schemas.check(&answer.json(), &json["schema"], "").err();
    }
    assert!(content.get("application/x-ndjson").is_some(), "{content}");
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, batches) = lines.split_last().unwrap();
    let is_good = !batches.is_empty()
        && answer.content_type == "application/x-ndjson; charset=utf-8"
        && batches.iter().all(|batch| batch["results"].is_array())
        && last["status"] == "success"
        && last["has_more"].is_boolean();
    (!is_good).then(|| answer.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_path_is_answered_or_left_out_by_name() {
    let Some(golden) = signalbox_testkit::conformance::read("api/prometheus/openapi_3.1_golden.yaml") else { return };
    let golden: Value = serde_norway::from_str(&golden).unwrap();
    let (world, schemas) = (World::scraping().await, Schemas(&golden));
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, methods) in golden["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(name, _)| ["get", "post", "put", "delete"].contains(&name.as_str())) {
            count += 1;
            let is_it = |asked: &(&str, &str)| asked.0 == method && asked.1 == path;
            if let Some((_, _, parameters)) = ASKED.iter().find(|(method, path, _)| is_it(&(method, path))) {
                let answer = ask(&world, method, path, parameters).await;
                wrong.extend(complaint(&answer, &operation["responses"]["200"]["content"], &schemas).map(|complaint| format!("{method} {path}: {complaint}")));
            } else if let Some((_, _, status, begin)) = LEFT_OUT.iter().find(|(method, path, _, _)| is_it(&(method, path))) {
                let answer = ask(&world, method, path, "").await;
                let refusal = answer.json();
                schemas.check(&refusal, &golden["components"]["schemas"]["Error"], "").unwrap();
                if answer.status != *status || !refusal["error"].as_str().unwrap().starts_with(begin) {
                    wrong.push(format!("{method} {path} is left out with {} {refusal}", answer.status));
                }
            } else if !ELSEWHERE.contains(&(method, path)) {
                wrong.push(format!("{method} {path} is neither asked nor left out"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(count, ASKED.len() + LEFT_OUT.len() + ELSEWHERE.len(), "a path that is no longer documented");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_description_has_every_path_that_prometheus_has() {
    let world = World::head().await;
    let answer = world.get("/api/v1/openapi.yaml").await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/yaml; charset=utf-8"));
    let own: Value = serde_norway::from_str(&answer.text()).unwrap();
    assert_eq!(own["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, method) in ASKED.iter().map(|(method, path, _)| (path, method)).chain(LEFT_OUT.iter().map(|(method, path, _, _)| (path, method))) {
        assert!(own["paths"][path].get(method).is_some(), "{method} {path}");
    }
    // What it describes is there, and what it refers to.
    for (path, methods) in own["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters") {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let target = parameter["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
                assert!(own.pointer(target).is_some(), "{method} {path}: {target}");
            }
            // Receivers answer in routers of their own, and one answer has no end.
            let is_elsewhere = ["/write", "/otlp", "/notifications/live"].iter().any(|begin| path.starts_with(begin));
            if !is_elsewhere {
                let answer = ask(&world, method, path, "").await;
                assert!(![404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
            }
        }
    }
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let file = serde_json::json!({ "components": { "schemas": { "A": {
        "type": "object",
        "properties": { "n": { "type": "integer" }, "l": { "type": "array", "items": { "oneOf": [{ "type": "number" }, { "type": "string" }] }, "minItems": 1 } },
        "required": ["n"],
        "additionalProperties": false
    } } } });
    let schema = serde_json::json!({ "$ref": "#/components/schemas/A" });
    let fits = |value: Value| Schemas(&file).check(&value, &schema, "").is_ok();
    assert!(fits(serde_json::json!({ "n": 1, "l": [1.5, "x"] })));
    for bad in [r#"{}"#, r#"{"n":1.5}"#, r#"{"n":1,"x":2}"#, r#"{"n":1,"l":[]}"#, r#"{"n":1,"l":[true]}"#, "[]"] {
        assert!(!fits(serde_json::from_str(bad).unwrap()), "{bad}");
    }
}
