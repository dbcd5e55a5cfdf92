//! Settings of stages.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_norway::Value;

/// The one name of a stage and its settings. `- docker: {}`, `- docker:` and `- docker` are the same.
pub(super) fn named<'v>(value: &'v Value, place: &str) -> Result<(&'v str, &'v Value), String> {
    const NOTHING: &Value = &Value::Null;
    if let Some(name) = value.as_str() {
        return Ok((name, NOTHING));
    }
    let wrong = || format!("{place}: want one stage with its name, such as `json: …`");
    let mapping = value.as_mapping().filter(|mapping| mapping.len() == 1).ok_or_else(wrong)?;
    let (name, settings) = mapping.iter().next().ok_or_else(wrong)?;
    Ok((name.as_str().ok_or_else(wrong)?, settings))
}

/// Settings of a type.
pub(super) fn settings<T: DeserializeOwned>(value: &Value, place: &str, name: &str) -> Result<T, String> {
    let value = if value.is_null() { Value::Mapping(serde_norway::Mapping::new()) } else { value.clone() };
    serde_norway::from_value(value).map_err(|error| format!("{place}.{name}: {error}"))
}

/// `1h30m`, `5s`, `100ms`, as Go writes durations, and days.
pub(super) fn duration(text: &str, place: &str) -> Result<Duration, String> {
    let wrong = || format!("{place}: {text:?} is no duration: want one such as `1h30m` or `5s`");
    let (mut rest, mut total) = (text.trim(), Duration::ZERO);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !(character.is_ascii_digit() || character == '.')).ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].find(|character: char| character.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let seconds = match &rest[digits..unit] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        total += Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        rest = &rest[unit..];
    }
    Ok(total)
}

/// Names and the names of what they are taken from; without one it is the same.
pub(super) type Names = BTreeMap<String, Option<String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Json {
    pub(super) expressions: Names,
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) drop_malformed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logfmt {
    pub(super) mapping: Names,
    pub(super) source: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegexStage {
    pub(super) expression: String,
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) labels_from_groups: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replace {
    pub(super) expression: String,
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) replace: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateStage {
    pub(super) source: String,
    pub(super) template: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    pub(super) selector: String,
    #[serde(default)]
    pub(super) stages: Vec<Value>,
    pub(super) action: Option<String>,
    #[serde(rename = "pipeline_name")]
    pub(super) _pipeline_name: Option<String>,
    #[serde(rename = "drop_counter_reason")]
    pub(super) _reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timestamp {
    pub(super) source: String,
    pub(super) format: String,
    #[serde(default)]
    pub(super) fallback_formats: Vec<String>,
    pub(super) location: Option<String>,
    pub(super) action_on_failure: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Drop {
    #[serde(deserialize_with = "one_or_many")]
    pub(super) source: Vec<String>,
    pub(super) separator: Option<String>,
    pub(super) expression: Option<String>,
    pub(super) value: Option<String>,
    pub(super) older_than: Option<String>,
    pub(super) longer_than: Option<Value>,
    #[serde(rename = "drop_counter_reason")]
    pub(super) _reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    pub(super) rate: f64,
    pub(super) burst: u32,
    #[serde(default)]
    pub(super) drop: bool,
    pub(super) by_label_name: Option<Value>,
    #[serde(rename = "max_distinct_labels")]
    pub(super) _max_distinct_labels: Option<Value>,
    #[serde(rename = "drop_counter_reason")]
    pub(super) _reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pack {
    pub(super) labels: Vec<String>,
    pub(super) ingest_timestamp: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantStage {
    pub(super) value: Option<String>,
    pub(super) source: Option<String>,
    pub(super) label: Option<String>,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(one) => vec![one],
        Written::Many(many) => many,
    })
}
