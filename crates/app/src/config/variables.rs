//! `${NAME}` in the texts of a configuration: secrets need not be written down in a file.
//!
//! Variables are put into values after parsing, so that no value can change the structure of the file. They work where a
//! text is expected.

use serde_norway::Value;

/// Whether a text may hold variables.
pub(super) fn are_in(text: &str) -> bool {
    text.contains("${")
}

/// Replaces the variables in all texts below a value; `path` leads to it.
pub(super) fn expand(value: &mut Value, path: &mut Vec<String>, environment: &impl Fn(&str) -> Option<String>) -> Result<(), String> {
    match value {
        Value::String(text) => {
            *text = expand_text(text, environment).map_err(|problem| format!("{}: {problem}", path.join(".")))?;
            Ok(())
        }
        Value::Sequence(items) => items.iter_mut().enumerate().try_for_each(|(position, item)| below(item, position.to_string(), path, environment)),
        Value::Mapping(entries) => entries.iter_mut().try_for_each(|(key, entry)| below(entry, key.as_str().unwrap_or("?").to_owned(), path, environment)),
        _ => Ok(()),
    }
}

fn below(value: &mut Value, step: String, path: &mut Vec<String>, environment: &impl Fn(&str) -> Option<String>) -> Result<(), String> {
    path.push(step);
    let result = expand(value, path, environment);
    path.pop();
    result
}

fn expand_text(text: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut expanded, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, after) = behind.split_once('}').ok_or_else(|| format!("\"{text}\" opens a variable with ${{ and never closes it"))?;
        expanded.push_str(before);
        expanded.push_str(&environment(name).ok_or_else(|| format!("the environment has no variable {name}"))?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}
