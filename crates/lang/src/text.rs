//! Quoted text: the string literals of PromQL, LogQL and TraceQL, which are those of Go with `'` as a third quote.

use std::fmt::Write;

/// A string literal found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The value, escapes resolved. Bytes that are not UTF-8 (`"\xff"`) became U+FFFD.
    pub value: String,
    /// The bytes that were meant, if they are not UTF-8.
    pub bytes: Option<Vec<u8>>,
    /// Offset after the closing quote.
    pub end: usize,
}

/// Reads the string literal that starts at an offset: `"…"` and `'…'` with escapes and in one line, `` `…` `` as it is.
///
/// # Errors
/// A message for people, in the words of Prometheus. The caller knows the place.
pub fn read_quoted(text: &str, start: usize) -> Result<Quoted, String> {
    let mut reader = Reader { text, at: start };
    match reader.next() {
        Some('`') => reader.raw(),
        Some(quote @ ('"' | '\'')) => reader.escaped(quote),
        _ => Err("unterminated quoted string".into()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.text.get(self.at..)?.chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn raw(mut self) -> Result<Quoted, String> {
        let start = self.at;
        loop {
            match self.next() {
                None => return Err("unterminated raw string".into()),
                Some(char::REPLACEMENT_CHARACTER) => return Err("invalid UTF-8 rune".into()),
                Some('`') => return Ok(Quoted { value: self.text[start..self.at - 1].into(), bytes: None, end: self.at }),
                Some(_) => {}
            }
        }
    }

    fn escaped(mut self, quote: char) -> Result<Quoted, String> {
        // Bytes, because escapes may spell a character byte by byte.
        let mut value = Vec::new();
        loop {
            match self.next() {
                None | Some('\n') => return Err("unterminated quoted string".into()),
                // Text that was not UTF-8 on its way here; whoever means the character itself writes \ufffd.
                Some(char::REPLACEMENT_CHARACTER) => return Err("invalid UTF-8 rune".into()),
                Some('\\') => self.escape(quote, &mut value)?,
                Some(character) if character == quote => break,
                Some(character) => push(&mut value, character),
            }
        }
        let (value, bytes) = match String::from_utf8(value) {
            Ok(value) => (value, None),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(error.into_bytes())),
        };
        Ok(Quoted { value, bytes, end: self.at })
    }

    fn escape(&mut self, quote: char, value: &mut Vec<u8>) -> Result<(), String> {
        let Some(letter) = self.next() else { return Err("escape sequence not terminated".into()) };
        let byte = match letter {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            '\\' => b'\\',
            '0'..='7' => {
                self.at -= 1;
                self.code(3, 8)?.try_into().map_err(|_| INVALID_CODE.to_string())?
            }
            'x' => self.code(2, 16)?.try_into().map_err(|_| INVALID_CODE.to_string())?,
            'u' | 'U' => {
                let code = self.code(if letter == 'u' { 4 } else { 8 }, 16)?;
                push(value, char::from_u32(code).ok_or(INVALID_CODE)?);
                return Ok(());
            }
            _ if letter == quote => {
                push(value, letter);
                return Ok(());
            }
            _ => return Err(format!("unknown escape sequence {}", code_point(letter))),
        };
        value.push(byte);
        Ok(())
    }

    fn code(&mut self, digits: usize, radix: u32) -> Result<u32, String> {
        let mut code = 0u32;
        for _ in 0..digits {
            let Some(character) = self.next() else { return Err("escape sequence not terminated".into()) };
            let Some(digit) = character.to_digit(radix) else {
                return Err(format!("illegal character {} in escape sequence", code_point(character)));
            };
            // Eight hexadecimal digits are the most: they fit.
            code = code * radix + digit;
        }
        Ok(code)
    }
}

const INVALID_CODE: &str = "escape sequence is an invalid Unicode code point";

fn push(value: &mut Vec<u8>, character: char) {
    value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// `U+0071 'q'`.
fn code_point(character: char) -> String {
    if is_printable(character) { format!("U+{:04X} '{character}'", u32::from(character)) } else { format!("U+{:04X}", u32::from(character)) }
}

/// A string literal in double quotes that [`read_quoted`] reads back to the same text, escaped as Go does it.
pub fn quote(text: &str) -> String {
    quote_with(text, '"')
}

/// Bytes in double quotes; those that are not UTF-8 as `\xc5`.
pub fn quote_bytes(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let inner = quote(chunk.valid());
        quoted.push_str(&inner[1..inner.len() - 1]);
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _infallible = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

/// A character in single quotes, as error messages of Prometheus show it.
pub fn quote_char(character: char) -> String {
    quote_with(character.encode_utf8(&mut [0; 4]), '\'')
}

fn quote_with(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        let escape = match character {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            _ => "",
        };
        if !escape.is_empty() {
            quoted.push_str(escape);
        } else if character == quote {
            quoted.push('\\');
            quoted.push(quote);
        } else if is_printable(character) && character != char::REPLACEMENT_CHARACTER {
            quoted.push(character);
        } else {
            let code = u32::from(character);
            // Writing to a string cannot fail.
            let _infallible = match code {
                0..0x80 => write!(quoted, "\\x{code:02x}"),
                0x80..0x1_0000 => write!(quoted, "\\u{code:04x}"),
                _ => write!(quoted, "\\U{code:08x}"),
            };
        }
    }
    quoted.push(quote);
    quoted
}

fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~') || (!character.is_ascii() && (character.is_alphanumeric() || character.escape_debug().len() == 1))
}

/// Whether a name of a label or metric may stand without quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_plain_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic()) && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}
