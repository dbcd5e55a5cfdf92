//! Rules that are not in force: checked and tried, from the command line and for the API.

pub(crate) mod check;
pub(crate) mod desk;
