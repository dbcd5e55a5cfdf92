//! The UTF-8 spelling: names and values are quoted, or free of white space and of the signs of the syntax.

use signalbox_model::{Error, MatchOp, Matcher, Result};

use super::{bound, push};
use crate::text::read_quoted;

/// A list of matchers.
///
/// # Errors
/// `Invalid` with the place, first and last byte, and what was expected there, in the words of Alertmanager.
pub fn parse(text: &str) -> Result<Vec<Matcher>> {
    bound(text)?;
    let mut reader = Reader { text, at: 0 };
    let mut matchers = Vec::new();
    let has_brace = reader.take('{');
    loop {
        if let Some(end) = reader.end(has_brace)? {
            return end.map(|()| matchers);
        }
        let name = reader.word("label name")?;
        let op = reader.op()?;
        let value = reader.word("label value")?;
        push(&mut matchers, Matcher::new(name, op, value)?)?;
        if let Some(end) = reader.end(has_brace)? {
            return end.map(|()| matchers);
        }
        if !reader.take(',') {
            return Err(reader.unexpected("a comma or close brace"));
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

fn is_reserved(character: char) -> bool {
    matches!(character, '{' | '}' | '!' | '=' | '~' | ',' | '\\' | '"' | '\'' | '`')
}

impl<'a> Reader<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn take(&mut self, sign: char) -> bool {
        let is_there = self.rest().starts_with(sign);
        if is_there {
            self.at += sign.len_utf8();
        }
        is_there
    }

    /// Whether the list ends here, and whether it may.
    fn end(&mut self, has_brace: bool) -> Result<Option<Result<()>>> {
        if self.take('}') {
            if !has_brace {
                return Err(Error::invalid(format!("0:{}: }}: expected opening brace", self.at)));
            }
            return if self.rest().is_empty() { Ok(Some(Ok(()))) } else { Err(self.unexpected("end of input")) };
        }
        if !self.rest().is_empty() {
            return Ok(None);
        }
        if has_brace {
            return Err(Error::invalid(format!("{}:{}: end of input: expected close brace", self.at, self.at)));
        }
        Ok(Some(Ok(())))
    }

    fn word(&mut self, what: &str) -> Result<String> {
        let rest = self.rest();
        if rest.starts_with('"') {
            return self.quoted();
        }
        let end = rest.find(|character: char| is_reserved(character) || character.is_whitespace()).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.unexpected(what));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        let invalid = |end: usize| Error::invalid(format!("{start}:{end}: {}: invalid input", &self.text[start..end]));
        let quoted = read_quoted(self.text, start).map_err(|_| invalid(self.closing_quote(start)))?;
        if quoted.bytes.is_some() {
            return Err(invalid(quoted.end));
        }
        self.at = quoted.end;
        Ok(quoted.value)
    }

    /// Behind the quote that ends what begins here, or the end of the text.
    fn closing_quote(&self, start: usize) -> usize {
        let mut is_escaped = true;
        let is_end = |(_, character): &(usize, char)| {
            let is_end = *character == '"' && !is_escaped;
            is_escaped = *character == '\\' && !is_escaped;
            is_end
        };
        self.text[start..].char_indices().find(is_end).map_or(self.text.len(), |(at, _)| start + at + 1)
    }

    fn op(&mut self) -> Result<MatchOp> {
        let rest = self.rest();
        for (word, op) in [("=~", MatchOp::Regex), ("!=", MatchOp::NotEqual), ("!~", MatchOp::NotRegex), ("=", MatchOp::Equal)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(op);
            }
        }
        Err(self.unexpected("an operator such as '=', '!=', '=~' or '!~'"))
    }

    fn unexpected(&mut self, want: &str) -> Error {
        let found = self.rest().chars().next();
        let end = self.at + found.map_or(0, char::len_utf8);
        let found = found.map_or("end of input".to_owned(), |character| format!("unexpected {character}"));
        Error::invalid(format!("{}:{end}: {found}: expected {want}", self.at))
    }
}
