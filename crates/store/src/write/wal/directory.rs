//! The files of the WAL: their names, their making, and what becomes of them when their frames are no longer needed.
//!
//! | name | what it is |
//! |---|---|
//! | `wal-<index>.log` | frames; the index in 16 hexadecimal digits, ascending, never used twice |
//! | `spare-<n>` | a zero-written file that waits to become the next `wal-` file; its content means nothing |
//! | `new-<n>` | a file that is being zero-written; removed on opening |
//! | `damaged-<index>` | a released file in which recovery met damage, kept for an operator; at most [`DAMAGED_FILES_MAX`] |

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use signalbox_model::disk::{Disk, DiskFile, OpenMode, write_all_at};
use signalbox_model::{Error, Result};
use signalbox_telemetry::names;

use super::frame::{FileHeader, SECOND_HEADER};
use super::settings::WalSettings;

/// Damaged files beyond this number are removed, oldest first.
pub(super) const DAMAGED_FILES_MAX: usize = 8;
/// Zeros are written in pieces of this size.
const ZERO_CHUNK: usize = 1024 * 1024;

/// What becomes of a file whose frames are no longer needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposal {
    /// It becomes a spare.
    Recycle,
    /// It is removed: a call on it failed, or its size is not the usual one.
    Remove,
    /// It is kept under another name.
    Quarantine,
}

/// A file that is no longer written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) file: u64,
    /// Sequence after its last frame.
    pub(super) end: u64,
    pub(super) disposal: Disposal,
}

#[derive(Debug, Default)]
struct Table {
    sealed: VecDeque<Sealed>,
    spares: VecDeque<PathBuf>,
    next_name: u64,
    wanted: bool,
    stopped: bool,
}

/// The directory of the WAL. Shared by the writer, the thread that prepares spares, and whoever releases.
#[derive(Debug)]
pub(super) struct Directory {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    settings: WalSettings,
    table: Mutex<Table>,
    changed: Condvar,
}

/// Path of a file of frames.
pub(super) fn wal_path(dir: &Path, file: u64) -> PathBuf {
    dir.join(format!("wal-{file:016x}.log"))
}

