//! Rows at rest to the rows that a reader asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use signalbox_model::{Error, Result, schema};

use super::attributes::{InMap, Joiner, lettered_column, named_column, text_column};
use super::delay;
use super::layout::{Layout, Promoted, column_name};
use super::patterns::Patterns;
use super::{schema_of, stored_schema_of};
use crate::scan::{LETTERED, LabelColumn};

/// What to read of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All columns, as they are at rest.
    Rest,
    /// Rows as `ScanRequest` says.
    Rows { projection: Option<&'a [usize]>, attributes: &'a [String], is_typed: bool, labels: &'a [LabelColumn] },
}

/// Which columns at rest to read, and how rows are made of them.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Columns at rest, by index, ascending.
    pub(crate) roots: Vec<usize>,
    schema: SchemaRef,
    outputs: Vec<Output>,
    joiner: Joiner,
    /// Names of the columns of attributes that the map is made of.
    promoted: Vec<String>,
    patterns: Patterns,
}

#[derive(Debug)]
enum Output {
    Column,
    /// Patterns that do not rest.
    Pattern,
    /// Times that rest as delays.
    Observed,
    Map,
    Types,
    /// An attribute that is, or may be, in the map.
    Attribute {
        key: String,
        column: Option<String>,
        /// Where texts begin with letters: the letter of the values of the column.
        letter: Option<char>,
    },
    /// An attribute that no row has.
    Missing,
    /// An attribute by another name: the column that it is at rest.
    Alone(String),
    /// The first of the attributes with one name.
    Named(Box<Named>),
}

/// Attributes with one name, some of which are, or may be, in the map.
#[derive(Debug)]
struct Named {
    label: LabelColumn,
    /// The column of the only one of them that has one, if the map has no others.
    column: Option<String>,
    /// Puts those with columns back into the map, and the names of these columns.
    joiner: Option<(Joiner, Vec<String>)>,
}

impl Named {
    /// How a column of a name is made, and its type.
    fn output(label: &LabelColumn, layout: &Layout, in_map: &InMap) -> (Output, DataType) {
        let own: Vec<&Promoted> = layout.promoted().iter().filter(|own| label.takes(&own.key)).collect();
        let others: Option<Vec<&str>> = in_map.keys().map(|keys| keys.filter(|key| label.takes(key)).collect());
        let named = |column, joiner| (Output::Named(Box::new(Self { label: label.clone(), column, joiner })), schema::dictionary());
        match (own.as_slice(), others.as_deref()) {
            ([], Some([])) => (Output::Missing, schema::dictionary()),
            ([one], Some([])) => (Output::Alone(column_name(&one.key)), one.kind.data_type()),
            ([one], Some([same])) if one.key == *same => named(Some(column_name(&one.key)), None),
            // Without columns of their own all that have the name lie in the map, in their order.
            ([], _) => named(None, None),
            (own, others) => {
                let mut keys: BTreeSet<String> = others.unwrap_or_default().iter().map(|key| (*key).to_owned()).collect();
                keys.extend(own.iter().map(|own| own.key.clone()));
                // Only if all keys are known some may be left out.
                let (promoted, wanted): (Vec<Promoted>, Vec<String>) = match others {
                    Some(_) => (own.iter().map(|own| (*own).clone()).collect(), keys.into_iter().collect()),
                    None => (layout.promoted().to_vec(), Vec::new()),
                };
                let columns = promoted.iter().map(|own| column_name(&own.key)).collect();
                named(None, Some((Joiner::new(&promoted, &wanted), columns)))
            }
        }
    }

    /// Columns at rest that it is made of.
    fn columns(&self) -> impl Iterator<Item = &str> {
        let joined = self.joiner.iter().flat_map(|(_, columns)| columns.iter().map(String::as_str).chain([schema::ATTRIBUTE_TYPES, schema::ATTRIBUTE_KEYS]));
        self.column.as_deref().into_iter().chain([schema::ATTRIBUTES]).chain(joined)
    }

