//! From a filled tree to its answer.

use std::collections::HashMap;

use signalbox_model::{Error, Result};

use super::buckets::BucketSet;
use super::collect::Node;
use super::dates::Rounder;
use super::{Answer, BUCKETS_MAX, Bucket, Buckets, Collector, DateHistogram, Hits, Key, order};

/// A bucket that no record is in.
const NOWHERE: u32 = u32::MAX;

/// What answers are made with.
pub(crate) struct Finish<'h> {
    hits: &'h Hits,
    /// Buckets that the answer may still have.
    left: usize,
}

impl<'h> Finish<'h> {
    /// With the records that collectors have chosen.
    pub(crate) fn new(hits: &'h Hits) -> Self {
        Self { hits, left: BUCKETS_MAX }
    }

    fn spend(&mut self, buckets: usize) -> Result<()> {
        self.left = self
            .left
            .checked_sub(buckets)
            .ok_or_else(|| Error::limit(format!("too many buckets: want at most {BUCKETS_MAX}: ask for a shorter range, a longer interval or fewer terms")))?;
        Ok(())
    }
}

/// A tree with the buckets of each node by their parent.
pub(super) type ByParent = HashMap<u32, Vec<u32>>;

impl Collector {
    /// The answer at the top.
    ///
    /// # Errors
    /// `Limit` for too many buckets.
    pub(crate) fn finish(mut self, finish: &mut Finish<'_>) -> Result<Answer> {
        let grouped = Grouped::of(&self);
        self.answer(0, &grouped, finish)
    }

    /// What a node without buckets, or with one, found in a bucket of its parent.
    pub(super) fn measure(&mut self, bucket: u32) -> Option<Answer> {
        match &mut self.node {
            Node::Measures { measures, .. } => Some(measures.answer(bucket)),
            Node::TopMetrics { ranking, .. } => Some(ranking.answer(bucket)),
            Node::Filter { buckets, .. } => {
                let count = buckets.number(bucket, 0).map_or(0, |number| buckets.entry(number).count);
                Some(Answer::Bucket(Bucket { key: Key::Name(String::new(), None), count, children: Vec::new() }))
            }
            _ => None,
        }
    }

    fn answer(&mut self, parent: u32, grouped: &Grouped, finish: &mut Finish<'_>) -> Result<Answer> {
        let Self { node, children } = self;
        let own = || grouped.own.get(&parent).cloned().unwrap_or_default();
        let chosen: Vec<(Key, u64, u32)> = match node {
            Node::Measures { measures, .. } => return Ok(measures.answer(parent)),
            Node::TopMetrics { ranking, .. } => return Ok(ranking.answer(parent)),
            Node::TopHits(best) => {
                let (rows, count) = best.first(parent);
                return Ok(Answer::Hits(rows.iter().filter_map(|row| finish.hits.get(row).cloned()).collect(), count));
            }
            Node::Filter { buckets, .. } => {
                let number = buckets.number(parent, 0);
                let count = number.map_or(0, |number| buckets.entry(number).count);
                let children = answers(children, number.unwrap_or(NOWHERE), grouped, finish)?;
                return Ok(Answer::Bucket(Bucket { key: Key::Name(String::new(), None), count, children }));
            }
            Node::Terms { asked, values, buckets, .. } => {
                let mut numbers = own();
                numbers.retain(|number| buckets.entry(*number).count >= asked.count_min);
                let all: u64 = numbers.iter().map(|number| buckets.entry(*number).count).sum();
                order::sort(&mut numbers, asked, buckets, values, children);
                numbers.truncate(asked.size);
                let terms = numbers.iter().map(|number| {
                    let entry = buckets.entry(*number);
                    let (text, letter) = values.value(entry.key);
                    (Key::Term(text.to_owned(), letter), entry.count, *number)
                });
                let terms: Vec<_> = terms.collect();
                let kept: u64 = terms.iter().map(|(_, count, _)| count).sum();
                let buckets = bucketed(terms, children, grouped, finish)?;
                return Ok(Answer::Buckets(Buckets { buckets, other_count: all - kept }));
            }
            Node::Dates { asked, rounder, buckets, .. } => dates(asked, rounder, buckets, parent, own(), finish)?,
            Node::Numbers { asked, buckets, .. } => {
                let index = |number: f64| ((number - asked.offset) / asked.interval).floor() as i64;
                let bounds = asked.bounds.map(|(from, to)| (index(from), index(to)));
                let keys = filled(keys(buckets, own()), asked.count_min, bounds, |key| key.checked_add(1), finish)?;
                let key = |index: i64| Key::Number(index as f64 * asked.interval + asked.offset);
                counted(buckets, parent, keys, asked.count_min, key)
            }
            Node::Filters { names, buckets, .. } => {
                let at = |position: usize| buckets.number(parent, position as i64);
                let name = |(position, name): (usize, &String)| {
                    let count = at(position).map_or(0, |number| buckets.entry(number).count);
                    (Key::Name(name.clone(), None), count, at(position).unwrap_or(NOWHERE))
                };
                names.iter().enumerate().map(name).collect()
            }
            Node::Ranges { ranges, buckets, .. } => {
                let at = |position: usize| buckets.number(parent, position as i64);
                let range = |(position, range): (usize, &super::NumberRange)| {
                    let count = at(position).map_or(0, |number| buckets.entry(number).count);
                    (Key::Name(range.key.clone(), Some((range.from, range.to))), count, at(position).unwrap_or(NOWHERE))
                };
                ranges.iter().enumerate().map(range).collect()
            }
        };
        Ok(Answer::Buckets(Buckets { buckets: bucketed(chosen, children, grouped, finish)?, other_count: 0 }))
    }
}

