//! Runs a tree: writes the text, keeps the variables, and stops at the bounds.

use std::fmt::Display;

use super::Template;
use super::ast::{Branch, Command, Node, Operand, OperandKind, Pipeline, Tree, call_text};
use super::functions::{self, CallError, Functions};
use super::limits::{BYTES_MAX, CALLS_MAX, STEPS_MAX};
use super::moment;
use super::value::Value;

/// Why an expansion ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// It cannot go on before this is known.
    Needs(String),
    /// It failed: position, node and message as Go words them.
    Failed(String),
    Break,
    Continue,
}

type Step<T> = Result<T, Stop>;

pub(super) struct Evaluator<'a> {
    name: &'a str,
    text: &'a str,
    tree: &'a Tree,
    library: &'a [Template],
    functions: &'a dyn Functions,
    /// Variables in scope, the innermost last.
    variables: Vec<(&'a str, Value)>,
    /// The template that runs, for errors.
    running: &'a str,
    calls: usize,
    steps: usize,
    bytes: usize,
    pub(super) out: String,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(template: &'a Template, functions: &'a dyn Functions, library: &'a [Template]) -> Self {
        let Template { name, text, tree } = template;
        Self { name, text, tree, library, functions, variables: Vec::new(), running: name, calls: 0, steps: 0, bytes: 0, out: String::new() }
    }

    pub(super) fn run(&mut self, dot: &Value) -> Step<()> {
        self.variables = vec![("$", dot.clone())];
        self.walk_all(&self.tree.root, dot)
    }

    fn fail<T>(&self, at: usize, node: &dyn Display, message: impl Display) -> Step<T> {
        let before = &self.text[..at.min(self.text.len())];
        let line = 1 + before.matches('\n').count();
        let column = before.rfind('\n').map_or(before.len(), |newline| before.len() - newline - 1);
        let name = self.name;
        Err(Stop::Failed(format!("template: {name}:{line}:{column}: executing {:?} at <{node}>: {message}", self.running)))
    }

    /// Counts a step of the evaluation.
    fn step(&mut self) -> Step<()> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Stop::Failed(format!("template: {}: more than {STEPS_MAX} steps", self.name)));
        }
        Ok(())
    }

    /// Counts bytes that were made.
    fn charge(&mut self, bytes: usize) -> Step<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES_MAX {
            return Err(Stop::Failed(format!("template: {}: more than {BYTES_MAX} bytes", self.name)));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Step<()> {
        self.charge(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn walk_all(&mut self, nodes: &'a [Node], dot: &Value) -> Step<()> {
        nodes.iter().try_for_each(|node| self.walk(node, dot))
    }

    fn walk(&mut self, node: &'a Node, dot: &Value) -> Step<()> {
        self.step()?;
        match node {
            Node::Text(text) => self.write(text),
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    let printed = if matches!(value, Value::Nil) { "<no value>".into() } else { self.functions.show(&value, &self.out) };
                    self.write(&printed)?;
                }
                Ok(())
            }
            Node::If(branch) => self.branch(branch, dot, false),
            Node::With(branch) => self.branch(branch, dot, true),
            Node::Range(branch) => {
                let scope = self.variables.len();
                let walked = self.range(branch, dot);
                self.variables.truncate(scope);
                walked
            }
            Node::Call { at, name, pipeline } => {
                let argument = pipeline.as_ref().map_or(Ok(Value::Nil), |pipeline| self.pipeline(pipeline, dot))?;
                self.call_template(*at, name, &call_text(name, pipeline.as_ref()), &argument)
            }
            Node::Break => Err(Stop::Break),
            Node::Continue => Err(Stop::Continue),
        }
    }

    fn branch(&mut self, branch: &'a Branch, dot: &Value, is_with: bool) -> Step<()> {
        let scope = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let walked = match (value.is_true(), is_with) {
            (true, true) => self.walk_all(&branch.then, &value),
            (true, false) => self.walk_all(&branch.then, dot),
            (false, _) => self.walk_all(&branch.otherwise, dot),
        };
        self.variables.truncate(scope);
        walked
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value) -> Step<()> {
        let scope = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        // The pipeline set the last variable to the whole; each turn sets both anew.
        let declared = if branch.pipeline.is_assignment { 0 } else { branch.pipeline.variables.len() };
        let pairs: Vec<(Value, Value)> = match &value {
            Value::Nil => Vec::new(),
            Value::List(list) => enumerate(list.iter().cloned()),
            Value::Texts(map) => map.iter().map(|(name, text)| (Value::text(name), Value::text(text))).collect(),
            Value::Map(map) => map.iter().map(|(name, value)| (Value::text(name), value.clone())).collect(),
            Value::Int(count) => enumerate((0..(*count).min(STEPS_MAX as i64)).map(Value::Int)),
            Value::Object(object) if object.texts().is_some() => {
                object.texts().into_iter().flat_map(|map| map.iter()).map(|(name, text)| (Value::text(name), Value::text(text))).collect()
            }
            Value::Object(object) if object.elements().is_some() => enumerate(object.elements().unwrap_or_default().into_iter()),
            other => return self.fail(first_at(&branch.pipeline), &branch.pipeline, format!("range can't iterate over {}", other.print())),
        };
        if pairs.is_empty() {
            return self.walk_all(&branch.otherwise, dot);
        }
        for (key, element) in pairs {
            self.step()?;
            match branch.pipeline.variables.as_slice() {
                [single] => self.set_from(single, element.clone(), scope, declared),
                [first, second] => {
                    self.set_from(first, key, scope, declared);
                    self.set_from(second, element.clone(), scope, declared);
                }
                _ => {}
            }
            let inner = self.variables.len();
            let walked = self.walk_all(&branch.then, &element);
            self.variables.truncate(inner);
            match walked {
                Err(Stop::Break) => break,
                Ok(()) | Err(Stop::Continue) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// Sets a variable of a range: the one it declared, or one from outside.
    fn set_from(&mut self, name: &str, value: Value, scope: usize, declared: usize) {
        let own = self.variables[scope..].iter().take(declared).position(|(known, _)| *known == name);
        match own {
            Some(index) => self.variables[scope + index].1 = value,
            None => self.set(name, value),
        }
    }

    fn set(&mut self, name: &str, value: Value) {
        if let Some((_, old)) = self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            *old = value;
        }
    }

    fn call_template(&mut self, at: usize, name: &str, node: &dyn Display, argument: &Value) -> Step<()> {
        let mut trees = [self.tree].into_iter().chain(self.library.iter().rev().map(|template| &template.tree));
        let Some((name, nodes)) = trees.find_map(|tree| tree.defined.get_key_value(name)) else {
            return self.fail(at, node, format!("template {name:?} not defined"));
        };
        if self.calls >= CALLS_MAX {
            return self.fail(at, node, format!("exceeded maximum template depth ({CALLS_MAX})"));
        }
        self.calls += 1;
        let variables = std::mem::replace(&mut self.variables, vec![("$", argument.clone())]);
        let running = std::mem::replace(&mut self.running, name);
        self.walk_all(nodes, argument)?;
        (self.variables, self.running) = (variables, running);
        self.calls -= 1;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Step<Value> {
        let mut value: Option<Value> = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value.as_ref())?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipeline.variables {
            if pipeline.is_assignment {
                self.set(name, value.clone());
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// One command; what came before it in the pipeline is its last argument.
    fn command(&mut self, command: &'a Command, dot: &Value, piped: Option<&Value>) -> Step<Value> {
        self.step()?;
        let (first, args) = match command.operands.split_first() {
            Some(split) => split,
            None => return Ok(Value::Nil),
        };
        match &first.kind {
            OperandKind::Function(name) => self.function(first, command, name, args, dot, piped),
            OperandKind::Field(fields) => {
                let args = self.arguments(args, dot, piped)?;
                self.fields(first, dot.clone(), fields, &args)
            }
            OperandKind::Variable { name, fields } => {
                let args = self.arguments(args, dot, piped)?;
                let value = self.variable(name);
                self.fields(first, value, fields, &args)
            }
            OperandKind::Chain { operand, fields } => {
                let value = self.operand(operand, dot)?;
                let args = self.arguments(args, dot, piped)?;
                self.fields(first, value, fields, &args)
            }
            OperandKind::Nil => self.fail(first.at, first, "nil is not a command"),
            _ if !args.is_empty() || piped.is_some() => self.fail(first.at, first, format!("can't give argument to non-function {first}")),
            _ => self.operand(first, dot),
        }
    }

    fn arguments(&mut self, args: &'a [Operand], dot: &Value, piped: Option<&Value>) -> Step<Vec<Value>> {
        let mut values = Vec::with_capacity(args.len() + 1);
        for operand in args {
            values.push(self.operand(operand, dot)?);
        }
        values.extend(piped.cloned());
        Ok(values)
    }

    /// The value of an operand that is an argument: functions are called without arguments.
    fn operand(&mut self, operand: &'a Operand, dot: &Value) -> Step<Value> {
        self.step()?;
        match &operand.kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Bool(value) => Ok(Value::Bool(*value)),
            OperandKind::Integer { value, .. } => Ok(Value::Int(*value)),
            OperandKind::Float { value, .. } => Ok(Value::Float(*value)),
            OperandKind::Text { value, .. } => Ok(Value::text(value)),
            OperandKind::Field(fields) => self.fields(operand, dot.clone(), fields, &[]),
            OperandKind::Variable { name, fields } => self.fields(operand, self.variable(name), fields, &[]),
            OperandKind::Function(name) => self.function(operand, operand, name, &[], dot, None),
            OperandKind::Pipeline(pipeline) => self.pipeline(pipeline, dot),
            OperandKind::Chain { operand: inner, fields } => {
                let value = self.operand(inner, dot)?;
                self.fields(operand, value, fields, &[])
            }
        }
    }

    fn variable(&self, name: &str) -> Value {
        self.variables.iter().rev().find(|(known, _)| *known == name).map_or(Value::Nil, |(_, value)| value.clone())
    }

    fn function(&mut self, node: &'a Operand, command: &dyn Display, name: &'a str, args: &'a [Operand], dot: &Value, piped: Option<&Value>) -> Step<Value> {
        if let Err(CallError::Wrong(message)) = functions::check_arity(name, args.len() + usize::from(piped.is_some()), self.functions) {
            return self.fail(node.at, node, message);
        }
        if matches!(name, "and" | "or") {
            return self.short_circuit(name == "or", args, dot, piped);
        }
        let values = self.arguments(args, dot, piped)?;
        let called = match (name, values.as_slice()) {
            ("tmpl", [Value::Text(template), argument]) => {
                let out = std::mem::take(&mut self.out);
                self.call_template(node.at, template, node, argument)?;
                Ok(Value::text(std::mem::replace(&mut self.out, out)))
            }
            _ => functions::call(name, &values, self.functions),
        };
        let value = match called {
            Ok(value) => value,
            Err(CallError::Failed(message)) => return self.fail(node.at, command, format!("error calling {name}: {message}")),
            Err(CallError::Wrong(message)) => return self.fail(node.at, node, message),
            Err(CallError::Needs(what)) => return Err(Stop::Needs(what)),
        };
        if let Value::Text(text) = &value {
            self.charge(text.len())?;
        }
        Ok(value)
    }

    /// `and` and `or` evaluate only as far as they must.
    fn short_circuit(&mut self, is_or: bool, args: &'a [Operand], dot: &Value, piped: Option<&Value>) -> Step<Value> {
        let mut value = Value::Nil;
        for operand in args {
            value = self.operand(operand, dot)?;
            if value.is_true() == is_or {
                return Ok(value);
            }
        }
        Ok(piped.cloned().unwrap_or(value))
    }

    /// Follows fields; only the last may be a method with arguments.
    fn fields(&mut self, node: &Operand, value: Value, fields: &[String], args: &[Value]) -> Step<Value> {
        if fields.is_empty() && !args.is_empty() {
            return self.fail(node.at, node, format!("can't give argument to non-function {node}"));
        }
        let mut value = value;
        for (index, name) in fields.iter().enumerate() {
            let args = if index + 1 == fields.len() { args } else { &[] };
            value = match self.field(&value, name, args) {
                Ok(value) => value,
                Err(message) => return self.fail(node.at, node, message),
            };
            if let Value::Text(text) = &value {
                self.charge(text.len())?;
            }
        }
        Ok(value)
    }

    fn field(&self, value: &Value, name: &str, args: &[Value]) -> Result<Value, String> {
        let method = match value {
            Value::Time(nanoseconds) => moment::time_method(*nanoseconds, name, args),
            Value::Duration(nanoseconds) => moment::duration_method(*nanoseconds, name, args),
            Value::Object(object) => object.method(name, args),
            _ => None,
        };
        if let Some(called) = method {
            return called;
        }
        let has_no_arguments = |value: Value| if args.is_empty() { Ok(value) } else { Err(format!("{name} has arguments but cannot be invoked as function")) };
        match (value, name) {
            (Value::Texts(map), _) => has_no_arguments(Value::text(map.get(name).map_or("", String::as_str))),
            (Value::Map(map), _) => has_no_arguments(map.get(name).cloned().unwrap_or(Value::Nil)),
            (Value::Nil, _) => Ok(Value::Nil),
            (Value::Object(object), _) if object.field(name).is_some() => has_no_arguments(object.field(name).unwrap_or(Value::Nil)),
            (Value::Object(object), _) if object.texts().is_some() => {
                has_no_arguments(Value::text(object.texts().and_then(|map| map.get(name)).map_or("", String::as_str)))
            }
            _ => Err(format!("can't evaluate field {name} in type {}", value.type_name())),
        }
    }
}

fn enumerate(values: impl Iterator<Item = Value>) -> Vec<(Value, Value)> {
    values.enumerate().map(|(index, value)| (Value::Int(i64::try_from(index).unwrap_or(i64::MAX)), value)).collect()
}

fn first_at(pipeline: &Pipeline) -> usize {
    pipeline.commands.first().and_then(|command| command.operands.first()).map_or(0, |operand| operand.at)
}
