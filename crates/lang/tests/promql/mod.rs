//! PromQL.

mod conformance;
mod golden;
mod hostile;
mod mutation;
mod spans;
