//! Files, names, and what of both is durable: a pure state that operations change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signalbox_model::disk::DirEntry;

/// Something that changed the disk.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Create { path: PathBuf, inode: u64 },
    Rename { from: PathBuf, to: PathBuf, inode: u64 },
    Remove { path: PathBuf },
    CreateDir { path: PathBuf },
    SyncDir { path: PathBuf },
    Write { inode: u64, offset: u64, data: Arc<[u8]> },
    SetLen { inode: u64, len: u64 },
    Sync { inode: u64, is_done: bool },
}

/// An unsynced change of a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: u64, data: Arc<[u8]> },
    SetLen(u64),
}

impl Change {
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => write(content, *offset, data),
            Self::SetLen(len) => content.resize(to_usize(*len), 0),
        }
    }
}

/// Writes into a content, filling a hole with zeros.
pub(super) fn write(content: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (from, to) = (to_usize(offset), to_usize(offset) + data.len());
    if content.len() < to {
        content.resize(to, 0);
    }
    content[from..to].copy_from_slice(data);
}

/// An unsynced change of names.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Set { path: PathBuf, inode: u64 },
    Move { from: PathBuf, to: PathBuf, inode: u64 },
    Unset { path: PathBuf },
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set { path, inode } => {
                names.insert(path.clone(), *inode);
            }
            Self::Move { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Unset { path } => {
                names.remove(path);
            }
        }
    }

    fn is_in(&self, dir: &Path) -> bool {
        match self {
            Self::Set { path, .. } | Self::Unset { path } => path.parent() == Some(dir),
            Self::Move { from, to, .. } => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }
}

/// Content of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    pub(super) content: Vec<u8>,
    pub(super) durable: Vec<u8>,
    /// Changes in order that are not in `durable` yet.
    pub(super) pending: Vec<(Change, Fate)>,
}

/// What is known about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is in the cache; the next sync makes it durable.
    Dirty,
    /// A failed sync gave it up: no sync makes it durable any more, and it may have reached the disk all the same.
    GivenUp,
    /// It is durable, but follows one that was given up, over which it must win.
    Synced,
}

impl Inode {
    /// Decides the fate of what is in the cache.
    fn settle(&mut self, fate: Fate) {
        self.pending.iter_mut().filter(|(_, known)| *known == Fate::Dirty).for_each(|(_, known)| *known = fate);
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) names: BTreeMap<PathBuf, u64>,
    pub(super) durable_names: BTreeMap<PathBuf, u64>,
    pub(super) pending_names: Vec<NameChange>,
    pub(super) dirs: BTreeSet<PathBuf>,
}

impl Model {
    pub(super) fn put_durable(&mut self, path: &Path, content: Vec<u8>) {
        let inode = self.find(path).unwrap_or_else(|| self.next_inode());
        self.inodes.insert(inode, Inode { durable: content.clone(), content, pending: Vec::new() });
        self.names.insert(path.into(), inode);
        self.durable_names.insert(path.into(), inode);
        self.dirs.extend(path.ancestors().skip(1).map(Path::to_path_buf));
    }

    pub(super) fn find(&self, path: &Path) -> Option<u64> {
        self.names.get(path).copied()
    }

    pub(super) fn next_inode(&self) -> u64 {
        self.inodes.keys().last().map_or(1, |last| last + 1)
    }

    pub(super) fn len(&self, inode: u64) -> u64 {
        self.inodes.get(&inode).map_or(0, |inode| inode.content.len() as u64)
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.names.values().map(|inode| self.len(*inode)).sum()
    }

    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.names.iter().filter_map(|(path, inode)| Some((path.clone(), self.inodes.get(inode)?.content.clone()))).collect()
    }

    pub(super) fn read(&self, inode: u64, buffer: &mut [u8], offset: u64) -> usize {
        let content = self.inodes.get(&inode).map_or(&[][..], |inode| &inode.content);
        let rest = content.get(to_usize(offset)..).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        len
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        if !self.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let files = self.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let files = files.map(|(path, inode)| DirEntry { name: name(path), len: self.len(*inode), is_dir: false });
        let dirs = self.dirs.iter().filter(|path| path.parent() == Some(dir)).map(|path| DirEntry { name: name(path), len: 0, is_dir: true });
        let mut entries: Vec<DirEntry> = files.chain(dirs).collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    pub(super) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create { path, inode } => {
                self.inodes.insert(*inode, Inode::default());
                self.change_name(NameChange::Set { path: path.clone(), inode: *inode });
            }
            Operation::Rename { from, to, inode } => self.change_name(NameChange::Move { from: from.clone(), to: to.clone(), inode: *inode }),
            Operation::Remove { path } => self.change_name(NameChange::Unset { path: path.clone() }),
            Operation::CreateDir { path } => self.dirs.extend(path.ancestors().map(Path::to_path_buf)),
            Operation::SyncDir { path } => {
                let (synced, pending) = std::mem::take(&mut self.pending_names).into_iter().partition(|change| change.is_in(path));
                self.pending_names = pending;
                let synced: Vec<NameChange> = synced;
                synced.iter().for_each(|change| change.apply(&mut self.durable_names));
            }
            Operation::Write { inode, offset, data } => self.change(*inode, Change::Write { offset: *offset, data: Arc::clone(data) }),
            Operation::SetLen { inode, len } => self.change(*inode, Change::SetLen(*len)),
            Operation::Sync { inode, is_done } => {
                let Some(inode) = self.inodes.get_mut(inode) else { return };
                if *is_done {
                    inode.settle(Fate::Synced);
                    let folded = inode.pending.iter().take_while(|(_, fate)| *fate == Fate::Synced).count();
                    inode.pending.drain(..folded).for_each(|(change, _)| change.apply(&mut inode.durable));
                } else {
                    inode.settle(Fate::GivenUp);
                }
            }
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        if let Some(inode) = self.inodes.get_mut(&inode) {
            change.apply(&mut inode.content);
            inode.pending.push((change, Fate::Dirty));
        }
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }
}

/// Offsets of a disk in memory.
pub(super) fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
