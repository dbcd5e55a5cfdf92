//! Parser of the search language: recursive descent over characters, with bounds on length, nesting and number of clauses.

use signalbox_model::{Error, ErrorKind, Result};

use super::ast::{Bound, Clause, Expr, Piece, Range, Test};
use super::lex;
use crate::Span;

/// Bytes of one query.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Depth of parentheses and negations.
pub const NESTING_MAX: usize = 64;
/// Clauses of one query, as many as Elasticsearch allows.
pub const CLAUSES_MAX: usize = 1_024;

/// What joins words that stand side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// All of them.
    And,
    /// One of them.
    Or,
}

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// For people: words side by side must all hold.
    People,
    /// As Elasticsearch's `query_string`, with its default operator.
    QueryString(Operator),
}

impl Dialect {
    fn joins(self) -> Operator {
        match self {
            Self::People => Operator::And,
            Self::QueryString(operator) => operator,
        }
    }

    fn is_lucene(self) -> bool {
        self != Self::People
    }
}

/// Parses a query.
///
/// # Errors
/// `TooLarge` beyond [`TEXT_BYTES_MAX`]; `Invalid` with line and column for a text that is no query.
pub fn parse(text: &str) -> Result<Expr> {
    parse_as(text, Dialect::People)
}

/// Parses a query in a dialect.
///
/// # Errors
/// As [`parse`].
pub fn parse_as(text: &str, dialect: Dialect) -> Result<Expr> {
    check_length(text)?;
    let mut parser = Parser { text, dialect, at: 0, depth: 0, clauses: 0 };
    parser.skip_space();
    if parser.is_over() {
        return Ok(Expr::All);
    }
    let expr = parser.any_of(None)?;
    if !parser.is_over() {
        return Err(parser.error("unexpected \")\""));
    }
    Ok(expr)
}

pub(super) fn check_length(text: &str) -> Result<()> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, format!("cannot parse a query of {} bytes: want at most {TEXT_BYTES_MAX}", text.len())));
    }
    Ok(())
}

struct Parser<'a> {
    text: &'a str,
    dialect: Dialect,
    at: usize,
    depth: usize,
    clauses: usize,
}

