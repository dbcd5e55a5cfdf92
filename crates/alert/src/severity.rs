//! Rules of several severities, pure: an alert of a lower one is not told while the higher one fires.
//!
//! A rule with `severities` is as many rules as it has of them. They belong together by the labels of what they found: an alert
//! is outranked by one of the same rule, of a severity further up, whose labels are the same but for those that the rule sets.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_model::Labels;

use crate::expand::ALERT_NAME;
use crate::rule_file::Group;

/// The label that holds the severity.
pub const SEVERITY: &str = "severity";

/// The severities of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rank {
    /// From the highest; whether it outranks those below.
    severities: Vec<(String, bool)>,
    /// Labels that the rule sets, for any of its severities.
    own: BTreeSet<String>,
}

/// The severities of all rules that have several, by the name of the alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranks {
    by_name: BTreeMap<String, Vec<Rank>>,
}

impl Ranks {
    /// Of the rules of groups.
    pub fn of(groups: &[Group]) -> Self {
        let mut by_name: BTreeMap<String, Vec<Rank>> = BTreeMap::new();
        for group in groups {
            let mut rest = group.rules.iter().filter(|rule| rule.rank.is_some()).peekable();
            while let Some(first) = rest.next() {
                let mut rank = Rank { severities: Vec::new(), own: BTreeSet::from([ALERT_NAME.to_owned()]) };
                let mut add = |rule: &crate::rule_file::Rule| {
                    rank.own.extend(rule.labels.iter().map(|(name, _)| name.to_owned()));
                    let outranks = rule.rank.is_some_and(|rank| rank.outranks);
                    rank.severities.push((rule.labels.get(SEVERITY).unwrap_or_default().to_owned(), outranks));
                };
                add(first);
                while let Some(next) = rest.next_if(|next| next.rank.is_some_and(|rank| rank.position > 0)) {
                    add(next);
                }
                by_name.entry(first.name.clone()).or_default().push(rank);
            }
        }
        Self { by_name }
    }

    /// The first of the firing alerts that outranks another, by index.
    pub fn outranked_by(&self, target: &Labels, firing: &[&Labels]) -> Option<usize> {
        let ranks = self.by_name.get(target.get(ALERT_NAME)?)?;
        ranks.iter().find_map(|rank| rank.outranked_by(target, firing))
    }
}

impl Rank {
    fn outranked_by(&self, target: &Labels, firing: &[&Labels]) -> Option<usize> {
        let severity = target.get(SEVERITY)?;
        let position = self.severities.iter().position(|(known, _)| known == severity)?;
        let above: BTreeSet<&str> = self.severities[..position].iter().filter(|(_, outranks)| *outranks).map(|(name, _)| name.as_str()).collect();
        if above.is_empty() {
            return None;
        }
        let of = |labels: &Labels| labels.keep(|name| !self.own.contains(name));
        let wanted = of(target);
        firing.iter().position(|source| {
            let is_above = source.get(SEVERITY).is_some_and(|severity| above.contains(severity));
            is_above && source.get(ALERT_NAME) == target.get(ALERT_NAME) && of(source) == wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_file::parse;

    fn labels(text: &str) -> Labels {
        Labels::from_pairs(text.split(' ').filter_map(|pair| pair.split_once('=')))
    }

    #[test]
    fn the_higher_severity_of_the_same_element_outranks() {
        let rules = "groups: [{name: g, rules: [{alert: Full, expr: used, labels: {team: a}, severities: [{severity: critical, threshold: '> 9', labels: {pager: 'yes'}}, \
                     {severity: error, threshold: '> 8', outranks: false}, {severity: warning, threshold: '> 7'}]}, {alert: Other, expr: up, labels: {severity: critical}}]}]";
        let ranks = Ranks::of(&parse("r.yaml", rules).unwrap());
        let outranked = |target: &str, firing: &[&str]| {
            let firing: Vec<Labels> = firing.iter().map(|text| labels(text)).collect();
            ranks.outranked_by(&labels(target), &firing.iter().collect::<Vec<_>>())
        };
        let critical = "alertname=Full severity=critical team=a pager=yes disk=1";
        let error = "alertname=Full severity=error team=a disk=1";
        let warning = "alertname=Full severity=warning team=a disk=1";
        assert_eq!(outranked(warning, &[warning, error, critical]), Some(2));
        assert_eq!(outranked(error, &[critical]), Some(0));
        assert_eq!(outranked(warning, &[error]), None, "it says so");
        assert_eq!(outranked(critical, &[critical, error, warning]), None);
        assert_eq!(outranked(warning, &["alertname=Full severity=critical team=a pager=yes disk=2"]), None);
        assert_eq!(outranked(warning, &["alertname=Other severity=critical team=a pager=yes disk=1"]), None);
        assert_eq!(outranked("alertname=Other severity=warning", &["alertname=Other severity=critical"]), None);
    }
}
