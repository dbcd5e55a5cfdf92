//! Which words are identifiers, and of what kind.

use signalbox_model::text::Marks;

/// Longer words are identifiers whatever they are made of: nobody wrote them.
const WORD_BYTES_MAX: usize = 48;
/// Numbers of more digits are identifiers: of shorter ones there are few.
const NUMBER_DIGITS_MAX: usize = 4;
/// Hexadecimal numbers with as many digits are identifiers.
const HEX_DIGITS_MIN: usize = 5;
/// So many digits among letters make an identifier: of durations and sizes with their units there are few.
const MIXED_DIGITS_MIN: usize = 5;
/// So many changes between letters and digits make one.
const MIXED_CHANGES_MIN: usize = 4;

/// Kinds of identifiers; each is made of what the one before it is made of, and more.
pub(super) const KINDS: usize = 3;
/// Lengths of this and above are not told apart.
pub(super) const LENGTH_MAX: usize = 255;

const HEXADECIMAL: Marks = Marks::DIGIT.with(Marks::HEX);

/// The kind of a word: 0 decimal, 1 hexadecimal, 2 any other. A piece of a word is of its kind or of one before it.
pub(super) fn kind_of(marks: Marks) -> usize {
    if marks.is_within(Marks::DIGIT) {
        0
    } else if marks.is_within(HEXADECIMAL) {
        1
    } else {
        2
    }
}

/// Whether there are so many words like this one that a dictionary should not hold it. Only sizes depend on the answer.
pub(super) fn is_identifier(word: &[u8], marks: Marks) -> bool {
    if word.len() > WORD_BYTES_MAX {
        return true;
    }
    if !marks.has(Marks::DIGIT) {
        return false;
    }
    match kind_of(marks) {
        0 => word.len() > NUMBER_DIGITS_MAX,
        1 => word.len() >= HEX_DIGITS_MIN,
        _ => {
            let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
            let changes = word.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
            digits >= MIXED_DIGITS_MIN || changes >= MIXED_CHANGES_MIN
        }
    }
}

/// Puts a word in the place of another, without case: bit 5 of each byte is set. What this makes equal besides letters of ASCII
/// costs a page read in vain.
pub(super) fn fold(word: &[u8], folded: &mut Vec<u8>) {
    folded.clear();
    folded.extend(word.iter().map(|byte| byte | 0x20));
}

/// Bytes of a UUID: groups of 8, 4, 4, 4 and 12 hexadecimal digits, joined by `-`.
pub(super) const UUID_BYTES: usize = 36;
/// Bytes of its first group.
pub(super) const UUID_HEAD: usize = 8;
/// Where its last group begins.
pub(super) const UUID_TAIL: usize = 24;

/// Whether text begins with a UUID; what comes behind it is for the caller to look at.
pub(super) fn begins_with_uuid(text: &[u8]) -> bool {
    let is_fit = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.get(..UUID_BYTES).is_some_and(|uuid| uuid.iter().enumerate().all(is_fit))
}

/// Whether a word is a number of at most three digits.
pub(super) fn is_short_number(word: &[u8]) -> bool {
    (1..=3).contains(&word.len()) && word.iter().all(u8::is_ascii_digit)
}

/// Whether a word may be the first or the last number of an IPv4 address.
pub(super) fn is_octet(word: &[u8]) -> bool {
    is_short_number(word) && word.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')) <= 255
}

/// Letters that occur in words without case. Numbers with a unit behind them have few, and none has as many in a row as a word of
/// a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Letters {
    /// A bit for each letter, one for `_`, one for all beyond ASCII.
    pub(super) set: u32,
    /// Letters in a row at most, as far as they are told apart.
    pub(super) run: u8,
}

impl Letters {
    /// Those of a word without case.
    pub(super) fn of(folded: &[u8]) -> Self {
        let (mut letters, mut run) = (Self::default(), 0u8);
        for byte in folded {
            let bit = match byte {
                b'0'..=b'9' => {
                    run = 0;
                    continue;
                }
                b'a'..=b'z' => byte - b'a',
                0x80.. => 27,
                _ => 26,
            };
            run = run.saturating_add(1);
            letters.set |= 1 << bit;
            letters.run = letters.run.max(run);
        }
        letters
    }

    /// Adds those of another word.
    pub(super) fn add(&mut self, other: Self) {
        self.set |= other.set;
        self.run = self.run.max(other.run);
    }

    /// Whether a word with these may be a part of one of those that the others are of.
    pub(super) fn may_be_in(self, others: Self) -> bool {
        self.set & !others.set == 0 && self.run <= others.run
    }
}
