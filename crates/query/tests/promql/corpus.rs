//! Where the scripts lie, and the lists of what is known to differ.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A file of the conformance data; `None` (said loudly) if the data is not here, which is a failure on the build server.
pub(super) fn read(path: &str) -> Option<String> {
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

/// Lines of a script that are known to differ, each with the reason.
fn known(file: &str) -> BTreeMap<usize, String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let parse = |line: &str| {
        let (number, reason) = line.split_once(": ").unwrap_or_else(|| panic!("{file}: no reason in {line:?}"));
        (number.parse().unwrap_or_else(|_| panic!("{file}: no line in {line:?}")), reason.to_owned())
    };
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse).collect()
}

/// Fails unless exactly the known lines fail.
pub(super) fn compare_with_known(script: &str, failures: &BTreeMap<usize, String>) {
    let file = format!("{}/testdata/promql/known/{script}.txt", env!("CARGO_MANIFEST_DIR"));
    let known = known(&file);
    if std::env::var("BLESS").is_ok() {
        let line = |(line, error): (&usize, &String)| {
            let reason = known.get(line).cloned().unwrap_or_else(|| error.replace('\n', " ").chars().take(160).collect());
            format!("{line}: {}\n", reason.trim())
        };
        let text: String = failures.iter().map(line).collect();
        if text.is_empty() {
            // Nothing to list: the file may not even exist.
            let _missing = std::fs::remove_file(&file);
        } else {
            std::fs::create_dir_all(std::path::Path::new(&file).parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
        }
        return;
    }
    let new: Vec<String> = failures.iter().filter(|(line, _)| !known.contains_key(line)).map(|(line, error)| format!("{line}: {error}")).collect();
    assert!(new.is_empty(), "{script}.test: {} lines fail:\n{}", new.len(), new.join("\n"));
    let passing: Vec<&usize> = known.keys().filter(|line| !failures.contains_key(line)).collect();
    assert!(passing.is_empty(), "{file} names lines that pass: {passing:?}");
}
