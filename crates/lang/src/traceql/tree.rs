//! The syntax tree of TraceQL, whole: <https://grafana.com/docs/tempo/latest/traceql/>.
//!
//! A query is a pipeline over sets of spans, each of one trace, or an expression over series that such pipelines make. Names
//! follow Tempo's documentation: a *field expression* says something of one span, a *spanset expression* chooses and relates
//! spans, a *scalar expression* says something of a set.
//!
//! # Meaning
//! As Tempo's evaluator has it, and definite where that depends on storage or fails a query because of one span. The tests of
//! `signalbox-query` evaluate random queries by this list.
//!
//! - **Which spans.** A pipeline starts from all spans of a trace, wherever in time they are. A search answers a trace if a span
//!   that is left starts in the range; series count spans that are left and start within the steps.
//! - **Values.** What a span lacks is *nil*; so are bytes, maps and what does not calculate: division of integers by zero,
//!   arithmetic with other than numbers, `!` of other than a truth. `resource.service.name` is nil where it is empty.
//! - **Numbers.** Integers, floating point and durations compare and calculate with each other. Two integers make an integer,
//!   division rounds toward zero; everything else makes floating point.
//! - **Comparisons** of other types with each other hold nothing, not even `!=`, and so do comparisons with nil: `.a != 1` needs
//!   an `.a`. `= nil` and `!= nil` ask whether there is a value. Text is ordered by bytes, patterns match all of it.
//! - **Logic.** A side that is no truth counts as false.
//! - **Several values.** Of an array any value may hold a comparison, `!=` and `!~` all must. Of several events or links any may
//!   hold any comparison; elsewhere the first one counts.
//! - **Hanging together.** A span is below the span whose identifier it names as its parent; where that is shared by two sides of
//!   a call, below the other side. Spans that no root is above of stand in no relation, and have zeros as numbers of the nested
//!   set. Roots are siblings. Spans are in the order of start, the longer first, then of identifier.
//! - **Structural operators** take one set on each side; several are an error of the query.
//! - **Aggregates** but `count` are over the spans whose value is a number; a set without any is dropped. Sums are of the type
//!   of all numbers, else floating point.
//! - **`by`** makes a set for each value, nil too, in the order of their first spans; **`coalesce`** forgets what sets are called.
//! - **Series** have durations in seconds. Counts without labels are there without spans too, all others with their first value.

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What is asked.
    pub root: Root,
    /// `with(name=value, …)`.
    pub hints: Vec<Hint>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Root {
    /// Sets of spans: a search.
    Spansets(Pipeline),
    /// Series: a metrics query.
    Metrics(MetricsExpr),
}

/// One hint.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Static,
}

/// Stages, each over what the one before left; the first over all spans of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// At least one.
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Chooses spans of each set.
    Spanset(SpansetExpr),
    /// Keeps the sets whose values compare so.
    Scalar(ScalarFilter),
    /// Splits each set by the value of an expression.
    By(FieldExpr),
    /// Joins the sets of a trace into one.
    Coalesce,
    /// Answers these fields of each span too.
    Select(Vec<Attribute>),
}

/// Chooses and relates spans of one set.
#[derive(Debug, Clone, PartialEq)]
pub enum SpansetExpr {
    /// `{ … }`; `None` for `{}`, which every span holds.
    Filter(Option<FieldExpr>),
    /// A pipeline in parentheses as an operand.
    Pipeline(Pipeline),
    /// Two sets related.
    Binary(SpansetOp, Box<SpansetExpr>, Box<SpansetExpr>),
}

/// How two sets of spans of one trace are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpansetOp {
    /// `&&`: the spans of both, if neither is empty.
    And,
    /// `||`: the spans of both.
    Or,
    /// A structural operator.
    Structural(Relation, Answer),
}

/// How a span of the right side stands to one of the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `>`: the right is a child of the left.
    Child,
    /// `<`: the right is the parent of the left.
    Parent,
    /// `>>`: the right is below the left.
    Descendant,
    /// `<<`: the right is above the left.
    Ancestor,
    /// `~`: both have one parent.
    Sibling,
}

/// Which spans a structural operator answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The spans of the right side that stand so to one of the left.
    Right,
    /// `!` before the operator: those of the right side that stand so to none of the left.
    NotRight,
    /// `&` before the operator: those of both sides that stand so.
    Both,
}

/// Keeps the sets of which an aggregate compares so with a number.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalarFilter {
    /// What of the set.
    pub aggregate: Aggregate,
    /// Of what of its spans; `None` for `count` alone.
    pub field: Option<FieldExpr>,
    /// How.
    pub op: CompareOp,
    /// With what: a number or a duration.
    pub value: Static,
}

/// Over the spans of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// How many spans.
    Count,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Sum of values.
    Sum,
    /// Mean of values.
    Avg,
}

/// Says something of one span.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldExpr {
    /// The same for all spans.
    Static(Static),
    /// Of the span.
    Attribute(Attribute),
    /// `!a`
    Not(Box<FieldExpr>),
    /// `-a`
    Negative(Box<FieldExpr>),
    /// `a && b`
    And(Box<FieldExpr>, Box<FieldExpr>),
    /// `a || b`
    Or(Box<FieldExpr>, Box<FieldExpr>),
    /// `a = b`, …; `a = nil` says that `a` has no value, `a != nil` that it has one: `nil` stands nowhere else, and on the right.
    Compare(CompareOp, Box<FieldExpr>, Box<FieldExpr>),
    /// `a + b`, …
    Arithmetic(ArithmeticOp, Box<FieldExpr>, Box<FieldExpr>),
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

