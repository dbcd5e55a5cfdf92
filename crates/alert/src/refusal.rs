//! When a receiver that said no for good is told the same again.
//!
//! Alertmanager writes its log of notifications only when one succeeded, so that one that failed is tried again whenever its group is
//! due. Of a token that is wrong that makes hundreds of refusals a day, each with a line in log and history. Here the same message
//! is tried again after the interval of its group, then after twice as long, and so on up to half an hour; what is new is
//! told when its group is due, and a changed configuration or a restart tries everything at once.

use signalbox_meta::{NewMessage, Notification};

/// Longest time until a receiver is told again what it refused, unless its group has a longer interval.
const WAIT_MAX_MS: i64 = 30 * 60_000;
/// Refusals in a row that are counted: by then the wait is the longest whatever the interval.
pub(crate) const REFUSALS_MAX: u32 = 12;

/// Whether a message is not sent yet, because it says what the receiver refused. `refusals` are the latest lines of the log for its
/// channel and group, newest first, which were all refused; those from before `since_ms` were refused by another configuration.
pub(crate) fn rests(message: &NewMessage, refusals: &[Notification], interval_ms: i64, since_ms: i64, now_ms: i64) -> bool {
    let same = sorted(&message.firing, &message.resolved);
    let is_counted = |line: &&Notification| {
        let is_of_now = line.finished_at_ns.is_some_and(|at_ns| at_ns.div_euclid(1_000_000) >= since_ms);
        is_of_now && sorted(&line.firing, &line.resolved) == same
    };
    let count = refusals.iter().take_while(is_counted).count();
    let Some(latest) = refusals.first().filter(|_| count > 0) else { return false };
    let passed_ms = now_ms.saturating_sub(latest.created_at_ns.div_euclid(1_000_000));
    // After a clock was set back, nobody waits for what was the future.
    (0..wait_ms(count, interval_ms)).contains(&passed_ms)
}

fn wait_ms(refusals: usize, interval_ms: i64) -> i64 {
    let doublings = u32::try_from(refusals.saturating_sub(1)).unwrap_or(u32::MAX).min(REFUSALS_MAX);
    interval_ms.saturating_mul(1 << doublings).min(WAIT_MAX_MS.max(interval_ms))
}

fn sorted(firing: &[u64], resolved: &[u64]) -> [Vec<u64>; 2] {
    [firing, resolved].map(|episodes| {
        let mut sorted = episodes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        sorted
    })
}

#[cfg(test)]
mod tests {
    use signalbox_meta::{MessageAbout, Outcome};

    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn refused(id: i64, at_ms: i64, firing: &[u64]) -> Notification {
        Notification {
            id,
            dedup_key: id.to_string(),
            group_key: "g".to_owned(),
            receiver: "ops".to_owned(),
            channel: "ops/slack[0]".to_owned(),
            firing: firing.to_vec(),
            resolved: Vec::new(),
            created_at_ns: at_ms * 1_000_000,
            outcome: Outcome::Dead,
            is_refused: true,
            attempts: 1,
            finished_at_ns: Some(at_ms * 1_000_000 + 1),
            error: None,
        }
    }

    fn message(firing: &[u64]) -> NewMessage {
        NewMessage {
            dedup_key: String::new(),
            group_key: "g".to_owned(),
            receiver: "ops".to_owned(),
            channel: "ops/slack[0]".to_owned(),
            firing: firing.to_vec(),
            resolved: Vec::new(),
            payload: String::new(),
            created_at_ns: 0,
            about: MessageAbout::default(),
        }
    }

    #[test]
    fn waits_double_from_the_interval_to_half_an_hour() {
        let minutes: Vec<i64> = (1..=6).map(|count| wait_ms(count, 5 * MINUTE_MS) / MINUTE_MS).collect();
        assert_eq!(minutes, [5, 10, 20, 30, 30, 30]);
        assert_eq!(wait_ms(9, 120 * MINUTE_MS), 120 * MINUTE_MS, "a group with a longer interval has no other time");
        assert_eq!(wait_ms(REFUSALS_MAX as usize, 1_000), WAIT_MAX_MS);
    }

    #[test]
    fn only_what_was_refused_by_this_configuration_rests() {
        let refusals = [refused(2, 5 * MINUTE_MS, &[1, 2]), refused(1, 0, &[1, 2])];
        let rests = |message: &NewMessage, since_ms, now_min| super::rests(message, &refusals, 5 * MINUTE_MS, since_ms, now_min * MINUTE_MS);
        let same = message(&[2, 1]);
        assert_eq!([10, 14, 15].map(|now_min| rests(&same, 0, now_min)), [true, true, false]);
        assert!(!rests(&message(&[1, 2, 3]), 0, 10), "there is news");
        assert_eq!([9, 10].map(|now_min| rests(&same, MINUTE_MS, now_min)), [true, false], "the first was refused before a reload");
        assert!(!rests(&same, 6 * MINUTE_MS, 7), "both were");
        assert!(!rests(&same, 0, 4), "the clock was set back");
        assert!(!super::rests(&same, &[], MINUTE_MS, 0, 0));
    }
}
