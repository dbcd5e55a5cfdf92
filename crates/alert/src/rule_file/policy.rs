//! What an alerting rule says about evaluations that do not simply find or not find: no data, errors, the way back.
//!
//! `no_data` and `on_error` stand at a rule or at its group, `recovery_expr` at a rule. Prometheus refuses a file that has
//! them; without them a rule means what it means to Prometheus.

use signalbox_lang::text::quote;

use super::document::{RawGroup, RawRule};
use super::locate::Step;
use super::{Checker, Expression, Language, Place};

/// What becomes of alerts when there is no data for the expression of their rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoData {
    /// What is not found is over.
    #[default]
    Ok,
    /// The alerts go on as if they were found; if there is none, one with the labels of the rule begins.
    Alert,
    /// Alerts stay as they are: each whose series is gone.
    KeepLast,
    /// Alerts stay as they are, and one begins that says there is no data.
    NoData,
}

impl NoData {
    const ALL: [Self; 4] = [Self::Ok, Self::Alert, Self::KeepLast, Self::NoData];

    /// The word in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Alert => "alert",
            Self::KeepLast => "keep_last",
            Self::NoData => "no_data",
        }
    }
}

/// What becomes of alerts when the evaluation of their rule fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// Alerts stay as they are.
    #[default]
    KeepLast,
    /// The alerts go on as if they were found; if there is none, one with the labels of the rule begins.
    Alert,
    /// They are over.
    Ok,
}

impl OnError {
    const ALL: [Self; 3] = [Self::KeepLast, Self::Alert, Self::Ok];

    /// The word in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepLast => "keep_last",
            Self::Alert => "alert",
            Self::Ok => "ok",
        }
    }
}

/// What ends an alert that fires: an expression that finds it.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The expression.
    pub expr: Expression,
    /// The expression as written.
    pub text: String,
    /// Canonical text of the expression.
    pub query: String,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Without data.
    pub no_data: NoData,
    /// Without an answer.
    pub on_error: OnError,
    /// The way back, if it is another than the way there.
    pub recovery: Option<Recovery>,
}

impl Checker<'_> {
    /// The policies of all rules of a group, for what is wrong with them.
    pub(super) fn group_policies(&mut self, raw: &RawGroup, path: &[Step<'_>]) {
        let words = [("no_data", &raw.no_data, &NoData::ALL.map(NoData::as_str)[..]), ("on_error", &raw.on_error, &OnError::ALL.map(OnError::as_str)[..])];
        for (key, word, known) in words {
            if let Some(word) = word.as_deref().filter(|word| !known.contains(word)) {
                self.problem(&[path, &[Step::Key(key)]].concat(), &unknown(key, word, known));
            }
        }
    }

    /// The policies of a rule, of its own or of its group.
    pub(super) fn policies(&mut self, raw: &RawRule, place: &Place<'_>, group: &RawGroup, language: Option<Language>) -> Policies {
        let no_data = self.word(place, "no_data", raw.no_data.as_deref(), group.no_data.as_deref(), &NoData::ALL, NoData::as_str);
        let on_error = self.word(place, "on_error", raw.on_error.as_deref(), group.on_error.as_deref(), &OnError::ALL, OnError::as_str);
        let recovery = raw.recovery_expr.as_deref().and_then(|text| self.recovery(text, raw, place, language?));
        Policies { no_data, on_error, recovery }
    }

    fn recovery(&mut self, text: &str, raw: &RawRule, place: &Place<'_>, language: Language) -> Option<Recovery> {
        let range_ms = raw.range.as_deref().and_then(|range| signalbox_lang::promql::parse_duration(range).ok());
        let expr = Expression::parse(language, text, range_ms).map_err(|problem| self.rule_problem(place, Some("recovery_expr"), &problem)).ok()?;
        Some(Recovery { query: expr.to_string(), text: text.to_owned(), expr })
    }

    fn word<T: Copy + Default>(
        &mut self,
        place: &Place<'_>,
        key: &'static str,
        own: Option<&str>,
        of_group: Option<&str>,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> T {
        let named = |word: &str| all.iter().copied().find(|known| as_str(*known) == word);
        let found = own.or(of_group).and_then(named);
        if let (Some(word), None) = (own, found) {
            let known: Vec<&str> = all.iter().map(|known| as_str(*known)).collect();
            self.rule_problem(place, Some(key), &unknown(key, word, &known));
        }
        found.unwrap_or_default()
    }
}

fn unknown(key: &str, word: &str, known: &[&str]) -> String {
    format!("unknown {key} {}: want one of {}", quote(word), known.join(", "))
}
