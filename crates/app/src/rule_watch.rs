//! Puts rules in force that changed while the server runs: files when they change, what was set over HTTP at once.
//!
//! Files are looked at again and again instead of being watched: that works on every file system, network ones and mounted
//! configuration maps among them. A change is read when two looks in a row find the same, so that nobody reads half a file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signalbox_alert::limits::FILE_BYTES_MAX;
use signalbox_alert::{Alerting, rule_file};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::reload::Reloader;

/// How long after a failure what was set is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What tells that files changed: path, time of the last change and a hash of the content of each. Clocks of file systems are coarse:
/// a second edit of the same length may come within one of their ticks.
type Sight = Vec<(PathBuf, Option<(std::time::SystemTime, u64)>)>;

/// Watches until it is stopped; `every` is how often files are looked at, never if it is zero.
pub(crate) fn watch(reloader: Arc<Reloader>, every: Duration, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = apply(&reloader.alerting) => {}
            () = look(&reloader, every) => {}
        }
    })
}

/// Puts in force what is set over HTTP.
async fn apply(alerting: &Alerting) {
    loop {
        alerting.until_rules_change().await;
        while let Err(error) = alerting.apply_set_rules().await {
            tracing::error!("cannot put rules in force that were set, trying again: {error}");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

/// Reads rule files again when they have changed.
async fn look(reloader: &Reloader, every: Duration) {
    if every.is_zero() {
        return std::future::pending().await;
    }
    let (mut read, mut before) = (see(&reloader.alerting.rule_file_patterns()), None);
    loop {
        tokio::time::sleep(every).await;
        let now = see(&reloader.alerting.rule_file_patterns());
        if now != read && before.as_ref() == Some(&now) {
            match reloader.reload_rules().await {
                Ok(()) => tracing::info!("rule files have changed and are in force as they are now"),
                Err(error) => tracing::error!("rule files have changed and are not in force: {error}"),
            }
            read.clone_from(&now);
        }
        before = Some(now);
    }
}

fn see(patterns: &[String]) -> Sight {
    // What cannot be found is a sight as well: it differs from what is there later.
    let paths = rule_file::find(patterns).unwrap_or_default();
    paths.into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Option<(std::time::SystemTime, u64)> {
    let changed = std::fs::metadata(path).ok()?.modified().ok()?;
    let mut hash = DefaultHasher::new();
    let mut file = std::fs::File::open(path).ok()?.take(FILE_BYTES_MAX + 1);
    let mut bytes = Vec::new();
    // A rule file that is larger is refused.
    file.read_to_end(&mut bytes).ok()?;
    bytes.hash(&mut hash);
    Some((changed, hash.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_file_is_seen_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let patterns = [dir.path().join("*.yaml").display().to_string()];
        let mut sights = vec![see(&patterns)];
        let mut look = |what: &str, is_change: bool| {
            let now = see(&patterns);
            assert_eq!(sights.last() != Some(&now), is_change, "{what}");
            sights.push(now);
        };
        let path = dir.path().join("a.yaml");
        std::fs::write(&path, "groups: []").unwrap();
        look("a file came", true);
        look("nothing", false);
        std::fs::write(&path, "groups: [ ]").unwrap();
        look("another length", true);
        let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, "groups: [# ").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
        look("the same length at the same time", true);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        look("another time", true);
        std::fs::write(dir.path().join("b.txt"), "").unwrap();
        look("a file that is not meant", false);
        std::fs::remove_file(&path).unwrap();
        look("the file is gone", true);
    }
}
