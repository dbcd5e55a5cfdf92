//! Which columns a segment has at rest.
//!
//! First those of the rows as they come in, in their order; of logs the delay of observation in the place of its time. Behind them stand, in segments of logs, the pattern of the body;
//! then the keys of the attributes and a column for each attribute that is frequent in this segment. Segments of earlier
//! layouts have none of these, or not all; readers never see the difference.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use signalbox_model::{Result, Table, schema};

use super::schema_of;

/// How an attribute rests in a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Text with few distinct values.
    Text,
    /// Text that hardly repeats.
    Plain,
    Int,
    Double,
    Bool,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Text, Self::Plain, Self::Int, Self::Double, Self::Bool];

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Text => schema::dictionary(),
            Self::Plain => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }

    /// The letter of `model::attributes` that its values have.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Text | Self::Plain => 's',
            Self::Int => 'i',
            Self::Double => 'd',
            Self::Bool => 'b',
        }
    }

    fn of(data_type: &DataType) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.data_type() == *data_type)
    }
}

/// An attribute with a column of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Promoted {
    pub(crate) key: String,
    pub(crate) kind: Kind,
}

/// The columns of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) table: Table,
    /// Whether `observed_delay` stands where rows have `observed_timestamp`.
    pub(crate) has_delay: bool,
    pub(crate) has_pattern: bool,
    /// Attributes with columns of their own, in the order of these; `None` in segments that know of none and have no keys.
    pub(crate) promoted: Option<Vec<Promoted>>,
}

impl Layout {
    /// What is written, with these attributes in columns of their own.
    pub(crate) fn new(table: Table, promoted: Vec<Promoted>) -> Self {
        let is_logs = table == Table::Logs;
        Self { table, has_delay: is_logs, has_pattern: is_logs, promoted: Some(promoted) }
    }

    /// The columns of rows as they come in.
    pub(crate) fn of_head(table: Table) -> Self {
        Self { table, has_delay: false, has_pattern: false, promoted: None }
    }

    /// The layout of a file; `None` if it is none of the table.
    pub(crate) fn of(found: &Schema, table: Table) -> Result<Option<Self>> {
        let fields = found.fields();
        let has_delay = table == Table::Logs && found.column_with_name(schema::logs::OBSERVED_DELAY).is_some();
        let mut layout = Self { has_delay, ..Self::of_head(table) };
        let base = layout.schema()?;
        if fields.len() < base.fields().len() || fields.iter().zip(base.fields()).any(|(found, want)| found != want) {
            return Ok(None);
        }
        let mut rest = fields[base.fields().len()..].iter().peekable();
        let is_text = |field: &Field, name: &str| field.name() == name && *field.data_type() == schema::dictionary();
        layout.has_pattern = table == Table::Logs && rest.next_if(|field| is_text(field, schema::PATTERN)).is_some();
        if rest.next_if(|field| is_text(field, schema::ATTRIBUTE_KEYS)).is_some() {
            let promoted = rest.by_ref().map(|field| {
                let key = field.name().strip_prefix(schema::ATTRIBUTE_PREFIX)?.to_owned();
                Some(Promoted { key, kind: Kind::of(field.data_type())? })
            });
            let Some(promoted) = promoted.collect::<Option<Vec<_>>>() else { return Ok(None) };
            layout.promoted = Some(promoted);
        }
        Ok(rest.next().is_none().then_some(layout))
    }

    /// The columns of the file.
    pub(crate) fn schema(&self) -> Result<SchemaRef> {
        let mut fields: Vec<_> = schema_of(self.table)?.fields().iter().map(|field| self.at_rest(field)).collect();
        if self.has_pattern {
            fields.push(Arc::new(Field::new(schema::PATTERN, schema::dictionary(), true)));
        }
        if let Some(promoted) = &self.promoted {
            fields.push(Arc::new(Field::new(schema::ATTRIBUTE_KEYS, schema::dictionary(), true)));
            fields.extend(promoted.iter().map(|own| Arc::new(Field::new(column_name(&own.key), own.kind.data_type(), true))));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// What stands in the place of a column of rows as they come in.
    fn at_rest(&self, field: &FieldRef) -> FieldRef {
        if self.has_delay && field.name() == schema::logs::OBSERVED_TIMESTAMP {
            return Arc::new(Field::new(schema::logs::OBSERVED_DELAY, DataType::Int64, field.is_nullable()));
        }
        Arc::clone(field)
    }

    /// Attributes with columns of their own.
    pub(crate) fn promoted(&self) -> &[Promoted] {
        self.promoted.as_deref().unwrap_or_default()
    }
}

/// The name of the column of an attribute.
pub(crate) fn column_name(key: &str) -> String {
    format!("{}{key}", schema::ATTRIBUTE_PREFIX)
}