    fn make(&mut self, rows: &RecordBatch) -> Result<ArrayRef> {
        let Self { label, column: own, joiner } = self;
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| missing(name));
        let map = column(schema::ATTRIBUTES)?.as_map_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?;
        let Some((joiner, columns)) = joiner else {
            return named_column(map, &|key| label.takes(key), own.as_deref().map(column).transpose()?);
        };
        let types = column(schema::ATTRIBUTE_TYPES)?.as_string_opt().ok_or_else(|| missing(schema::ATTRIBUTE_TYPES))?;
        let columns = columns.iter().map(|name| column(name).cloned()).collect::<Result<Vec<ArrayRef>>>()?;
        let (map, _) = joiner.join(map, types, rows.column_by_name(schema::ATTRIBUTE_KEYS), &columns)?;
        named_column(map.as_map_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?, &|key| label.takes(key), None)
    }
}

impl Reading {
    /// Of rows in a layout with these keys in the map.
    pub(crate) fn new(layout: &Layout, in_map: &InMap, wanted: Wanted<'_>) -> Result<Self> {
        let at_rest = layout.schema()?;
        let (projection, attributes, is_typed, labels) = match wanted {
            Wanted::Rows { projection, attributes, is_typed, labels } => (projection, attributes, is_typed, labels),
            Wanted::Rest => {
                let outputs = at_rest.fields().iter().map(|_| Output::Column).collect();
                let (roots, joiner) = ((0..at_rest.fields().len()).collect(), Joiner::new(&[], &[]));
                return Ok(Self { roots, schema: at_rest, outputs, joiner, promoted: Vec::new(), patterns: Patterns::default() });
            }
        };
        let (base, stored) = (schema_of(layout.table)?, stored_schema_of(layout.table)?);
        let all: Vec<usize> = (0..base.fields().len()).collect();
        let projected = stored.project(projection.unwrap_or(&all)).map_err(|error| Error::internal("cannot project rows").with_source(error))?;
        let mut fields: Vec<Arc<Field>> = projected.fields().iter().cloned().collect();
        let mut names: Vec<&str> = Vec::new();
        // The map of some attributes needs the columns of these only.
        let promoted: Vec<_> = layout.promoted().iter().filter(|own| attributes.is_empty() || attributes.contains(&own.key)).cloned().collect();
        let own_columns: Vec<String> = promoted.iter().map(|own| column_name(&own.key)).collect();
        let is_whole = layout.promoted.is_none();
        let mut outputs = Vec::new();
        for field in &fields {
            outputs.push(match field.name().as_str() {
                schema::PATTERN if !layout.has_pattern => {
                    names.push(schema::logs::BODY);
                    Output::Pattern
                }
                schema::logs::OBSERVED_TIMESTAMP if layout.has_delay => {
                    names.extend([schema::logs::OBSERVED_DELAY, schema::TIMESTAMP]);
                    Output::Observed
                }
                schema::ATTRIBUTES | schema::ATTRIBUTE_TYPES if !is_whole || !attributes.is_empty() => {
                    names.extend([schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES]);
                    if !is_whole {
                        names.push(schema::ATTRIBUTE_KEYS);
                        names.extend(own_columns.iter().map(String::as_str));
                    }
                    if field.name() == schema::ATTRIBUTES { Output::Map } else { Output::Types }
                }
                name => {
                    names.push(at_rest.field(schema::index(&at_rest, name)).name());
                    Output::Column
                }
            });
        }
        for key in attributes {
            let name = column_name(key);
            let own = promoted.iter().find(|own| own.key == *key);
            let rest = own_columns.iter().find(|column| **column == name).map(String::as_str);
            names.extend(rest);
            let (output, kind) = match own {
                Some(own) if !in_map.may_have(key) => (Output::Column, own.kind.data_type()),
                None if !in_map.may_have(key) => (Output::Missing, schema::dictionary()),
                own => {
                    names.push(schema::ATTRIBUTES);
                    names.extend(is_typed.then_some(schema::ATTRIBUTE_TYPES));
                    let letter = is_typed.then(|| own.map_or('s', |own| own.kind.letter()));
                    (Output::Attribute { key: key.clone(), column: own.map(|_| name.clone()), letter }, schema::dictionary())
                }
            };
            let is_lettered = matches!(output, Output::Attribute { letter: Some(_), .. });
            outputs.push(output);
            let field = Field::new(name, kind, true);
            let lettered = || HashMap::from([(LETTERED.to_owned(), String::new())]);
            fields.push(Arc::new(if is_lettered { field.with_metadata(lettered()) } else { field }));
        }
        let labels: Vec<_> = labels.iter().map(|label| (label.column(), Named::output(label, layout, in_map))).collect();
        for (name, (output, kind)) in &labels {
            match output {
                Output::Alone(column) => names.push(column),
                Output::Named(named) => names.extend(named.columns()),
                _ => {}
            }
            fields.push(Arc::new(Field::new(name, kind.clone(), true)));
        }
        if names.is_empty() {
            // Counting rows needs some column; time is the smallest.
            names.push(schema::TIMESTAMP);
        }
        let mut roots: Vec<usize> = names.iter().map(|name| schema::index(&at_rest, name)).collect();
        roots.sort_unstable();
        roots.dedup();
        outputs.extend(labels.into_iter().map(|(_, (output, _))| output));
        let joiner = Joiner::new(&promoted, attributes);
        Ok(Self { roots, schema: Arc::new(Schema::new(fields)), outputs, joiner, promoted: own_columns, patterns: Patterns::default() })
    }

