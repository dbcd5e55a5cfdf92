//! What is in braces, and in the parentheses of aggregates and `by`: expressions of one span.
//!
//! | operators | binds | associates |
//! |---|---|---|
//! | `&&`, `\|\|` | loosest | left |
//! | `=` `!=` `<` `<=` `>` `>=` `=~` `!~` | | left |
//! | `+` `-`, and the sign `-` | | left |
//! | the sign `!` | | |
//! | `*` `/` `%` | | left |
//! | `^` | tightest | right |
//!
//! So `-a * b` is `-(a * b)` and `!a = b` is `(!a) = b`, as Tempo's grammar has it.

use super::{
    super::{
        check::{self, Typed},
        failure::Class,
        lex::Token,
        tree::{ArithmeticOp, Attribute, CompareOp, FieldExpr, Intrinsic, KIND_WORDS, STATUS_WORDS, Scope, Static},
    },
    Parsed, Parser,
};
use crate::Span;

/// Levels of operators, looser first.
pub(super) const LOGIC: u8 = 1;
pub(super) const COMPARISON: u8 = 2;
pub(super) const SUM: u8 = 3;
const SIGN_NOT: u8 = 4;
const PRODUCT: u8 = 5;
pub(super) const POWER: u8 = 6;

#[derive(Debug, Clone, Copy)]
enum Operator {
    And,
    Or,
    Compare(CompareOp),
    Arithmetic(ArithmeticOp),
}

/// One side of an operator.
enum Operand {
    Value(Typed),
    /// The word `nil`, which only `=` and `!=` take.
    Nil,
}

