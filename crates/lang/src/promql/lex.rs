//! Cuts the text of a query into tokens, in one pass and linear time.
//!
//! The grammar has three modes: outside of braces words may be keywords, inside braces they never are, and after a
//! bracket only what can be a duration is allowed until its first number.

use super::ast::BinaryOp;
use super::token::{Keyword, Token, TokenKind, word};
use crate::Span;
use crate::text::{quote, quote_char, read_quoted};

/// All tokens of a text; the last is [`TokenKind::End`] or [`TokenKind::Unreadable`].
#[derive(Debug)]
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    /// Why the last token is unreadable; its span is the place.
    pub(super) failure: Option<String>,
}

/// Cuts a text into tokens, up to the first that cannot be read.
pub(super) fn lex(text: &str) -> Lexed {
    // Queries have about one token in four bytes.
    let mut lexer = Lexer { text, at: 0, start: 0, tokens: Vec::with_capacity(text.len() / 4 + 1), mode: Mode::Expression, parens: 0, bracket: None };
    let failure = loop {
        match lexer.step() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(message) => {
                lexer.tokens.push(Token { kind: TokenKind::Unreadable, span: Span::new(lexer.start, text.len()) });
                break Some(message);
            }
        }
    };
    Lexed { tokens: lexer.tokens, failure }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Expression,
    Braces,
    /// Between `[` and the first number.
    Duration,
}

/// What has been seen since the `[` that is open.
#[derive(Debug, Clone, Copy, Default)]
struct Bracket {
    has_colon: bool,
    has_duration: bool,
}

