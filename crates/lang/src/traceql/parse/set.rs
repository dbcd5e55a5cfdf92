//! What is outside of braces: sets of spans, their pipelines, numbers and series.
//!
//! Tempo's grammar has a rule for each pair of things that may stand beside an operator, and tells them apart by what follows.
//! Here one rule reads operands and operators by precedence, and [`Value`] says what each operand is.

use super::{
    super::{
        lex::Token,
        tree::{Aggregate, Answer, ArithmeticOp, CompareOp, FieldExpr, MetricsExpr, Pipeline, Relation, ScalarFilter, SpansetExpr, SpansetOp, Stage, Static},
    },
    Parsed, Parser,
    field::{COMPARISON, LOGIC, POWER, SUM, arithmetic_op},
    number,
};
use crate::Span;

/// What an operand is.
pub(super) enum Value {
    /// Spans chosen and related.
    Spans(SpansetExpr),
    /// A pipeline in parentheses that is more than its spans.
    Stages(Vec<Stage>),
    /// A stage that no operator takes: a comparison, `by`, `coalesce`, `select`.
    Stage(Stage),
    /// A number.
    Number(Static),
    /// An aggregate by itself.
    Aggregate(Aggregate, Option<FieldExpr>),
    /// Arithmetic with aggregates, which is read and refused.
    Scalar,
    /// `(… | count())`, which is read and refused.
    ScalarPipeline,
    /// A comparison with one of the two.
    RefusedFilter,
    /// Series.
    Metrics(MetricsExpr),
}

#[derive(Clone, Copy)]
enum Operator {
    Logic(SpansetOp),
    Relation(SpansetOp),
    Compare(CompareOp),
    Arithmetic(ArithmeticOp),
}

