//! Counts series over head and segments.
//!
//! A series lies in many segments, and only a set of identities tells how many there are. The set is bounded: when it is
//! full, only series whose hash ends in one more zero bit stay in it, and numbers are scaled by as much. Labels are built
//! once a series.

use std::cmp::Reverse;
use std::collections::HashMap;

use signalbox_model::{Labels, Result, SeriesId, TimeRange};

use super::view::{MetricView, SELECTED, ordinals};
use crate::cardinality::{Cardinality, CardinalityOrder, CardinalityRequest, LABELS_MAX, LabelCardinality, MetricCardinality, PairCardinality, STEPS_MAX};

/// Series that are held at most, some 50 bytes each.
const SERIES_HELD_MAX: usize = 1_000_000;
/// Pairs of label and value that are held at most, some 100 bytes each.
const PAIRS_HELD_MAX: usize = 500_000;

/// What is known of one series.
#[derive(Debug, Clone, Copy)]
struct Tally {
    first_ms: i64,
    rows: u64,
    bytes: f64,
}

/// The series that are held.
#[derive(Debug, Default)]
struct Held {
    series: HashMap<SeriesId, Tally>,
    /// So many low bits of the identity are zero.
    zeros: u32,
}

impl Held {
    fn has_place_for(&self, id: SeriesId) -> bool {
        id.0.trailing_zeros() >= self.zeros
    }

    fn add(&mut self, id: SeriesId, tally: Tally, series_max: usize) {
        if !self.has_place_for(id) {
            return;
        }
        let known = self.series.entry(id).or_insert(Tally { first_ms: i64::MAX, rows: 0, bytes: 0.0 });
        known.first_ms = known.first_ms.min(tally.first_ms);
        known.rows += tally.rows;
        known.bytes += tally.bytes;
        while self.series.len() > series_max {
            self.thin_out();
        }
    }

    fn thin_out(&mut self) {
        self.zeros += 1;
        let zeros = self.zeros;
        self.series.retain(|id, _| id.0.trailing_zeros() >= zeros);
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    series: u64,
    rows: u64,
    bytes: f64,
    created: u64,
}

impl Sum {
    fn add(&mut self, tally: &Tally, is_new: bool) {
        self.series += 1;
        self.rows += tally.rows;
        self.bytes += tally.bytes;
        self.created += u64::from(is_new);
    }
}

/// What the labels of the held series add up to.
#[derive(Debug, Default)]
struct Sums {
    total: Sum,
    metrics: HashMap<Box<str>, Sum>,
    labels: HashMap<Box<str>, HashMap<Box<str>, Sum>>,
    pairs: usize,
    created_by_step: Vec<u64>,
}

/// The steps of a range in which new series are counted.
#[derive(Debug, Clone, Copy)]
struct Steps {
    start_ms: i64,
    step_ms: i64,
    count: usize,
}

impl Steps {
    fn of(range: TimeRange, step_ms: i64) -> Self {
        let (start_ms, span_ms) = (range.start_ms(), range.end_ms().saturating_sub(range.start_ms()).max(0));
        let step_ms = step_ms.max(span_ms / STEPS_MAX + 1);
        Self { start_ms, step_ms, count: (span_ms / step_ms + 1) as usize }
    }

    /// The step of a time; `None` for the first one, whose series may be older.
    fn of_new(&self, first_ms: i64) -> Option<usize> {
        usize::try_from(first_ms.saturating_sub(self.start_ms).div_euclid(self.step_ms)).ok().filter(|step| *step > 0)
    }
}

impl Sums {
    fn add(&mut self, labels: &Labels, tally: &Tally, steps: &Steps) {
        let step = steps.of_new(tally.first_ms);
        self.total.add(tally, step.is_some());
        if let Some(count) = step.and_then(|step| self.created_by_step.get_mut(step)) {
            *count += 1;
        }
        entry(&mut self.metrics, labels.metric_name()).add(tally, step.is_some());
        for (name, value) in labels {
            let values = entry(&mut self.labels, name);
            let before = values.len();
            entry(values, value).add(tally, step.is_some());
            self.pairs += values.len() - before;
        }
    }

