//! Bounds of alerting.

/// Rule files that the patterns may find.
pub const FILES_MAX: usize = 10_000;
/// Bytes of one rule file.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Templates of an Alertmanager configuration that is set over HTTP.
pub const CONFIG_TEMPLATES_MAX: usize = 100;
/// Bytes of one of them.
pub const CONFIG_TEMPLATE_BYTES_MAX: usize = 1 << 20;
/// Problems of one rule file whose places are looked for.
pub const PLACES_MAX: usize = 100;
/// Alerts that one rule may have at a time, where its group sets no limit.
pub const ALERTS_PER_RULE_MAX: usize = 10_000;
/// Alerts of one group that one message carries; the message says how many more there are.
pub const ALERTS_PER_MESSAGE_MAX: usize = 1_000;
/// Missed evaluations of one group that are made up; those before them are lost.
pub const LATE_SLOTS_MAX: u64 = 1_000;
/// Groups that make up for missed evaluations at the same time.
pub const LATE_EVALUATIONS_MAX: usize = 2;
/// Groups that are evaluated at the same time; others wait for their turn.
pub const EVALUATIONS_MAX: usize = 8;
/// Evaluations of all rules of one backtest: 30 days of minutes of 20 rules.
pub const BACKTEST_EVALUATIONS_MAX: i64 = 1_000_000;
/// Questions of one backtest that cannot be asked as ranges.
pub const BACKTEST_QUESTIONS_MAX: i64 = 20_000;
/// Alerts of one rule that a backtest lists and tells.
pub const BACKTEST_FIRINGS_MAX: usize = 10_000;
/// Messages about one rule that a backtest lists; it counts them all.
pub const BACKTEST_NOTIFICATIONS_MAX: usize = 1_000;
/// Reasons why evaluations of one rule failed that a backtest lists.
pub const BACKTEST_ERRORS_MAX: usize = 10;
/// Groups that a backtest looks at, counted each time that it looks.
pub const BACKTEST_GROUPS_MAX: usize = 20_000_000;
