//! Which values of attributes are more frequent among selected spans than among all others.
//!
//! Counts are kept for a bounded number of values. Where there are too many, those that no selected span has go first, the
//! least frequent before the others; what may have been forgotten of a value counts against it, so that no value looks more
//! remarkable than it is. The score of a value is the lower end of an interval of confidence for the difference of its two
//! shares (Newcombe's, of Wilson's intervals): it is high where a difference is large and there is enough to be sure of it.

use std::collections::HashMap;

use signalbox_lang::traceql::tree::{FieldExpr, MetricsExpr, MetricsFunction, Pipeline, Query, Root, SpansetExpr, Stage, Static};
use signalbox_model::{Error, Result, Tenant, TimeRange};

use super::answer::{MetricsRequest, MetricsSeries};
use crate::Engine;

/// Attributes that are told apart.
const ATTRIBUTES_MAX: usize = 2_000;
/// Values of one attribute that are told apart.
const VALUES_MAX: usize = 2_000;
/// Values of all attributes.
const VALUES_TOTAL_MAX: usize = 200_000;
/// Longer values are seldom shared, and not told apart.
const VALUE_BYTES_MAX: usize = 256;
/// How sure a difference has to be: 99.9 %, since many values are looked at together.
const Z: f64 = 3.29;
/// Fewer selected spans with a value prove nothing, whatever arithmetic says of so few: identifiers are seen once.
const SELECTED_MIN: u64 = 3;

/// Values of attributes, counted.
#[derive(Debug, Clone, Default)]
pub struct Population {
    selected: u64,
    others: u64,
    attributes: HashMap<String, Values>,
    values_total: usize,
    is_cut: bool,
}

#[derive(Debug, Clone, Default)]
struct Values {
    counts: HashMap<Box<str>, Count>,
    /// No value that was forgotten was more frequent than this among the others.
    forgotten: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    selected: u64,
    others: u64,
    /// How many of the others may have been forgotten before this was counted.
    missed: u64,
}

/// A value that is more frequent among the selected spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Attribute or field, as TraceQL writes it.
    pub name: String,
    /// Text of the value.
    pub value: String,
    /// Selected spans that have it.
    pub selected: u64,
    /// Other spans that have it.
    pub others: u64,
    /// Of the selected spans, between 0 and 1.
    pub selected_share: f64,
    /// Of the others, between 0 and 1.
    pub others_share: f64,
    /// How many times as frequent; `None` if none of the others has it.
    pub lift: Option<f64>,
    /// By how much it is more frequent at least, between 0 and 1.
    pub score: f64,
}

impl Population {
    /// Counts spans.
    pub fn add_spans(&mut self, is_selected: bool, spans: u64) {
        *(if is_selected { &mut self.selected } else { &mut self.others }) += spans;
    }

    /// Counts spans that have a value; they MUST be counted by [`Self::add_spans`] too.
    pub fn add_value(&mut self, is_selected: bool, name: &str, value: &str, spans: u64) {
        if value.len() > VALUE_BYTES_MAX {
            self.is_cut = true;
            return;
        }
        let Some(values) = of(&mut self.attributes, &mut self.is_cut, name) else { return };
        if !values.counts.contains_key(value) {
            if values.counts.len() >= VALUES_MAX || self.values_total >= VALUES_TOTAL_MAX {
                self.is_cut = true;
                self.values_total -= values.forget();
            }
            if values.counts.len() >= VALUES_MAX || self.values_total >= VALUES_TOTAL_MAX {
                if !is_selected {
                    values.forgotten = values.forgotten.max(spans);
                }
                return;
            }
            self.values_total += 1;
            values.counts.insert(value.into(), Count { missed: values.forgotten, ..Count::default() });
        }
        if let Some(count) = values.counts.get_mut(value) {
            *(if is_selected { &mut count.selected } else { &mut count.others }) += spans;
        }
    }

    /// Says that values of an attribute which come after this may have been on so many other spans that were not told.
    pub fn may_miss(&mut self, name: &str, spans: u64) {
        if let Some(values) = of(&mut self.attributes, &mut self.is_cut, name) {
            values.forgotten = values.forgotten.max(spans);
        }
    }

    /// Selected spans.
    pub fn selected(&self) -> u64 {
        self.selected
    }

    /// All others.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Whether there were more attributes or values than are told apart.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The values that are surely more frequent among the selected spans, the most remarkable first.
    pub fn findings(&self, limit: usize) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, values) in &self.attributes {
            findings.extend(values.counts.iter().filter_map(|(value, count)| self.finding(name, value, *count)));
        }
        let place = |left: &Finding, right: &Finding| left.name.cmp(&right.name).then_with(|| left.value.cmp(&right.value));
        findings.sort_by(|left, right| right.score.total_cmp(&left.score).then_with(|| place(left, right)));
        findings.truncate(limit);
        findings
    }

    fn finding(&self, name: &str, value: &str, count: Count) -> Option<Finding> {
        if count.selected < SELECTED_MIN {
            return None;
        }
        let others = count.others.saturating_add(count.missed).min(self.others);
        let score = difference_at_least((count.selected, self.selected), (others, self.others));
        if score <= 0.0 {
            return None;
        }
        let (selected_share, others_share) = (share(count.selected, self.selected), share(count.others, self.others));
        let lift = (others_share > 0.0).then(|| selected_share / others_share);
        let (name, value) = (name.to_owned(), value.to_owned());
        Some(Finding { name, value, selected: count.selected, others: count.others, selected_share, others_share, lift, score })
    }
}

