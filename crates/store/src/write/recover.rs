//! Opening: from whatever the last process left behind to a store that goes on.
//!
//! The catalog says which segments there are and how far they consume the WAL; the WAL gives back the rest, in order, so that
//! series, samples and the numbers of rows are what they were. Damage is reported, counted and set aside; it never prevents
//! opening.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signalbox_model::disk::Disk;
use signalbox_model::{Batch, Clock, Error, ErrorKind, Result, SampleColumns, SeriesRef, Table, Tenant};
use signalbox_telemetry::{names, registry};

use super::append::{Account, apply, bytes_behind};
use super::payload::Decoder;
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
    let mut replay =
        Replay { decoder: Decoder::default(), covered: Covered::of(&state), tenants: &tenants, account: &account, damaged_frames: 0, unresolved_rows: 0 };
    let opening = Opening {
        disk: Arc::clone(&shelf.disk),
        clock,
        dir: &layout::wal(&shelf.dir),
        settings: settings.wal.clone(),
        from: state.consumed_frame + 1,
        new_log_id: random_log_id(),
    };
    let (wal, report) = Wal::open(opening, &mut |frame| {
        replay.frame(&frame);
        Ok(())
    })?;
    replay.report(&report);
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

/// Frames to heads.
struct Replay<'a> {
    decoder: Decoder,
    covered: Covered,
    tenants: &'a Tenants,
    account: &'a Account,
    damaged_frames: u64,
    unresolved_rows: u64,
}

impl Replay<'_> {
    fn frame(&mut self, frame: &Frame) {
        match self.decoder.decode(frame) {
            Ok(None) => {}
            Ok(Some(decoded)) => {
                self.unresolved_rows += decoded.unresolved_rows;
                let Some(batch) = self.covered.leave_out(frame, decoded.batch) else { return };
                if let Err(error) = self.apply(frame, &batch) {
                    self.damaged(frame, &error);
                }
            }
            Err(error) => self.damaged(frame, &error),
        }
    }

    fn apply(&self, frame: &Frame, batch: &Batch) -> Result<()> {
        let store = self.tenants.enter(&frame.tenant);
        let refs: Vec<SeriesRef> = match batch {
            Batch::Metrics(batch) => store.metrics.resolve(&batch.series)?,
            Batch::Logs(_) | Batch::Traces(_) => Vec::new(),
        };
        self.account.applied(bytes_behind(batch));
        apply(&store, self.account, batch, &refs)
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
