//! What is allowed in rule files and seldom meant: rules whose series or alerts are the same.

use std::collections::BTreeMap;

use signalbox_model::Labels;

use super::Group;

/// Rules that share name and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateRule {
    /// Name of the series or of the alert.
    pub name: String,
    /// Labels as written, those of the group among them.
    pub labels: Labels,
}

/// Names and labels that more than one rule of a file has, in order.
pub fn duplicates(groups: &[Group]) -> Vec<DuplicateRule> {
    let mut counts: BTreeMap<(&str, &Labels), usize> = BTreeMap::new();
    for rule in groups.iter().flat_map(|group| &group.rules) {
        *counts.entry((&rule.name, &rule.labels)).or_default() += 1;
    }
    let shared = counts.into_iter().filter(|(_, count)| *count > 1);
    shared.map(|((name, labels), _)| DuplicateRule { name: name.to_owned(), labels: labels.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{FILE_BYTES_MAX, PLACES_MAX};
    use crate::rule_file::{UnknownFields, check, parse};

    #[test]
    fn rules_with_equal_names_and_labels_are_duplicates_whatever_they_ask() {
        let text = "groups: [{name: a, labels: {x: '1'}, rules: [{record: r, expr: up}]}, {name: b, rules: [{record: r, expr: '1', labels: {x: '1'}}, \
                    {record: r, expr: '2', labels: {x: '2'}}, {alert: A, expr: '3'}, {alert: A, expr: '4'}, {alert: A, expr: '5'}]}]";
        let found: Vec<String> = duplicates(&parse("r", text).unwrap()).iter().map(|duplicate| format!("{}{}", duplicate.name, duplicate.labels)).collect();
        assert_eq!(found, ["A{}", "r{x=\"1\"}"]);
    }

    #[test]
    fn texts_are_bounded_and_so_is_the_search_for_places() {
        let many = format!("groups: [{{name: g, rules: [{}]}}]", "{record: r, alert: a, expr: up},".repeat(300));
        let problems = check("r", &many, UnknownFields::Refused).problems;
        assert!(problems.len() > 300);
        assert!(problems.iter().filter(|problem| problem.at.is_some()).count() == PLACES_MAX);
        let long = " ".repeat(FILE_BYTES_MAX as usize + 1);
        assert!(check("r", &long, UnknownFields::Refused).problems[0].message.contains("want at most"));
    }
}
