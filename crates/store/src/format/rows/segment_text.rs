//! Asks the index of text of a segment.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signalbox_model::{Error, ErrorKind, Result, TextFilter};

use super::segment::BATCH_ROWS;
use super::text::{self, Encoded, Part, TextBuilder, TextIndex};
use super::{OpenRows, RowSegment};
use crate::format::writer::BLOCK_BYTES;
use crate::read::metrics::cache::Key;

/// What is a piece of a part: no larger than the block that it is mostly in.
const PIECE_BYTES_MAX: u64 = BLOCK_BYTES as u64;

/// The index of text of a segment as the cache holds it.
#[derive(Debug)]
struct LoadedText {
    index: TextIndex,
    /// The parts, if they had to be made again.
    rebuilt: Option<Encoded>,
}

impl LoadedText {
    /// With its bytes in memory.
    fn sized(self) -> (Self, usize) {
        let parts = self.rebuilt.as_ref().map_or(0, |parts| parts.prints.len() + parts.grams.len());
        let bytes = self.index.bytes() + parts;
        (self, bytes)
    }
}

impl RowSegment {
    /// Rows that may fit a filter of text: ranges, ascending. `None` if the segment has no index of text, as those that
    /// were written before there was one.
    pub(crate) fn rows_of_text(&self, filter: &TextFilter) -> Result<Option<Vec<Range<u64>>>> {
        let opened = self.opened()?;
        let Some(loaded) = self.text_index(&opened)? else { return Ok(None) };
        let found = match self.find_text(&loaded, &opened, filter) {
            Err(error) if error.kind() == ErrorKind::Corrupt && loaded.rebuilt.is_none() => {
                let (rebuilt, bytes) = self.note(self.rebuild_text(&opened, &error))?.sized();
                let rebuilt = Arc::new(rebuilt);
                self.cache.insert(Key::Text { segment: self.key() }, &rebuilt, bytes);
                self.find_text(&rebuilt, &opened, filter)?
            }
            found => found?,
        };
        Ok(Some(found))
    }

    /// Whether the index of text has events and links too; that of segments of earlier versions has not.
    pub(super) fn has_text_of_items(&self) -> Result<bool> {
        Ok(self.text_index(&*self.opened()?)?.is_some_and(|loaded| loaded.index.has_items()))
    }

    fn text_index(&self, opened: &OpenRows) -> Result<Option<Arc<LoadedText>>> {
        if opened.segment.blob_range(text::INDEX_BLOB, 0..0)?.is_none() {
            return Ok(None);
        }
        let key = Key::Text { segment: self.key() };
        self.note(self.cache.get(key, || self.load_text(opened).map(LoadedText::sized))).map(Some)
    }

    fn find_text(&self, loaded: &LoadedText, opened: &OpenRows, filter: &TextFilter) -> Result<Vec<Range<u64>>> {
        let pages = match &loaded.rebuilt {
            Some(parts) => loaded.index.find(filter, &|part, range| slice(if part == Part::Prints { &parts.prints } else { &parts.grams }, range))?,
            None => loaded.index.find(filter, &|part, range| self.fetch_text(opened, part, range))?,
        };
        Ok(pages.rows(loaded.index.page_rows(), self.record().rows))
    }

    /// Reads bytes of a part.
    ///
    /// Pieces are read with the block of the file that they are in, which is kept if it is asked for again: a part of a large segment
    /// is larger than what a thousand look-ups need of it, and those of all segments are more than the cache holds.
    fn fetch_text(&self, opened: &OpenRows, part: Part, range: Range<u64>) -> Result<Bytes> {
        let name = if part == Part::Prints { text::PRINTS_BLOB } else { text::GRAMS_BLOB };
        let none = || Error::corrupt(format!("cannot read {name} of {}: there is none", self.record().url));
        if range.end.saturating_sub(range.start) <= PIECE_BYTES_MAX {
            return match opened.segment.blob_block(name, &range)? {
                Some((block, within)) => self.fetch_block(opened, block).and_then(|block| slice(&block, within)),
                None => opened.segment.blob_range(name, range)?.ok_or_else(none),
            };
        }
        let key = Key::TextPart { segment: self.key(), part };
        if let Some(whole) = self.cache.find::<Bytes>(&key) {
            return slice(&whole, range);
        }
        let size = opened.segment.blob_len(name).ok_or_else(none)?;
        if !self.cache.may_hold(size as usize) || !self.cache.is_wanted(&key) {
            return opened.segment.blob_range(name, range)?.ok_or_else(none);
        }
        let whole = Arc::new(opened.segment.blob(name)?.ok_or_else(none)?);
        self.cache.insert(key, &whole, whole.len() + 64);
        slice(&whole, range)
    }

    fn fetch_block(&self, opened: &OpenRows, number: u64) -> Result<Arc<Bytes>> {
        let key = Key::Block { segment: self.key(), number };
        if let Some(block) = self.cache.find::<Bytes>(&key) {
            return Ok(block);
        }
        let block = Arc::new(opened.segment.file.read_block(number)?);
        if self.cache.is_wanted(&key) {
            self.cache.insert(key, &block, block.len() + 64);
        }
        Ok(block)
    }

    fn load_text(&self, opened: &OpenRows) -> Result<LoadedText> {
        let blob = opened.segment.blob(text::INDEX_BLOB).map(Option::unwrap_or_default);
        match blob.and_then(|blob| TextIndex::decode(&blob, self.record().rows)) {
            Ok(index) => Ok(LoadedText { index, rebuilt: None }),
            Err(error) if error.kind() == ErrorKind::Corrupt => self.rebuild_text(opened, &error),
            Err(error) => Err(error),
        }
    }

    fn rebuild_text(&self, opened: &OpenRows, error: &Error) -> Result<LoadedText> {
        let url = &self.record().url;
        tracing::warn!(%error, segment = %url, "cannot read the index of text of {url}, making it again from the columns");
        let parts = opened.collect_text(url)?;
        let index = TextIndex::decode(&parts.index, self.record().rows)?;
        Ok(LoadedText { index, rebuilt: Some(Encoded { index: Bytes::new(), ..parts }) })
    }
}

impl OpenRows {
    fn collect_text(&self, url: &str) -> Result<Encoded> {
        let corrupt = || Error::corrupt(format!("cannot read the text of {url}"));
        let fields = self.segment.metadata.schema().fields();
        let columns = fields.iter().enumerate().filter(|(_, field)| text::is_text(field.name())).map(|(column, _)| column);
        let parquet = self.segment.metadata.parquet_schema();
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file(parquet.num_columns()), self.segment.metadata.clone())
            .with_projection(ProjectionMask::roots(parquet, columns))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| corrupt().with_source(error))?;
        let mut builder = TextBuilder::default();
        for rows in batches {
            builder.push(&rows.map_err(|error| corrupt().with_source(error))?)?;
        }
        Ok(builder.finish())
    }
}

/// A range of a part.
fn slice(part: &Bytes, range: Range<u64>) -> Result<Bytes> {
    let is_inside = range.start <= range.end && range.end <= part.len() as u64;
    let slice = is_inside.then(|| part.slice(range.start as usize..range.end as usize));
    slice.ok_or_else(|| Error::corrupt("cannot read the index of text of a segment: a part of it is cut"))
}
