//! `label_replace`.

use regex::Regex;
use signalbox_model::Result;

use super::series::{Series, label};
use crate::pattern;

/// Sets a label of the series whose other label matches.
///
/// # Errors
/// `Invalid` for a regular expression that does not compile.
pub(super) fn label_replace(mut series: Vec<Series>, dst: &str, replacement: &str, src: &str, regex: &str) -> Result<Vec<Series>> {
    let regex = pattern::whole(regex)?;
    for one in &mut series {
        let Some(value) = expand(&regex, label(&one.labels, src), replacement) else { continue };
        one.labels.retain(|(name, _)| name != dst);
        if !value.is_empty() {
            let at = one.labels.partition_point(|(name, _)| name.as_str() < dst);
            one.labels.insert(at, (dst.to_owned(), value));
        }
    }
    Ok(series)
}

fn expand(regex: &Regex, value: &str, replacement: &str) -> Option<String> {
    let captures = regex.captures(value)?;
    let mut expanded = String::new();
    captures.expand(replacement, &mut expanded);
    Some(expanded)
}
