//! The part of Go's templates that promtail's stages use: fields, pipelines of functions, `if`, `else`, `end`.

use regex::Regex;

use crate::transform::compile;

/// Nodes of one template, and of one argument list.
const NODES_MAX: usize = 256;
/// Bytes that a template may make.
const OUTPUT_BYTES_MAX: usize = 256 << 10;

/// A template, parsed.
#[derive(Debug)]
pub(super) struct Template(Vec<Node>);

#[derive(Debug)]
enum Node {
    Text(String),
    Print(Pipeline),
    If { condition: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
}

/// Calls, each with the result of the one before as its last argument.
#[derive(Debug)]
struct Pipeline(Vec<Call>);

#[derive(Debug)]
enum Call {
    Value(Operand),
    Function { function: Function, arguments: Vec<Operand>, regex: Option<Regex> },
}

#[derive(Debug)]
enum Operand {
    Text(String),
    Field(String),
    Inner(Pipeline),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    ToLower,
    ToUpper,
    Replace,
    Trim,
    TrimLeft,
    TrimRight,
    TrimPrefix,
    TrimSuffix,
    TrimSpace,
    RegexReplace,
    RegexReplaceLiteral,
    Sha2Hash,
    Default,
    Contains,
    HasPrefix,
    HasSuffix,
    Eq,
    Ne,
    Not,
    And,
    Or,
}

impl Function {
    /// The function of a name and how many arguments it takes.
    fn named(name: &str) -> Option<(Self, usize)> {
        Some(match name {
            "ToLower" | "lower" => (Self::ToLower, 1),
            "ToUpper" | "upper" => (Self::ToUpper, 1),
            "Replace" => (Self::Replace, 4),
            "Trim" => (Self::Trim, 2),
            "TrimLeft" => (Self::TrimLeft, 2),
            "TrimRight" => (Self::TrimRight, 2),
            "TrimPrefix" => (Self::TrimPrefix, 2),
            "TrimSuffix" => (Self::TrimSuffix, 2),
            "TrimSpace" | "trim" => (Self::TrimSpace, 1),
            "regexReplaceAll" => (Self::RegexReplace, 3),
            "regexReplaceAllLiteral" => (Self::RegexReplaceLiteral, 3),
            "Sha2Hash" => (Self::Sha2Hash, 2),
            "default" => (Self::Default, 2),
            "contains" => (Self::Contains, 2),
            "hasPrefix" => (Self::HasPrefix, 2),
            "hasSuffix" => (Self::HasSuffix, 2),
            "eq" => (Self::Eq, 2),
            "ne" => (Self::Ne, 2),
            "not" => (Self::Not, 1),
            "and" => (Self::And, 2),
            "or" => (Self::Or, 2),
            _ => return None,
        })
    }
}

impl Template {
    /// Parses a template.
    pub(super) fn new(text: &str, place: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, place, nodes: 0, trims: false };
        let (nodes, end) = parser.nodes()?;
        match end {
            None => Ok(Self(nodes)),
            Some(word) => Err(format!("{place}: `{word}` without `if`")),
        }
    }

    /// Fills in fields; a missing one is the empty text.
    pub(super) fn render(&self, field: &dyn Fn(&str) -> Option<String>) -> String {
        let mut out = String::new();
        render(&self.0, field, &mut out);
        out.truncate(out.floor_char_boundary(OUTPUT_BYTES_MAX));
        out
    }
}

fn render(nodes: &[Node], field: &dyn Fn(&str) -> Option<String>, out: &mut String) {
    for node in nodes {
        if out.len() > OUTPUT_BYTES_MAX {
            return;
        }
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print(pipeline) => out.push_str(&pipeline.run(field)),
            Node::If { condition, then, otherwise } => {
                let found = condition.run(field);
                render(if matches!(found.as_str(), "" | "false" | "0") { otherwise } else { then }, field, out);
            }
        }
    }
}

impl Pipeline {
    fn run(&self, field: &dyn Fn(&str) -> Option<String>) -> String {
        let mut last = None;
        for call in &self.0 {
            last = Some(match call {
                Call::Value(operand) => operand.run(field),
                Call::Function { function, arguments, regex } => {
                    let arguments: Vec<String> = arguments.iter().map(|argument| argument.run(field)).chain(last).collect();
                    apply(*function, &arguments, regex.as_ref())
                }
            });
        }
        last.unwrap_or_default()
    }
}

impl Operand {
    fn run(&self, field: &dyn Fn(&str) -> Option<String>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Field(name) => field(name).unwrap_or_default(),
            Self::Inner(pipeline) => pipeline.run(field),
        }
    }
}

