//! A snapshot directory: a copy of the store as of one instant, from which a server starts like from any data directory.
//!
//! Segments never change, so they are linked, not copied: a snapshot takes no space until the store lets go of a segment. The
//! catalog is written anew. The WAL stays behind: what it held is flushed before. Files are touched directly and not through
//! [`signalbox_model::disk::Disk`], for nothing here is of the store: a snapshot that fails is removed and never was one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_model::{Error, Result};

use crate::catalog::{Catalog, CatalogState, SqliteCatalog};
use crate::layout;
use crate::segments::{SegmentHandle, Shelf};

/// What else belongs into a snapshot directory: state that lies beside the store in the data directory.
#[async_trait]
pub trait Companion: Send + Sync + std::fmt::Debug {
    /// Copies the state into a directory, durably.
    ///
    /// # Errors
    /// Then there is no snapshot.
    async fn copy_into(&self, dir: &Path) -> Result<()>;
}

/// Segments and catalog at one instant. The handles keep the files from being removed.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) state: CatalogState,
    pub(crate) segments: Vec<SegmentHandle>,
}

/// Suffix of a directory that is being made.
const PARTIAL: &str = ".partial";

/// Writes a snapshot directory of this name below the data directory and gives its path. Blocks.
///
/// # Errors
/// `Invalid` for a name that is none or is taken, and for a store that is not on a real disk; `Unavailable` if the disk
/// refuses. Nothing is left then.
pub(crate) async fn write(shelf: &Shelf, frozen: Frozen, name: &str, companions: &[Arc<dyn Companion>]) -> Result<PathBuf> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 128 || name.starts_with('.') || name.ends_with(PARTIAL) || !name.bytes().all(is_plain) {
        return Err(Error::invalid(format!("cannot make a snapshot {name:?}: want letters, digits, '-', '_' and '.', no '.' first")));
    }
    let data = shelf.disk.real_path(&shelf.dir).ok_or_else(|| Error::invalid("cannot make a snapshot: the store is not on a real disk"))?;
    let root = layout::snapshots(&data);
    let (dir, partial) = (root.join(name), root.join(format!("{name}{PARTIAL}")));
    if dir.exists() {
        return Err(Error::invalid(format!("cannot make a snapshot {name:?}: there is one of that name")));
    }
    let written = fill(&data, &partial, frozen, companions).await;
    let failed = |error: io::Error| Error::unavailable(format!("cannot make a snapshot in {}", dir.display())).with_source(error);
    let finished = written.and_then(|()| fs::rename(&partial, &dir).and_then(|()| sync_dir(&root)).map_err(failed));
    match finished {
        Ok(()) => Ok(dir),
        Err(error) => {
            remove(&partial);
            Err(error)
        }
    }
}

async fn fill(data: &Path, partial: &Path, frozen: Frozen, companions: &[Arc<dyn Companion>]) -> Result<()> {
    let failed = |error: io::Error| Error::unavailable(format!("cannot make a snapshot in {}", partial.display())).with_source(error);
    // One that a crash left.
    remove(partial);
    fs::create_dir_all(partial).map_err(failed)?;
    let mut state = frozen.state;
    for segment in &mut state.segments {
        let from = segment.path(data);
        segment.url = layout::segment_url(&segment.tenant, segment.table, segment.id);
        link(&from, &segment.path(partial)).map_err(failed)?;
    }
    drop(frozen.segments);
    sync_tree(partial).map_err(failed)?;
    for companion in companions {
        companion.copy_into(partial).await?;
    }
    let catalog = SqliteCatalog::new(layout::catalog(partial));
    let stored = catalog.reset(&state).await;
    catalog.close().await;
    stored?;
    sync_dir(partial).map_err(failed)
}

/// A second name for a file, or a copy where file systems differ.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir)?;
    }
    match fs::hard_link(from, to) {
        Err(error) if matches!(error.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::Unsupported | io::ErrorKind::TooManyLinks) => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        }
        linked => linked,
    }
}

/// Makes the names in a directory and all below it durable.
fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn remove(dir: &Path) {
    match fs::remove_dir_all(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, path = %dir.display(), "cannot remove what is left of a snapshot that failed"),
    }
}
