//! From a page to a batch: which series a text means, which of them are kept, what is stale.
//!
//! [`Cache`] is what a target remembers from scrape to scrape; [`write()`] makes a batch of a page with it. Nothing here waits
//! or asks for the time, so that a scrape of any length can be tried in a test.

mod cache;
mod exemplar;
mod limits;
mod report;
mod resolve;
mod series;
mod writer;

pub use cache::{Cache, FamilyMetadata, Metadata};
pub use limits::Limits;
pub use report::{Report, Reports};
pub use resolve::Rules;
pub use writer::{Moment, Outcome, Page, write, write_end, write_nothing};

#[cfg(test)]
mod tests;
