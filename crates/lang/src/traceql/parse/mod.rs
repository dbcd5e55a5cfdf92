//! Parser of TraceQL: recursive descent with precedence climbing over tokens, never looking back.
//!
//! What is no TraceQL ends the parse at once. What is TraceQL and cannot hold, or is refused by Tempo too, is noted, the first
//! of it, and answered when the whole text has been read.

use signalbox_model::Result;

use super::{
    check::{Checked, Type, Typed},
    failure::{Class, Failure},
    lex::{Token, tokens},
    tree::{CompareOp, Query},
};
use crate::Span;

mod field;
mod number;
mod series;
mod set;

/// Bytes of one query.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Depth of parentheses, braces and signs: each level is a few stack frames of the parser, which must fit a stack of 2 MiB in
/// a debug build.
pub const NESTING_MAX: usize = 64;
/// Operators and stages of one query, which bound the height of its tree: everything that walks it recurses this deep.
pub const NODES_MAX: usize = 2_000;
/// Regular expressions of one query: compiled they may take a megabyte and milliseconds each.
pub const REGEXES_MAX: usize = 200;
/// Labels of one `by (…)`. Tempo takes five.
pub const BY_MAX: usize = 16;
/// Values of each attribute that `compare` answers at most.
pub const COMPARE_TOP_MAX: u32 = 1_000;

type Parsed<T> = Result<T, Box<Failure>>;

/// Parses and checks a query.
///
/// # Errors
/// As [`parse_classified`], as an error of the kind `Invalid` or `TooLarge`.
pub fn parse_query(text: &str) -> Result<Query> {
    parse_classified(text).map_err(Failure::into_error)
}

/// Parses and checks a query, and says what sort of fault it has.
///
/// # Errors
/// The first fault, by class: [`Class::Syntax`], else [`Class::Invalid`] or [`Class::Unsupported`]; [`Class::TooLarge`]
/// beyond the bounds of this module.
pub fn parse_classified(text: &str) -> Result<Query, Failure> {
    parse(text).map_err(|failure| *failure)
}

fn parse(text: &str) -> Parsed<Query> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Failure::new(Class::TooLarge, "", Span::new(0, 0), format!("query has {} bytes: want at most {TEXT_BYTES_MAX}", text.len())));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, nodes: 0, regexes: 0, problem: None };
    let query = parser.query()?;
    parser.problem.map_or(Ok(query), Err)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token<'a>, Span)>,
    at: usize,
    depth: usize,
    nodes: usize,
    regexes: usize,
    /// The first thing that is TraceQL and cannot hold.
    problem: Option<Box<Failure>>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    fn next(&mut self) {
        // The last token is the end, and stays.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(next) if *next == sign)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let is_next = self.is_sign(sign);
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.accept(sign) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Word(next) if *next == word);
        if is_next {
            self.next();
        }
        is_next
    }

    fn unexpected(&self, want: &str) -> Box<Failure> {
        let found = match self.peek() {
            Token::End => "end of query".to_owned(),
            _ => format!("{:?}", self.span().of(self.text)),
        };
        Failure::new(Class::Syntax, self.text, self.span(), format!("syntax error: unexpected {found}, want {want}"))
    }

    fn syntax(&self, span: Span, reason: impl Into<String>) -> Box<Failure> {
        Failure::new(Class::Syntax, self.text, span, format!("syntax error: {}", reason.into()))
    }

    /// Notes what is wrong with a part of the query that could be read.
    fn note(&mut self, class: Class, span: Span, message: impl Into<String>) {
        if self.problem.is_none() {
            self.problem = Some(Failure::new(class, self.text, span, message));
        }
    }

    fn unsupported(&mut self, span: Span, what: &str) {
        self.note(Class::Unsupported, span, format!("{what} not yet supported"));
    }

    /// Takes an expression and notes its fault. After the first fault types are no longer of interest.
    fn checked(&mut self, (typed, fault): Checked, span: Span) -> Typed {
        if let Some(fault) = fault {
            self.note(Class::Invalid, span, fault);
        }
        if self.problem.is_some() { Typed { kind: Type::Any, ..typed } } else { typed }
    }

    fn node(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Failure::new(Class::TooLarge, self.text, self.span(), format!("query has more than {NODES_MAX} operators and stages")));
        }
        Ok(())
    }

    fn regex(&mut self) -> Parsed<()> {
        self.regexes += 1;
        if self.regexes > REGEXES_MAX {
            return Err(Failure::new(Class::TooLarge, self.text, self.span(), format!("query has more than {REGEXES_MAX} regular expressions")));
        }
        Ok(())
    }

    /// Runs a part of the grammar that may contain itself, one level deeper.
    fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(Failure::new(Class::TooLarge, self.text, self.span(), format!("query nests deeper than {NESTING_MAX}")));
        }
        let parsed = part(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn compare_op(&self) -> Option<CompareOp> {
        let Token::Sign(sign) = self.peek() else { return None };
        Some(match *sign {
            "=" => CompareOp::Equal,
            "!=" => CompareOp::NotEqual,
            ">" => CompareOp::Greater,
            ">=" => CompareOp::GreaterEqual,
            "<" => CompareOp::Less,
            "<=" => CompareOp::LessEqual,
            "=~" => CompareOp::Regex,
            "!~" => CompareOp::NotRegex,
            _ => return None,
        })
    }

    /// A whole number that is written, without a sign.
    fn integer(&mut self) -> Parsed<i64> {
        match *self.peek() {
            Token::Int(value) => {
                self.next();
                Ok(value)
            }
            _ => Err(self.unexpected("an integer")),
        }
    }
}
