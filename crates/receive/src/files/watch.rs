//! All files that are followed: finds them, reads them in turn, knows how far each was acknowledged.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::Tenant;
use signalbox_model::attributes::AttributeValue;

use super::join::Piece;
use super::positions::{self, Document, FileId, Position, Takeover};
use super::source::Compiled;
use super::tail::{Tail, first_bytes, id_of};
use super::{Compressed, Start, paths, unpack};
use crate::door::{Context, Decoded};
use crate::logs::{Assembler, Origin, Record};
use crate::transform::Verdict;

/// Files that are followed at a time; more wait until one is gone.
const TAILS_MAX: usize = 16 << 10;
/// Files that are kept open.
const OPEN_MAX: usize = 1024;
/// Bytes of one round.
const ROUND_BYTES: usize = 2 << 20;
/// Compressed files that are open at a time.
const UNPACKING_MAX: usize = 4;
/// Files that are gone and remembered.
const GONE_MAX: usize = 1024;
/// Looks after which a compressed file is read although a file that it may have been is there.
const PATIENCE_LOOKS: u32 = 60;
/// Bytes at the beginning that tell which file a compressed one was.
const TWIN_BYTES_MIN: usize = 64;
/// How far back the beginning of a line is looked for.
const LINE_START_BYTES: u64 = 64 << 10;
/// How long a file that is no longer under its path is watched for late lines.
const REPLACED_WAIT: Duration = Duration::from_secs(5);

/// What is known of the file that a compressed one was.
#[derive(Debug)]
enum Twin {
    Unknown,
    /// It is gone, and was read that far.
    Read(Position),
    /// It is still being read.
    Followed,
}

/// Everything that is followed.
#[derive(Debug)]
pub(super) struct Watch {
    sources: Vec<Compiled>,
    tails: Vec<Tail>,
    known: HashSet<FileId>,
    /// Positions of files that were not found yet.
    waiting: HashMap<FileId, Position>,
    /// Files that are gone and may come back compressed, the oldest first.
    gone: VecDeque<Position>,
    /// Compressed files that wait until the file that they may have been is gone.
    patience: HashMap<FileId, u32>,
    /// Where another reader stopped, for the first look.
    takeover: Option<Takeover>,
    taken_over: Option<PathBuf>,
    file: PathBuf,
    is_first_look: bool,
    /// Where the next round begins, so that a busy file does not starve the others.
    turn: usize,
    saved: Document,
}

/// What one round of reading gave.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) batches: Vec<(Tenant, Decoded)>,
    pub(super) bytes: usize,
    /// How far files are read when the batches are written.
    ends: Vec<(FileId, u64)>,
    pub(super) has_more: bool,
}

impl Watch {
    /// What is read, on from the positions in `file`, or where another reader stopped if that was not taken over yet.
    pub(super) fn new(sources: Vec<Compiled>, file: PathBuf, takeover: Option<Takeover>) -> Self {
        let saved = positions::load(&file);
        let waiting = saved.files.iter().map(|position| (position.id, position.clone())).collect();
        let taken_over = takeover.as_ref().map(|takeover| takeover.file.clone()).or_else(|| saved.taken_over.clone());
        Self {
            sources,
            tails: Vec::new(),
            known: HashSet::new(),
            waiting,
            gone: saved.gone.iter().cloned().collect(),
            patience: HashMap::new(),
            takeover: takeover.filter(|takeover| saved.taken_over.as_ref() != Some(&takeover.file)),
            taken_over,
            file,
            is_first_look: true,
            turn: 0,
            saved,
        }
    }

    pub(super) fn files(&self) -> usize {
        self.tails.len()
    }

