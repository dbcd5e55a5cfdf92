//! The exposition formats: conformance data, real pages, and mutants of both.

mod brief;
mod conformance;
