//! LogQL over the logs of one snapshot: the first records of a log query, the series of a metric query.

mod conditions;
mod detect;
mod fields;
mod labels;
mod lines;
mod log;
mod metric;
mod numbers;
mod patterns;
pub mod pipeline;
mod question;
mod select;
mod streams;
mod tail;
mod values;
mod volume;

pub use crate::logs::{Direction, SERVICE_LABEL, UNKNOWN_SERVICE, label_name};
pub use detect::{DetectedField, FieldKind, FieldsRequest};
pub use labels::LabelSet;
pub(crate) use log::{Context, Query, columns_to_run};
pub use log::{LogAnswer, LogEntry, LogRequest};
pub(crate) use metric::Asker;
pub use metric::{MetricAnswer, MetricRequest, MetricSeries, MetricValue};
pub use patterns::{PatternSeries, PatternsRequest};
pub use streams::StreamLabels;
pub use tail::{Tail, TailRequest, Tailed};
pub use volume::{Volume, VolumeAnswer, VolumeBy, VolumeRequest, VolumeSeries};
