//! Answers of aggregations in Elasticsearch's JSON.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use signalbox_query::search::aggregate::{Answer, Bucket, Key, Stats};

use super::aggregation::{Plan, Shape, width_ns};
use super::{document, hits, pipeline};
use crate::native::search::typed;

/// What was found, by name, in the order of the request.
pub(super) fn aggregations(plans: &[Plan], answers: &[(String, Answer)]) -> Value {
    let each = plans.iter().zip(answers).map(|(plan, (_, answer))| (plan.name.clone(), one(plan, answer)));
    Value::Object(each.collect())
}

fn one(plan: &Plan, answer: &Answer) -> Value {
    match (&plan.shape, answer) {
        (Shape::Terms, Answer::Buckets(found)) => {
            let buckets = completed(plan, found.buckets.iter().map(|bucket| (String::new(), term(plan, bucket))));
            let buckets: Vec<Map<String, Value>> = buckets.into_iter().map(|(_, bucket)| bucket).collect();
            json!({ "doc_count_error_upper_bound": 0, "sum_other_doc_count": found.other_count, "buckets": buckets })
        }
        (Shape::Dates { format, zone, is_keyed }, Answer::Buckets(found)) => {
            let buckets = found.buckets.iter().map(|bucket| date(plan, bucket, format, zone));
            bucketed(completed(plan, buckets), *is_keyed)
        }
        (Shape::Buckets { is_keyed }, Answer::Buckets(found)) => {
            bucketed(completed(plan, found.buckets.iter().map(|bucket| named(plan, bucket, *is_keyed))), *is_keyed)
        }
        (Shape::Bucket, Answer::Bucket(bucket)) => Value::Object(filled(Map::new(), plan, bucket)),
        (Shape::Number { is_time, is_count }, Answer::Number(number)) => measure(*number, *is_time, *is_count),
        // By its bucket, which knows how long it is.
        (Shape::Rate { .. }, Answer::Number(number)) => json!({ "value": number }),
        (Shape::Stats { is_extended, sigma }, Answer::Stats(found)) => stats(found, *is_extended, *sigma),
        (Shape::Percentiles { is_keyed: true }, Answer::Percentiles(found)) => {
            let values: Map<String, Value> = found.iter().map(|(percent, value)| (format!("{percent:?}"), json!(value))).collect();
            json!({ "values": values })
        }
        (Shape::Percentiles { is_keyed: false }, Answer::Percentiles(found)) => {
            json!({ "values": found.iter().map(|(percent, value)| json!({ "key": percent, "value": value })).collect::<Vec<_>>() })
        }
        (Shape::Hits(source), Answer::Hits(records, count)) => hits::top(records, *count, source),
        (Shape::Metrics(names), Answer::TopMetrics(rows)) => {
            let row = |(rank, numbers): &(f64, Vec<Option<f64>>)| {
                let metrics: Map<String, Value> = names.iter().zip(numbers).map(|(name, number)| (name.clone(), json!(number))).collect();
                json!({ "sort": [rank], "metrics": metrics })
            };
            json!({ "top": rows.iter().map(row).collect::<Vec<_>>() })
        }
        // A plan and its answer are made together.
        _ => Value::Null,
    }
}

/// The count of a bucket, and what is in it.
fn filled(mut object: Map<String, Value>, plan: &Plan, bucket: &Bucket) -> Map<String, Value> {
    object.insert("doc_count".to_owned(), json!(bucket.count));
    for (child, (_, answer)) in plan.children.iter().zip(&bucket.children) {
        object.insert(child.name.clone(), one(child, answer));
    }
    object
}

fn bucketed(buckets: Vec<(String, Map<String, Value>)>, is_keyed: bool) -> Value {
    let buckets = buckets.into_iter();
    if is_keyed {
        return json!({ "buckets": buckets.map(|(key, bucket)| (key, Value::Object(bucket))).collect::<Map<_, _>>() });
    }
    json!({ "buckets": buckets.map(|(_, bucket)| Value::Object(bucket)).collect::<Vec<_>>() })
}

/// Buckets with their rates, and with what pipelines make of them.
fn completed(plan: &Plan, buckets: impl Iterator<Item = (String, Map<String, Value>)>) -> Vec<(String, Map<String, Value>)> {
    let mut buckets: Vec<_> = buckets.collect();
    let width_ns = width_ns(&plan.aggregation.kind).unwrap_or(0);
    for child in &plan.children {
        let Shape::Rate { unit_ns } = child.shape else { continue };
        for (_, bucket) in &mut buckets {
            let number = bucket.get(&child.name).and_then(|answer| answer["value"].as_f64()).unwrap_or(0.0);
            bucket.insert(child.name.clone(), json!({ "value": number * unit_ns as f64 / width_ns as f64 }));
        }
    }
    pipeline::apply(&plan.pipelines, &mut buckets);
    buckets
}