    /// Looks for files that are new, renamed or gone.
    pub(super) fn discover(&mut self) {
        // Compressed files last: by then it is known which of the others are gone.
        let mut packed = Vec::new();
        for number in 0..self.sources.len() {
            let mut found = Vec::new();
            self.sources[number].find(&mut found);
            for path in found {
                if unpack::is_packed(&path) {
                    packed.push((number, path));
                } else {
                    self.meet(number, &path);
                }
            }
        }
        if self.is_first_look {
            self.find_renamed();
        }
        for (number, path) in packed {
            self.meet(number, &path);
        }
        let left: Vec<Position> = self.waiting.drain().map(|(_, position)| position).collect();
        for position in left {
            self.remember(position);
        }
        self.is_first_look = false;
        self.takeover = None;
        for tail in &mut self.tails {
            tail.is_replaced = std::fs::metadata(&tail.path).map_or(true, |metadata| id_of(&metadata) != tail.id);
        }
    }

    fn meet(&mut self, source: usize, path: &Path) {
        let Ok(metadata) = std::fs::metadata(path) else { return };
        if !metadata.is_file() {
            return;
        }
        let id = id_of(&metadata);
        if self.known.contains(&id) {
            if let Some(tail) = self.tails.iter_mut().find(|tail| tail.id == id && tail.is_replaced) {
                tail.path = path.to_owned();
            }
            return;
        }
        if self.tails.len() >= TAILS_MAX {
            return;
        }
        let start = self.sources[source].start;
        let beginning = if self.is_first_look && start == Start::End { metadata.len() } else { 0 };
        self.follow(source, path, beginning);
    }

