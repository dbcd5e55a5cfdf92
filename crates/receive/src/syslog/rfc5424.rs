//! RFC 5424: `<PRI>VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD] MSG`.

use std::borrow::Cow;

use super::message::{Element, Fault, Message, priority, some};
use super::time::{When, rfc3339};

/// Longest hostname, program, process and kind of message that the RFC allows.
const HOSTNAME_BYTES_MAX: usize = 255;
const APPNAME_BYTES_MAX: usize = 48;
const PROCID_BYTES_MAX: usize = 128;
const MSGID_BYTES_MAX: usize = 32;
/// Longest name in structured data.
const NAME_BYTES_MAX: usize = 32;

type Parsed<T> = Result<T, &'static str>;

/// Reads a message. It never fails: see [`Message::fault`].
pub fn parse(text: &str) -> Message<'_> {
    let Some((pri, after)) = priority(text) else {
        return Message { fault: Some(Fault::Unreadable("want a priority from <0> to <191>")), ..Message::of_text(text) };
    };
    let mut message = Message::of_priority(pri, "");
    let mut reader = Reader { rest: after, harmless: None };
    if let Err(fault) = reader.message(&mut message) {
        message.text = some(reader.rest);
        message.fault = Some(Fault::Unreadable(fault));
    } else {
        message.fault = reader.harmless.map(Fault::Harmless);
    }
    message
}

struct Reader<'a> {
    rest: &'a str,
    harmless: Option<&'static str>,
}

impl<'a> Reader<'a> {
    fn message(&mut self, message: &mut Message<'a>) -> Parsed<()> {
        message.version = self.version()?;
        message.when = self.timestamp()?;
        message.hostname = self.field(HOSTNAME_BYTES_MAX, "want a hostname of at most 255 characters")?;
        message.appname = self.field(APPNAME_BYTES_MAX, "want an app name of at most 48 characters")?;
        message.procid = self.field(PROCID_BYTES_MAX, "want a process id of at most 128 characters")?;
        message.msgid = self.field(MSGID_BYTES_MAX, "want a message id of at most 32 characters")?;
        self.structured(&mut message.elements)?;
        match self.rest.strip_prefix(' ') {
            Some(text) => message.text = some(text),
            None if self.rest.is_empty() => {}
            None => return Err("want a space after structured data"),
        }
        Ok(())
    }

    fn version(&mut self) -> Parsed<u16> {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        let is_version = (1..=3).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit()) && !word.starts_with('0');
        let version = word.parse().ok().filter(|_| is_version).ok_or("want a version from 1 to 999")?;
        self.rest = rest;
        Ok(version)
    }

    /// The next word, which must be followed by a space.
    fn word(&mut self, fault: &'static str) -> Parsed<&'a str> {
        let end = self.rest.bytes().position(|byte| byte <= b' ' || byte == 0x7f).ok_or(fault)?;
        let (word, rest) = self.rest.split_at(end);
        let rest = rest.strip_prefix(' ').ok_or(fault)?;
        if word.is_empty() {
            return Err(fault);
        }
        self.rest = rest;
        Ok(word)
    }

    fn timestamp(&mut self) -> Parsed<Option<When>> {
        const FAULT: &str = "want a timestamp of RFC 3339 with at most six digits behind the point, or -";
        let before = self.rest;
        let word = self.word(FAULT)?;
        if word == "-" {
            return Ok(None);
        }
        let Some(read) = rfc3339(word) else {
            self.rest = before;
            return Err(FAULT);
        };
        if !read.is_strict {
            self.harmless.get_or_insert(FAULT);
        }
        Ok(Some(read.when))
    }

    fn field(&mut self, bytes_max: usize, fault: &'static str) -> Parsed<Option<&'a str>> {
        let word = self.word(fault)?;
        if word.len() > bytes_max || !word.is_ascii() {
            self.harmless.get_or_insert(fault);
        }
        Ok((word != "-").then_some(word))
    }

    fn structured(&mut self, elements: &mut Vec<Element<'a>>) -> Parsed<()> {
        if let Some(rest) = self.rest.strip_prefix('-') {
            self.rest = rest;
            return Ok(());
        }
        if !self.rest.starts_with('[') {
            return Err("want structured data or -");
        }
        let (before, mut read) = (self.rest, Vec::new());
        while let Some(rest) = self.rest.strip_prefix('[') {
            self.rest = rest;
            match self.element() {
                Ok(element) => read.push(element),
                Err(fault) => {
                    // What is half read stays text as a whole.
                    self.rest = before;
                    return Err(fault);
                }
            }
        }
        let has_twins = read.iter().enumerate().any(|(at, element)| read.iter().take(at).any(|other: &Element<'_>| other.id == element.id));
        if has_twins {
            self.harmless.get_or_insert("want each element of structured data once");
        }
        *elements = read;
        Ok(())
    }

    fn element(&mut self) -> Parsed<Element<'a>> {
        let id = self.name("want a name of an element of structured data of at most 32 characters")?;
        let mut params = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                return Ok(Element { id, params });
            }
            self.rest = self.rest.strip_prefix(' ').ok_or("want a space or ] in structured data")?;
            let name = self.name("want a name of a parameter of at most 32 characters")?;
            self.rest = self.rest.strip_prefix("=\"").ok_or("want =\" behind the name of a parameter")?;
            params.push((name, self.value()?));
        }
    }

    fn name(&mut self, fault: &'static str) -> Parsed<&'a str> {
        let end = self.rest.bytes().position(|byte| matches!(byte, b'=' | b']' | b'"') || byte <= b' ' || byte >= 0x7f).ok_or(fault)?;
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(fault);
        }
        if name.len() > NAME_BYTES_MAX {
            self.harmless.get_or_insert(fault);
        }
        self.rest = rest;
        Ok(name)
    }

    /// Up to the closing quote: `\"`, `\\` and `\]` stand for the second character, any other `\` for itself.
    fn value(&mut self) -> Parsed<Cow<'a, str>> {
        const FAULT: &str = "want a value in quotes, with \\ before \", \\ and ]";
        let text = self.rest;
        let (mut plain, mut from, mut at) = (String::new(), 0, 0);
        loop {
            at += text.as_bytes().get(at..).and_then(|rest| rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b']'))).ok_or(FAULT)?;
            match text.as_bytes().get(at..at + 2) {
                Some([b'\\', b'"' | b'\\' | b']']) => {
                    plain.push_str(text.get(from..at).unwrap_or_default());
                    from = at + 1;
                    at += 2;
                }
                Some([b'\\', _]) => {
                    self.harmless.get_or_insert(FAULT);
                    at += 1;
                }
                _ if text.as_bytes().get(at) == Some(&b'"') => break,
                _ => return Err(FAULT),
            }
        }
        let last = text.get(from..at).unwrap_or_default();
        self.rest = text.get(at + 1..).unwrap_or_default();
        if plain.is_empty() && from == 0 {
            return Ok(Cow::Borrowed(last));
        }
        plain.push_str(last);
        Ok(Cow::Owned(plain))
    }
}
