//! The functions of PromQL and their signatures, one table.

use super::ast::ValueType;

/// How the number of arguments may differ from the declared types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// One argument a type.
    Fixed,
    /// The last may be missing.
    Optional,
    /// The last type is for an optional argument that repeats, so often at most.
    AtMost(usize),
    /// The last type is for an optional argument that repeats without a bound.
    Any,
}

/// What a function takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The name in a query.
    pub name: &'static str,
    /// The types of the arguments.
    pub args: &'static [ValueType],
    /// How many arguments there may be.
    pub arity: Arity,
    /// The type of the result.
    pub returns: ValueType,
}

impl Signature {
    /// Fewest arguments.
    pub fn args_min(&self) -> usize {
        if self.arity == Arity::Fixed { self.args.len() } else { self.args.len() - 1 }
    }

    /// Most arguments; `None` without a bound.
    pub fn args_max(&self) -> Option<usize> {
        match self.arity {
            Arity::Fixed | Arity::Optional => Some(self.args.len()),
            Arity::AtMost(repeated) => Some(self.args.len() - 1 + repeated),
            Arity::Any => None,
        }
    }

    /// Type of the argument at an index; the last type repeats.
    pub fn arg_type(&self, index: usize) -> Option<ValueType> {
        self.args.get(index).or(self.args.last()).copied()
    }
}

