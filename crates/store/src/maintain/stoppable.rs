//! A disk that takes no more writes once the store is closing, so that a long merge ends at once and not in a minute.
//!
//! What it has written by then is removed as after any other failure.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signalbox_model::disk::{DirEntry, Disk, DiskFile, OpenMode, Space};

use super::worker::Desk;

/// The disk, as long as the desk is open.
#[derive(Debug)]
pub(super) struct StoppableDisk {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) desk: Desk,
}

impl Disk for StoppableDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(path, mode)?;
        Ok(Box::new(StoppableFile { file, desk: self.desk.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.disk.space(path)
    }

    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        self.disk.real_path(path)
    }
}

#[derive(Debug)]
struct StoppableFile {
    file: Box<dyn DiskFile>,
    desk: Desk,
}

impl DiskFile for StoppableFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        if self.desk.is_stopped() {
            return Err(io::Error::other("the store is closing"));
        }
        self.file.write_at(data, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use signalbox_testkit::SimDisk;

    use super::*;

    #[test]
    fn takes_writes_until_the_desk_is_closed_and_still_removes() {
        let (inner, desk) = (SimDisk::default(), Desk::default());
        let disk = StoppableDisk { disk: Arc::new(inner.clone()), desk: desk.clone() };
        let file = disk.open(Path::new("x"), OpenMode::CreateNew).unwrap();
        assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
        desk.stop();
        assert!(file.write_at(b"abc", 3).is_err());
        assert_eq!(file.len().unwrap(), 3);
        disk.remove(Path::new("x")).unwrap();
        assert!(inner.files().is_empty());
    }
}
