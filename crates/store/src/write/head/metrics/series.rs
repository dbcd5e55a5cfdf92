//! The series that the head of a tenant knows: references, labels, and an index from labels to references.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU32, Ordering};

use hashbrown::HashTable;
use roaring::RoaringBitmap;
use signalbox_model::{Error, Labels, Result, SeriesId, SeriesKey, SeriesRef};

use crate::read::metrics::listing::Listed;
use crate::read::metrics::matching::LabelIndex;

#[derive(Debug, Default)]
pub(crate) struct SeriesTable {
    /// By reference; `None` once forgotten, for references are never given out twice.
    series: Vec<Option<Entry>>,
    by_id: HashTable<u32>,
    by_key: HashTable<Announced>,
    /// By reference: the key under which a series was announced last; the key 0 where there is none.
    keys: Vec<SeriesKey>,
    /// Where in `postings` the series of a label are.
    places: HashMap<Box<str>, BTreeMap<Box<str>, u32>>,
    postings: Vec<Postings>,
    /// Places whose label no series has any more.
    free: Vec<u32>,
    recent: Recent,
    alive: RoaringBitmap,
}

/// A key and its series, without the padding that the alignment of a key would bring.
#[derive(Debug)]
struct Announced {
    key: [u8; 16],
    series: SeriesRef,
}

/// The series that came last, and the places of its labels: the next one has most of them too.
#[derive(Debug, Default)]
struct Recent {
    labels: Labels,
    places: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    id: SeriesId,
    labels: Labels,
    /// Number of seals when it was last appended to.
    touched: AtomicU32,
}

/// Most values of labels like `instance` or `pod` have few series, and many have one.
#[derive(Debug)]
enum Postings {
    None,
    One(u32),
    Many(Box<RoaringBitmap>),
}

impl SeriesTable {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        let bytes = key.0.to_le_bytes();
        self.by_key.find(hash(key.0), |candidate| candidate.key == bytes).map(|found| found.series)
    }

    /// As [`SeriesTable::find`]; looks first at the series behind the last one, for what is announced together lies together.
    pub(crate) fn find_after(&self, last: Option<SeriesRef>, key: SeriesKey) -> Option<SeriesRef> {
        let next = last.map_or(0, |last| last.0 + 1);
        let is_next = key != SeriesKey(0) && self.keys.get(next as usize) == Some(&key);
        if is_next { Some(SeriesRef(next)) } else { self.find(key) }
    }

    pub(crate) fn find_id(&self, id: SeriesId) -> Option<SeriesRef> {
        self.by_id.find(hash(id.0), |series| self.id_of(*series) == Some(id)).map(|series| SeriesRef(*series))
    }

    pub(crate) fn labels(&self, series: SeriesRef) -> Option<Labels> {
        self.entry(series.0).map(|entry| entry.labels.clone())
    }

    pub(crate) fn id(&self, series: SeriesRef) -> Option<SeriesId> {
        self.id_of(series.0)
    }

    /// Marks a series as alive; says whether it is.
    pub(crate) fn touch(&self, series: SeriesRef, number: u32) -> bool {
        self.entry(series.0).map(|entry| entry.touched.store(number, Ordering::Relaxed)).is_some()
    }

    /// Makes a series known under a key.
    pub(crate) fn announce(&mut self, key: SeriesKey, labels: &Labels, number: u32) -> Result<SeriesRef> {
        if let Some(series) = self.find(key)
            && self.touch(series, number)
        {
            return Ok(series);
        }
        let series = self.enter(labels, number)?;
        let announced = Announced { key: key.0.to_le_bytes(), series };
        self.by_key.insert_unique(hash(key.0), announced, |other| hash(u128::from_le_bytes(other.key)));
        self.keys[series.0 as usize] = key;
        Ok(series)
    }

    /// Makes a series known by its labels alone: no sender has named it yet.
    pub(crate) fn enter(&mut self, labels: &Labels, number: u32) -> Result<SeriesRef> {
        let id = labels.series_id();
        let series = match self.find_id(id) {
            Some(series) => series,
            None => self.insert(id, labels)?,
        };
        self.touch(series, number);
        Ok(series)
    }

    /// Forgets the series that were last touched before the given number of seals.
    pub(crate) fn forget_idle(&mut self, idle_since: u32) {
        let idle = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.touched.load(Ordering::Relaxed) < idle_since);
        let idle: Vec<u32> = (0..self.series.len()).filter(|at| idle(&self.series[*at])).map(|at| at as u32).collect();
        if idle.is_empty() {
            return;
        }
        self.recent = Recent::default();
        for series in &idle {
            let Some(entry) = self.series[*series as usize].take() else { continue };
            self.keys[*series as usize] = SeriesKey(0);
            if let Ok(found) = self.by_id.find_entry(hash(entry.id.0), |other| other == series) {
                found.remove();
            }
            self.alive.remove(*series);
            for (name, value) in entry.labels.iter() {
                self.remove_posting(name, value, *series);
            }
        }
        let series = &self.series;
        self.by_key.retain(|announced| series[announced.series.0 as usize].is_some());
    }

    /// Names of labels or values of one that are wanted, each with its series.
    pub(crate) fn listed<'a>(&'a self, listed: Listed<'_>, is_wanted: &mut dyn FnMut(&str) -> bool) -> std::vec::IntoIter<(&'a str, RoaringBitmap)> {
        let mut found = Vec::new();
        match listed {
            Listed::Names => {
                for (name, values) in self.places.iter().filter(|(name, _)| is_wanted(name)) {
                    let mut series = RoaringBitmap::new();
                    values.values().for_each(|place| self.postings[*place as usize].add_to(&mut series));
                    found.push((name.as_ref(), series));
                }
            }
            Listed::Values(name) => {
                for (value, place) in self.places.get(name).into_iter().flatten().filter(|(value, _)| is_wanted(value)) {
                    let mut series = RoaringBitmap::new();
                    self.postings[*place as usize].add_to(&mut series);
                    found.push((value.as_ref(), series));
                }
            }
        }
        found.into_iter()
    }

    fn insert(&mut self, id: SeriesId, labels: &Labels) -> Result<SeriesRef> {
        let series = u32::try_from(self.series.len()).ok().filter(|series| *series < u32::MAX);
        let series = series.ok_or_else(|| Error::unavailable("cannot take a new series: references are used up until the next start"))?;
        self.post(labels, series);
        self.keys.push(SeriesKey(0));
        self.series.push(Some(Entry { id, labels: labels.clone(), touched: AtomicU32::new(0) }));
        push(&mut self.alive, series);
        let all = &self.series;
        let id_of = |series: &u32| all[*series as usize].as_ref().map_or(0, |entry| hash(entry.id.0));
        self.by_id.insert_unique(hash(id.0), series, id_of);
        Ok(SeriesRef(series))
    }

    /// Enters a new series in the index. Labels that the one before it has are not looked for again.
    fn post(&mut self, labels: &Labels, series: u32) {
        let Recent { labels: before, mut places } = std::mem::take(&mut self.recent);
        let mut earlier = before.blocks().zip(std::mem::take(&mut places)).peekable();
        for (name, value) in labels.blocks() {
            while earlier.next_if(|((other, _), _)| *other < name).is_some() {}
            let place = match earlier.next_if(|(label, _)| *label == (name, value)) {
                Some((_, place)) => place,
                None => self.place(std::str::from_utf8(name).unwrap_or(""), std::str::from_utf8(value).unwrap_or("")),
            };
            self.postings[place as usize].add(series);
            places.push(place);
        }
        self.recent = Recent { labels: labels.clone(), places };
    }

    /// The place of a label, a new one if no series had it.
    fn place(&mut self, name: &str, value: &str) -> u32 {
        if !self.places.contains_key(name) {
            self.places.insert(name.into(), BTreeMap::new());
        }
        let values = self.places.get_mut(name).expect("inserted just above");
        if let Some(place) = values.get(value) {
            return *place;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.postings.push(Postings::None);
            // There are fewer places than labels of series, and series are fewer than references by far.
            self.postings.len() as u32 - 1
        });
        values.insert(value.into(), place);
        place
    }

    fn remove_posting(&mut self, name: &str, value: &str, series: u32) {
        let Some(values) = self.places.get_mut(name) else { return };
        let Some(place) = values.get(value).copied() else { return };
        if self.postings[place as usize].remove(series) {
            values.remove(value);
            self.free.push(place);
        }
        if values.is_empty() {
            self.places.remove(name);
        }
    }

    fn entry(&self, series: u32) -> Option<&Entry> {
        self.series.get(series as usize)?.as_ref()
    }

    fn id_of(&self, series: u32) -> Option<SeriesId> {
        self.entry(series).map(|entry| entry.id)
    }
}

