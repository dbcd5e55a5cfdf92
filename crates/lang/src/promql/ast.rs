//! The syntax tree of PromQL.
//!
//! Trees that `parse` returns are checked: types of operands and arguments fit, names of functions exist, matchers
//! compile. Equality ignores spans, so equal texts in different places compare equal. A tree is at most
//! [`super::limits::HEIGHT_MAX`] levels high: code that walks it may recurse.

use signalbox_model::Matcher;

use super::duration_expr::DurationValue;
use super::functions::Function;
use super::print::matcher_text;
use crate::Span;

/// What an expression evaluates to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number.
    Scalar,
    /// Series with one sample each.
    Vector,
    /// Series with a range of samples each.
    Matrix,
    /// Text.
    String,
}

impl ValueType {
    /// As Prometheus writes it in error messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::String => "string",
        }
    }
}

/// An expression and its place in the text.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What the expression is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// A string literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringLiteral {
    /// Unquoted. Bytes that are not UTF-8 (`"\xff"`) became U+FFFD.
    pub value: String,
    /// The bytes that were meant, if they are not UTF-8.
    pub bytes: Option<Vec<u8>>,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number or a duration in seconds.
    Number(NumberLiteral),
    /// A string literal.
    String(StringLiteral),
    /// `name{label="value"} offset 5m @ 12`.
    VectorSelector(VectorSelector),
    /// `selector[5m]`.
    MatrixSelector(MatrixSelector),
    /// `expr[1h:5m]`.
    Subquery(Subquery),
    /// `function(args)`.
    Call(Call),
    /// `sum by (label) (expr)`.
    Aggregate(Aggregate),
    /// `lhs + on(label) rhs`.
    Binary(Binary),
    /// `-expr`.
    Unary(Unary),
    /// `(expr)`.
    Paren(Box<Expr>),
}

/// A number; `1m30s` is 90 with `is_duration` set.
#[derive(Debug, Clone, Copy)]
pub struct NumberLiteral {
    /// The value; a duration in seconds.
    pub value: f64,
    /// Whether it was written as a duration: only for printing.
    pub is_duration: bool,
}

/// By bits: NaN equals itself.
impl PartialEq for NumberLiteral {
    fn eq(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits() && self.is_duration == other.is_duration
    }
}

/// The `@` modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
    /// `@ start()`.
    Start,
    /// `@ end()`.
    End,
}

/// What happens at the edges of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RangeEdges {
    /// Only samples in the range count.
    #[default]
    Plain,
    /// `anchored`: the last sample before the range counts at its start.
    Anchored,
    /// `smoothed`: values at the edges are interpolated.
    Smoothed,
}

/// Selects series, each with its latest sample. Selectors whose matchers differ in order only are equal.
#[derive(Debug, Clone)]
pub struct VectorSelector {
    /// The metric name if it was written before the braces; `matchers` holds it too. `{"name"}` is only a matcher.
    pub name: Option<String>,
    /// All matchers in the order of the text, in which `absent` counts them; the one for the name last.
    pub matchers: Vec<Matcher>,
    /// How far back in time to look; `Literal(0)` when not written. May be negative.
    pub offset: DurationValue,
    /// The `@` modifier.
    pub at: Option<At>,
    /// `anchored` or `smoothed`; on an instant selector only `smoothed` has a meaning to functions.
    pub edges: RangeEdges,
}

impl PartialEq for VectorSelector {
    fn eq(&self, other: &Self) -> bool {
        let in_order = |selector: &Self| {
            let mut texts: Vec<String> = selector.matchers.iter().map(matcher_text).collect();
            texts.sort_unstable();
            texts
        };
        self.name == other.name
            && self.offset == other.offset
            && self.at == other.at
            && self.edges == other.edges
            && (self.matchers == other.matchers || in_order(self) == in_order(other))
    }
}

/// Selects series, each with its samples in a range.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    /// The series; offset, `@` and edges of the range are kept here.
    pub selector: VectorSelector,
    /// How long the range is; a literal is positive.
    pub range: DurationValue,
}

/// Evaluates an expression at every step of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What to evaluate: an instant vector.
    pub expr: Box<Expr>,
    /// How long the range is; a literal is positive.
    pub range: DurationValue,
    /// The step; the default of the engine when not written.
    pub step: Option<DurationValue>,
    /// How far back in time the range ends; `Literal(0)` when not written. May be negative.
    pub offset: DurationValue,
    /// The `@` modifier.
    pub at: Option<At>,
}

/// A call of a function; number and types of the arguments fit the signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which function.
    pub function: Function,
    /// The arguments as written.
    pub args: Vec<Expr>,
}

/// The aggregations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum AggregateOp {
    Avg,
    Bottomk,
    Count,
    CountValues,
    Group,
    Limitk,
    LimitRatio,
    Max,
    Min,
    Quantile,
    Stddev,
    Stdvar,
    Sum,
    Topk,
}

impl AggregateOp {
    /// All aggregations, in order of their name.
    pub const ALL: [Self; 14] = [
        Self::Avg,
        Self::Bottomk,
        Self::Count,
        Self::CountValues,
        Self::Group,
        Self::LimitRatio,
        Self::Limitk,
        Self::Max,
        Self::Min,
        Self::Quantile,
        Self::Stddev,
        Self::Stdvar,
        Self::Sum,
        Self::Topk,
    ];

