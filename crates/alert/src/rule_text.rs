//! Groups of rules as YAML of their own, pure: how a client of a ruler sends them, how they stand in a rule file, how they are shown.

use serde::Deserialize;
use serde_norway::{Mapping, Value};
use signalbox_model::{Error, Result};

use crate::rule_file::{self, Group, Language};

/// The key that names the language of a rule or of all rules of a group.
const LANG: &str = "lang";

/// Which language rules are in that do not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implied {
    /// PromQL, as in rule files.
    Promql,
    /// LogQL, as in Loki.
    Logql,
    /// LogQL if all of them are LogQL, else PromQL: a path that is Loki's and Cortex'.
    Either,
}

/// The text of a group that is set, as it would stand in a rule file, and what it says.
///
/// # Errors
/// `Invalid` with all that is wrong with it.
pub fn read(namespace: &str, text: &str, implied: Implied) -> Result<(String, Group)> {
    let document: Value = serde_norway::from_str(text).map_err(|error| Error::invalid(format!("cannot read the rule group: {error}")))?;
    let Value::Mapping(mapping) = document else {
        return Err(Error::invalid("cannot read the rule group: want a mapping with name and rules"));
    };
    let says_language = mapping.contains_key(LANG);
    let as_logql = || checked(namespace, with_language(&mapping, Language::Logql));
    match implied {
        Implied::Logql if !says_language => as_logql(),
        Implied::Either if !says_language => as_logql().or_else(|_| checked(namespace, mapping.clone())),
        _ => checked(namespace, mapping),
    }
}

fn with_language(group: &Mapping, language: Language) -> Mapping {
    let mut named = Mapping::new();
    for (key, value) in group {
        named.insert(key.clone(), value.clone());
        if key.as_str() == Some("name") {
            named.insert(LANG.into(), language.as_str().into());
        }
    }
    named.insert(LANG.into(), language.as_str().into());
    named
}

fn checked(namespace: &str, group: Mapping) -> Result<(String, Group)> {
    let group = Value::Mapping(group);
    let text = yaml(&group)?;
    let mut read = rule_file::parse(namespace, &file([text.as_str()])?)?;
    match (read.pop(), read.is_empty()) {
        (Some(group), true) => Ok((text, group)),
        _ => Err(Error::invalid("cannot read the rule group: want one")),
    }
}

/// A rule file of groups.
///
/// # Errors
/// `Corrupt` if one of the texts is no YAML.
pub fn file<'a>(groups: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let damaged = |error| Error::corrupt("cannot read a stored rule group").with_source(error);
    let groups = groups.into_iter().map(serde_norway::from_str::<Value>).collect::<Result<Vec<Value>, _>>().map_err(damaged)?;
    let mut document = Mapping::new();
    document.insert("groups".into(), Value::Sequence(groups));
    yaml(&Value::Mapping(document))
}

/// The groups of a rule file as YAML of their own, by name; those of a text that is wrong are none.
pub(crate) fn groups(file: &str) -> Vec<(String, String)> {
    let mut groups = Vec::new();
    for document in serde_norway::Deserializer::from_str(file) {
        // What is wrong stays wrong: the parser would say so for ever.
        let Ok(document) = Value::deserialize(document) else { break };
        let listed = document.get("groups").and_then(Value::as_sequence);
        for group in listed.into_iter().flatten() {
            if let (Some(name), Ok(text)) = (group.get("name").and_then(Value::as_str), yaml(group)) {
                groups.push((name.to_owned(), text));
            }
        }
    }
    groups
}

/// Whether all rules are in one language.
pub(crate) fn is_all(group: &Group, language: Language) -> bool {
    !group.rules.is_empty() && group.rules.iter().all(|rule| rule.expr.language() == language)
}

