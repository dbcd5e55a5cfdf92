//! `drop` and `keep`.

use signalbox_lang::logql::ast::LabelChoice;

use super::labels::{ERROR_DETAILS_LABEL, ERROR_LABEL, LabelSet};

/// Takes away what is chosen.
pub(super) fn drop_labels(choices: &[LabelChoice], labels: &mut LabelSet) {
    for choice in choices {
        let name = match choice {
            LabelChoice::Name(name) => name,
            LabelChoice::Matcher(matcher) if matcher.matches(labels.get(&matcher.name).unwrap_or_default()) => &matcher.name,
            LabelChoice::Matcher(_) => continue,
        };
        match name.as_str() {
            ERROR_LABEL => labels.clear_error(),
            ERROR_DETAILS_LABEL => labels.clear_details(),
            _ => labels.remove(name),
        }
    }
}

/// Takes away all else; errors stay.
pub(super) fn keep_labels(choices: &[LabelChoice], labels: &mut LabelSet) {
    labels.retain(|name, value| {
        choices.iter().any(|choice| match choice {
            LabelChoice::Name(wanted) => wanted == name,
            LabelChoice::Matcher(matcher) => matcher.name == name && matcher.matches(value),
        })
    });
}
