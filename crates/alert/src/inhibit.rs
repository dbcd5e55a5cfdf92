//! Inhibition, pure: alerts that are not told while others fire.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#inhibition-related-settings>. An alert that matches both sides
//! of a rule is inhibited only by alerts that do not: it would inhibit itself.

use std::collections::BTreeSet;

use signalbox_model::{Labels, Matcher};

/// One rule.
#[derive(Debug, Clone)]
pub struct Inhibition {
    /// Its name, if it has one.
    pub name: String,
    /// Alerts that inhibit.
    pub source: Vec<Matcher>,
    /// Alerts that are inhibited.
    pub target: Vec<Matcher>,
    /// Labels whose values both must share; two that are missing are equal.
    pub equal: BTreeSet<String>,
}

/// Whether labels match all of some matchers; a label that is not there has the empty value.
pub fn is_matched(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
}

impl Inhibition {
    fn is_equal(&self, left: &Labels, right: &Labels) -> bool {
        self.equal.iter().all(|name| left.get(name).unwrap_or_default() == right.get(name).unwrap_or_default())
    }
}

/// The first of the firing alerts that inhibits a target by any of the rules, by index.
pub fn inhibited_by(rules: &[Inhibition], target: &Labels, firing: &[&Labels]) -> Option<usize> {
    for rule in rules.iter().filter(|rule| is_matched(&rule.target, target)) {
        let is_both = is_matched(&rule.source, target);
        let found = firing
            .iter()
            .position(|source| is_matched(&rule.source, source) && rule.is_equal(source, target) && !(is_both && is_matched(&rule.target, source)));
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use signalbox_lang::matchers::parse;

    use super::*;

    fn rule(source: &str, target: &str, equal: &[&str]) -> Inhibition {
        let equal = equal.iter().map(|name| (*name).to_owned()).collect();
        Inhibition { name: String::new(), source: parse(source).unwrap(), target: parse(target).unwrap(), equal }
    }

    fn inhibits(rules: &[Inhibition], target: &[(&str, &str)], firing: &[&[(&str, &str)]]) -> bool {
        let firing: Vec<Labels> = firing.iter().map(|pairs| Labels::from_pairs(pairs.iter().copied())).collect();
        inhibited_by(rules, &Labels::from_pairs(target.iter().copied()), &firing.iter().collect::<Vec<_>>()).is_some()
    }

    #[test]
    fn a_source_inhibits_targets_of_equal_labels() {
        let rules = [rule("severity=critical", "severity=warning", &["cluster", "zone"])];
        let target = [("severity", "warning"), ("cluster", "a")];
        assert!(inhibits(&rules, &target, &[&[("severity", "critical"), ("cluster", "a")]]));
        assert!(!inhibits(&rules, &target, &[&[("severity", "critical"), ("cluster", "b")]]));
        assert!(!inhibits(&rules, &target, &[&[("severity", "critical"), ("cluster", "a"), ("zone", "1")]]));
        assert!(!inhibits(&rules, &target, &[&[("severity", "warning"), ("cluster", "a")]]));
        assert!(!inhibits(&rules, &[("severity", "info")], &[&[("severity", "critical")]]));
    }

    #[test]
    fn an_alert_of_both_sides_does_not_inhibit_its_like() {
        let rules = [rule("s=1", "t=1", &["e"])];
        let both = [("s", "1"), ("t", "1"), ("e", "1")];
        assert!(!inhibits(&rules, &both, &[&both]));
        assert!(inhibits(&rules, &both, &[&both, &[("s", "1"), ("e", "1")]]));
        assert!(inhibits(&rules, &[("t", "1"), ("e", "1")], &[&both]));
        assert!(!inhibits(&rules, &[("t", "1"), ("e", "2")], &[&both]));
    }
}
