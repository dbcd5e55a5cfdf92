//! Opening: from whatever the last process left behind to a store that goes on.
//!
//! The catalog says which segments there are and how far they consume the WAL; the WAL gives back the rest, in order, so that
//! series, samples and the numbers of rows are what they were. Damage is reported, counted and set aside; it never prevents
//! opening.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use signalbox_model::disk::Disk;
use signalbox_model::{Batch, Clock, Error, ErrorKind, Result, SampleColumns, SeriesRef, Table, Tenant};
use signalbox_telemetry::{names, registry};

use super::append::{Account, apply};
use super::head::metrics::MetricHead;
use super::payload::{Decoded, DecodedSeries, Decoder};
use super::wal::{Frame, Opening, RecoveryReport, Wal, random_log_id};
use crate::catalog::rebuild::{Rebuilt, rebuild};
use crate::catalog::{Catalog, CatalogState};
use crate::format::{FrameRange, Segment};
use crate::layout;
use crate::maintain::quarantine;
use crate::segments::{SegmentHandle, Shelf};
use crate::settings::Settings;
use crate::tenants::Tenants;

/// What was recovered.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) state: CatalogState,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) account: Arc<Account>,
    pub(crate) wal: Arc<Wal>,
    /// Segments of the catalog whose files are missing or cut.
    pub(crate) lost: Vec<Segment>,
}

/// Recovers the store in the directory of the shelf. Blocks.
///
/// # Errors
/// `Unavailable` if the disk or the catalog refuses; `Invalid` for settings that cannot work and for files of a later version.
pub(crate) async fn recover(settings: &Settings, shelf: &Shelf, catalog: &dyn Catalog, clock: Arc<dyn Clock>) -> Result<Recovered> {
    let refused = |error: io::Error| Error::unavailable("cannot open the store: its directory cannot be made").with_source(error);
    shelf.disk.create_dir_all(&layout::segments(&shelf.dir)).map_err(refused)?;
    let files = segment_files(shelf.disk.as_ref(), &layout::segments(&shelf.dir))?;
    let state = begin(shelf, catalog, &files).await?;
    let tenants = Arc::new(Tenants::default());
    // Before the segments are opened: handles know what is deleted of them.
    for deletion in &state.deletions {
        shelf.deletions.note(&Arc::new(deletion.clone()));
    }
    shelf.deletions.keep_segments(&state.segments.iter().map(|segment| segment.id).collect());
    let lost = take_segments(shelf, &state, &tenants, &files);
    for (tenant, metadata) in &state.metadata {
        tenants.enter(tenant).metrics.put_metadata(std::slice::from_ref(metadata));
    }
    let account = Arc::new(Account::new(state.next_row));
    let opening = Opening {
        disk: Arc::clone(&shelf.disk),
        clock,
        dir: &layout::wal(&shelf.dir),
        settings: settings.wal.clone(),
        from: state.consumed_frame + 1,
        new_log_id: random_log_id(),
    };
    let wal = replay(opening, Covered::of(&state), &tenants, &account)?;
    Ok(Recovered { state, tenants, account, wal: Arc::new(wal), lost })
}

/// Begins an epoch. A catalog that is damaged, or gone although there are segments, is made anew of them.
async fn begin(shelf: &Shelf, catalog: &dyn Catalog, files: &BTreeMap<PathBuf, u64>) -> Result<CatalogState> {
    let begun = match catalog.begin().await {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(%error, "cannot read the catalog, it is set aside and made anew of the segments");
            registry().counter(names::STORE_CORRUPTION_DETECTED_TOTAL, &[("where", "catalog")]).add(1);
            None
        }
        begun => Some(begun?),
    };
    let is_new = |state: &CatalogState| state.epoch <= 1 && state.segments.is_empty() && state.consumed_frame == 0;
    if let Some(state) = begun {
        if files.is_empty() || !is_new(&state) {
            return Ok(state);
        }
        tracing::error!(segments = files.len(), "the catalog is gone, it is made anew of the segments");
    }
    let paths: Vec<PathBuf> = files.keys().cloned().collect();
    let Rebuilt { state, damaged } = rebuild(shelf.disk.as_ref(), &shelf.dir, &paths)?;
    registry().counter(names::STORE_CORRUPTION_DETECTED_TOTAL, &[("where", "segment")]).add(damaged.len() as u64);
    damaged.iter().for_each(|path| quarantine::set_aside_file(shelf, path));
    catalog.reset(&state).await?;
    catalog.begin().await
}

