//! Rows at rest to the attributes of rows as they came in.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, MapArray, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt32Type};
use signalbox_model::attributes::double_text;
use signalbox_model::builder::AttributesBuilder;
use signalbox_model::{Error, Result};

use super::super::layout::Promoted;
use super::shapes::parse;
use super::{Map, other_schema};
use crate::format::rows::gather::NullableText;

/// Puts attributes together.
#[derive(Debug)]
pub(crate) struct Joiner {
    promoted: Vec<Promoted>,
    /// Only attributes with these keys; `None` means all.
    wanted: Option<HashSet<String>>,
    plans: HashMap<String, Arc<Plan>>,
}

/// What the attributes of rows of one shape are made of.
type Plan = Vec<Step>;

#[derive(Debug)]
struct Step {
    letter: char,
    key: String,
    /// The column that has the value, unless it is null there: then the map has it.
    column: Option<usize>,
}

impl Joiner {
    /// Of rows with these attributes in columns of their own; only of attributes with some keys, unless there is none.
    pub(crate) fn new(promoted: &[Promoted], wanted: &[String]) -> Self {
        let wanted = (!wanted.is_empty()).then(|| wanted.iter().cloned().collect());
        Self { promoted: promoted.to_vec(), wanted, plans: HashMap::new() }
    }

    /// Map and types of all attributes, from those at rest, the keys (if there are any) and the columns of the promoted ones, in
    /// their order.
    pub(crate) fn join(&mut self, map: &MapArray, types: &StringArray, keys: Option<&ArrayRef>, columns: &[ArrayRef]) -> Result<(ArrayRef, ArrayRef)> {
        let rest = Map::of_columns(map, types)?;
        let keys = keys.map(|keys| keys.as_dictionary_opt::<UInt32Type>().ok_or_else(other_schema)).transpose()?;
        let plans = keys.map(|keys| self.plans(keys)).transpose()?.unwrap_or_default();
        let values = columns.iter().map(Values::of).collect::<Result<Vec<_>>>()?;
        let (mut builder, mut text) = (AttributesBuilder::default(), String::new());
        for row in 0..types.len() {
            let mut left = rest.row(row);
            let plan = keys.filter(|keys| keys.is_valid(row)).and_then(|keys| plans.get(keys.keys().value(row) as usize));
            for step in plan.map_or(&[][..], |plan| plan.as_slice()) {
                text.clear();
                if let Some(column) = step.column
                    && values[column].write(row, &mut text)
                {
                    builder.append_text(&step.key, step.letter, &text);
                    continue;
                }
                // In between lies what is not wanted, and nothing else.
                let found = left.find(|(place, _)| self.wanted.is_none() || *rest.keys.value(*place) == *step.key);
                let found = found.filter(|(place, _)| *rest.keys.value(*place) == *step.key);
                let (place, _) = found.ok_or_else(|| Error::corrupt("cannot put attributes together: the map lacks one of the row"))?;
                builder.append_option(&step.key, step.letter, rest.value(place));
            }
            for (place, letter) in left {
                let key = rest.keys.value(place);
                if self.wanted.as_ref().is_none_or(|wanted| plan.is_none() && wanted.contains(key)) {
                    builder.append_option(key, letter, rest.value(place));
                }
            }
            builder.close_row();
        }
        Ok(builder.finish())
    }

    /// The plan of each text of a dictionary.
    fn plans(&mut self, keys: &DictionaryArray<UInt32Type>) -> Result<Vec<Arc<Plan>>> {
        let texts = keys.values().as_string_opt::<i32>().ok_or_else(other_schema)?;
        texts.iter().map(|text| self.plan(text.unwrap_or("[]"))).collect()
    }

    fn plan(&mut self, text: &str) -> Result<Arc<Plan>> {
        if let Some(plan) = self.plans.get(text) {
            return Ok(Arc::clone(plan));
        }
        let keys = parse(text).ok_or_else(|| Error::corrupt("cannot put attributes together: their keys are no list"))?;
        let mut seen = HashSet::new();
        let steps = keys.into_iter().filter(|(_, key)| self.wanted.as_ref().is_none_or(|wanted| wanted.contains(key))).map(|(letter, key)| {
            let is_first = seen.insert(key.clone());
            let column = self.promoted.iter().position(|own| is_first && own.key == key && own.kind.letter() == letter);
            Step { letter, key, column }
        });
        let plan = Arc::new(steps.collect::<Plan>());
        self.plans.insert(text.to_owned(), Arc::clone(&plan));
        Ok(plan)
    }
}

