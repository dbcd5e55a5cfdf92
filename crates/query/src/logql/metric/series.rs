//! Series of a metric query: labels, and the values of all steps.

use signalbox_model::attributes::write_json_string;

use crate::logql::labels::LabelSet;

/// The bits of "no value": a NaN that no arithmetic makes.
const ABSENT: u64 = 0x7ff4_1065_0ab5_e17e;

/// A step without a value.
pub(super) fn absent() -> f64 {
    f64::from_bits(ABSENT)
}

/// Whether a step has a value.
pub(super) fn is_present(value: f64) -> bool {
    value.to_bits() != ABSENT
}

/// One series while a query is evaluated.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) labels: LabelSet,
    /// One a step, [`absent`] where there is none.
    pub(super) values: Vec<f64>,
}

impl Series {
    pub(super) fn new(labels: LabelSet, steps: usize) -> Self {
        Self { labels, values: vec![absent(); steps] }
    }

    /// Whether no step has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.values.iter().all(|value| !is_present(*value))
    }

    /// About how many bytes it holds.
    pub(super) fn bytes(&self) -> u64 {
        labels_bytes(&self.labels) + 8 * self.values.len() as u64 + 64
    }
}

/// About how many bytes labels hold.
pub(super) fn labels_bytes(labels: &LabelSet) -> u64 {
    labels.iter().map(|(name, value)| (name.len() + value.len() + 48) as u64).sum()
}

/// The value of a label, the empty text if it is missing.
pub(super) fn label<'a>(labels: &'a LabelSet, name: &str) -> &'a str {
    labels.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

/// Labels as they are written in messages: `{a="1", b="2"}`.
pub(super) fn text(labels: &LabelSet) -> String {
    let mut out = String::from("{");
    for (position, (name, value)) in labels.iter().enumerate() {
        out.push_str(if position > 0 { ", " } else { "" });
        out.push_str(name);
        out.push('=');
        write_json_string(&mut out, value);
    }
    out.push('}');
    out
}
