//! Durations in brackets and after `offset`: literals and arithmetic.

use super::{Parser, height_above};
use crate::Span;
use crate::promql::ast::{BinaryOp, NumberLiteral};
use crate::promql::duration_expr::{DurationExpr, DurationKind, DurationOp, DurationValue, SECONDS_MAX};
use crate::promql::failure::{Failure, Parsed};
use crate::promql::token::{Keyword, TokenKind};

/// A duration under construction and the height of its tree.
struct Built {
    expr: DurationExpr,
    height: usize,
}

impl Built {
    fn leaf(kind: DurationKind, span: Span) -> Self {
        Self { expr: DurationExpr { kind, span }, height: 1 }
    }
}

/// How tight operators bind, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Sum,
    Product,
    Power,
}

fn operator(kind: TokenKind) -> Option<(DurationOp, Precedence)> {
    match kind {
        TokenKind::Operator(BinaryOp::Add) => Some((DurationOp::Add, Precedence::Sum)),
        TokenKind::Operator(BinaryOp::Sub) => Some((DurationOp::Sub, Precedence::Sum)),
        TokenKind::Operator(BinaryOp::Mul) => Some((DurationOp::Mul, Precedence::Product)),
        TokenKind::Operator(BinaryOp::Div) => Some((DurationOp::Div, Precedence::Product)),
        TokenKind::Operator(BinaryOp::Mod) => Some((DurationOp::Mod, Precedence::Product)),
        TokenKind::Operator(BinaryOp::Pow) => Some((DurationOp::Pow, Precedence::Power)),
        _ => None,
    }
}

impl Parser<'_> {
    /// A range or step: a literal must be greater than zero.
    pub(super) fn positive_duration(&mut self) -> Parsed<DurationValue> {
        let expr = self.duration(Precedence::Sum)?.expr;
        let span = expr.span;
        match value(expr) {
            DurationValue::Literal(milliseconds) if milliseconds <= 0 => Err(Failure::new(span, "duration must be greater than 0")),
            value => Ok(value),
        }
    }

    /// After `offset` operators belong to the expression around it: `a offset 5m - 8` is `(a offset 5m) - 8`, and
    /// arithmetic needs parentheses, as Prometheus documents it. (Its grammar goes on after `offset (5m)`, which makes
    /// `a offset (5m) - b` an error there.)
    pub(super) fn offset_duration(&mut self) -> Parsed<DurationValue> {
        Ok(value(self.signed_primary()?.expr))
    }

    /// A duration without operators but signs.
    fn signed_primary(&mut self) -> Parsed<Built> {
        match self.kind() {
            TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => {
                let sign = self.bump();
                let operand = self.nested(Self::signed_primary)?;
                signed(operand, sign.kind == TokenKind::Operator(BinaryOp::Sub), sign.span)
            }
            _ => self.duration_primary(),
        }
    }

    fn duration(&mut self, loosest: Precedence) -> Parsed<Built> {
        let mut lhs = self.nested(Self::duration_operand)?;
        while let Some((op, precedence)) = operator(self.kind()).filter(|(_, precedence)| *precedence >= loosest) {
            let sign = self.bump();
            let tighter = if precedence == Precedence::Sum { Precedence::Product } else { Precedence::Power };
            let rhs = self.nested(|parser| parser.duration(tighter))?;
            if matches!(rhs.expr.kind, DurationKind::Number { seconds: 0.0, .. }) {
                match op {
                    DurationOp::Div => return Err(Failure::new(sign.span, "division by zero")),
                    DurationOp::Mod => return Err(Failure::new(sign.span, "modulo by zero")),
                    _ => {}
                }
            }
            lhs = binary(op, lhs, rhs, None)?;
        }
        Ok(lhs)
    }

    fn duration_operand(&mut self) -> Parsed<Built> {
        match self.kind() {
            TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => {
                let sign = self.bump();
                // A sign binds like a product: `-2 ^ 2` is `-(2 ^ 2)`.
                let operand = self.duration(Precedence::Power)?;
                signed(operand, sign.kind == TokenKind::Operator(BinaryOp::Sub), sign.span)
            }
            _ => self.duration_primary(),
        }
    }

    fn duration_primary(&mut self) -> Parsed<Built> {
        match self.kind() {
            TokenKind::Number | TokenKind::Duration => {
                let (NumberLiteral { value: seconds, is_duration }, span) = self.number_or_duration()?;
                in_range(seconds, span)?;
                Ok(Built::leaf(DurationKind::Number { seconds, is_duration }, span))
            }
            TokenKind::LeftParen => self.duration_paren(),
            TokenKind::Keyword(Keyword::Step) => self.duration_constant(DurationKind::Step),
            TokenKind::Keyword(Keyword::Range) => self.duration_constant(DurationKind::Range),
            TokenKind::Keyword(Keyword::MinOf) => self.duration_choice(DurationOp::MinOf),
            TokenKind::Keyword(Keyword::MaxOf) => self.duration_choice(DurationOp::MaxOf),
            _ => Err(self.unexpected()),
        }
    }

    fn duration_paren(&mut self) -> Parsed<Built> {
        let open = self.bump();
        let inner = self.duration(Precedence::Sum)?;
        let close = self.expect(TokenKind::RightParen)?;
        let span = open.span.to(close.span);
        // Parentheses around parentheses mean nothing and would only make the tree higher.
        if matches!(inner.expr.kind, DurationKind::Paren(_)) {
            return Ok(Built { expr: DurationExpr { kind: inner.expr.kind, span }, height: inner.height });
        }
        let height = height_above([inner.height], span)?;
        Ok(Built { expr: DurationExpr { kind: DurationKind::Paren(Box::new(inner.expr)), span }, height })
    }

    fn duration_constant(&mut self, kind: DurationKind) -> Parsed<Built> {
        let name = self.bump();
        self.expect(TokenKind::LeftParen)?;
        let close = self.expect(TokenKind::RightParen)?;
        Ok(Built::leaf(kind, name.span.to(close.span)))
    }

    fn duration_choice(&mut self, op: DurationOp) -> Parsed<Built> {
        let name = self.bump();
        self.expect(TokenKind::LeftParen)?;
        let lhs = self.duration(Precedence::Sum)?;
        self.expect(TokenKind::Comma)?;
        let rhs = self.duration(Precedence::Sum)?;
        let close = self.expect(TokenKind::RightParen)?;
        binary(op, lhs, rhs, Some(name.span.to(close.span)))
    }
}