fn term(plan: &Plan, bucket: &Bucket) -> Map<String, Value> {
    let mut object = Map::new();
    if let Key::Term(text, letter) = &bucket.key {
        match letter {
            // As Elasticsearch counts truth.
            'b' => {
                object.insert("key".to_owned(), json!(u8::from(text == "true")));
                object.insert("key_as_string".to_owned(), json!(text));
            }
            'i' | 'd' => {
                object.insert("key".to_owned(), typed(text, *letter));
            }
            _ => {
                object.insert("key".to_owned(), json!(text));
            }
        }
    }
    filled(object, plan, bucket)
}

fn date(plan: &Plan, bucket: &Bucket, format: &str, zone: &TimeZone) -> (String, Map<String, Value>) {
    let Key::Time(time_ns) = bucket.key else { return (String::new(), Map::new()) };
    let key = time_ns.div_euclid(1_000_000);
    let shown = match format {
        "epoch_millis" => key.to_string(),
        "epoch_second" => time_ns.div_euclid(1_000_000_000).to_string(),
        "yyyy-MM-dd" => local(time_ns, zone).strftime("%Y-%m-%d").to_string(),
        _ => iso(time_ns, zone),
    };
    let mut object = Map::new();
    object.insert("key_as_string".to_owned(), json!(shown));
    object.insert("key".to_owned(), json!(key));
    (shown, filled(object, plan, bucket))
}

fn local(time_ns: i64, zone: &TimeZone) -> jiff::Zoned {
    jiff::Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default().to_zoned(zone.clone())
}

fn iso(time_ns: i64, zone: &TimeZone) -> String {
    if *zone == TimeZone::UTC { document::millis(time_ns) } else { local(time_ns, zone).strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string() }
}

fn named(plan: &Plan, bucket: &Bucket, is_keyed: bool) -> (String, Map<String, Value>) {
    let mut object = Map::new();
    let name = match &bucket.key {
        Key::Name(name, range) => {
            if let Some((from, to)) = range {
                if !is_keyed {
                    object.insert("key".to_owned(), json!(name));
                }
                object.extend([("from", from), ("to", to)].into_iter().filter_map(|(end, bound)| Some((end.to_owned(), json!((*bound)?)))));
            }
            name.clone()
        }
        Key::Number(number) => {
            object.insert("key".to_owned(), json!(number));
            format!("{number:?}")
        }
        Key::Time(_) | Key::Term(..) => String::new(),
    };
    (name, filled(object, plan, bucket))
}

fn measure(number: Option<f64>, is_time: bool, is_count: bool) -> Value {
    match number {
        Some(number) if is_count => json!({ "value": number as u64 }),
        Some(number) if is_time => json!({ "value": number, "value_as_string": document::millis((number * 1e6) as i64) }),
        number => json!({ "value": number }),
    }
}

fn stats(found: &Stats, is_extended: bool, sigma: f64) -> Value {
    let number = |name: &str| json!(found.number(name));
    let mut object = Map::new();
    object.insert("count".to_owned(), json!(found.count));
    for name in ["min", "max", "avg", "sum"] {
        object.insert(name.to_owned(), number(name));
    }
    if is_extended {
        let names =
            ["sum_of_squares", "variance", "variance_population", "variance_sampling", "std_deviation", "std_deviation_population", "std_deviation_sampling"];
        for name in names {
            object.insert(name.to_owned(), if found.count == 0 { Value::Null } else { number(name) });
        }
        let bound =
            |side: f64, deviation: &str| json!(found.number("avg").zip(found.number(deviation)).map(|(mean, deviation)| mean + side * sigma * deviation));
        let bounds = json!({
            "upper": bound(1.0, "std_deviation"), "lower": bound(-1.0, "std_deviation"),
            "upper_population": bound(1.0, "std_deviation_population"), "lower_population": bound(-1.0, "std_deviation_population"),
            "upper_sampling": bound(1.0, "std_deviation_sampling"), "lower_sampling": bound(-1.0, "std_deviation_sampling"),
        });
        object.insert("std_deviation_bounds".to_owned(), bounds);
    }
    Value::Object(object)
}
