//! Which rows of a segment take how many of its bytes.

use std::collections::BTreeMap;

use parquet::file::metadata::ParquetMetaData;

/// Bytes of a file by row: the pages of all columns, each spread evenly over its rows. So a metric of noisy doubles weighs
/// more than one of constants beside it.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Where the density changes: the row, and the bytes of all rows before it.
    before: Vec<(u64, f64)>,
}

impl Weights {
    pub(crate) fn of(metadata: &ParquetMetaData) -> Self {
        let mut changes: BTreeMap<u64, f64> = BTreeMap::new();
        let mut spread = |from: u64, to: u64, bytes: f64| {
            if from < to {
                let density = bytes / (to - from) as f64;
                *changes.entry(from).or_default() += density;
                *changes.entry(to).or_default() -= density;
            }
        };
        let mut start = 0u64;
        for (number, group) in metadata.row_groups().iter().enumerate() {
            let end = start + group.num_rows().max(0).cast_unsigned();
            for (at, chunk) in group.columns().iter().enumerate() {
                let pages = metadata.offset_index().and_then(|index| index.get(number)?.get(at)).map_or(&[][..], |column| column.page_locations());
                let mut rest = chunk.compressed_size().max(0) as f64;
                for (page, next) in pages.iter().zip(pages.iter().skip(1).map(Some).chain([None])) {
                    let first = start + page.first_row_index.max(0).cast_unsigned();
                    let last = next.map_or(end, |next| start + next.first_row_index.max(0).cast_unsigned());
                    spread(first, last.min(end), f64::from(page.compressed_page_size));
                    rest -= f64::from(page.compressed_page_size);
                }
                // What is in no data page: dictionaries.
                spread(start, end, rest.max(0.0));
            }
            start = end;
        }
        let (mut before, mut row, mut bytes, mut density) = (Vec::with_capacity(changes.len()), 0, 0.0, 0.0);
        for (at, change) in changes {
            bytes += density * (at - row) as f64;
            before.push((at, bytes));
            (row, density) = (at, density + change);
        }
        Self { before }
    }

    /// Bytes of some rows.
    pub(crate) fn bytes(&self, first: u64, rows: u64) -> f64 {
        (self.before(first + rows) - self.before(first)).max(0.0)
    }

    fn before(&self, row: u64) -> f64 {
        let at = self.before.partition_point(|(start, _)| *start <= row);
        let Some((start, bytes)) = at.checked_sub(1).and_then(|at| self.before.get(at)) else { return 0.0 };
        let Some((end, all)) = self.before.get(at) else { return *bytes };
        bytes + (all - bytes) * (row - start) as f64 / (end - start) as f64
    }
}
