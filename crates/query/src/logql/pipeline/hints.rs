//! Which labels parsers must find at all. A metric query that groups by labels needs those and what its stages look at; a
//! parser stops as soon as it has them. That shows in errors, too: what is not read cannot be wrong.

use signalbox_lang::logql::ast::Grouping;

use super::labels::ERROR_LABEL;

/// Labels that are needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Hints {
    /// Empty: all, or none.
    required: Vec<String>,
    wants_none: bool,
}

impl Hints {
    /// Of a query that keeps the labels of a grouping, by names that its stages need.
    pub(super) fn of(grouping: &Grouping, stage_labels: Vec<String>) -> Self {
        if grouping.is_without {
            return Self::default();
        }
        let mut required = Vec::new();
        for name in stage_labels.iter().chain(&grouping.labels) {
            // A label with the suffix may be one whose name was taken.
            let stripped = name.strip_suffix("_extracted").unwrap_or(name);
            for name in [name.as_str(), stripped] {
                if !name.is_empty() && !required.iter().any(|known| known == name) {
                    required.push(name.to_owned());
                }
            }
        }
        Self { wants_none: required.is_empty(), required }
    }

    pub(super) fn required(&self) -> &[String] {
        &self.required
    }

    pub(super) fn wants_none(&self) -> bool {
        self.wants_none
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        self.required.is_empty() || self.required.iter().any(|required| required == name)
    }

    /// Whether a label that begins so is needed.
    pub(super) fn wants_prefix(&self, prefix: &str) -> bool {
        self.required.is_empty() || self.required.iter().any(|required| required.starts_with(prefix))
    }

    /// Whether the query looks at errors itself.
    pub(super) fn preserves_errors(&self) -> bool {
        self.required.iter().any(|required| required == ERROR_LABEL)
    }
}
