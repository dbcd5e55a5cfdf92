//! Attributes at rest: frequent ones in columns of their own, the others in the map.
//!
//! Who asks for one attribute reads one narrow column, and values of one attribute beside each other are smaller than
//! among others. Which attributes have a column is chosen for each segment by what its rows have ([`choose`]). The keys of a row,
//! in their order and with their types, are one text of a dictionary ([`shapes`]): from it and the columns the attributes
//! of a row are put together again as they came ([`join`]). A value goes to its column if it is the first of its key in the row and
//! of the type of the column ([`split`]); everything else stays in the map.

mod adapt;
mod choose;
mod join;
mod shapes;
mod split;

use std::collections::BTreeSet;

use arrow::array::{AsArray, MapArray, RecordBatch, StringArray};
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result, schema};

pub(crate) use adapt::Adapter;
pub(crate) use choose::{Census, target_of};
pub(crate) use join::{Joiner, lettered_column, named_column, text_column};
pub(crate) use split::Splitter;

/// Key of [`InMap`] in the key-value metadata of a file.
pub(crate) const IN_MAP_KEY: &str = "signalbox.attributes_in_map";
/// Keys that [`InMap`] lists at most.
const IN_MAP_MAX: usize = 4096;

/// The keys of attributes that a segment has in its map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum InMap {
    /// These and no others.
    Keys(BTreeSet<String>),
    /// Too many to say, or nobody counted.
    Unknown,
}

impl Default for InMap {
    fn default() -> Self {
        Self::Keys(BTreeSet::new())
    }
}

impl InMap {
    pub(crate) fn of_json(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Self::Unknown)
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("keys always have a JSON form")
    }

    pub(crate) fn may_have(&self, key: &str) -> bool {
        match self {
            Self::Keys(keys) => keys.contains(key),
            Self::Unknown => true,
        }
    }

    /// The keys, if they are known.
    pub(crate) fn keys(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::Keys(keys) => Some(keys.iter().map(String::as_str)),
            Self::Unknown => None,
        }
    }

    /// Whether no attribute is in the map.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Keys(keys) if keys.is_empty())
    }

    fn add(&mut self, key: &str) {
        let Self::Keys(keys) = self else { return };
        if keys.contains(key) {
            return;
        }
        if keys.len() == IN_MAP_MAX {
            *self = Self::Unknown;
        } else {
            keys.insert(key.to_owned());
        }
    }

    fn add_all(&mut self, other: &Self) {
        match other {
            Self::Keys(keys) => keys.iter().for_each(|key| self.add(key)),
            Self::Unknown => *self = Self::Unknown,
        }
    }
}

/// The map of attributes and the types beside it.
struct Map<'a> {
    offsets: &'a [i32],
    keys: &'a StringArray,
    values: &'a StringArray,
    types: &'a StringArray,
}

impl<'a> Map<'a> {
    fn of(rows: &'a RecordBatch) -> Result<Self> {
        let column = |name| rows.column_by_name(name).ok_or_else(other_schema);
        Self::of_columns(
            column(schema::ATTRIBUTES)?.as_map_opt().ok_or_else(other_schema)?,
            column(schema::ATTRIBUTE_TYPES)?.as_string_opt().ok_or_else(other_schema)?,
        )
    }

    fn of_columns(map: &'a MapArray, types: &'a StringArray) -> Result<Self> {
        let (keys, values) = (map.keys().as_string_opt().ok_or_else(other_schema)?, map.values().as_string_opt().ok_or_else(other_schema)?);
        Ok(Self { offsets: map.value_offsets(), keys, values, types })
    }

    /// The attributes of a row: place, letter of the type.
    fn row(&self, row: usize) -> impl Iterator<Item = (usize, char)> + use<'a> {
        use arrow::array::Array as _;
        let mut letters = self.types.is_valid(row).then(|| self.types.value(row).chars());
        let places = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        places.map(move |place| (place, letters.as_mut().and_then(Iterator::next).unwrap_or('s')))
    }

    fn value(&self, place: usize) -> Option<&'a str> {
        use arrow::array::Array as _;
        self.values.is_valid(place).then(|| self.values.value(place))
    }
}

fn other_schema() -> Error {
    Error::internal("cannot read attributes: the schema of the rows is another one")
}

#[cfg(test)]
mod tests;
