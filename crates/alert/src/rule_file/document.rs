//! The YAML of rule files as it stands there: every scalar is text, unknown and repeated keys are refused.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};

use super::UnknownFields;
use super::lenient::Lenient;
use super::problem::Problem;
use super::severities::RawSeverity;

/// One YAML document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    groups: Option<Vec<RawGroup>>,
}

impl Document {
    pub(super) fn groups(&self) -> &[RawGroup] {
        self.groups.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGroup {
    pub(super) name: Option<String>,
    pub(super) interval: Option<String>,
    pub(super) query_offset: Option<String>,
    pub(super) limit: Option<i64>,
    #[serde(default)]
    pub(super) labels: Pairs,
    rules: Option<Vec<RawRule>>,
    pub(super) lang: Option<String>,
    pub(super) no_data: Option<String>,
    pub(super) on_error: Option<String>,
}

impl RawGroup {
    pub(super) fn rules(&self) -> &[RawRule] {
        self.rules.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) record: Option<String>,
    pub(super) alert: Option<String>,
    pub(super) expr: Option<String>,
    #[serde(rename = "for")]
    pub(super) hold: Option<String>,
    pub(super) keep_firing_for: Option<String>,
    #[serde(default)]
    pub(super) labels: Pairs,
    #[serde(default)]
    pub(super) annotations: Pairs,
    pub(super) lang: Option<String>,
    pub(super) range: Option<String>,
    pub(super) no_data: Option<String>,
    pub(super) on_error: Option<String>,
    pub(super) recovery_expr: Option<String>,
    pub(super) severities: Option<Vec<RawSeverity>>,
    /// YAML's merge key: what is not set here is taken from there.
    #[serde(rename = "<<")]
    pub(super) merge: Option<Box<RawRule>>,
}

impl RawRule {
    pub(super) fn record(&self) -> &str {
        self.record.as_deref().unwrap_or_default()
    }

    pub(super) fn alert(&self) -> &str {
        self.alert.as_deref().unwrap_or_default()
    }

    /// The rule with what it merges.
    pub(super) fn merged(&self) -> Self {
        let Some(base) = self.merge.as_deref().map(Self::merged) else { return self.clone() };
        let pairs = |own: &Pairs, base: Pairs| if own.is_empty() { base } else { own.clone() };
        Self {
            record: self.record.clone().or(base.record),
            alert: self.alert.clone().or(base.alert),
            expr: self.expr.clone().or(base.expr),
            hold: self.hold.clone().or(base.hold),
            keep_firing_for: self.keep_firing_for.clone().or(base.keep_firing_for),
            labels: pairs(&self.labels, base.labels),
            annotations: pairs(&self.annotations, base.annotations),
            lang: self.lang.clone().or(base.lang),
            range: self.range.clone().or(base.range),
            no_data: self.no_data.clone().or(base.no_data),
            on_error: self.on_error.clone().or(base.on_error),
            recovery_expr: self.recovery_expr.clone().or(base.recovery_expr),
            severities: self.severities.clone().or(base.severities),
            merge: None,
        }
    }
}

/// Names and texts in order, no name twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    /// These with others over them.
    pub(super) fn over(&self, others: &Self) -> Self {
        others.0.iter().fold(self.clone(), |pairs, (name, value)| pairs.with(name, value))
    }

    /// These with one more, or another value of one.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names and texts")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom(format!("mapping key {name:?} already defined")));
                    }
                    pairs.push((name, value.unwrap_or_default()));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(Collect)
    }
}

/// All documents of a text; what is wrong comes with its place.
pub(super) fn read(text: &str, unknown: UnknownFields) -> Result<Vec<Document>, Problem> {
    let mut documents = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        let document = match unknown {
            UnknownFields::Refused => Option::<Document>::deserialize(document),
            UnknownFields::Ignored => Option::<Document>::deserialize(Lenient(document)),
        };
        documents.extend(document.map_err(|error| describe(&error))?);
    }
    Ok(documents)
}

/// `7:9: field annotation not found: did you mean annotations?`
pub(crate) fn describe(error: &serde_norway::Error) -> Problem {
    let at = error.location().map(|location| (location.line(), location.column()));
    Problem { at, rule: None, message: reason(error) }
}

fn reason(error: &serde_norway::Error) -> String {
    let message = error.to_string();
    let Some((_, after)) = message.split_once("unknown field `") else {
        let shown = message.rsplit_once(" at line ").map_or(message.as_str(), |(before, _)| before);
        return shown.to_owned();
    };
    let mut quoted = after.split('`');
    let name = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.skip(1).step_by(2).filter(|known| *known != "<<").collect();
    let nearest = known.iter().min_by_key(|known| distance(name, known)).filter(|known| distance(name, known) <= known.len().div_ceil(2));
    match nearest {
        Some(nearest) => format!("field {name} not found: did you mean {nearest}?"),
        None => format!("field {name} not found: want one of {}", known.join(", ")),
    }
}

/// Characters to insert, drop or change to make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, character) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for at in 0..right.len() {
            let change = diagonal + usize::from(right[at] != character);
            diagonal = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
