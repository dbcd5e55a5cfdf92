//! Grok: expressions with names for their parts, `%{IP:client.address} %{NUMBER:bytes:int}`.
//!
//! `%{NAME}` stands for a pattern of the library, `%{NAME:field}` keeps what it matches as a field, `%{NAME:field:type}` as
//! `int`, `float`, `bool` or `string`. Groups named in the pattern itself, `(?<field>…)`, are fields too; fields may be written
//! `[log][level]`. Patterns are those of Logstash's library, written anew without look-around, which expressions in linear time
//! do not have; an expression that looks around is refused.

mod library;

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex::Regex;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, Result};

use super::limits::{PATTERN_BYTES_MAX, compile_expanded};

/// Patterns within patterns.
const DEPTH_MAX: usize = 24;
/// Bytes of a pattern with everything filled in.
const EXPANDED_BYTES_MAX: usize = 128 << 10;
/// Fields of one pattern.
const FIELDS_MAX: usize = 128;

/// The patterns that names stand for: the usual ones, and one's own before them.
#[derive(Debug)]
pub struct Library<'d> {
    own: &'d BTreeMap<String, String>,
}

impl<'d> Library<'d> {
    /// The usual library and definitions of one's own, which may be used in one another.
    pub fn with(own: &'d BTreeMap<String, String>) -> Self {
        Self { own }
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str).or_else(|| library::find(name))
    }
}

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Float,
    Bool,
}

/// A pattern, compiled.
#[derive(Debug)]
pub struct Grok {
    regex: Regex,
    /// Fields by the number of their group.
    fields: Vec<(usize, String, Kind)>,
}

impl Grok {
    /// Compiles a pattern that stands at `place` in the configuration.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`]: an unknown name or type, a pattern within itself, too long, or no expression.
    pub fn new(pattern: &str, library: &Library<'_>, place: &str) -> Result<Self> {
        let mut expander = Expander { library, place, out: String::new(), named: Vec::new() };
        expander.expand(pattern, 0)?;
        let Expander { out, named, .. } = expander;
        let regex = compile_expanded(&out, place)?;
        let mut fields = Vec::new();
        for (number, group) in regex.capture_names().enumerate() {
            let Some(group) = group else { continue };
            match named.iter().find(|(own, _, _)| own == group) {
                Some((_, field, kind)) => fields.push((number, field.clone(), *kind)),
                None => fields.push((number, group.to_owned(), Kind::Text)),
            }
        }
        if fields.is_empty() {
            return Err(Error::invalid(format!("{place}: no named field, such as `%{{WORD:name}}`, in {pattern:?}")));
        }
        Ok(Self { regex, fields })
    }

    /// The fields of a text; `None` if it does not match. Of several parts with one name the first that matched counts.
    pub fn fields(&self, text: &str) -> Option<Vec<(String, AttributeValue)>> {
        let captures = self.regex.captures(text)?;
        let mut found: Vec<(String, AttributeValue)> = Vec::with_capacity(self.fields.len());
        for (number, field, kind) in &self.fields {
            let Some(part) = captures.get(*number).filter(|part| !part.is_empty()) else { continue };
            if found.iter().all(|(name, _)| name != field) {
                found.push((field.clone(), kind.read(part.as_str())));
            }
        }
        Some(found)
    }
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::Text,
            "int" | "integer" | "long" => Self::Int,
            "float" | "double" | "number" => Self::Float,
            "bool" | "boolean" => Self::Bool,
            _ => return None,
        })
    }

    /// What does not fit its type stays text.
    fn read(self, text: &str) -> AttributeValue {
        let read = match self {
            Self::Text => None,
            Self::Int => text.parse().ok().map(AttributeValue::Int),
            Self::Float => text.parse().ok().filter(|value: &f64| value.is_finite()).map(AttributeValue::Double),
            Self::Bool => text.to_ascii_lowercase().parse().ok().map(AttributeValue::Bool),
        };
        read.unwrap_or_else(|| AttributeValue::String(text.to_owned()))
    }
}

struct Expander<'l, 'd> {
    library: &'l Library<'d>,
    place: &'l str,
    out: String,
    /// Groups of ours, their fields and types.
    named: Vec<(String, String, Kind)>,
}

impl Expander<'_, '_> {
    fn expand(&mut self, pattern: &str, depth: usize) -> Result<()> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(self.error(format!("a pattern has {} bytes: want at most {PATTERN_BYTES_MAX}", pattern.len())));
        }
        if depth > DEPTH_MAX {
            return Err(self.error(format!("patterns are nested deeper than {DEPTH_MAX}: does one stand within itself?")));
        }
        let pattern = self.without_atomic_groups(pattern)?;
        let mut rest = &*pattern;
        while let Some(start) = rest.find("%{") {
            self.out.push_str(&rest[..start]);
            let end = rest[start..].find('}').ok_or_else(|| self.error(format!("no `}}` after `%{{` in {pattern:?}")))?;
            self.reference(&rest[start + 2..start + end], depth)?;
            rest = &rest[start + end + 1..];
        }
        self.out.push_str(rest);
        if self.out.len() > EXPANDED_BYTES_MAX {
            return Err(self.error(format!("the pattern has more than {EXPANDED_BYTES_MAX} bytes when its parts are filled in")));
        }
        Ok(())
    }

    fn reference(&mut self, reference: &str, depth: usize) -> Result<()> {
        let mut parts = reference.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let inner = self.library.find(name).map(str::to_owned).ok_or_else(|| self.error(format!("no pattern {name:?}")))?;
        match parts.next().filter(|field| !field.is_empty()) {
            None => self.out.push_str("(?:"),
            Some(field) => {
                let word = parts.next().unwrap_or("string");
                let kind = Kind::of(word).ok_or_else(|| self.error(format!("no type {word:?} in `%{{{reference}}}`: want int, float, bool or string")))?;
                if self.named.len() >= FIELDS_MAX {
                    return Err(self.error(format!("more than {FIELDS_MAX} fields")));
                }
                let group = format!("grok_{}", self.named.len());
                self.out.push_str(&format!("(?P<{group}>"));
                self.named.push((group, field_name(field), kind));
            }
        }
        self.expand(&inner, depth + 1)?;
        self.out.push(')');
        Ok(())
    }

    /// In linear time nothing is tried twice: an atomic group is a group.
    fn without_atomic_groups<'p>(&self, pattern: &'p str) -> Result<Cow<'p, str>> {
        for look in ["(?=", "(?!", "(?<=", "(?<!"] {
            if pattern.contains(look) {
                return Err(self.error(format!("`{look}…)` looks around, which is not supported, in {pattern:?}")));
            }
        }
        Ok(if pattern.contains("(?>") { Cow::Owned(pattern.replace("(?>", "(?:")) } else { Cow::Borrowed(pattern) })
    }

    fn error(&self, problem: String) -> Error {
        Error::invalid(format!("{}: {problem}", self.place))
    }
}

/// `[log][level]` is `log.level`.
fn field_name(field: &str) -> String {
    match field.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.replace("][", "."),
        None => field.to_owned(),
    }
}

#[cfg(test)]
mod tests;
