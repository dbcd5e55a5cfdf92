//! How far files were read, on disk.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes at the beginning of a file that tell it from another one with its inode.
pub(super) const FINGERPRINT_BYTES: usize = 256;

/// What a file is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// The first bytes of a file: how many, and their hash. A file that grows keeps its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    pub(super) length: usize,
    pub(super) hash: u64,
}

impl Fingerprint {
    /// Of the first bytes of a file.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(FINGERPRINT_BYTES)];
        Self { length: bytes.len(), hash: xxh3_64(bytes) }
    }

    /// Whether the file that begins with these bytes may be the one.
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.length).is_some_and(|start| xxh3_64(start) == self.hash)
    }
}

/// How far one file was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) fingerprint: Fingerprint,
    /// Bytes that are acknowledged.
    pub(super) offset: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    version: u32,
    files: Vec<Position>,
}

/// Reads positions. A file that cannot be read is as good as none, and said so: reading again is better than not reading.
pub(super) fn load(file: &Path) -> Vec<Position> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::error!("cannot read positions {}: {error}: files are read again", file.display());
            }
            return Vec::new();
        }
    };
    match serde_json::from_slice::<Document>(&text) {
        Ok(document) => document.files,
        Err(error) => {
            tracing::error!("cannot read positions {}: {error}: files are read again", file.display());
            Vec::new()
        }
    }
}

/// Writes positions: all of them or none.
///
/// # Errors
/// If the disk does not take them.
pub(super) fn save(file: &Path, files: Vec<Position>) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let mut written = fs::File::create(&beside)?;
    written.write_all(&serde_json::to_vec(&Document { version: 1, files })?)?;
    written.sync_data()?;
    fs::rename(&beside, file)?;
    fs::File::open(folder)?.sync_all()
}
