//! Cuts text into words, in one pass.

/// The words of a text, in order.
pub fn words(text: &str) -> Words<'_> {
    Words { text, at: 0 }
}

/// Of what a word is made: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u8);

impl Marks {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Digits.
    pub const DIGIT: Self = Self(1);
    /// The letters that are digits of hexadecimal numbers too, of either case.
    pub const HEX: Self = Self(2);
    /// Other letters of ASCII, and `_`.
    pub const LETTER: Self = Self(4);
    /// Letters and digits beyond ASCII.
    pub const WIDE: Self = Self(8);

    /// Both together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has any of the other.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether it has nothing but the other, of it any part.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Of what a byte makes a word: nothing if it stands between words. Bytes beyond ASCII are [`Marks::WIDE`], whatever the
    /// character is that they belong to.
    pub const fn of_byte(byte: u8) -> Self {
        Self(TABLE[byte as usize])
    }
}

/// Which bytes are in a word, and of what kind they are.
const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => Marks::DIGIT.0,
            b'a'..=b'f' | b'A'..=b'F' => Marks::HEX.0,
            b'g'..=b'z' | b'G'..=b'Z' | b'_' => Marks::LETTER.0,
            0x80.. => Marks::WIDE.0,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Of what it is made.
    pub marks: Marks,
}

impl Word {
    /// Its length in bytes.
    pub fn size(&self) -> usize {
        self.end - self.start
    }
}

/// Words, one after the other.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl Words<'_> {
    /// Goes on behind a place of the text, which must be the end of a character and not before the last word's end.
    pub fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Bytes of the character beyond ASCII at a place, and whether it is part of a word.
    #[cold]
    fn wide(&self, at: usize) -> (usize, bool) {
        match self.text.get(at..).and_then(|rest| rest.chars().next()) {
            Some(character) => (character.len_utf8(), character.is_alphanumeric()),
            None => (1, false),
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    #[inline]
    fn next(&mut self) -> Option<Word> {
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        loop {
            match TABLE[usize::from(*bytes.get(at)?)] {
                0 => at += 1,
                mark if mark == Marks::WIDE.0 => match self.wide(at) {
                    (_, true) => break,
                    (size, false) => at += size,
                },
                _ => break,
            }
        }
        let (start, mut marks) = (at, 0);
        while let Some(byte) = bytes.get(at) {
            match TABLE[usize::from(*byte)] {
                0 => break,
                mark if mark == Marks::WIDE.0 => match self.wide(at) {
                    (size, true) => at += size,
                    (_, false) => break,
                },
                mark => {
                    marks |= mark;
                    at += 1;
                    continue;
                }
            }
            marks |= Marks::WIDE.0;
        }
        self.at = at;
        Some(Word { start, end: at, marks: Marks(marks) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        words(text).map(|word| &text[word.start..word.end]).collect()
    }

    #[test]
    fn words_are_runs_of_letters_digits_and_low_lines() {
        assert_eq!(cut(""), [""; 0]);
        assert_eq!(cut(" - \n"), [""; 0]);
        assert_eq!(cut("GET /api/v1/items?id=42"), ["GET", "api", "v1", "items", "id", "42"]);
        assert_eq!(cut("user_id=\"a-b\""), ["user_id", "a", "b"]);
        assert_eq!(cut("10.0.0.7:80"), ["10", "0", "0", "7", "80"]);
    }

    #[test]
    fn other_scripts_have_words_too() {
        assert_eq!(cut("Größe…“zu groß”\u{a0}x"), ["Größe", "zu", "groß", "x"]);
        assert_eq!(cut("用户登录失败，订单12号"), ["用户登录失败", "订单12号"]);
        assert_eq!(cut("→"), [""; 0]);
        assert_eq!(cut("é"), ["é"]);
    }

    #[test]
    fn marks_say_of_what_a_word_is_made() {
        let marks = |text: &str| words(text).next().map(|word| word.marks);
        assert_eq!(marks("0042"), Some(Marks::DIGIT));
        assert_eq!(marks("dead"), Some(Marks::HEX));
        assert_eq!(marks("DeadBeef7"), Some(Marks::DIGIT.with(Marks::HEX)));
        assert_eq!(marks("user_1"), Some(Marks::DIGIT.with(Marks::HEX).with(Marks::LETTER)));
        assert_eq!(marks("ß"), Some(Marks::WIDE));
        assert!(Marks::DIGIT.is_within(Marks::DIGIT.with(Marks::HEX)) && !Marks::LETTER.has(Marks::DIGIT));
    }
}
