//! From YAML to tests. What is wrong with the file as a whole refuses it; what is wrong with one test fails that test.

use std::collections::BTreeMap;

use signalbox_lang::duration;
use signalbox_lang::promql::series;
use signalbox_model::{Error, Labels, Result};

use super::document::{RawAlert, RawAlertCase, RawExprCase, RawFile, RawSample, RawTest};
use super::expectation::{ExpectedAlert, ExpectedSample, SampleText};
use super::input::Inputs;
use crate::rule_file::{Language, yaml_problem};

/// The interval of evaluations where the file says nothing.
const INTERVAL_MS: i64 = 60_000;

/// The step of questions that `vmalert` sends.
const VMALERT_STEP_MS: i64 = 300_000;

/// A file of unit tests.
#[derive(Debug)]
pub struct TestFile {
    /// Rule files or patterns, as written.
    pub rule_files: Vec<String>,
    /// How often all rules are evaluated, in milliseconds.
    pub evaluation_interval_ms: i64,
    /// Whether numbers that differ in the last bit are equal.
    pub is_fuzzy: bool,
    /// The tests in order.
    pub tests: Vec<Test>,
    pub(super) group_order: BTreeMap<String, usize>,
    /// Whether it is written in the words of `vmalert-tool`, whose rules have more labels.
    pub(super) is_of_vmalert: bool,
}

/// One test. Times are milliseconds since its start where nothing else is said.
#[derive(Debug)]
pub struct Test {
    /// Its name, or its place among the tests.
    pub name: String,
    /// Whether the file says its name.
    pub(super) is_named: bool,
    /// Milliseconds since the Unix epoch.
    pub(super) start_ms: i64,
    /// Of groups that say nothing.
    pub(super) interval_ms: i64,
    pub(super) external_labels: Labels,
    pub(super) external_url: String,
    pub(super) inputs: Result<Inputs, String>,
    pub(super) alerts: Result<Vec<AlertCase>, String>,
    pub(super) exprs: Vec<ExprCase>,
}

/// Which alerts fire.
#[derive(Debug)]
pub(super) struct AlertCase {
    pub(super) at_ms: i64,
    pub(super) name: String,
    /// Only of this group.
    pub(super) group: Option<String>,
    pub(super) expected: Vec<ExpectedAlert>,
}

/// What an expression answers.
#[derive(Debug)]
pub(super) struct ExprCase {
    pub(super) language: Language,
    pub(super) expr: String,
    pub(super) at_ms: i64,
    pub(super) range_ms: Option<i64>,
    pub(super) expected: Result<Vec<ExpectedSample>, String>,
}

impl TestFile {
    /// The step of PromQL subqueries that name none: that of evaluations, or five minutes as `vmalert` asks by default.
    pub fn subquery_step_ms(&self) -> i64 {
        if self.is_of_vmalert { VMALERT_STEP_MS } else { self.evaluation_interval_ms }
    }
}

impl Test {
    /// The name that the file gives it, or the empty text.
    pub fn given_name(&self) -> &str {
        if self.is_named { &self.name } else { "" }
    }

    /// The last time that something is expected at.
    pub(super) fn last_ms(&self) -> i64 {
        let alerts = self.alerts.iter().flatten().map(|case| case.at_ms);
        alerts.chain(self.exprs.iter().map(|case| case.at_ms)).max().unwrap_or(0)
    }
}

/// Reads the text of a file of unit tests.
///
/// # Errors
/// `Invalid` with what is wrong with it and where.
pub fn read(text: &str) -> Result<TestFile> {
    let raw: Option<RawFile> = serde_norway::from_str(text).map_err(|error| Error::invalid(yaml_problem(&error).to_string()))?;
    let raw = raw.unwrap_or_default();
    let interval_ms = milliseconds(raw.evaluation_interval.as_deref())?.filter(|interval| *interval > 0).unwrap_or(INTERVAL_MS);
    let mut group_order = BTreeMap::new();
    for (index, name) in raw.group_eval_order.unwrap_or_default().into_iter().enumerate() {
        if group_order.insert(name.clone(), index).is_some() {
            return Err(Error::invalid(format!("group name repeated in evaluation order: {name}")));
        }
    }
    let raw_tests = raw.tests.unwrap_or_default();
    let is_of_vmalert =
        raw_tests.iter().any(|test| test.metricsql_expr_test.is_some() || test.alert_rule_test.iter().flatten().any(|case| case.groupname.is_some()));
    let tests = raw_tests.into_iter().enumerate().map(|(index, test)| read_test(index, test, interval_ms)).collect::<Result<_>>()?;
    Ok(TestFile {
        rule_files: raw.rule_files.unwrap_or_default(),
        evaluation_interval_ms: interval_ms,
        is_fuzzy: raw.fuzzy_compare.unwrap_or(false),
        tests,
        group_order,
        is_of_vmalert,
    })
}

fn milliseconds(text: Option<&str>) -> Result<Option<i64>> {
    text.filter(|text| !text.is_empty()).map(duration::parse_ms).transpose()
}

