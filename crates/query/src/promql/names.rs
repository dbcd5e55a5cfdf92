//! Labels of results: which go, how they read, and what happens when two series end up with the same.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use signalbox_lang::text::quote;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Labels, Result};

use super::row::Row;

/// Labels that describe the metric rather than the series: a computed value is no longer of that metric.
const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Whether a label goes with the metric name.
pub(super) fn is_metadata(name: &str) -> bool {
    METADATA.contains(&name)
}

/// A label set as error messages show it: the name among the labels.
pub(super) fn braces(labels: &Labels) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
    format!("{{{}}}", labels.join(", "))
}

/// Two series of a vector have the same labels.
pub(super) fn same_labels() -> Error {
    Error::invalid("vector cannot contain metrics with the same labelset")
}

/// Makes one series of those with equal labels.
///
/// # Errors
/// `Invalid` if two of them have a value at the same step.
pub(super) fn merge_equal(rows: Vec<Row>) -> Result<Vec<Row>> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.entry(row.labels.clone()) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(row);
            }
            Entry::Occupied(place) => {
                let into = &mut merged[*place.get()];
                for step in 0..row.steps.len() {
                    if let Some(cell) = row.steps.get(step) {
                        if into.steps.has(step) {
                            return Err(same_labels());
                        }
                        into.steps.put(step, cell);
                    }
                }
            }
        }
    }
    Ok(merged)
}

/// Takes the names from the series that have to lose them, and merges those that are equal then.
pub(super) fn settle(mut rows: Vec<Row>) -> Result<Vec<Row>> {
    for row in rows.iter_mut().filter(|row| row.drop_name) {
        row.labels = row.labels.keep(|name| !is_metadata(name));
    }
    merge_equal(rows)
}

#[cfg(test)]
mod tests {
    use super::super::row::Steps;
    use super::*;

    fn row(labels: &[(&str, &str)], drop_name: bool, step: usize) -> Row {
        let mut steps = Steps::empty(2);
        steps.set(step, 1.0);
        Row { labels: Labels::from_pairs(labels.iter().copied()), drop_name, steps }
    }

    #[test]
    fn equal_series_merge_unless_they_overlap() {
        let named = |name, step| row(&[("__name__", name), ("a", "1")], true, step);
        let merged = settle(vec![named("x", 0), named("y", 1)]).unwrap();
        assert_eq!(merged.len(), 1);
        assert_eq!((braces(&merged[0].labels).as_str(), merged[0].steps.count()), ("{a=\"1\"}", 2));
        let error = settle(vec![named("x", 0), named("y", 0)]).unwrap_err();
        assert_eq!(error.message(), "vector cannot contain metrics with the same labelset");
        assert_eq!(settle(vec![row(&[("__name__", "x")], false, 0), row(&[("__name__", "y")], false, 0)]).unwrap().len(), 2);
    }
}
