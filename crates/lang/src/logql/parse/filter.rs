//! Conditions over labels.

use signalbox_model::Result;

use super::super::ast::{CompareOp, LabelFilter, Quantity};
use super::super::lex::Token;
use super::{Parser, is_operator_word};

/// How strongly `or` and `and` hold what stands before them.
const OR: u8 = 1;
const AND: u8 = 2;

impl Parser<'_> {
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter> {
        self.conditions(0)
    }

    /// A condition, and operators that bind stronger than `floor`.
    ///
    /// A comma and a space bind what follows first, all of it: `a, b or c` is `a and (b or c)`, `a or b, c` is `a or (b and
    /// c)`. That is how Loki's grammar comes out.
    fn conditions(&mut self, floor: u8) -> Result<LabelFilter> {
        self.enter()?;
        let mut left = self.condition()?;
        loop {
            let precedence = if self.is_word("and") {
                AND
            } else if self.is_word("or") {
                OR
            } else if self.accept(",") || self.is_sign("(") || self.name().is_some_and(|name| !is_operator_word(name)) {
                let right = self.conditions(0)?;
                left = LabelFilter::And(Box::new(left), Box::new(right));
                continue;
            } else {
                break;
            };
            if precedence <= floor {
                break;
            }
            self.advance();
            let right = self.conditions(precedence)?;
            let combine = if precedence == AND { LabelFilter::And } else { LabelFilter::Or };
            left = combine(Box::new(left), Box::new(right));
        }
        self.leave();
        Ok(left)
    }

    fn condition(&mut self) -> Result<LabelFilter> {
        self.count()?;
        if self.accept("(") {
            let inner = self.label_filter()?;
            self.expect(")")?;
            return Ok(inner);
        }
        // Any stage could follow: too many to name.
        if self.name().is_none() {
            return Err(self.unexpected(""));
        }
        let label = self.label()?;
        if self.match_op().is_some() && matches!(self.peek_second(), Token::Text(_)) {
            return self.matcher(label).map(LabelFilter::Matcher);
        }
        let op = match self.peek() {
            Token::Sign("=" | "==") => CompareOp::Equal,
            Token::Sign("!=") => CompareOp::NotEqual,
            Token::Sign(">") => CompareOp::Greater,
            Token::Sign(">=") => CompareOp::GreaterOrEqual,
            Token::Sign("<") => CompareOp::Less,
            Token::Sign("<=") => CompareOp::LessOrEqual,
            Token::Sign("=~" | "!~") => {
                self.advance();
                return Err(self.unexpected("STRING"));
            }
            _ => return Err(self.unexpected("")),
        };
        let takes_ip = matches!(self.peek(), Token::Sign("=" | "!="));
        self.advance();
        if takes_ip && self.accept_word("ip") {
            let pattern = self.string_in_parentheses()?;
            return Ok(LabelFilter::Ip { label: label.to_owned(), is_negative: op == CompareOp::NotEqual, pattern });
        }
        let signed = if self.is_sign("-") { self.peek_second() } else { self.peek() };
        let value = match *signed {
            Token::Duration(_) => Quantity::Duration(self.duration()?),
            Token::Bytes(bytes) if !self.is_sign("-") => {
                self.advance();
                Quantity::Bytes(bytes)
            }
            _ => Quantity::Number(self.number()?),
        };
        Ok(LabelFilter::Compare { label: label.to_owned(), op, value })
    }
}
