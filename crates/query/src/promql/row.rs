//! What operators hand each other: one series and its values at all steps.
//!
//! A selector fills one [`Row`] per series and lends it to the next operator, which changes it in place, adds it into its
//! groups, or takes it. So a chain like `sum(rate(x[5m]))` works in one row that is reused, whatever the number of series.

use std::sync::Arc;

use signalbox_model::{Histogram, Labels};

/// Which steps have a float: one bit each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bitmap(Vec<u64>);

impl Bitmap {
    pub(super) fn with_steps(steps: usize) -> Self {
        Self(vec![0; steps.div_ceil(64)])
    }

    pub(super) fn reset(&mut self, steps: usize) {
        self.0.clear();
        self.0.resize(steps.div_ceil(64), 0);
    }

    pub(super) fn get(&self, step: usize) -> bool {
        self.0[step / 64] >> (step % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, step: usize) {
        self.0[step / 64] |= 1 << (step % 64);
    }

    pub(super) fn unset(&mut self, step: usize) {
        self.0[step / 64] &= !(1 << (step % 64));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Sets all steps that another has set, and hands over the runs of those.
    pub(super) fn for_each_run(&mut self, other: &Self, mut visit: impl FnMut(std::ops::Range<usize>)) {
        let mut open: Option<usize> = None;
        for (index, (own, word)) in self.0.iter_mut().zip(&other.0).enumerate() {
            *own |= word;
            let start = index * 64;
            if *word == u64::MAX {
                open = open.or(Some(start));
                continue;
            }
            let mut bit = 0;
            while bit < 64 {
                let rest = word >> bit;
                if open.is_some() {
                    // How far the run goes into this word.
                    bit += rest.trailing_ones() as usize;
                    if bit < 64
                        && let Some(first) = open.take()
                    {
                        visit(first..start + bit);
                    }
                } else if rest == 0 {
                    break;
                } else {
                    bit += rest.trailing_zeros() as usize;
                    open = Some(start + bit);
                }
            }
        }
        if let Some(first) = open {
            visit(first..self.0.len() * 64);
        }
    }

    /// The steps that are set, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                (rest != 0).then(|| {
                    rest &= rest - 1;
                    index * 64 + bit
                })
            })
        })
    }
}

/// A value at a step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

/// Values at all steps: a float, a histogram, or nothing at each.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    /// As long as there are steps; arbitrary where the bit is not set.
    pub(super) values: Vec<f64>,
    pub(super) floats: Bitmap,
    /// Empty when there is no histogram at all, else as long as there are steps; `None` where there is a float.
    pub(super) histograms: Vec<Option<Arc<Histogram>>>,
}

impl Steps {
    pub(super) fn empty(steps: usize) -> Self {
        Self { values: vec![0.0; steps], floats: Bitmap::with_steps(steps), histograms: Vec::new() }
    }

    /// The same float at all steps.
    #[cfg(test)]
    pub(super) fn constant(value: f64, steps: usize) -> Self {
        Self::dense(vec![value; steps])
    }

    /// A float at each step.
    pub(super) fn dense(values: Vec<f64>) -> Self {
        let mut made = Self { floats: Bitmap::with_steps(values.len()), values, histograms: Vec::new() };
        (0..made.values.len()).for_each(|step| made.floats.set(step));
        made
    }

    /// Nothing at any step; keeps the room.
    pub(super) fn reset(&mut self, steps: usize) {
        self.values.resize(steps, 0.0);
        self.floats.reset(steps);
        self.histograms.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn set(&mut self, step: usize, value: f64) {
        self.values[step] = value;
        self.floats.set(step);
        if let Some(histogram) = self.histograms.get_mut(step) {
            *histogram = None;
        }
    }

    pub(super) fn set_histogram(&mut self, step: usize, histogram: Arc<Histogram>) {
        if self.histograms.is_empty() {
            self.histograms.resize(self.values.len(), None);
        }
        self.floats.unset(step);
        self.histograms[step] = Some(histogram);
    }

    pub(super) fn put(&mut self, step: usize, cell: Cell<'_>) {
        match cell {
            Cell::Float(value) => self.set(step, value),
            Cell::Histogram(histogram) => self.set_histogram(step, Arc::clone(histogram)),
        }
    }

    pub(super) fn remove(&mut self, step: usize) {
        self.floats.unset(step);
        if let Some(histogram) = self.histograms.get_mut(step) {
            *histogram = None;
        }
    }

    pub(super) fn get(&self, step: usize) -> Option<Cell<'_>> {
        if self.floats.get(step) {
            return Some(Cell::Float(self.values[step]));
        }
        self.histograms.get(step)?.as_ref().map(Cell::Histogram)
    }

    pub(super) fn has(&self, step: usize) -> bool {
        self.get(step).is_some()
    }

    pub(super) fn has_histograms(&self) -> bool {
        self.histograms.iter().any(Option::is_some)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.floats.is_empty() && !self.has_histograms()
    }

    /// How many steps have a value.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.floats.count() + self.histograms.iter().flatten().count()
    }

    /// Applies a function to every float and forgets the histograms.
    pub(super) fn map_floats(&mut self, mut function: impl FnMut(f64) -> f64) {
        self.histograms.clear();
        self.values.iter_mut().for_each(|value| *value = function(*value));
    }
}

/// One series.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) labels: Labels,
    /// Whether the name and its like go when the query is done. Until then they stay, so that `by (__name__)` finds them.
    pub(super) drop_name: bool,
    pub(super) steps: Steps,
}

impl Row {
    pub(super) fn new(labels: Labels, steps: Steps) -> Self {
        Self { labels, drop_name: false, steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmap_knows_its_steps() {
        let mut bitmap = Bitmap::with_steps(130);
        assert!(bitmap.is_empty());
        for step in [0, 63, 64, 129] {
            bitmap.set(step);
        }
        assert_eq!(bitmap.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        bitmap.unset(63);
        assert_eq!((bitmap.count(), bitmap.get(63), bitmap.get(64)), (3, false, true));
    }

    #[test]
    fn runs_are_as_long_as_can_be() {
        let sets: [&[(usize, usize)]; 6] = [&[], &[(0, 1)], &[(0, 64)], &[(1, 63), (65, 130)], &[(60, 200)], &[(3, 5), (63, 64), (70, 256)]];
        for set in sets {
            let (mut sum, mut bitmap) = (Bitmap::with_steps(256), Bitmap::with_steps(256));
            set.iter().flat_map(|(start, end)| *start..*end).for_each(|step| bitmap.set(step));
            let mut runs = Vec::new();
            sum.for_each_run(&bitmap, |run| runs.push((run.start, run.end)));
            assert_eq!((runs.as_slice(), sum), (set, bitmap));
        }
    }

    #[test]
    fn a_step_has_a_float_or_a_histogram_never_both() {
        let mut steps = Steps::empty(3);
        steps.set(1, 2.0);
        steps.set_histogram(1, Arc::default());
        assert!(matches!(steps.get(1), Some(Cell::Histogram(_))));
        steps.set(1, 3.0);
        assert!(matches!(steps.get(1), Some(Cell::Float(value)) if value == 3.0));
        assert_eq!((steps.count(), steps.has(0)), (1, false));
        steps.remove(1);
        assert!(steps.is_empty());
    }
}
