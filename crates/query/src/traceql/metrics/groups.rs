//! Which group a span is of, by the values of its labels.

use std::collections::HashMap;

use arrow::array::Array;

use crate::traceql::columns::{Own, Reader};
use crate::traceql::value::{Key, Value};

/// Combinations of codes that are looked up in a table; more are hashed.
const TABLE_MAX: u64 = 1 << 16;

/// Groups in the order they were found.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_key: HashMap<Vec<Key>, usize>,
    values: Vec<Vec<Value>>,
}

/// The values of a label in some rows: by code, and the code of each row.
pub(super) struct Codes {
    values: Vec<Value>,
    codes: Vec<u32>,
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The values of the labels of a group.
    pub(super) fn values(&self, group: usize) -> &[Value] {
        &self.values[group]
    }

    /// The group of some values.
    pub(super) fn of(&mut self, values: Vec<Value>) -> usize {
        let key = values.iter().map(Value::key).collect();
        *self.by_key.entry(key).or_insert_with(|| {
            self.values.push(values);
            self.values.len() - 1
        })
    }

    /// The group of each row, by the codes of its labels.
    pub(super) fn of_codes(&mut self, labels: &[Codes], rows: usize) -> Vec<usize> {
        let combinations = labels.iter().map(|label| label.values.len() as u64).try_fold(1_u64, u64::checked_mul);
        let mut table = vec![usize::MAX; combinations.filter(|count| *count <= TABLE_MAX).unwrap_or(0) as usize];
        let mut hashed: HashMap<u64, usize> = HashMap::new();
        let mut found = Vec::with_capacity(rows);
        for row in 0..rows {
            // Wraps only where batches have more combinations than rows can be: then codes are not enough, values are.
            let combination = labels.iter().fold(0_u64, |sum, label| sum.wrapping_mul(label.values.len() as u64).wrapping_add(u64::from(label.codes[row])));
            let mut find = || self.of(labels.iter().map(|label| label.values[label.codes[row] as usize].clone()).collect());
            found.push(match table.get_mut(combination as usize) {
                Some(group) if *group != usize::MAX => *group,
                Some(group) => {
                    *group = find();
                    *group
                }
                None if combinations.is_some() => *hashed.entry(combination).or_insert_with(find),
                None => find(),
            });
        }
        found
    }
}

/// The values of a label in some rows.
pub(super) fn codes_of(reader: Option<&Reader<'_>>, rows: &[usize]) -> Codes {
    let Some(reader) = reader else { return Codes { values: vec![Value::Nil], codes: vec![0; rows.len()] } };
    if reader.codes().is_some() {
        return shared_codes(reader, rows);
    }
    match reader {
        Reader::Codes(values, make) => distinct(rows, |row| values.value(row), |code| make(*code)),
        Reader::Longs(values, make) => distinct(rows, |row| values.value(row), |value| make(*value)),
        Reader::Own(Own::Ints(values)) => distinct(rows, |row| values.is_valid(row).then(|| values.value(row)), |value| value.map_or(Value::Nil, Value::Int)),
        _ => {
            let mut places: HashMap<Key, u32> = HashMap::new();
            let mut codes = Codes { values: Vec::new(), codes: Vec::with_capacity(rows.len()) };
            for row in rows {
                let value = reader.value(*row).first().clone();
                let code = *places.entry(value.key()).or_insert_with(|| {
                    codes.values.push(value);
                    codes.values.len() as u32 - 1
                });
                codes.codes.push(code);
            }
            codes
        }
    }
}

/// Of a column that has codes; the code 0 is for rows without a value.
fn shared_codes(reader: &Reader<'_>, rows: &[usize]) -> Codes {
    let mut places = vec![0_u32; reader.codes().unwrap_or(0)];
    let mut codes = Codes { values: vec![Value::Nil], codes: Vec::with_capacity(rows.len()) };
    for row in rows {
        let code = match reader.code(*row) {
            Some(code) if places[code] != 0 => places[code],
            Some(code) => {
                codes.values.push(reader.value(*row).first().clone());
                places[code] = codes.values.len() as u32 - 1;
                places[code]
            }
            None => 0,
        };
        codes.codes.push(code);
    }
    codes
}

fn distinct<T: std::hash::Hash + Eq + Copy>(rows: &[usize], get: impl Fn(usize) -> T, make: impl Fn(&T) -> Value) -> Codes {
    let mut places: HashMap<T, u32> = HashMap::new();
    let mut codes = Codes { values: Vec::new(), codes: Vec::with_capacity(rows.len()) };
    let mut last: Option<(T, u32)> = None;
    for row in rows {
        let value = get(*row);
        let code = match last {
            Some((known, code)) if known == value => code,
            _ => *places.entry(value).or_insert_with(|| {
                codes.values.push(make(&value));
                codes.values.len() as u32 - 1
            }),
        };
        last = Some((value, code));
        codes.codes.push(code);
    }
    codes
}