impl Parser<'_> {
    /// Stages joined by `|`, or series and what follows them: a whole query, or what is in parentheses.
    pub(super) fn chain(&mut self) -> Parsed<Value> {
        let start = self.span();
        let first = self.set_above(LOGIC)?;
        if let Value::Metrics(series) = first {
            return self.series_stages(series);
        }
        if matches!(first, Value::Stage(Stage::Coalesce)) {
            return Err(self.syntax(start, "coalesce() joins what another stage has split"));
        }
        if !self.is_sign("|") {
            return Ok(first);
        }
        let mut stages = self.stages_of(first, start)?;
        while self.accept("|") {
            self.node()?;
            if let Some(function) = self.metrics_function()? {
                let series = MetricsExpr::Spans { pipeline: Pipeline { stages }, function };
                return self.series_stages(series);
            }
            let place = self.span();
            match self.set_above(LOGIC)? {
                // Only the last stage of a pipeline in parentheses; whoever asked for the chain takes it or not.
                Value::Aggregate(..) if !self.is_sign("|") => return Ok(Value::ScalarPipeline),
                value => stages.extend(self.stages_of(value, place)?),
            }
        }
        Ok(Value::Stages(stages))
    }

    /// The stages that a value is.
    pub(super) fn stages_of(&mut self, value: Value, start: Span) -> Parsed<Vec<Stage>> {
        match value {
            Value::Spans(SpansetExpr::Pipeline(pipeline)) => Ok(pipeline.stages),
            Value::Spans(spans) => Ok(vec![Stage::Spanset(spans)]),
            Value::Stages(stages) => Ok(stages),
            Value::Stage(stage) => Ok(vec![stage]),
            // The query is refused as a whole once it has been read.
            Value::RefusedFilter => Ok(vec![Stage::Spanset(SpansetExpr::Filter(None))]),
            Value::Number(_) => Err(self.syntax(start, "a number by itself is no query")),
            Value::Aggregate(..) | Value::Scalar | Value::ScalarPipeline => Err(self.syntax(start, "an aggregate is compared with a number: count() > 2")),
            Value::Metrics(_) => Err(self.syntax(start, "series are no spans")),
        }
    }

    fn set_above(&mut self, level_min: u8) -> Parsed<Value> {
        let start = self.span();
        let mut left = self.deeper(Self::set_operand)?;
        while let Some((op, level)) = self.set_operator() {
            // A comparison of series is a stage over all that stands before it.
            if level < level_min || (level == COMPARISON && matches!(left, Value::Metrics(_))) {
                break;
            }
            self.node()?;
            let place = self.span();
            self.next();
            let right = if level == POWER { self.deeper(|parser| parser.set_above(POWER))? } else { self.set_above(level + 1)? };
            left = match op {
                Operator::Logic(op) | Operator::Relation(op) => self.related(op, left, right, place)?,
                Operator::Compare(op) => self.compared(op, left, right, start, place)?,
                Operator::Arithmetic(op) => self.calculated(op, left, right, place)?,
            };
        }
        Ok(left)
    }

    fn set_operator(&self) -> Option<(Operator, u8)> {
        let Token::Sign(sign) = self.peek() else { return None };
        let relation = |relation, answer| Some((Operator::Relation(SpansetOp::Structural(relation, answer)), COMPARISON));
        match *sign {
            "&&" => Some((Operator::Logic(SpansetOp::And), LOGIC)),
            "||" => Some((Operator::Logic(SpansetOp::Or), LOGIC)),
            ">>" => relation(Relation::Descendant, Answer::Right),
            "<<" => relation(Relation::Ancestor, Answer::Right),
            "~" => relation(Relation::Sibling, Answer::Right),
            "!>" => relation(Relation::Child, Answer::NotRight),
            "!<" => relation(Relation::Parent, Answer::NotRight),
            "!>>" => relation(Relation::Descendant, Answer::NotRight),
            "!<<" => relation(Relation::Ancestor, Answer::NotRight),
            "!~" => relation(Relation::Sibling, Answer::NotRight),
            "&>" => relation(Relation::Child, Answer::Both),
            "&<" => relation(Relation::Parent, Answer::Both),
            "&>>" => relation(Relation::Descendant, Answer::Both),
            "&<<" => relation(Relation::Ancestor, Answer::Both),
            "&~" => relation(Relation::Sibling, Answer::Both),
            sign => match arithmetic_op(sign) {
                Some((op, level)) => Some((Operator::Arithmetic(op), level)),
                None => self.compare_op().map(|op| (Operator::Compare(op), COMPARISON)),
            },
        }
    }

    fn set_operand(&mut self) -> Parsed<Value> {
        let start = self.span();
        if self.accept("{") {
            return Ok(Value::Spans(SpansetExpr::Filter(self.braces()?)));
        }
        if self.accept("(") {
            let inner = self.chain()?;
            self.expect(")")?;
            return Ok(match inner {
                Value::Stage(stage) => Value::Stages(vec![stage]),
                Value::RefusedFilter => Value::Spans(SpansetExpr::Filter(None)),
                other => other,
            });
        }
        if self.accept("-") {
            return match self.deeper(Self::set_operand)? {
                Value::Number(value) => Ok(Value::Number(number::negative(&value))),
                _ => Err(self.syntax(start, "- stands before a number only")),
            };
        }
        match *self.peek() {
            Token::Int(value) => {
                self.next();
                Ok(Value::Number(Static::Int(value)))
            }
            Token::Float(value) => {
                self.next();
                Ok(Value::Number(Static::Float(value)))
            }
            Token::Duration(value) => {
                self.next();
                Ok(Value::Number(Static::Duration(value)))
            }
            // Written for the least integer, whose digits alone are none.
            Token::Word("minInt") => {
                self.next();
                Ok(Value::Number(Static::Int(i64::MIN)))
            }
            Token::Word(word) => match stage_word(word) {
                Some(stage) => {
                    self.next();
                    self.expect("(")?;
                    self.stage(stage)
                }
                None => Err(self.unexpected("{")),
            },
            _ => Err(self.unexpected("{")),
        }
    }

    /// What a word starts, after its opening parenthesis.
    fn stage(&mut self, word: StageWord) -> Parsed<Value> {
        let stage = match word {
            StageWord::Aggregate(Aggregate::Count) => {
                self.expect(")")?;
                return Ok(Value::Aggregate(Aggregate::Count, None));
            }
            StageWord::Aggregate(aggregate) => {
                let field = self.aggregated(aggregate)?;
                self.expect(")")?;
                return Ok(Value::Aggregate(aggregate, Some(field)));
            }
            StageWord::By => Stage::By(self.field_of_span("grouping field expressions")?.expr),
            StageWord::Coalesce => Stage::Coalesce,
            StageWord::Select => Stage::Select(self.attributes()?),
        };
        self.expect(")")?;
        Ok(Value::Stage(stage))
    }

    fn related(&mut self, op: SpansetOp, left: Value, right: Value, place: Span) -> Parsed<Value> {
        let (left, right) = (self.spans_of(left, place)?, self.spans_of(right, place)?);
        Ok(Value::Spans(SpansetExpr::Binary(op, Box::new(left), Box::new(right))))
    }

    /// A side of an operator between sets of spans.
    fn spans_of(&mut self, value: Value, place: Span) -> Parsed<SpansetExpr> {
        match value {
            Value::Spans(spans) => Ok(spans),
            Value::Stages(stages) => Ok(SpansetExpr::Pipeline(Pipeline { stages })),
            _ => Err(self.syntax(place, "want a set of spans on both sides of the operator; a pipeline goes in parentheses")),
        }
    }

    /// `>` and `<` relate spans and compare numbers; which of both is known by the operands.
    fn compared(&mut self, op: CompareOp, left: Value, right: Value, start: Span, place: Span) -> Parsed<Value> {
        let relation = match op {
            CompareOp::Greater => Some(Relation::Child),
            CompareOp::Less => Some(Relation::Parent),
            _ => None,
        };
        match (left, right, relation) {
            (Value::Aggregate(aggregate, field), Value::Number(value), _) if !op.is_regex() => {
                Ok(Value::Stage(Stage::Scalar(ScalarFilter { aggregate, field, op, value })))
            }
            (left, right, _) if !op.is_regex() && left.is_scalar() && right.is_scalar() && (left.is_of_spans() || right.is_of_spans()) => {
                let side = if matches!(left, Value::Aggregate(..)) { "rhs" } else { "lhs" };
                self.unsupported(start, &format!("scalar filter {side} that is no {}", if side == "lhs" { "aggregate" } else { "number" }));
                Ok(Value::RefusedFilter)
            }
            (left, right, Some(relation)) => self.related(SpansetOp::Structural(relation, Answer::Right), left, right, place),
            _ => Err(self.syntax(place, format!("{} does not relate these", op.as_str()))),
        }
    }

    fn calculated(&mut self, op: ArithmeticOp, left: Value, right: Value, place: Span) -> Parsed<Value> {
        match (left, right) {
            (Value::Number(left), Value::Number(right)) => number::calculate(op, &left, &right).map(Value::Number).map_err(|reason| self.syntax(place, reason)),
            (left @ (Value::Metrics(_) | Value::Number(_)), right @ (Value::Metrics(_) | Value::Number(_))) => {
                self.series_arithmetic(op, left, right, place).map(Value::Metrics)
            }
            (left, right) if left.is_scalar() && right.is_scalar() => Ok(match (left, right) {
                (Value::ScalarPipeline, _) | (_, Value::ScalarPipeline) => Value::ScalarPipeline,
                _ => Value::Scalar,
            }),
            _ => Err(self.syntax(place, format!("{} calculates with numbers, aggregates and series", op.as_str()))),
        }
    }

    /// The number after a comparison of series.
    pub(super) fn number(&mut self) -> Parsed<Static> {
        match self.set_above(SUM)? {
            Value::Number(value) => Ok(value),
            _ => Err(self.unexpected("a number before it")),
        }
    }
}

impl Value {
    fn is_scalar(&self) -> bool {
        matches!(self, Self::Number(_)) || self.is_of_spans()
    }

    fn is_of_spans(&self) -> bool {
        matches!(self, Self::Aggregate(..) | Self::Scalar | Self::ScalarPipeline)
    }
}

/// A word that starts a stage.
#[derive(Clone, Copy)]
enum StageWord {
    Aggregate(Aggregate),
    By,
    Coalesce,
    Select,
}

fn stage_word(word: &str) -> Option<StageWord> {
    Some(match word {
        "count" => StageWord::Aggregate(Aggregate::Count),
        "min" => StageWord::Aggregate(Aggregate::Min),
        "max" => StageWord::Aggregate(Aggregate::Max),
        "sum" => StageWord::Aggregate(Aggregate::Sum),
        "avg" => StageWord::Aggregate(Aggregate::Avg),
        "by" => StageWord::By,
        "coalesce" => StageWord::Coalesce,
        "select" => StageWord::Select,
        _ => return None,
    })
}
