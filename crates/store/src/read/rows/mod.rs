//! Reading rows of logs and spans: head and segments as parts of a scan.

pub(crate) mod plan;
mod predicates;
pub(crate) mod reader;
mod view;

pub(crate) use view::RowView;
