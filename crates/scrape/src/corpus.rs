//! Where the conformance data lies. It is no part of the repository: without it the tests that need it are skipped, but
//! not on the build server.

use std::path::PathBuf;

use serde_json::Value;

/// The directory of the conformance data; `None` (said loudly) if it is not here.
pub(crate) fn root() -> Option<PathBuf> {
    let root = std::env::var("SIGNALBOX_CONFORMANCE")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot read {}", root.display());
    eprintln!("SKIPPED: cannot read {}; set SIGNALBOX_CONFORMANCE", root.display());
    None
}

/// The objects of a file with one object a line.
pub(crate) fn facts(path: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(root()?.join(path)).unwrap();
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Fails with all failures at once.
pub(crate) fn report(what: &str, cases: usize, failures: &[String]) {
    eprintln!("{what}: {} of {cases} pass", cases - failures.len());
    assert!(cases > 0, "{what}: no cases");
    assert!(failures.is_empty(), "{what}: {} of {cases} fail:\n{}", failures.len(), failures.join("\n"));
}
