//! Parser of TraceQL: recursive descent over tokens, with bounds on length, nesting and number of conditions.

use signalbox_model::{Error, ErrorKind, MatchOp, Matcher, Result};

use super::ast::{AttributeScope, Comparison, Condition, Field, SpanFilter, Value};
use super::lex::{Token, error_at, tokens};
use crate::{
    Span,
    traceql::tree::{CompareOp, KIND_WORDS, STATUS_WORDS},
};

/// Bytes of one query.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Depth of parentheses.
const NESTING_MAX: usize = 64;
/// Comparisons of one query.
const CONDITIONS_MAX: usize = 1_000;

/// Parses a query.
///
/// # Errors
/// `TooLarge` beyond 64 KiB; `Invalid` with the place for a text that is no TraceQL, and with the words "not
/// supported yet" for what is TraceQL and not spoken.
pub fn parse(text: &str) -> Result<SpanFilter> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, format!("cannot parse a query of {} bytes: want at most {TEXT_BYTES_MAX}", text.len())));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, conditions: 0 };
    let filter = parser.span_filter()?;
    match parser.peek() {
        Token::End => Ok(filter),
        Token::Sign("|") => Err(parser.unsupported("pipelines")),
        Token::Sign(sign) if *sign != "{" => Err(parser.unsupported(&format!("operator {sign} between sets of spans"))),
        _ => Err(parser.unexpected("the end of the query")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    conditions: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn next(&mut self) {
        // The last token is the end, and stays.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn accept(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Sign(next) if *next == sign);
        if is_next {
            self.next();
        }
        is_next
    }

    fn error(&self, reason: &str) -> Error {
        error_at(self.text, self.tokens[self.at].1, reason)
    }

    fn unexpected(&self, want: &str) -> Error {
        let found = match self.peek() {
            Token::End => "end of query".to_owned(),
            _ => format!("{:?}", self.tokens[self.at].1.of(self.text)),
        };
        self.error(&format!("syntax error: unexpected {found}, want {want}"))
    }

    fn unsupported(&self, what: &str) -> Error {
        self.error(&format!("not supported yet: {what}"))
    }

    fn span_filter(&mut self) -> Result<SpanFilter> {
        if matches!(self.peek(), Token::Sign("(")) {
            return Err(self.unsupported("sets of spans in parentheses"));
        }
        if matches!(self.peek(), Token::Word(_) | Token::Int(_) | Token::Float(_) | Token::Duration(_) | Token::Sign("-")) {
            return Err(self.unsupported("aggregates and pipelines"));
        }
        if !self.accept("{") {
            return Err(self.unexpected("{"));
        }
        if self.accept("}") {
            return Ok(SpanFilter { condition: None });
        }
        let condition = self.any_of()?;
        if self.accept("}") {
            return Ok(SpanFilter { condition: Some(condition) });
        }
        match self.peek() {
            Token::Sign(sign @ ("+" | "-" | "*" | "/" | "%" | "^")) => Err(self.unsupported(&format!("operator {sign}"))),
            _ => Err(self.unexpected("&&, || or }")),
        }
    }

    /// Conditions joined by `||`.
    fn any_of(&mut self) -> Result<Condition> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(self.error(&format!("query nests deeper than {NESTING_MAX}")));
        }
        let mut left = self.all_of()?;
        while self.accept("||") {
            left = Condition::Or(Box::new(left), Box::new(self.all_of()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Conditions joined by `&&`.
    fn all_of(&mut self) -> Result<Condition> {
        let mut left = self.one()?;
        while self.accept("&&") {
            left = left.and(self.one()?);
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Condition> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return Err(self.error(&format!("query has more than {CONDITIONS_MAX} conditions")));
        }
        match self.peek().clone() {
            Token::Sign("(") => {
                self.next();
                let inner = self.any_of()?;
                if self.accept(")") { Ok(inner) } else { Err(self.unexpected(")")) }
            }
            Token::Word(word) if word == "true" || word == "false" => {
                self.next();
                Ok(Condition::Constant(word == "true"))
            }
            Token::Sign("-") | Token::Int(_) | Token::Float(_) | Token::Duration(_) | Token::Text(_) => Err(self.unsupported("a value on the left")),
            _ => self.comparison().map(Condition::Compare),
        }
    }

    fn comparison(&mut self) -> Result<Comparison> {
        let field = self.field()?;
        let op = self.compare_op()?;
        let value = self.value()?;
        self.check(&field, op, &value)?;
        Ok(Comparison { field, op, value })
    }

    fn field(&mut self) -> Result<Field> {
        let field = match self.peek() {
            Token::Attribute(scope, name) => Field::Attribute(*scope, name.clone()),
            Token::Word(word) => match word.as_str() {
                "name" | "span:name" => Field::Name,
                "duration" | "span:duration" => Field::Duration,
                "status" | "span:status" => Field::Status,
                "statusMessage" | "span:statusMessage" => Field::StatusMessage,
                "kind" | "span:kind" => Field::Kind,
                other => return Err(self.unsupported(other)),
            },
            Token::Sign("!") => return Err(self.unsupported("negation")),
            _ => return Err(self.unexpected("a field such as resource.service.name, name or duration")),
        };
        self.next();
        Ok(field)
    }

    fn compare_op(&mut self) -> Result<CompareOp> {
        let Token::Sign(sign) = self.peek() else { return Err(self.unexpected("a comparison")) };
        let op = match *sign {
            "=" => CompareOp::Equal,
            "!=" => CompareOp::NotEqual,
            ">" => CompareOp::Greater,
            ">=" => CompareOp::GreaterEqual,
            "<" => CompareOp::Less,
            "<=" => CompareOp::LessEqual,
            "=~" => CompareOp::Regex,
            "!~" => CompareOp::NotRegex,
            "+" | "-" | "*" | "/" | "%" | "^" => return Err(self.unsupported(&format!("operator {sign}"))),
            "&&" | "||" | "}" | ")" => return Err(self.unsupported("a field as a condition by itself")),
            _ => return Err(self.unexpected("a comparison")),
        };
        self.next();
        Ok(op)
    }

    fn value(&mut self) -> Result<Value> {
        let is_negative = self.accept("-");
        let value = match (self.peek(), is_negative) {
            (Token::Int(value), false) => Value::Int(*value),
            (Token::Int(value), true) => Value::Int(value.wrapping_neg()),
            (Token::Float(value), _) => Value::Float(if is_negative { -value } else { *value }),
            (Token::Duration(value), _) => Value::Duration(if is_negative { value.wrapping_neg() } else { *value }),
            (Token::Text(text), false) => Value::Text(text.clone()),
            (Token::Word(word), false) => match self.word_value(word) {
                Some(value) => value,
                None => return Err(self.unsupported(&format!("{word} on the right"))),
            },
            (Token::Attribute(..) | Token::Sign("("), _) => return Err(self.unsupported("an expression on the right")),
            _ => return Err(self.unexpected("a value")),
        };
        self.next();
        Ok(value)
    }

    fn word_value(&self, word: &str) -> Option<Value> {
        let code = |words: &[&str]| words.iter().position(|candidate| *candidate == word).and_then(|code| i32::try_from(code).ok());
        match word {
            "true" | "false" => Some(Value::Bool(word == "true")),
            "nil" => Some(Value::Nil),
            _ => code(&STATUS_WORDS).map(Value::Status).or_else(|| code(&KIND_WORDS).map(Value::Kind)),
        }
    }

    /// Whether the value is one that the field can have.
    fn check(&self, field: &Field, op: CompareOp, value: &Value) -> Result<()> {
        if *value == Value::Nil && !matches!(field, Field::Attribute(..)) {
            return Err(self.unsupported(&format!("nil for {field}")));
        }
        let fits = match field {
            // Every span belongs to a service, if only to an unknown one.
            Field::Attribute(AttributeScope::Resource, name) if name == "service.name" && *value == Value::Nil => op != CompareOp::Equal,
            Field::Name | Field::StatusMessage => matches!(value, Value::Text(_)),
            Field::Duration => matches!(value, Value::Duration(_) | Value::Int(_) | Value::Float(_)) && !op.is_regex(),
            Field::Status => matches!(value, Value::Status(_)) && !op.is_regex() && !op.is_ordering(),
            Field::Kind => matches!(value, Value::Kind(_)) && !op.is_regex() && !op.is_ordering(),
            Field::Attribute(..) => match value {
                Value::Bool(_) | Value::Nil | Value::Status(_) | Value::Kind(_) => !op.is_regex() && !op.is_ordering(),
                Value::Text(_) => true,
                Value::Int(_) | Value::Float(_) | Value::Duration(_) => !op.is_regex(),
            },
        };
        if !fits {
            return Err(self.error(&format!("cannot compare: {field} {} {value}", op.as_str())));
        }
        match value {
            // Only to prove that it is a regular expression; who evaluates compiles it for itself.
            Value::Text(text) if op.is_regex() => Matcher::new("value", MatchOp::Regex, text.as_str()).map(drop).map_err(|error| self.error(error.message())),
            _ => Ok(()),
        }
    }
}
