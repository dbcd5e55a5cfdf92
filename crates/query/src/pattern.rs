//! Regular expressions of queries: Go's language, bounded in size.

use regex::{Regex, RegexBuilder};
use signalbox_model::{Error, Result, re2};

/// Bytes of one compiled expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Matches anywhere in a text.
pub(crate) fn anywhere(pattern: &str) -> Result<Regex> {
    compile(pattern, &translate(pattern)?)
}

/// Matches a whole text, `.` any character of it.
pub(crate) fn whole(pattern: &str) -> Result<Regex> {
    compile(pattern, &format!("^(?s:{})$", translate(pattern)?))
}

fn translate(pattern: &str) -> Result<String> {
    re2::translate(pattern).map_err(|reason| Error::invalid(format!("cannot compile regular expression {pattern:?}: {reason}")))
}

fn compile(pattern: &str, translated: &str) -> Result<Regex> {
    let compiled = RegexBuilder::new(translated).size_limit(REGEX_BYTES_MAX).build();
    compiled.map_err(|error| Error::invalid(format!("cannot compile regular expression {pattern:?}: {error}")))
}
