//! Bounds of rules and of what they may make of a record.

use regex::Regex;
use signalbox_model::{Error, Result, re2};

/// Rules of one list.
pub(crate) const RULES_MAX: usize = 256;
/// Steps of one rule.
pub(crate) const STEPS_MAX: usize = 64;
/// Bytes of one pattern as written.
pub(crate) const PATTERN_BYTES_MAX: usize = 8 << 10;
/// Bytes that one compiled expression may take: the timestamps and addresses of grok are long.
const REGEX_BYTES_MAX: usize = 8 << 20;
/// Attributes that a record may have after a step: one less than admission takes by default, which leaves room for the flag.
pub(crate) const ATTRIBUTES_MAX: usize = 255;
/// Bytes of a text that a step may make: what admission takes of a body or an attribute by default.
pub(crate) const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// Bytes of a text that is parsed.
pub(crate) const INPUT_BYTES_MAX: usize = 1 << 20;
/// Nesting of JSON that stays structured; below, it is kept as its text.
pub(crate) const DEPTH_MAX: usize = 8;
/// Bytes of the flag of a record.
pub(crate) const FLAG_BYTES_MAX: usize = 512;

/// Compiles an expression as Go reads it.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] with the place in the configuration.
pub(crate) fn compile(pattern: &str, place: &str) -> Result<Regex> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(Error::invalid(format!("{place}: the pattern has {} bytes: want at most {PATTERN_BYTES_MAX}", pattern.len())));
    }
    compile_expanded(pattern, place)
}

/// The same for a pattern that was written in parts, each within the bound.
pub(crate) fn compile_expanded(pattern: &str, place: &str) -> Result<Regex> {
    let translated = re2::translate(pattern).map_err(|problem| Error::invalid(format!("{place}: cannot read pattern {}: {problem}", short(pattern))))?;
    regex::RegexBuilder::new(&translated).size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
        let text = error.to_string();
        // The crate draws the expression over several lines; what is wrong stands in the last.
        let problem = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::invalid(format!("{place}: cannot read pattern {}: {problem}", short(pattern)))
    })
}

fn short(pattern: &str) -> String {
    if pattern.len() > 120 { format!("{:?}…", &pattern[..pattern.floor_char_boundary(120)]) } else { format!("{pattern:?}") }
}
