//! Where buckets of time begin.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::search::times::Unit;

/// How wide a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// So many nanoseconds, positive.
    Fixed(i64),
    /// A unit of the calendar.
    Calendar(CalendarUnit),
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
    /// From the first of January, April, July or October.
    Quarter,
    /// From the first of January.
    Year,
}

impl CalendarUnit {
    fn unit(self) -> Unit {
        match self {
            Self::Minute => Unit::Minute,
            Self::Hour => Unit::Hour,
            Self::Day => Unit::Day,
            Self::Week => Unit::Week,
            Self::Month => Unit::Month,
            Self::Quarter => Unit::Quarter,
            Self::Year => Unit::Year,
        }
    }
}

/// Where buckets of time begin.
#[derive(Debug, Clone, PartialEq)]
pub struct DateRounding {
    /// How wide they are.
    pub interval: Interval,
    /// Whose clocks say where days begin.
    pub zone: TimeZone,
    /// How much later than that they begin, in nanoseconds.
    pub offset_ns: i64,
}

/// Clocks are put forward or back at multiples of this.
const SHIFT_NS: i64 = 900_000_000_000;

/// Rounds instants, which mostly come in order: remembers the last bucket.
#[derive(Debug)]
pub(super) struct Rounder {
    rounding: DateRounding,
    /// Offset of the zone from UTC, if it is always the same.
    fixed: Option<i64>,
    /// Instants from the first to before the second are in the bucket of the third.
    last: (i64, i64, i64),
}

impl Rounder {
    pub(super) fn new(rounding: DateRounding) -> Self {
        let fixed = rounding.zone.to_fixed_offset().ok().map(|offset| i64::from(offset.seconds()) * 1_000_000_000);
        Self { rounding, fixed, last: (0, 0, 0) }
    }

    /// The beginning of the bucket of an instant.
    pub(super) fn round(&mut self, time_ns: i64) -> i64 {
        let (from, to, bucket) = self.last;
        if from <= time_ns && time_ns < to {
            return bucket;
        }
        self.last = self.bucket(time_ns);
        self.last.2
    }

    fn bucket(&self, time_ns: i64) -> (i64, i64, i64) {
        let shifted = time_ns.saturating_sub(self.rounding.offset_ns);
        let (from, to, bucket) = match self.rounding.interval {
            Interval::Fixed(width) => {
                let offset = self.fixed.unwrap_or_else(|| self.offset_at(shifted));
                let local = shifted.saturating_add(offset).div_euclid(width).saturating_mul(width);
                let bucket = local.saturating_sub(offset);
                // Clocks may have been shifted since the bucket began.
                let bucket = if self.fixed.is_some() { bucket } else { local.saturating_sub(self.offset_at(bucket)) };
                let end = bucket.saturating_add(width);
                match self.fixed {
                    Some(_) => (bucket, end, bucket),
                    // The offset holds for the quarter of an hour at least.
                    None => {
                        let block = shifted.div_euclid(SHIFT_NS).saturating_mul(SHIFT_NS);
                        (bucket.max(block), end.min(block.saturating_add(SHIFT_NS)), bucket)
                    }
                }
            }
            Interval::Calendar(unit) => self.calendar(shifted, unit.unit()).unwrap_or((shifted, shifted.saturating_add(1), shifted)),
        };
        let back = |time: i64| time.saturating_add(self.rounding.offset_ns);
        (back(from), back(to), back(bucket))
    }

    fn offset_at(&self, time_ns: i64) -> i64 {
        let timestamp = Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default();
        i64::from(self.rounding.zone.to_offset(timestamp).seconds()) * 1_000_000_000
    }

    fn calendar(&self, time_ns: i64, unit: Unit) -> Option<(i64, i64, i64)> {
        let at = Timestamp::from_nanosecond(time_ns.into()).ok()?.to_zoned(self.rounding.zone.clone());
        let start = unit.floor(&at)?;
        let end = start.checked_add(unit.times(1)?).ok()?;
        let start_ns = i64::try_from(start.timestamp().as_nanosecond()).ok()?;
        let end_ns = i64::try_from(end.timestamp().as_nanosecond()).unwrap_or(i64::MAX);
        Some((start_ns, end_ns, start_ns))
    }

    /// The beginning of the bucket after one that begins here; the same if there is none.
    pub(super) fn next(&mut self, bucket: i64) -> i64 {
        match self.rounding.interval {
            Interval::Fixed(width) => {
                let next = self.round(bucket.saturating_add(width));
                // When clocks are put back an hour of theirs is twice as long.
                if next > bucket { next } else { self.round(bucket.saturating_add(width.saturating_mul(2))) }
            }
            Interval::Calendar(_) => {
                let (_, end, _) = self.bucket(bucket);
                self.round(end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn starts(interval: Interval, zone: &str, offset_ns: i64, from: &str, count: usize) -> Vec<String> {
        let mut rounder = Rounder::new(DateRounding { interval, zone: crate::search::times::zone(zone).unwrap(), offset_ns });
        let at: Timestamp = from.parse().unwrap();
        let mut bucket = rounder.round(at.as_nanosecond() as i64);
        let mut starts = Vec::new();
        for _ in 0..count {
            starts.push(Timestamp::from_nanosecond(bucket.into()).unwrap().to_string());
            bucket = rounder.next(bucket);
        }
        starts
    }

    #[test]
    fn buckets_begin_where_they_should() {
        let hour = 3_600_000_000_000;
        assert_eq!(starts(Interval::Fixed(hour), "UTC", 0, "2024-01-01T01:59:59.9Z", 2), ["2024-01-01T01:00:00Z", "2024-01-01T02:00:00Z"]);
        assert_eq!(starts(Interval::Fixed(hour), "UTC", hour / 2, "2024-01-01T01:10:00Z", 2), ["2024-01-01T00:30:00Z", "2024-01-01T01:30:00Z"]);
        assert_eq!(starts(Interval::Fixed(24 * hour), "+02:00", 0, "2024-01-01T23:00:00Z", 2), ["2024-01-01T22:00:00Z", "2024-01-02T22:00:00Z"]);
        assert_eq!(starts(Interval::Fixed(hour), "UTC", 0, "1969-12-31T23:30:00Z", 2), ["1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"]);
        let month = Interval::Calendar(CalendarUnit::Month);
        assert_eq!(starts(month, "UTC", 0, "2024-01-31T12:00:00Z", 3), ["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"]);
        let week = Interval::Calendar(CalendarUnit::Week);
        assert_eq!(starts(week, "UTC", 0, "2024-01-03T12:00:00Z", 2), ["2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z"]);
    }

    #[test]
    fn days_are_as_long_as_clocks_say() {
        if TimeZone::get("Europe/Berlin").is_err() {
            return;
        }
        let day = Interval::Calendar(CalendarUnit::Day);
        let spring = ["2024-03-29T23:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"];
        assert_eq!(starts(day, "Europe/Berlin", 0, "2024-03-30T12:00:00Z", 3), spring);
        let fixed = Interval::Fixed(24 * 3_600_000_000_000);
        assert_eq!(starts(fixed, "Europe/Berlin", 0, "2024-03-30T12:00:00Z", 3), spring);
        assert_eq!(starts(fixed, "Europe/Berlin", 0, "2024-10-27T12:00:00Z", 2), ["2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"]);
    }
}