/// Numbers of the buckets of a tree by their parents.
pub(super) struct Grouped {
    own: ByParent,
    children: Vec<Grouped>,
}

impl Grouped {
    fn of(collector: &Collector) -> Self {
        let own = match &collector.node {
            Node::Dates { buckets, .. } | Node::Numbers { buckets, .. } | Node::Terms { buckets, .. } => buckets.by_parent(),
            _ => HashMap::new(),
        };
        Self { own, children: collector.children.iter().map(|(_, child)| Self::of(child)).collect() }
    }
}

fn answers(children: &mut [(String, Collector)], bucket: u32, grouped: &Grouped, finish: &mut Finish<'_>) -> Result<Vec<(String, Answer)>> {
    let each = children.iter_mut().zip(&grouped.children);
    each.map(|((name, child), grouped)| Ok((name.clone(), child.answer(bucket, grouped, finish)?))).collect()
}

fn bucketed(chosen: Vec<(Key, u64, u32)>, children: &mut [(String, Collector)], grouped: &Grouped, finish: &mut Finish<'_>) -> Result<Vec<Bucket>> {
    finish.spend(chosen.len())?;
    let bucket = |(key, count, number)| Ok(Bucket { key, count, children: answers(children, number, grouped, finish)? });
    chosen.into_iter().map(bucket).collect()
}

fn dates(asked: &DateHistogram, rounder: &mut Rounder, buckets: &BucketSet, parent: u32, own: Vec<u32>, finish: &Finish<'_>) -> Result<Vec<(Key, u64, u32)>> {
    let bounds = asked.bounds.map(|range| (rounder.round(range.start_ns), rounder.round(range.end_ns)));
    let next = |key: i64| Some(rounder.next(key)).filter(|next| *next > key);
    let mut keys = filled(keys(buckets, own), asked.count_min, bounds, next, finish)?;
    if asked.is_descending {
        keys.reverse();
    }
    Ok(counted(buckets, parent, keys, asked.count_min, Key::Time))
}

/// Keys of buckets, ascending.
fn keys(buckets: &BucketSet, numbers: Vec<u32>) -> Vec<i64> {
    let mut keys: Vec<i64> = numbers.into_iter().map(|number| buckets.entry(number).key).collect();
    keys.sort_unstable();
    keys
}

/// Keys from the first to the last, without gaps if empty buckets are wanted.
fn filled(keys: Vec<i64>, count_min: u64, bounds: Option<(i64, i64)>, mut next: impl FnMut(i64) -> Option<i64>, finish: &Finish<'_>) -> Result<Vec<i64>> {
    if count_min > 0 {
        return Ok(keys);
    }
    let bounds = bounds.filter(|(from, to)| from <= to);
    let ends = [keys.first().copied(), bounds.map(|(from, _)| from)].into_iter().flatten().min();
    let (Some(first), Some(last)) = (ends, [keys.last().copied(), bounds.map(|(_, to)| to)].into_iter().flatten().max()) else { return Ok(keys) };
    let (mut filled, mut key) = (Vec::new(), first);
    loop {
        filled.push(key);
        if filled.len() > finish.left {
            return Err(Error::limit(format!("too many buckets: want at most {BUCKETS_MAX}: ask for a longer interval")));
        }
        match next(key) {
            Some(after) if after <= last => key = after,
            _ => return Ok(filled),
        }
    }
}

fn counted(buckets: &BucketSet, parent: u32, keys: Vec<i64>, count_min: u64, key_of: impl Fn(i64) -> Key) -> Vec<(Key, u64, u32)> {
    let bucket = |key: i64| {
        let number = buckets.number(parent, key);
        (key_of(key), number.map_or(0, |number| buckets.entry(number).count), number.unwrap_or(NOWHERE))
    };
    keys.into_iter().map(bucket).filter(|(_, count, _)| *count >= count_min).collect()
}
