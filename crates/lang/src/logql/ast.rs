//! The syntax tree of LogQL, as far as it is spoken.

use signalbox_model::Matcher;

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Log records: a selector of streams and filters of lines.
    Logs(LogExpr),
    /// Arithmetic over constants.
    Vector(VectorExpr),
}

/// `{name="value"} |= "text"`: records of the streams that all matchers match, whose line passes all filters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogExpr {
    /// Matchers of labels.
    pub matchers: Vec<Matcher>,
    /// Filters in the order of the text.
    pub filters: Vec<LineFilter>,
}

/// `|= "a" or "b"`: a filter of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFilter {
    /// How to look.
    pub op: LineOp,
    /// What to look for. A positive filter wants one of them in the line, a negative one none.
    pub alternatives: Vec<String>,
}

/// How a line filter looks at the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Matches,
    /// `!~`
    NotMatches,
}

impl LineOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Matches => "|~",
            Self::NotMatches => "!~",
        }
    }

    /// Whether the filter wants none of its alternatives.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotMatches)
    }

    /// Whether the alternatives are regular expressions.
    pub fn is_regex(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }
}

/// Arithmetic over `vector(1)`: what data sources ask to see whether somebody is at home.
#[derive(Debug, Clone, PartialEq)]
pub enum VectorExpr {
    /// `vector(1)`
    Vector(f64),
    /// Two operands.
    Binary(ArithmeticOp, Box<VectorExpr>, Box<VectorExpr>),
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl ArithmeticOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    /// Higher binds stronger.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => 1,
            Self::Multiply | Self::Divide => 2,
        }
    }
}
