//! Alertmanager's lists of label matchers, as routes, inhibition, silences, API filters and `amtool` write them:
//! `foo="bar", baz=~"a.*"`, with or without braces:
//! <https://prometheus.io/docs/alerting/latest/configuration/#matcher>.
//!
//! There are two spellings. The [`classic`] one takes unquoted values with almost anything in them, the [`utf8`] one any
//! label name. As Alertmanager does by default, [`parse`] takes what either takes; where both do and disagree, the classic
//! meaning stands, because that is what the configuration meant when it was written.

use signalbox_model::{Error, Matcher, Result};

mod classic;
mod utf8;

pub use classic::parse as parse_classic;
pub use utf8::parse as parse_utf8;

/// Longest list, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most matchers of a list.
pub const MATCHERS_MAX: usize = 1_000;

/// A list of matchers, perhaps an empty one, in either spelling.
///
/// # Errors
/// `Invalid` if neither spelling takes the text; the message is that of the classic one.
pub fn parse(text: &str) -> Result<Vec<Matcher>> {
    let classic = parse_classic(text);
    match (parse_utf8(text), classic) {
        (Ok(utf8), Err(_)) => Ok(utf8),
        (_, classic) => classic,
    }
}

/// Exactly one matcher.
///
/// # Errors
/// As [`parse`]; `Invalid` for none or several.
pub fn parse_one(text: &str) -> Result<Matcher> {
    let mut matchers = parse(text)?;
    match (matchers.pop(), matchers.len()) {
        (Some(matcher), 0) => Ok(matcher),
        (None, _) => Err(Error::invalid("no matchers")),
        (Some(_), others) => Err(Error::invalid(format!("expected 1 matcher, found {}", others + 1))),
    }
}

fn bound(text: &str) -> Result<()> {
    if text.len() > TEXT_BYTES_MAX { Err(Error::invalid(format!("matchers of {} bytes: want at most {TEXT_BYTES_MAX}", text.len()))) } else { Ok(()) }
}

fn push(matchers: &mut Vec<Matcher>, matcher: Matcher) -> Result<()> {
    if matchers.len() == MATCHERS_MAX {
        return Err(Error::invalid(format!("more than {MATCHERS_MAX} matchers")));
    }
    matchers.push(matcher);
    Ok(())
}
