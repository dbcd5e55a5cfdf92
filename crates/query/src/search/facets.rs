//! Facets: how often fields have which values, of fields that are named and of those that most records have.
//!
//! Counts are exact as long as a field has few distinct values. Beyond a bound, values that were not seen before are only
//! counted as distinct, and the facet says that it is cut.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use signalbox_model::schema;
use signalbox_model::{Result, attributes::AttributeValue};

use super::aggregate::Sketch;
use super::field::Field;
use super::value::{self, Value};
use super::view::Probe;
use crate::rows::{AttributeColumns, Resource, Texts};

/// Distinct values of a field that is named, of which each is counted.
const VALUES_MAX: usize = 100_000;
/// The same of a field that is not.
const UNNAMED_VALUES_MAX: usize = 2_000;
/// Fields that are looked at when none is named.
const FIELDS_MAX: usize = 300;

/// Which facets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FacetRequest {
    /// Fields by name.
    pub fields: Vec<String>,
    /// How many more, of those that most records have.
    pub more: usize,
    /// Values of each.
    pub values: usize,
}

/// A field with its most frequent values.
#[derive(Debug, Clone, PartialEq)]
pub struct Facet {
    /// Name of the field, as a query may say it.
    pub field: String,
    /// Records that have it.
    pub count: u64,
    /// How many distinct values.
    pub distinct: u64,
    /// Whether there were too many to count each: counts of values that came late may be missing.
    pub is_cut: bool,
    /// The most frequent values: text, letter of the type, how many records.
    pub values: Vec<(String, char, u64)>,
}

/// Counts values of fields.
#[derive(Debug)]
pub(super) struct Facets {
    asked: FacetRequest,
    named: Vec<(Probe, Counts)>,
    /// Attributes of the resource and of records, by name.
    found: HashMap<(Origin, String), Counts>,
    /// Attributes by the text of the resource.
    resources: HashMap<String, Vec<(String, AttributeValue)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Origin {
    Resource,
    Record,
}

#[derive(Debug, Default)]
struct Counts {
    records: u64,
    values: HashMap<String, (char, u64)>,
    /// Distinct values, once there are too many to keep.
    sketch: Option<Box<Sketch>>,
    bytes: usize,
}

impl Counts {
    fn add(&mut self, value: &Value<'_>, count: u64, values_max: usize) {
        if let Some((_, known)) = self.values.get_mut(value.text.as_ref()) {
            *known += count;
        } else if self.values.len() < values_max {
            self.bytes += value.text.len() + 64;
            self.values.insert(value.text.clone().into_owned(), (value.letter, count));
        } else {
            let sketch = self.sketch.get_or_insert_with(|| {
                let mut sketch = Box::<Sketch>::default();
                self.values.keys().for_each(|text| sketch.add(text));
                sketch
            });
            sketch.add(&value.text);
        }
    }

    fn finish(self, field: String, size: usize) -> Facet {
        let distinct = self.sketch.as_ref().map_or(self.values.len() as u64, |sketch| sketch.count());
        let mut values: Vec<(String, char, u64)> = self.values.into_iter().map(|(text, (letter, count))| (text, letter, count)).collect();
        values.sort_unstable_by(|one, other| other.2.cmp(&one.2).then_with(|| one.0.cmp(&other.0)));
        values.truncate(size);
        Facet { field, count: self.records, distinct, is_cut: self.sketch.is_some(), values }
    }
}

impl Facets {
    pub(super) fn new(asked: &FacetRequest) -> Self {
        // Words of all fields are no facet.
        let named = asked.fields.iter().map(|name| (Probe::new(Field::named(name)), Counts::default())).collect();
        Self { asked: asked.clone(), named, found: HashMap::new(), resources: HashMap::new() }
    }

    pub(super) fn columns(&self, columns: &mut Vec<&'static str>) {
        columns.extend(self.named.iter().flat_map(|(probe, _)| probe.field().columns()));
        if self.asked.more > 0 {
            columns.extend([schema::RESOURCE, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES]);
        }
    }

