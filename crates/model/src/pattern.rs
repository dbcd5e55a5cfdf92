//! The pattern of a log line: its text with `<_>` for what varies, such as `user <_> logged in from <_>`.
//!
//! Lines that one statement of a program wrote have one pattern more often than not, so patterns group lines, and the lines of
//! a pattern resemble each other. What varies is seen in one pass over one line, without comparing lines: words with
//! digits, long runs of letters, values of JSON and logfmt, single words in quotes. So the pattern of a line never changes, and
//! can be made anywhere. Each `<_>` stands for one character or more; the text between them is in the line as it is in the
//! pattern, in this order, from the start of the line to its end: a pattern finds its lines again.

/// What stands for a part that varies.
pub const VARIABLE: &str = "<_>";
/// Bytes of a pattern at most; what would be longer ends with [`VARIABLE`].
pub const PATTERN_BYTES_MAX: usize = 256;
/// Bytes of a line that are looked at.
const LINE_BYTES_MAX: usize = 2048;
/// Letters of a word at least that is taken for an identifier although no digit is in it.
const LONG_WORD: usize = 32;
/// Hexadecimal letters that are taken for an identifier: no word of a language is so long.
const LONG_HEX: usize = 8;
/// Bytes of a key of JSON at most that is kept.
const KEY_BYTES_MAX: usize = 64;
/// Keys whose values say what a line is about.
const TELLING_KEYS: [&str; 11] = ["level", "lvl", "severity", "msg", "message", "event", "method", "log.level", "logger", "component", "error"];

/// The pattern of a line; the empty text for a blank one.
pub fn of(line: &str) -> String {
    let mut pattern = String::with_capacity(line.len().min(PATTERN_BYTES_MAX));
    write(line, &mut pattern);
    pattern
}

/// As [`of`], into a text that is emptied first.
pub fn write(line: &str, pattern: &mut String) {
    pattern.clear();
    let text = line.trim_ascii();
    let mut end = text.len().min(LINE_BYTES_MAX);
    if let Some(first_line) = memchr_newline(&text.as_bytes()[..end]) {
        end = first_line;
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut writer = Writer { text: &text[..end], at: 0, pattern, is_json: text.starts_with('{'), in_quotes: false };
    let is_cut = !writer.run() || end < text.len();
    if is_cut && !pattern.ends_with(VARIABLE) {
        pattern.push_str(VARIABLE);
    }
}

fn memchr_newline(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// What a byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        classes[byte] = if value.is_ascii_digit() {
            Class::Digit
        } else if value.is_ascii_alphabetic() || value == b'_' || value >= 0x80 {
            Class::Letter
        } else {
            Class::Other
        };
        byte += 1;
    }
    classes
};

struct Writer<'a, 'b> {
    text: &'a str,
    at: usize,
    pattern: &'b mut String,
    is_json: bool,
    /// Whether the text between two quotes is looked at word by word.
    in_quotes: bool,
}

