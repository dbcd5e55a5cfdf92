//! Where the conformance data lies. It is no part of the repository: without it the tests that need it are skipped, and say
//! so, but not on the build server.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, say aloud what they counted and what they skip, and ask where their data lies"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The directory of the conformance data; `None`, said aloud, if it is not here.
///
/// # Panics
/// On the build server if it is not here.
pub fn root() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance");
    let root = std::env::var_os("SIGNALBOX_CONFORMANCE").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    skip(&root, &"no such directory");
    None
}

/// A file of the conformance data; `None`, said aloud, if it is not here.
///
/// # Panics
/// On the build server if it is not here.
pub fn read(path: &str) -> Option<String> {
    let file = root()?.join(path);
    std::fs::read_to_string(&file).inspect_err(|error| skip(&file, error)).ok()
}

/// The objects of a file with one object a line.
///
/// # Panics
/// If a line is no JSON; on the build server if the file is not here.
pub fn facts(path: &str) -> Option<Vec<Value>> {
    let text = read(path)?;
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Fails with all failures at once.
///
/// # Panics
/// If there is a failure, or no case.
pub fn report(what: &str, cases: usize, failures: &[String]) {
    eprintln!("{what}: {} of {cases} pass", cases - failures.len());
    assert!(cases > 0, "{what}: no cases");
    assert!(failures.is_empty(), "{what}: {} of {cases} fail:\n{}", failures.len(), failures.join("\n"));
}

fn skip(path: &Path, error: &dyn std::fmt::Display) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot read {}: {error}", path.display());
    eprintln!("SKIPPED: cannot read {}: {error}; set SIGNALBOX_CONFORMANCE", path.display());
}
