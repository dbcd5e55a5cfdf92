//! What a query may cost before it is refused.

/// Longest query in bytes. The largest query in the packs of rules and dashboards that we test with has 6 kB.
pub const QUERY_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting of parentheses, braces of calls and signs: each level is a few stack frames of the parser, which must
/// fit a stack of 2 MiB in a debug build.
pub const NESTING_MAX: usize = 150;
/// Highest tree, chains of operators (`a + b + c`, one level each) included: everything that walks a tree recurses this deep.
pub const HEIGHT_MAX: usize = 512;
/// Most regular expressions in a query: compiled they may take a megabyte and milliseconds each. The largest real query that
/// we test with has 90.
pub const REGEXES_MAX: usize = 200;
/// Most items that the notation of one series may stand for: a year of minutes.
pub const SERIES_ITEMS_MAX: usize = 600_000;