    /// The name in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Bottomk => "bottomk",
            Self::Count => "count",
            Self::CountValues => "count_values",
            Self::Group => "group",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
            Self::Max => "max",
            Self::Min => "min",
            Self::Quantile => "quantile",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Sum => "sum",
            Self::Topk => "topk",
        }
    }

    /// The type of the parameter before the expression, if the aggregation takes one.
    pub fn param_type(self) -> Option<ValueType> {
        match self {
            Self::Bottomk | Self::Topk | Self::Limitk | Self::LimitRatio | Self::Quantile => Some(ValueType::Scalar),
            Self::CountValues => Some(ValueType::String),
            _ => None,
        }
    }
}

/// An aggregation over an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Which aggregation.
    pub op: AggregateOp,
    /// What is aggregated.
    pub expr: Box<Expr>,
    /// The parameter of `topk`, `quantile`, `count_values` and their kind.
    pub param: Option<Box<Expr>>,
    /// The labels in `by (...)` or `without (...)`, as written.
    pub grouping: Vec<String>,
    /// Whether the labels are dropped rather than kept.
    pub without: bool,
}

/// The binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Unless,
    /// `</`: drops the observations of a histogram above the threshold.
    TrimUpper,
    /// `>/`: drops the observations of a histogram below the threshold.
    TrimLower,
}

impl BinaryOp {
    /// The operator in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// Whether it compares: such an operator filters, or answers 0 or 1 with `bool`.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }

    /// Whether it works on sets of series: `and`, `or`, `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// How many series of each side may share a match group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cardinality {
    /// One on each side.
    OneToOne,
    /// Many on the left: `group_left`.
    ManyToOne,
    /// Many on the right: `group_right`.
    OneToMany,
    /// Many on both: the set operators.
    ManyToMany,
}

impl Cardinality {
    /// As Prometheus writes it in error messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// How the series of two vectors find each other.
#[derive(Debug, Clone)]
pub struct VectorMatching {
    /// How many on each side.
    pub cardinality: Cardinality,
    /// Whether only `labels` count; otherwise all labels but those.
    pub on: bool,
    /// The labels in `on (...)` or `ignoring (...)`, as written.
    pub labels: Vec<String>,
    /// Labels that the result takes over from the "one" side.
    pub include: Vec<String>,
    /// Value of a missing series on the left.
    pub fill_left: Option<f64>,
    /// Value of a missing series on the right.
    pub fill_right: Option<f64>,
}

/// Fill values by bits: NaN equals itself.
impl PartialEq for VectorMatching {
    fn eq(&self, other: &Self) -> bool {
        self.cardinality == other.cardinality
            && self.on == other.on
            && self.labels == other.labels
            && self.include == other.include
            && self.fill_left.map(f64::to_bits) == other.fill_left.map(f64::to_bits)
            && self.fill_right.map(f64::to_bits) == other.fill_right.map(f64::to_bits)
    }
}

/// A binary operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// Which operator.
    pub op: BinaryOp,
    /// Left operand: a scalar or an instant vector.
    pub lhs: Box<Expr>,
    /// Right operand: a scalar or an instant vector.
    pub rhs: Box<Expr>,
    /// Set if and only if both operands are vectors.
    pub matching: Option<VectorMatching>,
    /// `bool`: a comparison answers 0 or 1 instead of filtering.
    pub return_bool: bool,
}

/// The unary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `+`: does nothing.
    Plus,
    /// `-`: negates and drops the metric name.
    Minus,
}

/// A sign before a scalar or an instant vector. Signs of number literals are folded into the number.
#[derive(Debug, Clone, PartialEq)]
pub struct Unary {
    /// Which sign.
    pub op: UnaryOp,
    /// The operand.
    pub expr: Box<Expr>,
}

impl Expr {
    /// What the expression evaluates to.
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            ExprKind::Number(_) => ValueType::Scalar,
            ExprKind::String(_) => ValueType::String,
            ExprKind::VectorSelector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
            ExprKind::MatrixSelector(_) | ExprKind::Subquery(_) => ValueType::Matrix,
            ExprKind::Call(call) => call.function.signature().returns,
            ExprKind::Binary(binary) => {
                let scalars = binary.matching.is_none() && binary.lhs.value_type() == ValueType::Scalar && binary.rhs.value_type() == ValueType::Scalar;
                if scalars { ValueType::Scalar } else { ValueType::Vector }
            }
            ExprKind::Unary(unary) => unary.expr.value_type(),
            ExprKind::Paren(expr) => expr.value_type(),
        }
    }

    /// The expressions directly below, in the order of the text (the parameter of an aggregation first).
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::VectorSelector(_) | ExprKind::MatrixSelector(_) => Vec::new(),
            ExprKind::Subquery(subquery) => vec![&subquery.expr],
            ExprKind::Call(call) => call.args.iter().collect(),
            ExprKind::Aggregate(aggregate) => aggregate.param.iter().map(AsRef::as_ref).chain([aggregate.expr.as_ref()]).collect(),
            ExprKind::Binary(binary) => vec![&binary.lhs, &binary.rhs],
            ExprKind::Unary(unary) => vec![&unary.expr],
            ExprKind::Paren(expr) => vec![expr],
        }
    }

    /// Calls a function for this expression and all below, parents first.
    pub fn visit<'a>(&'a self, visitor: &mut dyn FnMut(&'a Expr)) {
        visitor(self);
        for child in self.children() {
            child.visit(visitor);
        }
    }

    /// The expression without parentheses around it.
    pub fn unparenthesized(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}
