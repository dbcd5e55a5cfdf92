//! Sums that do not lose small terms: Kahan's summation as Neumaier improved it, step for step as Prometheus does it.

/// A running sum and what rounding took from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kahan {
    pub(super) sum: f64,
    pub(super) lost: f64,
}

impl Kahan {
    pub(super) fn starting_at(sum: f64) -> Self {
        Self { sum, lost: 0.0 }
    }

    #[inline]
    pub(super) fn add(&mut self, term: f64) {
        let total = self.sum + term;
        // Choices instead of branches, so that loops over steps become vectors.
        let (larger, smaller) = if self.sum.abs() >= term.abs() { (self.sum, term) } else { (term, self.sum) };
        let lost = self.lost + ((larger - total) + smaller);
        self.lost = if total.is_infinite() { 0.0 } else { lost };
        self.sum = total;
    }

    pub(super) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// A mean: the sum divided by the count as long as the sum fits a float, from then on corrected term by term.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    count: f64,
    sum: Kahan,
    is_incremental: bool,
}

impl Mean {
    pub(super) fn starting_at(value: f64) -> Self {
        Self { count: 1.0, sum: Kahan::starting_at(value), is_incremental: false }
    }

    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.is_incremental {
            let mut next = self.sum;
            next.add(value);
            if !next.sum.is_infinite() {
                self.sum = next;
                return;
            }
            self.is_incremental = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.lost /= self.count - 1.0;
        }
        let share = (self.count - 1.0) / self.count;
        self.sum = Kahan { sum: share * self.sum.sum, lost: share * self.sum.lost };
        self.sum.add(value / self.count);
    }

    pub(super) fn value(self) -> f64 {
        if self.is_incremental { self.sum.total() } else { self.sum.sum / self.count + self.sum.lost / self.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        let mut sum = Kahan::default();
        [1.0, 1e100, 1.0, -1e100].into_iter().for_each(|term| sum.add(term));
        assert_eq!(sum.total(), 2.0);
        sum.add(f64::INFINITY);
        assert_eq!(sum.total(), f64::INFINITY);
    }

    #[test]
    fn means_of_huge_values_do_not_overflow() {
        let mut mean = Mean::starting_at(f64::MAX);
        mean.add(f64::MAX);
        assert_eq!(mean.value(), f64::MAX);
        let mut mean = Mean::starting_at(1.0);
        [2.0, 3.0, 6.0].into_iter().for_each(|value| mean.add(value));
        assert_eq!(mean.value(), 3.0);
    }
}
