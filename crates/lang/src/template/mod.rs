//! Go's `text/template`, as the languages of Prometheus and Loki use it.
//!
//! `lex` and `parse` make a tree, `evaluate` runs it. Running is pure: the functions besides Go's own are given by the user
//! ([`Functions`]), and with them what they know of the world. Everything is bounded by [`limits`], so that a hostile text
//! costs milliseconds, not the server.

pub mod humanize;
pub mod limits;
pub mod moment;
pub mod number;
pub mod printf;

mod ast;
mod evaluate;
mod functions;
mod layout;
mod lex;
mod parse;
mod value;

use ast::{Command, Node, Operand, OperandKind, Pipeline, Tree};
use evaluate::{Evaluator, Stop};

pub use functions::{CallError, Functions, MANY, query_escape, text, wrong_type};
pub use layout::{ParsedTime, parse_time};
pub use value::{Object, Texts, Value, print_texts};

/// A parsed template.
#[derive(Debug)]
pub struct Template {
    name: String,
    text: String,
    tree: Tree,
}

/// Why a template did not give a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interruption {
    /// A function must know this first; then run again.
    Needs(String),
    /// It failed, in the words of Go.
    Failed(String),
}

/// A piece of a template that only puts fields between texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// `{{.name}}`
    Field(String),
}

impl Template {
    /// Parses a text that may call functions.
    ///
    /// # Errors
    /// The first thing that is wrong, in Go's words.
    pub fn parse(name: &str, text: &str, functions: &dyn Functions) -> Result<Self, String> {
        let tree = parse::parse(name, text, functions)?;
        Ok(Self { name: name.to_owned(), text: text.to_owned(), tree })
    }

    /// Runs it over a value.
    ///
    /// # Errors
    /// What a function needs, or why it failed.
    pub fn run(&self, dot: &Value, functions: &dyn Functions) -> Result<String, Interruption> {
        self.run_with(dot, functions, &[])
    }

    /// Runs it over a value; templates that it calls and does not define itself are those of a library, the last one of a name.
    ///
    /// # Errors
    /// What a function needs, or why it failed.
    pub fn run_with(&self, dot: &Value, functions: &dyn Functions, library: &[Self]) -> Result<String, Interruption> {
        let mut evaluator = Evaluator::new(self, functions, library);
        match evaluator.run(dot) {
            Ok(()) | Err(Stop::Break | Stop::Continue) => Ok(evaluator.out),
            Err(Stop::Needs(what)) => Err(Interruption::Needs(what)),
            Err(Stop::Failed(message)) => Err(Interruption::Failed(message)),
        }
    }

    /// The pieces of a template that only puts fields of `.` between texts; `None` if it does more.
    pub fn pieces(&self) -> Option<Vec<Piece>> {
        let piece = |node: &Node| match node {
            Node::Text(text) => Some(Piece::Text(text.clone())),
            Node::Action(pipeline) if pipeline.variables.is_empty() => match pipeline.commands.as_slice() {
                [Command { operands }] => match operands.as_slice() {
                    [Operand { kind: OperandKind::Field(fields), .. }] if fields.len() == 1 => Some(Piece::Field(fields[0].clone())),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        self.tree.root.iter().map(piece).collect()
    }

    /// Names of all fields that the template can look at.
    pub fn fields(&self) -> Vec<String> {
        let mut fields = Vec::new();
        self.tree.defined.values().chain([&self.tree.root]).for_each(|nodes| nodes_fields(nodes, &mut fields));
        fields.sort_unstable();
        fields.dedup();
        fields
    }
}

fn nodes_fields(nodes: &[Node], fields: &mut Vec<String>) {
    for node in nodes {
        match node {
            Node::Action(pipeline) => pipeline_fields(pipeline, fields),
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                pipeline_fields(&branch.pipeline, fields);
                nodes_fields(&branch.then, fields);
                nodes_fields(&branch.otherwise, fields);
            }
            Node::Call { pipeline: Some(pipeline), .. } => pipeline_fields(pipeline, fields),
            Node::Text(_) | Node::Call { .. } | Node::Break | Node::Continue => {}
        }
    }
}

fn pipeline_fields(pipeline: &Pipeline, fields: &mut Vec<String>) {
    pipeline.commands.iter().flat_map(|command| &command.operands).for_each(|operand| operand_fields(operand, fields));
}

fn operand_fields(operand: &Operand, fields: &mut Vec<String>) {
    match &operand.kind {
        OperandKind::Field(names) | OperandKind::Variable { fields: names, .. } => fields.extend(names.iter().cloned()),
        OperandKind::Pipeline(pipeline) => pipeline_fields(pipeline, fields),
        OperandKind::Chain { operand, fields: names } => {
            operand_fields(operand, fields);
            fields.extend(names.iter().cloned());
        }
        _ => {}
    }
}