impl Postings {
    /// Adds a series behind those that are there.
    fn add(&mut self, series: u32) {
        match self {
            Self::None => *self = Self::One(series),
            Self::One(first) => *self = Self::Many(Box::new([*first, series].into_iter().collect())),
            Self::Many(many) => push(many, series),
        }
    }

    /// Removes a series; says whether none is left.
    fn remove(&mut self, series: u32) -> bool {
        match self {
            Self::Many(many) => {
                many.remove(series);
                if !many.is_empty() {
                    return false;
                }
                *self = Self::None;
            }
            Self::None | Self::One(_) => *self = Self::None,
        }
        true
    }

    fn add_to(&self, found: &mut RoaringBitmap) {
        match self {
            Self::None => {}
            Self::One(series) => drop(found.insert(*series)),
            Self::Many(many) => *found |= many.as_ref(),
        }
    }
}

impl LabelIndex for SeriesTable {
    fn all(&self) -> RoaringBitmap {
        self.alive.clone()
    }

    fn add_equal(&self, name: &str, value: &str, found: &mut RoaringBitmap) {
        if let Some(place) = self.places.get(name).and_then(|values| values.get(value)) {
            self.postings[*place as usize].add_to(found);
        }
    }

    fn add_values(&self, name: &str, prefix: &str, accept: &mut dyn FnMut(&str) -> bool, found: &mut RoaringBitmap) {
        let Some(values) = self.places.get(name) else { return };
        let from = values.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        for (value, place) in from.take_while(|(value, _)| value.starts_with(prefix)) {
            if accept(value) {
                self.postings[*place as usize].add_to(found);
            }
        }
    }
}

/// References only grow, so a new one belongs at the end, where nothing need be searched.
fn push(set: &mut RoaringBitmap, series: u32) {
    if set.try_push(series).is_err() {
        set.insert(series);
    }
}

/// Keys and identities are hashes already.
fn hash(wide: u128) -> u64 {
    wide as u64 ^ (wide >> 64) as u64
}
