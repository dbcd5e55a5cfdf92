//! From the syntax tree to what is executed: durations computed, `start()` and its like replaced by numbers, parentheses gone,
//! and whatever is the same at every step evaluated once.

use signalbox_lang::Span;
use signalbox_lang::promql::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, DurationValue, Expr, ExprKind, Function, MatrixSelector, RangeEdges, StringLiteral, Subquery, UnaryOp,
    ValueType, VectorMatching, VectorSelector,
};
use signalbox_lang::text::quote_bytes;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Labels, LabelsBuilder, MatchOp, Matcher, Result};

use super::frame::QueryTimes;
use super::functions::is_over_range;

/// An expression, ready to be executed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) node: Node,
    pub(super) span: Span,
    pub(super) value_type: ValueType,
}

/// What is done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Number(f64),
    Text(String),
    /// An instant selector.
    Select(Select),
    /// A range vector that is the answer itself; as an argument it stands in [`Node::Over`].
    Range(RangeSource),
    /// A function of the samples in a range.
    Over(Box<OverRange>),
    /// Any other function.
    Call(FunctionCall),
    Aggregate(Box<Aggregation>),
    Binary(Box<Operation>),
    Negate(Box<Plan>),
    /// Evaluated at the first step and valid at all.
    Once(Box<Plan>),
}

/// Which series, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Select {
    pub(super) matchers: Vec<Matcher>,
    pub(super) place: Place,
    pub(super) edges: RangeEdges,
    /// Whether histograms say of each sample whether it was a reset; see `resets`.
    pub(super) tells_resets: bool,
}

/// Where on the time axis an instant of evaluation looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset_ms: i64,
    pub(super) at_ms: Option<i64>,
}

impl Place {
    pub(super) fn of(&self, instant_ms: i64) -> i64 {
        self.at_ms.unwrap_or(instant_ms).saturating_sub(self.offset_ms)
    }
}

/// Where the samples of a range come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RangeSource {
    Selector { select: Select, range_ms: i64 },
    Subquery { plan: Box<Plan>, range_ms: i64, step_ms: i64, place: Place },
}

impl RangeSource {
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Selector { select, .. } => select.place,
            Self::Subquery { place, .. } => *place,
        }
    }

    pub(super) fn range_ms(&self) -> i64 {
        match self {
            Self::Selector { range_ms, .. } | Self::Subquery { range_ms, .. } => *range_ms,
        }
    }

    pub(super) fn edges(&self) -> RangeEdges {
        match self {
            Self::Selector { select, .. } => select.edges,
            Self::Subquery { .. } => RangeEdges::Plain,
        }
    }
}

/// A function of the samples in a range.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OverRange {
    pub(super) function: Function,
    pub(super) source: RangeSource,
    /// Place of the range in the query.
    pub(super) source_span: Span,
    /// The other arguments, all scalars.
    pub(super) params: Vec<Plan>,
    /// The labels that the matchers fix: for `absent_over_time`.
    pub(super) fixed_labels: Labels,
}

/// A function of vectors and scalars.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FunctionCall {
    pub(super) function: Function,
    pub(super) args: Vec<Plan>,
    /// The labels that the matchers of the first argument fix: for `absent`.
    pub(super) fixed_labels: Labels,
}

/// An aggregation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aggregation {
    pub(super) op: AggregateOp,
    pub(super) input: Plan,
    pub(super) param: Option<Plan>,
    pub(super) grouping: Grouping,
}

/// Which labels the groups have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grouping {
    pub(super) labels: Vec<String>,
    pub(super) without: bool,
}

impl Grouping {
    pub(super) fn key(&self, labels: &Labels) -> Labels {
        if self.without {
            labels.keep(|name| name != METRIC_NAME && !self.labels.iter().any(|label| label == name))
        } else if self.labels.is_empty() {
            Labels::empty()
        } else {
            labels.keep(|name| self.labels.iter().any(|label| label == name))
        }
    }

    /// Appends the block of the key.
    pub(super) fn write_key(&self, labels: &Labels, block: &mut Vec<u8>) {
        if self.without {
            labels.write_kept(|name| name != METRIC_NAME && !self.labels.iter().any(|label| label == name), block);
        } else if !self.labels.is_empty() {
            labels.write_kept(|name| self.labels.iter().any(|label| label == name), block);
        }
    }
}

/// A binary operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub(super) op: BinaryOp,
    pub(super) left: Plan,
    pub(super) right: Plan,
    pub(super) matching: Option<VectorMatching>,
    pub(super) return_bool: bool,
}

/// Makes plans for one query.
#[derive(Debug)]
pub(super) struct Planner {
    pub(super) times: QueryTimes,
    /// Step of a subquery that names none.
    pub(super) subquery_step_ms: i64,
}

/// A plan, and whether it is the same at every step.
struct Planned {
    plan: Plan,
    is_constant: bool,
}

