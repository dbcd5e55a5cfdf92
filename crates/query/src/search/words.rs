//! Words in prose: found whole, in either case.
//!
//! A word is letters, digits and `_`. Whatever is looked for begins and ends at the edge of a word if it begins or ends
//! with a part of one; characters of scripts that are written without spaces are words by themselves.

use regex::{Regex, RegexBuilder};
use signalbox_lang::search::Piece;
use signalbox_model::{Error, Phrase, Result};

/// Bytes of one compiled expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Something to be found in prose.
#[derive(Debug)]
pub(super) struct Words {
    /// What is looked for, with the edges of words that it says itself.
    regex: Regex,
    /// Whether edges before and after it are to be checked, because the expression does not say them and so can leap to the
    /// literal.
    checks: (bool, bool),
    /// Whether the expression takes a character before and after what is looked for.
    takes: (bool, bool),
}

/// What is no part of a word.
const NO_WORD: &str = r"[^\p{Alphabetic}\p{N}_]";

impl Words {
    /// These characters.
    pub(super) fn text(text: &str) -> Result<Self> {
        Self::new(insensitive(text), (false, false), edges(text), text)
    }

    /// These words, one after the other, nothing but signs and space between them.
    pub(super) fn sequence(words: &[String]) -> Result<Self> {
        let patterns: Vec<String> = words.iter().map(|word| insensitive(word)).collect();
        let (starts_word, ends_word) = (words.first().is_some_and(|word| edges(word).0), words.last().is_some_and(|word| edges(word).1));
        Self::new(patterns.join(&format!("{NO_WORD}+")), (false, ends_word), (starts_word, false), &words.join(" "))
    }

    /// A word with wildcards.
    pub(super) fn pattern(pieces: &[Piece]) -> Result<Self> {
        let mut pattern = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => pattern.push_str(&insensitive(text)),
                Piece::Any => pattern.push_str(r"\S*"),
                Piece::One => pattern.push_str(r"\S"),
            }
        }
        let starts_word = matches!(pieces.first(), Some(Piece::Text(text)) if edges(text).0);
        let ends_word = matches!(pieces.last(), Some(Piece::Text(text)) if edges(text).1);
        // Both edges in the expression: a `*` may reach far from every start, so that trying them one by one could take
        // the square of the length.
        let shown = pattern.clone();
        Self::new(pattern, (starts_word, ends_word), (false, false), &shown)
    }

    fn new(mut pattern: String, takes: (bool, bool), checks: (bool, bool), shown: &str) -> Result<Self> {
        if takes.0 {
            pattern = format!(r"(?:\A|{NO_WORD}){pattern}");
        }
        if takes.1 {
            pattern = format!(r"{pattern}(?:{NO_WORD}|\z)");
        }
        let regex = RegexBuilder::new(&pattern).size_limit(REGEX_BYTES_MAX).build();
        let regex = regex.map_err(|error| Error::invalid(format!("cannot search for {shown:?}: {error}")))?;
        Ok(Self { regex, checks, takes })
    }

    /// Whether it is in the text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        if self.checks == (false, false) {
            return self.regex.is_match(text);
        }
        let mut from = 0;
        while let Some(found) = self.regex.find_at(text, from) {
            if !self.is_cut(text, found.start(), found.end()) {
                return true;
            }
            from = found.start() + text[found.start()..].chars().next().map_or(1, char::len_utf8);
        }
        false
    }

    /// Whether a word goes on before or after the place.
    fn is_cut(&self, text: &str, start: usize, end: usize) -> bool {
        (self.checks.0 && text[..start].chars().next_back().is_some_and(is_word_part))
            || (self.checks.1 && text[end..].chars().next().is_some_and(is_word_part))
    }

    /// The places in the text, as far as they do not overlap, without the characters around them.
    pub(super) fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let (mut places, mut from) = (Vec::new(), 0);
        while from <= text.len()
            && let Some(found) = self.regex.find_at(text, from)
        {
            let is_cut = self.is_cut(text, found.start(), found.end());
            let taken = |character: Option<char>, takes: bool| character.filter(|character| takes && !is_word_part(*character)).map_or(0, char::len_utf8);
            let start = found.start() + taken(found.as_str().chars().next(), self.takes.0);
            let end = found.end() - taken(found.as_str().chars().next_back(), self.takes.1);
            if is_cut || start >= end {
                from = found.start() + text[found.start()..].chars().next().map_or(1, char::len_utf8);
            } else {
                places.push((start, end));
                from = end;
            }
        }
        places
    }
}

