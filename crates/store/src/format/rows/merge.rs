//! Several segments of one table to one.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use signalbox_model::{Error, Result, Table, schema};

use super::attributes::{Adapter, target_of};
use super::cluster::Unfolded;
use super::order::{At, Key, Order, add_services};
use super::writer::RowsWriter;
use super::{RowSegment, Target, Wanted, columns, gather, schema_of};
use crate::format::Segment;
use crate::scan::Batches;

/// Merges segments of one table. All rows stay as they are, those of equal keys too. Reads and writes piece by piece; memory
/// is bounded by one row group and a few pages an input, a cluster of those that have them and of what is written. Durable when this returns; `None` if there is no input.
///
/// # Errors
/// Of the disk; [`signalbox_model::ErrorKind::Corrupt`] if an input is damaged ([`RowSegment::is_damaged`] says which).
pub(crate) fn merge(inputs: &[Arc<RowSegment>], target: &mut Target<'_>) -> Result<Option<Segment>> {
    let Some(table) = inputs.first().map(|input| input.record().table) else { return Ok(None) };
    if inputs.iter().any(|input| input.record().table != table) {
        return Err(Error::internal("cannot merge segments of several tables"));
    }
    let order = order_of(table, inputs)?;
    let mut writer = RowsWriter::create(target_of(table, inputs)?, target)?;
    match weave_all(inputs, &order, &mut writer) {
        // Everything may have been deleted.
        Ok(()) if writer.is_empty() => {
            writer.abandon();
            Ok(None)
        }
        Ok(()) => writer.finish().map(Some),
        Err(error) => {
            writer.abandon();
            Err(error)
        }
    }
}

fn weave_all(inputs: &[Arc<RowSegment>], order: &Order, writer: &mut RowsWriter) -> Result<()> {
    let mut sources = Vec::with_capacity(inputs.len());
    for input in inputs {
        sources.push(Source::new(input, order, writer)?);
    }
    weave(sources, order, writer)
}

fn order_of(table: Table, inputs: &[Arc<RowSegment>]) -> Result<Order> {
    if table != Table::Logs {
        return Ok(Order::SortedSpans);
    }
    let (mut services, column) = (BTreeSet::new(), schema::index(&*schema_of(table)?, schema::SERVICE));
    for input in inputs {
        for rows in input.read_all(Wanted::Rows { projection: Some(&[column]), attributes: &[], is_typed: false, labels: &[] })? {
            add_services(&rows?, &mut services)?;
        }
    }
    Ok(Order::of_services(services))
}

/// Writes the rows of all sources in their order, a page at a time.
fn weave(mut sources: Vec<Source>, order: &Order, writer: &mut RowsWriter) -> Result<()> {
    let mut pending = Pending::default();
    loop {
        // The two sources that come first: of the first one all rows up to the second can be taken.
        let mut first: Option<(Key, usize)> = None;
        let mut limit: Option<(Key, usize)> = None;
        for (number, source) in sources.iter().enumerate() {
            let Some(next) = source.keys.get(source.at).map(|key| (*key, number)) else { continue };
            if first.is_none_or(|first| next < first) {
                (limit, first) = (first, Some(next));
            } else if limit.is_none_or(|limit| next < limit) {
                limit = Some(next);
            }
        }
        let Some((_, number)) = first else { break };
        let source = &mut sources[number];
        let batch = pending.number_of(source);
        while let Some(key) = source.keys.get(source.at)
            && limit.is_none_or(|limit| (*key, number) < limit)
        {
            pending.places.push((batch, source.at));
            source.at += 1;
            if pending.places.len() == columns::PAGE_ROWS {
                break;
            }
        }
        if pending.places.len() == columns::PAGE_ROWS {
            pending.flush(writer)?;
            sources.iter_mut().for_each(|source| source.pending = None);
        }
        let source = &mut sources[number];
        if source.at == source.keys.len() {
            source.advance(order, writer)?;
        }
    }
    pending.flush(writer)
}

/// The rows that come next: places in batches.
#[derive(Default)]
struct Pending {
    batches: Vec<RecordBatch>,
    places: Vec<(usize, usize)>,
}

impl Pending {
    /// The number of the batch that a source is at.
    fn number_of(&mut self, source: &mut Source) -> usize {
        *source.pending.get_or_insert_with(|| {
            self.batches.push(source.rows.clone());
            self.batches.len() - 1
        })
    }

    fn flush(&mut self, writer: &mut RowsWriter) -> Result<()> {
        let (batches, places) = (mem::take(&mut self.batches), mem::take(&mut self.places));
        if places.is_empty() {
            return Ok(());
        }
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        writer.push_at_rest(&gather::gather(&batches, &places)?)
    }
}

/// An input, at one of its rows.
struct Source {
    rest: Rest,
    adapter: Adapter,
    rows: RecordBatch,
    keys: Vec<Key>,
    at: usize,
    trace: At,
    /// Number of `rows` among the pending batches.
    pending: Option<usize>,
}

/// The rows of an input that are to come, in their order.
enum Rest {
    Sorted(Batches),
    Clustered(Unfolded),
}

impl Source {
    fn new(input: &Arc<RowSegment>, order: &Order, writer: &mut RowsWriter) -> Result<Self> {
        let opened = input.opened()?;
        let rest = match opened.clusters.as_slice() {
            [] => Rest::Sorted(input.read_all(Wanted::Rest)?),
            ends => Rest::Clustered(Unfolded::new(input, ends)),
        };
        let adapter = Adapter::new(&opened.layout, &opened.in_map, writer.parts().0)?;
        let rows = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        let mut source = Self { rest, adapter, rows, keys: Vec::new(), at: 0, trace: None, pending: None };
        source.advance(order, writer)?;
        Ok(source)
    }

    /// Goes to the next batch; at the end there are no keys.
    fn advance(&mut self, order: &Order, writer: &mut RowsWriter) -> Result<()> {
        (self.keys, self.at, self.pending) = (Vec::new(), 0, None);
        while self.keys.is_empty() {
            let next = match &mut self.rest {
                Rest::Sorted(batches) => batches.next(),
                Rest::Clustered(unfolded) => unfolded.next(order),
            };
            let Some(rows) = next else { return Ok(()) };
            let (splitter, patterns) = writer.parts();
            self.rows = self.adapter.adapt(&rows?, splitter, patterns)?;
            self.keys = order.keys(&self.rows, &mut self.trace)?;
        }
        Ok(())
    }
}
