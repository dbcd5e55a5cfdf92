//! The house rules as tests: who may know whom, how long a file may be, which names are banned.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crate may know which other crates of ours (normal dependencies). Changing the architecture is changing this table.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("proto", &[]),
    ("telemetry", &["model"]),
    ("lang", &["model"]),
    ("store", &["model", "telemetry"]),
    ("meta", &["model", "telemetry"]),
    ("ingest", &["model", "telemetry", "store"]),
    ("query", &["model", "telemetry", "store", "lang"]),
    ("notify", &["model", "telemetry", "lang"]),
    ("receive", &["model", "telemetry", "proto", "ingest"]),
    ("scrape", &["model", "telemetry", "proto", "ingest"]),
    ("api", &["model", "telemetry", "proto", "lang", "query", "meta"]),
    ("alert", &["model", "telemetry", "lang", "query", "ingest", "notify", "meta"]),
    ("app", &["model", "proto", "lang", "telemetry", "store", "meta", "ingest", "query", "notify", "receive", "scrape", "api", "alert", "demo"]),
    ("testkit", &["model"]),
    ("demo", &["model", "proto"]),
];

/// Which crates may name a library as a normal dependency.
const LIBRARY_OWNERS: &[(&str, &[&str])] = &[
    ("datafusion", &["query"]),
    ("parquet", &["store", "query"]),
    ("object_store", &["store", "query"]),
    ("axum", &["receive", "api", "app"]),
    ("tonic", &["proto", "receive", "api", "app"]),
    ("lettre", &["notify"]),
    ("reqwest", &["notify", "scrape", "demo", "app"]),
    ("sqlx", &["store", "meta"]),
    ("clap", &["app"]),
    ("mimalloc", &["app"]),
];

/// Libraries that the pure crates of floor 0 must not know.
const IMPURE: &[&str] = &["tokio", "axum", "reqwest", "sqlx", "hyper"];

const FILE_LINES_MAX: usize = 600;
const TEST_FILE_LINES_MAX: usize = 1000;
const BANNED_WORDS: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc", "manager"];

fn root() -> PathBuf {
    // Not `tests/..`: every path would then lie below a folder of tests.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    const SKIPPED: &[&str] = &["target", "node_modules", "dist", ".git", "testdata", "generated", "corpus", "artifacts", "__pycache__"];
    for entry in fs::read_dir(dir).expect("directories of the repository can be read").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                files_below(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for top in ["crates", "tests", "web"] {
        files_below(&root().join(top), &mut found);
    }
    found.retain(|path| matches!(path.extension().and_then(|extension| extension.to_str()), Some("rs" | "ts" | "tsx" | "css" | "py")));
    found.sort();
    found
}

/// Names in the `[dependencies]` section of a crate.
fn dependencies(krate: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("crates").join(krate).join("Cargo.toml")).expect("every crate has a manifest");
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    let names = section.lines().skip(1).filter_map(|line| line.split(['.', '=', ' ']).next()).map(str::trim);
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).expect("crates can be listed").flatten();
    let mut names: Vec<String> = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn fail_on(problems: &[String]) {
    assert!(problems.is_empty(), "{} problem(s):\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_crate_is_in_the_table_of_edges() {
    let known: BTreeSet<&str> = MAY_KNOW.iter().map(|(krate, _)| *krate).collect();
    let strangers: Vec<String> =
        crates().into_iter().filter(|krate| !known.contains(krate.as_str())).map(|krate| format!("crate {krate} has no row")).collect();
    fail_on(&strangers);
}

#[test]
fn no_crate_knows_a_crate_it_must_not_know() {
    let mut problems = Vec::new();
    for (krate, allowed) in MAY_KNOW {
        for name in dependencies(krate) {
            if let Some(other) = name.strip_prefix("signalbox-").filter(|other| !allowed.contains(other)) {
                problems.push(format!("{krate} must not know {other}"));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn no_crate_knows_a_library_it_must_not_know() {
    let mut problems = Vec::new();
    for krate in crates() {
        let names = dependencies(&krate);
        for (library, owners) in LIBRARY_OWNERS {
            if names.contains(*library) && !owners.contains(&krate.as_str()) {
                problems.push(format!("{krate} must not know {library}: it belongs to {owners:?}"));
            }
        }
        if ["model", "lang"].contains(&krate.as_str()) {
            problems.extend(IMPURE.iter().filter(|library| names.contains(**library)).map(|library| format!("{krate} is pure and must not know {library}")));
        }
    }
    fail_on(&problems);
}

#[test]
fn no_file_is_too_long() {
    const TEST_FOLDERS: &[&str] = &["tests", "benches", "e2e", "mock", "fuzz"];
    let mut problems = Vec::new();
    for path in sources() {
        let lines = fs::read_to_string(&path).map_or(0, |text| text.lines().count());
        let is_test = path.ends_with("tests.rs") || path.components().any(|part| TEST_FOLDERS.iter().any(|folder| part.as_os_str() == *folder));
        let max = if is_test { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
        if lines > max {
            problems.push(format!("{} has {lines} lines: want at most {max}", path.display()));
        }
    }
    fail_on(&problems);
}

#[test]
fn no_file_or_folder_has_a_banned_name() {
    let mut problems = Vec::new();
    for path in sources() {
        for part in path.strip_prefix(root()).unwrap_or(&path).components() {
            let part = part.as_os_str().to_string_lossy().to_lowercase();
            let stem = part.split('.').next().unwrap_or_default();
            if stem.split(['_', '-']).any(|piece| BANNED_WORDS.contains(&piece)) {
                problems.push(format!("{}: a name says what is inside, not that something is", path.display()));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn every_module_says_why_it_exists() {
    let mut problems = Vec::new();
    for path in sources().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let is_source = path.components().any(|part| part.as_os_str() == "src")
            && !path.ends_with("tests.rs")
            && !path.components().any(|part| part.as_os_str() == "tests");
        if is_source && !text.trim_start().starts_with("//!") {
            problems.push(format!("{} does not start with //!", path.display()));
        }
    }
    fail_on(&problems);
}

#[test]
fn libraries_that_travel_together_are_in_the_lock_file_once() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is committed");
    let mut problems = Vec::new();
    for library in ["arrow", "arrow-array", "parquet", "object_store", "datafusion", "zstd", "prost", "tonic", "rustls", "axum"] {
        let copies = lock.matches(&format!("name = \"{library}\"\n")).count();
        if copies != 1 {
            problems.push(format!("{copies} copies of {library}: want one"));
        }
    }
    fail_on(&problems);
}

#[test]
fn the_top_level_is_what_the_map_says() {
    const EXPECTED: &[&str] = &[
        "Cargo.toml",
        "Cargo.lock",
        "crates",
        "web",
        "config",
        "deploy",
        "tests",
        "README.md",
        "Makefile",
        "LICENSE",
        "CHANGELOG.md",
        "rust-toolchain.toml",
        "rustfmt.toml",
        "clippy.toml",
        "deny.toml",
    ];
    const LOCAL: &[&str] = &["data", "target"];
    let entries = fs::read_dir(root()).expect("the root can be listed").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| !name.starts_with('.') && !LOCAL.contains(&name.as_str()));
    let strangers: Vec<String> = names.filter(|name| !EXPECTED.contains(&name.as_str())).map(|name| format!("{name} is not on the map")).collect();
    fail_on(&strangers);
}
