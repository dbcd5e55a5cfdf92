//! Which series have been defined where: what the encoder must write, and what the decoder has learnt.

use std::collections::HashMap;

use signalbox_model::{Labels, SeriesRef, Tenant};

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

/// The series that the frames of one file have defined so far.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    file: u64,
    series: HashMap<Tenant, HashMap<u32, Labels>>,
}

impl Learnt {
    /// Goes to a file; numbers of another file mean nothing here.
    pub(super) fn enter(&mut self, file: u64) {
        if self.file != file {
            self.file = file;
            self.series.clear();
        }
    }

    /// The series of a tenant by number.
    pub(super) fn of(&mut self, tenant: &Tenant) -> &mut HashMap<u32, Labels> {
        self.series.entry(tenant.clone()).or_default()
    }
}
