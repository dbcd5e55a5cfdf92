//! Bounds of templates: what a text may ask for, and what one expansion may cost.

/// Bytes of one template's text.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Levels of actions and parentheses inside of one another.
pub const DEPTH_MAX: usize = 64;
/// Templates that call one another, recursion among them.
pub const CALLS_MAX: usize = 32;
/// Nodes that one expansion may evaluate.
pub const STEPS_MAX: usize = 100_000;
/// Bytes that one expansion may make, intermediate values among them.
pub const BYTES_MAX: usize = 1 << 20;
/// Width and precision in a format such as `%10.3f`.
pub const WIDTH_MAX: usize = 4096;
