//! Questions over a small world, head only and after a flush: the answers must be equal.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod logs;
mod promql;
mod promql_bounds;
mod sql;
mod traces;
mod world;
