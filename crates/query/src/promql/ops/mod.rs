//! The operators, one a file.

pub(super) mod aggregate;
pub(super) mod arithmetic;
pub(super) mod binary;
pub(super) mod matching;
pub(super) mod negate;
pub(super) mod once;
pub(super) mod over;
pub(super) mod range;
pub(super) mod select;
pub(super) mod sets;
mod smooth;
