//! The roof: reads the configuration, builds the components, wires them, serves, shuts down. It contains no logic of
//! telemetry; what it knows is which component is behind which door.

pub mod boot;
pub mod cli;
pub mod config;
pub mod prometheus;
pub mod selfwatch;
pub mod serve;
pub mod shutdown;

mod admin;
mod alert_desk;
mod archive;
mod doors;
mod front;
mod peers;
mod pull;
mod reload;
mod remote;
mod rule_watch;
mod ruler;
mod rules;
mod web;

pub use boot::Server;
pub use config::Config;
