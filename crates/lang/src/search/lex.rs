//! Words, phrases and regular expressions, each from the place where it starts. What a character means depends on where it
//! stands, so the parser asks for what it expects.

use super::ast::Piece;

/// Ends a word.
pub(super) fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '"')
}

/// A word as it was written: its pieces, and where it ends.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
    /// Offset after the word.
    pub(super) end: usize,
}

impl Word {
    /// The text, if there are no wildcards.
    pub(super) fn text(&self) -> Option<String> {
        match self.pieces.as_slice() {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }
}

/// Reads a word up to a character that ends it or fits `stop`, escapes resolved.
pub(super) fn word(text: &str, start: usize, stop: impl Fn(char) -> bool) -> Word {
    let (mut pieces, mut plain, mut end) = (Vec::new(), String::new(), start);
    let mut characters = text[start..].char_indices();
    while let Some((at, character)) = characters.next() {
        if ends_word(character) || stop(character) {
            break;
        }
        end = start + at + character.len_utf8();
        match character {
            '\\' => match characters.next() {
                Some((at, escaped)) => {
                    plain.push(escaped);
                    end = start + at + escaped.len_utf8();
                }
                // Nothing is left to escape: it stands for itself.
                None => plain.push('\\'),
            },
            '*' | '?' => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                let piece = if character == '*' { Piece::Any } else { Piece::One };
                // Any number and any number is any number.
                if !(piece == Piece::Any && pieces.last() == Some(&Piece::Any)) {
                    pieces.push(piece);
                }
            }
            _ => plain.push(character),
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Word { pieces, end }
}

/// The field before a colon, if the text at this place is one: its name and the offset after the colon.
pub(super) fn field(text: &str, start: usize) -> Option<(String, usize)> {
    let (mut name, mut end) = (String::new(), None);
    let mut characters = text[start..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => {
                end = Some(start + at + 1);
                break;
            }
            '\\' => name.push(characters.next()?.1),
            // Only escaped: names with other signs are rare, words with them are not.
            _ if character.is_alphanumeric() || "_-.@$/".contains(character) => name.push(character),
            '*' if text[start..].starts_with("*:*") => name.push('*'),
            _ => return None,
        }
    }
    let end = end?;
    let first = text[start..].chars().next()?;
    let is_name = first.is_alphabetic() || matches!(first, '_' | '@' | '$' | '\\' | '*');
    // The address of a page is a word.
    (is_name && !text[end..].starts_with("//")).then_some((name, end))
}

/// A phrase from its opening quote: its text and the offset after the closing quote; `None` without one.
pub(super) fn phrase(text: &str, start: usize) -> Option<(String, usize)> {
    let mut phrase = String::new();
    let mut characters = text[start..].char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((phrase, start + at + 1)),
            '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => phrase.push(escaped),
                None => phrase.push('\\'),
            },
            _ => phrase.push(character),
        }
    }
    None
}

/// A regular expression from its opening slash: its pattern and the offset after the closing slash. `None` if there is none
/// that ends where a word may end: then the text is a word.
pub(super) fn regex(text: &str, start: usize, may_hold_space: bool) -> Option<(String, usize)> {
    let mut pattern = String::new();
    let mut characters = text[start..].char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '/' => {
                let end = start + at + 1;
                let is_whole = text[end..].chars().next().is_none_or(|next| ends_word(next) || (may_hold_space && next == '^'));
                return (is_whole && !pattern.is_empty()).then_some((pattern, end));
            }
            '\\' => match characters.next()?.1 {
                '/' => pattern.push('/'),
                escaped => pattern.extend(['\\', escaped]),
            },
            _ if character.is_whitespace() && !may_hold_space => return None,
            _ => pattern.push(character),
        }
    }
    None
}
