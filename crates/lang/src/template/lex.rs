//! Cuts a template into tokens: text, and inside of `{{ }}` what Go's lexer knows.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Identifier,
    Keyword,
    Bool,
    Nil,
    Field,
    Variable,
    Dot,
    Number,
    Character,
    Quoted,
    Raw,
    Pipe,
    Declare,
    Assign,
    Comma,
    LeftParen,
    RightParen,
    End,
}

/// One token and where it starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
    pub(super) text: &'a str,
}

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct LexError {
    pub(super) at: usize,
    pub(super) message: String,
}

const KEYWORDS: [&str; 11] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with", "nil"];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    parens: usize,
    tokens: Vec<Token<'a>>,
}

/// All tokens of a text, an end token last.
pub(super) fn lex(text: &str) -> Result<Vec<Token<'_>>, LexError> {
    let mut lexer = Lexer { text, at: 0, parens: 0, tokens: Vec::new() };
    let mut trims_left = false;
    loop {
        let rest = lexer.rest();
        let Some(length) = rest.find("{{") else {
            lexer.push_text(rest, trims_left, false);
            break;
        };
        let after = &rest[length + 2..];
        let trims = after.starts_with('-') && after[1..].starts_with(is_space);
        lexer.push_text(&rest[..length], trims_left, trims);
        lexer.at += length;
        let opening = if trims { 4 } else { 2 };
        if rest[length + if trims { 3 } else { 2 }..].trim_start_matches(|character| trims && is_space(character)).starts_with("/*") {
            trims_left = lexer.comment()?;
            continue;
        }
        lexer.push(TokenKind::LeftDelimiter, opening.min(lexer.rest().len()));
        trims_left = lexer.action()?;
    }
    lexer.tokens.push(Token { kind: TokenKind::End, at: text.len(), text: "" });
    Ok(lexer.tokens)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, LexError> {
        Err(LexError { at: self.at, message: message.into() })
    }

    fn push(&mut self, kind: TokenKind, bytes: usize) {
        self.tokens.push(Token { kind, at: self.at, text: &self.text[self.at..self.at + bytes] });
        self.at += bytes;
    }

    fn push_text(&mut self, piece: &'a str, trims_left: bool, trims_right: bool) {
        let start = if trims_left { piece.trim_start_matches(is_space) } else { piece };
        let kept = if trims_right { start.trim_end_matches(is_space) } else { start };
        if !kept.is_empty() {
            self.tokens.push(Token { kind: TokenKind::Text, at: self.at + piece.len() - start.len(), text: kept });
        }
    }

    /// Skips a comment; whether the text after it is trimmed.
    fn comment(&mut self) -> Result<bool, LexError> {
        let Some(end) = self.rest().find("*/") else { return self.error("unclosed comment") };
        self.at += end + 2;
        match self.right_delimiter() {
            Some((bytes, trims)) => {
                self.at += bytes;
                Ok(trims)
            }
            None => self.error("comment ends before closing delimiter"),
        }
    }

    /// Length of the closing delimiter that stands here, and whether it trims the text after it.
    fn right_delimiter(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some((2, false));
        }
        (rest.starts_with(is_space) && rest[1..].starts_with("-}}")).then_some((4, true))
    }

    /// Everything up to and with the closing delimiter; whether the text after it is trimmed.
    fn action(&mut self) -> Result<bool, LexError> {
        self.parens = 0;
        loop {
            if let Some((bytes, trims)) = self.right_delimiter() {
                if self.parens > 0 {
                    return self.error("unclosed left paren");
                }
                self.push(TokenKind::RightDelimiter, bytes);
                return Ok(trims);
            }
            let Some(first) = self.rest().chars().next() else { return self.error("unclosed action") };
            self.token(first)?;
        }
    }

    fn token(&mut self, first: char) -> Result<(), LexError> {
        match first {
            _ if is_space(first) => self.space(),
            ':' if self.rest().starts_with(":=") => self.push(TokenKind::Declare, 2),
            ':' => return self.error("expected :="),
            '=' => self.push(TokenKind::Assign, 1),
            '|' => self.push(TokenKind::Pipe, 1),
            ',' => self.push(TokenKind::Comma, 1),
            '"' => self.quoted('"', TokenKind::Quoted, "unterminated quoted string")?,
            '\'' => self.quoted('\'', TokenKind::Character, "unterminated character constant")?,
            '`' => match self.rest()[1..].find('`') {
                Some(length) => self.push(TokenKind::Raw, length + 2),
                None => return self.error("unterminated raw quoted string"),
            },
            '$' => self.word(TokenKind::Variable)?,
            '.' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number()?,
            '.' if self.rest()[1..].starts_with(is_alphanumeric) => self.word(TokenKind::Field)?,
            '.' => self.push(TokenKind::Dot, 1),
            '+' | '-' | '0'..='9' => self.number()?,
            '(' => {
                self.parens += 1;
                self.push(TokenKind::LeftParen, 1);
            }
            ')' => {
                let Some(parens) = self.parens.checked_sub(1) else { return self.error("unexpected right paren") };
                self.parens = parens;
                self.push(TokenKind::RightParen, 1);
            }
            _ if is_alphanumeric(first) => self.word(TokenKind::Identifier)?,
            _ => return self.error(format!("unrecognized character in action: {}", code_point(first))),
        }
        Ok(())
    }

    /// Spaces, but not the one that belongs to `" -}}"`.
    fn space(&mut self) {
        let rest = self.rest();
        let mut bytes = rest.len() - rest.trim_start_matches(is_space).len();
        if rest[bytes..].starts_with("-}}") {
            bytes -= 1;
        }
        if bytes > 0 {
            self.push(TokenKind::Space, bytes);
        }
    }

    fn quoted(&mut self, quote: char, kind: TokenKind, unterminated: &str) -> Result<(), LexError> {
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            match character {
                '\\' if !matches!(characters.next(), None | Some((_, '\n'))) => {}
                '\\' | '\n' => break,
                _ if character == quote => {
                    self.push(kind, offset + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.error(unterminated)
    }

    /// A name, with the `.` or `$` before it.
    fn word(&mut self, kind: TokenKind) -> Result<(), LexError> {
        let rest = self.rest();
        let prefix = usize::from(kind != TokenKind::Identifier);
        let bytes = rest[prefix..].find(|character| !is_alphanumeric(character)).map_or(rest.len(), |length| length + prefix);
        let ends = rest[bytes..].chars().next().is_none_or(|next| is_space(next) || matches!(next, '.' | ',' | '|' | ':' | '(' | ')'));
        if !ends && !rest[bytes..].starts_with("}}") {
            let next = rest[bytes..].chars().next().unwrap_or_default();
            return self.error(format!("bad character {}", code_point(next)));
        }
        let kind = match &rest[..bytes] {
            "true" | "false" if kind == TokenKind::Identifier => TokenKind::Bool,
            "nil" if kind == TokenKind::Identifier => TokenKind::Nil,
            word if kind == TokenKind::Identifier && KEYWORDS.contains(&word) => TokenKind::Keyword,
            _ => kind,
        };
        self.push(kind, bytes);
        Ok(())
    }

    fn number(&mut self) -> Result<(), LexError> {
        let rest = self.rest();
        let mut bytes = usize::from(rest.starts_with(['+', '-']));
        let is_hexadecimal = rest[bytes..].starts_with("0x") || rest[bytes..].starts_with("0X");
        while let Some(next) = rest[bytes..].chars().next() {
            let after_exponent = rest[..bytes].ends_with(['e', 'E']) && !is_hexadecimal;
            match next {
                '0'..='9' | 'a'..='f' | 'A'..='F' | 'x' | 'X' | 'o' | '_' | '.' => bytes += 1,
                '+' | '-' if after_exponent => bytes += 1,
                _ => break,
            }
        }
        if rest[bytes..].starts_with(is_alphanumeric) || !rest[..bytes].contains(|character: char| character.is_ascii_digit()) {
            return self.error(format!("bad number syntax: {:?}", &rest[..bytes]));
        }
        self.push(TokenKind::Number, bytes);
        Ok(())
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// `U+0071 'q'`.
fn code_point(character: char) -> String {
    format!("U+{:04X} '{}'", u32::from(character), character.escape_default())
}