/// Publishes the segments of the catalog whose files are there, gives back those whose are not, and removes the files that it
/// does not know: leftovers of flushes and compactions that did not come to their commit, or of removals that came no further.
fn take_segments(shelf: &Shelf, state: &CatalogState, tenants: &Tenants, files: &BTreeMap<PathBuf, u64>) -> Vec<Segment> {
    let (mut known, mut lost) = (HashSet::new(), Vec::new());
    let mut found: BTreeMap<&Tenant, Vec<SegmentHandle>> = BTreeMap::new();
    for record in &state.segments {
        let path = record.path(&shelf.dir);
        if files.get(&path) == Some(&record.bytes) {
            found.entry(&record.tenant).or_default().push(shelf.open(record));
        } else {
            lost.push(record.clone());
        }
        known.insert(path);
    }
    for (tenant, segments) in found {
        tenants.enter(tenant).publish(segments, &HashSet::new(), |_| {});
    }
    for orphan in files.keys().filter(|file| !known.contains(*file)) {
        tracing::info!(path = %orphan.display(), "removing a segment that was never published or is no more");
        match shelf.disk.remove(orphan) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, path = %orphan.display(), "cannot remove an orphan, the next start tries again"),
        }
    }
    lost
}

/// Files of segments below a directory, with their lengths.
fn segment_files(disk: &dyn Disk, root: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let refused = |error: io::Error| Error::unavailable("cannot list the segments").with_source(error);
    let (mut files, mut dirs) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in disk.list(&dir).map_err(refused)? {
            let path = dir.join(&entry.name);
            if entry.is_dir {
                dirs.push(path);
            } else if entry.name.ends_with(layout::SEGMENT_SUFFIX) {
                files.insert(path, entry.len);
            }
        }
    }
    Ok(files)
}

/// The rows of frames behind the consumed position that are in segments all the same: the catalog was made anew, and could
/// not tell whether the last flush had come to its commit.
#[derive(Debug, Default)]
struct Covered(HashMap<(Tenant, Table), Vec<FrameRange>>);

impl Covered {
    fn of(state: &CatalogState) -> Self {
        let mut covered = Self::default();
        for segment in state.segments.iter().filter(|segment| segment.last_frame() > state.consumed_frame) {
            covered.0.entry((segment.tenant.clone(), segment.table)).or_default().extend(&segment.frames);
        }
        covered
    }

    fn has(&self, frame: &Frame, table: Table) -> bool {
        let ranges = self.0.get(&(frame.tenant.clone(), table));
        ranges.is_some_and(|ranges| ranges.iter().any(|range| range.first <= frame.sequence && frame.sequence <= range.last))
    }

    /// What is left of the rows of a frame; `None` if nothing is.
    fn leave_out(&self, frame: &Frame, batch: Batch) -> Option<Batch> {
        if self.0.is_empty() {
            return Some(batch);
        }
        match batch {
            Batch::Metrics(mut batch) => {
                if self.has(frame, Table::Samples) {
                    batch.samples = SampleColumns::default();
                }
                if self.has(frame, Table::Histograms) {
                    batch.histograms.clear();
                }
                if self.has(frame, Table::Exemplars) {
                    batch.exemplars.clear();
                }
                Some(Batch::Metrics(batch))
            }
            Batch::Logs(_) if self.has(frame, Table::Logs) => None,
            Batch::Traces(_) if self.has(frame, Table::Spans) => None,
            rows => Some(rows),
        }
    }
}

/// Frames that are decoded and not yet applied. Each may be as large as a request.
const FRAMES_AHEAD_MAX: usize = 4;

/// A frame on its way from the one thread to the other.
struct Ahead {
    frame: Frame,
    decoded: Result<Decoded>,
}

