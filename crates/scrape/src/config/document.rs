//! A YAML document as a tree that knows its lines. Aliases and merge keys are resolved, repeated keys refused.
//!
//! Scalars stay text: what a text means depends on what is read into, as in Go. `bearer_token: 1234` is a text of four digits.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::complaint::{Complaint, Step};

/// Bytes of one configuration.
pub(crate) const BYTES_MAX: usize = 16 << 20;
/// Nodes of one document, those that aliases repeat counted again.
const NODES_MAX: usize = 1_000_000;
/// Lists and maps inside one another.
const DEPTH_MAX: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text; `is_plain` if it stands without quotes, so that it may mean a number or a truth.
    Scalar { text: String, is_plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map in order, each key once.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What a complaint calls the value.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The line of what a path leads to, or of the last step that exists.
    pub(super) fn line_of(&self, path: &[&Step]) -> usize {
        let Some((step, rest)) = path.split_first() else { return self.line };
        match (step, &self.value) {
            (Step::Key(key), Value::Map(entries)) => {
                let entry = entries.iter().find(|(candidate, _)| candidate.text() == Some(key));
                // The key, not its value: a map starts a line below its key.
                entry.map_or(self.line, |(key, value)| if rest.is_empty() { key.line } else { value.line_of(rest) })
            }
            (Step::Index(index), Value::List(elements)) => elements.get(*index).map_or(self.line, |element| element.line_of(rest)),
            _ => self.line,
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(elements) => elements.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum(),
            _ => 0,
        }
    }
}

/// Reads the first document of a text; an empty text is null.
pub(crate) fn read(text: &str) -> Result<Node, Complaint> {
    if text.len() > BYTES_MAX {
        return Err(Complaint::new(format!("found {} bytes: want at most {BYTES_MAX}", text.len())));
    }
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: Vec::new(), nodes: 0 };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(Node { line: 1, value: Value::Null }),
            event => return reader.node(event, span, 0),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// What aliases repeat, by the number of the anchor.
    anchors: Vec<(usize, Node)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Complaint> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Complaint::new(error.info().to_owned()).on_line(error.marker().line())),
            None => Err(Complaint::new("the document ends too soon")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Complaint> {
        let line = span.start.line();
        let complain = |message: String| Complaint::new(message).on_line(line);
        if depth > DEPTH_MAX {
            return Err(complain(format!("found more than {DEPTH_MAX} lists and maps inside one another")));
        }
        self.count(1, line)?;
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let known = self.anchors.iter().find(|(known, _)| *known == anchor).map(|(_, node)| node.clone());
                let known = known.ok_or_else(|| complain("alias repeats what is not complete".to_owned()))?;
                self.count(known.size(), line)?;
                return Ok(known);
            }
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(text.into_owned(), style, tag.as_deref()).map_err(complain)?),
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            _ => return Err(complain("the document ends too soon".to_owned())),
        };
        let node = Node { line, value };
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
            self.count(node.size(), line)?;
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Complaint> {
        let mut elements = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(elements)),
                (event, span) => elements.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Complaint> {
        let (mut entries, mut merged, mut known) = (Vec::new(), Vec::new(), HashSet::new());
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => break,
                (event, span) => self.node(event, span, depth + 1)?,
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Some(name) = key.text() else {
                return Err(Complaint::new(format!("found {} as a key: want a text", key.kind())).on_line(key.line));
            };
            if matches!(&key.value, Value::Scalar { text, is_plain: true } if text == "<<") {
                merged.push(value);
                continue;
            }
            if !known.insert(name.to_owned()) {
                return Err(Complaint::new(format!("field {name} already set")).on_line(key.line));
            }
            entries.push((key, value));
        }
        for base in merged {
            self.merge(&mut entries, &mut known, base)?;
        }
        Ok(Value::Map(entries))
    }

    /// The merge key: what is not set here is taken from there.
    fn merge(&mut self, entries: &mut Vec<(Node, Node)>, known: &mut HashSet<String>, base: Node) -> Result<(), Complaint> {
        match base.value {
            Value::Map(more) => {
                entries.extend(more.into_iter().filter(|(key, _)| key.text().is_some_and(|name| known.insert(name.to_owned()))));
                Ok(())
            }
            // Elements that are lists again are refused, so this goes one level down.
            Value::List(bases) if bases.iter().all(|base| matches!(base.value, Value::Map(_))) => {
                bases.into_iter().try_for_each(|base| self.merge(entries, known, base))
            }
            _ => Err(Complaint::new("map merge requires map or sequence of maps as the value").on_line(base.line)),
        }
    }

    fn count(&mut self, more: usize, line: usize) -> Result<(), Complaint> {
        self.nodes += more;
        if self.nodes > NODES_MAX {
            return Err(Complaint::new(format!("found more than {NODES_MAX} values")).on_line(line));
        }
        Ok(())
    }
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let is_plain = style == ScalarStyle::Plain;
    match tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str()) {
        Some("binary") => {
            let compact: String = text.split_whitespace().collect();
            let bytes = STANDARD.decode(compact).map_err(|_| "!!binary value contains invalid base64 data")?;
            let text = String::from_utf8(bytes).map_err(|error| format!("{:?} is not valid UTF-8", Bytes(error.as_bytes())))?;
            Ok(Value::Scalar { text, is_plain: false })
        }
        Some("str") => Ok(Value::Scalar { text, is_plain: false }),
        Some("null") => Ok(Value::Null),
        None if is_plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") => Ok(Value::Null),
        _ => Ok(Value::Scalar { text, is_plain }),
    }
}

/// Bytes as Go quotes them.
struct Bytes<'a>(&'a [u8]);

impl std::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
