//! RFC 3164, which describes what was seen on the wire: `<PRI>Mmm dd hh:mm:ss HOSTNAME TAG[PID]: MSG`, most of it
//! optional. Read as well: a timestamp of RFC 3339 (rsyslog's `RSYSLOG_ForwardFormat`), a year, a fraction and a zone behind
//! the time, no hostname (`logger`).

use super::message::{Message, priority, some};
use super::time::{When, local, rfc3339};

/// Longest tag: 32 says the RFC, programs of today have longer names.
const TAG_BYTES_MAX: usize = 128;

/// Reads a message. Whatever cannot be told apart is text.
pub fn parse(text: &str) -> Message<'_> {
    let Some((pri, rest)) = priority(text) else { return Message::of_text(text) };
    let mut message = Message::of_priority(pri, rest);
    let Some((when, after)) = timestamp(rest) else {
        // A program and its number say enough even without a time.
        if let Some(tag) = tag(rest).filter(|tag| tag.procid.is_some() && tag.has_colon) {
            take(&mut message, tag);
        }
        return message;
    };
    message.when = Some(when);
    let after = after.trim_start_matches(' ');
    message.text = some(after);
    if let Some(tag) = tag(after) {
        take(&mut message, tag);
        return message;
    }
    let (hostname, after) = after.split_once(' ').unwrap_or((after, ""));
    message.hostname = some(hostname);
    message.text = some(after);
    if let Some(tag) = tag(after) {
        take(&mut message, tag);
    }
    message
}

fn take<'a>(message: &mut Message<'a>, tag: Tag<'a>) {
    message.appname = Some(tag.appname);
    message.procid = tag.procid;
    message.text = some(tag.rest);
}

fn timestamp(text: &str) -> Option<(When, &str)> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        return rfc3339(word).map(|read| (read.when, rest));
    }
    // Clocks of some routers that are not set right put a star or a point first.
    local(text.trim_start_matches(['*', '.'])).map(|(when, rest)| (When::Local(when), rest))
}

struct Tag<'a> {
    appname: &'a str,
    procid: Option<&'a str>,
    has_colon: bool,
    rest: &'a str,
}

/// `name:`, `name[pid]:` or `name[pid]`, followed by a space or nothing.
fn tag(text: &str) -> Option<Tag<'_>> {
    let end = text.bytes().take(TAG_BYTES_MAX + 1).position(|byte| matches!(byte, b' ' | b'[' | b':'))?;
    let (appname, mut rest) = text.split_at(end);
    if appname.is_empty() {
        return None;
    }
    let mut procid = None;
    if let Some(inside) = rest.strip_prefix('[') {
        let (pid, after) = inside.split_once(']')?;
        if pid.len() > TAG_BYTES_MAX || pid.contains(' ') {
            return None;
        }
        (procid, rest) = (some(pid), after);
    }
    let (has_colon, after) = match rest.strip_prefix(':') {
        Some(after) => (true, after),
        None => (false, rest),
    };
    let is_tag = (has_colon || procid.is_some()) && (after.is_empty() || after.starts_with(' '));
    is_tag.then(|| Tag { appname, procid, has_colon, rest: after.strip_prefix(' ').unwrap_or(after) })
}
