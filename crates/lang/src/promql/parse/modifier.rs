//! What follows an operand (`[5m]`, `offset`, `@`, `anchored`, `smoothed`) and what follows a binary operator.

use super::{Built, Parser, height_above};
use crate::Span;
use crate::promql::ast::{At, BinaryOp, Cardinality, Expr, ExprKind, MatrixSelector, RangeEdges, Subquery, VectorMatching};
use crate::promql::duration_expr::DurationValue;
use crate::promql::failure::{Failure, Parsed};
use crate::promql::token::{Keyword, TokenKind};

const DURATIONS: &str = "number, duration, step(), or range()";

impl Parser<'_> {
    pub(super) fn modifiers(&mut self, mut operand: Built) -> Parsed<Built> {
        loop {
            match self.kind() {
                TokenKind::LeftBracket => operand = self.brackets(operand)?,
                TokenKind::At => self.at_modifier(&mut operand.expr)?,
                TokenKind::Keyword(Keyword::Offset) => self.offset(&mut operand.expr)?,
                TokenKind::Keyword(Keyword::Anchored) => self.edges(&mut operand.expr, RangeEdges::Anchored)?,
                TokenKind::Keyword(Keyword::Smoothed) => self.edges(&mut operand.expr, RangeEdges::Smoothed)?,
                _ => return Ok(operand),
            }
        }
    }

    fn brackets(&mut self, operand: Built) -> Parsed<Built> {
        let open = self.bump();
        let range = self.within(("subquery or range selector", DURATIONS), Self::positive_duration)?;
        if let Some(close) = self.accept(TokenKind::RightBracket) {
            return matrix(operand, range, open.span.to(close.span));
        }
        if self.accept(TokenKind::Colon).is_none() {
            return Err(self.unexpected_in(("subquery or range", "\":\" or \"]\"")));
        }
        let mut step = None;
        if self.kind() != TokenKind::RightBracket {
            let context = ("subquery selector", "number, duration, step(), range(), or \"]\"");
            step = Some(self.within(context, Self::positive_duration)?);
        }
        let Some(close) = self.accept(TokenKind::RightBracket) else {
            return Err(self.unexpected_in(("subquery selector", "\"]\"")));
        };
        let span = operand.expr.span.to(close.span);
        let height = height_above([operand.height], span)?;
        let subquery = Subquery { expr: Box::new(operand.expr), range, step, offset: DurationValue::ZERO, at: None };
        Ok(Built { expr: Expr { kind: ExprKind::Subquery(subquery), span }, height })
    }

    fn offset(&mut self, operand: &mut Expr) -> Parsed<()> {
        self.bump();
        let offset = self.within(("offset", DURATIONS), Self::offset_duration)?;
        let end = self.last_span();
        let target = match &mut operand.kind {
            ExprKind::VectorSelector(selector) => &mut selector.offset,
            ExprKind::MatrixSelector(matrix) => &mut matrix.selector.offset,
            ExprKind::Subquery(subquery) => &mut subquery.offset,
            _ => return Err(Failure::new(operand.span, misplaced("offset modifier"))),
        };
        if *target != DurationValue::ZERO {
            return Err(Failure::new(operand.span, "offset may not be set multiple times"));
        }
        *target = offset;
        operand.span = operand.span.to(end);
        Ok(())
    }

    fn at_modifier(&mut self, operand: &mut Expr) -> Parsed<()> {
        self.bump();
        let at = self.within(("@", "timestamp"), |parser| parser.instant(operand.span))?;
        let end = self.last_span();
        let target = match &mut operand.kind {
            ExprKind::VectorSelector(selector) => &mut selector.at,
            ExprKind::MatrixSelector(matrix) => &mut matrix.selector.at,
            ExprKind::Subquery(subquery) => &mut subquery.at,
            _ => return Err(Failure::new(operand.span, misplaced("@ modifier"))),
        };
        if target.replace(at).is_some() {
            return Err(Failure::new(operand.span, "@ <timestamp> may not be set multiple times"));
        }
        operand.span = operand.span.to(end);
        Ok(())
    }

    fn instant(&mut self, operand: Span) -> Parsed<At> {
        let boundary = match self.kind() {
            TokenKind::Keyword(Keyword::Start) => Some(At::Start),
            TokenKind::Keyword(Keyword::End) => Some(At::End),
            _ => None,
        };
        if let Some(boundary) = boundary {
            self.bump();
            self.expect(TokenKind::LeftParen)?;
            self.expect(TokenKind::RightParen)?;
            return Ok(boundary);
        }
        let seconds = self.signed_number()?;
        // Beyond this the seconds alone do not fit 64 bits.
        if !(seconds > i64::MIN as f64 && seconds < i64::MAX as f64) {
            let shown = if seconds.is_infinite() { if seconds > 0.0 { "+Inf".into() } else { "-Inf".into() } } else { format!("{seconds:.6}") };
            return Err(Failure::new(operand, format!("timestamp out of bounds for @ modifier: {shown}")));
        }
        Ok(At::Timestamp((seconds * 1000.0).round() as i64))
    }

    /// A number or duration in seconds with an optional sign.
    fn signed_number(&mut self) -> Parsed<f64> {
        let is_negative = self.kind() == TokenKind::Operator(BinaryOp::Sub);
        if is_negative || self.kind() == TokenKind::Operator(BinaryOp::Add) {
            self.bump();
        }
        if !matches!(self.kind(), TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected());
        }
        let (number, _) = self.number_or_duration()?;
        Ok(if is_negative { -number.value } else { number.value })
    }

    fn edges(&mut self, operand: &mut Expr, edges: RangeEdges) -> Parsed<()> {
        let word = self.bump();
        let name = if edges == RangeEdges::Anchored { "anchored" } else { "smoothed" };
        let target = match &mut operand.kind {
            ExprKind::VectorSelector(selector) => &mut selector.edges,
            ExprKind::MatrixSelector(matrix) => &mut matrix.selector.edges,
            ExprKind::Subquery(_) => return Err(Failure::new(operand.span, format!("{name} modifier is not supported for subqueries"))),
            _ => return Err(Failure::new(operand.span, format!("{name} modifier not implemented"))),
        };
        if *target != RangeEdges::Plain && *target != edges {
            return Err(Failure::new(operand.span, "anchored and smoothed modifiers cannot be used together"));
        }
        *target = edges;
        operand.span = operand.span.to(word.span);
        Ok(())
    }

    /// `bool`, matching, grouping and fill values after a binary operator.
    pub(super) fn binary_modifiers(&mut self) -> Parsed<(bool, VectorMatching)> {
        let return_bool = self.accept(TokenKind::Keyword(Keyword::Bool)).is_some();
        let mut matching =
            VectorMatching { cardinality: Cardinality::OneToOne, on: false, labels: Vec::new(), include: Vec::new(), fill_left: None, fill_right: None };
        if let TokenKind::Keyword(keyword @ (Keyword::On | Keyword::Ignoring)) = self.kind() {
            self.bump();
            matching.on = keyword == Keyword::On;
            matching.labels = self.grouping_labels()?;
            if let TokenKind::Keyword(side @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.kind() {
                self.bump();
                matching.cardinality = if side == Keyword::GroupLeft { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                if self.kind() == TokenKind::LeftParen {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        self.fills(&mut matching)?;
        Ok((return_bool, matching))
    }

    fn fills(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        if self.accept(TokenKind::Keyword(Keyword::Fill)).is_some() {
            let value = self.fill_value()?;
            (matching.fill_left, matching.fill_right) = (Some(value), Some(value));
            return Ok(());
        }
        // Each side once, in either order.
        loop {
            match self.kind() {
                TokenKind::Keyword(Keyword::FillLeft) if matching.fill_left.is_none() => {
                    self.bump();
                    matching.fill_left = Some(self.fill_value()?);
                }
                TokenKind::Keyword(Keyword::FillRight) if matching.fill_right.is_none() => {
                    self.bump();
                    matching.fill_right = Some(self.fill_value()?);
                }
                _ => return Ok(()),
            }
        }
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect(TokenKind::LeftParen)?;
        let value = self.signed_number()?;
        self.expect(TokenKind::RightParen)?;
        Ok(value)
    }
}

fn matrix(operand: Built, range: DurationValue, brackets: Span) -> Parsed<Built> {
    let span = operand.expr.span.to(brackets);
    let ExprKind::VectorSelector(selector) = operand.expr.kind else {
        return Err(Failure::new(brackets, "ranges only allowed for vector selectors"));
    };
    if selector.offset != DurationValue::ZERO {
        return Err(Failure::new(brackets, "no offset modifiers allowed before range"));
    }
    if selector.at.is_some() {
        return Err(Failure::new(brackets, "no @ modifiers allowed before range"));
    }
    Ok(Built { expr: Expr { kind: ExprKind::MatrixSelector(MatrixSelector { selector, range }), span }, height: 1 })
}

fn misplaced(modifier: &str) -> String {
    format!("{modifier} must be preceded by an instant vector selector or range vector selector or a subquery")
}
