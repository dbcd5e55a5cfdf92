//! Rules: load, schedule, evaluate, state machine, group; recording rules
