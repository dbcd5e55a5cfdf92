//! The whole house: configuration, doors, APIs, shutdown.

mod config;
mod process;
mod reference;
mod serve;
mod ui;
mod world;
