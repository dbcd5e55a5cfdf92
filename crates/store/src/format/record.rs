//! What the catalog knows of a segment, and the JSON of it that the segment itself carries.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result, Table, Tenant, TimeRange};

/// Identity of a segment: the epoch of the store that wrote it (one more at each open) and a number within the epoch.
/// Ordered by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId {
    /// Epoch of the store that wrote the segment.
    pub epoch: u32,
    /// Number within the epoch.
    pub number: u32,
}

impl SegmentId {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let word = |text: &str| (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten();
        Some(Self { epoch: word(epoch)?, number: word(number)? })
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:08x}", self.epoch, self.number)
    }
}

/// A range of WAL frames, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FrameRange {
    /// Sequence of the first frame.
    pub first: u64,
    /// Sequence of the last frame.
    pub last: u64,
}

impl FrameRange {
    /// Joins ranges that touch or overlap; sorted.
    pub fn union(mut ranges: Vec<Self>) -> Vec<Self> {
        ranges.sort_unstable();
        let mut joined: Vec<Self> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
                _ => joined.push(range),
            }
        }
        joined
    }
}

/// One immutable Parquet file of one table of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Identity.
    pub id: SegmentId,
    /// Owner.
    pub tenant: Tenant,
    /// Whose rows it holds.
    pub table: Table,
    /// 0 for a flushed head, higher for compacted.
    pub level: u8,
    /// Where the file is: a URL, relative to the data directory (so that the directory can be moved).
    pub url: String,
    /// Bounds of the timestamps, both ends included.
    pub range: TimeRange,
    /// The WAL frames whose rows of this tenant and table are in here: all of them, and none of other frames. The last
    /// frame says which of two segments is the later one.
    pub frames: Vec<FrameRange>,
    /// Rows.
    pub rows: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Length of the body: row groups and embedded blocks. After it comes the tail: checksums of the body, page index, footer.
    pub body_bytes: u64,
    /// XXH3-64 of the tail, and through the checksums in the tail of the whole file.
    pub checksum: u64,
    /// When the newest of its rows were flushed, nanoseconds since the Unix epoch.
    pub created_at_ns: i64,
    /// The segments whose rows it took over.
    pub replaces: Vec<SegmentId>,
}

impl Segment {
    /// Sequence of the last WAL frame in the segment: rows of a higher one were appended later.
    pub fn last_frame(&self) -> u64 {
        self.frames.iter().map(|range| range.last).max().unwrap_or(0)
    }

    /// Sequence of the first WAL frame in the segment.
    pub fn first_frame(&self) -> u64 {
        self.frames.iter().map(|range| range.first).min().unwrap_or(0)
    }

    /// Sorts segments of one table by age of their rows: of two, the one with the later rows comes later.
    pub(crate) fn order(&self) -> (u64, u64, SegmentId) {
        (self.last_frame(), self.first_frame(), self.id)
    }

    /// The file, given the data directory.
    pub fn path(&self, dir: &Path) -> PathBuf {
        match self.url.strip_prefix("file://") {
            Some(absolute) => PathBuf::from(absolute),
            None => dir.join(&self.url),
        }
    }
}

/// The segment as JSON in its own key-value metadata; what is only known once the file is complete is missing.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    id: String,
    tenant: String,
    table: String,
    level: u8,
    start_ns: i64,
    end_ns: i64,
    frames: Vec<FrameRange>,
    rows: u64,
    body_bytes: u64,
    created_at_ns: i64,
    replaces: Vec<String>,
}

impl Segment {
    pub(crate) fn to_manifest(&self) -> String {
        let manifest = Manifest {
            id: self.id.to_string(),
            tenant: self.tenant.to_string(),
            table: self.table.as_str().into(),
            level: self.level,
            start_ns: self.range.start_ns,
            end_ns: self.range.end_ns,
            frames: self.frames.clone(),
            rows: self.rows,
            body_bytes: self.body_bytes,
            created_at_ns: self.created_at_ns,
            replaces: self.replaces.iter().map(ToString::to_string).collect(),
        };
        serde_json::to_string(&manifest).expect("numbers and text always have a JSON form")
    }

    pub(crate) fn from_manifest(json: &str, url: String, bytes: u64, checksum: u64) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("cannot read the record inside segment {url}: {what}"));
        let manifest: Manifest = serde_json::from_str(json).map_err(|error| corrupt("not the JSON of a segment").with_source(error))?;
        let replaces: Option<Vec<SegmentId>> = manifest.replaces.iter().map(|id| SegmentId::parse(id)).collect();
        Ok(Self {
            id: SegmentId::parse(&manifest.id).ok_or_else(|| corrupt("no such id"))?,
            tenant: Tenant::new(&manifest.tenant).map_err(|_| corrupt("no such tenant"))?,
            table: Table::from_word(&manifest.table).ok_or_else(|| corrupt("no such table"))?,
            level: manifest.level,
            range: TimeRange::from_ns(manifest.start_ns, manifest.end_ns),
            frames: manifest.frames,
            rows: manifest.rows,
            bytes,
            body_bytes: manifest.body_bytes,
            checksum,
            created_at_ns: manifest.created_at_ns,
            replaces: replaces.ok_or_else(|| corrupt("no such replaced segment"))?,
            url,
        })
    }
}
