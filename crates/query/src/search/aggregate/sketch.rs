//! How many distinct values: exact for few, HyperLogLog for many.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Distinct values that are counted exactly.
const EXACT_MAX: usize = 4_096;
/// Bits of a hash that choose a register: 2^14 of them, about 0.8 % of error.
const REGISTER_BITS: u32 = 14;

/// Counts distinct values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sketch {
    exact: HashSet<u64>,
    registers: Vec<u8>,
}

impl Sketch {
    pub(crate) fn add(&mut self, text: &str) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if !self.registers.is_empty() {
            return self.register(hash);
        }
        self.exact.insert(hash);
        if self.exact.len() > EXACT_MAX {
            self.registers = vec![0; 1 << REGISTER_BITS];
            for hash in std::mem::take(&mut self.exact) {
                self.register(hash);
            }
        }
    }

    fn register(&mut self, hash: u64) {
        let (register, rest) = ((hash >> (64 - REGISTER_BITS)) as usize, hash << REGISTER_BITS);
        let rank = (rest.leading_zeros() + 1).min(65 - REGISTER_BITS) as u8;
        self.registers[register] = self.registers[register].max(rank);
    }

    /// How many distinct values, exactly up to some thousands.
    pub(crate) fn count(&self) -> u64 {
        if self.registers.is_empty() {
            return self.exact.len() as u64;
        }
        // The estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches"), which needs no tables of bias.
        let registers = self.registers.len() as f64;
        let mut by_rank = [0.0f64; 66];
        self.registers.iter().for_each(|rank| by_rank[usize::from(*rank)] += 1.0);
        let last = (64 - REGISTER_BITS) as usize;
        let mut sum = registers * tau(1.0 - by_rank[last + 1] / registers);
        for count in by_rank[1..=last].iter().rev() {
            sum = 0.5 * (sum + count);
        }
        sum += registers * sigma(by_rank[0] / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2) / sum).round() as u64
    }

    /// About how many bytes it holds.
    pub(crate) fn held(&self) -> usize {
        self.exact.capacity() * 9 + self.registers.len()
    }
}

/// What registers without a value add.
fn sigma(mut share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, share);
    loop {
        share *= share;
        let before = sum;
        sum += share * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

/// What full registers add.
fn tau(mut share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - share);
    loop {
        share = share.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - share) * (1.0 - share) * factor;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sketch;

    #[test]
    fn counts_few_exactly_and_many_closely() {
        for (count, close) in [(0u64, 0), (1, 0), (4_096, 0), (5_000, 150), (40_000, 1_200), (300_000, 9_000)] {
            let mut sketch = Sketch::default();
            (0..count).chain(0..count / 2).for_each(|number| sketch.add(&number.to_string()));
            assert!(sketch.count().abs_diff(count) <= close, "{count}: {}", sketch.count());
            assert!(sketch.held() < 128 << 10);
        }
    }
}
