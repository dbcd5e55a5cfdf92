//! Bounds that are no settings: what they protect, and what happens when they are reached.

use std::time::Duration;

/// Appends are refused while this many times `flush_wal_bytes` wait to be flushed: the disk does not take segments, and the
/// memory of the heads must not grow for ever.
pub(crate) const HEAD_FLUSHES_MAX: u64 = 4;

/// While a flush runs and this many times what makes one due waits for the next, appends begin when that flush has ended.
pub(crate) const SLOW_FLUSHES: u64 = 2;

/// How often the background threads look whether something is due.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long after the start segments are looked at first: which traces they have should be known soon.
pub(crate) const FIRST_ROUND_AFTER: Duration = Duration::from_secs(5);

/// How long after a failed flush the next one is tried: it writes everything again.
pub(crate) const FLUSH_RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Segments that one compaction merges at most: each costs a row group's decoded pages and its index in memory.
pub(crate) const MERGE_INPUTS_MAX: usize = 16;

/// Deletions that wait to be purged at most, of all tenants: each costs every reader of its segments a look. Further ones are
/// refused until a merge or `clean_tombstones` has purged some.
pub(crate) const DELETIONS_MAX: usize = 1000;

/// How long after a deletion its rows are on the disk at most, about: segments that no merge has met by then are written anew.
pub(crate) const PURGE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of filters of traces that stay in memory whatever else is read: those of some 170 million traces. Those of further segments
/// come and go with the cache.
pub(crate) const PINNED_BYTES_MAX: usize = 256 << 20;

/// Policies that keep traces at most: which of them a trace meets is a bit each.
pub(crate) const TRACE_POLICIES_MAX: usize = 64;

/// Traces of a segment that are judged at one time: each takes about 100 bytes. Those of more are judged in several passes.
pub(crate) const TRACES_JUDGED_MAX: usize = 1 << 20;

/// How much longer than they must be segments are kept of which some traces are: a trace may end in a later segment.
pub(crate) const TRACE_END: Duration = Duration::from_secs(60 * 60);
