//! Names of labels.

use std::borrow::Cow;

/// The label of the service.
pub const SERVICE_LABEL: &str = "service_name";
/// What the service of a record without one is called.
pub const UNKNOWN_SERVICE: &str = "unknown_service";
/// The label of the level, and other names of it that selectors may use.
pub(crate) const LEVEL_LABELS: [&str; 3] = ["detected_level", "level", "severity"];

/// An attribute name as the name of a label: characters that labels cannot have are `_`.
pub fn label_name(attribute: &str) -> Cow<'_, str> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let starts_with_digit = attribute.starts_with(|character: char| character.is_ascii_digit());
    if attribute.chars().all(is_allowed) && !starts_with_digit {
        return Cow::Borrowed(attribute);
    }
    let sanitized: String = attribute.chars().map(|character| if is_allowed(character) { character } else { '_' }).collect();
    Cow::Owned(if starts_with_digit { format!("key_{sanitized}") } else { sanitized })
}

/// Whether an attribute has this name as a label.
pub(crate) fn is_named(attribute: &str, label: &str) -> bool {
    if attribute.len() != label.len() {
        // Only a digit at the beginning or a character of several bytes makes it longer or shorter.
        return (!attribute.is_ascii() || attribute.starts_with(|character: char| character.is_ascii_digit())) && label_name(attribute) == label;
    }
    let fits = |(own, wanted): (u8, u8)| own == wanted || wanted == b'_' && !own.is_ascii_alphanumeric();
    attribute.bytes().zip(label.bytes()).all(fits) && label_name(attribute) == label
}
