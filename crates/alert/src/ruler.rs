//! Rules that are set by API, beside those of files: who owns which, where they are kept, what is in force.
//!
//! A namespace is to its groups what a file is. A namespace with the path of a rule file is that file, and read-only: the file is
//! the truth. A group is acknowledged when it is durable in `meta`; whoever runs the server puts it in force right after that.

use std::collections::BTreeMap;

use signalbox_meta::{Meta, StoredRuleGroup};
use signalbox_model::{Error, ErrorKind, Result};

use crate::Alerting;
use crate::rule_file::{self, Group, Language};
use crate::rule_text::{self, Implied};

/// Most groups that are set by API.
const GROUPS_MAX: usize = 10_000;
/// Bytes of the text of a group.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Bytes of the name of a namespace.
const NAMESPACE_BYTES_MAX: usize = 1_024;

/// Rules as they were read from files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// Where files are looked for.
    pub(crate) patterns: Vec<String>,
    /// Paths and texts.
    pub(crate) files: Vec<(String, String)>,
    /// All groups of the files.
    pub(crate) groups: Vec<Group>,
}

impl Sources {
    /// Reads all files that match the patterns.
    ///
    /// # Errors
    /// As [`rule_file::load_all`].
    pub(crate) fn load(patterns: &[String]) -> Result<Self> {
        let (mut sources, mut problems) = (Self { patterns: patterns.to_vec(), ..Self::default() }, Vec::new());
        for path in rule_file::find(patterns)? {
            let name = path.display().to_string();
            match rule_file::read(&path).and_then(|text| Ok((rule_file::parse(&name, &text)?, text))) {
                Ok((groups, text)) => {
                    sources.groups.extend(groups);
                    sources.files.push((name, text));
                }
                Err(error) => problems.push(error.message().to_owned()),
            }
        }
        if problems.is_empty() { Ok(sources) } else { Err(Error::invalid(problems.join("\n"))) }
    }

    fn owns(&self, namespace: &str) -> bool {
        self.files.iter().any(|(path, _)| path == namespace)
    }

    /// The groups of the files, and after them those that were set by API.
    ///
    /// # Errors
    /// Of the database. What is kept there and cannot be read any more is left out, and the log says so.
    pub(crate) async fn all_groups(&self, meta: &Meta) -> Result<Vec<Group>> {
        let mut groups = self.groups.clone();
        for kept in meta.rule_groups().await? {
            if self.owns(&kept.namespace) {
                tracing::error!(namespace = kept.namespace, "rule group {:?} is not in force: its namespace is a rule file now", kept.name);
                continue;
            }
            match rule_text::file([kept.text.as_str()]).and_then(|text| rule_file::parse(&kept.namespace, &text)) {
                Ok(more) => groups.extend(more),
                Err(error) => tracing::error!(namespace = kept.namespace, "rule group {:?} is not in force: {error}", kept.name),
            }
        }
        Ok(groups)
    }
}

/// A group as it stands in its file or was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupText {
    /// The file or the namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it is of a file, so that only the file can change it.
    pub is_file: bool,
    /// Whether all of its rules are LogQL.
    pub is_logql: bool,
    /// The group, YAML.
    pub text: String,
}

/// A rule file that has what is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// Path of the file, or the namespace.
    pub namespace: String,
    /// Whether it is a file.
    pub is_file: bool,
    /// The file, YAML; one that is a file as it was read.
    pub text: String,
}

impl Alerting {
    /// All groups, those of files as they were read and those that were set, by namespace and in their order.
    ///
    /// # Errors
    /// Of the database.
    pub async fn rule_groups(&self) -> Result<Vec<GroupText>> {
        let sources = self.sources();
        let is_logql: BTreeMap<(&str, &str), bool> =
            sources.groups.iter().map(|group| ((group.file.as_str(), group.name.as_str()), rule_text::is_all(group, Language::Logql))).collect();
        let mut groups = Vec::new();
        for (path, text) in &sources.files {
            for (name, text) in rule_text::groups(text) {
                let is_logql = is_logql.get(&(path.as_str(), name.as_str())).copied().unwrap_or(false);
                groups.push(GroupText { namespace: path.clone(), name, is_file: true, is_logql, text });
            }
        }
        for kept in self.meta().rule_groups().await? {
            groups.push(GroupText { is_logql: is_logql_text(&kept), namespace: kept.namespace, name: kept.name, is_file: false, text: kept.text });
        }
        groups.sort_by(|left, right| left.namespace.cmp(&right.namespace));
        Ok(groups)
    }

