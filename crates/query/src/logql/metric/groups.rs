//! Which group of `by (…)` a row is in, from the columns of its labels: no label set is made a row.

use std::cmp::Ordering;

use arrow::array::RecordBatch;
use hashbrown::HashMap;
use signalbox_model::Result;

use super::super::fields::LabelReader;
use super::super::labels::{Added, LabelSet};
use super::interner::Interner;

/// Rows to numbers of groups.
#[derive(Debug)]
pub(super) struct Groups {
    labels: Vec<GroupLabel>,
    /// Numbers of the groups of the first label by the number of its value, [`NONE`] where no row was.
    first: Vec<u32>,
    /// Numbers of groups by the number of the group of the labels before and the number of the value of the last label; of all
    /// labels but the first.
    pairs: Vec<HashMap<(u32, u32), u32>>,
    /// By number: the group of the labels before, and the value of the last label. One list a label.
    parents: Vec<Vec<(u32, u32)>>,
    bytes: u64,
}

#[derive(Debug)]
struct GroupLabel {
    reader: LabelReader,
    /// Numbers of values, less one: 0 is that of a row without the label.
    values: Interner,
}

/// Values of the labels of groups, one group after the other.
#[derive(Debug, Default)]
pub(super) struct Values {
    text: String,
    /// Where each value ends; `None` for a label that a group lacks.
    ends: Vec<Option<usize>>,
}

/// No group.
const NONE: u32 = u32::MAX;

impl Values {
    /// About how many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<Option<usize>>()
    }
}

impl Groups {
    /// `None` if a label needs all of a record to be known.
    pub(super) fn by(names: &[String], added: Added) -> Option<Self> {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        let label = |name: &&String| Some(GroupLabel { reader: LabelReader::exact(name, added)?, values: Interner::default() });
        let labels: Vec<GroupLabel> = names.iter().map(label).collect::<Option<_>>()?;
        let (pairs, parents) = labels.iter().map(|_| (HashMap::new(), Vec::new())).unzip();
        Some(Self { labels, first: Vec::new(), pairs, parents, bytes: 0 })
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
            let GroupLabel { reader, values } = label;
            numbers.clear();
            reader.map(rows, wanted, |value| value.map_or(0, |value| 1 + values.number(value)), &mut numbers)?;
            let parents = &mut self.parents[at];
            if at == 0 {
                self.first.resize(1 + values.len(), NONE);
                for number in &mut numbers {
                    let group = &mut self.first[*number as usize];
                    if *group == NONE {
                        *group = parents.len() as u32;
                        parents.push((0, *number));
                    }
                    *number = *group;
                }
                std::mem::swap(groups, &mut numbers);
                continue;
            }
            let pairs = &mut self.pairs[at];
            // Neighbours are alike.
            let mut last = ((NONE, NONE), 0);
            for (group, number) in groups.iter_mut().zip(&numbers) {
                let pair = (*group, *number);
                if pair != last.0 {
                    let next = parents.len() as u32;
                    let found = *pairs.entry(pair).or_insert(next);
                    if found == next {
                        parents.push(pair);
                    }
                    last = (pair, found);
                }
                *group = last.1;
            }
        }
        self.weigh();
        Ok(())
    }

    /// Forgets all groups; their numbers begin anew.
    pub(super) fn clear(&mut self) {
        self.labels.iter_mut().for_each(|label| label.values.clear());
        self.first.clear();
        self.pairs.iter_mut().for_each(HashMap::clear);
        self.parents.iter_mut().for_each(Vec::clear);
        self.weigh();
    }

    fn weigh(&mut self) {
        self.bytes = self.labels.iter().map(|label| label.values.bytes()).sum::<u64>() + self.parents.iter().map(|list| 32 * list.len() as u64).sum::<u64>();
    }

    /// The values of groups from a number on.
    pub(super) fn values_from(&self, first: usize) -> Values {
        let mut values = Values::default();
        let mut numbers = vec![0; self.labels.len()];
        for group in first..self.len() {
            let mut group = group;
            for (number, parents) in numbers.iter_mut().zip(&self.parents).rev() {
                let (before, own) = parents.get(group).copied().unwrap_or_default();
                (*number, group) = (own, before as usize);
            }
            for (number, label) in numbers.iter().zip(&self.labels) {
                values.ends.push(number.checked_sub(1).map(|number| {
                    values.text.push_str(label.values.get(number));
                    values.text.len()
                }));
            }
        }
        values
    }

    /// The numbers of groups that other groups by the same labels have values of, so many of them.
    pub(super) fn adopt(&mut self, values: &Values, count: usize, numbers: &mut Vec<u32>) {
        if self.labels.is_empty() {
            numbers.extend(std::iter::repeat_n(0, count));
            return;
        }
        let mut start = 0;
        for ends in values.ends.chunks_exact(self.labels.len()) {
            let mut group = 0;
            for (at, end) in ends.iter().enumerate() {
                let label = &mut self.labels[at];
                let number = end.map_or(0, |end| {
                    let value = values.text.get(start..end).unwrap_or_default();
                    start = end;
                    1 + label.values.number(value)
                });
                let parents = &mut self.parents[at];
                let next = parents.len() as u32;
                let known = match at {
                    0 => {
                        self.first.resize(1 + label.values.len(), NONE);
                        let known = &mut self.first[number as usize];
                        if *known == NONE {
                            *known = next;
                        }
                        *known
                    }
                    _ => *self.pairs[at].entry((group, number)).or_insert(next),
                };
                if known == next {
                    parents.push((group, number));
                }
                group = known;
            }
            numbers.push(group);
        }
        self.weigh();
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
                labels.push((label.reader.name().to_owned(), label.values.get(*number - 1).to_owned()));
            }
            group = *before as usize;
        }
        labels.reverse();
        labels
    }

    /// The order of the labels of two groups.
    pub(super) fn compare(&self, left: usize, right: usize) -> Ordering {
        // From the last label back, so that an earlier one has the last word.
        let (mut groups, mut order, mut is_longer) = ([left, right], Ordering::Equal, [false; 2]);
        for (label, parents) in self.labels.iter().zip(&self.parents).rev() {
            let numbers = groups.map(|group| parents.get(group).map_or(0, |pair| pair.1));
            match numbers {
                [0, 0] => {}
                [0, _] => order = if is_longer[0] { Ordering::Greater } else { Ordering::Less },
                [_, 0] => order = if is_longer[1] { Ordering::Less } else { Ordering::Greater },
                [one, other] if one == other => {}
                [one, other] => order = label.values.get(one - 1).cmp(label.values.get(other - 1)),
            }
            is_longer = [is_longer[0] || numbers[0] > 0, is_longer[1] || numbers[1] > 0];
            groups = groups.map(|group| parents.get(group).map_or(0, |pair| pair.0 as usize));
        }
        order
    }

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