/// Opens the log and applies its frames in order: this thread reads and decodes, another one applies behind it.
fn replay(opening: Opening<'_>, covered: Covered, tenants: &Tenants, account: &Account) -> Result<Wal> {
    let mut replay = Replay { covered, tenants, account, bindings: Vec::new(), damaged_frames: 0, unresolved_rows: 0 };
    let stopped = || Error::internal("cannot open the store: the replay of its WAL stopped");
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Ahead>(FRAMES_AHEAD_MAX);
        let apply = move || {
            receiver.iter().for_each(|ahead| replay.frame(ahead));
            replay
        };
        let failed = |error| Error::unavailable("cannot start the thread of the replay").with_source(error);
        let applier = std::thread::Builder::new().name("store-replay".into()).spawn_scoped(scope, apply).map_err(failed)?;
        let mut decoder = Decoder::default();
        let opened = Wal::open(opening, &mut |mut frame| {
            let Some(decoded) = decoder.decode(&frame).transpose() else { return Ok(()) };
            // Only its heading is of use from here on.
            frame.payload = bytes::Bytes::new();
            sender.send(Ahead { frame, decoded }).map_err(|_| stopped())
        });
        drop(sender);
        let replay = applier.join().map_err(|_| stopped())?;
        let (wal, report) = opened?;
        replay.report(&report);
        Ok(wal)
    })
}

/// Frames to heads.
struct Replay<'a> {
    covered: Covered,
    tenants: &'a Tenants,
    account: &'a Account,
    /// By binding, the series in the head of its tenant: each is looked for once. Nothing is sealed during a replay, so no
    /// head forgets one.
    bindings: Vec<Option<SeriesRef>>,
    damaged_frames: u64,
    unresolved_rows: u64,
}

impl Replay<'_> {
    fn frame(&mut self, ahead: Ahead) {
        let applied = ahead.decoded.and_then(|decoded| {
            self.unresolved_rows += decoded.unresolved_rows;
            match self.covered.leave_out(&ahead.frame, decoded.batch) {
                Some(batch) => self.apply(&ahead.frame, &batch, &decoded.series),
                None => Ok(()),
            }
        });
        if let Err(error) = applied {
            self.damaged(&ahead.frame, &error);
        }
    }

    fn apply(&mut self, frame: &Frame, batch: &Batch, series: &[DecodedSeries]) -> Result<()> {
        let store = self.tenants.enter(&frame.tenant);
        let refs = self.resolve(&store.metrics, series)?;
        self.account.applied(batch);
        apply(&store, self.account, batch, &refs)
    }

    /// The references of series, in their order.
    fn resolve(&mut self, head: &MetricHead, series: &[DecodedSeries]) -> Result<Vec<SeriesRef>> {
        let known = |series: &DecodedSeries| match series {
            DecodedSeries::Bound(bound) => self.bindings.get(bound.binding as usize).copied().flatten(),
            DecodedSeries::Anonymous(_) => None,
        };
        let known: Vec<Option<SeriesRef>> = series.iter().map(known).collect();
        let unknown = || series.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(series, _)| series);
        let entered = head.enter(unknown().map(DecodedSeries::labels))?;
        for (series, entered) in unknown().zip(&entered) {
            if let DecodedSeries::Bound(bound) = series {
                let at = bound.binding as usize;
                // Bindings are counted from 0, so there are no more cells than definitions.
                self.bindings.resize(self.bindings.len().max(at + 1), None);
                self.bindings[at] = Some(*entered);
            }
        }
        let mut entered = entered.into_iter();
        Ok(known.iter().filter_map(|known| known.or_else(|| entered.next())).collect())
    }

    fn damaged(&mut self, frame: &Frame, error: &Error) {
        self.damaged_frames += 1;
        tracing::error!(%error, sequence = frame.sequence, tenant = %frame.tenant, "cannot replay WAL frame {}, its rows are lost", frame.sequence);
        registry().counter(names::STORE_CORRUPTION_DETECTED_TOTAL, &[("where", "wal")]).add(1);
    }

    fn report(&self, report: &RecoveryReport) {
        let rows = self.unresolved_rows;
        if rows > 0 {
            tracing::error!(rows, "samples of series whose definitions are lost in the WAL are lost with them");
        }
        let (frames, bytes) = (report.frames, report.payload_bytes);
        let lost = report.lost_frames + self.damaged_frames;
        tracing::info!(frames, bytes, lost, "recovered the heads from the WAL");
    }
}
