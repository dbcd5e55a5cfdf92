//! What to do after a failed attempt: pure, so that a table can test it.
//!
//! Retries grow from a second to five minutes with jitter and end after a day: an outage of a mail server or a webhook may
//! take a night. What the receiver refuses for good is not tried again; nobody gains by that, and the operator learns at once.

use std::time::Duration;

/// Delay before the second attempt, without jitter.
pub const DELAY_MIN: Duration = Duration::from_secs(1);
/// Delay that is never exceeded, unless the receiver asks for more.
pub const DELAY_MAX: Duration = Duration::from_secs(300);
/// Longest delay that a receiver can ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// A message that is older than this when an attempt fails is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// Bytes of an error's text that are kept.
pub const ERROR_BYTES_MAX: usize = 1_024;

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened, for people. At most [`ERROR_BYTES_MAX`] bytes.
    pub error: String,
    /// Whether the same message may be taken later.
    pub is_transient: bool,
    /// What the receiver asked for.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// The same message may be taken later.
    pub fn transient(error: impl Into<String>) -> Self {
        Self { error: shortened(error.into()), is_transient: true, retry_after: None }
    }

    /// The receiver will never take this message.
    pub fn permanent(error: impl Into<String>) -> Self {
        Self { error: shortened(error.into()), is_transient: false, retry_after: None }
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again at this instant, nanoseconds since the Unix epoch.
    RetryAt(i64),
    /// Make it a dead letter.
    GiveUp,
}

/// Decides after a failed attempt. `attempts` counts the failed ones with this one; `seed` makes the jitter: it should differ
/// between messages, so that they do not come back all at once.
pub fn decide(failure: &Failure, attempts: u32, enqueued_at_ns: i64, now_ns: i64, seed: u64) -> Decision {
    let age = Duration::from_nanos(u64::try_from(now_ns.saturating_sub(enqueued_at_ns)).unwrap_or(0));
    if !failure.is_transient || age >= GIVE_UP_AFTER {
        return Decision::GiveUp;
    }
    let asked = failure.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    let wait = delay(attempts, seed).max(asked);
    Decision::RetryAt(now_ns.saturating_add(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX)))
}

/// Doubles with each attempt up to [`DELAY_MAX`]; between half and all of that.
pub fn delay(attempts: u32, seed: u64) -> Duration {
    let full = DELAY_MIN.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX)).min(DELAY_MAX);
    let half = full / 2;
    let share = scramble(seed ^ u64::from(attempts).rotate_left(32)) >> 32;
    half + Duration::from_nanos(u64::try_from((half.as_nanos() * u128::from(share)) >> 32).unwrap_or(0))
}

/// Whether an HTTP status is a yes, and if not, whether to try again: server errors, timeouts and limits pass.
///
/// # Errors
/// The failure, with the start of the answer's body.
pub fn http_status(status: u16, body: &str) -> Result<(), Failure> {
    let text = format!("unexpected status code {status}{}{}", if body.is_empty() { "" } else { ": " }, body.trim());
    match status {
        200..=299 => Ok(()),
        408 | 429 | 500..=599 => Err(Failure::transient(text)),
        _ => Err(Failure::permanent(text)),
    }
}

/// Whether an SMTP reply code that is not a yes may be followed by one later. 4yz says so itself; of 5yz only what an
/// operator can mend without the message changing: authentication and encryption (RFC 4954, RFC 3207).
pub fn is_smtp_transient(code: u16) -> bool {
    matches!(code, 400..=499 | 523 | 530 | 534 | 535 | 538)
}

/// At most [`ERROR_BYTES_MAX`] bytes of a text.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > ERROR_BYTES_MAX {
        text.truncate(text.floor_char_boundary(ERROR_BYTES_MAX));
    }
    text
}

/// SplitMix64: well-mixed bits from any seed.
fn scramble(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn delays_double_with_jitter_up_to_five_minutes() {
        let full = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        for (attempts, seconds) in (1..).zip(full) {
            let delays: Vec<Duration> = (0..50).map(|seed| delay(attempts, seed)).collect();
            let all = Duration::from_secs(seconds);
            assert!(delays.iter().all(|delay| *delay >= all / 2 && *delay <= all), "{attempts}: {delays:?}");
            assert!(delays.iter().collect::<std::collections::BTreeSet<_>>().len() > 40, "jitter spreads");
        }
        assert_eq!(delay(7, 3), delay(7, 3), "a seed has one jitter");
        assert!(delay(u32::MAX, 1) <= DELAY_MAX);
    }

    #[test]
    fn a_transient_failure_is_retried_for_a_day() {
        let failure = Failure::transient("connection refused");
        let Decision::RetryAt(at_ns) = decide(&failure, 1, 0, 10 * SECOND, 7) else { panic!("it is retried") };
        assert!((10 * SECOND + SECOND / 2..=11 * SECOND).contains(&at_ns));
        let day = 24 * 3_600 * SECOND;
        assert!(matches!(decide(&failure, 300, 0, day - 1, 7), Decision::RetryAt(_)));
        assert_eq!(decide(&failure, 300, 0, day, 7), Decision::GiveUp);
        assert!(matches!(decide(&failure, 1, day, 0, 7), Decision::RetryAt(_)), "a clock that went back makes nothing old");
    }

    #[test]
    fn a_permanent_failure_is_given_up_at_once() {
        assert_eq!(decide(&Failure::permanent("no such mailbox"), 1, 0, 0, 7), Decision::GiveUp);
    }

    #[test]
    fn what_the_receiver_asks_for_is_heeded_within_an_hour() {
        let asks = |seconds| Failure { retry_after: Some(Duration::from_secs(seconds)), ..Failure::transient("slow down") };
        assert_eq!(decide(&asks(90), 1, 0, 0, 7), Decision::RetryAt(90 * SECOND));
        assert_eq!(decide(&asks(1_000_000), 1, 0, 0, 7), Decision::RetryAt(3_600 * SECOND));
        assert!(matches!(decide(&asks(0), 1, 0, 0, 7), Decision::RetryAt(at_ns) if at_ns >= SECOND / 2));
    }

    #[test]
    fn statuses_and_reply_codes_are_sorted_as_their_specifications_say() {
        for (status, is_transient) in [(500, true), (503, true), (599, true), (429, true), (408, true), (400, false), (404, false), (301, false), (100, false)]
        {
            assert_eq!(http_status(status, "").unwrap_err().is_transient, is_transient, "{status}");
        }
        http_status(200, "").unwrap();
        http_status(204, "").unwrap();
        assert_eq!(http_status(400, "no\n").unwrap_err().error, "unexpected status code 400: no");
        for (code, is_transient) in [(421, true), (450, true), (451, true), (535, true), (530, true), (550, false), (554, false), (501, false)] {
            assert_eq!(is_smtp_transient(code), is_transient, "{code}");
        }
    }

    #[test]
    fn long_errors_are_cut_between_characters() {
        let failure = Failure::transient("é".repeat(ERROR_BYTES_MAX));
        assert!(failure.error.len() <= ERROR_BYTES_MAX && failure.error.ends_with('é'));
    }
}
