//! What was expected, what was found, and whether they are the same. Pure.

use signalbox_lang::promql::series::histogram_text;
use signalbox_model::Labels;
use signalbox_query::promql::{Point, VectorSample};

/// How differences are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Comparison {
    /// What was expected, then what was found.
    #[default]
    Whole,
    /// Line by line: what is missing with `-`, what is too much with `+`.
    Difference,
}

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExpectedAlert {
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
}

/// One element of a vector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExpectedSample {
    pub(super) labels: Labels,
    pub(super) value: SampleText,
}

/// A value; histograms that mean the same have the same text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SampleText {
    Float(f64),
    Histogram(String),
}

impl ExpectedSample {
    pub(super) fn of(sample: &VectorSample) -> Self {
        let value = match &sample.point {
            Point::Float(value) => SampleText::Float(*value),
            Point::Histogram(histogram) => SampleText::Histogram(histogram_text(histogram)),
        };
        Self { labels: sample.labels.clone(), value }
    }

    fn is_equal(&self, other: &Self, is_fuzzy: bool) -> bool {
        let is_equal_value = match (&self.value, &other.value) {
            (SampleText::Float(left), SampleText::Float(right)) => is_equal_number(*left, *right, is_fuzzy),
            (left, right) => left == right,
        };
        self.labels == other.labels && is_equal_value
    }

    fn show(&self) -> String {
        match &self.value {
            SampleText::Float(value) => format!("{} {}", self.labels, scientific(*value)),
            SampleText::Histogram(text) => format!("{} {text}", self.labels),
        }
    }
}

/// Equal, both no number, or, if that is allowed, neighbours.
fn is_equal_number(left: f64, right: f64, is_fuzzy: bool) -> bool {
    left == right || left.is_nan() && right.is_nan() || is_fuzzy && (left.next_up() == right || left.next_down() == right)
}

/// As Go's `%E` with the digits that it takes: `6E+01`.
fn scientific(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_owned() } else { format!("{}Inf", if value > 0.0 { '+' } else { '-' }) };
    }
    let text = format!("{value:E}");
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}E{sign}{exponent:0>2}")
}

/// Why samples are not the expected ones; `None` if they are.
pub(super) fn compare_samples(mut expected: Vec<ExpectedSample>, mut found: Vec<ExpectedSample>, is_fuzzy: bool) -> Option<String> {
    expected.sort_by(|left, right| left.labels.cmp(&right.labels));
    found.sort_by(|left, right| left.labels.cmp(&right.labels));
    let is_same = expected.len() == found.len() && expected.iter().zip(&found).all(|(left, right)| left.is_equal(right, is_fuzzy));
    let show = |samples: &[ExpectedSample]| {
        let texts: Vec<String> = samples.iter().map(ExpectedSample::show).collect();
        if texts.is_empty() { "nil".to_owned() } else { texts.join(", ") }
    };
    (!is_same).then(|| format!("        exp: {}\n        got: {}", show(&expected), show(&found)))
}

/// Why alerts are not the expected ones; `None` if they are.
pub(super) fn compare_alerts(mut expected: Vec<ExpectedAlert>, mut found: Vec<ExpectedAlert>, comparison: Comparison) -> Option<String> {
    expected.sort();
    found.sort();
    if expected == found {
        return None;
    }
    Some(match comparison {
        Comparison::Whole => format!("        exp:{}, \n        got:{}", show_alerts(&expected), show_alerts(&found)),
        Comparison::Difference => format!("        diff:\n{}", difference(&expected, &found)),
    })
}

fn show_alerts(alerts: &[ExpectedAlert]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let indent = " ".repeat(12);
    let show =
        |(index, alert): (usize, &ExpectedAlert)| format!("{indent}{index}:\n{indent}  Labels:{}\n{indent}  Annotations:{}", alert.labels, alert.annotations);
    let shown: Vec<String> = alerts.iter().enumerate().map(show).collect();
    format!("[\n{}\n{indent}]", shown.join(",\n"))
}

/// The lines of both; a line of one has the sign of its side.
fn difference(expected: &[ExpectedAlert], found: &[ExpectedAlert]) -> String {
    let lines = |alert: Option<&ExpectedAlert>| -> Vec<(String, String)> {
        let Some(alert) = alert else { return Vec::new() };
        let pairs = |what: &str, pairs: &Labels| pairs.iter().map(|(name, value)| (format!("{what} {name}"), value.to_owned())).collect::<Vec<_>>();
        [pairs("label", &alert.labels), pairs("annotation", &alert.annotations)].concat()
    };
    let mut text = Vec::new();
    for index in 0..expected.len().max(found.len()) {
        let (left, right) = (lines(expected.get(index)), lines(found.get(index)));
        text.push(format!("              alert {index}"));
        for line in &left {
            text.push(format!("            {} {}: {:?}", if right.contains(line) { ' ' } else { '-' }, line.0, line.1));
        }
        for line in right.iter().filter(|line| !left.contains(line)) {
            text.push(format!("            + {}: {:?}", line.0, line.1));
        }
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, value: f64) -> ExpectedSample {
        ExpectedSample { labels: Labels::from_pairs([("__name__", name)]), value: SampleText::Float(value) }
    }

    #[test]
    fn samples_are_equal_in_any_order_and_to_the_last_bit_unless_fuzzy() {
        assert_eq!(compare_samples(vec![sample("a", 1.0), sample("b", f64::NAN)], vec![sample("b", f64::NAN), sample("a", 1.0)], false), None);
        let (left, right) = (vec![sample("a", 0.3)], vec![sample("a", 0.1 + 0.2)]);
        assert_eq!(compare_samples(left.clone(), right.clone(), true), None);
        assert!(compare_samples(left, right, false).is_some());
        assert_eq!(compare_samples(vec![sample("a", 60.0)], Vec::new(), false).as_deref(), Some("        exp: a 6E+01\n        got: nil"),);
        for (value, want) in [(0.0, "0E+00"), (-1.25e-9, "-1.25E-09"), (1e300, "1E+300"), (f64::NEG_INFINITY, "-Inf"), (f64::NAN, "NaN")] {
            assert_eq!(scientific(value), want);
        }
    }

    #[test]
    fn differences_of_alerts_are_shown_whole_or_by_line() {
        let alert = |pairs: &[(&str, &str)]| ExpectedAlert { labels: Labels::from_pairs(pairs.iter().copied()), annotations: Labels::from_pairs([("s", "x")]) };
        let (left, right) = (vec![alert(&[("a", "1"), ("b", "1")])], vec![alert(&[("a", "1"), ("b", "2")])]);
        assert_eq!(compare_alerts(left.clone(), left.clone(), Comparison::Whole), None);
        let whole = compare_alerts(left.clone(), Vec::new(), Comparison::Whole).unwrap();
        assert!(whole.contains("Labels:{a=\"1\", b=\"1\"}") && whole.ends_with("got:[]"), "{whole}");
        let lines = compare_alerts(left, right, Comparison::Difference).unwrap();
        for want in
            ["\n            - label b: \"1\"", "\n            + label b: \"2\"", "\n              label a: \"1\"", "\n              annotation s: \"x\""]
        {
            assert!(lines.contains(want), "{want} in {lines}");
        }
    }
}
