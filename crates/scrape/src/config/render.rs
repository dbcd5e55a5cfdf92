//! A configuration as YAML, the way Prometheus shows it: groups that structs hold in line are written in line.

use serde::Serialize;
use serde_norway::{Mapping, Value};

pub(super) fn yaml(config: &impl Serialize) -> String {
    // Nothing of a configuration is a key that YAML cannot write.
    let value = serde_norway::to_value(config).map(hoist).unwrap_or_default();
    serde_norway::to_string(&value).unwrap_or_default()
}

/// Moves the entries of every key that starts with a dollar one level up.
fn hoist(value: Value) -> Value {
    match value {
        Value::Sequence(elements) => Value::Sequence(elements.into_iter().map(hoist).collect()),
        Value::Mapping(entries) => {
            let mut flat = Mapping::new();
            for (key, value) in entries {
                match hoist(value) {
                    Value::Mapping(group) if key.as_str().is_some_and(|key| matches!(key, "$http" | "$proxy" | "$sd")) => flat.extend(group),
                    value => {
                        flat.insert(key, value);
                    }
                }
            }
            Value::Mapping(flat)
        }
        scalar => scalar,
    }
}
