//! Rows at rest to the rows that a reader asked for.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use signalbox_model::{Error, Result, schema};

use super::attributes::{InMap, Joiner, text_column};
use super::layout::{Layout, column_name};
use super::patterns::Patterns;
use super::{schema_of, stored_schema_of};

/// What to read of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All columns, as they are at rest.
    Rest,
    /// Rows as `ScanRequest` says.
    Rows { projection: Option<&'a [usize]>, attributes: &'a [String] },
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
    Map,
    Types,
    /// An attribute that is, or may be, in the map.
    Attribute {
        key: String,
        column: Option<String>,
    },
    /// An attribute that no row has.
    Missing,
}

impl Reading {
    /// Of rows in a layout with these keys in the map.
    pub(crate) fn new(layout: &Layout, in_map: &InMap, wanted: Wanted<'_>) -> Result<Self> {
        let at_rest = layout.schema()?;
        let (projection, attributes) = match wanted {
            Wanted::Rows { projection, attributes } => (projection, attributes),
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
                    (Output::Attribute { key: key.clone(), column: own.map(|_| name.clone()) }, schema::dictionary())
                }
            };
            outputs.push(output);
            fields.push(Arc::new(Field::new(name, kind, true)));
        }
        if names.is_empty() {
            // Counting rows needs some column; time is the smallest.
            names.push(schema::TIMESTAMP);
        }
        let mut roots: Vec<usize> = names.iter().map(|name| schema::index(&at_rest, name)).collect();
        roots.sort_unstable();
        roots.dedup();
        let joiner = Joiner::new(&promoted, attributes);
        Ok(Self { roots, schema: Arc::new(Schema::new(fields)), outputs, joiner, promoted: own_columns, patterns: Patterns::default() })
    }

    /// Makes rows of rows at rest, which have the columns of `roots`.
    pub(crate) fn make(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let (mut joined, mut columns) = (None, Vec::with_capacity(self.outputs.len()));
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| missing(name));
        for (output, field) in self.outputs.iter().zip(self.schema.fields()) {
            columns.push(match output {
                Output::Column => Arc::clone(column(field.name())?),
                Output::Pattern => self.patterns.of_rows(rows)?,
                Output::Missing => new_null_array(field.data_type(), rows.num_rows()),
                Output::Attribute { key, column: own } => {
                    let map = column(schema::ATTRIBUTES)?.as_map_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?;
                    text_column(map, key, own.as_deref().map(column).transpose()?)?
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
