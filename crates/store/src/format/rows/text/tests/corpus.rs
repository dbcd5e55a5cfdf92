//! Random rows of everything that lines have in them, and random questions about them.

use super::*;

/// A stream of numbers.
pub(super) struct Random(pub(super) u64);

const WORDS: &[&str] = &[
    "timeout",
    "Timeout",
    "connection",
    "refused",
    "user",
    "GET",
    "panic",
    "NullPointerException",
    "a",
    "of",
    "error",
    "ERROR",
    "request_id",
    "cafe",
    "dead",
    "größe",
    "Straße",
    "用户登录失败",
    "é",
    "x86_64",
    "utf8",
    "v1beta1",
    "200",
    "404",
    "7",
    "0x1f",
    "e29b",
    "12ms",
    "TLSv1",
];
const GAPS: &[&str] = &[" ", " ", " ", "=", ": ", "-", ".", "/", "\"", "…", ", ", "\n", "\u{a0}", ""];

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound as u64) as usize
    }

    fn of(&mut self, letters: &[u8], size: usize) -> String {
        (0..size).map(|_| letters[self.below(letters.len())] as char).collect()
    }

    pub(super) fn letters(&mut self, size: usize) -> String {
        self.of(b"abcdefghijklmnopqrstuvwxyz", size)
    }

    pub(super) fn hex(&mut self, size: usize) -> String {
        self.of(b"0123456789abcdef", size)
    }

    pub(super) fn digits(&mut self, size: usize) -> String {
        self.of(b"0123456789", size)
    }

    pub(super) fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|size| self.hex(size)).join("-")
    }

    pub(super) fn ip(&mut self) -> String {
        format!("10.{}.{}.{}", self.below(3), self.below(256), self.below(256))
    }

    fn token(&mut self) -> String {
        match self.below(20) {
            0 => self.uuid(),
            1 => self.uuid().to_ascii_uppercase(),
            2 => self.ip(),
            3 => format!("{}.{}", self.ip(), self.below(3000)),
            4 => format!("v{}x", self.ip()),
            5 => self.hex(16),
            6 => self.hex(32),
            7 => self.hex(7).to_ascii_uppercase(),
            8 => {
                let size = 1 + self.below(14);
                self.digits(size)
            }
            9 => {
                let size = 5 + self.below(60);
                self.of(b"ABCDEFabcdefXYZxyz0123456789_", size)
            }
            10 => self.letters(5),
            11 if self.below(20) == 0 => self.hex(300),
            12 => format!("{}-{}", self.hex(4), self.hex(4)),
            13 => "订单".to_owned() + &self.digits(8),
            _ => WORDS[self.below(WORDS.len())].to_owned(),
        }
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(9) {
            text += &self.token();
            text += GAPS[self.below(GAPS.len())];
        }
        text
    }

    pub(super) fn row(&mut self) -> Row {
        let values = (0..self.below(3)).map(|_| if self.below(2) == 0 { self.token() } else { self.text() }).collect();
        (self.text(), values)
    }

    /// A piece of a row more often than not.
    fn phrase(&mut self, rows: &[Row]) -> Phrase {
        let (body, values) = &rows[self.below(rows.len())];
        let texts: Vec<&String> = values.iter().chain([body]).collect();
        let text = match self.below(8) {
            0 => self.token(),
            _ => texts[self.below(texts.len())].clone(),
        };
        let places: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        let from = if self.below(4) == 0 { 0 } else { self.below(places.len()) };
        let size = [3, 8, 20, 60][self.below(4)];
        let to = if self.below(4) == 0 { places.len() - 1 } else { (from + self.below(size)).min(places.len() - 1) };
        let mut phrase = phrase(&text[places[from.min(to)]..places[to]]);
        phrase.starts_word = self.below(3) == 0;
        phrase.ends_word = self.below(3) == 0;
        if self.below(3) == 0 {
            phrase.is_case_sensitive = false;
            phrase.text = if self.below(2) == 0 { phrase.text.to_ascii_uppercase() } else { phrase.text.to_ascii_lowercase() };
        }
        phrase
    }

    /// Mostly of one phrase.
    pub(super) fn filter(&mut self, rows: &[Row]) -> TextFilter {
        let clauses = if self.below(4) == 0 { 2 } else { 1 };
        TextFilter {
            clauses: (0..clauses)
                .map(|_| {
                    let phrases = if self.below(4) == 0 { 2 } else { 1 };
                    (0..phrases).map(|_| self.phrase(rows)).collect()
                })
                .collect(),
        }
    }
}
