//! Opening: from whatever the last process left behind to a store that goes on.
//!
//! The catalog says which segments there are and how far they consume the WAL; the WAL gives back the rest, in order, so that
//! series, samples and the numbers of rows are what they were. Damage is reported, counted and set aside; it never prevents
//! opening.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signalbox_model::disk::Disk;
use signalbox_model::{Batch, Clock, Error, ErrorKind, Result, SeriesRef};
use signalbox_telemetry::{names, registry};

use super::append::{Account, apply};
use super::payload::Decoder;
use super::wal::{Frame, Opening, RecoveryReport, Wal, random_log_id};
use crate::catalog::{Catalog, CatalogState};
use crate::format::Segment;
use crate::layout;
use crate::segments::Shelf;
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
    let state = begin(catalog).await?;
    let tenants = Arc::new(Tenants::default());
    let lost = take_segments(shelf, &state, &tenants)?;
    for (tenant, metadata) in &state.metadata {
        tenants.enter(tenant).metrics.put_metadata(std::slice::from_ref(metadata));
    }
    let account = Arc::new(Account::new(state.next_row));
    let mut replay = Replay { decoder: Decoder::default(), tenants: &tenants, account: &account, damaged_frames: 0, unresolved_rows: 0 };
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

async fn begin(catalog: &dyn Catalog) -> Result<CatalogState> {
    match catalog.begin().await {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(%error, "cannot read the catalog, it is set aside");
            Err(error)
        }
        begun => begun,
    }
}

/// Publishes the segments of the catalog whose files are there, and removes the files that it does not know: leftovers of
/// flushes and compactions that did not come to their commit, or of removals that came no further.
fn take_segments(shelf: &Shelf, state: &CatalogState, tenants: &Tenants) -> Result<Vec<Segment>> {
    let files = segment_files(shelf.disk.as_ref(), &layout::segments(&shelf.dir))?;
    let mut known: HashSet<PathBuf> = HashSet::new();
    let mut lost = Vec::new();
    for record in &state.segments {
        let path = record.path(&shelf.dir);
        let is_whole = files.iter().any(|(file, len)| *file == path && *len == record.bytes);
        if is_whole {
            tenants.enter(&record.tenant).publish(vec![shelf.open(record)], &HashSet::new(), |_| {});
        } else {
            lost.push(record.clone());
        }
        known.insert(path);
    }
    for (orphan, _) in files.iter().filter(|(file, _)| !known.contains(file)) {
        tracing::info!(path = %orphan.display(), "removing a segment that was never published or is no more");
        if let Err(error) = shelf.disk.remove(orphan) {
            tracing::warn!(%error, path = %orphan.display(), "cannot remove an orphan, the next start tries again");
        }
    }
    Ok(lost)
}

/// Files of segments below a directory, with their lengths.
fn segment_files(disk: &dyn Disk, root: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let refused = |error: io::Error| Error::unavailable("cannot list the segments").with_source(error);
    let (mut files, mut dirs) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in disk.list(&dir).map_err(refused)? {
            let path = dir.join(&entry.name);
            if entry.is_dir {
                dirs.push(path);
            } else if entry.name.ends_with(layout::SEGMENT_SUFFIX) {
                files.push((path, entry.len));
            }
        }
    }
    Ok(files)
}

/// Frames to heads.
struct Replay<'a> {
    decoder: Decoder,
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
                if let Err(error) = self.apply(frame, &decoded.batch) {
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
        self.account.applied(frame.payload.len() as u64);
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
