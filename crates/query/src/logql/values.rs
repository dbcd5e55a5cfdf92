//! The column of a label, as the store made it of attributes: values that many rows share are mapped once.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt32Type};
use signalbox_model::attributes::double_text;
use signalbox_model::{Error, Result};
use signalbox_store::LabelColumn;

use crate::logs::is_named;
use crate::rows::AttributeColumns;

/// Numbers from 0 on whose mapping is kept.
const NUMBERS_MAX: usize = 1024;

/// Values of rows, mapped.
pub(super) enum Values<'a, T> {
    /// No row has one.
    None,
    /// Of rows that no scan has read: in the map, by the name.
    Map(AttributeColumns<'a>, String),
    Codes {
        column: &'a dyn Array,
        codes: &'a [u32],
        texts: &'a StringArray,
        mapped: Vec<Option<T>>,
    },
    Texts(&'a StringArray),
    Ints {
        column: &'a Int64Array,
        text: String,
        /// Of numbers from 0 on, as codes of states are.
        small: Vec<Option<T>>,
    },
    Doubles(&'a Float64Array),
    Bools(&'a BooleanArray),
}

impl<'a, T: Copy> Values<'a, T> {
    /// # Errors
    /// `Internal` if the batch has neither the column of the label nor all attributes.
    pub(super) fn of(rows: &'a RecordBatch, name: &str) -> Result<Self> {
        let Some(column) = rows.column_by_name(&format!("{}{name}", LabelColumn::PREFIX)) else {
            return Ok(Self::Map(AttributeColumns::of(rows)?, name.to_owned()));
        };
        if column.null_count() == column.len() {
            return Ok(Self::None);
        }
        let values = match column.data_type() {
            DataType::Utf8 => column.as_string_opt().map(Self::Texts),
            DataType::Int64 => column.as_primitive_opt::<Int64Type>().map(|column| Self::Ints { column, text: String::new(), small: vec![None; NUMBERS_MAX] }),
            DataType::Float64 => column.as_primitive_opt::<Float64Type>().map(Self::Doubles),
            DataType::Boolean => column.as_boolean_opt().map(Self::Bools),
            _ => column.as_dictionary_opt::<UInt32Type>().and_then(|column| {
                let texts = column.values().as_string_opt::<i32>()?;
                Some(Self::Codes { column, codes: column.keys().values(), texts, mapped: vec![None; texts.len()] })
            }),
        };
        values.ok_or_else(|| Error::internal(format!("cannot read column {name}: it is of another type")))
    }

    /// What the value of a row is mapped to, if there is one.
    pub(super) fn map(&mut self, row: usize, map: &mut impl FnMut(Option<&str>) -> T) -> Option<T> {
        match self {
            Self::Map(attributes, name) => attributes.find(row, |key| is_named(key, name)).map(|value| map(Some(value))),
            Self::Codes { column, codes, texts, mapped } if column.is_valid(row) => {
                let code = codes[row] as usize;
                Some(*mapped.get_mut(code)?.get_or_insert_with(|| map(Some(texts.value(code)))))
            }
            Self::Texts(texts) if texts.is_valid(row) => Some(map(Some(texts.value(row)))),
            Self::Ints { column, text, small } if column.is_valid(row) => {
                let value = column.value(row);
                let mut make = || {
                    text.clear();
                    write!(text, "{value}").expect("writing into a text cannot fail");
                    map(Some(text))
                };
                let known = usize::try_from(value).ok().and_then(|number| small.get_mut(number));
                Some(match known {
                    Some(known) => *known.get_or_insert_with(make),
                    None => make(),
                })
            }
            Self::Doubles(values) if values.is_valid(row) => Some(map(Some(&double_text(values.value(row))))),
            Self::Bools(values) if values.is_valid(row) => Some(map(Some(if values.value(row) { "true" } else { "false" }))),
            _ => None,
        }
    }
}
