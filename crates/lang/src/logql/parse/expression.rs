//! Operands and operators of metric queries.

use signalbox_model::{MatchOp, Matcher, Result};

use super::super::ast::{BinaryExpr, BinaryOp, CompareOp, Expr, Group, Matching, MetricExpr, RangeOp, VectorOp};
use super::super::lex::Token;
use super::Parser;

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.binary(0)
    }

    /// An expression that must be one of samples.
    pub(super) fn metric(&mut self) -> Result<MetricExpr> {
        match self.expr()? {
            Expr::Metric(metric) => Ok(metric),
            Expr::Logs(_) => Err(self.unexpected("")),
        }
    }

    /// An operand, and operators that bind stronger than `floor`.
    fn binary(&mut self, floor: u8) -> Result<Expr> {
        self.enter()?;
        let mut left = self.operand()?;
        while let Some(op) = self.binary_op().filter(|op| op.precedence() > floor) {
            let place = self.at;
            self.count()?;
            self.advance();
            let returns_bool = self.accept_word("bool");
            let matching = self.matching()?;
            // Only powers associate to the right.
            let right = self.binary(if op == BinaryOp::Power { op.precedence() - 1 } else { op.precedence() })?;
            let unexpected = |leg: &str| self.error_before(place, &format!("unexpected type for {leg} leg of binary operation ({}): log query", op.as_str()));
            let Expr::Metric(left_operand) = left else { return Err(unexpected("left")) };
            let Expr::Metric(right_operand) = right else { return Err(unexpected("right")) };
            if matches!(op, BinaryOp::Or | BinaryOp::And | BinaryOp::Unless) {
                for (leg, operand) in [("left", &left_operand), ("right", &right_operand)] {
                    if let MetricExpr::Literal(value) = operand {
                        let reason = format!("unexpected literal for {leg} leg of logical/set binary operation ({}): {value:.6}", op.as_str());
                        return Err(self.error_before(place, &reason));
                    }
                }
            }
            left = Expr::Metric(match (&left_operand, &right_operand) {
                (MetricExpr::Literal(left), MetricExpr::Literal(right)) => MetricExpr::Literal(op.apply(*left, *right)),
                _ => MetricExpr::Binary(Box::new(BinaryExpr { op, left: left_operand, right: right_operand, returns_bool, matching })),
            });
        }
        self.leave();
        Ok(left)
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        if let Some(name) = self.name() {
            return [BinaryOp::Or, BinaryOp::And, BinaryOp::Unless].into_iter().find(|op| op.as_str().eq_ignore_ascii_case(name));
        }
        let Token::Sign(sign) = self.peek() else { return None };
        Some(match *sign {
            "+" => BinaryOp::Add,
            "-" => BinaryOp::Subtract,
            "*" => BinaryOp::Multiply,
            "/" => BinaryOp::Divide,
            "%" => BinaryOp::Modulo,
            "^" => BinaryOp::Power,
            "==" => BinaryOp::Compare(CompareOp::Equal),
            "!=" => BinaryOp::Compare(CompareOp::NotEqual),
            ">" => BinaryOp::Compare(CompareOp::Greater),
            ">=" => BinaryOp::Compare(CompareOp::GreaterOrEqual),
            "<" => BinaryOp::Compare(CompareOp::Less),
            "<=" => BinaryOp::Compare(CompareOp::LessOrEqual),
            _ => return None,
        })
    }

    /// `on (a) group_left (b)`
    fn matching(&mut self) -> Result<Option<Matching>> {
        let is_on = self.is_word("on");
        if !is_on && !self.is_word("ignoring") {
            return Ok(None);
        }
        self.advance();
        let labels = self.labels()?;
        let is_left = self.is_word("group_left");
        let mut group = None;
        if is_left || self.is_word("group_right") {
            self.advance();
            // What follows in parentheses are labels, unless they hold what labels cannot be: an operand.
            let include = if self.is_sign("(") && self.holds_labels() { self.labels()? } else { Vec::new() };
            group = Some(Group { is_left, include });
        }
        Ok(Some(Matching { is_on, labels, group }))
    }

    /// Whether the parentheses that open here hold names of labels, or nothing.
    fn holds_labels(&self) -> bool {
        let inner = self.tokens[self.at + 1..].iter().map(|(token, _)| token);
        let mut inner = inner.skip_while(|token| matches!(token, Token::Name | Token::Sign(",")));
        matches!(inner.next(), Some(Token::Sign(")")))
    }

    fn operand(&mut self) -> Result<Expr> {
        match self.peek() {
            Token::Sign("{") => self.logs().map(Expr::Logs),
            Token::Sign("(") => {
                self.advance();
                let inner = self.expr()?;
                self.expect(")")?;
                match inner {
                    Expr::Logs(mut logs) => {
                        self.pipeline(&mut logs.stages)?;
                        Ok(Expr::Logs(logs))
                    }
                    metric => Ok(metric),
                }
            }
            Token::Number(_) | Token::Sign("+" | "-") => Ok(Expr::Metric(MetricExpr::Literal(self.number()?))),
            Token::Name => self.function().map(Expr::Metric),
            _ => Err(self.unexpected("")),
        }
    }

    fn function(&mut self) -> Result<MetricExpr> {
        let name = self.name().unwrap_or_default();
        let has_arguments = matches!(self.peek_second(), Token::Sign("("));
        if let Some(op) = VectorOp::of(name) {
            return self.vector_aggregation(op);
        }
        match name.to_ascii_lowercase().as_str() {
            "vector" if has_arguments => {
                self.advance();
                self.expect("(")?;
                let value = self.number()?;
                self.expect(")")?;
                Ok(MetricExpr::Constant(value))
            }
            "label_replace" if has_arguments => self.label_replace(),
            "variants" if has_arguments => Err(self.error("not supported: variants()")),
            _ => match RangeOp::of(name).filter(|_| has_arguments) {
                Some(op) => self.range_aggregation(op),
                None => Err(self.unexpected("")),
            },
        }
    }

    fn label_replace(&mut self) -> Result<MetricExpr> {
        self.advance();
        self.expect("(")?;
        let expr = Box::new(self.metric()?);
        let mut texts = [const { String::new() }; 4];
        let mut place = self.at;
        for text in &mut texts {
            self.expect(",")?;
            place = self.at;
            *text = self.string()?;
        }
        self.expect(")")?;
        let [dst, replacement, src, regex] = texts;
        Matcher::new("regex", MatchOp::Regex, regex.as_str())
            .map_err(|error| self.error_before(place, &format!("invalid regex in label_replace: {}", error.message())))?;
        Ok(MetricExpr::LabelReplace { expr, dst, replacement, src, regex })
    }
}
