//! Rules that are not in force: checked and tried, from the command line and for the API.

pub(crate) mod backtest;
pub(crate) mod check;
pub(crate) mod desk;
pub(crate) mod test;

mod laboratory;
mod memory_disk;
