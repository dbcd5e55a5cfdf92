//! What a power loss leaves of a disk.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::model::{Change, Fate, Inode, Model, to_usize, write};

/// What of the unsynced changes survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Each write, length and name by the toss of a coin.
    Subset,
    /// Each 512-byte sector of each write by the toss of a coin; each name likewise.
    TornSectors,
    /// Each 4 KiB page of each write by the toss of a coin; each name likewise.
    TornPages,
    /// Names, but no content.
    NamesOnly,
    /// Content, but no names: renames are lost.
    ContentOnly,
    /// Names and lengths; where a file has grown there are zeros.
    LengthsOnly,
}

impl Survival {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Nothing, Self::Everything, Self::Subset, Self::TornSectors, Self::TornPages, Self::NamesOnly, Self::ContentOnly, Self::LengthsOnly];

    /// Whether equal seeds are needed for equal results.
    pub fn is_random(self) -> bool {
        matches!(self, Self::Subset | Self::TornSectors | Self::TornPages)
    }

    fn sector_bytes(self) -> Option<usize> {
        match self {
            Self::TornSectors => Some(512),
            Self::TornPages => Some(4096),
            _ => None,
        }
    }
}

/// The disk after the power is back: all of it durable.
pub(super) fn survivors(model: Model, survival: Survival, seed: u64) -> Model {
    let mut random = StdRng::seed_from_u64(seed);
    let mut after = Model { dirs: model.dirs, names: model.durable_names, ..Model::default() };
    for change in &model.pending_names {
        let survives = match survival {
            Survival::Nothing | Survival::ContentOnly => false,
            Survival::Everything | Survival::NamesOnly | Survival::LengthsOnly => true,
            Survival::Subset | Survival::TornSectors | Survival::TornPages => random.random(),
        };
        if survives {
            change.apply(&mut after.names);
        }
    }
    for (number, inode) in model.inodes {
        let content = content_after(&inode, survival, &mut random);
        after.inodes.insert(number, Inode { durable: content.clone(), content, pending: Vec::new() });
    }
    let kept: std::collections::BTreeSet<u64> = after.names.values().copied().collect();
    after.inodes.retain(|number, _| kept.contains(number));
    after.durable_names = after.names.clone();
    after
}

fn content_after(inode: &Inode, survival: Survival, random: &mut StdRng) -> Vec<u8> {
    let mut content = inode.durable.clone();
    for (change, fate) in &inode.pending {
        match (survival, change) {
            _ if *fate == Fate::Synced => change.apply(&mut content),
            (Survival::Nothing | Survival::NamesOnly, _) => {}
            (Survival::Everything | Survival::ContentOnly, _) => change.apply(&mut content),
            (Survival::LengthsOnly, Change::Write { offset, data }) => {
                let end = to_usize(*offset) + data.len();
                content.resize(content.len().max(end), 0);
            }
            (Survival::TornSectors | Survival::TornPages, Change::Write { offset, data }) => {
                let sector = survival.sector_bytes().unwrap_or(data.len().max(1));
                tear(&mut content, *offset, data, sector, random);
            }
            (Survival::Subset | Survival::TornSectors | Survival::TornPages | Survival::LengthsOnly, change) => {
                if random.random() {
                    change.apply(&mut content);
                }
            }
        }
    }
    content
}

/// Writes some of the sectors. The file reaches to the end of the last one written.
fn tear(content: &mut Vec<u8>, offset: u64, data: &[u8], sector: usize, random: &mut StdRng) {
    let mut from = 0;
    while from < data.len() {
        let at = to_usize(offset) + from;
        let to = (from + sector - at % sector).min(data.len());
        if random.random() {
            write(content, at as u64, &data[from..to]);
        }
        from = to;
    }
}
