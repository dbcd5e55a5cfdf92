//! The syntax tree of LogQL.
//!
//! Names are those of Loki's documentation. What the tree cannot express is no LogQL: a parser stage keeps the text of its
//! expression, which the parser has checked.

use signalbox_model::Matcher;

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Log records: a selector of streams and a pipeline.
    Logs(LogExpr),
    /// Samples computed of log records.
    Metric(MetricExpr),
}

/// `{name="value"} |= "text" | json`: records of the streams that all matchers match, that pass all stages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogExpr {
    /// Matchers of labels of streams.
    pub matchers: Vec<Matcher>,
    /// Stages in the order of the text.
    pub stages: Vec<Stage>,
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// `|= "a" or "b"`
    Line(LineFilter),
    /// `| json`, `| logfmt`, …: labels from the line.
    Parser(Parser),
    /// `| status >= 500 and method = "GET"`
    Label(LabelFilter),
    /// `| line_format "{{.msg}}"`: a Go template.
    LineFormat(String),
    /// `| label_format a=b, c="{{.d}}"`
    LabelFormat(Vec<LabelFormat>),
    /// `| decolorize`: the line without ANSI sequences.
    Decolorize,
    /// `| drop a, b="c"`
    Drop(Vec<LabelChoice>),
    /// `| keep a, b="c"`
    Keep(Vec<LabelChoice>),
}

/// `|= "a" or "b"`: a filter of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFilter {
    /// How to look.
    pub op: LineOp,
    /// What to look for. A positive filter wants one of them in the line, a negative one none.
    pub alternatives: Vec<LinePattern>,
}

/// What a line filter looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinePattern {
    /// Text, a regular expression or a pattern, as the operator says.
    Text(String),
    /// `ip("10.0.0.0/8")`: an address, a range `a-b` or a CIDR. Only with `|=` and `!=`.
    Ip(String),
}

/// How a line filter looks at the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Matches,
    /// `!~`
    NotMatches,
    /// `|>`
    HasPattern,
    /// `!>`
    LacksPattern,
}

impl LineOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Matches => "|~",
            Self::NotMatches => "!~",
            Self::HasPattern => "|>",
            Self::LacksPattern => "!>",
        }
    }

    /// Whether the filter wants none of its alternatives.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotMatches | Self::LacksPattern)
    }

    /// Whether the alternatives are regular expressions.
    pub fn is_regex(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }
}

/// A stage that reads labels from the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parser {
    /// `| json` or `| json code="response.code", first="list[0]"`
    Json(Vec<Extraction>),
    /// `| logfmt --strict --keep-empty a, b="c"`
    Logfmt {
        /// A pair that cannot be parsed is an error.
        is_strict: bool,
        /// Keys without a value become labels.
        keeps_empty: bool,
        /// Only these; all if there is none.
        extractions: Vec<Extraction>,
    },
    /// `| regexp "(?P<method>\\w+)"`
    Regexp(String),
    /// `| pattern "<method> <_> <path>"`
    Pattern(String),
    /// `| unpack`
    Unpack,
}

/// `label="expression"` of a parser stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// The label.
    pub label: String,
    /// Where its value is: a path of JSON, a key of logfmt.
    pub expression: String,
}

/// A condition over labels.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelFilter {
    /// Both hold: `and`, `,` or a space.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// One holds.
    Or(Box<LabelFilter>, Box<LabelFilter>),
    /// `method = "GET"`
    Matcher(Matcher),
    /// `status >= 500`, `duration > 10s`, `size < 20MB`
    Compare {
        /// The label.
        label: String,
        /// How.
        op: CompareOp,
        /// With what; its kind says how the label is read.
        value: Quantity,
    },
    /// `addr = ip("10.0.0.0/8")`
    Ip {
        /// The label.
        label: String,
        /// Whether the address must lie outside (`!=`).
        is_negative: bool,
        /// An address, a range or a CIDR.
        pattern: String,
    },
}

/// A number with the way in which labels are read to compare with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// A plain number.
    Number(f64),
    /// A duration in nanoseconds.
    Duration(i64),
    /// An amount of bytes.
    Bytes(u64),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `==` (or `=` in label filters)
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

impl CompareOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }

    /// Whether the comparison holds; never with NaN, but for `!=`.
    pub fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}

/// One item of `label_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFormat {
    /// The label that is set.
    pub label: String,
    /// To what.
    pub value: LabelFormatValue,
}

/// What `label_format` sets a label to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFormatValue {
    /// The value of another label, which vanishes.
    Rename(String),
    /// A Go template.
    Template(String),
}

/// One item of `drop` and `keep`.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelChoice {
    /// The label whatever its value.
    Name(String),
    /// The label if it matches.
    Matcher(Matcher),
}

