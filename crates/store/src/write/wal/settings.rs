//! Settings of the WAL.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};

use super::frame::FRAMES_START;

const MIB: u64 = 1024 * 1024;

/// Settings of the WAL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalSettings {
    /// Size of one file in bytes. Smaller files are given back sooner after a flush; larger files repeat series definitions less often.
    pub file_bytes: u64,
    /// Files prepared (zero-written) ahead or kept for reuse. 0 prepares a file only when it is needed, which delays the
    /// requests that need it.
    pub spare_files: usize,
    /// Bytes of requests that may wait for their sync; more are refused until it is done.
    pub queue_bytes: u64,
    /// Number of requests that may wait for their sync; more are refused until it is done.
    pub queue_requests: usize,
    /// Bytes that one write and sync may carry. Bounds the memory of a group.
    pub group_bytes: u64,
    /// Appends are refused while the file system has less space than this, so that queries, flushes and retention go on.
    pub reserve_bytes: u64,
    /// What a refused client is told to wait, and how long the WAL rests between attempts to recover from a failing disk; milliseconds.
    pub retry_after_ms: u64,
}

impl Default for WalSettings {
    fn default() -> Self {
        Self {
            file_bytes: 64 * MIB,
            spare_files: 1,
            queue_bytes: 64 * MIB,
            queue_requests: 4096,
            group_bytes: 16 * MIB,
            reserve_bytes: 512 * MIB,
            retry_after_ms: 1000,
        }
    }
}

impl WalSettings {
    /// Smallest file that can hold anything worth having.
    pub const FILE_BYTES_MIN: u64 = FRAMES_START + 8192;

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] names the setting.
    pub fn check(&self) -> Result<()> {
        if self.file_bytes < Self::FILE_BYTES_MIN {
            return Err(Error::invalid(format!("cannot use wal.file_bytes {}: want at least {}", self.file_bytes, Self::FILE_BYTES_MIN)));
        }
        for (name, value) in [("queue_bytes", self.queue_bytes), ("queue_requests", self.queue_requests as u64), ("group_bytes", self.group_bytes)] {
            if value == 0 {
                return Err(Error::invalid(format!("cannot use wal.{name} 0: nothing could be appended")));
            }
        }
        Ok(())
    }

    pub(crate) fn retry_after(&self) -> Duration {
        Duration::from_millis(self.retry_after_ms)
    }
}
