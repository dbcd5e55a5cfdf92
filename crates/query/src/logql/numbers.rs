//! Arrival numbers of the records that a query selects: for orders that are about rows.

use arrow::array::UInt64Array;
use signalbox_lang::logql::LogExpr;
use signalbox_model::{Error, Result, Tenant, TimeRange, schema};
use signalbox_store::row_numbers::RowNumbers;

use super::log::{Context, Query};
use crate::Engine;
use crate::logs::visit;
use crate::rows::column;

/// Records at a time: their numbers are held in memory.
const ROWS_MAX: usize = 50_000_000;

impl Engine {
    /// The numbers of all records in a range that pass a selector and its whole pipeline.
    ///
    /// # Errors
    /// `Invalid` for a pattern that does not compile; `Limit` for more than 50 million records; `Timeout`; of the disk.
    pub(crate) async fn log_numbers(&self, tenant: &Tenant, expr: LogExpr, range: TimeRange) -> Result<RowNumbers> {
        let (snapshot, context) = (self.store.snapshot(tenant), Context::of(self));
        let text = expr.to_string();
        let numbers = self.blocking(move |leash| {
            let (mut query, mut numbers) = (Query::new(&expr, context)?, Vec::new());
            visit(&snapshot, &mut query, range, &[schema::SEQUENCE], Vec::new(), leash, &mut |rows, wanted| {
                let sequence: &UInt64Array = column(rows, schema::SEQUENCE)?;
                numbers.extend(wanted.iter().map(|row| sequence.value(*row)));
                if numbers.len() > ROWS_MAX {
                    return Err(Error::limit(format!("cannot take more than {ROWS_MAX} records at once: choose a shorter range, one after the other")));
                }
                Ok(())
            })?;
            Ok(RowNumbers::of(numbers))
        });
        self.watched("logql", text, numbers).await
    }
}
