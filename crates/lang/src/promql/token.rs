//! Tokens of PromQL and how error messages name them.

use super::ast::{AggregateOp, BinaryOp};
use crate::Span;
use crate::text::quote;

/// A token and its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// What a token is. Words are keywords wherever they stand; the parser lets most of them be names again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// The end of the text.
    End,
    /// What the lexer could not read: its message is in [`super::lex::Lexed::failure`].
    Unreadable,
    /// A name without a colon.
    Identifier,
    /// A name with a colon.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftBrace,
    RightBrace,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Assign,
    /// `=~`
    MatchesRegex,
    /// `!~`
    MatchesNotRegex,
    At,
    Operator(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

/// Words with a meaning besides operators and aggregations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Offset,
    Smoothed,
    Anchored,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

impl Keyword {
    /// Whether it is also a function: `step()`. Only those have no `<…>` around them in error messages.
    pub(super) fn is_function(self) -> bool {
        matches!(self, Self::Start | Self::End | Self::Step | Self::Range | Self::MaxOf | Self::MinOf)
    }
}

/// The kind of a word. Keywords are recognised in any case, as in SQL.
pub(super) fn word(text: &str) -> TokenKind {
    let plain = if text.contains(':') { TokenKind::MetricIdentifier } else { TokenKind::Identifier };
    // No keyword is longer than this; longer words need no copy in lower case.
    if text.len() > "count_values".len() {
        return plain;
    }
    let lower = text.to_ascii_lowercase();
    if let Some(op) = AggregateOp::ALL.into_iter().find(|op| op.as_str() == lower) {
        return TokenKind::Aggregate(op);
    }
    let keyword = match lower.as_str() {
        "and" => return TokenKind::Operator(BinaryOp::And),
        "or" => return TokenKind::Operator(BinaryOp::Or),
        "unless" => return TokenKind::Operator(BinaryOp::Unless),
        "atan2" => return TokenKind::Operator(BinaryOp::Atan2),
        "inf" | "nan" => return TokenKind::Number,
        "offset" => Keyword::Offset,
        "smoothed" => Keyword::Smoothed,
        "anchored" => Keyword::Anchored,
        "by" => Keyword::By,
        "without" => Keyword::Without,
        "on" => Keyword::On,
        "ignoring" => Keyword::Ignoring,
        "group_left" => Keyword::GroupLeft,
        "group_right" => Keyword::GroupRight,
        "fill" => Keyword::Fill,
        "fill_left" => Keyword::FillLeft,
        "fill_right" => Keyword::FillRight,
        "bool" => Keyword::Bool,
        "start" => Keyword::Start,
        "end" => Keyword::End,
        "step" => Keyword::Step,
        "range" => Keyword::Range,
        "max_of" => Keyword::MaxOf,
        "min_of" => Keyword::MinOf,
        _ => return plain,
    };
    TokenKind::Keyword(keyword)
}

impl Token {
    /// The token as an error message of Prometheus names it: `identifier "foo"`, `<op:+>`, `")"`.
    pub(super) fn describe(self, source: &str) -> String {
        let text = self.span.of(source);
        match self.kind {
            TokenKind::End => "end of input".into(),
            TokenKind::Unreadable => "error".into(),
            TokenKind::Identifier => format!("identifier {}", quote(text)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            TokenKind::Number => format!("number {}", shortened(text)),
            TokenKind::Duration => format!("duration {}", shortened(text)),
            TokenKind::String => format!("string {}", shortened(text)),
            TokenKind::Operator(_) | TokenKind::MatchesRegex | TokenKind::MatchesNotRegex | TokenKind::At => format!("<op:{text}>"),
            TokenKind::Aggregate(_) => format!("<aggr:{text}>"),
            TokenKind::Keyword(keyword) if !keyword.is_function() => format!("<{text}>"),
            _ => quote(text),
        }
    }
}

/// Long values are cut after ten characters.
fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let start: String = text.chars().take(10).collect();
    format!("{}...", quote(&start))
}
