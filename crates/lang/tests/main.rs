//! The languages against the suites of the systems they come from, against goldens of our own and against hostile input.
#![allow(clippy::unwrap_used, reason = "a test fails by panic")]
#![allow(clippy::print_stderr, reason = "tests say what they counted and what they skip")]
#![allow(clippy::disallowed_methods, reason = "tests read where the data lies, measure time and run on small stacks")]

mod brief;
mod matchers;
mod promql;
mod text;
mod traceql;
