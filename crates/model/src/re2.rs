//! Regular expressions as Go reads them (RE2), for the `regex` crate, which nearly does.
//!
//! Queries and rules were written for Go: `/users/{id}` holds a brace that repeats nothing, `[^[]` a bracket that opens
//! nothing, `\d` means ASCII. The crate refuses the first two and reads the last as Unicode.

use std::iter::Peekable;
use std::str::Chars;

/// Rewrites a pattern so that the `regex` crate means by it what Go does. What neither reads stays as it is: compiling
/// complains about it.
///
/// # Errors
/// A parenthesis closes what the pattern did not open: `a)|(b` would escape from the anchors around it.
pub fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut open_groups = 0usize;
    let mut translator = Translator { rest: pattern.chars().peekable(), out: String::with_capacity(pattern.len() + 8) };
    while let Some(character) = translator.rest.next() {
        match character {
            '\\' => translator.escape(),
            '[' => translator.class(),
            '{' if !translator.repeats() => translator.out.push_str("\\{"),
            _ => {
                match character {
                    '(' => open_groups += 1,
                    ')' => open_groups = open_groups.checked_sub(1).ok_or("unopened group")?,
                    _ => {}
                }
                translator.out.push(character);
            }
        }
    }
    Ok(translator.out)
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

impl Translator<'_> {
    /// Whether a brace that was just read starts `{2}`, `{2,}` or `{2,3}`. Anything else is text to Go.
    fn repeats(&self) -> bool {
        let mut ahead = self.rest.clone();
        let (mut digits, mut commas) = (0, 0);
        loop {
            match ahead.next() {
                Some('0'..='9') => digits += 1,
                Some(',') if digits > 0 && commas == 0 => commas = 1,
                Some('}') => return digits > 0,
                _ => return false,
            }
        }
    }

    fn escape(&mut self) {
        let Some(letter) = self.rest.next() else { return self.out.push('\\') };
        match letter {
            'Q' => self.quoted(),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                let negation = if letter.is_ascii_uppercase() { "^" } else { "" };
                self.out.push_str(&format!("[{negation}{}]", ascii_class(letter)));
            }
            'b' => self.out.push_str("(?-u:\\b)"),
            _ => self.plain_escape(letter),
        }
    }

    /// An escape that means the same inside and outside of a class.
    fn plain_escape(&mut self, letter: char) {
        match letter {
            '0' => self.octal(letter),
            '1'..='7' if matches!(self.rest.peek(), Some('0'..='7')) => self.octal(letter),
            'p' | 'P' => self.property(letter),
            'x' => {
                self.out.push_str("\\x");
                self.braces();
            }
            // To the crate `\<` is the start of a word.
            _ if letter.is_ascii_punctuation() => self.literal(letter),
            _ => {
                self.out.push('\\');
                self.out.push(letter);
            }
        }
    }

    fn literal(&mut self, character: char) {
        self.out.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
    }

    /// `\Q…\E`: text as it is, up to the end if it is not closed.
    fn quoted(&mut self) {
        while let Some(character) = self.rest.next() {
            if character == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(character);
        }
    }

    fn octal(&mut self, first: char) {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.rest.next_if(|digit| digit.is_digit(8)) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or(0);
        }
        self.out.push_str(&format!("\\x{{{code:x}}}"));
    }

    /// `\pN`, `\p{Greek}`, `\p{^Greek}`.
    fn property(&mut self, letter: char) {
        let mut ahead = self.rest.clone();
        let is_negated = ahead.next() == Some('{') && ahead.next() == Some('^');
        if is_negated {
            self.rest = ahead;
        }
        self.out.push_str(if (letter == 'P') == is_negated { "\\p" } else { "\\P" });
        if is_negated {
            self.out.push('{');
            self.copy_to_brace();
        } else {
            self.braces();
        }
    }

    /// Copies what stands in braces, if a brace comes next.
    fn braces(&mut self) {
        if self.rest.peek() == Some(&'{') {
            self.copy_to_brace();
        }
    }

    fn copy_to_brace(&mut self) {
        for character in self.rest.by_ref() {
            self.out.push(character);
            if character == '}' {
                return;
            }
        }
    }

    /// The inside of `[…]`: to the crate an inner `[` nests and `&&`, `--`, `~~` are operators, to Go they are text.
    fn class(&mut self) {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut is_first = true;
        while let Some(character) = self.rest.next() {
            match character {
                ']' if !is_first => return self.out.push(']'),
                '[' if self.rest.peek() == Some(&':') => self.named_class(),
                _ => self.class_atom(character),
            }
            is_first = false;
            // A dash between two members makes a range: the only one that is not text.
            let mut ahead = self.rest.clone();
            if ahead.next() == Some('-') && !matches!(ahead.next(), None | Some(']')) {
                self.out.push('-');
                self.rest.next();
                if let Some(last) = self.rest.next() {
                    self.class_atom(last);
                }
            }
        }
    }

    fn class_atom(&mut self, character: char) {
        if character != '\\' {
            return self.literal(character);
        }
        match self.rest.next() {
            None => self.out.push('\\'),
            Some(letter @ ('d' | 's' | 'w')) => self.out.push_str(ascii_class(letter)),
            Some(letter @ ('D' | 'S' | 'W')) => self.out.push_str(&format!("[^{}]", ascii_class(letter))),
            Some(letter) => self.plain_escape(letter),
        }
    }

    /// `[:alpha:]`, or a bracket and a colon if it is not closed.
    fn named_class(&mut self) {
        let name: String = self.rest.clone().skip(1).take_while(|character| *character == '^' || character.is_ascii_alphabetic()).collect();
        let closes = self.rest.clone().skip(1 + name.len()).take(2).eq([':', ']']);
        if !closes {
            return self.out.push_str("\\[");
        }
        self.out.push_str(&format!("[:{name}:]"));
        self.rest.nth(name.len() + 2);
    }
}