/// The values of an attribute, unless there are too many attributes already.
fn of<'a>(attributes: &'a mut HashMap<String, Values>, is_cut: &mut bool, name: &str) -> Option<&'a mut Values> {
    if !attributes.contains_key(name) {
        if attributes.len() >= ATTRIBUTES_MAX {
            *is_cut = true;
            return None;
        }
        attributes.insert(name.to_owned(), Values::default());
    }
    attributes.get_mut(name)
}

impl Values {
    /// Forgets values that no selected span has, the least frequent half of them; answers how many.
    fn forget(&mut self) -> usize {
        let mut frequencies: Vec<u64> = self.counts.values().filter(|count| count.selected == 0).map(|count| count.others + count.missed).collect();
        let Some(middle) = frequencies.len().checked_sub(1).map(|last| last / 2) else { return 0 };
        let (_, bound, _) = frequencies.select_nth_unstable(middle);
        let bound = *bound;
        let before = self.counts.len();
        self.counts.retain(|_, count| count.selected > 0 || count.others + count.missed > bound);
        self.forgotten = self.forgotten.max(bound);
        before - self.counts.len()
    }
}

fn share(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

/// By how much the first share is surely greater than the second; below 0 if that is not sure.
fn difference_at_least(first: (u64, u64), second: (u64, u64)) -> f64 {
    if first.1 == 0 || second.1 == 0 {
        return 0.0;
    }
    let (p, (low, _)) = (share(first.0, first.1), wilson(first.0, first.1));
    let (q, (_, high)) = (share(second.0, second.1), wilson(second.0, second.1));
    (p - q) - ((p - low).powi(2) + (high - q).powi(2)).sqrt()
}

/// Wilson's interval of a share.
fn wilson(count: u64, of: u64) -> (f64, f64) {
    let (n, p) = (of as f64, share(count, of));
    let center = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    ((center - half) / whole, (center + half) / whole)
}

/// Which spans are compared with which others.
#[derive(Debug, Clone)]
pub struct PopulationRequest {
    /// Chooses all of them: a search.
    pub query: Query,
    /// What the selected ones hold: a search of one pair of braces.
    pub selection: Query,
    /// They start in this range.
    pub range: TimeRange,
}

impl Engine {
    /// Counts the values of attributes among the selected spans and the others that a query chooses.
    ///
    /// # Errors
    /// `Invalid` for queries that are of another kind; those of a metrics query.
    pub async fn population(&self, tenant: &Tenant, request: PopulationRequest) -> Result<Population> {
        let Root::Spansets(pipeline) = request.query.root else {
            return Err(Error::invalid("cannot compare spans: want a query that chooses spans, not one that makes series"));
        };
        let function = MetricsFunction::Compare { selection: selection(request.selection)?, top: TOP, start_ns: 0, end_ns: 0 };
        let query = Query { root: Root::Metrics(MetricsExpr::Spans { pipeline, function }), hints: request.query.hints };
        let (start_ns, end_ns) = (request.range.start_ns.saturating_sub(1), request.range.end_ns);
        if start_ns >= end_ns {
            return Err(Error::invalid("cannot compare spans: end is before start"));
        }
        let step_ns = end_ns.saturating_sub(start_ns);
        let answer = self.traceql_metrics(tenant, MetricsRequest { query, start_ns, end_ns, step_ns, exemplars_max: 0 }).await?;
        Ok(counted(&answer.series))
    }
}

/// The condition of a selection.
fn selection(query: Query) -> Result<Option<FieldExpr>> {
    let stages = match query.root {
        Root::Spansets(Pipeline { stages }) => stages,
        Root::Metrics(_) => Vec::new(),
    };
    match <[Stage; 1]>::try_from(stages) {
        Ok([Stage::Spanset(SpansetExpr::Filter(selection))]) => Ok(selection),
        _ => Err(Error::invalid("cannot compare spans: want one { … } as selection")),
    }
}

/// Values of each attribute and side that are asked for.
const TOP: u32 = 1_000;
/// A field that every span has.
const EVERYWHERE: &str = "kind";

/// The counts of the series that `compare` answers: kind and attribute are labels, the value of the attribute is that of its
/// label.
fn counted(series: &[MetricsSeries]) -> Population {
    let mut population = Population::default();
    let mut told: HashMap<&str, (u32, u64)> = HashMap::new();
    for (kind, name, value, spans) in series.iter().filter_map(side) {
        match kind {
            "baseline_total" if name == EVERYWHERE => population.add_spans(false, spans),
            "selection_total" if name == EVERYWHERE => population.add_spans(true, spans),
            "baseline" => {
                population.add_value(false, name, &shown(value), spans);
                let (values, least) = told.entry(name).or_insert((0, u64::MAX));
                (*values, *least) = (*values + 1, spans.min(*least));
            }
            _ => {}
        }
    }
    // Of an attribute with more values than are told, those that are not may be as frequent as the last that is.
    for (name, (_, least)) in told.into_iter().filter(|(_, (values, _))| *values >= TOP) {
        population.may_miss(name, least);
    }
    for (_, name, value, spans) in series.iter().filter_map(side).filter(|(kind, ..)| *kind == "selection") {
        population.add_value(true, name, &shown(value), spans);
    }
    population
}

/// A text as it is, all else as TraceQL writes it.
fn shown(value: &Static) -> String {
    match value {
        Static::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

fn side(series: &MetricsSeries) -> Option<(&str, &str, &Static, u64)> {
    let (_, Static::Text(kind)) = series.labels.iter().find(|(name, _)| name == "__meta_type")? else { return None };
    let (name, value) = series.labels.iter().find(|(name, _)| name != "__meta_type")?;
    let spans: f64 = series.points.iter().map(|(_, spans)| spans).sum();
    Some((kind, name, value, spans as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name value selected others` a line, of so many selected and other spans.
    fn population(selected: u64, others: u64, text: &str) -> Population {
        let mut population = Population::default();
        population.add_spans(true, selected);
        population.add_spans(false, others);
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for (is_selected, word) in [(true, words[2]), (false, words[3])] {
                let count: u64 = word.parse().expect("a number");
                if count > 0 {
                    population.add_value(is_selected, words[0], words[1], count);
                }
            }
        }
        population
    }

    fn words(population: &Population) -> Vec<String> {
        let lift = |lift: Option<f64>| lift.map_or_else(|| "-".to_owned(), |lift| format!("{lift:.1}"));
        let word = |found: &Finding| {
            format!("{}={} {:.2}/{:.2} {} {:.2}", found.name, found.value, found.selected_share, found.others_share, lift(found.lift), found.score)
        };
        population.findings(10).iter().map(word).collect()
    }

    #[test]
    fn what_is_more_frequent_among_the_selected_is_found() {
        let population = population(
            100,
            10_000,
            "version 2.0 90 500
             version 1.9 10 9500
             region eu 50 5000
             shard 7 40 40
             user anna 2 0
             host h1 1 100",
        );
        // What is as frequent, what is less so, and what two spans do not prove is not there.
        assert_eq!(words(&population), ["version=2.0 0.90/0.05 18.0 0.71", "shard=7 0.40/0.00 100.0 0.25"]);
    }

    #[test]
    fn few_spans_prove_little() {
        assert_eq!(words(&population(3, 3, "a x 3 0")), [] as [&str; 0]);
        assert_eq!(words(&population(30, 30, "a x 30 0")), ["a=x 1.00/0.00 - 0.63"]);
        assert_eq!(words(&population(0, 30, "a x 0 30")), [] as [&str; 0]);
        assert_eq!(words(&population(30, 0, "a x 30 0")), [] as [&str; 0]);
        assert_eq!(words(&Population::default()), [] as [&str; 0]);
    }

    #[test]
    fn memory_is_bounded_and_what_matters_stays() {
        let mut population = Population::default();
        for number in 0..20_000u64 {
            let is_selected = number % 100 == 0;
            population.add_spans(is_selected, 1);
            population.add_value(is_selected, "id", &number.to_string(), 1);
            population.add_value(is_selected, "version", if is_selected { "new" } else { "old" }, 1);
            population.add_value(is_selected, &format!("name{number}"), "x", 1);
        }
        population.add_value(true, "text", &"x".repeat(300), 1);
        assert!(population.values_total <= VALUES_TOTAL_MAX && population.attributes.len() == ATTRIBUTES_MAX && population.is_cut());
        let kept: usize = population.attributes.values().map(|values| values.counts.len()).sum();
        assert_eq!(kept, population.values_total);
        assert!(population.attributes.values().all(|values| values.counts.len() <= VALUES_MAX));
        let found = population.findings(5);
        assert_eq!((found.len(), found[0].name.as_str(), found[0].value.as_str()), (1, "version", "new"));
    }

    #[test]
    fn what_was_forgotten_counts_against_a_value() {
        let mut population = Population::default();
        population.add_spans(false, 100_000);
        population.add_spans(true, 1_000);
        // Frequent among the others before it was forgotten.
        population.add_value(false, "a", "common", 10);
        for number in 0..VALUES_MAX as u64 + 10 {
            population.add_value(false, "a", &number.to_string(), 20);
        }
        population.add_value(true, "a", "common", 500);
        let values = &population.attributes["a"];
        assert!(values.counts["common"].missed >= 10, "{:?}", values.counts["common"]);
    }
}
