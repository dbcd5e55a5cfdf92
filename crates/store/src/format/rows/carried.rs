//! Which rows of a segment carry a value: as their trace, in their text, in their events and links, or in what they share with others.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt32Type;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::file::serialized_reader::SerializedPageReader;
use signalbox_model::{Error, Result, TextFilter, schema};

use super::{OpenRows, RowSegment, Wanted, column_of, schema_of};
use crate::read::metrics::cache::Key;
use crate::scan::Carried;

/// What rows share.
const COLUMNS: [&str; 2] = [schema::RESOURCE, schema::SCOPE];

/// The distinct texts of columns of a segment; of rows that are deleted too.
#[derive(Debug)]
struct SharedTexts {
    /// Of each of [`COLUMNS`].
    texts: [BTreeSet<String>; COLUMNS.len()],
}

impl SharedTexts {
    fn bytes(&self) -> usize {
        self.texts.iter().flatten().map(|text| text.len() + 64).sum::<usize>() + size_of::<Self>()
    }
}

impl RowSegment {
    /// Rows that may carry one of some values: ranges in any order. `None` if any row may.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn rows_that_carry(self: &Arc<Self>, carried: &Carried) -> Result<Option<Vec<Range<u64>>>> {
        if carried.in_items && !self.has_text_of_items()? {
            return Ok(None);
        }
        let mut rows = Vec::new();
        if !carried.phrases.is_empty() {
            let of_text = TextFilter { clauses: vec![carried.phrases.clone()] };
            let Some(found) = self.rows_of_text(&of_text)? else { return Ok(None) };
            rows = found;
        }
        if let Some(is_shared) = &carried.is_shared {
            let key = Key::Shared { segment: self.key() };
            let shared = self.cache.get(key, || self.load_shared().map(|shared| (shared.bytes(), shared)).map(|(bytes, shared)| (shared, bytes)));
            let shared = self.note(shared)?;
            if COLUMNS.iter().zip(&shared.texts).any(|(column, texts)| texts.iter().any(|text| is_shared(column, text))) {
                return Ok(None);
            }
        }
        if let Some(trace) = &carried.trace_id {
            rows.extend(self.rows_of_trace(trace)?);
        }
        Ok(Some(rows))
    }

    fn load_shared(self: &Arc<Self>) -> Result<SharedTexts> {
        let opened = self.opened()?;
        let mut texts = [BTreeSet::new(), BTreeSet::new()];
        for (name, texts) in COLUMNS.iter().zip(&mut texts) {
            for group in 0..opened.segment.metadata.metadata().num_row_groups() {
                match opened.dictionary(name, group)? {
                    Some(dictionary) => texts.extend(dictionary),
                    None => self.read_shared(name, &opened, group, texts)?,
                }
            }
        }
        Ok(SharedTexts { texts })
    }

    /// The texts of a column that is no dictionary as a whole.
    fn read_shared(self: &Arc<Self>, name: &str, opened: &OpenRows, group: usize, texts: &mut BTreeSet<String>) -> Result<()> {
        let other_type = || Error::internal(format!("cannot read {name} of {}: it is of another type", self.record().url));
        let column = schema::index(&*schema_of(self.record().table)?, name);
        let rows = opened.starts[group]..opened.starts[group + 1];
        let wanted = Wanted::Rows { projection: Some(&[column]), attributes: &[], is_typed: false, labels: &[] };
        for rows in self.without(Arc::default()).read(&[rows], wanted, Vec::new())? {
            let rows = rows?;
            let column = rows.column(0).as_dictionary_opt::<UInt32Type>().ok_or_else(other_type)?;
            let values = column.values().as_string_opt::<i32>().ok_or_else(other_type)?;
            texts.extend(values.iter().flatten().map(str::to_owned));
        }
        Ok(())
    }
}

impl OpenRows {
    /// The dictionary of a column of texts in a row group; `None` if other pages hold texts too.
    fn dictionary(&self, name: &str, group: usize) -> Result<Option<Vec<String>>> {
        let metadata = self.segment.metadata.metadata();
        let Some(column) = column_of(metadata.file_metadata().schema_descr(), name) else { return Ok(None) };
        let places = metadata.offset_index().and_then(|index| index.get(group)?.get(column)).map(|index| index.page_locations().clone());
        let (group, corrupt) = (metadata.row_group(group), || Error::corrupt(format!("cannot read the dictionary of {name} of a segment")));
        let chunk = group.column(column);
        let is_whole = chunk.page_encoding_stats_mask().is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY));
        if !is_whole {
            return Ok(None);
        }
        let file = Arc::new(self.file(1));
        let failure = file.failure();
        let failed = |error| failure.lock().take().unwrap_or_else(|| corrupt().with_source(error));
        let mut pages = SerializedPageReader::new(file, chunk, group.num_rows().max(0) as usize, places).map_err(failed)?;
        match pages.get_next_page().map_err(failed)? {
            Some(Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY, .. }) => {
                texts_of(&buf, num_values as usize).map(Some).ok_or_else(corrupt)
            }
            _ => Ok(None),
        }
    }
}

/// The texts of a page: each behind its length.
fn texts_of(mut page: &[u8], count: usize) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let (length, rest) = page.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        texts.push(std::str::from_utf8(text).ok()?.to_owned());
        page = rest;
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_texts_is_read_whole_or_not_at_all() {
        let page = [&2u32.to_le_bytes()[..], b"ab", &0u32.to_le_bytes(), &1u32.to_le_bytes(), b"c"].concat();
        assert_eq!(texts_of(&page, 3), Some(vec!["ab".to_owned(), String::new(), "c".to_owned()]));
        for end in 0..page.len() {
            assert_eq!(texts_of(&page[..end], 3), None);
        }
        assert_eq!(texts_of(&u32::MAX.to_le_bytes(), 1), None);
    }
}
