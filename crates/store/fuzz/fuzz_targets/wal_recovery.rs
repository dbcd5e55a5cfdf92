//! Any bytes as the files of a log: it opens, hands out frames in ascending sequence, and can be appended to.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use signalbox_store::write::wal::{Opening, Wal, WalSettings};
use signalbox_testkit::{ManualClock, SimDisk};

fuzz_target!(|data: &[u8]| {
    let Some((split, content)) = data.split_first() else { return };
    let (first, second) = content.split_at(content.len() * usize::from(*split) / 256);
    let path = |index: u32| PathBuf::from(format!("wal/wal-{index:016x}.log"));
    let disk = SimDisk::with_files([(path(1), first.to_vec()), (path(2), second.to_vec())]);
    let settings = WalSettings { file_bytes: 16 * 1024, spare_files: 0, reserve_bytes: 0, ..WalSettings::default() };
    let clock = Arc::new(ManualClock::default());
    let opening = Opening { disk: Arc::new(disk), clock, dir: Path::new("wal"), settings, from: 1, new_log_id: 1 };
    let mut previous = 0;
    let opened = Wal::open(opening, &mut |frame| {
        assert!(frame.sequence > previous);
        previous = frame.sequence;
        Ok(())
    });
    // Only a later version of the format may keep it from opening.
    if let Ok((_wal, report)) = opened {
        assert!(report.position > previous);
    }
});