fn apply(function: Function, arguments: &[String], regex: Option<&Regex>) -> String {
    let argument = |at: usize| arguments.get(at).map_or("", String::as_str);
    let is_in = |set: &str| {
        let set = set.to_owned();
        move |character: char| set.contains(character)
    };
    let is_set = |text: &str| !matches!(text, "" | "false" | "0");
    let truth = |value: bool| value.to_string();
    match function {
        Function::ToLower => argument(0).to_lowercase(),
        Function::ToUpper => argument(0).to_uppercase(),
        Function::Replace => match argument(3).parse::<usize>() {
            Ok(count) => argument(0).replacen(argument(1), argument(2), count),
            Err(_) => argument(0).replace(argument(1), argument(2)),
        },
        Function::Trim => argument(0).trim_matches(is_in(argument(1))).to_owned(),
        Function::TrimLeft => argument(0).trim_start_matches(is_in(argument(1))).to_owned(),
        Function::TrimRight => argument(0).trim_end_matches(is_in(argument(1))).to_owned(),
        Function::TrimPrefix => argument(0).strip_prefix(argument(1)).unwrap_or(argument(0)).to_owned(),
        Function::TrimSuffix => argument(0).strip_suffix(argument(1)).unwrap_or(argument(0)).to_owned(),
        Function::TrimSpace => argument(0).trim().to_owned(),
        Function::RegexReplace => regex.map_or_else(String::new, |regex| regex.replace_all(argument(1), argument(2)).into_owned()),
        Function::RegexReplaceLiteral => regex.map_or_else(String::new, |regex| regex.replace_all(argument(1), regex::NoExpand(argument(2))).into_owned()),
        Function::Sha2Hash => hex::encode(ring::digest::digest(&ring::digest::SHA256, format!("{}{}", argument(0), argument(1)).as_bytes())),
        Function::Default => (if argument(1).is_empty() { argument(0) } else { argument(1) }).to_owned(),
        Function::Contains => truth(argument(1).contains(argument(0))),
        Function::HasPrefix => truth(argument(1).starts_with(argument(0))),
        Function::HasSuffix => truth(argument(1).ends_with(argument(0))),
        Function::Eq => truth(argument(0) == argument(1)),
        Function::Ne => truth(argument(0) != argument(1)),
        Function::Not => truth(!is_set(argument(0))),
        Function::And => (if is_set(argument(0)) { argument(1) } else { argument(0) }).to_owned(),
        Function::Or => (if is_set(argument(0)) { argument(0) } else { argument(1) }).to_owned(),
    }
}

struct Parser<'t> {
    rest: &'t str,
    place: &'t str,
    nodes: usize,
    /// Whether blanks after the action at hand are cut.
    trims: bool,
}

impl<'t> Parser<'t> {
    /// Nodes up to the end, or to an `else` or `end`, which is given back.
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<&'t str>), String> {
        let mut nodes = Vec::new();
        loop {
            self.nodes += 1;
            if self.nodes > NODES_MAX {
                return Err(format!("{}: the template has more than {NODES_MAX} parts", self.place));
            }
            let Some(start) = self.rest.find("{{") else {
                let text = self.text(self.rest.len());
                push_text(&mut nodes, text);
                return Ok((nodes, None));
            };
            let mut text = self.text(start);
            self.rest = &self.rest[2..];
            if let Some(after) = self.rest.strip_prefix("- ") {
                text = text.trim_end();
                self.rest = after;
            }
            push_text(&mut nodes, text);
            let action = self.action()?;
            let (word, rest) = action.split_once(|character: char| character.is_ascii_whitespace()).unwrap_or((action, ""));
            match word {
                "if" => nodes.push(self.branch(rest)?),
                "end" | "else" => return Ok((nodes, Some(action))),
                "range" | "with" | "define" | "template" | "block" | "break" | "continue" => return Err(format!("{}: `{word}` is not supported", self.place)),
                _ if action.starts_with("/*") => {}
                _ => nodes.push(Node::Print(self.pipeline(action)?)),
            }
        }
    }

    fn branch(&mut self, condition: &'t str) -> Result<Node, String> {
        let condition = self.pipeline(condition)?;
        let unended = || format!("{}: `if` without `end`", self.place);
        let place_error = unended();
        let (then, end) = self.nodes()?;
        let otherwise = match end {
            Some("end") => Vec::new(),
            Some("else") => match self.nodes()? {
                (nodes, Some("end")) => nodes,
                _ => return Err(place_error),
            },
            Some(other) => match other.strip_prefix("else if ") {
                Some(condition) => vec![self.branch(condition)?],
                None => return Err(place_error),
            },
            None => return Err(place_error),
        };
        Ok(Node::If { condition, then, otherwise })
    }

    /// Text before an action.
    fn text(&mut self, length: usize) -> &'t str {
        let text = &self.rest[..length];
        self.rest = &self.rest[length..];
        if std::mem::take(&mut self.trims) { text.trim_start() } else { text }
    }

    /// What stands between braces, which were opened.
    fn action(&mut self) -> Result<&'t str, String> {
        let (mut quote, mut is_escaped) = (None, false);
        for (at, character) in self.rest.char_indices() {
            match (quote, character) {
                (Some(_), _) if is_escaped => is_escaped = false,
                (Some('"'), '\\') => is_escaped = true,
                (Some(open), _) if open == character => quote = None,
                (Some(_), _) => {}
                (None, '"' | '`') => quote = Some(character),
                (None, '}') if self.rest[at..].starts_with("}}") => {
                    let action = &self.rest[..at];
                    self.rest = &self.rest[at + 2..];
                    let trimmed = action.strip_suffix(" -");
                    self.trims = trimmed.is_some();
                    return Ok(trimmed.unwrap_or(action).trim());
                }
                (None, _) => {}
            }
        }
        Err(format!("{}: no `}}}}` after `{{{{`", self.place))
    }

    fn pipeline(&mut self, text: &str) -> Result<Pipeline, String> {
        let mut calls: Vec<Call> = Vec::new();
        let mut words = Words { rest: text, place: self.place };
        loop {
            let (word, is_last) = words.call(self)?;
            calls.push(compile_call(word, !calls.is_empty(), self.place)?);
            if is_last {
                return Ok(Pipeline(calls));
            }
        }
    }
}

