//! Rules: load, schedule, evaluate, state machine, group; recording rules.
//!
//! Rule files are Prometheus'. `schedule` says when a group is evaluated, `evaluate` does it (asks the engine, writes recorded
//! series, moves alerts by the pure `state`), `dispatch` tells receivers by the pure `group`, through the outbox in `meta` that
//! `notify` empties. What must survive a crash is durable before anybody is told; how rules are now is on the board in `meta`,
//! where `api` reads it. Beside our own rules, other rulers post alerts; routes, silences, inhibition and time intervals are those of
//! Alertmanager.

pub mod alertmanager;
pub mod alertmanager_config;
pub mod alertmanager_file;
pub mod backtest;
pub mod catch_up;
pub mod explain;
pub mod group;
pub mod inhibit;
pub mod intervals;
pub mod limits;
pub mod mute;
pub mod presence;
pub mod preview;
pub mod relabel;
pub mod routing;
pub mod rule_file;
pub mod rule_text;
pub mod ruler;
pub mod schedule;
pub mod settings;
pub mod severity;
pub mod silence;
pub mod state;
pub mod template;
pub mod unit_test;

mod alerting;
mod ask;
mod builtin;
mod dispatch;
mod evaluate;
mod evaluation;
mod expand;
mod forward;
mod history;
mod judge;
mod link;
mod mute_log;
mod orphans;
mod outbox;
mod pace;
mod progress;
mod record;
mod refusal;
mod resume;
mod running;
mod status;
mod world;

pub use alerting::{Alerting, Peer};
pub use ask::Answers;
pub use outbox::MetaOutbox;
pub use settings::Settings;
pub use world::Parts;

#[cfg(test)]
mod dispatch_tests;
#[cfg(test)]
mod flow_tests;
#[cfg(test)]
mod simulation;