struct Lexer<'a> {
    text: &'a str,
    /// Offset of the next character.
    at: usize,
    /// Offset of the token that is being read.
    start: usize,
    tokens: Vec<Token>,
    mode: Mode,
    parens: usize,
    bracket: Option<Bracket>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        let rest = self.text.get(self.at..)?;
        match rest.as_bytes().first()? {
            byte if byte.is_ascii() => Some(char::from(*byte)),
            _ => rest.chars().next(),
        }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn accept(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let accepted = self.peek().is_some_and(wanted);
        if accepted {
            self.next();
        }
        accepted
    }

    fn accept_run(&mut self, wanted: impl Fn(char) -> bool) {
        while self.accept(&wanted) {}
    }

    fn emit(&mut self, kind: TokenKind) {
        self.tokens.push(Token { kind, span: Span::new(self.start, self.at) });
        self.start = self.at;
    }

    fn emit_if_next(&mut self, next: char, kind: TokenKind, otherwise: TokenKind) {
        let kind = if self.accept(|character| character == next) { kind } else { otherwise };
        self.emit(kind);
    }

    /// Reads one token, space or comment. `false` at the end of the text.
    fn step(&mut self) -> Result<bool, String> {
        self.accept_run(is_space);
        self.start = self.at;
        if self.mode != Mode::Duration && self.peek() == Some('#') {
            self.accept_run(|character| character != '\n' && character != '\r');
            return Ok(true);
        }
        let Some(character) = self.next() else { return self.end() };
        match self.mode {
            Mode::Braces => self.in_braces(character)?,
            Mode::Duration => self.in_duration(character)?,
            Mode::Expression => self.in_expression(character)?,
        }
        Ok(true)
    }

    fn end(&mut self) -> Result<bool, String> {
        match self.mode {
            Mode::Braces => return Err("unexpected end of input inside braces".into()),
            Mode::Duration => return Err("unexpected end of input in duration expression".into()),
            Mode::Expression if self.parens != 0 => return Err("unclosed left parenthesis".into()),
            Mode::Expression if self.bracket.is_some() => return Err("unclosed left bracket".into()),
            Mode::Expression => {}
        }
        self.emit(TokenKind::End);
        Ok(false)
    }

    fn in_expression(&mut self, character: char) -> Result<(), String> {
        match character {
            ',' => self.emit(TokenKind::Comma),
            '*' => self.operator(BinaryOp::Mul),
            '/' => self.operator(BinaryOp::Div),
            '%' => self.operator(BinaryOp::Mod),
            '+' => self.operator(BinaryOp::Add),
            '-' => self.operator(BinaryOp::Sub),
            '^' => self.operator(BinaryOp::Pow),
            '@' => self.emit(TokenKind::At),
            '=' if self.peek() == Some('~') => return Err("unexpected character after '=': '~'".into()),
            '=' => self.emit_if_next('=', TokenKind::Operator(BinaryOp::Equal), TokenKind::Assign),
            '!' if self.accept(|next| next == '=') => self.operator(BinaryOp::NotEqual),
            '!' => return Err(format!("unexpected character after '!': {}", self.name_next())),
            '<' if self.accept(|next| next == '=') => self.operator(BinaryOp::LessOrEqual),
            '<' => self.emit_if_next('/', TokenKind::Operator(BinaryOp::TrimUpper), TokenKind::Operator(BinaryOp::Less)),
            '>' if self.accept(|next| next == '=') => self.operator(BinaryOp::GreaterOrEqual),
            '>' => self.emit_if_next('/', TokenKind::Operator(BinaryOp::TrimLower), TokenKind::Operator(BinaryOp::Greater)),
            '"' | '\'' | '`' => self.string()?,
            '(' => self.left_paren(),
            ')' => self.right_paren()?,
            '{' => {
                self.emit(TokenKind::LeftBrace);
                self.mode = Mode::Braces;
            }
            '[' => self.left_bracket()?,
            ']' => self.right_bracket()?,
            _ if character.is_ascii_digit() || (character == '.' && self.peek().is_some_and(|next| next.is_ascii_digit())) => self.number_or_duration()?,
            _ if is_letter(character) || character == ':' => self.word_in_expression(character)?,
            _ => return Err(format!("unexpected character: {}", quote_char(character))),
        }
        Ok(())
    }

    fn operator(&mut self, op: BinaryOp) {
        self.emit(TokenKind::Operator(op));
    }

    fn name_next(&self) -> String {
        self.peek().map_or("end of input".into(), quote_char)
    }

    fn word_in_expression(&mut self, character: char) -> Result<(), String> {
        if let Some(bracket) = &mut self.bracket {
            if character == ':' {
                if std::mem::replace(&mut bracket.has_colon, true) {
                    return Err("unexpected colon ':'".into());
                }
                self.emit(TokenKind::Colon);
                return Ok(());
            }
            return if self.duration_keyword() { Ok(()) } else { Err(format!("unexpected character: {}, expected ':'", quote_char(character))) };
        }
        self.accept_run(|next| is_word(next) || next == ':');
        let mut kind = word(&self.text[self.start..self.at]);
        // The younger keywords stay names where they cannot be modifiers, or queries for such metrics would break.
        let is_fill = matches!(kind, TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight));
        if is_fill && !self.text[self.at..].trim_start_matches(is_space).starts_with('(') {
            kind = TokenKind::Identifier;
        }
        self.emit(kind);
        Ok(())
    }

    fn left_paren(&mut self) {
        self.emit(TokenKind::LeftParen);
        self.parens += 1;
    }

    fn right_paren(&mut self) -> Result<(), String> {
        let Some(parens) = self.parens.checked_sub(1) else { return Err(self.misplaced("unexpected right parenthesis ')'")) };
        self.parens = parens;
        self.emit(TokenKind::RightParen);
        Ok(())
    }

    /// A complaint about a token that has been read: Prometheus points behind it.
    fn misplaced(&mut self, message: &str) -> String {
        self.start = self.at;
        message.into()
    }

    fn left_bracket(&mut self) -> Result<(), String> {
        if self.bracket.is_some() {
            return Err("unexpected left bracket '['".into());
        }
        self.emit(TokenKind::LeftBracket);
        self.bracket = Some(Bracket::default());
        self.mode = Mode::Duration;
        Ok(())
    }

    fn right_bracket(&mut self) -> Result<(), String> {
        if self.bracket.take().is_none() {
            return Err("unexpected right bracket ']'".into());
        }
        self.emit(TokenKind::RightBracket);
        self.mode = Mode::Expression;
        Ok(())
    }

    fn in_braces(&mut self, character: char) -> Result<(), String> {
        match character {
            ',' => self.emit(TokenKind::Comma),
            '"' | '\'' | '`' => self.string()?,
            '=' => self.emit_if_next('~', TokenKind::MatchesRegex, TokenKind::Assign),
            '!' if self.accept(|next| next == '~') => self.emit(TokenKind::MatchesNotRegex),
            '!' if self.accept(|next| next == '=') => self.operator(BinaryOp::NotEqual),
            '!' => return Err(format!("unexpected character after '!' inside braces: {}", self.name_next())),
            '{' => return Err("unexpected left brace '{'".into()),
            '}' => {
                self.emit(TokenKind::RightBrace);
                self.mode = Mode::Expression;
            }
            _ if is_letter(character) => {
                self.accept_run(is_word);
                self.emit(TokenKind::Identifier);
            }
            _ => return Err(format!("unexpected character inside braces: {}", quote_char(character))),
        }
        Ok(())
    }

    fn in_duration(&mut self, character: char) -> Result<(), String> {
        match character {
            ']' => self.right_bracket()?,
            ':' => self.colon_in_duration()?,
            '(' => self.left_paren(),
            ')' => self.right_paren()?,
            '+' => self.operator(BinaryOp::Add),
            '-' => self.operator(BinaryOp::Sub),
            '*' => self.operator(BinaryOp::Mul),
            '/' => self.operator(BinaryOp::Div),
            '%' => self.operator(BinaryOp::Mod),
            '^' => self.operator(BinaryOp::Pow),
            ',' => self.emit(TokenKind::Comma),
            _ if character.is_ascii_digit() || (character == '.' && self.peek().is_some_and(|next| next.is_ascii_digit())) => {
                self.mode = Mode::Expression;
                self.number_or_duration()?;
            }
            _ if is_letter(character) && self.duration_keyword() => {
                // `[step():1m]`: the function is a duration as good as a number.
                self.bracket.get_or_insert_default().has_duration = true;
            }
            _ => return Err(format!("unexpected character in duration expression: {}", quote_char(character))),
        }
        Ok(())
    }

    fn colon_in_duration(&mut self) -> Result<(), String> {
        let bracket = self.bracket.get_or_insert_default();
        if !bracket.has_duration {
            return Err(self.misplaced("unexpected colon before duration in duration expression"));
        }
        if bracket.has_colon {
            return Err(self.misplaced("unexpected repeated colon in duration expression"));
        }
        bracket.has_colon = true;
        self.emit(TokenKind::Colon);
        Ok(())
    }

    /// Reads one of the words that a duration may hold.
    fn duration_keyword(&mut self) -> bool {
        self.accept_run(is_letter);
        let kind = word(&self.text[self.start..self.at]);
        let known = matches!(kind, TokenKind::Keyword(Keyword::Step | Keyword::Range | Keyword::MaxOf | Keyword::MinOf));
        if known {
            self.emit(kind);
        }
        known
    }

    fn string(&mut self) -> Result<(), String> {
        self.at = read_quoted(self.text, self.start)?.end;
        self.emit(TokenKind::String);
        Ok(())
    }

    fn number_or_duration(&mut self) -> Result<(), String> {
        self.at = self.start;
        if self.scan_number() && !self.peek().is_some_and(is_word) {
            self.emit(TokenKind::Number);
            return Ok(());
        }
        if self.scan_duration() {
            self.emit(TokenKind::Duration);
            return Ok(());
        }
        Err(format!("bad number or duration syntax: {}", quote(&self.text[self.start..self.at])))
    }

    /// Reads what looks like a number; whether it is one shows when it is converted.
    fn scan_number(&mut self) -> bool {
        if self.accept(|next| next == '0') && self.accept(|next| matches!(next, 'x' | 'X')) {
            self.accept_run(|next| next.is_ascii_hexdigit() || next == '_');
            return !self.accept(|next| next == '.');
        }
        let (mut has_dot, mut has_exponent) = (false, false);
        loop {
            self.accept_run(|next| next.is_ascii_digit());
            let Some(next @ ('.' | 'e' | 'E' | '_')) = self.peek() else { return true };
            self.next();
            let complete = match next {
                '.' => !std::mem::replace(&mut has_dot, true) && !self.accept(|after| matches!(after, '_' | '.')),
                '_' => self.peek().is_some() && !self.accept(|after| matches!(after, '.' | '_' | 'e' | 'E')),
                _ => {
                    let first = !std::mem::replace(&mut has_exponent, true);
                    self.accept(|sign| matches!(sign, '+' | '-'));
                    first && self.peek().is_some() && !self.accept(|after| matches!(after, '.' | '_' | 'e' | 'E'))
                }
            };
            if !complete {
                return false;
            }
        }
    }

    /// Reads the rest of a duration after its first number. On failure the character that does not fit is consumed.
    fn scan_duration(&mut self) -> bool {
        if !self.accept(|unit| matches!(unit, 's' | 'm' | 'h' | 'd' | 'w' | 'y')) {
            return false;
        }
        self.accept(|unit| unit == 's');
        while self.accept(|digit| digit.is_ascii_digit()) {
            self.accept_run(|digit| digit.is_ascii_digit());
            if !self.accept(|unit| matches!(unit, 's' | 'm' | 'h' | 'd' | 'w')) {
                return false;
            }
            self.accept(|unit| unit == 's');
        }
        !self.accept(is_word)
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

fn is_letter(character: char) -> bool {
    character == '_' || character.is_ascii_alphabetic()
}

fn is_word(character: char) -> bool {
    is_letter(character) || character.is_ascii_digit()
}
