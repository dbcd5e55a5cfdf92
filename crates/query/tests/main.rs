//! Questions over a small world, head only and after a flush: the answers must be equal.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "tests say what they counted and what they skip")]
#![allow(clippy::disallowed_methods, reason = "tests read where the data lies")]

mod counts;
mod export;
mod log_orders;
mod log_surveys;
mod log_threads;
mod logql;
mod logs;
mod promql;
mod promql_bounds;
mod promql_placements;
mod promql_rollups;
mod search;
mod sql;
mod trace_metrics;
mod trace_search;
mod traceql;
mod traces;
mod world;
