//! Rows at rest in one layout to rows at rest in another.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, new_null_array};
use signalbox_model::{Error, Result, schema};

use super::super::delay;
use super::super::layout::{Layout, column_name};
use super::super::patterns::Patterns;
use super::super::schema_of;
use super::{InMap, Joiner, Splitter, other_schema};

/// Brings the rows of one input of a merge into the layout of its output.
#[derive(Debug)]
pub(crate) struct Adapter {
    source: Layout,
    target: arrow::datatypes::SchemaRef,
    /// Set where columns have to become parts of the map, or parts of the map columns.
    joiner: Option<Joiner>,
}

impl Adapter {
    /// From the layout of an input, which has these keys in its map, to that of a splitter.
    pub(crate) fn new(source: &Layout, in_map: &InMap, splitter: &mut Splitter) -> Result<Self> {
        let target = splitter.layout();
        let stays = |own| target.promoted().contains(own);
        let fits = source
            .promoted
            .as_ref()
            .is_some_and(|promoted| promoted.iter().all(stays) && target.promoted().iter().all(|own| promoted.contains(own) || !in_map.may_have(&own.key)));
        let (joiner, target) = ((!fits).then(|| Joiner::new(source.promoted(), &[])), target.schema()?);
        if fits {
            splitter.add_in_map(in_map);
        }
        Ok(Self { source: source.clone(), target, joiner })
    }

    pub(crate) fn adapt(&mut self, rows: &RecordBatch, splitter: &mut Splitter, patterns: &mut Patterns) -> Result<RecordBatch> {
        let failed = |error| Error::internal("cannot bring rows into another layout").with_source(error);
        let pattern = match (splitter.layout().has_pattern, rows.column_by_name(schema::PATTERN)) {
            (false, _) => None,
            (true, Some(column)) => Some(patterns.limit(column)?),
            (true, None) => Some(patterns.of_rows(rows)?),
        };
        let column = |name: &str| rows.column_by_name(name).ok_or_else(other_schema);
        let Some(joiner) = &mut self.joiner else {
            let columns = self.target.fields().iter().map(|field| match rows.column_by_name(field.name()) {
                _ if field.name() == schema::PATTERN => pattern.clone().ok_or_else(other_schema),
                Some(column) => Ok(Arc::clone(column)),
                None if field.name() == schema::logs::OBSERVED_DELAY => delay::of_times(column(schema::logs::OBSERVED_TIMESTAMP)?, column(schema::TIMESTAMP)?),
                None => Ok(new_null_array(field.data_type(), rows.num_rows())),
            });
            return RecordBatch::try_new(Arc::clone(&self.target), columns.collect::<Result<Vec<_>>>()?).map_err(failed);
        };
        let base = schema_of(self.source.table)?;
        let promoted = self.source.promoted().iter().map(|own| column(&column_name(&own.key)).cloned());
        let promoted = promoted.collect::<Result<Vec<ArrayRef>>>()?;
        let (map, types) = (column(schema::ATTRIBUTES)?, column(schema::ATTRIBUTE_TYPES)?);
        let (map, types) = (map.as_map_opt().ok_or_else(other_schema)?, types.as_string_opt().ok_or_else(other_schema)?);
        let (map, types) = joiner.join(map, types, rows.column_by_name(schema::ATTRIBUTE_KEYS), &promoted)?;
        let columns = base.fields().iter().map(|field| match field.name().as_str() {
            schema::ATTRIBUTES => Ok(Arc::clone(&map)),
            schema::ATTRIBUTE_TYPES => Ok(Arc::clone(&types)),
            schema::logs::OBSERVED_TIMESTAMP if self.source.has_delay => delay::to_times(column(schema::logs::OBSERVED_DELAY)?, column(schema::TIMESTAMP)?),
            name => column(name).cloned(),
        });
        let joined = RecordBatch::try_new(Arc::clone(&base), columns.collect::<Result<Vec<_>>>()?).map_err(failed)?;
        splitter.split(&joined, pattern)
    }
}
