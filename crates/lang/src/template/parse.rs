//! Tokens to tree: Go's grammar of `text/template`, its checks and its words for what is wrong.

use std::collections::BTreeMap;

use crate::text::{quote, read_quoted};

use super::ast::{Branch, Command, Node, Operand, OperandKind, Pipeline, Tree};
use super::functions::{self, Functions};
use super::lex::{LexError, Token, TokenKind, lex};
use super::limits::{DEPTH_MAX, TEXT_BYTES_MAX};

type Parsed<T> = Result<T, LexError>;

/// Parses a text.
///
/// # Errors
/// The first thing that is wrong: `template: name:1: ...`.
pub(super) fn parse(name: &str, text: &str, functions: &dyn Functions) -> Result<Tree, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("template: {name}: text of {} bytes: want at most {TEXT_BYTES_MAX}", text.len()));
    }
    let parse = || {
        let tokens = lex(text)?;
        let mut parser = Parser { tokens, functions, next: 0, variables: vec!["$".into()], defined: BTreeMap::new(), depth: 0, ranges: 0 };
        let (root, end) = parser.list(true)?;
        match end {
            End::Text => Ok(Tree { root, defined: parser.defined }),
            End::Keyword(keyword) => parser.fail(format!("unexpected {{{{{keyword}}}}}")),
        }
    };
    parse().map_err(|error: LexError| {
        let line = 1 + text[..error.at.min(text.len())].matches('\n').count();
        format!("template: {name}:{line}: {}", error.message)
    })
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    functions: &'a dyn Functions,
    next: usize,
    /// Names in scope, the innermost last.
    variables: Vec<String>,
    defined: BTreeMap<String, Vec<Node>>,
    depth: usize,
    ranges: usize,
}

/// What ended a list of nodes.
#[derive(PartialEq)]
enum End {
    Text,
    /// `end` or `else`; for `else` the parser stands right after the word.
    Keyword(&'static str),
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next = (self.next + 1).min(self.tokens.len());
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == TokenKind::Space {
            self.take();
        }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(LexError { at: self.peek().at, message: message.into() })
    }

