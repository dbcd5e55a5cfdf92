//! Series selectors: a name, matchers in braces, or both.

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{MatchOp, Matcher};

use super::{Built, Parser};
use crate::Span;
use crate::promql::ast::{BinaryOp, Expr, ExprKind, RangeEdges, VectorSelector};
use crate::promql::duration_expr::DurationValue;
use crate::promql::failure::{Failure, Parsed};
use crate::promql::limits::REGEXES_MAX;
use crate::promql::token::{Keyword, TokenKind};

const MATCHING: &str = "label matching";

impl Parser<'_> {
    pub(super) fn vector_selector(&mut self) -> Parsed<Built> {
        let mut span = self.token().span;
        let name = if is_metric_name(self.kind()) {
            let token = self.bump();
            Some(self.text_of(token).to_owned())
        } else if self.kind() == TokenKind::LeftBrace {
            None
        } else {
            return Err(self.unexpected());
        };
        let mut matchers = Vec::new();
        if self.kind() == TokenKind::LeftBrace {
            let close = self.matchers(&mut matchers)?;
            span = span.to(close);
        }
        if let Some(name) = &name {
            matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
        }
        let selector = VectorSelector { name, matchers, offset: DurationValue::ZERO, at: None, edges: RangeEdges::Plain };
        Ok(Built { expr: Expr { kind: ExprKind::VectorSelector(selector), span }, height: 1 })
    }

    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Parsed<Span> {
        self.bump();
        if let Some(close) = self.accept(TokenKind::RightBrace) {
            return Ok(close.span);
        }
        loop {
            matchers.push(self.matcher()?);
            if self.kind() != TokenKind::RightBrace && self.accept(TokenKind::Comma).is_none() {
                return Err(self.unexpected_in((MATCHING, "\",\" or \"}\"")));
            }
            if let Some(close) = self.accept(TokenKind::RightBrace) {
                return Ok(close.span);
            }
        }
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let label = self.token();
        let (name, is_quoted) = match label.kind {
            TokenKind::Identifier => (self.text_of(label).to_owned(), false),
            TokenKind::String => (self.unquote(label.span)?, true),
            _ => return Err(self.unexpected_in((MATCHING, "identifier or \"}\""))),
        };
        self.bump();
        let op = match self.kind() {
            TokenKind::Assign => MatchOp::Equal,
            TokenKind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            TokenKind::MatchesRegex => MatchOp::Regex,
            TokenKind::MatchesNotRegex => MatchOp::NotRegex,
            // A quoted text alone is the metric name.
            _ if is_quoted => return Ok(Matcher::equal(METRIC_NAME, name)),
            _ => return Err(self.unexpected_in((MATCHING, "label matching operator"))),
        };
        self.bump();
        if self.kind() != TokenKind::String {
            return Err(self.unexpected_in((MATCHING, "string")));
        }
        let value = self.bump();
        let text = self.unquote(value.span)?;
        if matches!(op, MatchOp::Regex | MatchOp::NotRegex) {
            self.regexes += 1;
            if self.regexes > REGEXES_MAX {
                return Err(Failure::new(label.span, format!("query has more than {REGEXES_MAX} regular expressions")));
            }
        }
        Matcher::new(name, op, text).map_err(|error| Failure::new(label.span.to(value.span), error.message()))
    }

    /// Labels in parentheses after `by`, `on` and their kind.
    pub(super) fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const PLACE: &str = "grouping opts";
        if self.accept(TokenKind::LeftParen).is_none() {
            return Err(self.unexpected_in((PLACE, "\"(\"")));
        }
        let mut labels = Vec::new();
        while self.accept(TokenKind::RightParen).is_none() {
            let token = self.token();
            let label = match token.kind {
                TokenKind::String => self.unquote(token.span)?,
                _ if is_word(self.text_of(token), token.kind) => self.text_of(token).to_owned(),
                _ => return Err(self.unexpected_in((PLACE, "label"))),
            };
            if label.is_empty() {
                return Err(Failure::new(token.span, "invalid label name for grouping: \"\""));
            }
            self.bump();
            labels.push(label);
            if self.kind() != TokenKind::RightParen && self.accept(TokenKind::Comma).is_none() {
                return Err(self.unexpected_in((PLACE, "\",\" or \")\"")));
            }
        }
        Ok(labels)
    }
}

/// Whether a token can be a metric name where an operand is due. Words that only make sense after an operator cannot.
pub(super) fn is_metric_name(kind: TokenKind) -> bool {
    match kind {
        TokenKind::Identifier | TokenKind::MetricIdentifier | TokenKind::Aggregate(_) => true,
        TokenKind::Operator(op) => op.is_set(),
        TokenKind::Keyword(keyword) => !matches!(keyword, Keyword::Bool | Keyword::On | Keyword::Ignoring | Keyword::GroupLeft | Keyword::GroupRight),
        _ => false,
    }
}

/// Whether a token can be a label: every word, keyword or not.
fn is_word(text: &str, kind: TokenKind) -> bool {
    match kind {
        TokenKind::Identifier | TokenKind::MetricIdentifier | TokenKind::Aggregate(_) | TokenKind::Keyword(_) => true,
        TokenKind::Operator(_) | TokenKind::Number => text.starts_with(|first: char| first.is_ascii_alphabetic()),
        _ => false,
    }
}
