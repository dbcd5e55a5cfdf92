//! The syntax tree of the search language.

/// What a record must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Nothing: every record.
    All,
    /// All of these; at least two.
    And(Vec<Expr>),
    /// One of these; at least two.
    Or(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// A test of a field.
    Clause(Clause),
}

/// A test of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// Name of the field as it was written, escapes resolved; `None` for the fields that words are looked for in.
    pub field: Option<String>,
    /// What its value must be.
    pub test: Test,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Text without quotes and wildcards.
    Word(String),
    /// Text in quotes.
    Phrase(String),
    /// Text with wildcards.
    Pattern(Vec<Piece>),
    /// A regular expression.
    Regex(String),
    /// Any value at all.
    Exists,
    /// Between bounds.
    Range(Range),
}

/// A piece of a text with wildcards. Two texts never follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These characters.
    Text(String),
    /// `*`: any number of characters.
    Any,
    /// `?`: one character.
    One,
}

/// Values between bounds, at least one of which there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The lower bound.
    pub low: Option<Bound>,
    /// The upper bound.
    pub high: Option<Bound>,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The value as it was written, escapes resolved.
    pub value: String,
    /// Whether the value itself is in the range.
    pub is_included: bool,
}

impl Expr {
    /// All of these; one alone is itself, none is every record.
    pub fn all_of(mut exprs: Vec<Self>) -> Self {
        match exprs.len() {
            0 => Self::All,
            1 => exprs.remove(0),
            _ => Self::And(exprs),
        }
    }

    /// One of these; one alone is itself, none is every record.
    pub fn any_of(mut exprs: Vec<Self>) -> Self {
        match exprs.len() {
            0 => Self::All,
            1 => exprs.remove(0),
            _ => Self::Or(exprs),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }
}
