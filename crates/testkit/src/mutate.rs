//! What a fuzzer does, on stable and from a fixed seed: good inputs, damaged in small ways, many times.
//!
//! It finds no path by coverage, as `cargo fuzz` with the targets in `crates/*/fuzz` does; it makes sure in every run of the
//! tests that nothing near a good input makes a decoder or a parser panic.

/// Damages at most done to one input.
const DAMAGES_MAX: usize = 6;

/// Bytes that lengths, tags and varints care about.
const BYTES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'0', b'"', b'{'];

/// Random numbers by seed (SplitMix64): the same everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed; equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 if the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound.max(1) as u64) as usize
    }
}

/// Runs a check over each seed and so many mutants of it. The pieces are what the grammar cares about: they are put in
/// anywhere. The check panics on what must not be.
pub fn texts(seeds: &[&str], pieces: &[&str], mutants: usize, mut check: impl FnMut(&str)) {
    let mut random = Random::new(seeds.len() as u64);
    for seed in seeds {
        check(seed);
        for _ in 0..mutants {
            check(&damaged_text(&mut random, seed, pieces));
        }
    }
}

/// Runs a check over each seed and so many mutants of it.
pub fn bytes(seeds: &[&[u8]], mutants: usize, mut check: impl FnMut(&[u8])) {
    let mut random = Random::new(seeds.len() as u64);
    for seed in seeds {
        check(seed);
        for _ in 0..mutants {
            let mut mutant = seed.to_vec();
            for _ in 0..=random.below(DAMAGES_MAX) {
                damage(&mut random, &mut mutant);
            }
            check(&mutant);
        }
    }
}

/// Damages bytes once: a bit, a byte, an end, a length or an order.
pub fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    let end = (at + 1 + random.below(16)).min(bytes.len());
    match random.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.next_u64().to_le_bytes()[0],
        2 if at < bytes.len() => bytes[at] = BYTES[random.below(BYTES.len())],
        3 => bytes.truncate(at),
        4 if at < end => drop(bytes.drain(at..end)),
        5 if at < end => {
            let copied = bytes[at..end].to_vec();
            bytes.splice(at..at, copied);
        }
        _ => bytes.insert(at, BYTES[random.below(BYTES.len())]),
    }
}

fn damaged_text(random: &mut Random, seed: &str, pieces: &[&str]) -> String {
    let mut characters: Vec<char> = seed.chars().collect();
    for _ in 0..=random.below(DAMAGES_MAX) {
        let at = random.below(characters.len() + 1);
        match random.below(4) {
            0 => drop(characters.drain(at..(at + 1 + random.below(8)).min(characters.len()).max(at))),
            1 if !pieces.is_empty() => drop(characters.splice(at..at, pieces[random.below(pieces.len())].chars())),
            2 => {
                let copied: Vec<char> = characters[at..(at + random.below(12)).min(characters.len())].to_vec();
                drop(characters.splice(at..at, copied));
            }
            _ => characters.truncate(at),
        }
    }
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn mutants_are_many_different_and_the_same_at_each_run() {
        let run = || {
            let (mut found, mut blobs) = (Vec::new(), Vec::new());
            texts(&["sum(rate(a[5m]))", ""], &["{", "é"], 200, |text| found.push(text.to_owned()));
            bytes(&[b"\x0a\x03abc", b""], 200, |bytes| blobs.push(bytes.to_vec()));
            (found, blobs)
        };
        let (found, blobs) = run();
        assert_eq!((found.len(), blobs.len()), (402, 402));
        assert!(found.iter().collect::<BTreeSet<_>>().len() > 150 && blobs.iter().collect::<BTreeSet<_>>().len() > 150);
        assert!(found.contains(&"sum(rate(a[5m]))".to_owned()), "the seed itself is checked");
        assert!(found.iter().any(|text| text.contains('é')) && blobs.iter().any(|bytes| bytes.len() > 5));
        assert_eq!(run(), (found, blobs));
    }
}