fn read_test(index: usize, raw: RawTest, evaluation_interval_ms: i64) -> Result<Test> {
    let interval_ms = milliseconds(raw.interval.as_deref())?.filter(|interval| *interval > 0).unwrap_or(evaluation_interval_ms);
    let start_ms = raw.start_timestamp.as_deref().map(read_start).transpose()?.unwrap_or(0);
    let inputs =
        Inputs::read(raw.input_series.unwrap_or_default(), raw.input_logs.unwrap_or_default(), raw.input_spans.unwrap_or_default(), (start_ms, interval_ms));
    let name = raw.name.filter(|name| !name.is_empty());
    let mut alerts = Ok(Vec::new());
    for case in raw.alert_rule_test.unwrap_or_default() {
        let case = read_alert_case(case, name.as_deref())?;
        alerts = alerts.and_then(|mut cases: Vec<AlertCase>| {
            cases.push(case?);
            Ok(cases)
        });
    }
    let mut exprs = Vec::new();
    for (language, cases) in [
        (Language::Promql, raw.promql_expr_test),
        (Language::Promql, raw.metricsql_expr_test),
        (Language::Logql, raw.logql_expr_test),
        (Language::Traceql, raw.traceql_expr_test),
        (Language::Sql, raw.sql_expr_test),
    ] {
        for case in cases.unwrap_or_default() {
            exprs.push(read_expr_case(language, case)?);
        }
    }
    Ok(Test {
        is_named: name.is_some(),
        name: name.unwrap_or_else(|| format!("unnamed#{index}")),
        start_ms,
        interval_ms,
        external_labels: Labels::from_pairs(raw.external_labels.unwrap_or_default()),
        external_url: raw.external_url.unwrap_or_default().trim_end_matches('/').to_owned(),
        inputs,
        alerts,
        exprs,
    })
}

/// Seconds since the Unix epoch, or RFC 3339.
fn read_start(text: &str) -> Result<i64> {
    let wrong = || Error::invalid(format!("cannot parse start_timestamp {text:?}: want seconds since 1970 or RFC 3339"));
    match text.parse::<f64>() {
        Ok(seconds) if seconds.abs() < 1e11 => Ok((seconds * 1e3).round() as i64),
        Ok(_) => Err(wrong()),
        Err(_) => text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| wrong()),
    }
}

fn read_alert_case(raw: RawAlertCase, test: Option<&str>) -> Result<Result<AlertCase, String>> {
    let at_ms = milliseconds(raw.eval_time.as_deref())?.unwrap_or(0);
    let Some(name) = raw.alertname.filter(|name| !name.is_empty()) else {
        let test = test.map_or(String::new(), |name| format!(" (in TestGroup {name})"));
        let time = duration::format_ms(at_ms);
        return Ok(Err(format!("an item under alert_rule_test misses required attribute alertname at eval_time {time}{test}")));
    };
    let expected = |RawAlert { exp_labels, exp_annotations }| ExpectedAlert {
        labels: Labels::from_pairs(exp_labels.unwrap_or_default()),
        annotations: Labels::from_pairs(exp_annotations.unwrap_or_default()),
    };
    let expected = raw.exp_alerts.unwrap_or_default().into_iter().map(expected).collect();
    Ok(Ok(AlertCase { at_ms, name, group: raw.groupname.filter(|group| !group.is_empty()), expected }))
}

fn read_expr_case(language: Language, raw: RawExprCase) -> Result<ExprCase> {
    let expected = raw.exp_samples.unwrap_or_default().into_iter().map(read_sample).collect();
    let (at_ms, range_ms) = (milliseconds(raw.eval_time.as_deref())?.unwrap_or(0), milliseconds(raw.range.as_deref())?);
    if range_ms.is_some() && language != Language::Traceql {
        return Err(Error::invalid(format!("invalid field 'range' for {:?}: only of traceql_expr_test", raw.expr)));
    }
    Ok(ExprCase { language, expr: raw.expr, at_ms, range_ms: range_ms.filter(|range| *range > 0), expected })
}

fn read_sample(raw: RawSample) -> Result<ExpectedSample, String> {
    let text = raw.labels.unwrap_or_default();
    let wrong = |why: String| format!("labels {text:?}: {why}");
    let labels = series::labels(&text).map_err(wrong)?;
    let value = match raw.histogram.filter(|histogram| !histogram.is_empty()) {
        Some(histogram) => match series::items(&histogram).map_err(wrong)?.as_slice() {
            [series::Item::Histogram { histogram, .. }] => SampleText::Histogram(series::histogram_text(histogram)),
            [other] => return Err(wrong(format!("expected histogram, got {other:?}"))),
            others => return Err(wrong(format!("expected 1 value, got {}", others.len()))),
        },
        None => SampleText::Float(raw.value.as_deref().map_or(Ok(0.0), |value| number(value).ok_or_else(|| wrong(format!("{value:?} is no number"))))?),
    };
    Ok(ExpectedSample { labels, value })
}

/// A number as YAML and Go write it.
fn number(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let value = match unsigned.to_ascii_lowercase().as_str() {
        ".inf" | "inf" | "infinity" => f64::INFINITY,
        ".nan" | "nan" => f64::NAN,
        _ => unsigned.replace('_', "").parse().ok()?,
    };
    Some(if text.starts_with('-') { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_yaml() {
        for (text, want) in [("1", 1.0), ("-1.5e3", -1_500.0), ("+.inf", f64::INFINITY), ("-Inf", f64::NEG_INFINITY), ("1_000", 1_000.0)] {
            assert_eq!(number(text), Some(want), "{text}");
        }
        assert!(number(".NaN").is_some_and(f64::is_nan));
        assert_eq!(number("x"), None);
    }
}
