//! Sets of arrival numbers: which rows of logs or spans are meant.

use signalbox_model::{Error, Result};

/// A set of arrival numbers, as runs of neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowNumbers {
    /// First and last of each run, ascending, no two runs touch.
    runs: Vec<(u64, u64)>,
}

impl RowNumbers {
    /// Of numbers in any order; one may come twice.
    pub fn of(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some((_, last)) if number <= last.saturating_add(1) => *last = number.max(*last),
                _ => runs.push((number, number)),
            }
        }
        Self { runs }
    }

    /// All but some, in any order.
    pub(crate) fn all_but(mut kept: Vec<u64>) -> Self {
        kept.sort_unstable();
        let (mut runs, mut next) = (Vec::new(), Some(0u64));
        for number in kept {
            match next {
                Some(first) if first < number => runs.push((first, number - 1)),
                Some(first) if first > number => continue,
                _ => {}
            }
            next = number.checked_add(1);
        }
        runs.extend(next.map(|first| (first, u64::MAX)));
        Self { runs }
    }

    /// Whether a row is meant.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.runs.partition_point(|(first, _)| *first <= number);
        after > 0 && self.runs[after - 1].1 >= number
    }

    /// How many rows are meant.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether no row is meant.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Distances from the last run and lengths less one, each as a varint of seven bits a byte.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.runs.len() * 3);
        let mut next = 0;
        for (first, last) in &self.runs {
            write_varint(&mut out, first - next);
            write_varint(&mut out, last - first);
            next = *last;
        }
        out
    }

    /// The inverse.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] for anything else.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::corrupt("cannot read the numbers of deleted rows: they are damaged");
        let (mut runs, mut next) = (Vec::new(), 0u64);
        while !bytes.is_empty() {
            let distance = read_varint(&mut bytes).ok_or_else(damaged)?;
            let length = read_varint(&mut bytes).ok_or_else(damaged)?;
            let is_apart = runs.is_empty() || distance > 1;
            let first = next.checked_add(distance).filter(|_| is_apart).ok_or_else(damaged)?;
            next = first.checked_add(length).ok_or_else(damaged)?;
            runs.push((first, next));
        }
        Ok(Self { runs })
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part.leading_zeros() < shift {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn sets_come_back_from_their_bytes() {
        let sets: [Vec<u64>; 6] = [vec![], vec![0], vec![u64::MAX], vec![5, 3, 4, 4, 9], vec![0, u64::MAX], (100..1000).chain(2000..2001).collect()];
        for numbers in sets {
            let set = RowNumbers::of(numbers.clone());
            assert_eq!(RowNumbers::decode(&set.encode()).unwrap(), set);
            assert!(numbers.iter().all(|number| set.contains(*number)));
            for near in numbers.iter().flat_map(|number| [number.wrapping_sub(1), number.wrapping_add(1)]) {
                assert_eq!(set.contains(near), numbers.contains(&near), "{near} in {set:?}");
            }
        }
        assert_eq!(RowNumbers::of(vec![5, 3, 4, 4, 9]).len(), 4);
        assert_eq!(RowNumbers::of((0..100_000).collect()).encode().len(), 4);
    }

    #[test]
    fn all_but_some_is_the_rest() {
        for kept in [vec![], vec![0], vec![u64::MAX], vec![3, 1, 2, 2, 9], vec![0, 1, 5, u64::MAX - 1], vec![0, u64::MAX]] {
            let rest = RowNumbers::all_but(kept.clone());
            for number in kept.iter().flat_map(|number| [number.wrapping_sub(1), *number, number.wrapping_add(1)]) {
                assert_eq!(rest.contains(number), !kept.contains(&number), "{number} of all but {kept:?}");
            }
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for bad in [&[1][..], &[0x80], &[1, 0x80], &[0xff; 11], &[1, 1, 1, 1], &[1, 1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert!(RowNumbers::decode(bad).is_err(), "{bad:?}");
        }
    }
}