fn binary(op: DurationOp, lhs: Built, rhs: Built, span: Option<Span>) -> Parsed<Built> {
    let span = span.unwrap_or(lhs.expr.span.to(rhs.expr.span));
    let height = height_above([lhs.height, rhs.height], span)?;
    let kind = DurationKind::Binary { op, lhs: Box::new(lhs.expr), rhs: Box::new(rhs.expr) };
    Ok(Built { expr: DurationExpr { kind, span }, height })
}

/// A sign before a duration: folded into a literal, dropped if it is `+`.
fn signed(operand: Built, is_negative: bool, sign: Span) -> Parsed<Built> {
    let span = sign.to(operand.expr.span);
    if let DurationKind::Number { seconds, is_duration } = operand.expr.kind {
        let seconds = if is_negative { -seconds } else { seconds };
        return Ok(Built::leaf(DurationKind::Number { seconds, is_duration }, span));
    }
    if !is_negative {
        return Ok(operand);
    }
    let height = height_above([operand.height], span)?;
    Ok(Built { expr: DurationExpr { kind: DurationKind::Negated(Box::new(operand.expr)), span }, height })
}

fn in_range(seconds: f64, span: Span) -> Parsed<()> {
    // NaN is in no range.
    if seconds.abs() <= SECONDS_MAX { Ok(()) } else { Err(Failure::new(span, "duration out of range")) }
}

/// Literals become milliseconds at once, rounded to nanoseconds first as in Prometheus.
fn value(expr: DurationExpr) -> DurationValue {
    match expr.kind {
        DurationKind::Number { seconds, .. } => DurationValue::Literal((seconds * 1e9).round() as i64 / 1_000_000),
        _ => DurationValue::Expression(Box::new(expr)),
    }
}
