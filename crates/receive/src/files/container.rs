//! Lines as container runtimes write them.

use std::borrow::Cow;

use serde::Deserialize;

use super::LineFormat;
use crate::logs::timestamp;

/// What a line holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) timestamp_ns: Option<i64>,
    /// `stdout`, `stderr`, or the empty text when nobody says.
    pub(super) stream: &'static str,
    /// Whether the next line of the stream goes on with this one.
    pub(super) is_partial: bool,
}

#[derive(Deserialize)]
struct DockerLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(default, borrow)]
    stream: Cow<'a, str>,
    #[serde(default, borrow)]
    time: Cow<'a, str>,
}

/// Reads a line; one that is not of its format is text.
pub(super) fn read(format: LineFormat, text: &str) -> Line<'_> {
    let read = match format {
        LineFormat::Plain => None,
        LineFormat::Cri => cri(text),
        LineFormat::Docker => docker(text),
        LineFormat::Container if text.starts_with('{') => docker(text),
        LineFormat::Container => cri(text),
    };
    read.unwrap_or(Line { text: Cow::Borrowed(text), timestamp_ns: None, stream: "", is_partial: false })
}

fn stream(name: &str) -> Option<&'static str> {
    match name {
        "stdout" => Some("stdout"),
        "stderr" => Some("stderr"),
        _ => None,
    }
}

/// `2016-10-06T00:17:09.669794202Z stdout P text`; tags after the first letter are separated by colons.
fn cri(line: &str) -> Option<Line<'_>> {
    let (time, rest) = line.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    let (tags, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_partial = match tags.split(':').next() {
        Some("P") => true,
        Some("F") => false,
        _ => return None,
    };
    Some(Line { text: Cow::Borrowed(text), timestamp_ns: Some(timestamp::rfc3339(time)?), stream: stream(name)?, is_partial })
}

/// `{"log":"text\n","stream":"stdout","time":"…"}`; a text without a line feed goes on in the next line.
fn docker(line: &str) -> Option<Line<'_>> {
    let read: DockerLine<'_> = serde_json::from_str(line).ok()?;
    let is_partial = !read.log.ends_with('\n');
    let text = match read.log {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches(['\n', '\r'])),
        Cow::Owned(text) => Cow::Owned(text.trim_end_matches(['\n', '\r']).to_owned()),
    };
    Some(Line { text, timestamp_ns: timestamp::rfc3339(&read.time), stream: stream(&read.stream).unwrap_or(""), is_partial })
}