/// A column of one attribute.
enum Values<'a> {
    Text(&'a DictionaryArray<UInt32Type>, &'a StringArray),
    Plain(&'a StringArray),
    Int(&'a Int64Array),
    Double(&'a Float64Array),
    Bool(&'a BooleanArray),
}

impl<'a> Values<'a> {
    fn of(column: &'a ArrayRef) -> Result<Self> {
        let typed = match column.data_type() {
            DataType::Utf8 => column.as_string_opt().map(Self::Plain),
            DataType::Int64 => column.as_primitive_opt::<Int64Type>().map(Self::Int),
            DataType::Float64 => column.as_primitive_opt::<Float64Type>().map(Self::Double),
            DataType::Boolean => column.as_boolean_opt().map(Self::Bool),
            _ => column.as_dictionary_opt::<UInt32Type>().and_then(|column| Some(Self::Text(column, column.values().as_string_opt()?))),
        };
        typed.ok_or_else(other_schema)
    }

    /// Appends the text of a row; false if it has none.
    fn write(&self, row: usize, text: &mut String) -> bool {
        match self {
            Self::Text(keys, texts) if keys.is_valid(row) => text.push_str(texts.value(keys.keys().value(row) as usize)),
            Self::Plain(texts) if texts.is_valid(row) => text.push_str(texts.value(row)),
            Self::Int(values) if values.is_valid(row) => write!(text, "{}", values.value(row)).expect("writing into a text cannot fail"),
            Self::Double(values) if values.is_valid(row) => text.push_str(&double_text(values.value(row))),
            Self::Bool(values) if values.is_valid(row) => text.push_str(if values.value(row) { "true" } else { "false" }),
            _ => return false,
        }
        true
    }
}

/// The values of one attribute as text: those of its column, if there is one, else the first of the map.
pub(crate) fn text_column(map: &MapArray, key: &str, column: Option<&ArrayRef>) -> Result<ArrayRef> {
    first_column(map, &|own| own == key, column, None)
}

/// As [`text_column`], each text behind the letter of its type; `letter` is that of the values of the column.
pub(crate) fn lettered_column(map: &MapArray, types: &StringArray, key: &str, column: Option<&ArrayRef>, letter: char) -> Result<ArrayRef> {
    let rest = Map::of_columns(map, types)?;
    let values = column.map(Values::of).transpose()?;
    let (mut builder, mut text) = (NullableText::default(), String::new());
    for row in 0..map.len() {
        text.clear();
        text.push(letter);
        if values.as_ref().is_some_and(|values| values.write(row, &mut text)) {
            builder.push(Some(&text));
            continue;
        }
        let found = rest.row(row).find(|(place, _)| rest.keys.value(*place) == key);
        builder.push(found.and_then(|(place, letter)| {
            text.clear();
            text.push(letter);
            text.push_str(rest.value(place)?);
            Some(text.as_str())
        }));
    }
    builder.finish()
}

/// As [`text_column`] of the attributes whose key fits; one of them that has no value is the empty text.
pub(crate) fn named_column(map: &MapArray, fits: &dyn Fn(&str) -> bool, column: Option<&ArrayRef>) -> Result<ArrayRef> {
    first_column(map, fits, column, Some(""))
}

fn first_column(map: &MapArray, fits: &dyn Fn(&str) -> bool, column: Option<&ArrayRef>, no_value: Option<&str>) -> Result<ArrayRef> {
    let (keys, texts) = (map.keys().as_string_opt::<i32>().ok_or_else(other_schema)?, map.values().as_string_opt::<i32>().ok_or_else(other_schema)?);
    let values = column.map(Values::of).transpose()?;
    let (mut builder, mut text) = (NullableText::default(), String::new());
    for (row, ends) in map.value_offsets().windows(2).enumerate() {
        text.clear();
        if values.as_ref().is_some_and(|values| values.write(row, &mut text)) {
            builder.push(Some(&text));
            continue;
        }
        let place = (ends[0] as usize..ends[1] as usize).find(|place| fits(keys.value(*place)));
        builder.push(place.and_then(|place| if texts.is_valid(place) { Some(texts.value(place)) } else { no_value }));
    }
    builder.finish()
}
