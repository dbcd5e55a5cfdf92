//! Aggregations over windows and over series, with their groups.

use signalbox_model::Result;

use super::super::ast::{Grouping, MetricExpr, RangeAggregation, RangeOp, VectorAggregation, VectorOp};
use super::super::lex::Token;
use super::Parser;

impl Parser<'_> {
    /// `quantile_over_time(0.9, …) by (a)`
    pub(super) fn range_aggregation(&mut self, op: RangeOp) -> Result<MetricExpr> {
        let place = self.at;
        self.count()?;
        self.advance();
        self.expect("(")?;
        let (parameter, written) = self.parameter()?;
        let range = self.log_range()?;
        self.expect(")")?;
        let grouping = self.grouping()?;
        let invalid = |reason: String| Err(self.error_before(place, &reason));
        match (op, parameter) {
            (RangeOp::Quantile, None) => return invalid(format!("parameter required for operation {}", op.as_str())),
            (RangeOp::Quantile, Some(_)) | (_, None) => {}
            (_, Some(_)) => return invalid(format!("parameter {written} not supported for operation {}", op.as_str())),
        }
        if grouping.is_some() && !op.takes_grouping() {
            return invalid(format!("grouping not allowed for {} aggregation", op.as_str()));
        }
        if range.unwrap.is_some() && !op.takes_unwrap() {
            return invalid(format!("invalid aggregation {} with unwrap", op.as_str()));
        }
        if range.unwrap.is_none() && !op.takes_records() {
            return invalid(format!("invalid aggregation {} without unwrap", op.as_str()));
        }
        Ok(MetricExpr::Range(RangeAggregation { op, parameter, range, grouping }))
    }

    /// `topk by (a) (3, …)`, its groups before or after the parentheses.
    pub(super) fn vector_aggregation(&mut self, op: VectorOp) -> Result<MetricExpr> {
        let place = self.at;
        self.count()?;
        self.advance();
        let mut grouping = self.grouping()?;
        self.expect("(")?;
        let (parameter, written) = self.parameter()?;
        let expr = Box::new(self.metric()?);
        self.expect(")")?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let name = op.as_str();
        let invalid = |reason: String| Err(self.error_before(place, &reason));
        let parameter = match (op.takes_parameter(), parameter) {
            (true, None) => return invalid(format!("parameter required for operation {name}")),
            (false, Some(_)) => return invalid(format!("unsupported parameter for operation {name}({written},")),
            (false, None) => None,
            (true, Some(_)) => match written.parse::<i64>() {
                Ok(number) if number > 0 => Some(number),
                Ok(_) => return invalid(format!("invalid parameter (must be greater than 0) {name}({written}")),
                Err(_) => return invalid(format!("invalid parameter {name}({written},")),
            },
        };
        match op {
            VectorOp::ApproxTopk if grouping.is_some() => invalid(format!("grouping not allowed for {name} aggregation")),
            VectorOp::Sort | VectorOp::SortDesc if grouping.as_ref().is_some_and(|grouping| !grouping.labels.is_empty()) => {
                invalid("sort and sort_desc doesn't allow grouping by ".to_owned())
            }
            _ => Ok(MetricExpr::Vector(VectorAggregation { op, parameter, expr, grouping })),
        }
    }

    /// The number before a comma, with its text.
    fn parameter(&mut self) -> Result<(Option<f64>, String)> {
        let written = self.tokens[self.at].1.of(self.text).to_owned();
        match (self.peek(), self.peek_second()) {
            (Token::Number(number), Token::Sign(",")) => {
                let number = *number;
                self.advance();
                self.advance();
                Ok((Some(number), written))
            }
            _ => Ok((None, written)),
        }
    }

    /// `by (a, b)` or `without (a, b)`, if that follows.
    fn grouping(&mut self) -> Result<Option<Grouping>> {
        let is_without = self.is_word("without");
        if !is_without && !self.is_word("by") {
            return Ok(None);
        }
        self.advance();
        Ok(Some(Grouping { is_without, labels: self.labels()? }))
    }
}