fn push_text(nodes: &mut Vec<Node>, text: &str) {
    if !text.is_empty() {
        nodes.push(Node::Text(text.to_owned()));
    }
}

/// A name of a function, if it is one, and operands.
type RawCall = (Option<String>, Vec<Operand>);

struct Words<'t, 'p> {
    rest: &'t str,
    place: &'p str,
}

impl Words<'_, '_> {
    /// One call, and whether it is the last of its pipeline.
    fn call(&mut self, parser: &mut Parser<'_>) -> Result<(RawCall, bool), String> {
        let (mut name, mut operands) = (None, Vec::new());
        loop {
            self.rest = self.rest.trim_start();
            let Some(first) = self.rest.chars().next() else { return Ok(((name, operands), true)) };
            if let Some(after) = self.rest.strip_prefix('|') {
                self.rest = after;
                return Ok(((name, operands), false));
            }
            if operands.len() > 8 {
                return Err(format!("{}: too many arguments", self.place));
            }
            match first {
                '"' | '`' => operands.push(Operand::Text(self.quoted(first)?)),
                '(' => {
                    let inner = self.parenthesis()?;
                    parser.nodes += 1;
                    if parser.nodes > NODES_MAX {
                        return Err(format!("{}: the template has more than {NODES_MAX} parts", self.place));
                    }
                    operands.push(Operand::Inner(parser.pipeline(&inner)?));
                }
                _ => {
                    let end =
                        self.rest.find(|character: char| character.is_ascii_whitespace() || matches!(character, '|' | '(' | ')')).unwrap_or(self.rest.len());
                    let (word, after) = self.rest.split_at(end);
                    self.rest = after;
                    if let Some(field) = word.strip_prefix('.') {
                        operands.push(Operand::Field(field.to_owned()));
                    } else if word.parse::<f64>().is_ok() || matches!(word, "true" | "false") {
                        operands.push(Operand::Text(word.to_owned()));
                    } else if name.is_none() && operands.is_empty() && !word.is_empty() {
                        name = Some(word.to_owned());
                    } else {
                        return Err(format!("{}: {word:?} is not understood", self.place));
                    }
                }
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let unended = format!("{}: a text without its end", self.place);
        let mut is_escaped = false;
        for (at, character) in self.rest.char_indices().skip(1) {
            if is_escaped {
                is_escaped = false;
            } else if character == '\\' && quote == '"' {
                is_escaped = true;
            } else if character == quote {
                let (whole, after) = self.rest.split_at(at + 1);
                self.rest = after;
                let inner = &whole[1..at];
                return if quote == '`' {
                    Ok(inner.to_owned())
                } else {
                    serde_json::from_str(whole).map_err(|_| format!("{}: cannot read the text {whole}", self.place))
                };
            }
        }
        Err(unended)
    }

    fn parenthesis(&mut self) -> Result<String, String> {
        let mut depth = 0;
        for (at, character) in self.rest.char_indices() {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inner = self.rest[1..at].to_owned();
                self.rest = &self.rest[at + 1..];
                return Ok(inner);
            }
        }
        Err(format!("{}: no `)` after `(`", self.place))
    }
}

fn compile_call((name, mut operands): RawCall, is_fed: bool, place: &str) -> Result<Call, String> {
    let Some(name) = name else {
        return match (operands.pop(), operands.is_empty(), is_fed) {
            (Some(operand), true, false) => Ok(Call::Value(operand)),
            _ => Err(format!("{place}: want one value or a function")),
        };
    };
    let (function, count) = Function::named(&name).ok_or_else(|| format!("{place}: the function {name:?} is not supported"))?;
    if operands.len() + usize::from(is_fed) != count {
        return Err(format!("{place}: {name} takes {count} arguments"));
    }
    let needs_regex = matches!(function, Function::RegexReplace | Function::RegexReplaceLiteral);
    let regex = match operands.first() {
        Some(Operand::Text(pattern)) if needs_regex => Some(compile(pattern, place).map_err(|error| error.to_string())?),
        _ if needs_regex => return Err(format!("{place}: {name} wants an expression that is a text")),
        _ => None,
    };
    Ok(Call::Function { function, arguments: operands, regex })
}
