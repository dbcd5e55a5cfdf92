//! Which series have been defined where: what the encoder must write, and what the decoder has learnt.

use std::collections::HashMap;

use signalbox_model::{Labels, Result, SeriesRef, Tenant};

use super::bytes::corrupt;
use crate::write::wal::Place;

/// In how many frames of each place a series is defined.
pub const DEFINITIONS_PER_PLACE: u32 = 2;

/// Bits of a cell that count definitions; the rest is the round.
const COUNT_BITS: u32 = 2;
const ROUND_MAX: u32 = u32::MAX >> COUNT_BITS;

/// How often each series has been defined in the current place. 4 bytes a series.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    place: Option<Place>,
    /// Counts places, so that a new place need not clear the cells.
    round: u32,
    cells: HashMap<Tenant, Vec<u32>>,
}

impl Definitions {
    /// Goes to a place; elsewhere everything must be defined again.
    pub(super) fn enter(&mut self, place: Place) {
        if self.place == Some(place) {
            return;
        }
        self.place = Some(place);
        if self.round == ROUND_MAX {
            self.cells.clear();
            self.round = 0;
        }
        self.round += 1;
    }

    /// The cells of one tenant.
    pub(super) fn of(&mut self, tenant: &Tenant) -> TenantDefinitions<'_> {
        if !self.cells.contains_key(tenant) {
            self.cells.insert(tenant.clone(), Vec::new());
        }
        let cells = self.cells.get_mut(tenant).expect("the tenant was inserted just now");
        TenantDefinitions { round: self.round, cells }
    }
}

/// The cells of one tenant.
pub(super) struct TenantDefinitions<'a> {
    round: u32,
    cells: &'a mut Vec<u32>,
}

impl TenantDefinitions<'_> {
    /// Whether a frame that is written now should define the series.
    pub(super) fn is_due(&self, series: SeriesRef) -> bool {
        self.count(series) < DEFINITIONS_PER_PLACE
    }

    /// Notes that the frame defines the series. Series are dense numbers of series that exist, so the cells are bounded by them.
    pub(super) fn note(&mut self, series: SeriesRef) {
        let (count, at) = (self.count(series), series.0 as usize);
        if at >= self.cells.len() {
            self.cells.resize(at + 1, 0);
        }
        self.cells[at] = self.round << COUNT_BITS | (count + 1);
    }

    fn count(&self, series: SeriesRef) -> u32 {
        match self.cells.get(series.0 as usize) {
            Some(cell) if cell >> COUNT_BITS == self.round => cell & ((1 << COUNT_BITS) - 1),
            _ => 0,
        }
    }
}

/// A series as the log defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The labels.
    pub labels: Labels,
    /// Equal for what one decoder gives for one series of one tenant, as long as its number stays; of no other series.
    pub binding: u32,
}

/// The series that frames have defined so far.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    file: u64,
    /// Counts files, so that a new file need not clear the cells.
    round: u32,
    bindings: u32,
    series: HashMap<Tenant, LearntSeries>,
}

impl Learnt {
    /// Goes to a file; numbers of another file mean nothing here.
    pub(super) fn enter(&mut self, file: u64) {
        if self.file == file {
            return;
        }
        self.file = file;
        if self.round == u32::MAX {
            self.series.clear();
            self.round = 0;
        }
        self.round += 1;
    }

    /// The series of a tenant.
    pub(super) fn of(&mut self, tenant: &Tenant) -> TenantLearnt<'_> {
        TenantLearnt { round: self.round, bindings: &mut self.bindings, series: self.series.entry(tenant.clone()).or_default() }
    }
}

/// Numbers up to this many times as large as the number of definitions, and [`DENSE_MIN`], have a cell of their own.
const DENSE_FACTOR: usize = 4;
const DENSE_MIN: usize = 64 * 1024;

/// The series of a tenant by number. Numbers are dense, but nothing can prove it.
#[derive(Debug, Default)]
struct LearntSeries {
    cells: Vec<Option<Cell>>,
    sparse: HashMap<u32, Cell>,
    defined: usize,
}

#[derive(Debug, Clone)]
struct Cell {
    bound: Bound,
    /// Of the file that defined it last.
    round: u32,
}

/// The series of a tenant in the present file.
pub(super) struct TenantLearnt<'a> {
    round: u32,
    bindings: &'a mut u32,
    series: &'a mut LearntSeries,
}

impl TenantLearnt<'_> {
    /// The series with a number, if the file has defined it.
    pub(super) fn get(&self, number: u32) -> Option<&Bound> {
        let cells = &self.series.cells;
        let cell = cells.get(number as usize).and_then(Option::as_ref).or_else(|| self.series.sparse.get(&number));
        cell.filter(|cell| cell.round == self.round).map(|cell| &cell.bound)
    }

    /// Learns a definition. Files define each series twice, and mostly as the file before did: that takes nothing.
    pub(super) fn define(&mut self, number: u32, block: &[u8]) -> Result<Bound> {
        let (at, LearntSeries { cells, sparse, defined }) = (number as usize, &mut *self.series);
        let old = match cells.get_mut(at) {
            Some(Some(cell)) => Some(cell),
            _ => sparse.get_mut(&number),
        };
        if let Some(cell) = old
            && cell.bound.labels.as_bytes() == block
        {
            cell.round = self.round;
            return Ok(cell.bound.clone());
        }
        let bound = Bound { labels: Labels::from_bytes(block)?, binding: *self.bindings };
        *self.bindings = self.bindings.checked_add(1).ok_or_else(|| corrupt("the log defines more series than there can be"))?;
        *defined += 1;
        let cell = Cell { bound: bound.clone(), round: self.round };
        if at < cells.len().max(DENSE_MIN).max(DENSE_FACTOR * *defined) {
            if at >= cells.len() {
                cells.resize(at + 1, None);
            }
            cells[at] = Some(cell);
            // A number that was out of reach before would be found twice.
            sparse.remove(&number);
        } else {
            sparse.insert(number, cell);
        }
        Ok(bound)
    }
}