/// Index of a file of frames by its name.
pub(super) fn wal_index(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("wal-")?.strip_suffix(".log")?;
    let canonical = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    canonical.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

impl Directory {
    /// Takes over a directory whose files of frames are known; finds the spares and clears the rest away.
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, settings: WalSettings, sealed: Vec<Sealed>) -> io::Result<Self> {
        let mut table = Table { sealed: sealed.into(), ..Table::default() };
        let mut damaged = VecDeque::new();
        for entry in disk.list(dir)?.into_iter().filter(|entry| !entry.is_dir) {
            let number = entry.name.split_once('-').and_then(|(_, digits)| u64::from_str_radix(digits, 16).ok());
            table.next_name = table.next_name.max(number.map_or(0, |number| number.saturating_add(1)));
            let path = dir.join(&entry.name);
            if entry.name.starts_with("damaged-") {
                damaged.push_back(path);
            } else if entry.name.starts_with("spare-") && entry.len == settings.file_bytes && table.spares.len() < settings.spare_files.max(1) {
                table.spares.push_back(path);
            } else if entry.name.starts_with("spare-") || entry.name.starts_with("new-") {
                remove_unneeded(disk.as_ref(), &path);
            }
        }
        while damaged.len() > DAMAGED_FILES_MAX {
            if let Some(path) = damaged.pop_front() {
                remove_unneeded(disk.as_ref(), &path);
            }
        }
        Ok(Self { disk, dir: dir.into(), settings, table: Mutex::new(table), changed: Condvar::new() })
    }

    pub(super) fn settings(&self) -> &WalSettings {
        &self.settings
    }

    /// Space that a write can still take, or as much as there can be if the disk does not say: then the write will.
    pub(super) fn available_bytes(&self) -> u64 {
        self.disk.space(&self.dir).map_or(u64::MAX, |space| space.available_bytes)
    }

    /// Makes the file with this header, of at least `len` bytes, durable and ready for frames. A spare is used if one fits.
    pub(super) fn create(&self, header: &FileHeader, len: u64) -> io::Result<(Box<dyn DiskFile>, u64)> {
        let len = len.max(self.settings.file_bytes);
        let spare = if len == self.settings.file_bytes { self.table.lock().spares.pop_front() } else { None };
        let path = match spare {
            Some(path) => path,
            None => self.write_zeros(len)?,
        };
        let target = wal_path(&self.dir, header.file);
        let made = self.write_header(&path, header).and_then(|file| {
            self.disk.rename(&path, &target)?;
            self.disk.sync_dir(&self.dir)?;
            Ok((file, len))
        });
        if made.is_err() {
            remove_unneeded(self.disk.as_ref(), &path);
            remove_unneeded(self.disk.as_ref(), &target);
        }
        self.want_spare();
        made
    }

    fn write_header(&self, path: &Path, header: &FileHeader) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(path, OpenMode::ReadWrite)?;
        let bytes = header.encode();
        write_all_at(file.as_ref(), &bytes, 0)?;
        write_all_at(file.as_ref(), &bytes, SECOND_HEADER)?;
        file.sync_data()?;
        Ok(file)
    }

    /// A zero-written file under a passing name, not yet synced.
    fn write_zeros(&self, len: u64) -> io::Result<PathBuf> {
        if self.available_bytes() < len.saturating_add(self.settings.reserve_bytes) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let path = self.dir.join(format!("new-{:016x}", self.next_name()));
        let file = self.disk.open(&path, OpenMode::CreateNew)?;
        let zeros = vec![0; ZERO_CHUNK.min(usize::try_from(len).unwrap_or(ZERO_CHUNK))];
        let mut offset = 0;
        while offset < len {
            let piece = zeros.len().min(usize::try_from(len - offset).unwrap_or(zeros.len()));
            if let Err(error) = write_all_at(file.as_ref(), &zeros[..piece], offset) {
                drop(file);
                remove_unneeded(self.disk.as_ref(), &path);
                return Err(error);
            }
            offset += piece as u64;
        }
        Ok(path)
    }

    fn next_name(&self) -> u64 {
        let mut table = self.table.lock();
        table.next_name += 1;
        table.next_name
    }

    /// Notes that a file is complete.
    pub(super) fn seal(&self, sealed: Sealed) {
        self.table.lock().sealed.push_back(sealed);
    }

    /// Disposes of the files whose frames are all before `consumed`.
    ///
    /// # Errors
    /// Of the disk; what failed is tried again by the next release.
    pub(super) fn release(&self, consumed: u64) -> Result<()> {
        let mut due = Vec::new();
        {
            let mut table = self.table.lock();
            while table.sealed.front().is_some_and(|sealed| sealed.end <= consumed) {
                due.extend(table.sealed.pop_front());
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let (mut spares, mut failure) = (Vec::new(), None);
        for sealed in due {
            match self.dispose(&sealed) {
                Ok(spare) => spares.extend(spare),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.table.lock().sealed.push_front(sealed);
                    failure = Some(error);
                }
            }
        }
        // Until the renames are durable the spares must not get a new header: after a crash the old names could come back with it.
        match self.disk.sync_dir(&self.dir) {
            Ok(()) => self.table.lock().spares.extend(spares),
            Err(error) => failure = Some(error),
        }
        match failure {
            None => Ok(()),
            Some(error) => Err(Error::unavailable("cannot release WAL files").with_retry_after(self.settings.retry_after()).with_source(error)),
        }
    }

    fn dispose(&self, sealed: &Sealed) -> io::Result<Option<PathBuf>> {
        let path = wal_path(&self.dir, sealed.file);
        let has_room = self.table.lock().spares.len() < self.settings.spare_files.max(1);
        match sealed.disposal {
            Disposal::Quarantine => self.disk.rename(&path, &self.dir.join(format!("damaged-{:016x}", sealed.file))).map(|()| None),
            Disposal::Recycle if has_room => {
                let spare = self.dir.join(format!("spare-{:016x}", self.next_name()));
                self.disk.rename(&path, &spare).map(|()| Some(spare))
            }
            Disposal::Recycle | Disposal::Remove => self.disk.remove(&path).map(|()| None),
        }
    }

    /// Number of files of frames that are kept besides the current one.
    pub(super) fn sealed_files(&self) -> usize {
        self.table.lock().sealed.len()
    }

    fn want_spare(&self) {
        self.table.lock().wanted = true;
        self.changed.notify_all();
    }

    /// Ends [`Directory::keep_spares`].
    pub(super) fn stop(&self) {
        self.table.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Body of the thread that writes zeros, so that no request has to wait for it. Returns after [`Directory::stop`].
    pub(super) fn keep_spares(&self) {
        loop {
            {
                let mut table = self.table.lock();
                while !(table.stopped || table.wanted && table.spares.len() < self.settings.spare_files) {
                    table.wanted = false;
                    self.changed.wait(&mut table);
                }
                if table.stopped {
                    return;
                }
                // One attempt for each wish: a full disk must not make this thread spin.
                table.wanted = false;
            }
            match self.prepare_spare() {
                Ok(path) => self.table.lock().spares.push_back(path),
                Err(error) => tracing::warn!(%error, "cannot prepare a WAL file ahead, the next one is made when it is needed"),
            }
        }
    }

    fn prepare_spare(&self) -> io::Result<PathBuf> {
        let path = self.write_zeros(self.settings.file_bytes)?;
        let spare = self.dir.join(format!("spare-{:016x}", self.next_name()));
        let made = self
            .disk
            .open(&path, OpenMode::ReadWrite)
            .and_then(|file| file.sync_data())
            .and_then(|()| self.disk.rename(&path, &spare))
            .and_then(|()| self.disk.sync_dir(&self.dir));
        match made {
            Ok(()) => Ok(spare),
            Err(error) => {
                remove_unneeded(self.disk.as_ref(), &path);
                remove_unneeded(self.disk.as_ref(), &spare);
                Err(error)
            }
        }
    }
}

/// Removes a file that nothing refers to; one that stays is found and removed on the next opening.
fn remove_unneeded(disk: &dyn Disk, path: &Path) {
    match disk.remove(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "cannot remove an unneeded WAL file"),
    }
}

/// Counts damage where operators look for it.
pub(super) fn count_damage(places: u64) {
    signalbox_telemetry::registry().counter(names::STORE_CORRUPTION_DETECTED_TOTAL, &[("where", "wal")]).add(places);
}
