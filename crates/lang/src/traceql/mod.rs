//! TraceQL: text to syntax tree and back, checked as Tempo checks it.
//!
//! | part | here |
//! |---|---|
//! | the tree | [`tree`] |
//! | text to tree | [`parse_query`], [`parse_classified`] |
//! | what is refused and why | [`Failure`], [`Class`] |
//! | tree to text | `Display` of the nodes of the tree |
//!
//! Where this differs from Tempo is written in `DECISIONS.md`.

pub mod tree;

mod check;
mod failure;
mod lex;
mod names;
mod parse;
mod print;

pub use failure::{Class, Failure};
pub use parse::{BY_MAX, COMPARE_TOP_MAX, NESTING_MAX, NODES_MAX, REGEXES_MAX, TEXT_BYTES_MAX, parse_classified, parse_query};
pub use tree::{CompareOp, KIND_WORDS, STATUS_WORDS};
