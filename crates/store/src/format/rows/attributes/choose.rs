//! Which attributes get a column of their own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use signalbox_model::{Result, Table, schema};
use xxhash_rust::xxh3::xxh3_64;

use super::super::layout::{Kind, Layout, Promoted, column_name};
use super::super::{RowSegment, Wanted, columns, schema_of};
use super::Map;
use super::shapes::{ROOT, Shapes};

/// Columns of attributes of a segment at most.
const COLUMNS_MAX: usize = 100;
/// An attribute gets a column if one row in so many has it.
const ROWS_PER_VALUE_MAX: u64 = 100;
/// One that an input of a merge has as a column keeps it down to half of that, so that few columns come and go.
const ROWS_PER_KEPT_VALUE_MAX: u64 = 2 * ROWS_PER_VALUE_MAX;
/// Bytes of a key at most that names a column.
const KEY_BYTES_MAX: usize = 128;
/// Values of which distinct ones are counted at most.
const DISTINCT_MAX: usize = 4096;
/// Below so many values it is too early to say that they do not repeat.
const VALUES_MIN: u64 = 1024;
/// Where a segment is looked at, and how many rows there.
const SAMPLES: u64 = 8;
const SAMPLE_ROWS: u64 = 1024;

/// Counts the attributes of rows.
#[derive(Debug)]
pub(crate) struct Census {
    shapes: Shapes,
    counts: Vec<Count>,
    rows: u64,
}

#[derive(Debug, Default)]
struct Count {
    values: u64,
    distinct: HashSet<u64>,
}

impl Default for Census {
    fn default() -> Self {
        Self { shapes: Shapes::new(&[]), counts: Vec::new(), rows: 0 }
    }
}

impl Census {
    /// Counts some rows.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let map = Map::of(rows)?;
        self.rows += rows.num_rows() as u64;
        for row in 0..rows.num_rows() {
            let mut node = ROOT;
            for (place, letter) in map.row(row) {
                let Some(next) = self.shapes.next(node, letter, map.keys.value(place)) else { break };
                node = next;
                let key = self.shapes.node(node).key as usize;
                if self.counts.len() <= key {
                    self.counts.resize_with(key + 1, Count::default);
                }
                let count = &mut self.counts[key];
                count.values += 1;
                if letter == 's' && count.distinct.len() < DISTINCT_MAX {
                    count.distinct.insert(map.value(place).map_or(0, |text| xxh3_64(text.as_bytes())));
                }
            }
        }
        Ok(())
    }

    /// The attributes that are frequent.
    pub(crate) fn choose(&self) -> Vec<Promoted> {
        self.choose_beside(&Kept::default(), 1.0)
    }

    /// As [`Census::choose`], beside those that inputs have; each row counted stands for so many of theirs.
    fn choose_beside(&self, kept: &Kept, weight: f64) -> Vec<Promoted> {
        let mut found: BTreeMap<&str, (u64, Kind)> = BTreeMap::new();
        for (key, count) in self.shapes.keys().iter().zip(&self.counts) {
            let values = (count.values as f64 * weight) as u64;
            let repeats = count.values < VALUES_MIN || count.distinct.len() < DISTINCT_MAX && count.distinct.len() as u64 * 2 < count.values;
            let kind = match key.letter {
                's' if repeats => Kind::Text,
                's' => Kind::Plain,
                'i' => Kind::Int,
                'd' => Kind::Double,
                'b' => Kind::Bool,
                _ => continue,
            };
            add(&mut found, &key.text, values, kind);
        }
        for ((key, kind), values) in &kept.columns {
            add(&mut found, key, *values, *kind);
        }
        let rows = kept.rows.max((self.rows as f64 * weight) as u64);
        let is_frequent = |key: &str, values: u64| {
            let per_value = if kept.columns.keys().any(|(own, _)| own == key) { ROWS_PER_KEPT_VALUE_MAX } else { ROWS_PER_VALUE_MAX };
            values.saturating_mul(per_value) >= rows.max(1)
        };
        let may_name = |key: &str| !key.is_empty() && key.len() <= KEY_BYTES_MAX && !key.chars().any(char::is_control);
        let mut most: Vec<_> = found.into_iter().filter(|(key, (values, _))| may_name(key) && is_frequent(key, *values)).collect();
        most.sort_by_key(|(key, (values, _))| (std::cmp::Reverse(*values), *key));
        // DuckDB does not tell names of columns apart that differ in case only.
        let mut names = HashSet::new();
        most.retain(|(key, _)| names.insert(key.to_lowercase()));
        most.truncate(COLUMNS_MAX);
        most.sort_by_key(|(key, _)| *key);
        most.into_iter().map(|(key, (_, kind))| Promoted { key: key.to_owned(), kind }).collect()
    }
}

/// Of several types of a key the most frequent one counts; text that repeats anywhere is text that repeats.
fn add<'a>(found: &mut BTreeMap<&'a str, (u64, Kind)>, key: &'a str, values: u64, kind: Kind) {
    let known = found.entry(key).or_insert((values, kind));
    if known.1.letter() == kind.letter() {
        known.0 = known.0.max(values);
        if kind == Kind::Text {
            known.1 = kind;
        }
    } else if known.0 < values {
        *known = (values, kind);
    }
}

/// The columns of inputs of a merge.
#[derive(Debug, Default)]
struct Kept {
    rows: u64,
    /// Values of each.
    columns: HashMap<(String, Kind), u64>,
}

/// What a merge of segments has in columns: what they have, and what is frequent in their maps.
pub(crate) fn target_of(table: Table, inputs: &[Arc<RowSegment>]) -> Result<Layout> {
    let (mut kept, mut census) = (Kept::default(), Census::default());
    let base = schema_of(table)?;
    let projection = [schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES].map(|name| schema::index(&base, name));
    for input in inputs {
        let opened = input.opened()?;
        let rows = input.record().rows;
        kept.rows += rows;
        let metadata = opened.segment.metadata.metadata();
        for own in opened.layout.promoted() {
            let column = columns::column_of(metadata.file_metadata().schema_descr(), &column_name(&own.key));
            let values = metadata.row_groups().iter().map(|group| {
                let nulls = column.and_then(|column| group.column(column).statistics()?.null_count_opt()).unwrap_or(0);
                (group.num_rows().max(0) as u64).saturating_sub(nulls)
            });
            *kept.columns.entry((own.key.clone(), own.kind)).or_default() += values.sum::<u64>();
        }
        if opened.in_map.is_empty() {
            continue;
        }
        let start = |sample: u64| rows * sample / SAMPLES;
        let ranges = (0..SAMPLES).map(|sample| start(sample)..start(sample + 1).min(start(sample) + SAMPLE_ROWS));
        let ranges: Vec<_> = ranges.filter(|range| !range.is_empty()).collect();
        for rows in input.read(&ranges, Wanted::Rows { projection: Some(&projection), attributes: &[], is_typed: false, labels: &[] }, Vec::new())? {
            census.add(&rows?)?;
        }
    }
    let weight = if census.rows == 0 { 1.0 } else { kept.rows as f64 / census.rows as f64 };
    Ok(Layout::new(table, census.choose_beside(&kept, weight)))
}
