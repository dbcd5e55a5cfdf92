//! Words for how bad something is, and the numbers that OpenTelemetry gives them.
//!
//! Mapping: <https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/#appendix-b-severitynumber-example-mappings>.
//! Log libraries agree on the words and not on numbers, so a number alone is only read where its range leaves no doubt.

/// The finest.
pub const TRACE: i32 = 1;
/// For those who debug.
pub const DEBUG: i32 = 5;
/// Of interest.
pub const INFO: i32 = 9;
/// Of more interest: syslog's notice.
pub const NOTICE: i32 = 10;
/// To look at some day.
pub const WARN: i32 = 13;
/// Something failed.
pub const ERROR: i32 = 17;
/// Syslog's critical.
pub const CRITICAL: i32 = 18;
/// Syslog's alert.
pub const ALERT: i32 = 19;
/// The process cannot go on.
pub const FATAL: i32 = 21;
/// Syslog's emergency.
pub const EMERGENCY: i32 = 21;

/// Longest word that is looked at.
const WORD_BYTES_MAX: usize = 16;

/// The number of a word in any case (`WARN`, `warning`, `err`, `I`, OpenTelemetry's `INFO2`), and of the digit of syslog's
/// severities or of bunyan's levels as text. `None` if it is no such word.
pub fn of_word(word: &str) -> Option<i32> {
    let word = word.trim().as_bytes();
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    let mut buffer = [0; WORD_BYTES_MAX];
    let lower = buffer.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    if lower.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(lower).ok()?.parse().ok().and_then(of_number);
    }
    match of_plain_word(lower) {
        Some(number) => Some(number),
        None => of_graded_word(lower),
    }
}

/// The short names of OpenTelemetry have grades: `TRACE2` is 2, `FATAL4` is 24.
fn of_graded_word(lower: &[u8]) -> Option<i32> {
    let (grade, name) = lower.split_last()?;
    let base = match name {
        b"trace" => TRACE,
        b"debug" => DEBUG,
        b"info" => INFO,
        b"warn" => WARN,
        b"error" => ERROR,
        b"fatal" => FATAL,
        _ => return None,
    };
    (b'1'..=b'4').contains(grade).then(|| base + i32::from(grade - b'1'))
}

fn of_plain_word(lower: &[u8]) -> Option<i32> {
    Some(match lower {
        b"trace" | b"trc" | b"verbose" | b"finest" | b"finer" | b"t" | b"v" => TRACE,
        b"debug" | b"dbg" | b"debg" | b"fine" | b"d" => DEBUG,
        b"info" | b"inf" | b"information" | b"informational" | b"i" | b"log" | b"config" => INFO,
        b"notice" | b"note" | b"n" => NOTICE,
        b"warn" | b"warning" | b"wrn" | b"w" => WARN,
        b"error" | b"err" | b"eror" | b"failure" | b"severe" | b"e" => ERROR,
        b"critical" | b"crit" | b"c" => CRITICAL,
        b"alert" | b"a" => ALERT,
        b"fatal" | b"ftl" | b"panic" | b"dpanic" | b"emerg" | b"emergency" | b"f" => FATAL,
        _ => return None,
    })
}

/// The number of a level that is a number: syslog's severities (0 to 7), or the levels of bunyan and pino (10 to 60).
/// `None` for any other.
pub fn of_number(level: i64) -> Option<i32> {
    match level {
        0..=7 => Some(of_syslog(level as u8)),
        10..=19 => Some(TRACE),
        20..=29 => Some(DEBUG),
        30..=39 => Some(INFO),
        40..=49 => Some(WARN),
        50..=59 => Some(ERROR),
        60..=69 => Some(FATAL),
        _ => None,
    }
}

/// The number of a severity of syslog (also of GELF); only the lowest three bits count.
pub fn of_syslog(severity: u8) -> i32 {
    [EMERGENCY, ALERT, CRITICAL, ERROR, WARN, NOTICE, INFO, DEBUG][usize::from(severity & 7)]
}

/// The keyword of a severity of syslog as `rsyslog` and `journalctl` spell it; only the lowest three bits count.
pub fn syslog_word(severity: u8) -> &'static str {
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"][usize::from(severity & 7)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_every_spelling_have_numbers() {
        for (word, number) in [
            ("info", 9),
            ("INFO", 9),
            (" Information ", 9),
            ("warn", 13),
            ("WARNING", 13),
            ("E", 17),
            ("error", 17),
            ("crit", 18),
            ("alert", 19),
            ("FATAL", 21),
            ("INFO2", 10),
            ("Error4", 20),
            ("trace", 1),
            ("dbg", 5),
            ("notice", 10),
            ("3", 17),
            ("30", 9),
            ("emerg", 21),
        ] {
            assert_eq!(of_word(word), Some(number), "{word}");
        }
        for word in ["", " ", "information2", "informations", "checkout", "8", "99999999999999999999", "info5", "é", "a-very-long-word-that-is-none"] {
            assert_eq!(of_word(word), None, "{word}");
        }
    }

    #[test]
    fn severities_of_syslog_have_numbers_and_words() {
        let all: Vec<_> = (0..8).map(|severity| (of_syslog(severity), syslog_word(severity))).collect();
        assert_eq!(all, [(21, "emerg"), (19, "alert"), (18, "crit"), (17, "err"), (13, "warning"), (10, "notice"), (9, "info"), (5, "debug")]);
        for (severity, word) in (0..8).map(|severity| (severity, syslog_word(severity))) {
            assert_eq!(of_word(word), Some(of_syslog(severity)));
        }
    }
}