fn yaml(value: &Value) -> Result<String> {
    serde_norway::to_string(value).map_err(|error| Error::internal("cannot write rules as YAML").with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "name: g\ninterval: 30s\nrules:\n- alert: Down\n  expr: up{job=\"a\"} == 0\n  for: 1m\n";
    const LOGS: &str = "{\"name\": \"g\", \"rules\": [{\"record\": \"r\", \"expr\": \"sum(rate({app=\\\"a\\\"}[5m]))\"}]}";

    #[test]
    fn a_group_is_kept_as_it_was_sent_with_the_language_of_its_path() {
        let language = |text, implied| read("ns", text, implied).map(|(text, group)| (text, group.rules[0].expr.language()));
        assert_eq!(language(METRICS, Implied::Promql).unwrap(), (METRICS.to_owned(), Language::Promql));
        assert_eq!(language(METRICS, Implied::Either).unwrap().1, Language::Promql);
        assert!(language(METRICS, Implied::Logql).is_err());
        let (text, kept) = language(LOGS, Implied::Logql).unwrap();
        assert_eq!((text.as_str(), kept), ("name: g\nlang: logql\nrules:\n- record: r\n  expr: sum(rate({app=\"a\"}[5m]))\n", Language::Logql));
        assert_eq!(language(LOGS, Implied::Either).unwrap().1, Language::Logql);
        assert_eq!(language(LOGS, Implied::Promql).unwrap().1, Language::Promql);
        assert_eq!(language(&format!("lang: promql\n{METRICS}"), Implied::Logql).unwrap().1, Language::Promql, "what is said counts");
        let (_, group) = read("ns", METRICS, Implied::Promql).unwrap();
        assert_eq!((group.file.as_str(), group.name.as_str(), group.interval_ms), ("ns", "g", Some(30_000)));
    }

    #[test]
    fn no_mutant_of_a_group_makes_it_panic() {
        let words = ["  - ", ": ", "\n", "{{", "}}", "*a", "&a ", "<<: ", "---\n", "\"", "lang: logql\n", "|", "!!binary ", "\u{e9}"];
        signalbox_testkit::mutate::texts(&[METRICS, LOGS, "&a {name: g, lang: sql, rules: []}"], &words, 300, |text| {
            if let Ok((kept, group)) = read("ns", text, Implied::Either) {
                let (again, same) = read("ns", &kept, Implied::Promql).unwrap();
                assert_eq!((again, same.name), (kept, group.name), "{text}");
            }
            groups(text);
        });
    }

    #[test]
    fn what_is_no_group_is_refused() {
        for text in ["", "[]", "a", "groups: []", "{name: g, rules: [{alert: A}]}", "{name: '', rules: []}", "{name: g, nonsense: 1}", "name: [", "name: &a *a"]
        {
            let error = read("ns", text, Implied::Promql).unwrap_err();
            assert_eq!(error.kind(), signalbox_model::ErrorKind::Invalid, "{text}: {error}");
        }
    }

    #[test]
    fn aliases_that_grow_beyond_all_bounds_are_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..30 {
            let earlier = level - 1;
            text.push_str(&format!("a{level}: &a{level} [*a{earlier}, *a{earlier}, *a{earlier}, *a{earlier}, *a{earlier}, *a{earlier}, *a{earlier}]\n"));
        }
        assert_eq!(read("ns", &format!("name: g\n{text}"), Implied::Promql).unwrap_err().kind(), signalbox_model::ErrorKind::Invalid);
    }

    #[test]
    fn a_file_has_the_groups_that_it_was_made_of() {
        let other = "name: h\nrules: []\n";
        let text = file([METRICS, other]).unwrap();
        assert_eq!(groups(&text), [("g".to_owned(), METRICS.to_owned()), ("h".to_owned(), other.to_owned())]);
        assert_eq!(rule_file::parse("f", &text).unwrap().len(), 2);
        assert_eq!(groups("groups: [{name: a}]\n---\ngroups: [{name: b}]").len(), 2);
        assert_eq!(groups(": :"), []);
        assert!(file([": :"]).is_err());
    }
}
