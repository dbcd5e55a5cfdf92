//! The tree of a template. Everything knows where it starts, and prints as it was written: errors show both.

use std::collections::BTreeMap;
use std::fmt;

use crate::text::quote;

/// A parsed template with all that it defines.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) root: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Call { at: usize, name: String, pipeline: Option<Pipeline> },
    Break,
    Continue,
}

#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// `$a, $b := command | command`.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Command>,
}

/// Operands with spaces between; the first is what the command does.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) kind: OperandKind,
}

#[derive(Debug, Clone)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Integer { value: i64, written: String },
    Float { value: f64, written: String },
    Text { value: String, written: String },
    Field(Vec<String>),
    Variable { name: String, fields: Vec<String> },
    Function(String),
    Pipeline(Box<Pipeline>),
    Chain { operand: Box<Operand>, fields: Vec<String> },
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.is_assignment { "=" } else { ":=" })?;
        }
        write_joined(f, &self.commands, " | ")
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.operands.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            match &operand.kind {
                OperandKind::Pipeline(pipeline) => write!(f, "{space}({pipeline})")?,
                _ => write!(f, "{space}{operand}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Dot => f.write_str("."),
            OperandKind::Nil => f.write_str("nil"),
            OperandKind::Bool(value) => write!(f, "{value}"),
            OperandKind::Integer { written, .. } | OperandKind::Float { written, .. } | OperandKind::Text { written, .. } => f.write_str(written),
            OperandKind::Field(fields) => write_fields(f, fields),
            OperandKind::Variable { name, fields } => {
                f.write_str(name)?;
                write_fields(f, fields)
            }
            OperandKind::Function(name) => f.write_str(name),
            OperandKind::Pipeline(pipeline) => write!(f, "{pipeline}"),
            OperandKind::Chain { operand, fields } => {
                match operand.kind {
                    OperandKind::Pipeline(_) => write!(f, "({operand})")?,
                    _ => write!(f, "{operand}")?,
                }
                write_fields(f, fields)
            }
        }
    }
}

/// A call of a template, as errors show it.
pub(super) fn call_text(name: &str, pipeline: Option<&Pipeline>) -> String {
    let pipeline = pipeline.map(|pipeline| format!(" {pipeline}")).unwrap_or_default();
    format!("{{{{template {}{pipeline}}}}}", quote(name))
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[String]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

fn write_joined(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display], separator: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}
