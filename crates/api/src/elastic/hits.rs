//! Records as hits of a search.

use serde_json::{Map, Value, json};
use signalbox_query::rows::LogRecord;
use signalbox_query::search::{self, Direction, Field};

use super::request::{Highlight, Search, SortBy, SortKey, Source, tie};
use super::{document, index};
use crate::native::search::{time, typed};

/// `hits` of an answer.
pub(super) fn hits(search: &Search, records: &[LogRecord], total: Option<u64>) -> Value {
    let page: Vec<Value> = records.iter().skip(search.from).take(search.size).map(|record| hit(search, record)).collect();
    let mut hits = Map::new();
    if let Some(found) = total {
        let is_more = search.count_to.is_some_and(|count| found >= count) && search.count_to.is_some();
        let counted = search.count_to.map_or(found, |count| found.min(count));
        let value = if search.is_total_plain { json!(counted) } else { json!({ "value": counted, "relation": if is_more { "gte" } else { "eq" } }) };
        hits.insert("total".to_owned(), value);
    }
    hits.insert("max_score".to_owned(), Value::Null);
    hits.insert("hits".to_owned(), Value::Array(page));
    Value::Object(hits)
}

/// `hits` of the first records of a bucket.
pub(super) fn top(records: &[LogRecord], count: u64, source: &Source) -> Value {
    let key = SortKey { by: SortBy::Time, direction: Direction::Backward, format: String::new() };
    let hits: Vec<Value> = records.iter().map(|record| Value::Object(bare(record, source, std::slice::from_ref(&key)))).collect();
    json!({ "hits": { "total": { "value": count, "relation": "eq" }, "max_score": null, "hits": hits } })
}

fn bare(record: &LogRecord, source: &Source, sort: &[SortKey]) -> Map<String, Value> {
    let mut hit = Map::new();
    hit.insert("_index".to_owned(), json!(index::of(record)));
    hit.insert("_id".to_owned(), json!(document::id(record)));
    hit.insert("_score".to_owned(), if sort.is_empty() { json!(1.0) } else { Value::Null });
    if !source.is_hidden {
        let mut fields = document::source(record);
        fields.retain(|name, _| source.shows(name));
        hit.insert("_source".to_owned(), Value::Object(fields));
    }
    if !sort.is_empty() {
        hit.insert("sort".to_owned(), Value::Array(sort.iter().map(|key| sort_value(record, key)).collect()));
    }
    hit
}

fn hit(search: &Search, record: &LogRecord) -> Value {
    let mut hit = bare(record, &search.source, &search.sort);
    let mut fields = Map::new();
    for (name, format) in &search.fields {
        add_fields(&mut fields, record, name, format);
    }
    if !fields.is_empty() {
        hit.insert("fields".to_owned(), Value::Object(fields));
    }
    if let Some(highlight) = &search.highlight {
        let marked = marked(highlight, record);
        if !marked.is_empty() {
            hit.insert("highlight".to_owned(), Value::Object(marked));
        }
    }
    Value::Object(hit)
}

fn sort_value(record: &LogRecord, key: &SortKey) -> Value {
    match key.by {
        SortBy::Time => instant(record.timestamp_ns, &key.format, json!(record.timestamp_ns.div_euclid(1_000_000))),
        SortBy::Arrival => json!(tie(record.timestamp_ns, record.sequence)),
        SortBy::Score => json!(1.0),
    }
}

/// An instant in a format; without one as given.
fn instant(time_ns: i64, format: &str, plain: Value) -> Value {
    match format {
        "" => plain,
        "epoch_millis" => json!(time_ns.div_euclid(1_000_000).to_string()),
        "epoch_second" => json!(time_ns.div_euclid(1_000_000_000).to_string()),
        "strict_date_optional_time_nanos" => json!(nanos(time_ns)),
        _ => json!(document::millis(time_ns)),
    }
}

fn nanos(time_ns: i64) -> String {
    if time_ns % 1_000_000 == 0 { document::millis(time_ns) } else { time(time_ns) }
}

/// Fields beside the source: always arrays.
fn add_fields(fields: &mut Map<String, Value>, record: &LogRecord, pattern: &str, format: &str) {
    if pattern.contains('*') {
        for (name, value) in document::source(record).into_iter().filter(|(name, _)| document::fits(pattern, name)) {
            let values = if let Value::Array(items) = value { items } else { vec![value] };
            fields.insert(name, Value::Array(values));
        }
        return;
    }
    let field = Field::named(pattern);
    let plain = |time_ns: i64| instant(time_ns, format, json!(document::millis(time_ns)));
    let values: Vec<Value> = match field {
        Field::Timestamp => vec![plain(record.timestamp_ns)],
        Field::ObservedTimestamp => record.observed_timestamp_ns.map(plain).into_iter().collect(),
        _ => search::values_of(record, &field).iter().map(|value| typed(&value.text, value.letter)).collect(),
    };
    if !values.is_empty() {
        fields.insert(pattern.to_owned(), Value::Array(values));
    }
}

fn marked(highlight: &Highlight, record: &LogRecord) -> Map<String, Value> {
    let mut marked = Map::new();
    for (name, value) in document::source(record) {
        if !highlight.fields.iter().any(|pattern| document::fits(pattern, &name)) {
            continue;
        }
        let Value::String(text) = value else { continue };
        // Attributes of the record itself may be said by their names alone.
        let field = Field::named(&name);
        let mut places = highlight.finder.places(&field, &text);
        if let (Field::Attribute(own), true) = (&field, places.is_empty())
            && record.attributes.iter().any(|(key, _)| key == own)
        {
            places = highlight.finder.places(&Field::Own(own.clone()), &text);
        }
        if !places.is_empty() {
            let (mut shown, mut end) = (String::new(), 0);
            for (start, stop) in places {
                shown.push_str(&text[end..start]);
                shown.push_str(&highlight.before);
                shown.push_str(&text[start..stop]);
                shown.push_str(&highlight.after);
                end = stop;
            }
            shown.push_str(&text[end..]);
            marked.insert(name, json!([shown]));
        }
    }
    marked
}