/// Whether a character is part of a word.
pub(super) fn is_word_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether a script is written without spaces between its words.
fn is_unspaced(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a text begins, and ends, with a part of a word that must not go on.
pub(super) fn edges(text: &str) -> (bool, bool) {
    let is_edge = |character: Option<char>| character.is_some_and(|character| is_word_part(character) && !is_unspaced(character));
    (is_edge(text.chars().next()), is_edge(text.chars().next_back()))
}

/// The words of a text.
pub(crate) fn words_of(text: &str) -> Vec<String> {
    text.split(|character| !is_word_part(character)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A pattern for a text in either case: of ASCII only if all of it is, so that `k` is not the sign of Kelvin.
fn insensitive(text: &str) -> String {
    let literal = regex::escape(text);
    if text.is_ascii() { format!("(?i-u:{literal})") } else { format!("(?i:{literal})") }
}

/// Whether a reader that knows the cases of ASCII alone finds all that this text fits in either case.
fn has_plain_case(text: &str) -> bool {
    text.chars().all(|character| character.is_ascii() || (character.to_lowercase().eq([character]) && character.to_uppercase().eq([character])))
}

/// What a row must hold if this text is in it in either case, for readers that skip pages. `None` if they could not tell.
pub(super) fn phrase(text: &str) -> Option<Phrase> {
    let (starts_word, ends_word) = edges(text);
    (!text.trim().is_empty() && has_plain_case(text)).then(|| Phrase { text: text.to_owned(), is_case_sensitive: false, starts_word, ends_word })
}

/// What a row must hold for each piece of a word with wildcards.
pub(super) fn phrases(pieces: &[Piece]) -> Vec<Phrase> {
    let last = pieces.len().saturating_sub(1);
    let of = |(position, piece): (usize, &Piece)| match piece {
        Piece::Text(text) => {
            phrase(text).map(|phrase| Phrase { starts_word: phrase.starts_word && position == 0, ends_word: phrase.ends_word && position == last, ..phrase })
        }
        Piece::Any | Piece::One => None,
    };
    pieces.iter().enumerate().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn finds_whole_words_in_either_case() {
        for (text, holds, lacks) in [
            ("timeout", "a TimeOut, b", "timeouts"),
            ("timed out", "it timed out", "it timed  out"),
            ("out", "shout out", "shouting"),
            ("/health", "GET/health?", "/healthy"),
            ("user_id=42", "user_id=42,", "user_id=421"),
            ("id", "a-id", "user_id"),
            ("k", "K", "\u{212a}"),
            ("\u{fc}ber", "\u{dc}BER ALLES", "\u{fc}berall"),
            ("\u{9519}\u{8bef}", "\u{53d1}\u{751f}\u{9519}\u{8bef}\u{4e86}", "\u{9519}"),
            ("(", "a(b", "ab"),
        ] {
            let words = Words::text(text).unwrap();
            assert!(words.is_in(holds), "{text} in {holds}");
            assert!(!words.is_in(lacks), "{text} in {lacks}");
        }
    }

    #[test]
    fn finds_words_in_order_and_with_wildcards() {
        let sequence = Words::sequence(&words_of("timed-out")).unwrap();
        assert!(sequence.is_in("timed   out!") && !sequence.is_in("timed it out"));
        let pattern = |pieces: &[&str]| {
            let piece = |text: &&str| match *text {
                "*" => Piece::Any,
                "?" => Piece::One,
                text => Piece::Text(text.to_owned()),
            };
            Words::pattern(&pieces.iter().map(piece).collect::<Vec<_>>()).unwrap()
        };
        assert!(pattern(&["tim", "*"]).is_in("a timer") && !pattern(&["tim", "*"]).is_in("victim"));
        assert!(pattern(&["*", "tim"]).is_in("a victim") && !pattern(&["*", "tim"]).is_in("victims"));
        assert!(pattern(&["a", "*", "b"]).is_in("abcb") && pattern(&["a", "*", "b"]).is_in("a1b2b-") && !pattern(&["a", "*", "b"]).is_in("a b"));
        assert!(pattern(&["t", "?", "me"]).is_in("TIME") && !pattern(&["t", "?", "me"]).is_in("tme"));
    }

    #[test]
    fn says_where_it_found_them() {
        assert_eq!(Words::text("out").unwrap().places("out, shout out"), [(0, 3), (11, 14)]);
        assert_eq!(Words::text("\u{fc}").unwrap().places("\u{fc} a\u{fc} \u{fc}"), [(0, 2), (7, 9)]);
    }
}
