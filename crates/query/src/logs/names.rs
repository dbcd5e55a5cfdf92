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

/// Whether a JSON object may have a key that has this name as a label. A no is certain, and costs a fiftieth of parsing it.
pub(crate) fn may_have_label(json: &str, label: &str) -> bool {
    let (json, label) = (json.as_bytes(), label.as_bytes());
    // A key may be escaped; it is longer or shorter than its name as with [`is_named`].
    if !json.is_ascii() || memchr::memchr(b'\\', json).is_some() || label.starts_with(b"key_") {
        return true;
    }
    let fits = |(own, wanted): (&u8, &u8)| own == wanted || *wanted == b'_' && !own.is_ascii_alphanumeric();
    memchr::memchr_iter(b'"', json).any(|quote| {
        let rest = &json[quote + 1..];
        rest.get(label.len()) == Some(&b'"') && rest.iter().zip(label).all(fits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Resource;

    #[test]
    fn a_label_is_looked_for_in_json_without_parsing_it_and_never_missed() {
        let keys = ["trace.id", "trace_id", "a", "", "1st", "größe", "x y", "with\"quote", "service.name", "k8s.pod.name", "key_1st"];
        for key in keys {
            let json = serde_json::json!({ "other": "value", key: 1, "last": { "deep": true } }).to_string();
            let resource = Resource::from_json(&json);
            for (own, _) in &resource.attributes {
                assert!(may_have_label(&json, &label_name(own)), "{json}");
            }
        }
        let json = r#"{"service.name":"cart","k8s.pod.name":"cart-1","replicas":3}"#;
        let found = |labels: &[&str]| labels.iter().map(|label| may_have_label(json, label)).collect::<Vec<_>>();
        assert_eq!(found(&["trace_id", "service", "service_names", "ervice_name", "", "k8s_pod", "client_address"]), [false; 7]);
        assert_eq!(found(&["service_name", "k8s_pod_name", "replicas", "key_1"]), [true; 4]);
    }
}
