//! Aggregations: a tree of buckets and measures over all records that fit, filled a batch at a time.
//!
//! Every node numbers its buckets from 0. A batch goes down the tree as pairs of a row and the bucket of the parent that it
//! is in; a node that makes buckets hands on pairs with its own. Nothing is kept of rows but what the answer needs.

use signalbox_model::TimeRange;

use super::field::Field;
use super::filter::Filter;
use crate::rows::LogRecord;

mod buckets;
mod collect;
mod dates;
mod digest;
mod finish;
mod measure;
mod order;
mod sketch;

pub(crate) use collect::{Collector, Hits};
pub use dates::{CalendarUnit, DateRounding, Interval};
pub(crate) use finish::Finish;
pub(crate) use sketch::Sketch;

/// Depth of a tree.
pub const NESTING_MAX: usize = 16;
/// Nodes of a tree.
pub const NODES_MAX: usize = 256;
/// Buckets of an answer, as many as Elasticsearch allows.
pub const BUCKETS_MAX: usize = 65_536;

/// A node of a tree of aggregations.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// What it does.
    pub kind: Kind,
    /// What is done in each of its buckets, by name.
    pub children: Vec<(String, Aggregation)>,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Buckets of time.
    DateHistogram(DateHistogram),
    /// Buckets of numbers, equally wide.
    Histogram(Histogram),
    /// A bucket for each value.
    Terms(Terms),
    /// A bucket for each filter, by name.
    Filters(Vec<(String, Filter)>),
    /// One bucket, of what fits.
    Filter(Filter),
    /// A bucket for each range of numbers.
    Range(Field, Vec<NumberRange>),
    /// A number of the numbers.
    Measure(Field, Measure),
    /// How many distinct values.
    Cardinality(Field),
    /// Values below which so many percent lie.
    Percentiles(Field, Vec<f64>),
    /// The first records.
    TopHits(TopHits),
    /// Numbers of the records that come first by another.
    TopMetrics(TopMetrics),
}

/// A number of the numbers of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Mean.
    Average,
    /// Least.
    Minimum,
    /// Greatest.
    Maximum,
    /// Sum.
    Sum,
    /// How many values, of any type.
    Count,
    /// All of these.
    Stats,
    /// And the variance.
    ExtendedStats,
}

/// Buckets of time.
#[derive(Debug, Clone, PartialEq)]
pub struct DateHistogram {
    /// A field of dates.
    pub field: Field,
    /// How wide, and where they begin.
    pub rounding: DateRounding,
    /// Buckets with fewer records are left out; 0 fills the gaps.
    pub count_min: u64,
    /// Filled from here to there even where no record is.
    pub bounds: Option<TimeRange>,
    /// What records without a date count as, in nanoseconds.
    pub missing_ns: Option<i64>,
    /// Whether the newest comes first.
    pub is_descending: bool,
}

/// Buckets of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// A field of numbers.
    pub field: Field,
    /// How wide, positive.
    pub interval: f64,
    /// Where they begin.
    pub offset: f64,
    /// Buckets with fewer records are left out; 0 fills the gaps.
    pub count_min: u64,
    /// Filled from here to there even where no record is.
    pub bounds: Option<(f64, f64)>,
    /// What records without a number count as.
    pub missing: Option<f64>,
}

/// A bucket for each value.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The field.
    pub field: Field,
    /// How many buckets at most.
    pub size: usize,
    /// Which come first.
    pub order: Vec<(OrderBy, Direction)>,
    /// Buckets with fewer records are left out.
    pub count_min: u64,
    /// What records without a value count as.
    pub missing: Option<String>,
    /// Only these values, if there are any.
    pub include: Vec<String>,
    /// Not these values.
    pub exclude: Vec<String>,
}

/// By what buckets are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderBy {
    /// How many records.
    Count,
    /// The value.
    Key,
    /// A measure in the bucket, by name, and which of its numbers.
    Child(String, String),
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The least.
    Ascending,
    /// The greatest.
    Descending,
}

/// A range of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberRange {
    /// What it is called.
    pub key: String,
    /// From this, included.
    pub from: Option<f64>,
    /// To this, excluded.
    pub to: Option<f64>,
}

/// The first records.
#[derive(Debug, Clone, PartialEq)]
pub struct TopHits {
    /// How many in each bucket.
    pub size: usize,
    /// Which come first.
    pub direction: super::Direction,
}

/// Numbers of the records that come first by another.
#[derive(Debug, Clone, PartialEq)]
pub struct TopMetrics {
    /// The numbers.
    pub fields: Vec<Field>,
    /// By what.
    pub sort: Field,
    /// Which come first.
    pub direction: Direction,
    /// How many in each bucket.
    pub size: usize,
}

/// What a node found.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Buckets in order.
    Buckets(Buckets),
    /// One bucket.
    Bucket(Bucket),
    /// A number, if there were any.
    Number(Option<f64>),
    /// All numbers.
    Stats(Stats),
    /// Percents and the values at them.
    Percentiles(Vec<(f64, Option<f64>)>),
    /// Records, with how many there are.
    Hits(Vec<LogRecord>, u64),
    /// By record, what it is sorted by and its numbers.
    TopMetrics(Vec<(f64, Vec<Option<f64>>)>),
}

/// Buckets in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets {
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// Records in buckets that were left out by size.
    pub other_count: u64,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// What its records have in common.
    pub key: Key,
    /// How many records.
    pub count: u64,
    /// What was found in it, by name.
    pub children: Vec<(String, Answer)>,
}

/// What the records of a bucket have in common.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// They begin at this time, in nanoseconds.
    Time(i64),
    /// They begin at this number.
    Number(f64),
    /// A value, and the letter of its type.
    Term(String, char),
    /// A name that was given, and its range if it is one.
    Name(String, Option<(Option<f64>, Option<f64>)>),
}

/// Numbers of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// How many.
    pub count: u64,
    /// Least; infinity of none.
    pub min: f64,
    /// Greatest; negative infinity of none.
    pub max: f64,
    /// Sum.
    pub sum: f64,
    /// Mean so far, for the variance.
    pub mean: f64,
    /// Sum of the squares of distances from the mean.
    pub squares: f64,
}
