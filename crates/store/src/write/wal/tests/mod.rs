//! Tests of the WAL over the simulated disk. `crash` loses power, `faults` fails calls, `damage` changes bytes.

mod basics;
mod crash;
mod damage;
mod faults;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use signalbox_model::{Result, Signal, Tenant};
use signalbox_testkit::{ManualClock, SimDisk};

use super::*;

const DIR: &str = "wal";

/// Small files: a few frames fill one.
fn small() -> WalSettings {
    WalSettings { file_bytes: 16 * 1024, spare_files: 0, reserve_bytes: 0, ..WalSettings::default() }
}

/// One log on one disk.
struct Fixture {
    disk: SimDisk,
    clock: ManualClock,
    settings: WalSettings,
    from: u64,
}

impl Fixture {
    fn new(disk: SimDisk) -> Self {
        Self { disk, clock: ManualClock::default(), settings: small(), from: 1 }
    }

    fn try_open(&self) -> Result<(Wal, RecoveryReport, Vec<Frame>)> {
        let mut frames = Vec::new();
        let opening = Opening {
            disk: Arc::new(self.disk.clone()),
            clock: Arc::new(self.clock.clone()),
            dir: Path::new(DIR),
            settings: self.settings.clone(),
            from: self.from,
            new_log_id: 0x1234_5678,
        };
        let (wal, report) = Wal::open(opening, &mut |frame| {
            frames.push(frame);
            Ok(())
        })?;
        Ok((wal, report, frames))
    }

    fn open(&self) -> (Wal, RecoveryReport, Vec<Frame>) {
        self.try_open().unwrap()
    }
}

/// A payload that tells which append it belongs to, and whether it is whole.
fn payload(id: u64, len: usize) -> Bytes {
    let mut bytes = id.to_le_bytes().to_vec();
    let mut state = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < len.max(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.push(state as u8);
    }
    bytes.into()
}

fn record(id: u64, len: usize) -> Record {
    let tenant = Tenant::new(if id.is_multiple_of(3) { "team-a" } else { "default" }).unwrap();
    let kind = FrameKind::Signal(Signal::ALL[(id % 3) as usize]);
    Record { tenant, kind, payload: Payload::Ready(payload(id, len)) }
}

fn append(wal: &Wal, id: u64, len: usize) -> Result<u64> {
    block_on(wal.append(record(id, len), Box::new(|_| {})))
}

/// Appends that were given to the log: by id, their length and the sequence under which they were acknowledged.
#[derive(Debug, Clone, Default)]
struct Given {
    lens: BTreeMap<u64, usize>,
    acknowledged: BTreeMap<u64, u64>,
}

impl Given {
    fn append(&mut self, wal: &Wal, id: u64, len: usize) -> Result<u64> {
        self.lens.insert(id, len.max(8));
        let sequence = append(wal, id, len)?;
        self.acknowledged.insert(id, sequence);
        Ok(sequence)
    }

    /// Every frame is one that was given, whole, once, in ascending sequence; every acknowledged one is there under its sequence,
    /// unless `is_lost` excuses it.
    fn check(&self, frames: &[Frame], is_lost: impl Fn(u64) -> bool, context: &str) {
        let (mut seen, mut previous) = (BTreeMap::new(), 0);
        for frame in frames {
            assert!(frame.sequence > previous, "{context}: sequence {} after {previous}", frame.sequence);
            previous = frame.sequence;
            let id = u64::from_le_bytes(frame.payload[..8].try_into().unwrap());
            let len = *self.lens.get(&id).unwrap_or_else(|| panic!("{context}: frame {} was never given", frame.sequence));
            assert_eq!(frame.payload, payload(id, len), "{context}: payload of {id}");
            let given = record(id, len);
            assert_eq!((&frame.tenant, frame.kind), (&given.tenant, given.kind), "{context}: head of {id}");
            assert!(seen.insert(id, frame.sequence).is_none(), "{context}: {id} twice");
        }
        for (id, sequence) in self.acknowledged.iter().filter(|(_, sequence)| !is_lost(**sequence)) {
            assert_eq!(seen.get(id), Some(sequence), "{context}: acknowledged {id} is missing");
        }
    }
}

fn wal_files(disk: &SimDisk) -> Vec<PathBuf> {
    disk.files().into_keys().filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wal-"))).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
