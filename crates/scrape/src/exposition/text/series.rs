//! The text of a series: where it ends, and which labels it says.

use std::borrow::Cow;

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, MetricKind, Result};

use super::Dialect;
use crate::exposition::number;

/// A part of a series as it is on the page: without quotes, escapes as they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'p> {
    /// The metric name.
    Name(&'p [u8]),
    /// Name and value of a label.
    Label(&'p [u8], &'p [u8]),
}

/// What a quoted text without a value means in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// It is the metric name, which is still wanted.
    Wanted,
    /// It would be a second name.
    Done,
    /// There are no names here.
    Never,
}

/// Where the series that begins at `start` ends, one past its last byte; its parts go to `take`.
#[inline]
pub(super) fn scan<'p>(dialect: Dialect, bytes: &'p [u8], start: usize, take: &mut impl FnMut(Part<'p>)) -> Result<usize, &'static str> {
    let end = name_end(bytes, start, true);
    let has_name = end > start;
    if has_name {
        take(Part::Name(bytes.get(start..end).unwrap_or_default()));
    }
    let brace = skip_blanks(dialect, bytes, end);
    match (bytes.get(brace), has_name) {
        (Some(b'{'), true) => braces(dialect, bytes, brace + 1, Naming::Done, take).map(|(end, _)| end),
        (Some(b'{'), false) => match braces(dialect, bytes, brace + 1, Naming::Wanted, take)? {
            (end, Naming::Done) => Ok(end),
            _ => Err("a series has no metric name"),
        },
        (_, true) => Ok(end),
        (_, false) => Err("want the name of a metric"),
    }
}

/// Where the labels of an exemplar end, whose brace is before `start`; `take` gets name and value.
pub(super) fn scan_exemplar<'p>(bytes: &'p [u8], start: usize, take: &mut impl FnMut(&'p [u8], &'p [u8])) -> Result<usize, &'static str> {
    let mut take = |part| {
        if let Part::Label(name, value) = part {
            take(name, value);
        }
    };
    braces(Dialect::OpenMetrics, bytes, start, Naming::Never, &mut take).map(|(end, _)| end)
}

/// What is in braces, from behind the first one to behind the last one.
#[inline]
fn braces<'p>(dialect: Dialect, bytes: &'p [u8], start: usize, mut naming: Naming, take: &mut impl FnMut(Part<'p>)) -> Result<(usize, Naming), &'static str> {
    let mut at = skip_blanks(dialect, bytes, start);
    loop {
        let begin = at;
        let (name, is_quoted) = match bytes.get(at) {
            Some(b'}') => return Ok((at + 1, naming)),
            Some(b'"') => {
                at = quoted_end(bytes, at, true).ok_or("a quoted name has no end")?;
                (bytes.get(begin + 1..at - 1).unwrap_or_default(), true)
            }
            _ => {
                at = name_end(bytes, at, false);
                (bytes.get(begin..at).unwrap_or_default(), false)
            }
        };
        if at == begin {
            return Err("want the name of a label");
        }
        at = skip_blanks(dialect, bytes, at);
        match bytes.get(at) {
            Some(b'=') => {
                at = skip_blanks(dialect, bytes, at + 1);
                let end = quoted_end(bytes, at, dialect == Dialect::Prometheus).ok_or("want a quoted value of a label")?;
                take(Part::Label(name, bytes.get(at + 1..end - 1).unwrap_or_default()));
                at = skip_blanks(dialect, bytes, end);
                match bytes.get(at) {
                    Some(b',') => at = skip_blanks(dialect, bytes, at + 1),
                    Some(b'}') => {}
                    // Prometheus has always taken labels without commas between them.
                    _ if dialect == Dialect::Prometheus => {}
                    _ => return Err("want a comma or a brace after a label"),
                }
            }
            Some(b',' | b'}') if is_quoted => {
                match naming {
                    Naming::Wanted => naming = Naming::Done,
                    Naming::Done => return Err("a series has two metric names"),
                    Naming::Never => return Err("an exemplar has a metric name"),
                }
                take(Part::Name(name));
                if bytes.get(at) == Some(&b',') {
                    at = skip_blanks(dialect, bytes, at + 1);
                }
            }
            _ => return Err("want = after the name of a label"),
        }
    }
}

/// The end of a name without quotes: of a metric, which may have colons, or of a label. `start` if there is none.
#[inline]
pub(super) fn name_end(bytes: &[u8], start: usize, is_metric: bool) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (is_metric && byte == b':');
    if rest.first().is_none_or(u8::is_ascii_digit) {
        return start;
    }
    start + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
}

