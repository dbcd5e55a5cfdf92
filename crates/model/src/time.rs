//! Time: metrics count in milliseconds, logs and spans in nanoseconds, both since the Unix epoch, as `i64`.

use std::fmt;
use std::time::Duration;

/// Nanoseconds in a millisecond.
pub const NANOS_PER_MILLI: i64 = 1_000_000;

/// Where time comes from. Nothing below `app` asks the operating system for the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Wall-clock time in nanoseconds since the Unix epoch. May step in both directions: only for timestamps.
    fn now_ns(&self) -> i64;

    /// Time since an arbitrary start that never goes back: for intervals.
    fn monotonic(&self) -> Duration;

    /// Wall-clock time in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        self.now_ns().div_euclid(NANOS_PER_MILLI)
    }
}

/// A closed range of time, both ends included, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant in the range.
    pub start_ns: i64,
    /// Last instant in the range.
    pub end_ns: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start_ns: i64::MIN, end_ns: i64::MAX };

    /// From nanoseconds, both ends included.
    pub fn from_ns(start_ns: i64, end_ns: i64) -> Self {
        Self { start_ns, end_ns }
    }

    /// From milliseconds, both ends included (the whole last millisecond belongs to the range). Saturates.
    pub fn from_ms(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ns: start_ms.saturating_mul(NANOS_PER_MILLI), end_ns: end_ms.saturating_mul(NANOS_PER_MILLI).saturating_add(NANOS_PER_MILLI - 1) }
    }

    /// First millisecond that starts in or before the range.
    pub fn start_ms(&self) -> i64 {
        if self.start_ns == i64::MIN { i64::MIN } else { self.start_ns.div_euclid(NANOS_PER_MILLI) }
    }

    /// Last millisecond of the range.
    pub fn end_ms(&self) -> i64 {
        if self.end_ns == i64::MAX { i64::MAX } else { self.end_ns.div_euclid(NANOS_PER_MILLI) }
    }

    /// Whether an instant lies in the range.
    pub fn contains_ns(&self, instant_ns: i64) -> bool {
        self.start_ns <= instant_ns && instant_ns <= self.end_ns
    }

    /// Whether two ranges share an instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start_ns <= other.end_ns && other.start_ns <= self.end_ns
    }
}