impl Writer<'_, '_> {
    /// Writes the pattern; false if the line goes on behind it.
    fn run(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at).copied() {
            if self.pattern.len() >= PATTERN_BYTES_MAX - VARIABLE.len() {
                return false;
            }
            match byte {
                _ if CLASSES[byte as usize] != Class::Other => self.word(),
                b'"' => self.quote(),
                b'\'' => self.apostrophe(),
                b'=' => self.assignment(),
                b'[' if self.is_json && !self.in_quotes && self.last() == Some(b':') => {
                    self.at = end_of_list(bytes, self.at);
                    self.variable();
                }
                // A sign belongs to its number.
                b'-' | b'+' if self.is_digit(self.at + 1) && !self.last().is_some_and(is_word) && !self.pattern.ends_with(VARIABLE) => self.at += 1,
                b' ' if self.is_json && !self.in_quotes && self.last() == Some(b':') => {
                    // Values of JSON stand behind their colon or behind a space.
                    self.copy(1);
                    self.json_value();
                }
                b':' if self.is_json && !self.in_quotes => {
                    self.copy(1);
                    self.json_value();
                }
                _ => self.copy(1),
            }
        }
        self.truncate()
    }

    /// A word may have made the pattern too long.
    fn truncate(&mut self) -> bool {
        let mut end = PATTERN_BYTES_MAX - VARIABLE.len();
        if self.pattern.len() <= PATTERN_BYTES_MAX {
            return true;
        }
        while !self.pattern.is_char_boundary(end) {
            end -= 1;
        }
        self.pattern.truncate(end);
        false
    }

    fn last(&self) -> Option<u8> {
        self.at.checked_sub(1).and_then(|before| self.text.as_bytes().get(before).copied())
    }

    fn is_digit(&self, at: usize) -> bool {
        self.text.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
    }

    /// Copies bytes that are ASCII or whole characters.
    fn copy(&mut self, len: usize) {
        self.pattern.push_str(&self.text[self.at..self.at + len]);
        self.at += len;
    }

    /// Something that varies. How far numbers are moved to the right varies with them.
    fn variable(&mut self) {
        while self.pattern.ends_with("  ") {
            self.pattern.pop();
        }
        if !self.pattern.ends_with(VARIABLE) {
            self.pattern.push_str(VARIABLE);
        }
    }

    fn word(&mut self) {
        let bytes = self.text.as_bytes();
        let (end, has_digit) = word_end(bytes, self.at);
        let word = &bytes[self.at..end];
        if !varies(word, has_digit) || (self.last() == Some(b'/') && is_version(word)) {
            return self.copy(end - self.at);
        }
        self.at = end;
        self.variable();
        // Addresses, instants, identifiers in groups: one part.
        while let Some(joint) = bytes.get(self.at) {
            let (next, has_digit) = word_end(bytes, self.at + 1);
            let is_group = match joint {
                b'.' | b':' | b',' | b'_' | b'+' | b'@' | b'~' => has_digit,
                b'-' => has_digit || bytes[self.at + 1..next].iter().all(u8::is_ascii_hexdigit),
                _ => false,
            };
            if !is_group || next == self.at + 1 {
                break;
            }
            self.at = next;
        }
    }

    /// Keys of JSON stay, values do not, other text in quotes is looked at word by word.
    fn quote(&mut self) {
        if self.in_quotes {
            self.in_quotes = false;
            return self.copy(1);
        }
        let bytes = self.text.as_bytes();
        let Some(close) = closing_quote(bytes, self.at) else { return self.copy(1) };
        let content = &bytes[self.at + 1..close];
        if bytes.get(close + 1) == Some(&b':') && content.len() <= KEY_BYTES_MAX {
            return self.copy(close + 1 - self.at);
        }
        let is_value = matches!(self.last(), Some(b':' | b'='));
        if content.is_empty() || is_value || !content.iter().any(u8::is_ascii_whitespace) {
            return self.quoted_variable(close);
        }
        self.in_quotes = true;
        self.copy(1);
    }

    fn quoted_variable(&mut self, close: usize) {
        self.copy(1);
        if close > self.at {
            self.at = close;
            self.variable();
        }
        self.copy(1);
    }

    /// A single word in apostrophes.
    fn apostrophe(&mut self) {
        let bytes = self.text.as_bytes();
        let is_opening = !self.last().is_some_and(is_word);
        let content = bytes[self.at + 1..].iter().take(KEY_BYTES_MAX).position(|byte| *byte == b'\'' || byte.is_ascii_whitespace());
        match content.map(|len| self.at + 1 + len) {
            Some(close) if is_opening && bytes[close] == b'\'' && !bytes.get(close + 1).copied().is_some_and(is_word) => self.quoted_variable(close),
            _ => self.copy(1),
        }
    }

    /// A value of logfmt or of a query.
    fn assignment(&mut self) {
        let bytes = self.text.as_bytes();
        let key = bytes[..self.at].iter().rposition(|byte| !is_word(*byte) && *byte != b'.').map_or(0, |before| before + 1);
        let key = &self.text[key..self.at];
        self.copy(1);
        if key.is_empty() {
            return;
        }
        let is_telling = TELLING_KEYS.contains(&key);
        if bytes.get(self.at) == Some(&b'"') && !self.in_quotes {
            match closing_quote(bytes, self.at) {
                Some(_) if is_telling => {
                    self.in_quotes = true;
                    self.copy(1);
                }
                Some(close) => self.quoted_variable(close),
                None => {}
            }
            return;
        }
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | b'&' | b')' | b']' | b'}' | b'"' | b'\'' | b'<' | b'>');
        let end = bytes[self.at..].iter().position(ends).map_or(bytes.len(), |len| self.at + len);
        if end > self.at && !is_telling {
            self.at = end;
            self.variable();
        }
    }

    /// What stands behind the colon of a key of JSON.
    fn json_value(&mut self) {
        let bytes = self.text.as_bytes();
        let colon = bytes[..self.at].iter().rposition(|byte| *byte == b':').unwrap_or(0);
        let key = self.text[..colon].strip_suffix('"').and_then(|text| text.rsplit('"').next()).unwrap_or_default();
        match bytes.get(self.at) {
            Some(b'"') => match closing_quote(bytes, self.at) {
                Some(close) if close > self.at + 1 && TELLING_KEYS.contains(&key) => {
                    self.in_quotes = true;
                    self.copy(1);
                }
                Some(close) => self.quoted_variable(close),
                None => {}
            },
            Some(b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']');
                self.at = bytes[self.at..].iter().position(ends).map_or(bytes.len(), |len| self.at + len);
                self.variable();
            }
            _ => {}
        }
    }
}

fn is_word(byte: u8) -> bool {
    CLASSES[byte as usize] != Class::Other
}

/// Where the word at a place ends, and whether a digit is in it.
fn word_end(bytes: &[u8], from: usize) -> (usize, bool) {
    let (mut end, mut has_digit) = (from, false);
    while let Some(byte) = bytes.get(end) {
        match CLASSES[*byte as usize] {
            Class::Letter => {}
            Class::Digit => has_digit = true,
            Class::Other => break,
        }
        end += 1;
    }
    (end, has_digit)
}

fn varies(word: &[u8], has_digit: bool) -> bool {
    has_digit || word.len() >= LONG_WORD || (word.len() >= LONG_HEX && word.iter().all(u8::is_ascii_hexdigit))
}

/// `v1` of a path.
fn is_version(word: &[u8]) -> bool {
    word.first() == Some(&b'v') && word.len() <= 3 && word[1..].iter().all(u8::is_ascii_digit)
}

/// The quote that closes the one at a place.
fn closing_quote(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Behind the list of JSON that begins at a place; the end of the text if it does not end.
fn end_of_list(bytes: &[u8], open: usize) -> usize {
    let (mut depth, mut at) = (0usize, open);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => match closing_quote(bytes, at) {
                Some(close) => at = close,
                None => return bytes.len(),
            },
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
