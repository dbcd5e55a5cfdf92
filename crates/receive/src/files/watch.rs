//! All files that are followed: finds them, reads them in turn, knows how far each was acknowledged.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::Tenant;
use signalbox_model::attributes::AttributeValue;

use super::join::Piece;
use super::positions::{self, FileId, Position};
use super::source::Compiled;
use super::tail::{Tail, first_bytes, id_of};
use super::{Start, paths};
use crate::door::{Context, Decoded};
use crate::logs::{Assembler, Origin, Record};
use crate::transform::Verdict;

/// Files that are followed at a time; more wait until one is gone.
const TAILS_MAX: usize = 16 << 10;
/// Files that are kept open.
const OPEN_MAX: usize = 1024;
/// Bytes of one round.
const ROUND_BYTES: usize = 2 << 20;
/// How long a file that is no longer under its path is watched for late lines.
const REPLACED_WAIT: Duration = Duration::from_secs(5);

/// Everything that is followed.
#[derive(Debug)]
pub(super) struct Watch {
    sources: Vec<Compiled>,
    tails: Vec<Tail>,
    known: HashSet<FileId>,
    /// Positions of files that were not found yet.
    waiting: HashMap<FileId, Position>,
    file: PathBuf,
    is_first_look: bool,
    /// Where the next round begins, so that a busy file does not starve the others.
    turn: usize,
    saved: Vec<Position>,
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
    pub(super) fn new(sources: Vec<Compiled>, file: PathBuf) -> Self {
        let saved = positions::load(&file);
        let waiting = saved.iter().map(|position| (position.id, position.clone())).collect();
        Self { sources, tails: Vec::new(), known: HashSet::new(), waiting, file, is_first_look: true, turn: 0, saved }
    }

    pub(super) fn files(&self) -> usize {
        self.tails.len()
    }

    /// Looks for files that are new, renamed or gone.
    pub(super) fn discover(&mut self) {
        for number in 0..self.sources.len() {
            let mut found = Vec::new();
            self.sources[number].find(&mut found);
            for path in found {
                self.meet(number, &path);
            }
        }
        if self.is_first_look {
            self.find_renamed();
        }
        self.is_first_look = false;
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
        let opened = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            let position = self.waiting.get(&id_of(&metadata));
            let first = first_bytes(&file)?;
            let offset = match position {
                Some(position) if position.fingerprint.fits(&first) && position.offset <= metadata.len() => position.offset,
                // Another file with the inode of one that is gone.
                Some(_) => 0,
                None => beginning,
            };
            Tail::new(path.to_owned(), file, source, Arc::new(self.origin(source, path)), offset)
        });
        match opened {
            Ok(tail) => {
                self.waiting.remove(&tail.id);
                self.known.insert(tail.id);
                self.tails.push(tail);
            }
            Err(error) => tracing::debug!(path = %path.display(), "cannot read {}: {error}", path.display()),
        }
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
        self.waiting.clear();
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
        for step in 0..count {
            if round.bytes >= ROUND_BYTES {
                round.has_more = true;
                break;
            }
            let at = (self.turn + step) % count;
            let tail = &mut self.tails[at];
            let source = &mut self.sources[tail.source];
            match tail.read(source, now, &mut pieces) {
                Ok(progress) => {
                    round.bytes += progress.bytes;
                    round.has_more |= progress.has_more;
                    if tail.is_replaced && progress.bytes == 0 && now.saturating_sub(tail.touched) >= REPLACED_WAIT {
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
        let known = &mut self.known;
        self.tails.retain(|tail| {
            let is_over = tail.is_replaced && tail.acknowledged == tail.position() && now.saturating_sub(tail.touched) >= 2 * REPLACED_WAIT;
            if is_over {
                known.remove(&tail.id);
            }
            !is_over
        });
        let all: Vec<Position> = self.tails.iter().map(Tail::on_disk).collect();
        if all != self.saved {
            positions::save(&self.file, all.clone())?;
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
    let (verdict, tenant) = source.work.run(&mut record, context.now_ns);
    if verdict == Verdict::Keep {
        let (_, assembler) = assemblers.entry(tenant.as_str().to_owned()).or_insert_with(|| (tenant, Assembler::new(context)));
        assembler.push(record);
    }
}
