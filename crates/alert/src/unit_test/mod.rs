//! Unit tests of rules, in the format of `promtool test rules`, and more than that.
//!
//! A file names rule files and holds tests: what comes in, which alerts fire at which time, what expressions answer. Beside
//! samples, log records (`input_logs`) and spans (`input_spans`) come in, so that rules of all languages are tested, and beside
//! `promql_expr_test` there are `logql_expr_test`, `traceql_expr_test` and `sql_expr_test`. What `vmalert-tool` calls
//! `metricsql_expr_test` is read as PromQL, and its `groupname` picks a group. Reading and comparing are pure; running asks and
//! writes what it is given, an instant of the test after another.

mod document;
mod expectation;
mod input;
mod junit;
mod run;
mod test_file;

pub use expectation::Comparison;
pub use junit::{Suite, junit};
pub use run::{Laboratory, Options, Outcome, run};
pub use test_file::{Test, TestFile, read};

#[cfg(test)]
pub(crate) mod tests;
