//! Alertmanager's time intervals, pure: when a route is muted or active.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#time_interval>. A field that is not given holds always; one
//! that is given holds if one of its ranges does. An instant is in an interval if all fields hold.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use signalbox_model::Result;

mod read;

pub(crate) use read::RawInterval;

/// Ranges of time that come again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeInterval {
    /// Minutes of the day: from the first, up to but without the second.
    pub times: Vec<Span>,
    /// Days of the week, 0 is Sunday.
    pub weekdays: Vec<Span>,
    /// Days of the month; negative ones count from its end, -1 is the last day.
    pub days_of_month: Vec<Span>,
    /// Months, 1 is January.
    pub months: Vec<Span>,
    /// Years.
    pub years: Vec<Span>,
    /// Where the clock hangs; UTC if nothing is said.
    pub location: Option<TimeZone>,
}

/// A range, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First.
    pub begin: i32,
    /// Last.
    pub end: i32,
}

impl Span {
    fn contains(self, value: i32) -> bool {
        self.begin <= value && value <= self.end
    }
}

impl TimeInterval {
    /// From YAML: a list of intervals, as below `time_intervals` of a named interval.
    ///
    /// # Errors
    /// `Invalid` in the words of Alertmanager.
    pub fn parse_list(yaml: &str) -> Result<Vec<Self>> {
        read::list(yaml)
    }

    /// Whether an instant, in milliseconds since the Unix epoch, is in the interval.
    pub fn contains(&self, at_ms: i64) -> bool {
        let Ok(at) = Timestamp::from_millisecond(at_ms) else { return false };
        let local = at.to_zoned(self.location.clone().unwrap_or(TimeZone::UTC)).datetime();
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let holds = |ranges: &[Span], value: i32| ranges.is_empty() || ranges.iter().any(|range| range.contains(value));
        let is_day = |range: &Span| day_of_month(*range, i32::from(local.day()), i32::from(local.days_in_month()));
        (self.times.is_empty() || self.times.iter().any(|range| range.begin <= minute && minute < range.end))
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(is_day))
            && holds(&self.weekdays, i32::from(local.weekday().to_sunday_zero_offset()))
            && holds(&self.months, i32::from(local.month()))
            && holds(&self.years, i32::from(local.year()))
    }
}

/// Whether a day is in a range of days of a month with so many days. A range that begins after the end of the month holds
/// nothing in it.
fn day_of_month(range: Span, day: i32, days: i32) -> bool {
    let from_start = |day: i32| if day < 0 { days + day + 1 } else { day };
    let (begin, end) = (from_start(range.begin), from_start(range.end));
    begin <= days && begin.clamp(-days, days) <= day && day <= end.clamp(-days, days)
}

#[cfg(test)]
mod tests;