/// How an operand stands in a list: `+a`, `-a` or `a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Must,
    MustNot,
    May,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn is_over(&self) -> bool {
        self.at >= self.text.len()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, reason: &str) -> Error {
        self.error_at(self.at, reason)
    }

    fn error_at(&self, at: usize, reason: &str) -> Error {
        let position = Span::new(at, at).position(self.text);
        Error::invalid(format!("parse error at line {}, col {}: {reason}", position.line, position.column))
    }

    /// Whether an operator in letters stands here, as a word of its own.
    fn stands(&self, operator: &str) -> bool {
        self.rest().strip_prefix(operator).is_some_and(|after| after.chars().next().is_none_or(lex::ends_word))
    }

    fn accept(&mut self, words: &[&str], signs: &[&str]) -> bool {
        let word = words.iter().find(|word| self.stands(word)).or_else(|| signs.iter().find(|sign| self.rest().starts_with(**sign)));
        let Some(length) = word.map(|word| word.len()) else { return false };
        self.at += length;
        self.skip_space();
        true
    }

    fn ends_here(&self) -> bool {
        self.is_over() || self.peek() == Some(')')
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > NESTING_MAX { Err(self.error(&format!("the query nests deeper than {NESTING_MAX}"))) } else { Ok(()) }
    }

    /// Operands joined by OR; in Lucene's default also by nothing.
    fn any_of(&mut self, field: Option<&str>) -> Result<Expr> {
        self.enter()?;
        let mut items: Vec<(Mark, Expr)> = Vec::new();
        // Whether all operands stand side by side, so that marks mean what they mean to Lucene.
        let mut is_list = self.dialect.joins() == Operator::Or;
        loop {
            let mark = self.mark();
            let operand = self.all_of(field)?;
            items.push(match (mark, operand) {
                (Mark::May, Expr::Not(inner)) => (Mark::MustNot, *inner),
                (mark, operand) => (mark, operand),
            });
            self.skip_space();
            if self.accept(&["OR"], &["||"]) {
                is_list = false;
            } else if self.ends_here() {
                break;
            } else if self.dialect.joins() == Operator::And {
                return Err(self.error("want AND, OR or the end of the query"));
            }
        }
        self.depth -= 1;
        Ok(if is_list { list(items) } else { Expr::any_of(items.into_iter().map(unmarked).collect()) })
    }

    /// `+` before an operand; what `-` means is read with the operand.
    fn mark(&mut self) -> Mark {
        let is_must = self.dialect.is_lucene() && self.rest().starts_with('+') && self.rest()[1..].chars().next().is_some_and(|next| !next.is_whitespace());
        if is_must {
            self.at += 1;
        }
        if is_must { Mark::Must } else { Mark::May }
    }

    /// Operands joined by AND; for people also by nothing.
    fn all_of(&mut self, field: Option<&str>) -> Result<Expr> {
        let mut operands = vec![self.operand(field)?];
        loop {
            self.skip_space();
            let is_joined = self.accept(&["AND"], &["&&"]);
            let goes_on = self.dialect.joins() == Operator::And && !self.ends_here() && !self.stands("OR") && !self.rest().starts_with("||");
            if !is_joined && !goes_on {
                return Ok(Expr::all_of(operands));
            }
            self.mark();
            operands.push(self.operand(field)?);
        }
    }

    fn operand(&mut self, field: Option<&str>) -> Result<Expr> {
        self.skip_space();
        for operator in ["AND", "OR"] {
            if self.stands(operator) {
                return Err(self.error(&format!("unexpected {operator}, want a word, a phrase or a field")));
            }
        }
        if ["&&", "||"].iter().any(|sign| self.rest().starts_with(sign)) {
            return Err(self.error(&format!("unexpected {}, want a word, a phrase or a field", &self.rest()[..2])));
        }
        // A sign alone is a word.
        let is_sign = self.rest().starts_with(['-', '!']) && self.rest()[1..].chars().next().is_some_and(|next| !next.is_whitespace() && next != ')');
        if self.stands("NOT") || is_sign {
            self.enter()?;
            self.at += if is_sign { 1 } else { 3 };
            let operand = self.operand(field)?;
            self.depth -= 1;
            return Ok(operand.negated());
        }
        match self.peek() {
            None => Err(self.error("unexpected end of the query, want a word, a phrase or a field")),
            Some(')') => Err(self.error("unexpected \")\", want a word, a phrase or a field")),
            Some('(') => self.group(field),
            _ => self.clause(field),
        }
    }

    fn group(&mut self, field: Option<&str>) -> Result<Expr> {
        let start = self.at;
        self.at += 1;
        self.skip_space();
        let inner = self.any_of(field)?;
        if !self.rest().starts_with(')') {
            return Err(self.error_at(start, "this parenthesis is never closed"));
        }
        self.at += 1;
        self.boost();
        Ok(inner)
    }

    /// `^2` of Lucene: what it weighs does not matter where nothing is scored.
    fn boost(&mut self) {
        if self.dialect.is_lucene()
            && let Some(after) = self.rest().strip_prefix('^')
        {
            let digits = after.len() - after.trim_start_matches(|character: char| character.is_ascii_digit() || character == '.').len();
            self.at += 1 + digits;
        }
    }

    fn clause(&mut self, outer: Option<&str>) -> Result<Expr> {
        self.clauses += 1;
        if self.clauses > CLAUSES_MAX {
            return Err(self.error(&format!("the query has more than {CLAUSES_MAX} clauses")));
        }
        let Some((name, end)) = outer.is_none().then(|| lex::field(self.text, self.at)).flatten() else {
            let test = self.test(outer.is_some())?;
            return Ok(match (outer, test) {
                (None, Test::Exists) => Expr::All,
                (field, test) => Expr::Clause(Clause { field: field.map(str::to_owned), test }),
            });
        };
        self.at = end;
        if self.dialect.is_lucene() {
            self.skip_space();
        }
        if name == "_exists_" {
            let test = self.test(false)?;
            return match test {
                Test::Word(field) | Test::Phrase(field) => Ok(Expr::Clause(Clause { field: Some(field), test: Test::Exists })),
                _ => Err(self.error_at(end, "want the name of a field after _exists_:")),
            };
        }
        match self.peek() {
            Some('(') => self.group(Some(&name)),
            None => Err(self.error(&format!("want a value after {name}:"))),
            Some(character) if character.is_whitespace() || character == ')' => Err(self.error(&format!("want a value after {name}:"))),
            _ => match self.test(true)? {
                Test::Exists if name == "*" => Ok(Expr::All),
                test => Ok(Expr::Clause(Clause { field: Some(name), test })),
            },
        }
    }

    /// What a value must be; `is_value` after a field.
    fn test(&mut self, is_value: bool) -> Result<Test> {
        let test = match self.peek() {
            Some('"') => {
                let Some((phrase, end)) = lex::phrase(self.text, self.at) else { return Err(self.error("this quote is never closed")) };
                self.at = end;
                Test::Phrase(phrase)
            }
            Some('/') => match lex::regex(self.text, self.at, self.dialect.is_lucene()) {
                Some((pattern, end)) => {
                    self.at = end;
                    Test::Regex(pattern)
                }
                None => self.word()?,
            },
            Some('[' | '{') if is_value => self.range()?,
            Some('<' | '>') if is_value => self.comparison()?,
            _ => self.word()?,
        };
        if self.dialect.is_lucene() && self.rest().starts_with('~') {
            return Err(self.error("not supported: fuzzy words and phrases with gaps (~)"));
        }
        self.boost();
        Ok(test)
    }

    fn word(&mut self) -> Result<Test> {
        let is_lucene = self.dialect.is_lucene();
        let word = lex::word(self.text, self.at, |character| is_lucene && matches!(character, '~' | '^'));
        if word.end == self.at {
            return Err(self.error("want a word, a phrase or a field"));
        }
        self.at = word.end;
        Ok(match word.text() {
            Some(text) => Test::Word(text),
            None if word.pieces == [Piece::Any] => Test::Exists,
            None => Test::Pattern(word.pieces),
        })
    }

    fn comparison(&mut self) -> Result<Test> {
        let is_low = self.rest().starts_with('>');
        let is_included = self.rest()[1..].starts_with('=');
        self.at += if is_included { 2 } else { 1 };
        self.skip_space();
        let value = self.bound(|_| false)?;
        let bound = Some(Bound { value, is_included });
        Ok(Test::Range(if is_low { Range { low: bound, high: None } } else { Range { low: None, high: bound } }))
    }

    fn range(&mut self) -> Result<Test> {
        let start = self.at;
        let is_low_included = self.rest().starts_with('[');
        let bound = |value: String, is_included| (value != "*").then_some(Bound { value, is_included });
        self.at += 1;
        self.skip_space();
        let low = self.bound(|character| matches!(character, ']' | '}'))?;
        self.skip_space();
        if !self.accept(&["TO"], &[]) {
            return Err(self.error("want TO between the bounds of the range"));
        }
        let high = self.bound(|character| matches!(character, ']' | '}'))?;
        self.skip_space();
        let is_high_included = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.error_at(start, "this range is never closed")),
        };
        self.at += 1;
        let range = Range { low: bound(low, is_low_included), high: bound(high, is_high_included) };
        Ok(if range.low.is_none() && range.high.is_none() { Test::Exists } else { Test::Range(range) })
    }

    /// A bound of a range; `*` is none.
    fn bound(&mut self, stop: impl Fn(char) -> bool) -> Result<String> {
        if self.peek() == Some('"') {
            let Some((phrase, end)) = lex::phrase(self.text, self.at) else { return Err(self.error("this quote is never closed")) };
            self.at = end;
            return Ok(phrase);
        }
        let word = lex::word(self.text, self.at, stop);
        let text = match word.text() {
            None if word.pieces == [Piece::Any] => "*".to_owned(),
            Some(text) if !text.is_empty() => text,
            _ => return Err(self.error("want a value as a bound of the range")),
        };
        self.at = word.end;
        Ok(text)
    }
}

fn unmarked((mark, expr): (Mark, Expr)) -> Expr {
    if mark == Mark::MustNot { expr.negated() } else { expr }
}

/// Operands side by side, as Lucene means them: what must and must not decide; if nothing must, one that may has to.
fn list(items: Vec<(Mark, Expr)>) -> Expr {
    if items.len() == 1 {
        return Expr::all_of(items.into_iter().map(unmarked).collect());
    }
    let has_must = items.iter().any(|(mark, _)| *mark == Mark::Must);
    let (may, mut all): (Vec<_>, Vec<_>) = items.into_iter().partition(|(mark, _)| *mark == Mark::May);
    let mut exprs: Vec<Expr> = all.drain(..).map(unmarked).collect();
    if !has_must && !may.is_empty() {
        exprs.insert(0, Expr::any_of(may.into_iter().map(|(_, expr)| expr).collect()));
    }
    Expr::all_of(exprs)
}
