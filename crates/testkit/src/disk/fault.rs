//! Calls that fail on order.

use std::collections::HashMap;

/// Input/output error.
pub const EIO: i32 = 5;
/// Too many open files.
pub const EMFILE: i32 = 24;
/// No space left on the device.
pub const ENOSPC: i32 = 28;

/// A call of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// `Disk::open`.
    Open,
    /// `DiskFile::read_at`.
    Read,
    /// `DiskFile::write_at`.
    Write,
    /// `DiskFile::sync_data`.
    Sync,
    /// `DiskFile::set_len`.
    SetLen,
    /// `Disk::rename`.
    Rename,
    /// `Disk::remove`.
    Remove,
    /// `Disk::list`.
    List,
    /// `Disk::sync_dir`.
    SyncDir,
    /// `Disk::create_dir_all`.
    CreateDir,
    /// `Disk::space`.
    Space,
}

impl Call {
    /// All calls.
    pub const ALL: [Self; 11] =
        [Self::Open, Self::Read, Self::Write, Self::Sync, Self::SetLen, Self::Rename, Self::Remove, Self::List, Self::SyncDir, Self::CreateDir, Self::Space];
}

/// What happens instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The call fails with this error number and has no effect.
    Error(i32),
    /// A read or write takes only this many bytes; other calls do not care.
    Short(usize),
}

/// An order to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which call.
    pub call: Call,
    /// Which of the calls from now on: 1 is the next.
    pub nth: u64,
    /// What happens.
    pub outcome: Outcome,
    /// Whether it happens to all later ones as well, until [`crate::SimDisk::heal`].
    pub is_sticky: bool,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    calls: HashMap<Call, u64>,
    /// With `nth` counted from the beginning.
    orders: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.orders.push(Fault { nth: fault.nth + self.calls(fault.call), ..fault });
    }

    pub(super) fn clear(&mut self) {
        self.orders.clear();
    }

    pub(super) fn calls(&self, call: Call) -> u64 {
        self.calls.get(&call).copied().unwrap_or(0)
    }

    /// Counts a call and says what happens to it, if not the usual.
    pub(super) fn next(&mut self, call: Call) -> Option<Outcome> {
        let count = self.calls.entry(call).or_default();
        *count += 1;
        let hit = |fault: &&Fault| fault.call == call && (fault.nth == *count || fault.is_sticky && fault.nth < *count);
        self.orders.iter().find(hit).map(|fault| fault.outcome)
    }
}
