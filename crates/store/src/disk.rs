//! The real disk: files of one directory tree, with positioned reads and writes.
//!
//! Its simulated twin is `testkit::SimDisk`; both obey the contract of [`signalbox_model::disk`].

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use signalbox_model::disk::{DirEntry, Disk, DiskFile, OpenMode, Space};

/// Name of the file that says a process uses the directory.
const LOCK_FILE: &str = "LOCK";

/// The file system below a root directory. Relative paths are taken from the root.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

/// Keeps other processes off the root directory while it lives; the system gives the lock back when the process dies.
#[derive(Debug)]
pub struct RootLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl RealDisk {
    /// The file system below this directory, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Claims the root for this process, creating it if needed.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process has it; other kinds from the file system.
    pub fn lock(&self) -> io::Result<RootLock> {
        std::fs::create_dir_all(&self.root)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.root.join(LOCK_FILE))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(RootLock(file))
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::ReadWrite => options.write(true),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        Ok(Box::new(RealFile(options.open(self.resolve(path))?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(self.resolve(from), self.resolve(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(self.resolve(path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let path = self.resolve(path);
        let missing: Vec<&Path> = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()).collect();
        std::fs::create_dir_all(&path)?;
        // Nobody else syncs the names of directories.
        for dir in missing.into_iter().rev() {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.resolve(path))? {
            let entry = entry?;
            // A file that is removed while we list it is not there.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // Names that are not text are not ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            entries.push(DirEntry { name, len: if metadata.is_dir() { 0 } else { metadata.len() }, is_dir: metadata.is_dir() });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(self.resolve(path))?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(self.resolve(path))?;
        Ok(Space { available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize), total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize) })
    }

    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        Some(self.resolve(path))
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(data, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}
