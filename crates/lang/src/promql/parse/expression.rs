//! Operators, parentheses, calls, aggregations and literals.

use super::selector::is_metric_name;
use super::{Built, Parser, height_above};
use crate::Span;
use crate::promql::ast::{Aggregate, AggregateOp, Binary, BinaryOp, Call, Expr, ExprKind, NumberLiteral, StringLiteral, Unary, UnaryOp};
use crate::promql::failure::{Failure, Parsed};
use crate::promql::functions::Function;
use crate::promql::number;
use crate::promql::token::{Keyword, TokenKind};
use crate::text::{quote, read_quoted};

/// How tight operators bind, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Power,
}

impl Precedence {
    fn of(op: BinaryOp) -> Self {
        match op {
            BinaryOp::Or => Self::Or,
            BinaryOp::And | BinaryOp::Unless => Self::And,
            BinaryOp::Add | BinaryOp::Sub => Self::Sum,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => Self::Product,
            BinaryOp::Pow => Self::Power,
            _ => Self::Comparison,
        }
    }

    /// How tight the operators of the right operand must bind: all associate to the left but `^`.
    fn of_right_operand(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Comparison,
            Self::Comparison => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product | Self::Power => Self::Power,
        }
    }
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Built> {
        self.binary(Precedence::Or)
    }

    fn binary(&mut self, loosest: Precedence) -> Parsed<Built> {
        let mut lhs = self.nested(Self::operand)?;
        while let TokenKind::Operator(op) = self.kind() {
            let precedence = Precedence::of(op);
            if precedence < loosest {
                break;
            }
            self.bump();
            lhs = self.binary_rest(lhs, op, precedence)?;
        }
        Ok(lhs)
    }

    fn binary_rest(&mut self, lhs: Built, op: BinaryOp, precedence: Precedence) -> Parsed<Built> {
        let (return_bool, matching) = self.binary_modifiers()?;
        // Chains of `^` recurse to the right: they count as nesting.
        let rhs = self.nested(|parser| parser.binary(precedence.of_right_operand()))?;
        let span = lhs.expr.span.to(rhs.expr.span);
        let height = height_above([lhs.height, rhs.height], span)?;
        let binary = Binary { op, lhs: Box::new(lhs.expr), rhs: Box::new(rhs.expr), matching: Some(matching), return_bool };
        Ok(Built { expr: Expr { kind: ExprKind::Binary(binary), span }, height })
    }

    fn operand(&mut self) -> Parsed<Built> {
        match self.kind() {
            TokenKind::Operator(BinaryOp::Add) => self.unary(UnaryOp::Plus),
            TokenKind::Operator(BinaryOp::Sub) => self.unary(UnaryOp::Minus),
            _ => {
                let primary = self.primary()?;
                self.modifiers(primary)
            }
        }
    }

    /// A sign binds like a product: `-a ^ 2` is `-(a ^ 2)`.
    fn unary(&mut self, op: UnaryOp) -> Parsed<Built> {
        let sign = self.bump();
        let operand = self.binary(Precedence::Power)?;
        let span = sign.span.to(operand.expr.span);
        if let ExprKind::Number(number) = operand.expr.kind {
            let value = if op == UnaryOp::Minus { -number.value } else { number.value };
            return Ok(Built { expr: Expr { kind: ExprKind::Number(NumberLiteral { value, ..number }), span }, height: 1 });
        }
        let height = height_above([operand.height], span)?;
        Ok(Built { expr: Expr { kind: ExprKind::Unary(Unary { op, expr: Box::new(operand.expr) }), span }, height })
    }

    fn primary(&mut self) -> Parsed<Built> {
        let is_called = self.next_kind() == TokenKind::LeftParen;
        match self.kind() {
            TokenKind::Number | TokenKind::Duration => {
                let (number, span) = self.number_or_duration()?;
                Ok(Built { expr: Expr { kind: ExprKind::Number(number), span }, height: 1 })
            }
            TokenKind::String => self.string(),
            TokenKind::LeftParen => self.paren(),
            TokenKind::Identifier if is_called => self.call(),
            TokenKind::Keyword(keyword) if is_called && keyword.is_function() => self.call(),
            TokenKind::Aggregate(op) if is_called || matches!(self.next_kind(), TokenKind::Keyword(Keyword::By | Keyword::Without)) => self.aggregate(op),
            _ => self.vector_selector(),
        }
    }

    /// A number token, or a duration token in seconds.
    pub(super) fn number_or_duration(&mut self) -> Parsed<(NumberLiteral, Span)> {
        let token = self.bump();
        let text = self.text_of(token);
        let literal = if token.kind == TokenKind::Duration {
            crate::duration::parse_ns(text)
                .map(|nanoseconds| NumberLiteral { value: nanoseconds as f64 / 1e9, is_duration: true })
                .map_err(|error| Failure::new(token.span, error.message()))?
        } else {
            let value = number::parse(text).map_err(|message| Failure::new(token.span, message))?;
            NumberLiteral { value, is_duration: false }
        };
        Ok((literal, token.span))
    }

    fn string(&mut self) -> Parsed<Built> {
        let token = self.bump();
        let quoted = read_quoted(self.text, token.span.start as usize).map_err(|message| Failure::new(token.span, message))?;
        let literal = StringLiteral { value: quoted.value, bytes: quoted.bytes };
        Ok(Built { expr: Expr { kind: ExprKind::String(literal), span: token.span }, height: 1 })
    }

    pub(super) fn unquote(&self, span: Span) -> Parsed<String> {
        read_quoted(self.text, span.start as usize).map(|quoted| quoted.value).map_err(|message| Failure::new(span, message))
    }

    fn paren(&mut self) -> Parsed<Built> {
        let open = self.bump();
        let inner = self.expression()?;
        let close = self.expect(TokenKind::RightParen)?;
        let span = open.span.to(close.span);
        let height = height_above([inner.height], span)?;
        Ok(Built { expr: Expr { kind: ExprKind::Paren(Box::new(inner.expr)), span }, height })
    }

    fn call(&mut self) -> Parsed<Built> {
        let name = self.bump();
        let (args, close) = self.arguments()?;
        let Some(function) = Function::from_name(self.text_of(name)) else {
            return Err(Failure::new(name.span, format!("unknown function with name {}", quote(self.text_of(name)))));
        };
        let span = name.span.to(close);
        let height = height_above(args.iter().map(|arg| arg.height), span)?;
        let args = args.into_iter().map(|arg| arg.expr).collect();
        Ok(Built { expr: Expr { kind: ExprKind::Call(Call { function, args }), span }, height })
    }

    /// Arguments in parentheses and the place of the closing one.
    fn arguments(&mut self) -> Parsed<(Vec<Built>, Span)> {
        self.expect(TokenKind::LeftParen)?;
        let mut args = Vec::new();
        if let Some(close) = self.accept(TokenKind::RightParen) {
            return Ok((args, close.span));
        }
        loop {
            args.push(self.expression()?);
            let Some(comma) = self.accept(TokenKind::Comma) else { break };
            if !starts_expression(self.kind()) && self.kind() != TokenKind::Unreadable {
                return Err(Failure::new(comma.span, "trailing commas not allowed in function call args"));
            }
        }
        let close = self.expect(TokenKind::RightParen)?;
        Ok((args, close.span))
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Built> {
        let name = self.bump();
        let mut grouping = self.aggregate_modifier()?;
        let (args, _) = self.within(("aggregation", ""), Self::arguments)?;
        if grouping.is_none() {
            grouping = self.aggregate_modifier()?;
        }
        let span = name.span.to(self.last_span());
        if args.is_empty() {
            return Err(Failure::new(span, "no arguments for aggregate expression provided"));
        }
        let wanted = 1 + usize::from(op.param_type().is_some());
        let height = height_above(args.iter().map(|arg| arg.height), span)?;
        let count = args.len();
        let mut args = args.into_iter().map(|arg| Box::new(arg.expr));
        let param = if wanted == 2 { args.next() } else { None };
        let (Some(expr), None) = (args.next(), args.next()) else {
            return Err(Failure::new(span, format!("wrong number of arguments for aggregate expression provided, expected {wanted}, got {count}")));
        };
        let (without, grouping) = grouping.unwrap_or_default();
        Ok(Built { expr: Expr { kind: ExprKind::Aggregate(Aggregate { op, expr, param, grouping, without }), span }, height })
    }

    /// `by (…)` or `without (…)` (the flag is set), if there is one.
    fn aggregate_modifier(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        let without = match self.kind() {
            TokenKind::Keyword(Keyword::By) => false,
            TokenKind::Keyword(Keyword::Without) => true,
            // The look-ahead came across something that cannot be read at all: that is the error.
            TokenKind::Unreadable => return Err(self.unexpected()),
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some((without, self.grouping_labels()?)))
    }
}

fn starts_expression(kind: TokenKind) -> bool {
    match kind {
        TokenKind::Number | TokenKind::Duration | TokenKind::String | TokenKind::LeftParen | TokenKind::LeftBrace => true,
        TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => true,
        _ => is_metric_name(kind),
    }
}
