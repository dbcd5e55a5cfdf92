//! Names of functions, aggregations and stages, and what may stand with them.

use super::ast::{Conversion, RangeOp, VectorOp};

impl RangeOp {
    const ALL: [Self; 15] = [
        Self::Count,
        Self::Rate,
        Self::RateCounter,
        Self::Bytes,
        Self::BytesRate,
        Self::Avg,
        Self::Sum,
        Self::Min,
        Self::Max,
        Self::Stdvar,
        Self::Stddev,
        Self::Quantile,
        Self::First,
        Self::Last,
        Self::Absent,
    ];

    /// The name as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count_over_time",
            Self::Rate => "rate",
            Self::RateCounter => "rate_counter",
            Self::Bytes => "bytes_over_time",
            Self::BytesRate => "bytes_rate",
            Self::Avg => "avg_over_time",
            Self::Sum => "sum_over_time",
            Self::Min => "min_over_time",
            Self::Max => "max_over_time",
            Self::Stdvar => "stdvar_over_time",
            Self::Stddev => "stddev_over_time",
            Self::Quantile => "quantile_over_time",
            Self::First => "first_over_time",
            Self::Last => "last_over_time",
            Self::Absent => "absent_over_time",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether it may have `by` or `without`.
    pub fn takes_grouping(self) -> bool {
        matches!(self, Self::Avg | Self::Stddev | Self::Stdvar | Self::Quantile | Self::Max | Self::Min | Self::First | Self::Last)
    }

    /// Whether it is computed of values, those of an unwrapped label.
    pub fn takes_unwrap(self) -> bool {
        !matches!(self, Self::Count | Self::Bytes | Self::BytesRate)
    }

    /// Whether it is computed of records, without a label that is unwrapped.
    pub fn takes_records(self) -> bool {
        matches!(self, Self::Count | Self::Bytes | Self::BytesRate | Self::Rate | Self::Absent)
    }
}

impl VectorOp {
    const ALL: [Self; 12] = [
        Self::Sum,
        Self::Avg,
        Self::Max,
        Self::Min,
        Self::Count,
        Self::Stddev,
        Self::Stdvar,
        Self::Bottomk,
        Self::Topk,
        Self::ApproxTopk,
        Self::Sort,
        Self::SortDesc,
    ];

    /// The name as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Max => "max",
            Self::Min => "min",
            Self::Count => "count",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Bottomk => "bottomk",
            Self::Topk => "topk",
            Self::ApproxTopk => "approx_topk",
            Self::Sort => "sort",
            Self::SortDesc => "sort_desc",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether it wants a number before its operand.
    pub fn takes_parameter(self) -> bool {
        matches!(self, Self::Bottomk | Self::Topk | Self::ApproxTopk)
    }
}

impl Conversion {
    /// The name as written; empty for none.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Duration => "duration",
            Self::DurationSeconds => "duration_seconds",
            Self::Bytes => "bytes",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Duration, Self::DurationSeconds, Self::Bytes].into_iter().find(|conversion| conversion.as_str().eq_ignore_ascii_case(name))
    }
}

/// Whether it is the name of an aggregation.
pub(super) fn is_function(name: &str) -> bool {
    RangeOp::of(name).is_some() || VectorOp::of(name).is_some()
}
