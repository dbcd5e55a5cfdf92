//! Whoever keeps rules, as clients of rulers ask.

use std::fmt;

use async_trait::async_trait;
use signalbox_model::{Error, ErrorKind, Result};

/// Which language rules are in that do not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implied {
    /// PromQL.
    Promql,
    /// LogQL.
    Logql,
    /// LogQL if all of the group are LogQL, else PromQL.
    Either,
}

/// A group of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupText {
    /// Path of its file, or its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether all of its rules are LogQL.
    pub is_logql: bool,
    /// The group, YAML.
    pub text: String,
}

/// A rule file with rules that are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFileText {
    /// Path of the file, or the namespace.
    pub namespace: String,
    /// Whether it is a file; else it was set over HTTP.
    pub is_file: bool,
    /// The file, YAML.
    pub text: String,
}

/// Whoever keeps rules.
#[async_trait]
pub trait Ruler: Send + Sync + fmt::Debug {
    /// All groups, by namespace and in their order.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be read.
    async fn groups(&self) -> Result<Vec<GroupText>>;

    /// All rules as files that can be loaded.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be read.
    async fn files(&self) -> Result<Vec<RuleFileText>>;

    /// Sets a group; durable on return.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with it, `Denied` for the namespace of a file.
    async fn set(&self, namespace: &str, text: &str, implied: Implied) -> Result<()>;

    /// Deletes the groups of a namespace, or the one with a name; durable on return.
    ///
    /// # Errors
    /// `NotFound`, and `Denied` for the namespace of a file.
    async fn delete(&self, namespace: &str, name: Option<&str>) -> Result<()>;
}

/// A server that takes no rules.
#[derive(Debug, Clone, Copy)]
pub struct NoRuler;

fn none() -> Error {
    Error::new(ErrorKind::Unavailable, "this server keeps no rules")
}

#[async_trait]
impl Ruler for NoRuler {
    async fn groups(&self) -> Result<Vec<GroupText>> {
        Ok(Vec::new())
    }

    async fn files(&self) -> Result<Vec<RuleFileText>> {
        Ok(Vec::new())
    }

    async fn set(&self, _namespace: &str, _text: &str, _implied: Implied) -> Result<()> {
        Err(none())
    }

    async fn delete(&self, _namespace: &str, _name: Option<&str>) -> Result<()> {
        Err(none())
    }
}