impl Planner {
    /// # Errors
    /// `Invalid` where a computed duration is none, and for functions that this engine does not evaluate.
    pub(super) fn plan(&self, expr: &Expr) -> Result<Plan> {
        let mut plan = self.inner(expr)?;
        super::resets::mark(&mut plan);
        Ok(plan)
    }

    fn inner(&self, expr: &Expr) -> Result<Plan> {
        self.planned(expr).map(once)
    }

    fn planned(&self, expr: &Expr) -> Result<Planned> {
        let expr = expr.unparenthesized();
        let (node, is_constant) = match &expr.kind {
            ExprKind::Number(number) => (Node::Number(number.value), true),
            ExprKind::String(text) => (Node::Text(text.value.clone()), true),
            ExprKind::VectorSelector(selector) => {
                let select = self.select(selector)?;
                let is_constant = select.place.at_ms.is_some();
                (Node::Select(select), is_constant)
            }
            ExprKind::MatrixSelector(_) | ExprKind::Subquery(_) => {
                let (source, is_constant) = self.range(expr)?;
                (Node::Range(source), is_constant)
            }
            ExprKind::Call(call) => self.call(call)?,
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate)?,
            ExprKind::Binary(_) => return self.chain(expr),
            ExprKind::Unary(unary) => {
                let operand = self.planned(&unary.expr)?;
                match unary.op {
                    UnaryOp::Plus => return Ok(operand),
                    UnaryOp::Minus => (Node::Negate(Box::new(operand.plan)), operand.is_constant),
                }
            }
            ExprKind::Paren(inner) => return self.planned(inner),
        };
        Ok(Planned { plan: Plan { node, span: expr.span, value_type: expr.value_type() }, is_constant })
    }

    fn place(&self, offset: &DurationValue, at: Option<At>) -> Result<Place> {
        let at_ms = at.map(|at| match at {
            At::Timestamp(at_ms) => at_ms,
            At::Start => self.times.start_ms,
            At::End => self.times.end_ms,
        });
        Ok(Place { offset_ms: offset.resolve_offset(self.times.durations())?, at_ms })
    }

    fn select(&self, selector: &VectorSelector) -> Result<Select> {
        Ok(Select { matchers: selector.matchers.clone(), place: self.place(&selector.offset, selector.at)?, edges: selector.edges, tells_resets: false })
    }

    /// The source of a range, and whether it is the same at every step.
    fn range(&self, expr: &Expr) -> Result<(RangeSource, bool)> {
        match &expr.unparenthesized().kind {
            ExprKind::MatrixSelector(MatrixSelector { selector, range }) => {
                let select = self.select(selector)?;
                let is_constant = select.place.at_ms.is_some();
                Ok((RangeSource::Selector { select, range_ms: range.resolve_positive(self.times.durations())? }, is_constant))
            }
            ExprKind::Subquery(Subquery { expr, range, step, offset, at }) => {
                let durations = self.times.durations();
                let place = self.place(offset, *at)?;
                let step_ms = step.as_ref().map_or(Ok(self.subquery_step_ms), |step| step.resolve_positive(durations))?.max(1);
                let source = RangeSource::Subquery { plan: Box::new(self.inner(expr)?), range_ms: range.resolve_positive(durations)?, step_ms, place };
                Ok((source, place.at_ms.is_some()))
            }
            _ => Err(Error::internal("cannot plan: a range vector is neither selector nor subquery")),
        }
    }

    fn call(&self, call: &Call) -> Result<(Node, bool)> {
        let function = call.function;
        let times = self.times;
        match function {
            Function::Start => return Ok((Node::Number(times.start_ms as f64 / 1000.0), true)),
            Function::End => return Ok((Node::Number(times.end_ms as f64 / 1000.0), true)),
            Function::Range => return Ok((Node::Number((times.end_ms - times.start_ms) as f64 / 1000.0), true)),
            Function::Step => {
                let step_ms = if times.start_ms == times.end_ms { 0 } else { times.step_ms };
                return Ok((Node::Number(step_ms as f64 / 1000.0), true));
            }
            _ => {}
        }
        let is_range = |arg: &Expr| arg.value_type() == ValueType::Matrix;
        let mut is_constant = !depends_on_time(function);
        let (mut range, mut args) = (None, Vec::with_capacity(call.args.len()));
        for arg in &call.args {
            if is_range(arg) {
                let (source, is_range_constant) = self.range(arg)?;
                is_constant &= is_range_constant;
                range = Some((source, arg.unparenthesized().span));
            } else {
                let planned = self.planned(arg)?;
                is_constant &= planned.is_constant;
                args.push(planned);
            }
        }
        if function == Function::Timestamp {
            // The time of a sample found at a fixed instant is fixed; that of a computed value is the time of evaluation.
            is_constant = args.iter().all(|arg| arg.is_constant && matches!(arg.plan.node, Node::Select(_)));
        }
        let args: Vec<Plan> = args.into_iter().map(|arg| if is_constant { arg.plan } else { once(arg) }).collect();
        let fixed_labels = match call.args.first().map(|arg| &arg.unparenthesized().kind) {
            Some(ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector(MatrixSelector { selector, .. })) => fixed_labels(&selector.matchers),
            _ => Labels::empty(),
        };
        let node = match range {
            Some((source, source_span)) if is_over_range(function) => {
                Node::Over(Box::new(OverRange { function, source, source_span, params: args, fixed_labels }))
            }
            Some(_) => return Err(Error::invalid(format!("function {:?} is not supported by this server", function.as_str()))),
            None => Node::Call(FunctionCall { function, args, fixed_labels }),
        };
        Ok((node, is_constant))
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<(Node, bool)> {
        if aggregate.op == AggregateOp::CountValues {
            aggregate.param.as_deref().map_or(Ok(()), check_label_text)?;
        }
        let input = self.planned(&aggregate.expr)?;
        let param = aggregate.param.as_deref().map(|param| self.planned(param)).transpose()?;
        // As in Prometheus the parameter does not count: its value at the first step holds where the input is constant.
        let is_constant = input.is_constant;
        let finish = |planned: Planned| if is_constant { planned.plan } else { once(planned) };
        let grouping = Grouping { labels: aggregate.grouping.clone(), without: aggregate.without };
        let aggregation = Aggregation { op: aggregate.op, input: finish(input), param: param.map(finish), grouping };
        Ok((Node::Aggregate(Box::new(aggregation)), is_constant))
    }

    /// A chain of binary operations such as `a + b + c + ...`, which leans to the left and may be hundreds of levels high:
    /// walked from the leftmost operand, not recursed into.
    fn chain(&self, expr: &Expr) -> Result<Planned> {
        let (mut leftmost, mut operations) = (expr, Vec::new());
        while let ExprKind::Binary(binary) = &leftmost.kind {
            operations.push((binary, leftmost.span));
            leftmost = &binary.lhs;
        }
        let mut left = self.planned(leftmost)?;
        for (binary, span) in operations.into_iter().rev() {
            left = self.binary(binary, left, span)?;
        }
        Ok(left)
    }

    fn binary(&self, binary: &Binary, left: Planned, span: Span) -> Result<Planned> {
        let right = self.planned(&binary.rhs)?;
        let is_constant = left.is_constant && right.is_constant;
        let finish = |planned: Planned| if is_constant { planned.plan } else { once(planned) };
        let (left, right) = (finish(left), finish(right));
        let are_scalars = left.value_type == ValueType::Scalar && right.value_type == ValueType::Scalar;
        let value_type = if are_scalars { ValueType::Scalar } else { ValueType::Vector };
        let (op, return_bool, matching) = (binary.op, binary.return_bool, binary.matching.clone());
        let node = Node::Binary(Box::new(Operation { op, left, right, matching, return_bool }));
        Ok(Planned { plan: Plan { node, span, value_type }, is_constant })
    }
}

