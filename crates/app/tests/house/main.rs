//! The whole house: configuration, doors, APIs, shutdown.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on panics, one that is skipped says so")]

mod agents;
mod alerting;
mod config;
mod process;
mod reference;
mod serve;
mod ui;
mod world;
