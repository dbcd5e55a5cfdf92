//! Numbers drawn one after the other from a seed and an identifier.

use super::{mix, mix2, unit};

/// A source of numbers.
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64, id: u64) -> Self {
        Self(mix2(seed, id))
    }

    pub(super) fn next(&mut self) -> u64 {
        let drawn = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        drawn
    }

    /// Less than a bound.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// From 0 to 1, 1 excluded.
    pub(super) fn unit(&mut self) -> f64 {
        unit(self.next())
    }
}

/// The place in cumulated weights that a number from 0 to 1 falls on.
pub(super) fn pick(cumulated: &[f64], at: f64) -> usize {
    let last = cumulated.len() - 1;
    let at = at * cumulated[last];
    cumulated.iter().position(|weight| at < *weight).unwrap_or(last)
}
