//! Where the conformance data lies. It is no part of the repository: without it the tests that need it are skipped, but
//! not on the build server.

use std::path::PathBuf;

use serde_json::Value;

/// A file of the conformance data; `None` (said loudly) if the data is not here.
pub(crate) fn read(path: &str) -> Option<String> {
    let root = std::env::var("SIGNALBOX_CONFORMANCE")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")), PathBuf::from);
    let file = root.join(path);
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot read {}: {error}", file.display());
            eprintln!("SKIPPED: cannot read {}: {error}; set SIGNALBOX_CONFORMANCE", file.display());
            None
        }
    }
}

/// The objects of a file with one object a line.
pub(crate) fn facts(path: &str) -> Option<Vec<Value>> {
    let text = read(path)?;
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Fails with all failures at once.
pub(crate) fn report(what: &str, cases: usize, failures: &[String]) {
    eprintln!("{what}: {} of {cases} pass", cases - failures.len());
    assert!(cases > 0, "{what}: no cases");
    assert!(failures.is_empty(), "{what}: {} of {cases} fail:\n{}", failures.len(), failures.join("\n"));
}