/// Marks what is evaluated once. Numbers and texts are, and ranges have times of their own.
fn once(planned: Planned) -> Plan {
    let Planned { plan, is_constant } = planned;
    if !is_constant || matches!(plan.node, Node::Number(_) | Node::Text(_) | Node::Range(_)) {
        return plan;
    }
    Plan { span: plan.span, value_type: plan.value_type, node: Node::Once(Box::new(plan)) }
}

/// Whether a function may answer differently at different times for arguments that do not change.
fn depends_on_time(function: Function) -> bool {
    matches!(
        function,
        Function::DaysInMonth
            | Function::DayOfMonth
            | Function::DayOfWeek
            | Function::DayOfYear
            | Function::Hour
            | Function::Minute
            | Function::Month
            | Function::Year
            | Function::PredictLinear
            | Function::Time
            | Function::Timestamp
            | Function::StartTimestamp
    )
}

/// The labels that matchers fix to one value. A label that is matched twice is left out, as in Prometheus.
fn fixed_labels(matchers: &[Matcher]) -> Labels {
    let mut labels = LabelsBuilder::default();
    let mut seen = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        if matcher.op == MatchOp::Equal && !seen.contains(&&matcher.name) {
            labels.set(&matcher.name, &matcher.value);
            seen.push(&matcher.name);
        } else {
            labels.remove(&matcher.name);
        }
    }
    labels.build()
}

/// Labels are text: a literal that is not UTF-8 names none.
fn check_label_text(param: &Expr) -> Result<()> {
    match &param.unparenthesized().kind {
        ExprKind::String(StringLiteral { bytes: Some(bytes), .. }) => Err(Error::invalid(format!("invalid label name {}", quote_bytes(bytes)))),
        _ => Ok(()),
    }
}
