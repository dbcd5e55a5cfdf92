//! Groups in files, YAML or JSON, read again when a file appears, changes or goes, and now and then in any case.
//!
//! Files are watched by looking: their time and size every few seconds. Notices of the kernel would be sooner, but do not come
//! from network file systems and are lost when a folder is replaced, as Kubernetes does with mounted configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use signalbox_model::{Error, Result};

use super::{FileConfig, StaticGroup, TargetGroup, Updates};
use crate::config::from_text;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(3);
/// Files that the patterns of one section may find.
const FILES_MAX: usize = 10_000;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 64 << 20;
const FILEPATH: &str = "__meta_filepath";

/// Watches files until nobody wants to know.
pub(super) async fn run(config: FileConfig, updates: Updates) {
    let look = LOOK.min(config.refresh_interval).max(Duration::from_millis(1));
    let (mut seen, mut since_read) = (Seen::default(), Duration::ZERO);
    let mut is_first = true;
    loop {
        let is_due = since_read >= config.refresh_interval;
        if is_due {
            since_read = Duration::ZERO;
        }
        let files = config.files.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let has_changed = seen.look(&files, is_due);
            (seen, has_changed)
        });
        let Ok((next, has_changed)) = looked.await else { return };
        seen = next;
        if (has_changed || is_first) && !updates.replace(seen.groups()).await {
            return;
        }
        is_first = false;
        tokio::time::sleep(look).await;
        since_read += look;
    }
}

/// The files as they were when last looked at.
#[derive(Debug, Default)]
struct Seen(BTreeMap<PathBuf, SeenFile>);

#[derive(Debug)]
struct SeenFile {
    stamp: Option<(SystemTime, u64)>,
    /// What was last read without a mistake.
    groups: Vec<TargetGroup>,
}

impl Seen {
    /// Reads what has changed, or everything; `false` if all groups are as before.
    fn look(&mut self, patterns: &[String], is_due: bool) -> bool {
        let paths = find(patterns);
        let before = self.0.len();
        self.0.retain(|path, _| paths.contains(path));
        let mut has_changed = self.0.len() != before;
        for path in paths {
            let stamp = path.metadata().ok().and_then(|known| Some((known.modified().ok()?, known.len())));
            if !is_due && self.0.get(&path).is_some_and(|seen| seen.stamp == stamp) {
                continue;
            }
            let seen = self.0.entry(path.clone()).or_insert_with(|| SeenFile { stamp: None, groups: Vec::new() });
            seen.stamp = stamp;
            match read(&path) {
                Ok(groups) => {
                    has_changed |= seen.groups != groups;
                    seen.groups = groups;
                }
                Err(error) => tracing::error!(file = %path.display(), "targets stay as they were: {error}"),
            }
        }
        has_changed
    }

    fn groups(&self) -> Vec<TargetGroup> {
        self.0.values().flat_map(|seen| seen.groups.iter().cloned()).collect()
    }
}

fn find(patterns: &[String]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = patterns.iter().filter_map(|pattern| glob::glob(pattern).ok()).flat_map(Iterator::flatten).take(FILES_MAX).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn read(path: &Path) -> Result<Vec<TargetGroup>> {
    let shown = path.display().to_string();
    let cannot = |why: &dyn std::fmt::Display| Error::invalid(format!("cannot read {shown}: {why}"));
    let bytes = path.metadata().map_err(|error| cannot(&error))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(cannot(&format!("found {bytes} bytes: want at most {FILE_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let groups = if is_json { parse_json(text.as_bytes()) } else { parse_yaml(&text) };
    let groups = groups.map_err(|problem| cannot(&problem))?;
    Ok(with_source(&groups, &shown, FILEPATH))
}

/// Groups named by where they are from and their place there, with that as a label.
pub(super) fn with_source(groups: &[StaticGroup], source: &str, label: &str) -> Vec<TargetGroup> {
    let named = groups.iter().enumerate().map(|(index, group)| {
        let mut named = group.named(format!("{source}:{index}"));
        let mut labels = named.labels.to_builder();
        labels.set(label, source);
        named.labels = labels.build();
        named
    });
    named.collect()
}

/// The groups in a YAML text.
///
/// # Errors
/// What is wrong, with the line.
pub(super) fn parse_yaml(text: &str) -> Result<Vec<StaticGroup>, String> {
    from_text::<Vec<StaticGroup>>(text).map(|(groups, _)| groups).map_err(|complaint| complaint.to_string())
}

/// The groups in a JSON text.
///
/// # Errors
/// What is wrong, with line and column.
pub(super) fn parse_json(text: &[u8]) -> Result<Vec<StaticGroup>, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}