/// The end of a quoted text that begins at `start`, one past its last quote.
#[inline]
pub(super) fn quoted_end(bytes: &[u8], start: usize, may_break: bool) -> Option<usize> {
    if bytes.get(start) != Some(&b'"') {
        return None;
    }
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if *bytes.get(at + 1)? != b'\n' => at += 2,
            b'\\' => return None,
            b'\n' if !may_break => return None,
            _ => at += 1,
        }
    }
}

#[inline]
fn skip_blanks(dialect: Dialect, bytes: &[u8], mut at: usize) -> usize {
    if dialect == Dialect::Prometheus {
        while matches!(bytes.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
    }
    at
}

/// The labels that the text of a series says, the metric name among them, in the order of the page. `kind` is the type of
/// its family, because the bounds of histograms and summaries have one form.
///
/// # Errors
/// `Invalid` when a name or a value is not UTF-8, is empty where it may not be, or is there twice.
pub fn labels(series: &[u8], dialect: Dialect, kind: MetricKind) -> Result<Vec<(String, String)>> {
    let wrong = |why: &str| Error::invalid(format!("cannot read series {:?}: {why}", String::from_utf8_lossy(series)));
    let (mut labels, mut fault) = (Vec::new(), None);
    let start = skip_blanks(dialect, series, 0);
    let mut take = |part: Part<'_>| {
        let label = match part {
            Part::Name(name) => text(name).map(|name| (METRIC_NAME.to_owned(), name.into_owned())),
            Part::Label(name, value) => text(name).and_then(|name| {
                let value = number::canonical_bound(kind, &name, text(value)?);
                Ok((name.into_owned(), value.into_owned()))
            }),
        };
        match label {
            Ok(label) => labels.push(label),
            Err(why) => fault = Some(why),
        }
    };
    scan(dialect, series, start, &mut take).map_err(wrong)?;
    if let Some(why) = fault {
        return Err(wrong(why));
    }
    check(&labels).map_err(wrong)?;
    Ok(labels)
}

/// Names that are empty or there twice make no series.
fn check(labels: &[(String, String)]) -> Result<(), &'static str> {
    let mut names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.first() == Some(&"") {
        return Err("a label has no name");
    }
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err("a label name is not unique");
    }
    let name = labels.iter().find(|(name, _)| name == METRIC_NAME).map(|(_, value)| value.as_str());
    if name.is_none_or(str::is_empty) { Err("the metric name is empty") } else { Ok(()) }
}

/// A name or a value, escapes resolved.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    std::str::from_utf8(bytes).map(|text| unescape(text, true)).map_err(|_| "a label is not UTF-8")
}

/// Resolves `\\`, `\n` and, where quotes are escaped, `\"`; what else follows a backslash stays with it.
pub(super) fn unescape(text: &str, with_quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        let (before, escaped) = rest.split_at(at);
        plain.push_str(before);
        let resolved = match escaped.as_bytes().get(1) {
            Some(b'\\') => '\\',
            Some(b'n') => '\n',
            Some(b'"') if with_quotes => '"',
            _ => {
                plain.push('\\');
                rest = escaped.get(1..).unwrap_or_default();
                continue;
            }
        };
        plain.push(resolved);
        rest = escaped.get(2..).unwrap_or_default();
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
