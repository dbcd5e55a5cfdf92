//! Where promtail stopped: its own file of positions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_norway::Value;

/// Bytes of such a file.
const BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Deserialize)]
struct Document {
    /// An empty file and an empty mapping are no positions.
    positions: Option<HashMap<PathBuf, Value>>,
}

/// Reads offsets by path: `positions: {/var/log/app.log: "1234"}`. Cursors of journals are passed over.
///
/// # Errors
/// Text that is something else.
pub(super) fn parse(text: &str) -> Result<HashMap<PathBuf, u64>, String> {
    if text.trim().is_empty() {
        return Ok(HashMap::new());
    }
    let document: Document = serde_norway::from_str(text).map_err(|error| error.to_string())?;
    let is_cursor = |path: &Path| path.to_str().is_some_and(|path| path.starts_with("cursor-") || path.starts_with("journal-"));
    let mut offsets = HashMap::new();
    for (path, value) in document.positions.unwrap_or_default() {
        if is_cursor(&path) {
            continue;
        }
        let offset = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let offset = offset.ok_or_else(|| format!("positions.{}: want a number of bytes", path.display()))?;
        offsets.insert(path, offset);
    }
    Ok(offsets)
}

/// Reads a file; one that is not there holds nothing.
///
/// # Errors
/// If it cannot be read or is no file of positions.
pub(super) fn load(file: &Path) -> Result<HashMap<PathBuf, u64>, String> {
    let wrong = |problem: String| format!("cannot read positions {}: {problem}", file.display());
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(wrong(error.to_string())),
        Ok(metadata) if metadata.len() > BYTES_MAX => return Err(wrong(format!("{} bytes: want at most {BYTES_MAX}", metadata.len()))),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    parse(&text).map_err(wrong)
}