    /// Follows a file from where it was read to, else from `beginning`.
    fn follow(&mut self, source: usize, path: &Path, beginning: u64) {
        if unpack::is_packed(path) {
            if self.sources[source].compressed == Compressed::Once {
                self.follow_packed(source, path);
            }
            return;
        }
        let opened = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            let position = self.waiting.get(&id_of(&metadata));
            let first = first_bytes(&file)?;
            let offset = match position {
                Some(position) if position.fingerprint.fits(&first) && position.offset <= metadata.len() => position.offset,
                // Another file with the inode of one that is gone.
                Some(_) => 0,
                None => self.taken_over(path, &file, metadata.len())?.unwrap_or(beginning),
            };
            Tail::new(path.to_owned(), file, source, Arc::new(self.origin(source, path)), offset)
        });
        match opened {
            Ok(tail) => {
                if let Some(position) = self.waiting.remove(&tail.id)
                    && position.offset > tail.acknowledged
                {
                    self.remember(position);
                }
                self.known.insert(tail.id);
                self.tails.push(tail);
            }
            Err(error) => tracing::debug!(path = %path.display(), "cannot read {}: {error}", path.display()),
        }
    }

    /// Where another reader of the file stopped: at the beginning of a line. In a file that is shorter it was another file.
    fn taken_over(&self, path: &Path, file: &File, length: u64) -> std::io::Result<Option<u64>> {
        let Some(takeover) = &self.takeover else { return Ok(None) };
        let Some(offset) = takeover.offsets.get(path).copied().filter(|offset| *offset <= length) else { return Ok(None) };
        let start = offset.saturating_sub(LINE_START_BYTES);
        let mut before = vec![0; usize::try_from(offset - start).unwrap_or_default()];
        file.read_exact_at(&mut before, start)?;
        Ok(Some(memchr::memrchr(b'\n', &before).map_or(start, |at| start + at as u64 + 1)))
    }

    /// Begins with a compressed file; one that holds a file that was followed goes on where that one stopped.
    fn follow_packed(&mut self, source: usize, path: &Path) {
        let opened = File::open(path).and_then(|file| {
            let id = id_of(&file.metadata()?);
            Ok((id, unpack::first_bytes(&file)?, unpack::size_of(&file)?))
        });
        let (id, first, size) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // It is still being written, or damaged at its very beginning.
                tracing::debug!(path = %path.display(), "cannot read {}: {error}", path.display());
                return;
            }
        };
        let twin = match self.waiting.remove(&id) {
            Some(position) if position.fingerprint.fits(&first) => Twin::Read(position),
            other => {
                if let Some(position) = other {
                    self.remember(position);
                }
                self.unpacked_twin(path, &first, size)
            }
        };
        let (offset, is_complete) = match twin {
            Twin::Unknown => (0, false),
            Twin::Read(position) => (position.offset, position.is_complete),
            Twin::Followed => {
                if self.patience.len() >= GONE_MAX {
                    self.patience.clear();
                }
                let looks = self.patience.entry(id).or_default();
                *looks += 1;
                if *looks <= PATIENCE_LOOKS {
                    return;
                }
                (0, false)
            }
        };
        self.patience.remove(&id);
        self.known.insert(id);
        self.tails.push(Tail::packed(path.to_owned(), (id, &first), source, Arc::new(self.origin(source, path)), offset, is_complete));
    }

    /// The file in the same folder that a compressed one was, as its first bytes and its size say. Short beginnings are no evidence.
    fn unpacked_twin(&mut self, path: &Path, first: &[u8], size: u32) -> Twin {
        let fits = |position: &Position| {
            position.fingerprint.length >= TWIN_BYTES_MIN
                && position.fingerprint.fits(first)
                && position.path.parent() == path.parent()
                && !unpack::is_packed(&position.path)
        };
        let low = |position: &Position| u32::try_from(position.offset & u64::from(u32::MAX)).unwrap_or_default();
        for (id, position) in self.waiting.clone() {
            if fits(&position) {
                self.waiting.remove(&id);
                self.gone.push_back(position);
            }
        }
        if let Some(at) = self.gone.iter().rposition(|position| fits(position) && low(position) == size) {
            let whole = self.gone.remove(at).map(|position| Position { is_complete: true, ..position });
            return whole.map_or(Twin::Unknown, Twin::Read);
        }
        if self.tails.iter().any(|tail| fits(&tail.on_disk())) {
            return Twin::Followed;
        }
        let part = self.gone.iter().rposition(|position| fits(position) && low(position) < size).and_then(|at| self.gone.remove(at));
        part.map_or(Twin::Unknown, Twin::Read)
    }

    /// Files that got another name while nobody looked: beside their old one.
    fn find_renamed(&mut self) {
        let lost: Vec<Position> = self.waiting.values().cloned().collect();
        for position in lost {
            let Some(folder) = position.path.parent() else { continue };
            let Some(source) = self.sources.iter().position(|source| matches_any(source, &position.path)) else { continue };
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let found = entries.map(|entry| entry.path()).find(|path| std::fs::metadata(path).is_ok_and(|metadata| id_of(&metadata) == position.id));
            if let Some(path) = found {
                self.follow(source, &path, 0);
            }
        }
    }

    /// Keeps how far a file that is gone was read, for when it comes back compressed.
    fn remember(&mut self, position: Position) {
        if unpack::is_packed(&position.path) || self.sources.iter().all(|source| source.compressed == Compressed::Ignore) {
            return;
        }
        if self.gone.len() >= GONE_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back(position);
    }

    fn origin(&self, source: usize, path: &Path) -> Origin {
        let source = &self.sources[source];
        let mut origin = Origin::default();
        if source.reads_path {
            for (name, value) in paths::attributes(path) {
                origin.set(name, value);
            }
        }
        for (name, value) in &source.labels {
            origin.set(name.as_str(), value.as_str());
        }
        let container = origin.text("k8s.container.name").unwrap_or_default().to_owned();
        let service = if source.service.is_empty() { container } else { source.service.clone() };
        if !service.is_empty() && origin.text("service.name").is_none() {
            origin.set("service.name", service);
        }
        origin
    }

    /// Reads each file once, within the bound of a round.
    pub(super) fn round(&mut self, context: &Context<'_>, now: Duration) -> Round {
        let mut round = Round::default();
        let mut assemblers: BTreeMap<String, (Tenant, Assembler<'_>)> = BTreeMap::new();
        let mut pieces = Vec::new();
        let count = self.tails.len();
        let mut unpacking = self.tails.iter().filter(|tail| tail.is_unpacking()).count();
        for step in 0..count {
            if round.bytes >= ROUND_BYTES {
                round.has_more = true;
                break;
            }
            let at = (self.turn + step) % count;
            let tail = &mut self.tails[at];
            tail.replaced_since = tail.is_replaced.then(|| tail.replaced_since.unwrap_or(now));
            let source = &mut self.sources[tail.source];
            if tail.unpacked.as_ref().is_some_and(|unpacked| unpacked.open.is_none() && !unpacked.is_complete) {
                if unpacking >= UNPACKING_MAX {
                    continue;
                }
                unpacking += 1;
            }
            match tail.read(source, now, &mut pieces) {
                Ok(progress) => {
                    round.bytes += progress.bytes;
                    round.has_more |= progress.has_more;
                    if progress.bytes == 0 && tail.is_replaced_for(REPLACED_WAIT, now) {
                        tail.finish(source, now, &mut pieces);
                    }
                }
                Err(error) => {
                    tracing::debug!(path = %tail.path.display(), "cannot read {}: {error}", tail.path.display());
                    tail.is_replaced |= error.kind() == std::io::ErrorKind::NotFound;
                }
            }
            if at >= OPEN_MAX {
                tail.handle = None;
            }
            for piece in pieces.drain(..) {
                push(tail, source, piece, context, &mut assemblers);
            }
            let end = tail.position();
            if end != tail.acknowledged {
                round.ends.push((tail.id, end));
            }
            if round.bytes >= ROUND_BYTES {
                self.turn = at + 1;
            }
        }
        round.batches = assemblers.into_values().map(|(tenant, assembler)| (tenant, assembler.finish())).collect();
        round
    }

    /// The records of a round are durable.
    ///
    /// # Errors
    /// If the positions cannot be written; what was read is then read again after a restart.
    pub(super) fn acknowledge(&mut self, round: &Round, now: Duration) -> std::io::Result<()> {
        for (id, end) in &round.ends {
            if let Some(tail) = self.tails.iter_mut().find(|tail| tail.id == *id) {
                tail.acknowledged = *end;
            }
        }
        let is_over = |tail: &Tail| tail.acknowledged == tail.position() && tail.is_replaced_for(2 * REPLACED_WAIT, now);
        let over: Vec<Tail> = self.tails.extract_if(.., |tail| is_over(tail)).collect();
        for tail in over {
            self.known.remove(&tail.id);
            self.remember(tail.on_disk());
        }
        let all = Document::new(self.tails.iter().map(Tail::on_disk).collect(), self.gone.iter().cloned().collect(), self.taken_over.clone());
        if all != self.saved {
            positions::save(&self.file, &all)?;
            self.saved = all;
        }
        Ok(())
    }
}

fn matches_any(source: &Compiled, path: &Path) -> bool {
    source.patterns.iter().any(|pattern| glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path(path)))
}

fn push<'c>(tail: &Tail, source: &mut Compiled, piece: Piece, context: &Context<'c>, assemblers: &mut BTreeMap<String, (Tenant, Assembler<'c>)>) {
    let mut record = Record { origin: Arc::clone(&tail.origin), timestamp_ns: piece.timestamp_ns, body: Some(Cow::Owned(piece.text)), ..Record::default() };
    record.attributes.push(("log.file.path".into(), AttributeValue::String(tail.path.display().to_string())));
    if !piece.stream.is_empty() {
        record.attributes.push(("log.iostream".into(), AttributeValue::String(piece.stream.to_owned())));
    }
    let (verdict, named) = source.work.run(&mut record, context.now_ns);
    if verdict == Verdict::Keep {
        let tenant = named.unwrap_or_else(|| source.tenant.clone());
        let (_, assembler) = assemblers.entry(tenant.as_str().to_owned()).or_insert_with(|| (tenant, Assembler::new(context)));
        assembler.push(record);
    }
}
