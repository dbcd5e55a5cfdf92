//! What the store asks of a disk: the calls whose failure, loss or tearing it must survive.
//!
//! The real disk lives in `store`; `testkit` has a simulated twin that loses unsynced writes, tears them and fails calls.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, read only.
    Read,
    /// Existing file, read and write.
    ReadWrite,
    /// File that does not exist yet, read and write.
    CreateNew,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Name without the directory.
    pub name: String,
    /// Length in bytes, 0 for directories.
    pub len: u64,
    /// Whether this is a directory.
    pub is_dir: bool,
}

/// Space of the file system that holds a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that a write can still take.
    pub available_bytes: u64,
    /// Bytes of the file system.
    pub total_bytes: u64,
}

/// A file system. All calls block. What was written is on stable storage only after [`DiskFile::sync_data`] of the file and,
/// for a created, renamed or removed name, [`Disk::sync_dir`] of its directory.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;
    /// Renames a file, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Creates a directory and its parents; an existing one is fine.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Lists a directory, sorted by name.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Makes names created, renamed or removed in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Space of the file system that holds the path.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Where this disk's files are for programs beside us (SQLite); `None` if they are not on a real file system.
    fn real_path(&self, path: &Path) -> Option<PathBuf>;
}

/// An open file. Calls block; positions are explicit, so that a file may be shared between threads.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes at an offset; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset and says how many bytes were taken, possibly fewer than given.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes content and length durable. After an error nothing may be assumed of what was written since the last success.
    fn sync_data(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file is empty.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// Writes all of `data` at an offset, going on after short writes.
///
/// # Errors
/// Of the disk; [`io::ErrorKind::WriteZero`] if the disk takes nothing.
pub fn write_all_at(file: &dyn DiskFile, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        match file.write_at(data, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                data = &data[taken..];
                offset += taken as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads exactly `buffer.len()` bytes at an offset.
///
/// # Errors
/// Of the disk; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
pub fn read_exact_at(file: &dyn DiskFile, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(taken) => {
                buffer = &mut buffer[taken..];
                offset += taken as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