/// What Go means by `\d`, `\s`, `\w` and their capitals.
fn ascii_class(letter: char) -> &'static str {
    match letter {
        'd' | 'D' => "0-9",
        's' | 'S' => "\\t\\n\\x0C\\r ",
        _ => "0-9A-Za-z_",
    }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, matching, other) in [
            ("/users/{id}/.*", "/users/{id}/x", "/users/7/x"),
            ("a{2}|b{1,}|c{1,2}", "aa", "aaa"),
            ("a{,2}", "a{,2}", "aa"),
            ("a{2,1x}", "a{2,1x}", "aa"),
            ("{{x}}", "{{x}}", "x"),
            ("[^[]+", "abc", "a[c"),
            ("[[]", "[", "]"),
            ("[]a]+", "]a", "[a"),
            ("[^]a]", "b", "]"),
            ("[a&&b]+", "a&b", "c"),
            ("[a~~b]+", "a~b", "c"),
            ("[+--]+", "+,-", "."),
            ("[--0]+", "-./0", "1"),
            ("[a-]+", "a-", "b"),
            ("[[:alpha:]_]+", "ab_", "1"),
            ("[[:^digit:]]", "a", "1"),
            ("[[:x]+", "[:x", "a"),
            (r"\d+", "12", "٣"),
            (r"\w+", "a_1", "é"),
            (r"[\w.]+", "a.b", "é"),
            (r"[^\d]", "a", "1"),
            (r"[\D]", "a", "1"),
            (r"\S+", "ab", "a b"),
            (r"\s", " ", "\u{a0}"),
            (r"é\b.", "é1", "é-"),
            (r"\Qa.b{1}\E+", "a.b{1}}", "axb"),
            (r"\Q.", ".", "a"),
            (r"\<a\>", "<a>", "a"),
            (r"\101\0", "A\0", "101"),
            (r"\x41\x{42}", "AB", "ab"),
            (r"\pL\p{Greek}\p{^Greek}[\p{^Lu}]", "aαa1", "aaa1"),
            (r"\-\_\/\:\@\%\,\;\'\!", "-_/:@%,;'!", "-"),
            ("(?i)abc", "ABC", "abd"),
            ("(?P<n>a)(?:b)", "ab", "a"),
        ] {
            let translated = format!("^(?s:{})$", translate(pattern).unwrap());
            let regex = regex::Regex::new(&translated).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert!(regex.is_match(matching), "{pattern} as {translated} should match {matching:?}");
            assert!(!regex.is_match(other), "{pattern} as {translated} should not match {other:?}");
        }
    }

    #[test]
    fn what_go_refuses_stays_refused() {
        for pattern in ["(", ")", "a)|(b", "(a))(", "[a", "*", r"\", r"\1", r"\z1\y", "[b-a]", "(?<n", r"[\", "{2}x{1}{2}**"] {
            assert!(translate(pattern).is_err() || regex::Regex::new(&format!("^(?s:{})$", translate(pattern).unwrap())).is_err(), "{pattern}");
        }
    }
}