/// An arithmetic operator and its level.
pub(super) fn arithmetic_op(sign: &str) -> Option<(ArithmeticOp, u8)> {
    Some(match sign {
        "+" => (ArithmeticOp::Add, SUM),
        "-" => (ArithmeticOp::Subtract, SUM),
        "*" => (ArithmeticOp::Multiply, PRODUCT),
        "/" => (ArithmeticOp::Divide, PRODUCT),
        "%" => (ArithmeticOp::Modulo, PRODUCT),
        "^" => (ArithmeticOp::Power, POWER),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression of one span.
    pub(super) fn field(&mut self) -> Parsed<Typed> {
        let start = self.span();
        match self.field_above(LOGIC)? {
            Operand::Value(typed) => Ok(typed),
            Operand::Nil => Err(self.syntax(start, "nil stands only beside = and !=")),
        }
    }

    /// The binary operators from a level on.
    fn field_above(&mut self, level_min: u8) -> Parsed<Operand> {
        let start = self.span();
        let mut left = self.deeper(Self::field_operand)?;
        while let Some((op, level)) = self.field_operator() {
            if level < level_min {
                break;
            }
            self.node()?;
            let place = self.span();
            self.next();
            // `^` associates to the right, however long the chain is.
            let right = if level == POWER { self.deeper(|parser| parser.field_above(POWER))? } else { self.field_above(level + 1)? };
            left = Operand::Value(self.field_binary(op, left, right, start, place)?);
        }
        Ok(left)
    }

    fn field_operator(&self) -> Option<(Operator, u8)> {
        let Token::Sign(sign) = self.peek() else { return None };
        match *sign {
            "&&" => Some((Operator::And, LOGIC)),
            "||" => Some((Operator::Or, LOGIC)),
            sign => match arithmetic_op(sign) {
                Some((op, level)) => Some((Operator::Arithmetic(op), level)),
                None => self.compare_op().map(|op| (Operator::Compare(op), COMPARISON)),
            },
        }
    }

    fn field_binary(&mut self, op: Operator, left: Operand, right: Operand, start: Span, place: Span) -> Parsed<Typed> {
        let (left, right) = match (op, left, right) {
            (_, Operand::Value(left), Operand::Value(right)) => (left, right),
            (Operator::Compare(CompareOp::Equal | CompareOp::NotEqual), left, right) => {
                let nil = || check::literal(Static::Nil);
                // A missing value is written on either side and kept on the right.
                match (left, right) {
                    (Operand::Nil, Operand::Value(value)) | (Operand::Value(value), _) => (value, nil()),
                    (Operand::Nil, Operand::Nil) => (nil(), nil()),
                }
            }
            _ => return Err(self.syntax(place, "nil stands only beside = and !=")),
        };
        if matches!(op, Operator::Compare(op) if op.is_regex()) {
            self.regex()?;
        }
        let checked = match op {
            Operator::And => check::and(left, right),
            Operator::Or => check::or(left, right),
            Operator::Compare(op) => check::compare(op, left, right),
            Operator::Arithmetic(op) => check::arithmetic(op, left, right),
        };
        Ok(self.checked(checked, start))
    }

    fn field_operand(&mut self) -> Parsed<Operand> {
        let start = self.span();
        if self.accept("(") {
            let inner = self.field()?;
            self.expect(")")?;
            return Ok(Operand::Value(inner));
        }
        if self.accept("!") {
            let inner = self.field_signed(PRODUCT, start)?;
            return Ok(Operand::Value(self.checked(check::not(inner), start)));
        }
        if self.accept("-") {
            let inner = self.field_signed(SIGN_NOT, start)?;
            return Ok(Operand::Value(self.checked(check::negative(inner), start)));
        }
        if self.accept_word("nil") {
            return Ok(Operand::Nil);
        }
        let typed = match self.attribute_here()? {
            Some(attribute) => check::attribute(attribute),
            None => check::literal(self.literal("an attribute, a field such as duration, or a value")?),
        };
        Ok(Operand::Value(self.checked((typed, None), start)))
    }

    fn field_signed(&mut self, level_min: u8, sign: Span) -> Parsed<Typed> {
        self.node()?;
        match self.field_above(level_min)? {
            Operand::Value(typed) => Ok(typed),
            Operand::Nil => Err(self.syntax(sign, "nil stands only beside = and !=")),
        }
    }

    /// An attribute or a field of the data model, if one stands here.
    fn attribute_here(&mut self) -> Parsed<Option<Attribute>> {
        let attribute = match self.peek().clone() {
            Token::Attribute(scope, name) => Attribute::Named(scope, name),
            Token::ParentAttribute(scope, name) => {
                self.unsupported(self.span(), "parent");
                Attribute::Named(scope, name)
            }
            Token::ScopeOfIntrinsic(scope) => {
                self.next();
                let Token::Word(word) = *self.peek() else { return Err(self.unexpected("the name of a field")) };
                match Intrinsic::scoped(scope, word) {
                    Some(intrinsic) => Attribute::Intrinsic(intrinsic),
                    None => return Err(self.unexpected(&format!("a field of {scope}:"))),
                }
            }
            Token::Word("parent") => {
                self.unsupported(self.span(), "intrinsic (parent)");
                Attribute::Named(Scope::Any, "parent".to_owned())
            }
            Token::Word(word) => match Intrinsic::plain(word) {
                Some(intrinsic) => Attribute::Intrinsic(intrinsic),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(attribute))
    }

    /// An attribute or a field of the data model.
    pub(super) fn attribute(&mut self) -> Parsed<Attribute> {
        self.attribute_here()?.ok_or_else(|| self.unexpected("an attribute such as resource.service.name or a field such as duration"))
    }

    /// A value that is written.
    pub(super) fn literal(&mut self, want: &str) -> Parsed<Static> {
        let value = match self.peek() {
            Token::Text(text) => Static::Text(text.clone()),
            Token::Int(value) => Static::Int(*value),
            Token::Float(value) => Static::Float(*value),
            Token::Duration(value) => Static::Duration(*value),
            Token::Word(word) => match word_value(word) {
                Some(value) => value,
                None => return Err(self.syntax(self.span(), format!("unknown identifier: {word}"))),
            },
            _ => return Err(self.unexpected(want)),
        };
        self.next();
        Ok(value)
    }

    /// What an aggregate or `by` takes: an expression that depends on the span.
    pub(super) fn field_of_span(&mut self, what: &str) -> Parsed<Typed> {
        let start = self.span();
        let typed = self.field()?;
        if !typed.is_of_span {
            self.note(Class::Invalid, start, format!("{what} must reference the span, and {} does not", typed.expr));
        }
        Ok(typed)
    }

    /// `{ … }` after its opening brace.
    pub(super) fn braces(&mut self) -> Parsed<Option<FieldExpr>> {
        if self.accept("}") {
            return Ok(None);
        }
        let start = self.span();
        let typed = self.field()?;
        self.expect("}")?;
        if !typed.kind.is_truth() {
            self.note(Class::Invalid, start, format!("span filter field expressions must resolve to a boolean: {{ {} }}", typed.expr));
        }
        Ok(Some(typed.expr))
    }
}

fn word_value(word: &str) -> Option<Static> {
    let code = |words: &[&str]| words.iter().position(|candidate| *candidate == word).and_then(|code| i32::try_from(code).ok());
    match word {
        "true" | "false" => Some(Static::Bool(word == "true")),
        "minInt" => Some(Static::Int(i64::MIN)),
        "maxInt" => Some(Static::Int(i64::MAX)),
        _ => code(&STATUS_WORDS).map(Static::Status).or_else(|| code(&KIND_WORDS).map(Static::Kind)),
    }
}
