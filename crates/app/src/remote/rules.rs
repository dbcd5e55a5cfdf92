//! `signalbox rules export` and `signalbox rules import`: rules of a running server as files, and files as rules of one.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize as _;
use serde_json::Value;
use signalbox_alert::rule_file;
use signalbox_model::{Error, Result};

use super::{At, Remote};
use crate::cli::say;

/// Where groups are set.
const RULER: &str = "/prometheus/config/v1/rules";
/// Bytes of the name of a file that is made of a namespace.
const NAME_BYTES_MAX: usize = 200;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Writes the rules of a server as rule files.
    Export(Export),
    /// Sets the groups of rule files at a server: a namespace for each file.
    Import(Import),
}

/// What to export.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    at: At,
    /// Where to write a file for each namespace; standard output by default.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only rules that were set over HTTP, without those of rule files.
    #[arg(long)]
    set: bool,
    /// Only this namespace.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    at: At,
    /// The namespace; by default the name of each file without its ending.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Deletes groups of the namespaces that are in no file.
    #[arg(long)]
    prune: bool,
    /// The files or patterns.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
}

/// Does it.
///
/// # Errors
/// If the server refuses, or a file cannot be read or written.
pub(crate) async fn run(rules: &Rules) -> Result<()> {
    match rules {
        Rules::Export(arguments) => arguments.run().await,
        Rules::Import(arguments) => arguments.run().await,
    }
}

impl Export {
    async fn run(&self) -> Result<()> {
        let answer = Remote::new(&self.at)?.data("/api/v1/alerting/rules/export", &[]).await?;
        let is_wanted = |file: &&Value| {
            let is_set = !self.set || file["source"] == "api";
            is_set && self.namespace.as_ref().is_none_or(|namespace| file["namespace"] == namespace.as_str())
        };
        for file in answer.as_array().into_iter().flatten().filter(is_wanted) {
            let (namespace, text) = (file["namespace"].as_str().unwrap_or_default(), file["text"].as_str().unwrap_or_default());
            match &self.dir {
                Some(dir) => {
                    let path = write_new(dir, namespace, text)?;
                    say(&format!("{namespace}: {}", path.display()))?;
                }
                None => say(&format!("# {namespace}\n{}", text.trim_end()))?,
            }
        }
        Ok(())
    }
}

/// Writes a file that is not there yet.
fn write_new(dir: &Path, namespace: &str, text: &str) -> Result<PathBuf> {
    let path = dir.join(format!("{}.yaml", file_name(namespace)));
    let cannot = |error: std::io::Error| Error::invalid(format!("cannot write {}", path.display())).with_source(error);
    std::fs::create_dir_all(dir).map_err(cannot)?;
    let mut file = std::fs::File::options().write(true).create_new(true).open(&path).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    Ok(path)
}

/// A namespace as the name of a file: the last part of a path, without ending and without what file systems do not like.
fn file_name(namespace: &str) -> String {
    let trimmed = namespace.strip_suffix(".yaml").or(namespace.strip_suffix(".yml")).unwrap_or(namespace);
    let plain = |character: char| if character.is_alphanumeric() || "-_. ".contains(character) { character } else { '_' };
    let name: String = trimmed.trim_start_matches('/').chars().map(plain).collect();
    let name = name.trim_start_matches('.').trim();
    let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX.min(name.len()))];
    if name.is_empty() { "rules".to_owned() } else { name.to_owned() }
}

impl Import {
    async fn run(&self) -> Result<()> {
        let remote = Remote::new(&self.at)?;
        let paths = rule_file::find(&self.files)?;
        if paths.is_empty() {
            return Err(Error::invalid("cannot import rules: found no file"));
        }
        // Nothing is set before everything was read.
        let mut read: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for path in &paths {
            let text = rule_file::read(path)?;
            rule_file::parse(&path.display().to_string(), &text)?;
            let own = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let namespace = self.namespace.clone().unwrap_or(own);
            let groups = groups(path, &text)?;
            match read.iter_mut().find(|(known, _)| *known == namespace) {
                Some((_, known)) => known.extend(groups),
                None => read.push((namespace, groups)),
            }
        }
        for (namespace, groups) in &read {
            let path = format!("{RULER}/{}", escaped(namespace));
            for (name, text) in groups {
                remote.post(&path, text).await?;
                say(&format!("{namespace}: {name}"))?;
            }
            if self.prune {
                self.prune(&remote, namespace, groups).await?;
            }
        }
        Ok(())
    }

    async fn prune(&self, remote: &Remote, namespace: &str, groups: &[(String, String)]) -> Result<()> {
        let all: serde_norway::Value = yaml(&remote.get(RULER, &[]).await?)?;
        let there = all.get(namespace).and_then(serde_norway::Value::as_sequence).cloned().unwrap_or_default();
        for group in there {
            let Some(name) = group.get("name").and_then(serde_norway::Value::as_str) else { continue };
            if !groups.iter().any(|(known, _)| known == name) {
                remote.delete(&format!("{RULER}/{}/{}", escaped(namespace), escaped(name))).await?;
                say(&format!("{namespace}: {name} deleted"))?;
            }
        }
        Ok(())
    }
}

/// Names and texts of the groups of a rule file.
fn groups(path: &Path, text: &str) -> Result<Vec<(String, String)>> {
    let mut groups = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        let document = serde_norway::Value::deserialize(document);
        let document = document.map_err(|error| Error::invalid(format!("{}: {error}", path.display())))?;
        for group in document.get("groups").and_then(serde_norway::Value::as_sequence).into_iter().flatten() {
            let name = group.get("name").and_then(serde_norway::Value::as_str).unwrap_or_default();
            let text = serde_norway::to_string(group).map_err(|error| Error::internal("cannot write a group as YAML").with_source(error))?;
            groups.push((name.to_owned(), text));
        }
    }
    Ok(groups)
}

fn yaml(text: &str) -> Result<serde_norway::Value> {
    serde_norway::from_str(text).map_err(|error| Error::unavailable(format!("cannot read the rules of the server: {error}")))
}

/// A part of a path.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_become_names_of_files_and_parts_of_paths() {
        for (namespace, want) in
            [("/etc/rules/a.yaml", "etc_rules_a"), ("team a", "team a"), ("../../x", "_.._x"), ("..", "rules"), ("ä/ß:1", "ä_ß_1"), ("", "rules")]
        {
            assert_eq!(file_name(namespace), want, "{namespace}");
        }
        assert!(file_name(&"ü".repeat(1_000)).len() <= NAME_BYTES_MAX);
        assert_eq!(escaped("a b/ä.y~"), "a%20b%2F%C3%A4.y~");
    }

    #[test]
    fn groups_of_all_documents_are_found() {
        let found = groups(Path::new("a"), "groups: [{name: a, rules: []}]\n---\ngroups:\n- name: b\n  rules: []\n").unwrap();
        assert_eq!(found, [("a".to_owned(), "name: a\nrules: []\n".to_owned()), ("b".to_owned(), "name: b\nrules: []\n".to_owned())]);
        assert!(groups(Path::new("a"), ": :").is_err());
    }
}
