//! Elasticsearch's `simple_query_string`: a search box that never complains about its syntax.

use signalbox_model::{Error, Result};

use super::ast::{Clause, Expr, Piece, Test};
use super::lex;
use super::parse::{CLAUSES_MAX, NESTING_MAX, Operator, check_length};

/// Parses a query of words, phrases, `prefix*`, `+` and, `|` or, `-` not, and parentheses. What makes no sense is left out.
///
/// # Errors
/// `TooLarge` for a text that is too long; `Invalid` for too many clauses.
pub fn parse_simple(text: &str, default: Operator) -> Result<Expr> {
    check_length(text)?;
    let mut reader = Reader { text, at: 0, default, clauses: 0 };
    let mut groups = Vec::new();
    while reader.at < text.len() {
        groups.push(reader.group(0)?);
        // A parenthesis that closes nothing.
        reader.at += 1;
    }
    Ok(Expr::all_of(groups.into_iter().flatten().collect()))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    default: Operator,
    clauses: usize,
}

impl Reader<'_> {
    /// Operands up to a closing parenthesis or the end, joined from left to right.
    fn group(&mut self, depth: usize) -> Result<Option<Expr>> {
        let (mut joined, mut operator, mut is_negative): (Option<Expr>, Option<Operator>, bool) = (None, None, false);
        while let Some(character) = self.text[self.at..].chars().next() {
            let starts_operand = self.text[self.at + character.len_utf8()..].chars().next().is_some_and(|next| !next.is_whitespace());
            match character {
                ')' => break,
                '+' => operator = Some(Operator::And),
                '|' => operator = Some(Operator::Or),
                '-' if starts_operand => is_negative = !is_negative,
                _ if character.is_whitespace() => {}
                _ => {
                    if let Some(operand) = self.operand(depth)? {
                        let operand = if is_negative { operand.negated() } else { operand };
                        joined = Some(match (joined, operator.unwrap_or(self.default)) {
                            (None, _) => operand,
                            (Some(Expr::And(mut all)), Operator::And) => {
                                all.push(operand);
                                Expr::And(all)
                            }
                            (Some(Expr::Or(mut any)), Operator::Or) => {
                                any.push(operand);
                                Expr::Or(any)
                            }
                            (Some(left), Operator::And) => Expr::And(vec![left, operand]),
                            (Some(left), Operator::Or) => Expr::Or(vec![left, operand]),
                        });
                    }
                    (operator, is_negative) = (None, false);
                    continue;
                }
            }
            self.at += character.len_utf8();
        }
        Ok(joined)
    }

    fn operand(&mut self, depth: usize) -> Result<Option<Expr>> {
        self.clauses += 1;
        if self.clauses > CLAUSES_MAX {
            return Err(Error::invalid(format!("cannot search for more than {CLAUSES_MAX} clauses")));
        }
        if self.text[self.at..].starts_with('(') {
            self.at += 1;
            // Deeper parentheses are left out.
            if depth >= NESTING_MAX {
                return Ok(None);
            }
            let inner = self.group(depth + 1)?;
            self.at = (self.at + 1).min(self.text.len());
            return Ok(inner);
        }
        let test = if self.text[self.at..].starts_with('"') {
            match lex::phrase(self.text, self.at) {
                Some((phrase, end)) => {
                    self.at = end;
                    Test::Phrase(phrase)
                }
                None => {
                    self.at += 1;
                    return Ok(None);
                }
            }
        } else {
            let end = self.text[self.at..].find(|character: char| lex::ends_word(character) || matches!(character, '+' | '|' | '~'));
            let end = end.map_or(self.text.len(), |end| self.at + end);
            let word = &self.text[self.at..end];
            self.at = end;
            match word.strip_suffix('*').filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => Test::Pattern(vec![Piece::Text(prefix.to_owned()), Piece::Any]),
                None if word == "*" => return Ok(Some(Expr::All)),
                None => Test::Word(word.replace('\\', "")),
            }
        };
        // A sign that belongs to nothing.
        if self.text[self.at..].starts_with('~') && matches!(&test, Test::Word(text) if text.is_empty()) {
            self.at += 1;
            return Ok(None);
        }
        // ~2 after a word or a phrase: how fuzzy it may be; here nothing is.
        if let Some(after) = self.text[self.at..].strip_prefix('~') {
            self.at += 1 + after.len() - after.trim_start_matches(|character: char| character.is_ascii_digit()).len();
        }
        let is_empty = matches!(&test, Test::Word(text) | Test::Phrase(text) if text.is_empty());
        Ok((!is_empty).then_some(Expr::Clause(Clause { field: None, test })))
    }
}
