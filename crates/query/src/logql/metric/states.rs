//! What range aggregations keep of the rows they have seen. States of two stretches of time merge into that of both.

/// What is kept of at least one row.
pub(super) trait State: Clone {
    /// Of one row: its time, order of arrival and value.
    fn of(time: (i64, u64), value: f64) -> Self;

    /// Adds a row, in any order.
    fn add(&mut self, time: (i64, u64), value: f64);

    /// Adds rows that have no values. Only states of counts differ from adding each.
    fn add_count(&mut self, _rows: u64) {}

    /// Adds what another one has seen.
    fn merge(&mut self, other: &Self);

    /// The value of a window.
    fn value(&self) -> f64;
}

/// How many.
#[derive(Debug, Clone)]
pub(super) struct Count(u64);

impl State for Count {
    fn of(_: (i64, u64), _: f64) -> Self {
        Self(1)
    }

    fn add(&mut self, _: (i64, u64), _: f64) {
        self.0 += 1;
    }

    fn add_count(&mut self, rows: u64) {
        self.0 += rows;
    }

    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }

    fn value(&self) -> f64 {
        self.0 as f64
    }
}

/// The sum.
#[derive(Debug, Clone)]
pub(super) struct Sum(f64);

impl State for Sum {
    fn of(_: (i64, u64), value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, _: (i64, u64), value: f64) {
        self.0 += value;
    }

    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }

    fn value(&self) -> f64 {
        self.0
    }
}

/// The mean.
#[derive(Debug, Clone)]
pub(super) struct Mean {
    count: f64,
    mean: f64,
}

impl Mean {
    /// Moves the mean by a mean of so many.
    fn shift(&mut self, mean: f64, count: f64) {
        self.count += count;
        if self.mean.is_infinite() && !mean.is_nan() && (mean.is_finite() || (mean > 0.0) == (self.mean > 0.0)) {
            // A finite value does not move an infinite mean, nor does the same infinity; the difference would be NaN.
            return;
        }
        if mean.is_infinite() && self.mean.is_finite() {
            self.mean = mean;
            return;
        }
        self.mean += mean * (count / self.count) - self.mean * (count / self.count);
    }
}

impl State for Mean {
    fn of(_: (i64, u64), value: f64) -> Self {
        Self { count: 1.0, mean: value }
    }

    fn add(&mut self, _: (i64, u64), value: f64) {
        self.shift(value, 1.0);
    }

    fn merge(&mut self, other: &Self) {
        self.shift(other.mean, other.count);
    }

    fn value(&self) -> f64 {
        self.mean
    }
}

/// The least; any number is less than NaN.
#[derive(Debug, Clone)]
pub(super) struct Min(f64);

impl State for Min {
    fn of(_: (i64, u64), value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, _: (i64, u64), value: f64) {
        if value < self.0 || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add((0, 0), other.0);
    }

    fn value(&self) -> f64 {
        self.0
    }
}

/// The greatest; any number is greater than NaN.
#[derive(Debug, Clone)]
pub(super) struct Max(f64);

impl State for Max {
    fn of(_: (i64, u64), value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, _: (i64, u64), value: f64) {
        if value > self.0 || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add((0, 0), other.0);
    }

    fn value(&self) -> f64 {
        self.0
    }
}

/// The variance, by Welford's algorithm.
#[derive(Debug, Clone)]
pub(super) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl State for Variance {
    fn of(_: (i64, u64), value: f64) -> Self {
        // Not a number when the value is none: nothing varies around an infinite mean.
        Self { count: 1.0, mean: value, squares: if value.is_finite() { 0.0 } else { f64::NAN } }
    }

    fn add(&mut self, _: (i64, u64), value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn merge(&mut self, other: &Self) {
        let (count, delta) = (self.count + other.count, other.mean - self.mean);
        self.mean += delta * (other.count / count);
        self.squares += other.squares + delta * delta * (self.count * other.count / count);
        self.count = count;
    }

    fn value(&self) -> f64 {
        self.squares / self.count
    }
}

/// The value of the first row.
#[derive(Debug, Clone)]
pub(super) struct First {
    time: (i64, u64),
    value: f64,
}

impl State for First {
    fn of(time: (i64, u64), value: f64) -> Self {
        Self { time, value }
    }

    fn add(&mut self, time: (i64, u64), value: f64) {
        if time < self.time {
            *self = Self { time, value };
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add(other.time, other.value);
    }

    fn value(&self) -> f64 {
        self.value
    }
}

/// The value of the last row.
#[derive(Debug, Clone)]
pub(super) struct Last {
    time: (i64, u64),
    value: f64,
}

impl State for Last {
    fn of(time: (i64, u64), value: f64) -> Self {
        Self { time, value }
    }

    fn add(&mut self, time: (i64, u64), value: f64) {
        if time >= self.time {
            *self = Self { time, value };
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add(other.time, other.value);
    }

    fn value(&self) -> f64 {
        self.value
    }
}