    /// All rules as files that can be loaded, by namespace.
    ///
    /// # Errors
    /// Of the database.
    pub async fn export_rules(&self) -> Result<Vec<FileText>> {
        let mut kept: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for group in self.meta().rule_groups().await? {
            kept.entry(group.namespace).or_default().push(group.text);
        }
        let mut files: Vec<FileText> =
            self.sources().files.iter().map(|(path, text)| FileText { namespace: path.clone(), is_file: true, text: text.clone() }).collect();
        for (namespace, groups) in kept {
            files.push(FileText { text: rule_text::file(groups.iter().map(String::as_str))?, namespace, is_file: false });
        }
        files.sort_by(|left, right| left.namespace.cmp(&right.namespace));
        Ok(files)
    }

    /// Sets a group of rules, YAML, new or in place of the one of its name. Durable on return; in force soon after.
    ///
    /// # Errors
    /// `Invalid` with all that is wrong with it, `Denied` for the namespace of a file, `Limit` for too many, and of the database.
    pub async fn set_rule_group(&self, namespace: &str, text: &str, implied: Implied) -> Result<()> {
        let is_name = !namespace.is_empty() && namespace.len() <= NAMESPACE_BYTES_MAX && !namespace.contains(char::is_control);
        if !is_name {
            return Err(Error::invalid(format!("cannot use namespace {namespace:?}: want a text of at most {NAMESPACE_BYTES_MAX} bytes")));
        }
        if text.len() > GROUP_BYTES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, format!("rule group of {} bytes: want at most {GROUP_BYTES_MAX}", text.len())));
        }
        self.refuse_file(namespace)?;
        let (text, group) = rule_text::read(namespace, text, implied)?;
        // One at a time: between the count and the commit nobody else sets a group.
        let _one = self.setting_rules().await;
        let kept = self.meta().rule_groups().await?;
        match kept.iter().find(|kept| kept.namespace == namespace && kept.name == group.name) {
            Some(earlier) if is_logql_text(earlier) != rule_text::is_all(&group, Language::Logql) => {
                let message = format!("group {:?} of namespace {namespace:?} has rules of another language: delete it where it was set", group.name);
                return Err(Error::invalid(message));
            }
            None if kept.len() >= GROUPS_MAX => return Err(Error::limit(format!("found {GROUPS_MAX} rule groups: want no more"))),
            _ => {}
        }
        let stored = StoredRuleGroup { namespace: namespace.to_owned(), name: group.name, text, updated_at_ms: self.now_ms() };
        self.meta().save_rule_group(&stored).await?;
        self.rules_changed().notify_one();
        Ok(())
    }

    /// Deletes the groups of a namespace that were set, or the one with a name. Durable on return; out of force soon after.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Denied` for the namespace of a file, and of the database.
    pub async fn delete_rule_groups(&self, namespace: &str, name: Option<&str>) -> Result<()> {
        self.refuse_file(namespace)?;
        if self.meta().delete_rule_groups(namespace, name).await? == 0 {
            let message = if name.is_some() { "group does not exist" } else { "no rule groups found" };
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        self.rules_changed().notify_one();
        Ok(())
    }

    /// Where rule files are looked for.
    pub fn rule_file_patterns(&self) -> Vec<String> {
        self.sources().patterns.clone()
    }

    /// Waits until groups were set or deleted by API that may not be in force, or out of it.
    pub async fn until_rules_change(&self) {
        self.rules_changed().notified().await;
    }

    fn refuse_file(&self, namespace: &str) -> Result<()> {
        if self.sources().owns(namespace) {
            return Err(Error::new(ErrorKind::Denied, format!("namespace {namespace:?} is a rule file: it is changed by changing the file")));
        }
        Ok(())
    }
}

fn is_logql_text(kept: &StoredRuleGroup) -> bool {
    let groups = rule_text::file([kept.text.as_str()]).and_then(|text| rule_file::parse(&kept.namespace, &text)).unwrap_or_default();
    groups.first().is_some_and(|group| rule_text::is_all(group, Language::Logql))
}
