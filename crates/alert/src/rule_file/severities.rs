//! Rules of several severities: one rule of the file is as many as it has severities, the highest first.

use serde::Deserialize;
use signalbox_lang::text::quote;

use super::document::{Pairs, RawGroup, RawRule};
use super::locate::Step;
use super::{Checker, Language, Place, Rank, Rule};
use crate::severity::SEVERITY;

/// One of the severities of a rule. What it does not say is what the rule says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSeverity {
    /// Value of the label `severity`.
    severity: Option<String>,
    /// The whole condition.
    expr: Option<String>,
    /// The condition on the expression of the rule: `> 0.9`.
    threshold: Option<String>,
    recovery_expr: Option<String>,
    /// The way back, as a condition on the expression of the rule.
    recovery_threshold: Option<String>,
    #[serde(rename = "for")]
    hold: Option<String>,
    keep_firing_for: Option<String>,
    no_data: Option<String>,
    #[serde(default)]
    labels: Pairs,
    #[serde(default)]
    annotations: Pairs,
    /// Whether lower ones are not told while it fires; they are not if nothing is said.
    outranks: Option<bool>,
}

/// The severities of one rule in a file, at most.
const SEVERITIES_MAX: usize = 16;

impl Checker<'_> {
    /// The rules that a rule with severities is.
    pub(super) fn severities(&mut self, raw: &RawRule, severities: &[RawSeverity], place: &Place<'_>, group: &RawGroup) -> Vec<Rule> {
        if raw.alert().is_empty() {
            self.rule_problem(place, Some("severities"), "invalid field 'severities' in recording rule");
            return Vec::new();
        }
        if severities.is_empty() || severities.len() > SEVERITIES_MAX {
            self.rule_problem(place, Some("severities"), &format!("found {} severities: want 1 to {SEVERITIES_MAX}", severities.len()));
            return Vec::new();
        }
        if raw.labels.iter().any(|(name, _)| name == SEVERITY) {
            self.rule_problem(place, Some("labels"), "label \"severity\" is set by the severities");
        }
        if raw.recovery_expr.is_some() {
            self.rule_problem(place, Some("recovery_expr"), "each of the severities has its own way back");
        }
        if raw.expr.is_some() && !severities.iter().any(|severity| severity.threshold.is_some()) {
            self.rule_problem(place, Some("expr"), "field 'expr' is used by no severity: want a threshold");
        }
        let word = raw.lang.as_deref().or(group.lang.as_deref());
        let language = word.and_then(Language::of_word).unwrap_or_default();
        let mut rules = Vec::new();
        for (position, severity) in severities.iter().enumerate() {
            let place = Place { path: [place.path.as_slice(), &[Step::Key("severities"), Step::Index(position)]].concat(), rule: place.rule.clone() };
            let name = severity.severity.as_deref().unwrap_or_default();
            if name.is_empty() {
                self.rule_problem(&place, None, "field 'severity' must be set in severities");
                continue;
            }
            if severities[..position].iter().any(|earlier| earlier.severity == severity.severity) {
                self.rule_problem(&place, Some("severity"), &format!("severity {} is repeated", quote(name)));
            }
            let outranks = severity.outranks.unwrap_or(true);
            if let Some(derived) = self.derived(raw, severity, &place, language) {
                rules.extend(self.rule(&derived, &place, group).map(|rule| Rule { rank: Some(Rank { position, outranks }), ..rule }));
            }
        }
        rules
    }

    /// The rule that one severity is.
    fn derived(&mut self, raw: &RawRule, severity: &RawSeverity, place: &Place<'_>, language: Language) -> Option<RawRule> {
        let base = raw.expr.as_deref().filter(|text| !text.is_empty());
        let expr = match (&severity.expr, &severity.threshold) {
            (Some(expr), None) => expr.clone(),
            (None, Some(threshold)) => self.applied(base, threshold, place, ("threshold", language))?,
            (Some(_), Some(_)) | (None, None) => {
                self.rule_problem(place, None, "one of 'expr' or 'threshold' must be set in severities");
                return None;
            }
        };
        let recovery_expr = match (&severity.recovery_expr, &severity.recovery_threshold) {
            (Some(_), Some(_)) => {
                self.rule_problem(place, None, "only one of 'recovery_expr' and 'recovery_threshold' must be set in severities");
                return None;
            }
            (Some(expr), None) => Some(expr.clone()),
            (None, Some(threshold)) => Some(self.applied(base, threshold, place, ("recovery_threshold", language))?),
            (None, None) => None,
        };
        let name = severity.severity.clone().unwrap_or_default();
        Some(RawRule {
            expr: Some(expr),
            recovery_expr,
            hold: severity.hold.clone().or_else(|| raw.hold.clone()),
            keep_firing_for: severity.keep_firing_for.clone().or_else(|| raw.keep_firing_for.clone()),
            no_data: severity.no_data.clone().or_else(|| raw.no_data.clone()),
            labels: raw.labels.over(&severity.labels).with(SEVERITY, &name),
            annotations: raw.annotations.over(&severity.annotations),
            severities: None,
            ..raw.clone()
        })
    }

    /// An expression with a condition: `(errors) > 5`.
    fn applied(&mut self, base: Option<&str>, threshold: &str, place: &Place<'_>, (key, language): (&'static str, Language)) -> Option<String> {
        let Some(base) = base else {
            self.rule_problem(place, Some(key), &format!("field 'expr' must be set in the rule for a {key}"));
            return None;
        };
        let is_condition = ["==", "!=", ">=", "<=", ">", "<"].into_iter().find_map(|operator| threshold.trim().strip_prefix(operator));
        let is_number = is_condition.is_some_and(|number| number.trim().parse::<f64>().is_ok());
        if !is_number {
            self.rule_problem(place, Some(key), &format!("cannot read {key} {}: want a comparison with a number, such as \"> 0.9\"", quote(threshold)));
            return None;
        }
        let threshold = threshold.trim();
        match language {
            // In parentheses: `and` and `or` bind less.
            Language::Promql | Language::Logql => Some(format!("({base}) {threshold}")),
            Language::Traceql => Some(format!("{base} {threshold}")),
            Language::Sql => {
                self.rule_problem(place, Some(key), &format!("invalid field '{key}' in sql rule: want 'expr' with the condition in it"));
                None
            }
        }
    }
}
