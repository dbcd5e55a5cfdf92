//! The order of series in a segment, and the text that stands for their labels in it.

use std::cmp::Ordering;

use signalbox_model::Labels;
use signalbox_model::attributes::write_json_string;

/// Labels as the JSON object that the `labels` column of metrics holds.
pub(crate) fn labels_json(labels: &Labels) -> String {
    let mut json = String::from("{");
    for (position, (name, value)) in labels.iter().enumerate() {
        if position > 0 {
            json.push(',');
        }
        write_json_string(&mut json, name);
        json.push(':');
        write_json_string(&mut json, value);
    }
    json.push('}');
    json
}

/// What series are sorted by: name, then the text of the labels, as the columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SortKey {
    name: Box<str>,
    json: String,
}

impl SortKey {
    pub(crate) fn of(labels: &Labels) -> Self {
        Self { name: labels.metric_name().into(), json: labels_json(labels) }
    }

    /// The text of the labels.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.name, &self.json).cmp(&(&other.name, &other.json))
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