impl CompareOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    /// Whether the operator asks for order.
    pub fn is_ordering(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterEqual | Self::Less | Self::LessEqual)
    }

    /// Whether the operator takes a regular expression.
    pub fn is_regex(self) -> bool {
        matches!(self, Self::Regex | Self::NotRegex)
    }
}

/// Arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
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
}

/// Something that a span has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// A field of the data model.
    Intrinsic(Intrinsic),
    /// A named attribute.
    Named(Scope, String),
}

/// Where a named attribute is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `.name`: the span's own, else the resource's.
    Any,
    /// `span.name`
    Span,
    /// `resource.name`
    Resource,
    /// `event.name`: of any event of the span.
    Event,
    /// `link.name`: of any link of the span.
    Link,
    /// `instrumentation.name`
    Instrumentation,
}

/// A field of the data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Intrinsic {
    /// `name`, `span:name`
    Name,
    /// `duration`, `span:duration`: nanoseconds.
    Duration,
    /// `status`, `span:status`
    Status,
    /// `statusMessage`, `span:statusMessage`
    StatusMessage,
    /// `kind`, `span:kind`
    Kind,
    /// `span:id`: hexadecimal digits.
    SpanId,
    /// `span:parentID`: hexadecimal digits.
    ParentId,
    /// `childCount`, `span:childCount`
    ChildCount,
    /// `nestedSetLeft`
    NestedSetLeft,
    /// `nestedSetRight`
    NestedSetRight,
    /// `nestedSetParent`: -1 for a root.
    NestedSetParent,
    /// `trace:id`: hexadecimal digits.
    TraceId,
    /// `traceDuration`, `trace:duration`: nanoseconds.
    TraceDuration,
    /// `rootName`, `trace:rootName`
    RootName,
    /// `rootServiceName`, `trace:rootService`
    RootService,
    /// `event:name`
    EventName,
    /// `event:timeSinceStart`: nanoseconds after the start of the span.
    EventTimeSinceStart,
    /// `link:traceID`: hexadecimal digits.
    LinkTraceId,
    /// `link:spanID`: hexadecimal digits.
    LinkSpanId,
    /// `instrumentation:name`
    InstrumentationName,
    /// `instrumentation:version`
    InstrumentationVersion,
}

/// Words of status codes, by code.
pub const STATUS_WORDS: [&str; 3] = ["unset", "ok", "error"];
/// Words of span kinds, by number.
pub const KIND_WORDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// A value that is written in the query.
#[derive(Debug, Clone, PartialEq)]
pub enum Static {
    /// No value.
    Nil,
    /// Integer.
    Int(i64),
    /// Floating point.
    Float(f64),
    /// Text.
    Text(String),
    /// Truth.
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// OTLP status code: 0 unset, 1 ok, 2 error.
    Status(i32),
    /// OTLP span kind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    Kind(i32),
    /// Values of an attribute that has several. There are none in the text of a query.
    Array(Vec<Static>),
}

/// An expression over series.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricsExpr {
    /// Series of the spans of a pipeline.
    Spans {
        /// Chooses the spans.
        pipeline: Pipeline,
        /// Makes series of them.
        function: MetricsFunction,
    },
    /// The same at every step.
    Number(f64),
    /// Arithmetic, series by series of equal labels; a number goes with each.
    Binary(ArithmeticOp, Box<MetricsExpr>, Box<MetricsExpr>),
    /// A further stage over the series.
    Then(Box<MetricsExpr>, SeriesStage),
}

/// Makes series of spans.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricsFunction {
    /// Spans a second.
    Rate {
        /// Labels of the series.
        by: Vec<Attribute>,
    },
    /// Spans a step.
    CountOverTime {
        /// Labels of the series.
        by: Vec<Attribute>,
    },
    /// Least, greatest, mean or sum of a field.
    OverTime {
        /// Which; never `Count`.
        aggregate: Aggregate,
        /// Of what.
        field: Attribute,
        /// Labels of the series.
        by: Vec<Attribute>,
    },
    /// Quantiles of a field, one series each with the label `p`.
    QuantileOverTime {
        /// Of what.
        field: Attribute,
        /// Each between 0 and 1.
        quantiles: Vec<f64>,
        /// Labels of the series.
        by: Vec<Attribute>,
    },
    /// Counts by powers of two of a field, one series each with the label `__bucket`.
    HistogramOverTime {
        /// Of what.
        field: Attribute,
        /// Labels of the series.
        by: Vec<Attribute>,
    },
    /// Spans that hold the filter against those that do not, by every attribute and value.
    Compare {
        /// What the spans of the selection hold; `None` for `{}`.
        selection: Option<FieldExpr>,
        /// Values of each attribute, the most frequent first.
        top: u32,
        /// Start of the window of the selection, nanoseconds since the Unix epoch; 0 for all.
        start_ns: i64,
        /// End of the window of the selection, nanoseconds since the Unix epoch; 0 for all.
        end_ns: i64,
    },
}

/// A further stage over series.
#[derive(Debug, Clone, PartialEq)]
pub enum SeriesStage {
    /// The greatest series at each step.
    TopK(u32),
    /// The least series at each step.
    BottomK(u32),
    /// The points that compare so.
    Filter(CompareOp, f64),
}
