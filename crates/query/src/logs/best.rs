//! Which records are the first, of those that a question has seen.

use super::{Direction, First};

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