    pub(super) fn collect(&mut self, rows: &RecordBatch, candidates: &[usize]) -> Result<()> {
        for (probe, counts) in &mut self.named {
            let mut view = probe.open(rows)?;
            for row in candidates {
                let mut has_value = false;
                view.each(*row, &mut |value| {
                    has_value = true;
                    counts.add(&value, 1, VALUES_MAX);
                });
                counts.records += u64::from(has_value);
            }
        }
        if self.asked.more > 0 {
            self.collect_resources(rows, candidates)?;
            self.collect_attributes(rows, candidates)?;
        }
        Ok(())
    }

    fn collect_resources(&mut self, rows: &RecordBatch, candidates: &[usize]) -> Result<()> {
        let texts = Texts::of(rows, schema::RESOURCE)?;
        let mut by_code = vec![0u64; texts.distinct()];
        candidates.iter().for_each(|row| by_code[texts.code(*row)] += 1);
        for (code, count) in by_code.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            if self.resources.len() > UNNAMED_VALUES_MAX {
                self.resources.clear();
            }
            let attributes = match self.resources.get(texts.value(code)) {
                Some(attributes) => attributes.clone(),
                None => {
                    let attributes = Resource::from_json(texts.value(code)).attributes;
                    self.resources.insert(texts.value(code).to_owned(), attributes.clone());
                    attributes
                }
            };
            for (name, attribute) in attributes.iter().filter(|(name, _)| name != "service.name") {
                self.add(Origin::Resource, name, value::of(attribute), count);
            }
        }
        Ok(())
    }

    fn collect_attributes(&mut self, rows: &RecordBatch, candidates: &[usize]) -> Result<()> {
        let attributes = AttributeColumns::of(rows)?;
        for row in candidates {
            for (name, text, letter) in attributes.typed(*row) {
                self.add(Origin::Record, name, Value { text: text.into(), letter }, 1);
            }
        }
        Ok(())
    }

    fn add(&mut self, origin: Origin, name: &str, value: Value<'_>, count: u64) {
        if value.letter == 'm' {
            return;
        }
        let key = (origin, name.to_owned());
        if self.found.len() >= FIELDS_MAX && !self.found.contains_key(&key) {
            return;
        }
        let counts = self.found.entry(key).or_default();
        counts.records += count;
        value::each(value, &mut |value| counts.add(&value, count, UNNAMED_VALUES_MAX));
    }

    /// About how many bytes it holds.
    pub(super) fn held(&self) -> usize {
        let counts = self.named.iter().map(|(_, counts)| counts).chain(self.found.values());
        counts.map(|counts| counts.bytes + counts.sketch.as_ref().map_or(0, |sketch| sketch.held())).sum()
    }

    pub(super) fn finish(self) -> Vec<Facet> {
        let size = self.asked.values;
        let named = self.asked.fields.iter().zip(self.named).map(|(name, (_, counts))| counts.finish(name.clone(), size));
        let mut facets: Vec<Facet> = named.collect();
        let mut found: Vec<((Origin, String), Counts)> = self.found.into_iter().collect();
        // Of fields that equally many records have, the ones with few values say more.
        found.sort_by(|((origin, name), counts), ((other_origin, other_name), other)| {
            let rank = (other.records, counts.values.len()).cmp(&(counts.records, other.values.len()));
            rank.then_with(|| (origin, name).cmp(&(other_origin, other_name)))
        });
        let known: Vec<Field> = facets.iter().map(|facet| Field::named(&facet.field)).collect();
        for ((origin, name), counts) in found {
            if facets.len() >= self.asked.fields.len() + self.asked.more {
                break;
            }
            let is_known = |field: &Field| match field {
                Field::Attribute(known) => *known == name,
                Field::Own(known) => origin == Origin::Record && *known == name,
                Field::Resource(known) => origin == Origin::Resource && *known == name,
                _ => false,
            };
            if !known.iter().any(is_known) && !facets.iter().any(|facet| facet.field == name) {
                facets.push(counts.finish(name, size));
            }
        }
        facets
    }
}
