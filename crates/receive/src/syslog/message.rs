//! One message of syslog, as it was written.

use std::borrow::Cow;

use super::time::When;

/// The names of the facilities, by number.
pub const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "security", "console", "clock", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// Facility and severity of a message that tells neither: user, notice (RFC 3164 section 4.3.3).
const PRIORITY_DEFAULT: u8 = 13;
const PRIORITY_MAX: u8 = 191;

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// 0 to 23, see [`FACILITIES`].
    pub facility: u8,
    /// 0 to 7, see [`crate::logs::severity::of_syslog`].
    pub severity: u8,
    /// Version of RFC 5424's format, 0 for RFC 3164.
    pub version: u16,
    /// When it was written.
    pub when: Option<When>,
    /// Name or address of the machine.
    pub hostname: Option<&'a str>,
    /// Program.
    pub appname: Option<&'a str>,
    /// Process, nearly always a number.
    pub procid: Option<&'a str>,
    /// Kind of message.
    pub msgid: Option<&'a str>,
    /// Structured data.
    pub elements: Vec<Element<'a>>,
    /// The text, a byte order mark included; `None` when there is none.
    pub text: Option<&'a str>,
    /// Why the message is not what its RFC asks for. What could be read nevertheless is there; the text is then all that
    /// could not be read.
    pub fault: Option<Fault>,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A rule is broken that costs nothing, such as the length of a name.
    Harmless(&'static str),
    /// From some place on the message could not be read.
    Unreadable(&'static str),
}

/// An element of structured data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its name.
    pub id: &'a str,
    /// Names and values.
    pub params: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Message<'a> {
    /// Reads a message of either format: a version behind the priority makes it RFC 5424.
    pub fn parse(text: &'a str) -> Self {
        let Some((_, rest)) = priority(text) else { return super::rfc3164::parse(text) };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let is_5424 = (1..=3).contains(&digits) && !rest.starts_with('0') && matches!(rest.as_bytes().get(digits), Some(b' '));
        if is_5424 { super::rfc5424::parse(text) } else { super::rfc3164::parse(text) }
    }

    /// A message of which nothing is known but its text.
    pub(super) fn of_text(text: &'a str) -> Self {
        Self::of_priority(PRIORITY_DEFAULT, text)
    }

    pub(super) fn of_priority(priority: u8, text: &'a str) -> Self {
        Self {
            facility: priority >> 3,
            severity: priority & 7,
            version: 0,
            when: None,
            hostname: None,
            appname: None,
            procid: None,
            msgid: None,
            elements: Vec::new(),
            text: some(text),
            fault: None,
        }
    }
}

/// The priority in `<…>` and what follows; `None` if there is none.
pub(super) fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
    let value = digits.parse().ok().filter(|value| is_number && !has_leading_zero && *value <= PRIORITY_MAX)?;
    Some((value, rest))
}

/// `None` for the empty text.
pub(super) fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
