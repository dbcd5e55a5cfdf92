//! Reading metrics: selecting series by matchers, and their samples over head and segments.

mod assemble;
pub(crate) mod cache;
mod count;
mod hints;
pub(crate) mod listing;
pub(crate) mod matching;
pub(crate) mod run;
mod scan;
mod view;

pub(crate) use view::{MetricView, Values};
