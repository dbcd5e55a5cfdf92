//! Measures of the buckets of a parent, by the number of the bucket.

use arrow::array::RecordBatch;
use signalbox_model::Result;

use super::buckets::Place;
use super::collect::number_of;
use super::digest::Digest;
use super::sketch::Sketch;
use super::{Answer, Direction, Measure, Stats, TopHits, TopMetrics};
use crate::search::value::Value;
use crate::search::view::Probe;

/// Measures by bucket.
#[derive(Debug)]
pub(super) enum Measures {
    Stats(Measure, Vec<Stats>),
    Cardinality(Vec<Sketch>),
    Percentiles(Vec<f64>, Vec<Digest>),
}

/// The element of a bucket, made if there is none yet.
fn at<T: Default>(all: &mut Vec<T>, bucket: u32) -> &mut T {
    let bucket = bucket as usize;
    if all.len() <= bucket {
        all.resize_with(bucket + 1, T::default);
    }
    &mut all[bucket]
}

impl Measures {
    pub(super) fn stats(measure: Measure) -> Self {
        Self::Stats(measure, Vec::new())
    }

    pub(super) fn take(&mut self, probe: &mut Probe, rows: &RecordBatch, places: &[Place]) -> Result<()> {
        let is_time = probe.field().is_time();
        let mut view = probe.open(rows)?;
        for place in places {
            view.each(place.row, &mut |value| self.add(place.bucket, is_time, &value));
        }
        Ok(())
    }

    fn add(&mut self, bucket: u32, is_time: bool, value: &Value<'_>) {
        match self {
            // Text counts too.
            Self::Stats(Measure::Count, all) => at(all, bucket).add(0.0),
            Self::Stats(_, all) => number_of(is_time, value).into_iter().for_each(|number| at(all, bucket).add(number)),
            Self::Cardinality(all) => at(all, bucket).add(&value.text),
            Self::Percentiles(_, all) => number_of(is_time, value).into_iter().for_each(|number| at(all, bucket).add(number)),
        }
    }

    pub(super) fn held(&self) -> usize {
        match self {
            Self::Stats(_, all) => all.capacity() * size_of::<Stats>(),
            Self::Cardinality(all) => all.iter().map(|sketch| 64 + sketch.held()).sum(),
            Self::Percentiles(_, all) => all.iter().map(|digest| 64 + digest.held()).sum(),
        }
    }

    /// What was found in a bucket.
    pub(super) fn answer(&mut self, bucket: u32) -> Answer {
        let bucket = bucket as usize;
        match self {
            Self::Stats(measure, all) => {
                let stats = all.get(bucket).copied().unwrap_or_default();
                match measure {
                    Measure::Stats | Measure::ExtendedStats => Answer::Stats(stats),
                    Measure::Count => Answer::Number(Some(stats.count as f64)),
                    // The sum of nothing is 0, everything else of nothing is nothing.
                    Measure::Sum => Answer::Number(Some(stats.sum)),
                    _ if stats.count == 0 => Answer::Number(None),
                    Measure::Average => Answer::Number(Some(stats.sum / stats.count as f64)),
                    Measure::Minimum => Answer::Number(Some(stats.min)),
                    Measure::Maximum => Answer::Number(Some(stats.max)),
                }
            }
            Self::Cardinality(all) => Answer::Number(Some(all.get(bucket).map_or(0, Sketch::count) as f64)),
            Self::Percentiles(percents, all) => {
                let mut digest = all.get_mut(bucket);
                Answer::Percentiles(percents.iter().map(|percent| (*percent, digest.as_mut().and_then(|digest| digest.quantile(percent / 100.0)))).collect())
            }
        }
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self { count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0, mean: 0.0, squares: 0.0 }
    }
}

impl Stats {
    /// Adds a number; the variance by Welford's method, which does not lose small differences of large numbers.
    fn add(&mut self, number: f64) {
        self.count += 1;
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        self.sum += number;
        let distance = number - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean);
    }
}

