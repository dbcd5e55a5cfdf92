//! Series: what makes them of spans, what is done with them, and the hints at the end of a query.

use super::{
    super::{
        failure::Class,
        lex::Token,
        tree::{Aggregate, ArithmeticOp, Attribute, FieldExpr, Hint, MetricsExpr, MetricsFunction, Pipeline, Query, Root, SeriesStage, Static},
    },
    BY_MAX, COMPARE_TOP_MAX, Parsed, Parser, number,
    set::Value,
};
use crate::Span;

/// Values of each attribute that `compare` answers where the query does not say.
const COMPARE_TOP: i64 = 10;
const NANOSECONDS: f64 = 1e9;

impl Parser<'_> {
    /// A whole query.
    pub(super) fn query(&mut self) -> Parsed<Query> {
        let start = self.span();
        let root = match self.chain()? {
            Value::Metrics(series) => Root::Metrics(series),
            value => Root::Spansets(Pipeline { stages: self.stages_of(value, start)? }),
        };
        let mut hints = Vec::new();
        while self.accept_word("with") {
            // The last list stands for itself, as in Tempo.
            hints = self.hints()?;
        }
        match self.peek() {
            Token::End => Ok(Query { root, hints }),
            _ => Err(self.unexpected("the end of the query")),
        }
    }

    fn hints(&mut self) -> Parsed<Vec<Hint>> {
        self.expect("(")?;
        let mut hints = Vec::new();
        loop {
            self.node()?;
            let Token::Word(name) = *self.peek() else { return Err(self.unexpected("the name of a hint")) };
            self.next();
            self.expect("=")?;
            hints.push(Hint { name: name.to_owned(), value: self.literal("the value of a hint")? });
            if !self.accept(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(hints)
    }

    /// Attributes joined by commas.
    pub(super) fn attributes(&mut self) -> Parsed<Vec<Attribute>> {
        let mut attributes = vec![self.attribute()?];
        while self.accept(",") {
            self.node()?;
            attributes.push(self.attribute()?);
        }
        Ok(attributes)
    }

    /// What an aggregate is over.
    pub(super) fn aggregated(&mut self, aggregate: Aggregate) -> Parsed<FieldExpr> {
        let start = self.span();
        let typed = self.field_of_span(&format!("field expressions of {}()", aggregate.as_str()))?;
        if !typed.kind.is_number() {
            self.note(Class::Invalid, start, format!("aggregate field expressions must resolve to a number type: {}({})", aggregate.as_str(), typed.expr));
        }
        Ok(typed.expr)
    }

    /// What makes series of spans, if it stands here.
    pub(super) fn metrics_function(&mut self) -> Parsed<Option<MetricsFunction>> {
        let Token::Word(word) = *self.peek() else { return Ok(None) };
        let over_time = |aggregate| (aggregate, true);
        let (aggregate, has_field) = match word {
            "rate" | "count_over_time" => (Aggregate::Count, false),
            "min_over_time" => over_time(Aggregate::Min),
            "max_over_time" => over_time(Aggregate::Max),
            "avg_over_time" => over_time(Aggregate::Avg),
            "sum_over_time" => over_time(Aggregate::Sum),
            "quantile_over_time" | "histogram_over_time" => over_time(Aggregate::Count),
            "compare" => {
                self.next();
                return self.compare().map(Some);
            }
            _ => return Ok(None),
        };
        self.next();
        self.expect("(")?;
        let field = if has_field { Some(self.attribute()?) } else { None };
        let quantiles = if word == "quantile_over_time" { self.quantiles()? } else { Vec::new() };
        self.expect(")")?;
        let by = self.by()?;
        Ok(Some(match (word, field) {
            ("rate", _) => MetricsFunction::Rate { by },
            ("quantile_over_time", Some(field)) => MetricsFunction::QuantileOverTime { field, quantiles, by },
            ("histogram_over_time", Some(field)) => MetricsFunction::HistogramOverTime { field, by },
            (_, Some(field)) => MetricsFunction::OverTime { aggregate, field, by },
            (_, None) => MetricsFunction::CountOverTime { by },
        }))
    }

    fn quantiles(&mut self) -> Parsed<Vec<f64>> {
        let mut quantiles = Vec::new();
        while self.accept(",") {
            self.node()?;
            let quantile = match *self.peek() {
                Token::Float(value) => value,
                Token::Int(value) => value as f64,
                _ => return Err(self.unexpected("a quantile between 0 and 1")),
            };
            if !(0.0..=1.0).contains(&quantile) {
                self.note(Class::Invalid, self.span(), format!("quantile must be between 0 and 1: {quantile}"));
            }
            self.next();
            quantiles.push(quantile);
        }
        if quantiles.is_empty() { Err(self.unexpected(", and a quantile")) } else { Ok(quantiles) }
    }

    fn by(&mut self) -> Parsed<Vec<Attribute>> {
        let start = self.span();
        if !self.accept_word("by") {
            return Ok(Vec::new());
        }
        self.expect("(")?;
        let attributes = self.attributes()?;
        self.expect(")")?;
        if attributes.len() > BY_MAX {
            self.unsupported(start, &format!("metrics group by {} values", attributes.len()));
        }
        Ok(attributes)
    }

    /// `compare` after its name.
    fn compare(&mut self) -> Parsed<MetricsFunction> {
        self.expect("(")?;
        self.expect("{")?;
        let selection = self.braces()?;
        let (mut top, mut start_ns, mut end_ns) = (COMPARE_TOP, 0, 0);
        let place = self.span();
        if self.accept(",") {
            top = self.integer()?;
            if self.accept(",") {
                start_ns = self.integer()?;
                self.expect(",")?;
                end_ns = self.integer()?;
            }
        }
        self.expect(")")?;
        let bounded = u32::try_from(top).ok().filter(|top| (1..=COMPARE_TOP_MAX).contains(top));
        if bounded.is_none() {
            self.note(Class::Invalid, place, format!("compare() top number of values must be an integer between 1 and {COMPARE_TOP_MAX}"));
        }
        if (start_ns, end_ns) != (0, 0) && (start_ns <= 0 || end_ns <= start_ns) {
            self.note(Class::Invalid, place, "compare() wants a start above 0 and an end after it, in nanoseconds since the Unix epoch");
        }
        Ok(MetricsFunction::Compare { selection, top: bounded.unwrap_or(1), start_ns, end_ns })
    }

    /// Series, and the stages that follow them.
    pub(super) fn series_stages(&mut self, series: MetricsExpr) -> Parsed<Value> {
        let mut series = series;
        loop {
            let place = self.span();
            let stage = if self.accept("|") {
                self.ranking()?
            } else if let Some(op) = self.compare_op().filter(|op| !op.is_regex()) {
                self.next();
                let value = self.number()?;
                let seconds = if matches!(value, Static::Duration(_)) { number::float(&value) / NANOSECONDS } else { number::float(&value) };
                SeriesStage::Filter(op, seconds)
            } else {
                return Ok(Value::Metrics(series));
            };
            self.node()?;
            self.refuse_compare(&series, place);
            series = MetricsExpr::Then(Box::new(series), stage);
        }
    }

    fn ranking(&mut self) -> Parsed<SeriesStage> {
        let make: fn(u32) -> SeriesStage = match *self.peek() {
            Token::Word("topk") => SeriesStage::TopK,
            Token::Word("bottomk") => SeriesStage::BottomK,
            _ => return Err(self.unexpected("topk or bottomk")),
        };
        self.next();
        self.expect("(")?;
        let place = self.span();
        let limit = self.integer()?;
        self.expect(")")?;
        let bounded = u32::try_from(limit).ok().filter(|limit| *limit > 0);
        if bounded.is_none() {
            self.note(Class::Invalid, place, "limit must be greater than 0 and at most 4294967295");
        }
        Ok(make(bounded.unwrap_or(1)))
    }

    /// Arithmetic of series with series or numbers.
    pub(super) fn series_arithmetic(&mut self, op: ArithmeticOp, left: Value, right: Value, place: Span) -> Parsed<MetricsExpr> {
        if matches!(op, ArithmeticOp::Modulo | ArithmeticOp::Power) {
            return Err(self.syntax(place, format!("{} does not calculate with series", op.as_str())));
        }
        let (left, right) = (self.series_of(left, place)?, self.series_of(right, place)?);
        Ok(MetricsExpr::Binary(op, Box::new(left), Box::new(right)))
    }

    fn series_of(&mut self, value: Value, place: Span) -> Parsed<MetricsExpr> {
        match value {
            Value::Metrics(series) => {
                self.refuse_compare(&series, place);
                Ok(series)
            }
            Value::Number(value @ (Static::Int(_) | Static::Float(_))) => Ok(MetricsExpr::Number(number::float(&value))),
            _ => Err(self.syntax(place, "duration cannot be used as a scalar operand in metric arithmetic")),
        }
    }

    fn refuse_compare(&mut self, series: &MetricsExpr, place: Span) {
        if matches!(series, MetricsExpr::Spans { function: MetricsFunction::Compare { .. }, .. }) {
            self.note(Class::Invalid, place, "`compare()` cannot be used with second stage functions");
        }
    }
}
