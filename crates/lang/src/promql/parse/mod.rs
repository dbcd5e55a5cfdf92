//! Tokens to syntax tree: precedence climbing with bounds on nesting, height and length.
//!
//! Stops at the first thing that is wrong and words it as Prometheus does. What a token sequence means is decided with
//! one token of look-ahead, so the time is linear.

mod duration;
mod expression;
mod modifier;
mod selector;

use signalbox_model::{Error, Matcher, Result};

use super::ast::{Expr, ExprKind};
use super::check;
use super::failure::{Failure, Parsed};
use super::lex::lex;
use super::limits::{HEIGHT_MAX, NESTING_MAX, QUERY_BYTES_MAX};
use super::token::{Token, TokenKind};
use crate::Span;

/// The checked syntax tree of a query.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] with line, column and the message of Prometheus; also for queries beyond the
/// bounds of [`super::limits`].
pub fn parse(text: &str) -> Result<Expr> {
    let mut parser = Parser::new(text)?;
    parser.query().and_then(|mut expr| check::check(&mut expr, text).map(|_| expr)).map_err(|failure| failure.into_error(text))
}

/// The matchers of a series selector, as in the parameter `match[]`. They may all match the empty text: whether that is
/// too wide is for the caller to say.
///
/// # Errors
/// As [`parse`].
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>> {
    let mut parser = Parser::new(text)?;
    parser.lone_selector().map_err(|failure| failure.into_error(text))
}

/// An expression under construction and the height of its tree.
struct Built {
    expr: Expr,
    height: usize,
}

/// What to say about an unexpected token: where it stands and what would fit.
type Context = (&'static str, &'static str);

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    unreadable: Option<String>,
    at: usize,
    nesting: usize,
    regexes: usize,
    /// The constructs that are open and name themselves in errors; the innermost counts.
    contexts: Vec<Context>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(Error::invalid(format!("cannot parse query of {} bytes: want at most {QUERY_BYTES_MAX}", text.len())));
        }
        let lexed = lex(text);
        Ok(Self { text, tokens: lexed.tokens, unreadable: lexed.failure, at: 0, nesting: 0, regexes: 0, contexts: Vec::new() })
    }

    fn query(&mut self) -> Parsed<Expr> {
        if self.kind() == TokenKind::End {
            return Err(Failure::new(Span::default(), "no expression found in input"));
        }
        let built = self.expression()?;
        if self.kind() != TokenKind::End {
            return Err(self.unexpected());
        }
        Ok(built.expr)
    }

    fn lone_selector(&mut self) -> Parsed<Vec<Matcher>> {
        let selector = self.vector_selector()?;
        if self.kind() != TokenKind::End {
            return Err(self.unexpected());
        }
        match selector.expr.kind {
            ExprKind::VectorSelector(selector) => Ok(selector.matchers),
            _ => Ok(Vec::new()),
        }
    }

    /// The token to be read. The last one repeats: nothing comes after the end.
    fn token(&self) -> Token {
        self.tokens.get(self.at).or(self.tokens.last()).copied().unwrap_or(Token { kind: TokenKind::End, span: Span::default() })
    }

    fn kind(&self) -> TokenKind {
        self.token().kind
    }

    fn next_kind(&self) -> TokenKind {
        self.tokens.get(self.at + 1).map_or(TokenKind::End, |token| token.kind)
    }

    /// Takes the token. Unreadable ones and the end stay.
    fn bump(&mut self) -> Token {
        let token = self.token();
        if !matches!(token.kind, TokenKind::End | TokenKind::Unreadable) {
            self.at += 1;
        }
        token
    }

    /// The place of the token that was taken last.
    fn last_span(&self) -> Span {
        self.at.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(Span::default(), |token| token.span)
    }

    fn accept(&mut self, kind: TokenKind) -> Option<Token> {
        (self.kind() == kind).then(|| self.bump())
    }

    fn expect(&mut self, kind: TokenKind) -> Parsed<Token> {
        self.accept(kind).ok_or_else(|| self.unexpected())
    }

    fn text_of(&self, token: Token) -> &'a str {
        token.span.of(self.text)
    }

    /// Complains about the token, in the words of the innermost open construct.
    fn unexpected(&self) -> Box<Failure> {
        self.unexpected_in(self.contexts.last().copied().unwrap_or(("", "")))
    }

    fn unexpected_in(&self, (place, wanted): Context) -> Box<Failure> {
        let token = self.token();
        if let (TokenKind::Unreadable, Some(message)) = (token.kind, &self.unreadable) {
            return Failure::new(token.span, message.as_str());
        }
        let mut message = format!("unexpected {}", token.describe(self.text));
        if !place.is_empty() {
            message.push_str(" in ");
            message.push_str(place);
        }
        if !wanted.is_empty() {
            message.push_str(", expected ");
            message.push_str(wanted);
        }
        Failure::new(token.span, message)
    }

    /// Runs a part of the grammar that is one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting == NESTING_MAX {
            return Err(Failure::new(self.token().span, format!("expression is nested deeper than {NESTING_MAX} levels")));
        }
        self.nesting += 1;
        let parsed = part(self);
        self.nesting -= 1;
        parsed
    }

    /// Runs a part of the grammar that names itself in errors.
    fn within<T>(&mut self, context: Context, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.contexts.push(context);
        let parsed = part(self);
        self.contexts.pop();
        parsed
    }
}

/// The height of a node above children, proven to be within bounds.
fn height_above(children: impl IntoIterator<Item = usize>, span: Span) -> Parsed<usize> {
    let height = 1 + children.into_iter().max().unwrap_or(0);
    if height > HEIGHT_MAX {
        return Err(Failure::new(span, format!("expression has more than {HEIGHT_MAX} levels of operators")));
    }
    Ok(height)
}
