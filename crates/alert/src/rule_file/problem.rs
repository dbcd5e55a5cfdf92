//! What is wrong with a rule file, and where.

use std::fmt;

use signalbox_lang::text::quote;

/// One thing that is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1, where they are known.
    pub at: Option<(usize, usize)>,
    /// The rule, if it is about one.
    pub rule: Option<RulePlace>,
    /// What is wrong.
    pub message: String,
}

/// A rule in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlace {
    /// Name of its group.
    pub group: String,
    /// Its number in the group, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
}

/// `line:column: group "g", rule 1, "name": what`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "{line}:{column}: ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "group {}, rule {}, {}: ", quote(&rule.group), rule.number, quote(&rule.name))?;
        }
        f.write_str(&self.message)
    }
}
