//! What is wrong with a configuration, and where: the path of the option, the line of the text.

use std::fmt;

use serde::de;

use super::document::Node;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value of a key.
    Key(String),
    /// The element of a list, from 0.
    Index(usize),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    message: String,
    /// From the inside to the outside.
    path: Vec<Step>,
    line: Option<usize>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), path: Vec::new(), line: None }
    }

    /// The complaint is about the value of this key.
    #[must_use]
    pub(crate) fn at(mut self, key: &str) -> Self {
        self.path.push(Step::Key(key.to_owned()));
        self
    }

    /// The complaint is about this element of the list of this key.
    #[must_use]
    pub(crate) fn within(mut self, key: &str, index: usize) -> Self {
        self.path.push(Step::Index(index));
        self.at(key)
    }

    #[must_use]
    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.path.push(Step::Index(index));
        self
    }

    /// The line, unless a closer one is known.
    #[must_use]
    pub(super) fn on_line(mut self, line: usize) -> Self {
        self.line.get_or_insert(line);
        self
    }

    /// Looks up the line of the path, as deep as the document goes.
    #[must_use]
    pub(super) fn located(self, document: &Node) -> Self {
        let path: Vec<&Step> = self.path.iter().rev().collect();
        let line = document.line_of(&path);
        self.on_line(line)
    }

    /// The path: `scrape_configs[0].relabel_configs[1]`.
    pub(crate) fn path(&self) -> String {
        show_path(self.path.iter().rev())
    }
}

fn show_path<'a>(steps: impl Iterator<Item = &'a Step>) -> String {
    let mut shown = String::new();
    for step in steps {
        match step {
            Step::Key(key) if shown.is_empty() => shown.push_str(key),
            Step::Key(key) => shown.push_str(&format!(".{key}")),
            Step::Index(index) => shown.push_str(&format!("[{index}]")),
        }
    }
    shown
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Complaint {}

impl de::Error for Complaint {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let known = expected.iter().filter(|known| !known.starts_with('$'));
        let near = known.map(|known| (slips(field, known), *known)).min().filter(|(slips, known)| *slips <= (known.len() / 3).max(2));
        Self::new(match near {
            Some((_, near)) => format!("field {field} not found: did you mean {near}?"),
            None => format!("field {field} not found"),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown value {variant:?}: want one of {}", expected.join(", ")))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("field {field} already set"))
    }
}

/// Characters to insert, drop or change to make one word of the other.
fn slips(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, character) in left.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for at in 0..right.len() {
            let change = diagonal + usize::from(right[at] != character);
            diagonal = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