/// Samples computed of log records.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricExpr {
    /// `rate({…}[5m])`
    Range(RangeAggregation),
    /// `sum by (service_name) (…)`
    Vector(VectorAggregation),
    /// Two operands.
    Binary(Box<BinaryExpr>),
    /// `label_replace(…, "dst", "$1", "src", "(.*)")`
    LabelReplace {
        /// Of what.
        expr: Box<MetricExpr>,
        /// The label that is set.
        dst: String,
        /// To what, with `$1` and `${name}`.
        replacement: String,
        /// The label that the expression is matched against.
        src: String,
        /// An anchored regular expression.
        regex: String,
    },
    /// A number. The parser computes what is arithmetic of numbers alone, so that it may be any, also none (NaN).
    Literal(f64),
    /// `vector(1)`
    Constant(f64),
}

/// An aggregation over the records of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAggregation {
    /// Which.
    pub op: RangeOp,
    /// The quantile of `quantile_over_time`.
    pub parameter: Option<f64>,
    /// Of which records.
    pub range: LogRange,
    /// Labels of the result; those of the records if there is none.
    pub grouping: Option<Grouping>,
}

/// `{…} | json | unwrap bytes(size) | status = "200" [5m] offset 1h`
#[derive(Debug, Clone, PartialEq)]
pub struct LogRange {
    /// Selector and pipeline.
    pub logs: LogExpr,
    /// The label whose values are the samples.
    pub unwrap: Option<Unwrap>,
    /// Length of the window in nanoseconds.
    pub range_ns: i64,
    /// How long ago the window ends, in nanoseconds.
    pub offset_ns: i64,
}

/// `| unwrap duration(latency) | __error__ = ""`
#[derive(Debug, Clone, PartialEq)]
pub struct Unwrap {
    /// The label.
    pub label: String,
    /// How its value becomes a number.
    pub conversion: Conversion,
    /// Conditions that hold afterwards.
    pub filters: Vec<LabelFilter>,
}

/// How a label becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// It is one.
    None,
    /// `duration(…)`: a duration, in seconds.
    Duration,
    /// `duration_seconds(…)`: the same.
    DurationSeconds,
    /// `bytes(…)`: an amount, in bytes.
    Bytes,
}

/// An aggregation over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeOp {
    /// `count_over_time`
    Count,
    /// `rate`: records (or the sum of unwrapped values) per second.
    Rate,
    /// `rate_counter`: unwrapped values are a counter.
    RateCounter,
    /// `bytes_over_time`
    Bytes,
    /// `bytes_rate`
    BytesRate,
    /// `avg_over_time`
    Avg,
    /// `sum_over_time`
    Sum,
    /// `min_over_time`
    Min,
    /// `max_over_time`
    Max,
    /// `stdvar_over_time`
    Stdvar,
    /// `stddev_over_time`
    Stddev,
    /// `quantile_over_time`
    Quantile,
    /// `first_over_time`
    First,
    /// `last_over_time`
    Last,
    /// `absent_over_time`
    Absent,
}

/// An aggregation over series.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorAggregation {
    /// Which.
    pub op: VectorOp,
    /// The number of `topk`, `bottomk` and `approx_topk`.
    pub parameter: Option<i64>,
    /// Of what.
    pub expr: Box<MetricExpr>,
    /// Labels of the groups; one group if there is none.
    pub grouping: Option<Grouping>,
}

/// An aggregation over series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VectorOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `max`
    Max,
    /// `min`
    Min,
    /// `count`
    Count,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `bottomk`
    Bottomk,
    /// `topk`
    Topk,
    /// `approx_topk`
    ApproxTopk,
    /// `sort`
    Sort,
    /// `sort_desc`
    SortDesc,
}

/// `by (a, b)` or `without (a, b)`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    /// Whether the labels are those that go.
    pub is_without: bool,
    /// Names of labels.
    pub labels: Vec<String>,
}

/// Two operands and how their series find each other.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryExpr {
    /// The operator.
    pub op: BinaryOp,
    /// The left operand.
    pub left: MetricExpr,
    /// The right operand.
    pub right: MetricExpr,
    /// `bool`: a comparison answers 0 or 1 instead of filtering.
    pub returns_bool: bool,
    /// `on` or `ignoring`.
    pub matching: Option<Matching>,
}

/// `on (a) group_left (b)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// Whether the labels are those that count (`on`), else those that do not (`ignoring`).
    pub is_on: bool,
    /// Names of labels.
    pub labels: Vec<String>,
    /// `group_left` or `group_right`.
    pub group: Option<Group>,
}

/// The side of which several series may match one of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Whether it is the left side.
    pub is_left: bool,
    /// Labels taken over from the other side.
    pub include: Vec<String>,
}

/// An operator of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `unless`
    Unless,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
    /// A comparison.
    Compare(CompareOp),
}

impl BinaryOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Unless => "unless",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
            Self::Compare(op) => op.as_str(),
        }
    }

    /// The result of two numbers: division by zero is NaN, a comparison is 1 or 0. NaN for operators of sets.
    pub fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Or | Self::And | Self::Unless => f64::NAN,
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide if right == 0.0 => f64::NAN,
            Self::Divide => left / right,
            Self::Modulo => left % right,
            Self::Power => left.powf(right),
            Self::Compare(op) => f64::from(u8::from(op.holds(left, right))),
        }
    }

    /// Higher binds stronger. All associate to the left but `^`.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Compare(_) => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Modulo => 5,
            Self::Power => 6,
        }
    }
}
