//! Keys of lines as names of labels.

use std::borrow::Cow;

/// A key as a name: without the spaces around it, `_` for every other character that names cannot have, and before a digit
/// that it begins with. Empty for nothing but spaces.
pub(super) fn sanitized(key: &str) -> Cow<'_, str> {
    let is_clean = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !key.starts_with(|first: char| first.is_ascii_digit());
    if is_clean {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len() + 1);
    append(&mut name, key);
    Cow::Owned(name)
}

/// Appends a key to a name.
pub(super) fn append(name: &mut String, key: &str) {
    let key = key.trim();
    if name.is_empty() && key.starts_with(|first: char| first.is_ascii_digit()) {
        name.push('_');
    }
    name.extend(key.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }));
}