    /// Makes rows of rows at rest, which have the columns of `roots`.
    pub(crate) fn make(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let (mut joined, mut columns) = (None, Vec::with_capacity(self.outputs.len()));
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| missing(name));
        for (output, field) in self.outputs.iter_mut().zip(self.schema.fields()) {
            columns.push(match output {
                Output::Alone(name) => Arc::clone(column(name)?),
                Output::Named(named) => named.make(rows)?,
                Output::Column => Arc::clone(column(field.name())?),
                Output::Pattern => self.patterns.of_rows(rows)?,
                Output::Observed => delay::to_times(column(schema::logs::OBSERVED_DELAY)?, column(schema::TIMESTAMP)?)?,
                Output::Missing => new_null_array(field.data_type(), rows.num_rows()),
                Output::Attribute { key, column: own, letter } => {
                    let map = column(schema::ATTRIBUTES)?.as_map_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?;
                    let own = own.as_deref().map(column).transpose()?;
                    match letter {
                        None => text_column(map, key, own)?,
                        Some(letter) => {
                            let types = column(schema::ATTRIBUTE_TYPES)?.as_string_opt().ok_or_else(|| missing(schema::ATTRIBUTE_TYPES))?;
                            lettered_column(map, types, key, own, *letter)?
                        }
                    }
                }
                Output::Map | Output::Types => {
                    if joined.is_none() {
                        let map = column(schema::ATTRIBUTES)?.as_map_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?;
                        let types = column(schema::ATTRIBUTE_TYPES)?.as_string_opt().ok_or_else(|| missing(schema::ATTRIBUTE_TYPES))?;
                        let own = self.promoted.iter().map(|name| column(name).cloned()).collect::<Result<Vec<ArrayRef>>>()?;
                        joined = Some(self.joiner.join(map, types, rows.column_by_name(schema::ATTRIBUTE_KEYS), &own)?);
                    }
                    let (map, types) = joined.as_ref().ok_or_else(|| missing(schema::ATTRIBUTES))?;
                    Arc::clone(if matches!(output, Output::Map) { map } else { types })
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::internal("cannot make rows of those at rest").with_source(error))
    }
}

fn missing(name: &str) -> Error {
    Error::internal(format!("cannot make rows of those at rest: there is no column {name}"))
}
