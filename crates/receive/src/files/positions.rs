//! How far files were read, on disk.

use std::collections::HashMap;
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
    /// Whether it is a compressed file that was read to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_complete: bool,
}

/// Where another reader of files stopped, by path.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Takeover {
    /// The file that says so; it is taken over once and never written.
    pub(super) file: PathBuf,
    pub(super) offsets: HashMap<PathBuf, u64>,
}

/// All that is known of files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Document {
    version: u32,
    /// Files that are there.
    pub(super) files: Vec<Position>,
    /// Files that are gone and may come back compressed, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<Position>,
    /// What was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) taken_over: Option<PathBuf>,
}

impl Document {
    pub(super) fn new(files: Vec<Position>, gone: Vec<Position>, taken_over: Option<PathBuf>) -> Self {
        Self { version: 1, files, gone, taken_over }
    }
}

/// Reads positions. A file that cannot be read is as good as none, and said so: reading again is better than not reading.
pub(super) fn load(file: &Path) -> Document {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::error!("cannot read positions {}: {error}: files are read again", file.display());
            }
            return Document::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::error!("cannot read positions {}: {error}: files are read again", file.display());
        Document::default()
    })
}

/// Writes positions: all of them or none.
///
/// # Errors
/// If the disk does not take them.
pub(super) fn save(file: &Path, document: &Document) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let mut written = fs::File::create(&beside)?;
    written.write_all(&serde_json::to_vec(document)?)?;
    written.sync_data()?;
    fs::rename(&beside, file)?;
    fs::File::open(folder)?.sync_all()
}
