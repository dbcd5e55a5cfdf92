//! The answer to a query as the elements of a vector, as rules take it: the value is of the column `value`, the labels are of
//! the columns of text.

use std::collections::BTreeSet;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use datafusion::sql::parser::Statement;
use signalbox_model::{Error, LabelsBuilder, Result, Tenant};

use super::{SqlLimits, parse};
use crate::Engine;
use crate::promql::{Point, VectorSample};

/// The column that values are of.
const VALUE: &str = "value";

/// Whether a text is one `SELECT`. What it names, and the types of its columns, show when it is asked.
///
/// # Errors
/// `Invalid` with what is wrong, `TooLarge` for a text beyond [`super::TEXT_BYTES_MAX`].
pub fn check_vector(text: &str) -> Result<()> {
    match parse(text)? {
        Statement::Explain(_) => Err(Error::invalid("cannot take values from EXPLAIN: want one SELECT")),
        _ => Ok(()),
    }
}

impl Engine {
    /// Answers one `SELECT` with the elements of a vector at an instant, which is `now()` in it. A row without a value is no
    /// element; a text that is empty or null is no label.
    ///
    /// # Errors
    /// As [`Self::sql`]; `Invalid` if there is no numeric column `value`, or another column that is not text; `Limit` if there
    /// are more rows than an answer may have.
    pub async fn sql_vector(&self, tenant: &Tenant, text: &str, at_ms: i64, timeout: Duration) -> Result<Vec<VectorSample>> {
        let limits = SqlLimits { timeout: Some(timeout), ..SqlLimits::default() };
        let question = async {
            let mut answer = self.plan_sql(tenant, text, limits, at_ms.saturating_mul(1_000_000)).await?;
            let columns = Columns::of(&answer.schema)?;
            let mut samples = Vec::new();
            while let Some(batch) = answer.next().await {
                columns.read(&batch?, at_ms, &mut samples)?;
            }
            if answer.is_cut() {
                return Err(Error::limit(format!("the query answers more than {} rows", samples.len())));
            }
            Ok(samples)
        };
        self.watched("sql", text, question).await
    }
}

/// Which column is what, by number.
#[derive(Debug)]
struct Columns {
    value: usize,
    labels: Vec<(usize, String)>,
}

impl Columns {
    fn of(schema: &Schema) -> Result<Self> {
        let unnamed = || Error::invalid("the query answers no column \"value\": name the number so, as by count(*) AS value");
        let value = schema.index_of(VALUE).map_err(|_| unnamed())?;
        let (mut labels, mut names) = (Vec::new(), BTreeSet::new());
        for (index, field) in schema.fields().iter().enumerate() {
            let (name, kind) = (field.name(), field.data_type());
            if !names.insert(name) {
                return Err(Error::invalid(format!("the query answers column {name:?} twice")));
            }
            match name.as_str() {
                VALUE if kind.is_numeric() || kind.is_null() => {}
                VALUE => return Err(Error::invalid(format!("cannot take values from column \"value\" of type {kind}: want numbers"))),
                _ if is_text(kind) => labels.push((index, name.clone())),
                _ => return Err(Error::invalid(format!("cannot take labels from column {name:?} of type {kind}: want text, as by CAST({name} AS TEXT)"))),
            }
        }
        Ok(Self { value, labels })
    }

    fn read(&self, batch: &RecordBatch, ts_ms: i64, into: &mut Vec<VectorSample>) -> Result<()> {
        let to = |index: usize, kind: &DataType| {
            cast(batch.column(index), kind).map_err(|error| Error::invalid(format!("cannot read a column of the answer: {error}")).with_source(error))
        };
        let values = to(self.value, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        let mut labels = Vec::with_capacity(self.labels.len());
        for (index, name) in &self.labels {
            labels.push((name, to(*index, &DataType::Utf8)?));
        }
        for row in (0..batch.num_rows()).filter(|row| values.is_valid(*row)) {
            let mut builder = LabelsBuilder::default();
            for (name, texts) in labels.iter().filter(|(_, texts)| texts.is_valid(row)) {
                builder.set(name, texts.as_string::<i32>().value(row));
            }
            into.push(VectorSample { labels: builder.build(), ts_ms, point: Point::Float(values.value(row)) });
        }
        Ok(())
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => is_text(value),
        _ => kind.is_string() || kind.is_null(),
    }
}
