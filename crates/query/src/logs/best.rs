//! Which records are the first, of those that a question has seen.

use super::{Direction, First};
use crate::ahead::Bounds;

/// Order of a record in the answer, lower comes first. Of two records of one time the later arrival is the newer.
pub(crate) fn rank(timestamp_ns: i64, sequence: u64, direction: Direction) -> (i128, i128) {
    match direction {
        Direction::Forward => (i128::from(timestamp_ns), i128::from(sequence)),
        Direction::Backward => (-i128::from(timestamp_ns), -i128::from(sequence)),
    }
}

/// Time and arrival of the first records so far; holds about twice as many as are wanted, at most.
#[derive(Debug)]
pub(crate) struct Best {
    limit: usize,
    direction: Direction,
    rows: Vec<(i64, u64)>,
    /// Rank of the worst record that is wanted, once there are enough.
    worst: Option<(i128, i128)>,
}

impl Best {
    pub(crate) fn new(first: &First) -> Self {
        Self { limit: first.limit, direction: first.direction, rows: Vec::new(), worst: None }
    }

    /// Whether no record of this time or later in order can be wanted.
    pub(crate) fn is_settled(&self, time_rank: i128) -> bool {
        self.worst.is_some_and(|worst| time_rank > worst.0)
    }

    /// An instant such that no record further on in order can be wanted.
    pub(crate) fn worst_ns(&self) -> i64 {
        let instant = |rank: i128| i64::try_from(rank).ok();
        match self.direction {
            Direction::Forward => self.worst.and_then(|worst| instant(worst.0)).unwrap_or(i64::MAX),
            Direction::Backward => self.worst.and_then(|worst| instant(-worst.0)).unwrap_or(i64::MIN),
        }
    }

    /// As [`expected`], until there are enough; none once there are.
    pub(crate) fn ahead(&self, rows_read: u64, rest: &[Bounds]) -> usize {
        if self.worst.is_some() { 0 } else { expected(self.rows.len() as u64, self.limit as u64, rows_read, rest) }
    }

    pub(crate) fn take(&mut self, rows: impl Iterator<Item = (i64, u64)>) {
        let direction = self.direction;
        for (timestamp_ns, sequence) in rows {
            if self.worst.is_some_and(|worst| rank(timestamp_ns, sequence, direction) >= worst) {
                continue;
            }
            self.rows.push((timestamp_ns, sequence));
            // As soon as there are enough, so that reading can stop; then at twice the limit, so that it costs little a record.
            if self.worst.is_none() && self.rows.len() == self.limit || self.rows.len() >= 2 * self.limit.max(1) {
                self.sort_out();
            }
        }
    }

    pub(crate) fn sort_out(&mut self) {
        let direction = self.direction;
        self.rows.sort_unstable_by_key(|(timestamp_ns, sequence)| rank(*timestamp_ns, *sequence, direction));
        self.rows.truncate(self.limit);
        if self.rows.len() == self.limit {
            self.worst = self.rows.last().map(|(timestamp_ns, sequence)| rank(*timestamp_ns, *sequence, direction));
        }
    }

    /// The first records, in order.
    pub(crate) fn finish(mut self) -> Vec<(i64, u64)> {
        self.sort_out();
        self.rows
    }
}

/// Of parts, the first of which is read now, how many behind it will have to be read until as many records are found as are
/// wanted: if records that fit are as many a row as in those that were looked at. None before any were.
pub(crate) fn expected(found: u64, wanted: u64, rows_read: u64, rest: &[Bounds]) -> usize {
    if rows_read == 0 {
        return 0;
    }
    let rate = found as f64 / rows_read as f64;
    let mut expected = found as f64;
    let is_needed = |part: &&Bounds| {
        expected += part.rows as f64 * rate;
        expected < wanted as f64
    };
    rest.iter().take_while(is_needed).count()
}

#[cfg(test)]
mod tests {
    use signalbox_model::TimeRange;

    use super::*;

    #[test]
    fn parts_are_needed_as_long_as_the_ones_before_do_not_fill_up_the_answer() {
        let rest: Vec<Bounds> = (0..10).map(|number| Bounds { number, range: TimeRange::ALL, rows: 100 }).collect();
        // Nothing is known yet.
        assert_eq!(expected(0, 100, 0, &rest), 0);
        // Nothing found so far: all are needed.
        assert_eq!(expected(0, 100, 100, &rest), 10);
        // 20 of each part, 60 more are wanted: this one and two behind it.
        assert_eq!(expected(40, 100, 200, &rest), 2);
        assert_eq!(expected(90, 100, 200, &rest), 0);
        let mut best = Best::new(&First { range: TimeRange::ALL, limit: 3, direction: Direction::Backward });
        best.take([(1, 1), (2, 2)].into_iter());
        assert_eq!((best.ahead(200, &rest), best.worst_ns()), (0, i64::MIN));
        assert_eq!(best.ahead(20_000, &rest), 10);
        best.take([(3, 3)].into_iter());
        assert_eq!((best.ahead(20_000, &rest), best.worst_ns()), (0, 1));
    }
}
