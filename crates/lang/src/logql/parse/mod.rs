//! Parser of LogQL: recursive descent over tokens, with bounds on length, nesting and number of parts.
//!
//! Words that begin stages and functions are names of labels wherever no doubt arises (`| offset > 5`), though Loki
//! refuses them; `and`, `or` and `unless` never are.

use signalbox_model::{Error, ErrorKind, MatchOp, Matcher, Result};

use super::ast::Expr;
use super::lex::{Token, error_at, tokens};
use super::limits::{ITEMS_MAX, NESTING_MAX, TEXT_BYTES_MAX};
use super::names;
use crate::Span;

mod aggregation;
mod expression;
mod filter;
mod pipeline;
mod range;

/// Parses a query.
///
/// # Errors
/// `TooLarge` beyond [`TEXT_BYTES_MAX`]; `Invalid` with the place for a text that is no LogQL, in the words of Loki.
pub fn parse(text: &str) -> Result<Expr> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, format!("input size too long ({} > {TEXT_BYTES_MAX})", text.len())));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, items: 0 };
    let expr = parser.expr()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => {
            // A stage that only a range can have: what is wrong is the word.
            if parser.is_unwrap() {
                parser.advance();
            }
            Err(parser.unexpected(""))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    items: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    /// The token after the next one.
    fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].0
    }

    fn advance(&mut self) {
        // The last token is the end, and stays.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    /// The next token, if it is a name.
    fn name(&self) -> Option<&'a str> {
        let (token, span) = &self.tokens[self.at];
        (*token == Token::Name).then(|| &self.text[span.start as usize..span.end as usize])
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(next) if *next == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        self.name().is_some_and(|name| name.eq_ignore_ascii_case(word))
    }

    fn accept(&mut self, sign: &str) -> bool {
        let is_next = self.is_sign(sign);
        if is_next {
            self.advance();
        }
        is_next
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is_next = self.is_word(word);
        if is_next {
            self.advance();
        }
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.accept(sign) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    fn error(&self, reason: &str) -> Error {
        self.error_before(self.at, reason)
    }

    /// An error at the place of an earlier token.
    fn error_before(&self, token: usize, reason: &str) -> Error {
        error_at(self.text, self.tokens[token].1.start as usize, reason)
    }

    fn unexpected(&self, want: &str) -> Error {
        let (token, span) = &self.tokens[self.at];
        let written = span.of(self.text);
        let found = match token {
            Token::End => "$end",
            Token::Text(_) => "STRING",
            Token::Number(_) => "NUMBER",
            Token::Duration(_) => "DURATION",
            Token::Bytes(_) => "BYTES",
            Token::Range(_) => "RANGE",
            Token::Flag(_) => "FUNCTION_FLAG",
            Token::Name if is_reserved(written) => written,
            Token::Name => "IDENTIFIER",
            Token::Sign(sign) => sign,
        };
        let shown = if found == "IDENTIFIER" { format!("{found} {written:.60}") } else { found.to_owned() };
        let expecting = if want.is_empty() { String::new() } else { format!(", expecting {want}") };
        self.error(&format!("syntax error: unexpected {shown}{expecting}"))
    }

    /// Goes a level deeper.
    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > NESTING_MAX { Err(self.error(&format!("query nests deeper than {NESTING_MAX}"))) } else { Ok(()) }
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Counts a part of the query.
    fn count(&mut self) -> Result<()> {
        self.items += 1;
        if self.items > ITEMS_MAX { Err(self.error(&format!("query has more than {ITEMS_MAX} parts"))) } else { Ok(()) }
    }

    /// A name of a label.
    fn label(&mut self) -> Result<&'a str> {
        match self.name() {
            Some(name) if !is_operator_word(name) => {
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected("IDENTIFIER")),
        }
    }

    fn string(&mut self) -> Result<String> {
        let Token::Text(text) = &mut self.tokens[self.at].0 else { return Err(self.unexpected("STRING")) };
        let text = std::mem::take(text);
        self.advance();
        Ok(text)
    }

    /// A number with an optional sign.
    fn number(&mut self) -> Result<f64> {
        let is_negative = self.accept("-");
        if !is_negative {
            self.accept("+");
        }
        let Token::Number(value) = *self.peek() else { return Err(self.unexpected("NUMBER")) };
        self.advance();
        Ok(if is_negative { -value } else { value })
    }

    /// A matcher, its name read before.
    fn matcher(&mut self, label: &str) -> Result<Matcher> {
        let Some(op) = self.match_op() else { return Err(self.unexpected("= or != or =~ or !~")) };
        self.advance();
        let place = self.at;
        let value = self.string()?;
        Matcher::new(label, op, value).map_err(|error| self.error_before(place, error.message()))
    }

    fn match_op(&self) -> Option<MatchOp> {
        match self.peek() {
            Token::Sign("=") => Some(MatchOp::Equal),
            Token::Sign("!=") => Some(MatchOp::NotEqual),
            Token::Sign("=~") => Some(MatchOp::Regex),
            Token::Sign("!~") => Some(MatchOp::NotRegex),
            _ => None,
        }
    }

    /// `a, b, c` until what closes them; each read by `item`.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        loop {
            self.count()?;
            items.push(item(self)?);
            if !self.accept(",") {
                return Ok(items);
            }
        }
    }

    /// `(a, b)`, also without anything in the parentheses.
    fn labels(&mut self) -> Result<Vec<String>> {
        self.expect("(")?;
        if self.accept(")") {
            return Ok(Vec::new());
        }
        let labels = self.list(|parser| parser.label().map(str::to_owned))?;
        self.expect(")")?;
        Ok(labels)
    }
}

/// Operators that are words.
fn is_operator_word(name: &str) -> bool {
    ["and", "or", "unless"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Words of the grammar, as errors tell them from names of labels.
fn is_reserved(name: &str) -> bool {
    const WORDS: [&str; 22] = [
        "by",
        "without",
        "bool",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "offset",
        "unwrap",
        "json",
        "logfmt",
        "regexp",
        "pattern",
        "unpack",
        "label_format",
        "line_format",
        "decolorize",
        "drop",
        "keep",
        "label_replace",
        "ip",
        "vector",
    ];
    is_operator_word(name) || WORDS.iter().any(|word| name.eq_ignore_ascii_case(word)) || names::is_function(name)
}
