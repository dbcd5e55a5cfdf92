//! Bounds of templates of alerts, besides those of all templates.

/// Different queries that one expansion may ask.
pub const QUERIES_MAX: usize = 64;
