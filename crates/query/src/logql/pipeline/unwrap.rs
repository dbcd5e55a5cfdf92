//! `unwrap`: the value of a sample from a label.

use signalbox_lang::logql::ast::{Conversion, Unwrap};
use signalbox_model::Result;

use super::condition::{Condition, bytes, duration_ns, number};
use super::labels::LabelSet;

pub(in crate::logql) const EXTRACTION_ERROR: &str = "SampleExtractionErr";

/// The number that the text of a label says, else why it is none.
pub(in crate::logql) fn read(conversion: Conversion, text: &str) -> std::result::Result<f64, String> {
    match conversion {
        Conversion::None => number(text),
        Conversion::Duration | Conversion::DurationSeconds => duration_ns(text).map(|nanoseconds| nanoseconds as f64 / 1e9),
        Conversion::Bytes => bytes(text).map(|bytes| bytes as f64),
    }
}

/// `unwrap` with the filters behind it, compiled.
#[derive(Debug)]
pub(super) struct Unwrapper {
    label: String,
    conversion: Conversion,
    filters: Vec<Condition>,
}

impl Unwrapper {
    pub(super) fn new(unwrap: &Unwrap) -> Result<Self> {
        let filters = unwrap.filters.iter().map(Condition::new).collect::<Result<_>>()?;
        Ok(Self { label: unwrap.label.clone(), conversion: unwrap.conversion, filters })
    }

    /// The value; `None` if the label is missing or a filter does not hold. What cannot be read marks the record and is 0.
    pub(super) fn run(&self, labels: &mut LabelSet) -> Option<f64> {
        let text = labels.get(&self.label).filter(|text| !text.is_empty())?;
        let value = read(self.conversion, text).unwrap_or_else(|details| {
            labels.set_error(EXTRACTION_ERROR, &details);
            0.0
        });
        self.filters.iter().all(|filter| filter.passes(labels)).then_some(value)
    }

    /// Adds the names of labels that it looks at.
    pub(super) fn labels(&self, names: &mut Vec<String>) {
        names.push(self.label.clone());
        self.filters.iter().for_each(|filter| filter.labels(names));
    }
}
