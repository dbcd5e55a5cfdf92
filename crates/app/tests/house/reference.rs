//! `config/` says what the code says: `full.yaml` and the table in `README.md` are made of the defaults and of the doc
//! comments of the `Settings`. `BLESS=1` rewrites them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_norway::Value;
use signalbox_app::Config;

const INTRODUCTION: &str = "\
# Every option at its default, with its meaning. A configuration needs only what differs.
# Made of the code: `BLESS=1 cargo test --workspace --test house reference` rewrites this file.
";
const TABLE_BEGINS: &str = "<!-- the table below is made of the code: BLESS=1 cargo test --workspace --test house reference -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A struct in the sources: its fields with their doc comments, in order.
struct Documented {
    fields: Vec<(String, String)>,
}

/// All public structs in the sources of a folder whose fields are documented.
fn documented(folder: &Path, found: &mut Vec<Documented>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            documented(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            structs(&fs::read_to_string(&path).unwrap(), found);
        }
    }
}

fn structs(source: &str, found: &mut Vec<Documented>) {
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if !(line.starts_with("pub struct ") && line.ends_with('{')) {
            continue;
        }
        let (mut fields, mut doc) = (Vec::new(), String::new());
        for line in lines.by_ref().map(str::trim).take_while(|line| *line != "}") {
            if let Some(text) = line.strip_prefix("///") {
                doc.push_str(text.trim());
                doc.push(' ');
            } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|field| field.split_once(':')) {
                fields.push((name.to_owned(), std::mem::take(&mut doc).trim().to_owned()));
            }
        }
        found.push(Documented { fields });
    }
}

/// One option or section on the way down.
struct Entry {
    path: Vec<String>,
    doc: String,
    /// `None` for a section.
    value: Option<Value>,
}

fn entries(value: &Value, path: &[String], known: &[Documented], all: &mut Vec<Entry>) {
    let mapping = value.as_mapping().unwrap();
    let keys: Vec<&str> = mapping.keys().map(|key| key.as_str().unwrap()).collect();
    let documented = known.iter().find(|candidate| candidate.fields.iter().map(|(name, _)| name).eq(keys.iter()));
    let documented = documented.unwrap_or_else(|| panic!("no struct with the fields {keys:?} below {path:?}"));
    for ((name, doc), inner) in documented.fields.iter().zip(mapping.values()) {
        assert!(!doc.is_empty(), "{path:?} {name} has no doc comment");
        let path: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
        let is_section = inner.as_mapping().is_some_and(|inner| !inner.is_empty());
        all.push(Entry { path: path.clone(), doc: doc.clone(), value: (!is_section).then(|| inner.clone()) });
        if is_section {
            entries(inner, &path, known, all);
        }
    }
}

fn all_entries() -> Vec<Entry> {
    let mut known = Vec::new();
    for krate in fs::read_dir(root().join("crates")).unwrap().flatten().filter(|krate| krate.path().join("src").is_dir()) {
        documented(&krate.path().join("src"), &mut known);
    }
    let mut all = Vec::new();
    entries(&serde_norway::to_value(Config::default()).unwrap(), &[], &known, &mut all);
    all
}

fn plain(value: &Value) -> String {
    if let Some(items) = value.as_sequence() {
        return format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", "));
    }
    serde_norway::to_string(value).unwrap().trim_end().to_owned()
}

fn full() -> String {
    let mut text = INTRODUCTION.to_owned();
    for Entry { path, doc, value } in all_entries() {
        let indent = "  ".repeat(path.len() - 1);
        if path.len() == 1 {
            text.push('\n');
        }
        for line in wrapped(&doc, 110 - indent.len()) {
            writeln!(text, "{indent}# {line}").unwrap();
        }
        let key = path.last().unwrap();
        match value {
            Some(value) => writeln!(text, "{indent}{key}: {}", plain(&value)).unwrap(),
            None => writeln!(text, "{indent}{key}:").unwrap(),
        }
    }
    text
}

fn table() -> String {
    let mut text = String::from("| option | default | meaning |\n|---|---|---|\n");
    for Entry { path, doc, value } in all_entries() {
        let doc = doc.replace('|', "\\|");
        let default = value.map(|value| format!("`{}`", plain(&value))).unwrap_or_default();
        writeln!(text, "| `{}` | {default} | {doc} |", path.join(".")).unwrap();
    }
    text
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment to rewrite what they compare")]
fn is_blessing() -> bool {
    std::env::var("BLESS").is_ok()
}

fn same(file: &Path, expected: &str) {
    if is_blessing() {
        fs::write(file, expected).unwrap();
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert!(found == expected, "{} is not what the code says: BLESS=1 cargo test --workspace --test house reference", file.display());
}

#[test]
fn reference_full_yaml_is_every_option_at_its_default() {
    let file = root().join("config/full.yaml");
    same(&file, &full());
    assert_eq!(Config::parse(&fs::read_to_string(file).unwrap(), |_| None), Ok(Config::default()));
}

#[test]
fn reference_table_is_every_option() {
    let file = root().join("config/README.md");
    let text = fs::read_to_string(&file).unwrap();
    let (guide, _) = text.split_once(TABLE_BEGINS).expect("the mark where the table begins");
    same(&file, &format!("{guide}{TABLE_BEGINS}\n{}", table()));
}

#[test]
fn every_example_loads() {
    let mut loaded = 0;
    for entry in fs::read_dir(root().join("config")).unwrap().flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "yaml")) {
        if let Err(error) = Config::load(&entry.path(), |_| Some("from-the-environment".to_owned())) {
            panic!("{error}");
        }
        loaded += 1;
    }
    assert!(loaded >= 2, "full.yaml and minimal.yaml at least, {loaded} found");
}
