//! What series there are, what they cost, and how fast new ones come: the numbers behind the cardinality page.

use signalbox_model::{Matcher, TimeRange};

/// What to count.
#[derive(Debug, Clone)]
pub struct CardinalityRequest {
    /// Only series that match all of these.
    pub matchers: Vec<Matcher>,
    /// Series that may have samples in here, as far as the indexes know.
    pub range: TimeRange,
    /// Only pairs of this label are listed; none lists those of all labels.
    pub label: Option<String>,
    /// Entries of each list at most.
    pub top: usize,
    /// Which metrics and pairs come first.
    pub order: CardinalityOrder,
    /// Length of the steps in which new series are counted, in milliseconds; at most [`STEPS_MAX`] of them.
    pub step_ms: i64,
}

/// Steps of new series at most; a range of more is counted in longer ones.
pub const STEPS_MAX: i64 = 400;

/// Labels that an answer lists at most.
pub const LABELS_MAX: usize = 10_000;

/// What a list is sorted by, largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CardinalityOrder {
    /// Series.
    #[default]
    Series,
    /// Bytes.
    Bytes,
    /// New series; pairs are sorted by series then.
    Created,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cardinality {
    /// Distinct series.
    pub series: u64,
    /// Rows of them in segments and head, in the segments that overlap the range.
    pub rows: u64,
    /// Their share of the bytes of these segments. Rows in the head are in no segment yet and count nothing.
    pub bytes: u64,
    /// Series whose first sample in the range is later than its first step.
    pub created: u64,
    /// 1 if every series was looked at. Else one in so many was, by the hash of its labels, because there are too many to
    /// hold: numbers of series, rows and bytes are estimates, and numbers of values lower bounds.
    pub sampled_one_in: u64,
    /// Distinct metric names.
    pub metric_names: u64,
    /// Distinct label names.
    pub label_names: u64,
    /// Distinct pairs of label and value.
    pub label_pairs: u64,
    /// New series by step: when the step begins in milliseconds since the Unix epoch, and how many. Ascending, all steps.
    pub created_by_step: Vec<(i64, u64)>,
    /// The first metrics.
    pub metrics: Vec<MetricCardinality>,
    /// All labels, at most [`LABELS_MAX`], those with the most values first.
    pub labels: Vec<LabelCardinality>,
    /// The first pairs of label and value.
    pub pairs: Vec<PairCardinality>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricCardinality {
    /// Name; empty for series without one.
    pub name: String,
    /// Series.
    pub series: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes in segments.
    pub bytes: u64,
    /// New series.
    pub created: u64,
}

/// One label name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCardinality {
    /// Name.
    pub name: String,
    /// Distinct values.
    pub values: u64,
    /// Series that have it.
    pub series: u64,
    /// Bytes in segments of the series that have it.
    pub bytes: u64,
    /// Bytes of its values as text, each as often as a series has it: what Prometheus calls `memoryInBytesByLabelName`.
    pub text_bytes: u64,
}

/// One value of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairCardinality {
    /// Name of the label.
    pub name: String,
    /// Value.
    pub value: String,
    /// Series that have it.
    pub series: u64,
    /// Bytes in segments of the series that have it.
    pub bytes: u64,
}
