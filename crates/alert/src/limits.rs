//! Bounds of alerting.

/// Rule files that the patterns may find.
pub const FILES_MAX: usize = 10_000;
/// Bytes of one rule file.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Alerts that one rule may have at a time, where its group sets no limit.
pub const ALERTS_PER_RULE_MAX: usize = 10_000;
/// Alerts of one group that one message carries; the message says how many more there are.
pub const ALERTS_PER_MESSAGE_MAX: usize = 1_000;
/// Groups that are evaluated at the same time; others wait for their turn.
pub const EVALUATIONS_MAX: usize = 8;
