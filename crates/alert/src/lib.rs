//! Rules: load, schedule, evaluate, state machine, group; recording rules

mod outbox;

pub use outbox::MetaOutbox;
