//! How measurements, fields and tags become the names of metrics and labels.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use signalbox_model::Labels;
use signalbox_model::labels::METRIC_NAME;

use super::line::Head;

/// How points become series. A field `idle` of a measurement `cpu` is the metric `cpu_idle`, whatever else its line holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Translation {
    /// What stands between measurement and field in the name of a metric.
    pub separator: String,
    /// Measurements whose fields are names of metrics already: nothing is put before them. `prometheus` is what Telegraf calls
    /// what it scraped, with `metric_version = 2`.
    pub bare_measurements: Vec<String>,
    /// Whether a field called `value` adds nothing to the name, so that `load value=1` becomes `load` and not `load_value`.
    pub omit_value_field: bool,
    /// Label that tells the database (1.x, 3.x) or bucket (2.x) of a point, unless the point has a tag of that name. Empty:
    /// none.
    pub database_label: String,
    /// Whether names are kept as they are. Otherwise whatever Prometheus' names do not have becomes `_`, so that queries need
    /// no quotes.
    pub keep_names: bool,
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            separator: "_".to_owned(),
            bare_measurements: vec!["prometheus".to_owned()],
            omit_value_field: false,
            database_label: "db".to_owned(),
            keep_names: false,
        }
    }
}

impl Translation {
    /// The name of the metric that a field is.
    pub fn metric_name(&self, measurement: &str, field: &str) -> String {
        let name = if self.bare_measurements.iter().any(|bare| bare == measurement) {
            field.to_owned()
        } else if self.omit_value_field && field == "value" {
            measurement.to_owned()
        } else {
            format!("{measurement}{}{field}", self.separator)
        };
        self.escaped(&name, ':')
    }

    /// The labels that all series of a line share. Tags that become one label are joined by `;` in the order of their keys.
    ///
    /// # Errors
    /// A sentence, if a tag has a name that is taken.
    pub(super) fn labels(&self, head: &Head<'_>, database: &str) -> Result<Vec<(String, String)>, String> {
        let mut named: Vec<(String, &str)> = Vec::with_capacity(head.tags.len() + 2);
        for (key, value) in &head.tags {
            let name = self.escaped(key, '_');
            if name == METRIC_NAME {
                return Err(format!("tag {key:?} has the name of the metric: want another one"));
            }
            named.push((name, value));
        }
        let has_database = named.iter().any(|(name, _)| *name == self.database_label);
        if !database.is_empty() && !self.database_label.is_empty() && !has_database {
            named.push((self.database_label.clone(), database));
        }
        // Stable: tags come sorted by their keys.
        named.sort_by(|left, right| left.0.cmp(&right.0));
        let mut labels: Vec<(String, String)> = Vec::with_capacity(named.len());
        for (name, value) in named {
            match labels.last_mut() {
                Some((last, joined)) if *last == name => {
                    joined.push(';');
                    joined.push_str(value);
                }
                _ => labels.push((name, value.to_owned())),
            }
        }
        Ok(labels)
    }

    fn escaped(&self, name: &str, also: char) -> String {
        if self.keep_names {
            return name.to_owned();
        }
        let is_kept = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == also;
        let mut escaped = String::with_capacity(name.len() + 1);
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            escaped.push('_');
        }
        escaped.extend(name.chars().map(|letter| if is_kept(letter) { letter } else { '_' }));
        escaped
    }
}

/// The labels of the series of a field.
pub(super) fn series(base: &[(String, String)], metric: &str) -> Labels {
    let name = (Cow::from(METRIC_NAME), Cow::from(metric));
    Labels::from_pairs(base.iter().map(|(name, value)| (Cow::from(name), Cow::from(value))).chain([name]))
}
