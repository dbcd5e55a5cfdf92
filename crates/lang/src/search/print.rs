//! A syntax tree back to text; the text parses to an equal tree.

use std::fmt;

use super::ast::{Bound, Clause, Expr, Piece, Range, Test};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::And(operands) => join(f, operands, " ", |operand| matches!(operand, Self::And(_) | Self::Or(_))),
            Self::Or(operands) => join(f, operands, " OR ", |operand| matches!(operand, Self::Or(_))),
            Self::Not(operand) if matches!(**operand, Self::Clause(_) | Self::Not(_) | Self::All) => write!(f, "NOT {operand}"),
            Self::Not(operand) => write!(f, "NOT ({operand})"),
            Self::Clause(clause) => clause.fmt(f),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, operands: &[Expr], separator: &str, is_grouped: impl Fn(&Expr) -> bool) -> fmt::Result {
    for (position, operand) in operands.iter().enumerate() {
        if position > 0 {
            f.write_str(separator)?;
        }
        if is_grouped(operand) { write!(f, "({operand})")? } else { write!(f, "{operand}")? }
    }
    Ok(())
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            if self.test == Test::Exists {
                return write!(f, "_exists_:{}", Escaped(field));
            }
            write!(f, "{}:", Escaped(field))?;
        }
        match &self.test {
            // The empty word can only be quoted.
            Test::Word(text) => Escaped(text).fmt(f),
            Test::Phrase(text) => Quoted(text).fmt(f),
            Test::Pattern(pieces) => pieces.iter().try_for_each(|piece| match piece {
                Piece::Text(text) => Escaped(text).fmt(f),
                Piece::Any => f.write_str("*"),
                Piece::One => f.write_str("?"),
            }),
            Test::Regex(pattern) => write!(f, "/{}/", slashes(pattern)),
            Test::Exists => f.write_str("*"),
            Test::Range(range) => range.fmt(f),
        }
    }
}

/// A pattern with its slashes escaped.
fn slashes(pattern: &str) -> String {
    let mut printed = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match character {
            '/' => printed.push_str("\\/"),
            _ => printed.push(character),
        }
    }
    printed
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |bound: &Option<Bound>, included: &'static str, excluded: &'static str| match bound {
            Some(bound) if !bound.is_included => excluded,
            _ => included,
        };
        let value = |f: &mut fmt::Formatter<'_>, bound: &Option<Bound>| match bound {
            Some(bound) => Quoted(&bound.value).fmt(f),
            None => f.write_str("*"),
        };
        f.write_str(sign(&self.low, "[", "{"))?;
        value(f, &self.low)?;
        f.write_str(" TO ")?;
        value(f, &self.high)?;
        f.write_str(sign(&self.high, "]", "}"))
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Text with a backslash before whatever is neither a letter nor a digit, nor harmless in any place, and before a first letter
/// that could begin an operator.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_operator = matches!(self.0, "AND" | "OR" | "NOT" | "TO");
        for (position, character) in self.0.char_indices() {
            let is_plain = character.is_alphanumeric() || matches!(character, '_' | '.' | '@') || (position > 0 && matches!(character, '-' | '/' | '='));
            if !is_plain || (position == 0 && is_operator) {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        Ok(())
    }
}
