//! How a series is named: for ever ([`SeriesId`]), in the running process ([`SeriesRef`]), and on a wire ([`SeriesKey`]).

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::Labels;

/// Identity of a series: XXH3-128 of its canonical label block. The same on every machine and for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub u128);

impl SeriesId {
    /// Of a canonical label block.
    pub fn of_block(block: &[u8]) -> Self {
        Self(xxh3_128(block))
    }
}

impl fmt::Debug for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesId({:032x})", self.0)
    }
}

/// Handle of a series in the head of this process, dense from 0; never reused while the process lives, unknown after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesRef(pub u32);

/// Hash of a series as some wire format spells it. Two spellings of one series have two keys; one key has one series.
/// The decoder of a protocol chooses what it hashes; it MUST mix in a constant of its own so that protocols cannot collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey(pub u128);

/// What the head already knows of one tenant's series, so that a decoder need not parse the labels of a known series again.
pub trait KnownSeries: Send + Sync {
    /// The series that was announced under this key by an earlier [`SeriesEntry::New`] that was accepted.
    fn find(&self, key: SeriesKey) -> Option<SeriesRef>;

    /// As [`KnownSeries::find`], for a series that a request names behind another one: senders name series in the same order
    /// each time, so that most are found where the last one was followed by this one before. Only faster.
    fn find_after(&self, last: Option<SeriesRef>, key: SeriesKey) -> Option<SeriesRef> {
        let _unused = last;
        self.find(key)
    }
}

/// Nothing is known: for tests and for decoders that run without a store.
#[derive(Debug, Clone, Copy)]
pub struct NoKnownSeries;

impl KnownSeries for NoKnownSeries {
    fn find(&self, _key: SeriesKey) -> Option<SeriesRef> {
        None
    }
}

/// One series of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum SeriesEntry {
    /// Found through [`KnownSeries`].
    Known(SeriesRef),
    /// Not known under this key: the labels, canonical.
    New {
        /// The spelling under which it may be found next time.
        key: SeriesKey,
        /// The labels.
        labels: Labels,
    },
}
