//! Search over logs: a tree of conditions that several languages are read into, the first records that fit, how many there
//! are, facets and aggregations, all in one pass over one snapshot.
//!
//! Words without a field are looked for in the body, the name of the event and the values of the record's own attributes; not
//! in the resource, which all records of a service share. What looks like a trace or span identifier is looked for as one, too.

pub mod aggregate;
pub mod times;

mod compiled;
mod condition;
mod facets;
mod field;
mod filter;
mod highlight;
mod narrow;
mod record;
mod run;
mod translate;
mod value;
mod view;
mod words;

pub use crate::logs::Direction;
pub use facets::{Facet, FacetRequest};
pub use field::Field;
pub use filter::{Bounds, Condition, Filter};
pub use highlight::Highlighter;
pub use record::values_of;
pub(crate) use run::compiled;
pub use run::{After, SearchAnswer, SearchRequest};
pub use translate::{Meaning, between, translate};
pub use value::Value;
pub(crate) use view::Probe;

/// The words of a text, as prose is searched for them.
pub fn words_of(text: &str) -> Vec<String> {
    words::words_of(text)
}
