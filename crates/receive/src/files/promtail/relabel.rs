//! The rules of relabelling, as far as files have use for them.

use regex::Regex;
use serde::Deserialize;

use crate::transform::compile;

/// One rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Relabel {
    source_labels: Vec<String>,
    separator: String,
    regex: String,
    target_label: String,
    replacement: String,
    action: String,
}

impl Default for Relabel {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            regex: "(.*)".to_owned(),
            target_label: String::new(),
            replacement: "$1".to_owned(),
            action: "replace".to_owned(),
        }
    }
}

impl Relabel {
    /// What is wrong with the rule.
    pub(super) fn check(&self, place: &str) -> Result<(), String> {
        self.compiled(place)?;
        match self.action.as_str() {
            "replace" | "lowercase" | "uppercase" | "keepequal" | "dropequal" if self.target_label.is_empty() => {
                Err(format!("{place}: {} wants target_label", self.action))
            }
            "replace" | "lowercase" | "uppercase" | "keepequal" | "dropequal" | "keep" | "drop" | "labelmap" | "labeldrop" | "labelkeep" => Ok(()),
            action => Err(format!(
                "{place}.action: {action:?} is not supported: want replace, keep, drop, keepequal, dropequal, labelmap, labeldrop, labelkeep, lowercase or uppercase"
            )),
        }
    }

    fn compiled(&self, place: &str) -> Result<Regex, String> {
        compile(&format!("^(?s:{})$", self.regex), &format!("{place}.regex")).map_err(|error| error.to_string())
    }

    /// Runs a rule that was checked; `false` means that the group is dropped.
    pub(super) fn run(&self, labels: &mut Vec<(String, String)>) -> bool {
        let Ok(regex) = self.compiled("") else { return true };
        let get = |labels: &[(String, String)], name: &str| labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default();
        let value = self.source_labels.iter().map(|name| get(labels, name)).collect::<Vec<_>>().join(&self.separator);
        match self.action.as_str() {
            "keep" => return regex.is_match(&value),
            "drop" => return !regex.is_match(&value),
            "keepequal" => return get(labels, &self.target_label) == value,
            "dropequal" => return get(labels, &self.target_label) != value,
            "labeldrop" => labels.retain(|(name, _)| !regex.is_match(name)),
            "labelkeep" => labels.retain(|(name, _)| name.starts_with("__path") || regex.is_match(name)),
            "lowercase" => set(labels, &self.target_label, value.to_lowercase()),
            "uppercase" => set(labels, &self.target_label, value.to_uppercase()),
            "labelmap" => {
                for (name, value) in labels.clone() {
                    if let Some(found) = regex.captures(&name) {
                        let mut target = String::new();
                        found.expand(&self.replacement, &mut target);
                        set(labels, &target, value);
                    }
                }
            }
            _ => {
                if let Some(found) = regex.captures(&value) {
                    let (mut target, mut replacement) = (String::new(), String::new());
                    found.expand(&self.target_label, &mut target);
                    found.expand(&self.replacement, &mut replacement);
                    set(labels, &target, replacement);
                }
            }
        }
        true
    }
}

/// Sets a label; the empty value removes it.
pub(super) fn set(labels: &mut Vec<(String, String)>, name: &str, value: String) {
    match labels.iter().position(|(known, _)| known == name) {
        Some(at) if value.is_empty() => {
            labels.remove(at);
        }
        Some(at) => labels[at].1 = value,
        None if value.is_empty() => {}
        None => labels.push((name.to_owned(), value)),
    }
}
