//! A file system in memory, for stores that live as long as a test of rules.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signalbox_model::disk::{DirEntry, Disk, DiskFile, OpenMode, Space};

/// What it says it holds: the store asks whether there is room.
const SPACE_BYTES: u64 = 64 << 30;

type Content = Arc<Mutex<Vec<u8>>>;

/// Files by path. Nothing survives it.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk {
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, Content>,
    folders: BTreeSet<PathBuf>,
}

/// A panic of another thread leaves the content as it was: bytes have no invariant.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut names = locked(&self.names);
        let content = match (mode, names.files.get(path)) {
            (OpenMode::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::CreateNew, None) => {
                let content = Content::default();
                names.files.insert(path.to_owned(), Arc::clone(&content));
                content
            }
            (OpenMode::Read | OpenMode::ReadWrite, Some(content)) => Arc::clone(content),
            (OpenMode::Read | OpenMode::ReadWrite, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(MemoryFile(content)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = locked(&self.names);
        let content = names.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        locked(&self.names).files.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut names = locked(&self.names);
        names.folders.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let names = locked(&self.names);
        if !names.folders.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let name = |child: &Path| (child.parent() == Some(path)).then(|| child.file_name()?.to_str().map(str::to_owned)).flatten();
        let files = names.files.iter().filter_map(|(child, content)| Some(DirEntry { name: name(child)?, len: locked(content).len() as u64, is_dir: false }));
        let folders = names.folders.iter().filter_map(|child| Some(DirEntry { name: name(child)?, len: 0, is_dir: true }));
        let mut entries: Vec<DirEntry> = files.chain(folders).collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        Ok(Space { available_bytes: SPACE_BYTES, total_bytes: SPACE_BYTES })
    }

    fn real_path(&self, _path: &Path) -> Option<PathBuf> {
        None
    }
}

#[derive(Debug)]
struct MemoryFile(Content);

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = locked(&self.0);
        let rest = content.get(position(offset)?..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        let (mut content, start) = (locked(&self.0), position(offset)?);
        let end = start.checked_add(data.len()).ok_or(io::ErrorKind::InvalidInput)?;
        if content.len() < end {
            content.resize(end, 0);
        }
        content[start..end].copy_from_slice(data);
        Ok(data.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        locked(&self.0).resize(position(len)?, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn files_are_found_by_name_and_keep_what_is_written() {
        let disk = MemoryDisk::default();
        disk.create_dir_all(Path::new("a/b")).unwrap();
        let file = disk.open(Path::new("a/b/x"), OpenMode::CreateNew).unwrap();
        assert_eq!(disk.open(Path::new("a/b/x"), OpenMode::CreateNew).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        file.write_at(b"hello", 2).unwrap();
        disk.rename(Path::new("a/b/x"), Path::new("a/b/y")).unwrap();
        assert_eq!(disk.open(Path::new("a/b/x"), OpenMode::Read).unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut buffer = [1; 9];
        assert_eq!(disk.open(Path::new("a/b/y"), OpenMode::Read).unwrap().read_at(&mut buffer, 0).unwrap(), 7);
        assert_eq!(&buffer[..7], b"\0\0hello");
        assert_eq!(file.read_at(&mut buffer, 99).unwrap(), 0);
        let names = |path: &str| disk.list(Path::new(path)).unwrap().into_iter().map(|entry| (entry.name, entry.len, entry.is_dir)).collect::<Vec<_>>();
        assert_eq!(names("a"), [("b".to_owned(), 0, true)]);
        assert_eq!(names("a/b"), [("y".to_owned(), 7, false)]);
        disk.remove(Path::new("a/b/y")).unwrap();
        assert!(names("a/b").is_empty() && disk.list(Path::new("c")).is_err());
    }
}
