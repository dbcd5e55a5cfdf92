//! Sealed head to segment.

use arrow::record_batch::RecordBatch;
use signalbox_model::Result;

use super::attributes::Census;
use super::order::{Key, Order};
use super::writer::RowsWriter;
use super::{Layout, Target, columns, gather};
use crate::format::Segment;
use crate::write::head::rows::Sealed;

/// Rows at which the attributes that get columns are chosen: of all chunks together, and of each at least.
const SAMPLE_ROWS: usize = 32 << 10;
const SAMPLE_ROWS_MIN: usize = 256;

/// Writes sealed rows as one segment, durable when this returns. On error no file is left behind but orphans.
///
/// # Errors
/// Of the disk.
pub(crate) fn write(sealed: &Sealed, target: &mut Target<'_>) -> Result<Segment> {
    let batches: Vec<&RecordBatch> = sealed.chunks.iter().map(|chunk| &chunk.rows).collect();
    let order = Order::of_rows(sealed.table, batches.iter().copied())?;
    let mut places: Vec<(Key, u32, u32)> = Vec::with_capacity(batches.iter().map(|rows| rows.num_rows()).sum());
    for (batch, rows) in batches.iter().enumerate() {
        places.extend(order.keys(rows, &mut None)?.into_iter().zip(0..).map(|(key, row)| (key, batch as u32, row)));
    }
    drop(order);
    places.sort_unstable();
    let mut census = Census::default();
    let sample_rows = (SAMPLE_ROWS / batches.len().max(1)).max(SAMPLE_ROWS_MIN);
    for rows in &batches {
        census.add(&rows.slice(0, rows.num_rows().min(sample_rows)))?;
    }
    let mut writer = RowsWriter::create(Layout::new(sealed.table, census.choose()), target)?;
    drop(census);
    for places in places.chunks(columns::PAGE_ROWS) {
        let pushed = gather_places(&batches, places).and_then(|rows| writer.push(&rows));
        if let Err(error) = pushed {
            writer.abandon();
            return Err(error);
        }
    }
    writer.finish()
}

/// The rows of places; only of the batches that have any, for gathering looks at all it is given.
fn gather_places(batches: &[&RecordBatch], places: &[(Key, u32, u32)]) -> Result<RecordBatch> {
    let (mut numbers, mut used) = (vec![None; batches.len()], Vec::new());
    let places: Vec<(usize, usize)> = places
        .iter()
        .map(|(_, batch, row)| {
            let number = *numbers[*batch as usize].get_or_insert_with(|| {
                used.push(batches[*batch as usize]);
                used.len() - 1
            });
            (number, *row as usize)
        })
        .collect();
    gather::gather(&used, &places)
}
