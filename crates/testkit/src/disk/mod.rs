//! A simulated disk: it forgets what was not synced, tears writes, fails calls, and can be put back to any moment.
//!
//! What it knows about real disks:
//! - A write is in the cache until the file is synced. Which of the unsynced writes survive a power loss is open, sector by sector.
//! - A name is in the cache until its directory is synced, independently of the content.
//! - After a failed sync the unsynced writes count as clean: a later sync succeeds without them (Linux does this).
//!
//! Directories themselves are durable at once: nothing of ours depends on less.

mod crash;
mod fault;
mod model;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use signalbox_model::disk::{DirEntry, Disk, DiskFile, OpenMode, Space};

pub use self::crash::Survival;
use self::fault::Faults;
pub use self::fault::{Call, EIO, EMFILE, ENOSPC, Fault, Outcome};
use self::model::{Model, Operation};

/// Space of a disk without a limit.
const UNLIMITED_BYTES: u64 = 1 << 40;

/// The simulated disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What there was when the recording began.
    base: Model,
    now: Model,
    recorded: Vec<Operation>,
    faults: Faults,
    limit_bytes: Option<u64>,
}

impl SimDisk {
    /// A disk with these files, all durable.
    pub fn with_files(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        let mut model = Model::default();
        for (path, content) in files {
            model.put_durable(&path, content);
        }
        Self::of(model)
    }

    fn of(model: Model) -> Self {
        Self(Arc::new(Mutex::new(State { base: model.clone(), now: model, ..State::default() })))
    }

    /// The files as the running process sees them.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.0.lock().now.files()
    }

    /// Replaces a file behind everybody's back, durably: for damage.
    pub fn put(&self, path: &Path, content: Vec<u8>) {
        self.0.lock().now.put_durable(path, content);
    }

    /// Number of operations that changed anything so far.
    pub fn operations(&self) -> usize {
        self.0.lock().recorded.len()
    }

    /// What a power loss after that many operations leaves; equal arguments give equal disks.
    pub fn crash(&self, operations: usize, survival: Survival, seed: u64) -> Self {
        let state = self.0.lock();
        let mut model = state.base.clone();
        for operation in state.recorded.iter().take(operations) {
            model.apply(operation);
        }
        Self::of(crash::survivors(model, survival, seed))
    }

    /// Makes a call fail. Faults add up.
    pub fn fail(&self, fault: Fault) {
        self.0.lock().faults.add(fault);
    }

    /// From now on no call fails.
    pub fn heal(&self) {
        self.0.lock().faults.clear();
    }

    /// How often a call was made.
    pub fn calls(&self, call: Call) -> u64 {
        self.0.lock().faults.calls(call)
    }

    /// Bounds the bytes of all files; `None` for no bound.
    pub fn limit(&self, bytes: Option<u64>) {
        self.0.lock().limit_bytes = bytes;
    }

    /// Bytes of all files.
    pub fn used_bytes(&self) -> u64 {
        self.0.lock().now.used_bytes()
    }
}

impl State {
    fn admit(&mut self, call: Call) -> io::Result<Option<usize>> {
        match self.faults.next(call) {
            None => Ok(None),
            Some(Outcome::Short(bytes)) => Ok(Some(bytes)),
            Some(Outcome::Error(code)) => Err(io::Error::from_raw_os_error(code)),
        }
    }

    fn run(&mut self, operation: Operation) {
        self.now.apply(&operation);
        self.recorded.push(operation);
    }

    fn write(&mut self, inode: u64, data: &[u8], offset: u64) -> io::Result<usize> {
        let mut taken = self.admit(Call::Write)?.map_or(data.len(), |bytes| bytes.min(data.len()));
        if let Some(limit) = self.limit_bytes {
            // Only what makes the file longer needs space.
            let grows = (offset + taken as u64).saturating_sub(self.now.len(inode));
            let room = limit.saturating_sub(self.now.used_bytes());
            if grows > room {
                taken = taken.saturating_sub(usize::try_from(grows - room).unwrap_or(usize::MAX));
                if taken == 0 {
                    return Err(io::Error::from_raw_os_error(ENOSPC));
                }
            }
        }
        self.run(Operation::Write { inode, offset, data: data[..taken].into() });
        Ok(taken)
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.admit(Call::Open)?;
        let inode = match (state.now.find(path), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(inode), _) => inode,
            (None, OpenMode::CreateNew) => {
                let inode = state.now.next_inode();
                state.run(Operation::Create { path: path.into(), inode });
                inode
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(SimFile { disk: self.clone(), inode, is_writable: mode != OpenMode::Read }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.admit(Call::Rename)?;
        let inode = state.now.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.run(Operation::Rename { from: from.into(), to: to.into(), inode });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.admit(Call::Remove)?;
        state.now.find(path).ok_or(io::ErrorKind::NotFound)?;
        state.run(Operation::Remove { path: path.into() });
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.admit(Call::CreateDir)?;
        state.run(Operation::CreateDir { path: path.into() });
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut state = self.0.lock();
        state.admit(Call::List)?;
        state.now.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.admit(Call::SyncDir)?;
        state.run(Operation::SyncDir { path: path.into() });
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let mut state = self.0.lock();
        state.admit(Call::Space)?;
        let total_bytes = state.limit_bytes.unwrap_or(UNLIMITED_BYTES);
        Ok(Space { available_bytes: total_bytes.saturating_sub(state.now.used_bytes()), total_bytes })
    }

    fn real_path(&self, _path: &Path) -> Option<PathBuf> {
        None
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
    is_writable: bool,
}

impl SimFile {
    fn writable(&self) -> io::Result<()> {
        if self.is_writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.0.lock();
        let most = state.admit(Call::Read)?.unwrap_or(buffer.len()).min(buffer.len());
        Ok(state.now.read(self.inode, &mut buffer[..most], offset))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        self.writable()?;
        self.disk.0.lock().write(self.inode, data, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let admitted = state.admit(Call::Sync);
        state.run(Operation::Sync { inode: self.inode, is_done: admitted.is_ok() });
        admitted.map(|_| ())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().now.len(self.inode))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writable()?;
        let mut state = self.disk.0.lock();
        state.admit(Call::SetLen)?;
        state.run(Operation::SetLen { inode: self.inode, len });
        Ok(())
    }
}