    fn finish(self, request: &CardinalityRequest, zeros: u32, steps: &Steps) -> Cardinality {
        let scale = 1u64 << zeros.min(63);
        let bytes = |sum: &Sum| (sum.bytes * scale as f64) as u64;
        let mut metrics: Vec<(&str, &Sum)> = self.metrics.iter().map(|(name, sum)| (name.as_ref(), sum)).collect();
        metrics.sort_unstable_by_key(|(name, sum)| (Reverse(rank(sum, request.order)), *name));
        let of_metric = |(name, sum): &(&str, &Sum)| MetricCardinality {
            name: (*name).to_owned(),
            series: sum.series * scale,
            rows: sum.rows * scale,
            bytes: bytes(sum),
            created: sum.created * scale,
        };
        let of_label = |(name, values): (&str, &HashMap<Box<str>, Sum>)| LabelCardinality {
            name: name.to_owned(),
            values: values.len() as u64,
            series: values.values().map(|sum| sum.series).sum::<u64>() * scale,
            bytes: values.values().map(bytes).sum(),
            text_bytes: values.iter().map(|(value, sum)| value.len() as u64 * sum.series).sum::<u64>() * scale,
        };
        let mut labels: Vec<LabelCardinality> = self.labels.iter().map(|(name, values)| of_label((name, values))).collect();
        labels.sort_unstable_by(|left, right| (Reverse(left.values), &left.name).cmp(&(Reverse(right.values), &right.name)));
        labels.truncate(LABELS_MAX);
        let is_listed = |name: &str| request.label.as_deref().is_none_or(|wanted| wanted == name);
        let listed = self.labels.iter().filter(|(name, _)| is_listed(name));
        let mut pairs: Vec<((&str, &str), &Sum)> =
            listed.flat_map(|(name, values)| values.iter().map(move |(value, sum)| ((name.as_ref(), value.as_ref()), sum))).collect();
        let order = if request.order == CardinalityOrder::Created { CardinalityOrder::Series } else { request.order };
        pairs.sort_unstable_by_key(|(pair, sum)| (Reverse(rank(sum, order)), *pair));
        let of_pair = |((name, value), sum): &((&str, &str), &Sum)| PairCardinality {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            series: sum.series * scale,
            bytes: bytes(sum),
        };
        let step = |(at, count): (usize, &u64)| (steps.start_ms + at as i64 * steps.step_ms, count * scale);
        Cardinality {
            series: self.total.series * scale,
            rows: self.total.rows * scale,
            bytes: bytes(&self.total),
            created: self.total.created * scale,
            sampled_one_in: scale,
            metric_names: self.metrics.len() as u64,
            label_names: self.labels.len() as u64,
            label_pairs: self.pairs as u64,
            created_by_step: self.created_by_step.iter().enumerate().map(step).collect(),
            metrics: metrics.iter().take(request.top).map(of_metric).collect(),
            labels,
            pairs: pairs.iter().take(request.top).map(of_pair).collect(),
        }
    }
}

fn rank(sum: &Sum, order: CardinalityOrder) -> u64 {
    match order {
        CardinalityOrder::Series => sum.series,
        CardinalityOrder::Bytes => sum.bytes as u64,
        CardinalityOrder::Created => sum.created,
    }
}

fn entry<'a, V: Default>(map: &'a mut HashMap<Box<str>, V>, key: &str) -> &'a mut V {
    if !map.contains_key(key) {
        map.insert(key.into(), V::default());
    }
    map.get_mut(key).expect("inserted just above")
}

/// Bounds of what is held.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    series: usize,
    pairs: usize,
}

impl MetricView {
    /// Counts the series of the request. `check` is asked once a source and may end the work.
    pub(crate) fn cardinality(&self, request: &CardinalityRequest, check: &mut dyn FnMut() -> Result<()>) -> Result<Cardinality> {
        self.count(request, Bounds { series: SERIES_HELD_MAX, pairs: PAIRS_HELD_MAX }, check)
    }

    fn count(&self, request: &CardinalityRequest, bounds: Bounds, check: &mut dyn FnMut() -> Result<()>) -> Result<Cardinality> {
        let steps = Steps::of(request.range, request.step_ms);
        let mut held = self.tally(request, bounds.series, check)?;
        loop {
            let mut sums = Sums { created_by_step: vec![0; steps.count], ..Sums::default() };
            if self.add_labels(request, &held, &steps, bounds.pairs, &mut sums, check)? {
                return Ok(sums.finish(request, held.zeros, &steps));
            }
            held.thin_out();
        }
    }

    /// Which series there are, with their rows and bytes.
    fn tally(&self, request: &CardinalityRequest, series_max: usize, check: &mut dyn FnMut() -> Result<()>) -> Result<Held> {
        let mut held = Held::default();
        for series in self.head_series(&request.matchers) {
            let Some(id) = self.head.table.read().id(series) else { continue };
            for part in &self.head.parts {
                if let Some((first_ms, rows)) = part.buffers.span(series, &part.shown, request.range) {
                    held.add(id, Tally { first_ms, rows, bytes: 0.0 }, series_max);
                }
            }
        }
        for segment in self.segments(SELECTED, request.range) {
            check()?;
            let index = segment.index()?;
            let (mask, weights) = (segment.mask(&index)?, segment.opened()?.weights());
            for ordinal in ordinals(segment, &request.matchers)? {
                let (Some(id), Some(rows)) = (index.id(ordinal), index.rows(ordinal)) else { continue };
                if segment.shows(&index, &mask, ordinal, request.range) {
                    let bytes = weights.bytes(u64::from(rows.first_row), u64::from(rows.rows));
                    held.add(id, Tally { first_ms: rows.first_ms, rows: u64::from(rows.rows), bytes }, series_max);
                }
            }
        }
        Ok(held)
    }

    /// Adds up by labels; false if there are too many pairs to hold.
    fn add_labels(
        &self,
        request: &CardinalityRequest,
        held: &Held,
        steps: &Steps,
        pairs_max: usize,
        sums: &mut Sums,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<bool> {
        let mut room = Vec::new();
        let mut waiting: hashbrown::HashSet<SeriesId> = held.series.keys().copied().collect();
        let mut add = |id: SeriesId, labels: &mut dyn FnMut() -> Option<Labels>| {
            let Some(tally) = held.series.get(&id).filter(|_| waiting.contains(&id)) else { return true };
            if let Some(labels) = labels() {
                waiting.remove(&id);
                sums.add(&labels, tally, steps);
            }
            sums.pairs <= pairs_max
        };
        for series in self.head_series(&request.matchers) {
            let table = self.head.table.read();
            let Some(id) = table.id(series) else { continue };
            if !add(id, &mut || table.labels(series)) {
                return Ok(false);
            }
        }
        for segment in self.segments(SELECTED, request.range) {
            check()?;
            let index = segment.index()?;
            for ordinal in ordinals(segment, &request.matchers)? {
                let Some(id) = index.id(ordinal) else { continue };
                if !add(id, &mut || Some(index.labels(ordinal, &mut room))) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
