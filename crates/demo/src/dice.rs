//! Chance that can be repeated: every number follows from a seed and from words that say what it is for.

/// A stream of numbers that is the same wherever it is started from the same seed and words.
#[derive(Debug, Clone)]
pub struct Dice(u64);

/// Mixes a word into a state (SplitMix64).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dice {
    /// Dice for one purpose.
    pub fn new(seed: u64, words: &[u64]) -> Self {
        Self(words.iter().fold(mix(seed), |state, word| mix(state ^ word.rotate_left(17))))
    }

    /// The next number, of all.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to 1, 1 excluded.
    pub fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    /// Whether something happens that does so with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A time in nanoseconds around a median in microseconds, with the long tail that real latencies have.
    pub fn latency(&mut self, median_us: f64) -> u64 {
        // Twelve uniform numbers are normal enough, and need no transcendental function but one.
        let normal: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        let tail = if self.chance(0.01) { 3.0 + 9.0 * self.unit() } else { 1.0 };
        (median_us * 1_000.0 * (0.45 * normal).exp() * tail) as u64
    }

    /// Bytes that are not all zero, as identifiers must be.
    pub fn id<const N: usize>(&mut self) -> [u8; N] {
        let mut id = [0; N];
        for chunk in id.chunks_mut(8) {
            let bytes = (self.roll() | 1).to_be_bytes();
            chunk.copy_from_slice(&bytes[8 - chunk.len()..]);
        }
        id
    }
}
