//! Where in a JSON line the labels of `| json` come from.

use serde_json::{Map, Value};

use super::json::join;

/// Labels of a JSON line with the keys that lead to their values. Where several lead to one name, the first.
pub(in crate::logql) fn json_places(line: &str) -> Vec<(String, Vec<String>)> {
    let mut places = Vec::new();
    // The bound on nesting is that of the library, which is that of the parser of the stage.
    if let Ok(Value::Object(object)) = serde_json::from_str(line) {
        walk(&object, &mut String::new(), &mut Vec::new(), &mut places);
    }
    places
}

fn walk(object: &Map<String, Value>, name: &mut String, keys: &mut Vec<String>, places: &mut Vec<(String, Vec<String>)>) {
    for (key, value) in object {
        let length = name.len();
        join(name, key);
        keys.push(key.clone());
        match value {
            Value::Object(inner) => walk(inner, name, keys, places),
            Value::Array(_) | Value::Null => {}
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {
                if !name.is_empty() && !places.iter().any(|(known, _)| known == name) {
                    places.push((name.clone(), keys.clone()));
                }
            }
        }
        keys.pop();
        name.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_keys_that_lead_to_values() {
        let line = r#"{"user":{"id":7,"e-mail":"x"},"list":[1],"nothing":null,"ok":true,"user_id":8}"#;
        let place = |name: &str, keys: &[&str]| (name.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        // In the order of the line.
        assert_eq!(json_places(line), [place("user_id", &["user", "id"]), place("user_e_mail", &["user", "e-mail"]), place("ok", &["ok"])]);
        assert_eq!(json_places("[1]"), []);
        assert_eq!(json_places("{\"a\":"), []);
    }
}
