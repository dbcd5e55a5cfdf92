//! `promtail.yaml`: its files, relabelling and pipeline stages.
//!
//! | block | |
//! |---|---|
//! | `scrape_configs` with `static_configs`, `file_sd_configs` (read at the start), `relabel_configs`, `pipeline_stages` | done |
//! | `positions.filename` | honoured; the file has our own format |
//! | `clients`, `server`, `limits_config`, `target_config`, … | understood and passed over, with a note |
//! | other sources (`kubernetes_sd_configs`, `journal`, `syslog`, …) and keys that promtail does not have | refused by name |
//!
//! Labels become attributes of the resource, structured metadata attributes of the record, as for records that promtail pushes.

mod config;
mod expression;
mod layout;
mod relabel;
mod selector;
mod stage;
mod stages;
mod template;

use std::path::{Path, PathBuf};

use signalbox_model::{Error, Result};

use super::source::Compiled;
pub(super) use stages::Stages;

/// A file that was read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) sources: Vec<Compiled>,
    pub(super) positions: Option<PathBuf>,
    pub(super) notes: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`], with the place of what is wrong or not supported.
pub(super) fn load(file: &Path) -> Result<Loaded> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|source| Error::invalid(format!("cannot read {name}")).with_source(source))?;
    config::read(&text, file.parent().unwrap_or(Path::new("."))).map_err(|problem| Error::invalid(format!("cannot use {name}: {problem}")))
}

/// What a text makes, for tests and fuzzing: the number of sources.
#[doc(hidden)]
pub fn check(text: &str) -> std::result::Result<usize, String> {
    config::read(text, Path::new("/nowhere")).map(|loaded| loaded.sources.len())
}

#[cfg(test)]
mod tests;