/// The first rows of each bucket.
#[derive(Debug)]
pub(super) struct TopRows {
    size: usize,
    direction: crate::search::Direction,
    rows: Vec<(Vec<(i64, u64)>, u64)>,
}

impl TopRows {
    pub(super) fn new(asked: &TopHits) -> Self {
        Self { size: asked.size, direction: asked.direction, rows: Vec::new() }
    }

    pub(super) fn take(&mut self, bucket: u32, row: (i64, u64)) {
        let (size, direction) = (self.size, self.direction);
        let (rows, count) = at(&mut self.rows, bucket);
        *count += 1;
        rows.push(row);
        if rows.len() > 2 * size + 16 {
            sort(rows, size, direction);
        }
    }

    pub(super) fn chosen(&mut self, chosen: &mut Vec<(i64, u64)>) {
        for (rows, _) in &mut self.rows {
            sort(rows, self.size, self.direction);
            chosen.extend(rows.iter());
        }
    }

    /// The first rows of a bucket, in order, and how many it has.
    pub(super) fn first(&self, bucket: u32) -> (&[(i64, u64)], u64) {
        self.rows.get(bucket as usize).map_or((&[], 0), |(rows, count)| (rows.as_slice(), *count))
    }

    pub(super) fn held(&self) -> usize {
        self.rows.iter().map(|(rows, _)| 40 + rows.capacity() * 16).sum()
    }
}

fn sort(rows: &mut Vec<(i64, u64)>, size: usize, direction: crate::search::Direction) {
    match direction {
        crate::search::Direction::Forward => rows.sort_unstable(),
        crate::search::Direction::Backward => rows.sort_unstable_by(|one, other| other.cmp(one)),
    }
    rows.truncate(size);
}

/// The numbers of the rows of each bucket that come first by another number.
#[derive(Debug)]
pub(super) struct Ranking {
    size: usize,
    direction: Direction,
    rows: Vec<Vec<(f64, Vec<Option<f64>>)>>,
}

impl Ranking {
    pub(super) fn new(asked: &TopMetrics) -> Self {
        Self { size: asked.size, direction: asked.direction, rows: Vec::new() }
    }

    pub(super) fn take(&mut self, probes: &mut [Probe], sort: &mut Probe, rows: &RecordBatch, places: &[Place]) -> Result<()> {
        let is_time = sort.field().is_time();
        let mut order = sort.open(rows)?;
        let are_times: Vec<bool> = probes.iter().map(|probe| probe.field().is_time()).collect();
        let mut views = probes.iter_mut().map(|probe| probe.open(rows)).collect::<Result<Vec<_>>>()?;
        for place in places {
            let mut rank = None;
            order.each(place.row, &mut |value| rank = rank.or(number_of(is_time, &value)));
            let Some(rank) = rank else { continue };
            let direction = self.direction;
            let best = at(&mut self.rows, place.bucket);
            let is_before = |one: f64, other: f64| if direction == Direction::Ascending { one < other } else { one > other };
            let position = best.iter().position(|(other, _)| is_before(rank, *other)).unwrap_or(best.len());
            if position >= self.size {
                continue;
            }
            let numbers = views.iter_mut().zip(&are_times).map(|(view, is_time)| {
                let mut number = None;
                view.each(place.row, &mut |value| number = number.or(number_of(*is_time, &value)));
                number
            });
            best.insert(position, (rank, numbers.collect()));
            best.truncate(self.size);
        }
        Ok(())
    }

    pub(super) fn answer(&self, bucket: u32) -> Answer {
        Answer::TopMetrics(self.rows.get(bucket as usize).cloned().unwrap_or_default())
    }

    pub(super) fn held(&self) -> usize {
        self.rows.iter().flatten().map(|(_, numbers)| 64 + numbers.capacity() * 16).sum()
    }
}
