//! What secrets and personal data look like.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use regex::Regex;

/// The names of the detectors that are built in.
pub(super) const NAMES: [&str; 9] = ["credit_card", "email", "ipv4", "ipv6", "bearer_token", "jwt", "aws_key", "private_key", "password"];

/// Finds one kind of secret.
#[derive(Debug)]
pub(super) struct Detector {
    name: String,
    regex: Regex,
    check: Check,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    None,
    Card,
    Ipv4,
    Ipv6,
}

impl Detector {
    /// A detector that is built in.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (pattern, check) = match name {
            // The runs of digits that cards are made of.
            "credit_card" => (r"[0-9]+", Check::Card),
            "email" => (r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62})\.)+[A-Za-z]{2,24}", Check::None),
            "ipv4" => (r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", Check::Ipv4),
            "ipv6" => (r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9]{0,3}(?:\.[0-9]{1,3}){3})?", Check::Ipv6),
            "bearer_token" => (r"(?i:\b(?:bearer|basic)\s+)([A-Za-z0-9._~+/=\-]{8,})", Check::None),
            "jwt" => (r"\beyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]*", Check::None),
            "aws_key" => (
                r#"\b((?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|A3T[A-Z0-9])[A-Z0-9]{16})\b|(?i:aws_?(?:secret)?_?(?:access)?_?key(?:_id)?["']?\s*[:=]\s*["']?)([A-Za-z0-9/+=]{40})\b"#,
                Check::None,
            ),
            "private_key" => (r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,32}PRIVATE KEY-----|\z)", Check::None),
            "password" => (
                r#"(?i:\b(?:password|passwd|pwd|passphrase|secret|client_secret|api[_-]?key|access[_-]?token|auth[_-]?token)\\?["']?\s*[=:]\s*)(?:\\"([^"\\]+)\\"|"((?:[^"\\]|\\.)+)"|'([^']+)'|([^\s"',;&}\\]+))"#,
                Check::None,
            ),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), regex: Regex::new(pattern).expect("a constant that the tests compile"), check })
    }

    /// A detector of somebody's own.
    pub(super) fn own(name: &str, regex: Regex) -> Self {
        Self { name: name.to_owned(), regex, check: Check::None }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it finds something, in order and apart.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if matches!(self.check, Check::Card) {
            return cards(text, &self.regex.find_iter(text).map(|run| run.range()).collect::<Vec<_>>());
        }
        if self.regex.captures_len() == 1 {
            found.extend(self.regex.find_iter(text).filter_map(|candidate| self.checked(text, candidate.range())));
            return found;
        }
        for captures in self.regex.captures_iter(text) {
            let mut end = 0;
            for group in captures.iter().skip(1).flatten() {
                // A group within a group is gone with it.
                if group.start() >= end && !group.is_empty() {
                    found.push(group.range());
                    end = group.end();
                }
            }
        }
        found
    }

    fn checked(&self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        let is_part = |byte: Option<&u8>, also: &[u8]| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || also.contains(byte));
        let bytes = text.as_bytes();
        let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
        let candidate = &text[range.clone()];
        let is_found = match self.check {
            // Cards are found run by run.
            Check::None | Check::Card => true,
            Check::Ipv4 => {
                // `1.2.3.4.5` is a version; `10.0.0.1.` ends a sentence.
                let follows = bytes.get(range.end) == Some(&b'.') && bytes.get(range.end + 1).is_some_and(u8::is_ascii_digit);
                !is_part(before, b".") && !is_part(bytes.get(range.end), b"") && !follows && candidate.parse::<Ipv4Addr>().is_ok()
            }
            Check::Ipv6 => !is_part(before, b":.") && !is_part(bytes.get(range.end), b":") && is_ipv6(candidate),
        };
        is_found.then_some(range)
    }
}

/// Cards among runs of digits, which single spaces or hyphens may join, as people write them.
fn cards(text: &str, runs: &[Range<usize>]) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let mut found = Vec::new();
    let mut first = 0;
    while let Some(run) = runs.get(first) {
        let (mut last, mut digits, mut card) = (first, run.len(), None);
        let before = run.start.checked_sub(1).and_then(|at| bytes.get(at));
        while !is_word(before) && before != Some(&b'.') && digits <= 19 {
            let range = run.start..runs[last].end;
            if digits >= 13 && !is_word(bytes.get(range.end)) && is_card(&text[range.clone()]) {
                card = Some((range, last));
            }
            let Some(next) = runs.get(last + 1) else { break };
            if next.start != runs[last].end + 1 || !matches!(bytes[runs[last].end], b' ' | b'-') {
                break;
            }
            digits += next.len();
            last += 1;
        }
        first += 1;
        if let Some((range, last)) = card {
            found.push(range);
            first = last + 1;
        }
    }
    found
}

/// The digits of a network that issues cards, of its lengths, with Luhn's digit at the end.
fn is_card(candidate: &str) -> bool {
    let digits: Vec<u32> = candidate.chars().filter_map(|character| character.to_digit(10)).collect();
    let first = |count: usize| digits.iter().take(count).fold(0, |number, digit| number * 10 + digit);
    let is_issued = match digits.len() {
        13 | 19 => first(1) == 4 || matches!(first(2), 62 | 60),
        14 => matches!(first(3), 300..=305) || matches!(first(2), 36 | 38 | 39),
        15 => matches!(first(2), 34 | 37),
        16 => first(1) == 4 || matches!(first(2), 51..=55 | 60 | 62 | 64 | 65) || matches!(first(4), 2221..=2720 | 3528..=3589),
        _ => false,
    };
    let luhn: u32 = digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 }).sum();
    is_issued && luhn.is_multiple_of(10)
}

/// An address that is no time of day and no path of a program: `std::fmt` has letters beyond `f`, `a::b` has no digit.
fn is_ipv6(candidate: &str) -> bool {
    candidate.parse::<Ipv6Addr>().is_ok() && candidate.bytes().any(|byte| byte.is_ascii_digit())
}
