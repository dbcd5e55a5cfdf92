//! What all doors of logs share: the record that a wire format is read into, and how records become a batch.
//!
//! A protocol reads its bytes into [`Record`]s and hands them to an [`Assembler`]; it never touches columns.

mod assemble;
pub(crate) mod document;
pub(crate) mod hex;
pub(crate) mod json;
pub(crate) mod leaf;
pub(crate) mod level;
mod mend;
mod origins;
mod record;
mod rows;
pub mod severity;
pub mod timestamp;
mod trace_link;

pub use assemble::Assembler;
pub(crate) use assemble::{json_of, service_of};
pub use document::Names;
pub(crate) use mend::mended;
pub use origins::Origins;
pub use record::{Attributes, Origin, Record};
pub(crate) use rows::Rows;
pub use trace_link::TraceLink;
