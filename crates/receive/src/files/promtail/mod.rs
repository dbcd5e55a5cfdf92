//! `promtail.yaml`: its files, relabelling and pipeline stages.
//!
//! | block | |
//! |---|---|
//! | `scrape_configs` with `static_configs`, `file_sd_configs` (read at the start), `relabel_configs`, `pipeline_stages` | done |
//! | `positions.filename` | promtail's own file: reading begins where promtail stopped, once; the file is never written |
//! | `decompression` with `format: gz` | compressed files are read once |
//! | `clients`, `server`, `limits_config`, `target_config`, … | understood and passed over, with a note |
//! | other sources (`kubernetes_sd_configs`, `journal`, `syslog`, …) and keys that promtail does not have | refused by name |
//!
//! Labels become attributes of the resource, structured metadata attributes of the record, as for records that promtail pushes.

mod config;
mod expression;
mod layout;
mod positions;
mod relabel;
mod selector;
mod stage;
mod stages;
mod template;

use std::path::{Path, PathBuf};

use signalbox_model::{Error, Result};

use super::positions::Takeover;
use super::source::Compiled;
pub(super) use stages::Stages;

/// A file that was read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) sources: Vec<Compiled>,
    /// Promtail's file of positions, and whether one that makes no sense is passed over.
    pub(super) positions: Option<(PathBuf, bool)>,
    pub(super) takeover: Option<Takeover>,
    pub(super) notes: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`], with the place of what is wrong or not supported.
pub(super) fn load(file: &Path) -> Result<Loaded> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|source| Error::invalid(format!("cannot read {name}")).with_source(source))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let take = || {
        let mut loaded = config::read(&text, folder)?;
        take_over(&mut loaded, folder)?;
        Ok(loaded)
    };
    take().map_err(|problem: String| Error::invalid(format!("cannot use {name}: {problem}")))
}

/// Reads where promtail stopped.
fn take_over(loaded: &mut Loaded, folder: &Path) -> std::result::Result<(), String> {
    let Some((file, passes_over_invalid)) = loaded.positions.take() else { return Ok(()) };
    let file = folder.join(file);
    match positions::load(&file) {
        Ok(offsets) => {
            loaded.notes.push(format!(
                "at the first start reading begins where {} says ({} files); positions are kept in the data folder",
                file.display(),
                offsets.len()
            ));
            loaded.takeover = Some(Takeover { file, offsets });
        }
        Err(problem) if passes_over_invalid => loaded.notes.push(problem),
        Err(problem) => return Err(problem),
    }
    Ok(())
}

/// What a text makes, for tests and fuzzing: the number of sources.
#[doc(hidden)]
pub fn check(text: &str) -> std::result::Result<usize, String> {
    config::read(text, Path::new("/nowhere")).map(|loaded| loaded.sources.len())
}

/// Reads a file of positions, for tests and fuzzing: the number of files.
#[doc(hidden)]
pub fn check_positions(text: &str) -> std::result::Result<usize, String> {
    positions::parse(text).map(|offsets| offsets.len())
}

#[cfg(test)]
mod tests;
