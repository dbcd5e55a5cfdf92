//! LogQL over the logs of one snapshot: the first records of a log query, the series of a metric query.

mod fields;
mod labels;
mod lines;
mod log;
mod metric;
pub mod pipeline;
mod question;
mod select;
mod streams;

pub use crate::logs::{Direction, SERVICE_LABEL, UNKNOWN_SERVICE, label_name};
pub use labels::LabelSet;
pub use log::{LogAnswer, LogEntry, LogRequest};
pub use metric::{MetricAnswer, MetricRequest, MetricSeries, MetricValue};
pub use streams::StreamLabels;