macro_rules! functions {
    ($($variant:ident $name:literal [$($arg:ident),*] $arity:ident$(($count:literal))? => $returns:ident;)*) => {
        /// A function of PromQL.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are those of the language")]
        pub enum Function {
            $($variant,)*
        }

        impl Function {
            /// All functions, in order of their name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What the function takes and gives.
            pub fn signature(self) -> &'static Signature {
                match self {
                    $(Self::$variant => const {
                        &Signature { name: $name, args: &[$(ValueType::$arg),*], arity: Arity::$arity$(($count))?, returns: ValueType::$returns }
                    },)*
                }
            }

            /// The function of a name. Names are case-sensitive.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

functions! {
    Abs "abs" [Vector] Fixed => Vector;
    Absent "absent" [Vector] Fixed => Vector;
    AbsentOverTime "absent_over_time" [Matrix] Fixed => Vector;
    Acos "acos" [Vector] Fixed => Vector;
    Acosh "acosh" [Vector] Fixed => Vector;
    Asin "asin" [Vector] Fixed => Vector;
    Asinh "asinh" [Vector] Fixed => Vector;
    Atan "atan" [Vector] Fixed => Vector;
    Atanh "atanh" [Vector] Fixed => Vector;
    AvgOverTime "avg_over_time" [Matrix] Fixed => Vector;
    Ceil "ceil" [Vector] Fixed => Vector;
    Changes "changes" [Matrix] Fixed => Vector;
    Clamp "clamp" [Vector, Scalar, Scalar] Fixed => Vector;
    ClampMax "clamp_max" [Vector, Scalar] Fixed => Vector;
    ClampMin "clamp_min" [Vector, Scalar] Fixed => Vector;
    Cos "cos" [Vector] Fixed => Vector;
    Cosh "cosh" [Vector] Fixed => Vector;
    CountOverTime "count_over_time" [Matrix] Fixed => Vector;
    DayOfMonth "day_of_month" [Vector] Optional => Vector;
    DayOfWeek "day_of_week" [Vector] Optional => Vector;
    DayOfYear "day_of_year" [Vector] Optional => Vector;
    DaysInMonth "days_in_month" [Vector] Optional => Vector;
    Deg "deg" [Vector] Fixed => Vector;
    Delta "delta" [Matrix] Fixed => Vector;
    Deriv "deriv" [Matrix] Fixed => Vector;
    DoubleExponentialSmoothing "double_exponential_smoothing" [Matrix, Scalar, Scalar] Fixed => Vector;
    End "end" [] Fixed => Scalar;
    Exp "exp" [Vector] Fixed => Vector;
    FirstOverTime "first_over_time" [Matrix] Fixed => Vector;
    Floor "floor" [Vector] Fixed => Vector;
    HistogramAvg "histogram_avg" [Vector] Fixed => Vector;
    HistogramCount "histogram_count" [Vector] Fixed => Vector;
    HistogramFraction "histogram_fraction" [Scalar, Scalar, Vector] Fixed => Vector;
    HistogramQuantile "histogram_quantile" [Scalar, Vector] Fixed => Vector;
    HistogramQuantiles "histogram_quantiles" [Vector, String, Scalar, Scalar] AtMost(9) => Vector;
    HistogramStddev "histogram_stddev" [Vector] Fixed => Vector;
    HistogramStdvar "histogram_stdvar" [Vector] Fixed => Vector;
    HistogramSum "histogram_sum" [Vector] Fixed => Vector;
    Hour "hour" [Vector] Optional => Vector;
    Idelta "idelta" [Matrix] Fixed => Vector;
    Increase "increase" [Matrix] Fixed => Vector;
    Info "info" [Vector, Vector] Optional => Vector;
    Irate "irate" [Matrix] Fixed => Vector;
    LabelJoin "label_join" [Vector, String, String, String] Any => Vector;
    LabelReplace "label_replace" [Vector, String, String, String, String] Fixed => Vector;
    LastOverTime "last_over_time" [Matrix] Fixed => Vector;
    Ln "ln" [Vector] Fixed => Vector;
    Log10 "log10" [Vector] Fixed => Vector;
    Log2 "log2" [Vector] Fixed => Vector;
    MadOverTime "mad_over_time" [Matrix] Fixed => Vector;
    MaxOf "max_of" [Scalar, Scalar] Fixed => Scalar;
    MaxOverTime "max_over_time" [Matrix] Fixed => Vector;
    MinOf "min_of" [Scalar, Scalar] Fixed => Scalar;
    MinOverTime "min_over_time" [Matrix] Fixed => Vector;
    Minute "minute" [Vector] Optional => Vector;
    Month "month" [Vector] Optional => Vector;
    Pi "pi" [] Fixed => Scalar;
    PredictLinear "predict_linear" [Matrix, Scalar] Fixed => Vector;
    PresentOverTime "present_over_time" [Matrix] Fixed => Vector;
    QuantileOverTime "quantile_over_time" [Scalar, Matrix] Fixed => Vector;
    Rad "rad" [Vector] Fixed => Vector;
    Range "range" [] Fixed => Scalar;
    Rate "rate" [Matrix] Fixed => Vector;
    Resets "resets" [Matrix] Fixed => Vector;
    Round "round" [Vector, Scalar] Optional => Vector;
    Scalar "scalar" [Vector] Fixed => Scalar;
    Sgn "sgn" [Vector] Fixed => Vector;
    Sin "sin" [Vector] Fixed => Vector;
    Sinh "sinh" [Vector] Fixed => Vector;
    Sort "sort" [Vector] Fixed => Vector;
    SortByLabel "sort_by_label" [Vector, String] Any => Vector;
    SortByLabelDesc "sort_by_label_desc" [Vector, String] Any => Vector;
    SortDesc "sort_desc" [Vector] Fixed => Vector;
    Sqrt "sqrt" [Vector] Fixed => Vector;
    Start "start" [] Fixed => Scalar;
    StartTimestamp "start_timestamp" [Vector] Fixed => Vector;
    StddevOverTime "stddev_over_time" [Matrix] Fixed => Vector;
    StdvarOverTime "stdvar_over_time" [Matrix] Fixed => Vector;
    Step "step" [] Fixed => Scalar;
    SumOverTime "sum_over_time" [Matrix] Fixed => Vector;
    Tan "tan" [Vector] Fixed => Vector;
    Tanh "tanh" [Vector] Fixed => Vector;
    Time "time" [] Fixed => Scalar;
    Timestamp "timestamp" [Vector] Fixed => Vector;
    TsOfFirstOverTime "ts_of_first_over_time" [Matrix] Fixed => Vector;
    TsOfLastOverTime "ts_of_last_over_time" [Matrix] Fixed => Vector;
    TsOfMaxOverTime "ts_of_max_over_time" [Matrix] Fixed => Vector;
    TsOfMinOverTime "ts_of_min_over_time" [Matrix] Fixed => Vector;
    Vector "vector" [Scalar] Fixed => Vector;
    Year "year" [Vector] Optional => Vector;
}

impl Function {
    /// The name in a query.
    pub fn as_str(self) -> &'static str {
        self.signature().name
    }
}
