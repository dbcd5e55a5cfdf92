//! Bounds of one query; what is beyond is refused before memory is taken for it.

/// Bytes of one query, as in Loki.
pub const TEXT_BYTES_MAX: usize = 128 << 10;
/// Depth of parentheses, of aggregations in aggregations, and of conditions that are grouped to the right.
pub const NESTING_MAX: usize = 100;
/// Matchers, filters with their alternatives, stages, extractions, operators: what of a query can be many.
pub const ITEMS_MAX: usize = 1_000;