    fn unexpected<T>(&self, token: Token<'_>, context: &str) -> Parsed<T> {
        let what = match token.kind {
            TokenKind::End => "EOF".to_owned(),
            TokenKind::Keyword => format!("<{}>", token.text),
            _ => quote(token.text),
        };
        Err(LexError { at: token.at, message: format!("unexpected {what} in {context}") })
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            return self.fail(format!("more than {DEPTH_MAX} levels of nesting"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn close(&mut self, context: &str) -> Parsed<()> {
        self.skip_space();
        match self.take() {
            token if token.kind == TokenKind::RightDelimiter => Ok(()),
            token => self.unexpected(token, context),
        }
    }

    /// Nodes up to the end of the text, or to the `{{end}}` or `{{else` that belongs to the caller.
    fn list(&mut self, is_top: bool) -> Parsed<(Vec<Node>, End)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.take();
            match token.kind {
                TokenKind::End => return Ok((nodes, End::Text)),
                TokenKind::Text => nodes.push(Node::Text(token.text.into())),
                _ => {
                    self.skip_space();
                    match self.peek() {
                        Token { kind: TokenKind::Keyword, text: "end", .. } => {
                            self.take();
                            self.close("end")?;
                            return Ok((nodes, End::Keyword("end")));
                        }
                        Token { kind: TokenKind::Keyword, text: "else", .. } => {
                            self.take();
                            return Ok((nodes, End::Keyword("else")));
                        }
                        Token { kind: TokenKind::Keyword, text: "define", .. } if is_top => {
                            self.take();
                            self.define()?;
                        }
                        _ => nodes.push(self.action()?),
                    }
                }
            }
        }
    }

    fn action(&mut self) -> Parsed<Node> {
        let token = self.peek();
        if token.kind != TokenKind::Keyword {
            let pipeline = self.pipeline("command", TokenKind::RightDelimiter)?;
            return Ok(Node::Action(pipeline));
        }
        self.take();
        match token.text {
            "if" => Ok(Node::If(self.branch("if")?)),
            "with" => Ok(Node::With(self.branch("with")?)),
            "range" => {
                self.ranges += 1;
                let branch = self.branch("range")?;
                self.ranges -= 1;
                Ok(Node::Range(branch))
            }
            "break" | "continue" => {
                self.close(token.text)?;
                if self.ranges == 0 {
                    return Err(LexError { at: token.at, message: format!("{{{{{}}}}} outside {{{{range}}}}", token.text) });
                }
                Ok(if token.text == "break" { Node::Break } else { Node::Continue })
            }
            "template" => self.call(token.at),
            "block" => self.block(token.at),
            _ => self.unexpected(token, "command"),
        }
    }

    /// The condition, the branches and the `{{end}}` of an action; variables live as long as the action.
    fn branch(&mut self, context: &'static str) -> Parsed<Branch> {
        self.nested(|parser| {
            let scope = parser.variables.len();
            let pipeline = parser.pipeline(context, TokenKind::RightDelimiter)?;
            let (then, end) = parser.list(false)?;
            let otherwise = match end {
                End::Text => return parser.unexpected(parser.peek(), context),
                End::Keyword("else") => parser.otherwise(context)?,
                End::Keyword(_) => Vec::new(),
            };
            parser.variables.truncate(scope);
            Ok(Branch { pipeline, then, otherwise })
        })
    }

    /// What follows `{{else`: a chained `if` (or `with`), or a list up to `{{end}}`.
    fn otherwise(&mut self, context: &'static str) -> Parsed<Vec<Node>> {
        self.skip_space();
        let token = self.peek();
        if token.kind == TokenKind::Keyword && token.text == context && context != "range" {
            self.take();
            let branch = self.branch(context)?;
            return Ok(vec![if context == "if" { Node::If(branch) } else { Node::With(branch) }]);
        }
        self.close("else")?;
        let outside = if context == "range" { self.ranges.saturating_sub(1) } else { self.ranges };
        let ranges = std::mem::replace(&mut self.ranges, outside);
        let (nodes, end) = self.list(false)?;
        self.ranges = ranges;
        match end {
            End::Keyword("end") => Ok(nodes),
            End::Keyword(_) => self.fail("expected end; found {{else}}"),
            End::Text => self.unexpected(self.peek(), context),
        }
    }

    fn template_name(&mut self, context: &str) -> Parsed<String> {
        self.skip_space();
        let token = self.take();
        match token.kind {
            TokenKind::Quoted | TokenKind::Raw => unquote(token),
            _ => self.unexpected(token, context),
        }
    }

    fn call(&mut self, at: usize) -> Parsed<Node> {
        let name = self.template_name("template clause")?;
        self.skip_space();
        if self.peek().kind == TokenKind::RightDelimiter {
            self.take();
            return Ok(Node::Call { at, name, pipeline: None });
        }
        let pipeline = self.pipeline("template clause", TokenKind::RightDelimiter)?;
        Ok(Node::Call { at, name, pipeline: Some(pipeline) })
    }

    fn block(&mut self, at: usize) -> Parsed<Node> {
        let name = self.template_name("block clause")?;
        let pipeline = self.pipeline("block clause", TokenKind::RightDelimiter)?;
        self.body(&name, "block clause")?;
        Ok(Node::Call { at, name, pipeline: Some(pipeline) })
    }

    fn define(&mut self) -> Parsed<()> {
        let name = self.template_name("define clause")?;
        self.close("define clause")?;
        self.body(&name, "define clause")
    }

    /// The body of a definition: a template of its own, which sees no variable from outside.
    fn body(&mut self, name: &str, context: &'static str) -> Parsed<()> {
        self.nested(|parser| {
            let variables = std::mem::replace(&mut parser.variables, vec!["$".into()]);
            let ranges = std::mem::take(&mut parser.ranges);
            let (nodes, end) = parser.list(false)?;
            if end != End::Keyword("end") {
                return parser.unexpected(parser.peek(), context);
            }
            parser.variables = variables;
            parser.ranges = ranges;
            parser.defined.insert(name.to_owned(), nodes);
            Ok(())
        })
    }

    /// Declarations and commands up to and with the token that ends them.
    fn pipeline(&mut self, context: &'static str, end: TokenKind) -> Parsed<Pipeline> {
        self.nested(|parser| {
            let (variables, is_assignment) = parser.declarations(context)?;
            let mut commands: Vec<Command> = Vec::new();
            loop {
                parser.skip_space();
                let token = parser.peek();
                if token.kind == end {
                    parser.take();
                    return parser.checked(commands, variables, is_assignment, context);
                }
                let starts_command = matches!(
                    token.kind,
                    TokenKind::Bool
                        | TokenKind::Character
                        | TokenKind::Dot
                        | TokenKind::Field
                        | TokenKind::Identifier
                        | TokenKind::Number
                        | TokenKind::Nil
                        | TokenKind::Raw
                        | TokenKind::Quoted
                        | TokenKind::Variable
                        | TokenKind::LeftParen
                );
                if !starts_command {
                    parser.take();
                    return parser.unexpected(token, context);
                }
                commands.push(parser.command()?);
            }
        })
    }

    fn checked(&mut self, commands: Vec<Command>, variables: Vec<String>, is_assignment: bool, context: &str) -> Parsed<Pipeline> {
        if commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (index, command) in commands.iter().enumerate().skip(1) {
            let first = command.operands.first().map(|operand| &operand.kind);
            let literal = matches!(
                first,
                Some(
                    OperandKind::Bool(_)
                        | OperandKind::Dot
                        | OperandKind::Nil
                        | OperandKind::Integer { .. }
                        | OperandKind::Float { .. }
                        | OperandKind::Text { .. }
                )
            );
            if literal {
                return self.fail(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        if !is_assignment {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipeline { variables, is_assignment, commands })
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`. Nothing is consumed if there is none.
    fn declarations(&mut self, context: &str) -> Parsed<(Vec<String>, bool)> {
        let (start, mut names) = (self.next, Vec::new());
        loop {
            self.skip_space();
            let token = self.take();
            if token.kind != TokenKind::Variable {
                break;
            }
            self.skip_space();
            let operator = self.take();
            names.push(token.text.to_owned());
            match operator.kind {
                TokenKind::Declare => return Ok((names, false)),
                TokenKind::Assign => {
                    if let Some(unknown) = names.iter().find(|name| !self.variables.contains(name)) {
                        return self.fail(format!("undefined variable {}", quote(unknown)));
                    }
                    return Ok((names, true));
                }
                TokenKind::Comma if context == "range" && names.len() < 2 => {}
                TokenKind::Comma => return self.fail(format!("too many declarations in {context}")),
                _ => break,
            }
        }
        self.next = start;
        Ok((Vec::new(), false))
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            let token = self.peek();
            match token.kind {
                TokenKind::Space => continue,
                TokenKind::RightDelimiter | TokenKind::RightParen => {}
                TokenKind::Pipe => {
                    self.take();
                    self.skip_space();
                    if matches!(self.peek().kind, TokenKind::RightDelimiter | TokenKind::RightParen) {
                        return self.fail("missing value for command");
                    }
                }
                _ => {
                    self.take();
                    return self.unexpected(token, "operand");
                }
            }
            break;
        }
        if operands.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { operands })
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        let mut fields = Vec::new();
        let behind = self.peek().at;
        while self.peek().kind == TokenKind::Field {
            fields.push(self.take().text[1..].to_owned());
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        let at = operand.at;
        // Go's place of fields of fields is that of the second.
        operand.at = behind;
        match &mut operand.kind {
            OperandKind::Field(own) | OperandKind::Variable { fields: own, .. } => own.extend(fields),
            OperandKind::Bool(_) | OperandKind::Text { .. } | OperandKind::Integer { .. } | OperandKind::Float { .. } | OperandKind::Nil | OperandKind::Dot => {
                return Err(LexError { at, message: format!("unexpected . after term {}", quote(&operand.to_string())) });
            }
            _ => return Ok(Some(Operand { at: behind, kind: OperandKind::Chain { operand: Box::new(operand), fields } })),
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.peek();
        let kind = match token.kind {
            TokenKind::Identifier if functions::arity(token.text, self.functions).is_some() => OperandKind::Function(token.text.into()),
            TokenKind::Identifier => return self.fail(format!("function {} not defined", quote(token.text))),
            TokenKind::Dot => OperandKind::Dot,
            TokenKind::Nil => OperandKind::Nil,
            TokenKind::Bool => OperandKind::Bool(token.text == "true"),
            TokenKind::Field => OperandKind::Field(vec![token.text[1..].into()]),
            TokenKind::Variable if self.variables.iter().any(|name| name == token.text) => {
                OperandKind::Variable { name: token.text.into(), fields: Vec::new() }
            }
            TokenKind::Variable => return self.fail(format!("undefined variable {}", quote(token.text))),
            TokenKind::Number => number(token)?,
            TokenKind::Character => character(token)?,
            TokenKind::Quoted | TokenKind::Raw => OperandKind::Text { value: unquote(token)?, written: token.text.into() },
            TokenKind::LeftParen => {
                self.take();
                let pipeline = self.pipeline("parenthesized pipeline", TokenKind::RightParen)?;
                return Ok(Some(Operand { at: token.at, kind: OperandKind::Pipeline(Box::new(pipeline)) }));
            }
            _ => return Ok(None),
        };
        self.take();
        Ok(Some(Operand { at: token.at, kind }))
    }
}

fn unquote(token: Token<'_>) -> Parsed<String> {
    match read_quoted(token.text, 0) {
        Ok(quoted) if quoted.end == token.text.len() => Ok(quoted.value),
        _ => Err(LexError { at: token.at, message: "invalid syntax".into() }),
    }
}

fn character(token: Token<'_>) -> Parsed<OperandKind> {
    let text = unquote(token)?;
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(OperandKind::Integer { value: i64::from(u32::from(character)), written: token.text.into() }),
        _ => Err(LexError { at: token.at, message: format!("malformed character constant: {}", token.text) }),
    }
}

/// Go's number: integers in four bases with `_`, floats.
fn number(token: Token<'_>) -> Parsed<OperandKind> {
    let written = token.text.to_owned();
    let digits: String = token.text.chars().filter(|character| *character != '_').collect();
    let (sign, unsigned) = match digits.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let lower = unsigned.to_ascii_lowercase();
    let in_base = |rest: &str, base: u32| i64::from_str_radix(&format!("{sign}{rest}"), base).ok();
    let integer = match lower.get(..2) {
        Some("0x") => in_base(&lower[2..], 16),
        Some("0o") => in_base(&lower[2..], 8),
        Some("0b") => in_base(&lower[2..], 2),
        _ if lower.len() > 1 && lower.starts_with('0') && !lower.contains(['.', 'e']) => in_base(&lower[1..], 8),
        _ => in_base(&lower, 10),
    };
    if let Some(value) = integer {
        return Ok(OperandKind::Integer { value, written });
    }
    let is_decimal = lower.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-'));
    match lower.parse::<f64>() {
        Ok(value) if is_decimal && value.is_finite() && lower.contains(['.', 'e']) => {
            Ok(OperandKind::Float { value: if sign.is_empty() { value } else { -value }, written })
        }
        Ok(_) if is_decimal => Err(LexError { at: token.at, message: format!("{written} overflows int") }),
        _ => Err(LexError { at: token.at, message: format!("bad number syntax: {}", quote(&written)) }),
    }
}
