//! Which group of `by (…)` a row is in, from the columns of its labels: no label set is made a row.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use signalbox_model::Result;

use super::super::fields::LabelReader;
use super::super::labels::{Added, LabelSet};

/// Rows to numbers of groups.
#[derive(Debug)]
pub(super) struct Groups {
    labels: Vec<GroupLabel>,
    /// Numbers of groups by the number of the group of the labels before and the number of the value of the last label.
    pairs: Vec<HashMap<(u32, u32), u32>>,
    /// By number: the group of the labels before, and the value of the last label. One list a label.
    parents: Vec<Vec<(u32, u32)>>,
    bytes: u64,
}

#[derive(Debug)]
struct GroupLabel {
    reader: LabelReader,
    numbers: HashMap<Box<str>, u32>,
    /// By number less one; 0 is that of a row without the label.
    values: Vec<Box<str>>,
}

impl Groups {
    /// `None` if a label needs all of a record to be known.
    pub(super) fn by(names: &[String], added: Added) -> Option<Self> {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        let label = |name: &&String| Some(GroupLabel { reader: LabelReader::exact(name, added)?, numbers: HashMap::new(), values: Vec::new() });
        let labels: Vec<GroupLabel> = names.iter().map(label).collect::<Option<_>>()?;
        let (pairs, parents) = labels.iter().map(|_| (HashMap::new(), Vec::new())).unzip();
        Some(Self { labels, pairs, parents, bytes: 0 })
    }

    /// Columns that the labels are in.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        self.labels.iter().flat_map(|label| label.reader.columns()).collect()
    }

    /// Labels whose columns they are in.
    pub(super) fn label_columns(&self) -> Vec<String> {
        self.labels.iter().filter_map(|label| label.reader.label()).map(str::to_owned).collect()
    }

    /// The groups of rows of a batch, into an empty list.
    pub(super) fn of(&mut self, rows: &RecordBatch, wanted: &[usize], groups: &mut Vec<u32>) -> Result<()> {
        if self.labels.is_empty() {
            groups.resize(wanted.len(), 0);
            return Ok(());
        }
        let mut numbers: Vec<u32> = Vec::new();
        for (at, label) in self.labels.iter_mut().enumerate() {
            let GroupLabel { reader, numbers: known, values } = label;
            numbers.clear();
            let bytes = &mut self.bytes;
            let number = |value: Option<&str>| {
                let Some(value) = value else { return 0 };
                if let Some(number) = known.get(value) {
                    return *number;
                }
                values.push(value.into());
                *bytes += 2 * (value.len() as u64 + 40);
                known.insert(value.into(), values.len() as u32);
                values.len() as u32
            };
            reader.map(rows, wanted, number, &mut numbers)?;
            if at == 0 {
                groups.resize(wanted.len(), 0);
            }
            let (pairs, parents) = (&mut self.pairs[at], &mut self.parents[at]);
            // Neighbours are alike.
            let mut last = ((u32::MAX, u32::MAX), 0);
            for (group, number) in groups.iter_mut().zip(&numbers) {
                let pair = (*group, *number);
                if pair != last.0 {
                    let next = parents.len() as u32;
                    let found = *pairs.entry(pair).or_insert(next);
                    if found == next {
                        parents.push(pair);
                        self.bytes += 40;
                    }
                    last = (pair, found);
                }
                *group = last.1;
            }
        }
        Ok(())
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.parents.last().map_or(1, Vec::len)
    }

    /// The labels of a group.
    pub(super) fn labels(&self, group: usize) -> LabelSet {
        let mut group = group;
        let mut labels = LabelSet::new();
        for (label, parents) in self.labels.iter().zip(&self.parents).rev() {
            let Some((before, number)) = parents.get(group) else { continue };
            if *number > 0 {
                labels.push((label.reader.name().to_owned(), label.values[*number as usize - 1].to_string()));
            }
            group = *before as usize;
        }
        labels.reverse();
        labels
    }

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
