//! Dates in UTC, for any number of seconds: the proleptic Gregorian calendar.

/// A date and time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: u32,
    /// From 1.
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    /// Days since 1970-01-01.
    days: i64,
}

const SECONDS_PER_DAY: i64 = 86_400;
/// Days from 0000-03-01, where years that start in March begin to count, to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_468;
/// Days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;

impl Civil {
    /// Of seconds since the Unix epoch.
    pub(super) fn of_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let rest = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
        // Counting from March puts the leap day at the end of a year.
        let shifted = days + DAYS_BEFORE_EPOCH;
        let (era, day_of_era) = (shifted.div_euclid(DAYS_PER_ERA), shifted.rem_euclid(DAYS_PER_ERA));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day, hour: rest / 3_600, minute: rest / 60 % 60, second: rest % 60, days }
    }

    fn is_leap_year(&self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    pub(super) fn days_in_month(&self) -> u32 {
        match self.month {
            2 => 28 + u32::from(self.is_leap_year()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// From 0 for Sunday.
    pub(super) fn day_of_week(&self) -> u32 {
        // 1970-01-01 was a Thursday.
        (self.days + 4).rem_euclid(7) as u32
    }

    /// From 1.
    pub(super) fn day_of_year(&self) -> u32 {
        const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        BEFORE[self.month as usize - 1] + self.day + u32::from(self.month > 2 && self.is_leap_year())
    }
}

/// `2006-01-02T15:04:05Z` of milliseconds since the Unix epoch.
pub(super) fn rfc3339(ts_ms: i64) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = Civil::of_seconds(ts_ms.div_euclid(1_000));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_seconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096_789), "2024-02-29T12:34:56Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59Z");
        let leap_day = Civil::of_seconds(1_709_210_096);
        assert_eq!((leap_day.day_of_week(), leap_day.day_of_year(), leap_day.days_in_month()), (4, 60, 29));
        let last = Civil::of_seconds(1_735_689_599);
        assert_eq!((last.year, last.month, last.day, last.day_of_year()), (2024, 12, 31, 366));
        assert_eq!(Civil::of_seconds(-2_208_988_800).year, 1900);
    }
}
