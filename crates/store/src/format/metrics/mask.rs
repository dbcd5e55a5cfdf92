//! What deletions hide of a segment of metrics.

use std::ops::Range;

use roaring::RoaringBitmap;
use signalbox_model::TimeRange;

use super::segment::{Piece, SamplePiece};

/// Series of one segment and the times over which they are hidden. Most segments hide nothing.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    hidden: Vec<Hidden>,
}

/// What one deletion hides.
#[derive(Debug)]
struct Hidden {
    series: RoaringBitmap,
    range: TimeRange,
}

impl Mask {
    /// Hides some series over a range of time, both ends included.
    pub(crate) fn add(&mut self, series: RoaringBitmap, range: TimeRange) {
        if !series.is_empty() {
            self.hidden.push(Hidden { series, range });
        }
    }

    /// Whether nothing is hidden.
    pub(crate) fn is_empty(&self) -> bool {
        self.hidden.is_empty()
    }

    /// The series of which something may be hidden.
    pub(crate) fn series(&self) -> RoaringBitmap {
        self.hidden.iter().fold(RoaringBitmap::new(), |all, hidden| all | &hidden.series)
    }

    /// Whether something of a series may be hidden.
    pub(crate) fn touches(&self, ordinal: u32) -> bool {
        self.hidden.iter().any(|hidden| hidden.series.contains(ordinal))
    }

    /// Whether a time of a series is hidden.
    pub(crate) fn hides(&self, ordinal: u32, ts_ms: i64) -> bool {
        self.hidden.iter().any(|hidden| covers(hidden.range, ts_ms) && hidden.series.contains(ordinal))
    }

    /// Whether all times of a series from one to another are hidden.
    pub(crate) fn hides_all(&self, ordinal: u32, first_ms: i64, last_ms: i64) -> bool {
        // The least time that is not known to be hidden moves on until no deletion covers it.
        let mut open_ms = first_ms;
        loop {
            let covering = self.hidden.iter().filter(|hidden| covers(hidden.range, open_ms) && hidden.series.contains(ordinal));
            match covering.map(|hidden| hidden.range.end_ms()).max() {
                None => return false,
                Some(end_ms) if end_ms >= last_ms => return true,
                Some(end_ms) => open_ms = end_ms + 1,
            }
        }
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.hidden.iter().map(|hidden| hidden.series.serialized_size() + size_of::<Hidden>()).sum::<usize>() + 64
    }

    /// What is left of samples of a series.
    pub(crate) fn filter_samples(&self, ordinal: u32, piece: SamplePiece) -> Option<SamplePiece> {
        if !self.touches(ordinal) {
            return Some(piece);
        }
        let times = piece.ts_ms();
        let kept: Vec<usize> = (0..times.len()).filter(|at| !self.hides(ordinal, times[*at])).collect();
        if kept.is_empty() {
            return None;
        }
        if kept.len() == times.len() {
            return Some(piece);
        }
        let pick = |from: &[i64]| kept.iter().filter_map(|at| from.get(*at).copied()).collect::<Vec<i64>>();
        let values = kept.iter().filter_map(|at| piece.values.get(*at).copied()).collect();
        Some(SamplePiece::owned(pick(times), Piece::Own(values), Piece::Own(pick(&piece.start_ms))))
    }

    /// Positions of the hidden ones among times of a series, as ranges.
    pub(crate) fn hidden_rows(&self, ordinal: u32, times: impl Iterator<Item = i64>) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (at, _) in (0u64..).zip(times).filter(|(_, ts_ms)| self.hides(ordinal, *ts_ms)) {
            match ranges.last_mut() {
                Some(last) if last.end == at => last.end = at + 1,
                _ => ranges.push(at..at + 1),
            }
        }
        ranges
    }
}

fn covers(range: TimeRange, ts_ms: i64) -> bool {
    range.start_ms() <= ts_ms && ts_ms <= range.end_ms()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_deletions_hide_together() {
        let mut mask = Mask::default();
        mask.add([1, 2].into_iter().collect(), TimeRange::from_ms(10, 19));
        mask.add([1].into_iter().collect(), TimeRange::from_ms(20, 29));
        mask.add([1].into_iter().collect(), TimeRange::from_ms(40, 49));
        mask.add(RoaringBitmap::new(), TimeRange::ALL);
        assert!(mask.hides_all(1, 10, 29) && mask.hides_all(1, 12, 27) && mask.hides_all(1, 45, 45));
        assert!(!mask.hides_all(1, 9, 12) && !mask.hides_all(1, 10, 30) && !mask.hides_all(1, 25, 45) && !mask.hides_all(2, 10, 20));
        assert!(mask.hides(2, 19) && !mask.hides(2, 20) && !mask.hides(3, 15));
        assert_eq!(mask.hidden_rows(1, [5, 10, 15, 29, 30, 41, 50].into_iter()), [1..4, 5..6]);
        assert_eq!(mask.series(), [1, 2].into_iter().collect());
    }

    #[test]
    fn everything_can_be_hidden_to_the_ends_of_time() {
        let mut mask = Mask::default();
        mask.add([0].into_iter().collect(), TimeRange::ALL);
        assert!(mask.hides_all(0, TimeRange::ALL.start_ms(), TimeRange::ALL.end_ms()) && mask.hides(0, i64::MIN / 1_000_000));
    }
}
