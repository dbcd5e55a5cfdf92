//! The texts that many rows of a segment share: their services, resources and scopes. They are read from dictionaries, a page for
//! each row group, and not from rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::file::serialized_reader::SerializedPageReader;
use signalbox_model::{Error, Result, schema};

use super::{OpenRows, RowSegment, Wanted, column_of, schema_of};
use crate::read::metrics::cache::Key;

impl RowSegment {
    /// The services of its rows.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn services(self: &Arc<Self>) -> Result<BTreeSet<String>> {
        if self.deletions().is_empty() {
            return Ok(self.shared_texts(schema::SERVICE)?.as_ref().clone());
        }
        // A dictionary has the texts of deleted rows as well.
        let mut services = BTreeSet::new();
        let column = schema::index(&*schema_of(self.record().table)?, schema::SERVICE);
        for rows in self.read_all(Wanted::Rows { projection: Some(&[column]), attributes: &[], is_typed: false, labels: &[] })? {
            add_used(&rows?, schema::SERVICE, &mut services)?;
        }
        Ok(services)
    }

    /// What its rows have in a column of texts; rows that are deleted too.
    pub(super) fn shared_texts(self: &Arc<Self>, column: &'static str) -> Result<Arc<BTreeSet<String>>> {
        let load = || {
            let texts = self.load_shared(column)?;
            let bytes = texts.iter().map(|text| text.len() + 64).sum::<usize>() + size_of::<BTreeSet<String>>();
            Ok((texts, bytes))
        };
        self.note(self.cache.get(Key::Shared { segment: self.key(), column }, load))
    }

    fn load_shared(self: &Arc<Self>, name: &str) -> Result<BTreeSet<String>> {
        let (opened, mut texts) = (self.opened()?, BTreeSet::new());
        for group in 0..opened.segment.metadata.metadata().num_row_groups() {
            match opened.dictionary(name, group)? {
                Some(dictionary) => texts.extend(dictionary),
                None => self.read_shared(name, &opened, group, &mut texts)?,
            }
        }
        Ok(texts)
    }

    /// The texts of a column that is no dictionary as a whole.
    fn read_shared(self: &Arc<Self>, name: &str, opened: &OpenRows, group: usize, texts: &mut BTreeSet<String>) -> Result<()> {
        let column = schema::index(&*schema_of(self.record().table)?, name);
        let rows = opened.starts[group]..opened.starts[group + 1];
        let wanted = Wanted::Rows { projection: Some(&[column]), attributes: &[], is_typed: false, labels: &[] };
        for rows in self.without(Arc::default()).read(&[rows], wanted, Vec::new())? {
            add_used(&rows?, name, texts)?;
        }
        Ok(())
    }
}

/// Adds the texts that rows have in a column of the type of a dictionary: it may hold others too.
pub(crate) fn add_used(rows: &RecordBatch, name: &str, texts: &mut BTreeSet<String>) -> Result<()> {
    let other_type = || Error::internal(format!("cannot list texts of {name}: it is of another type"));
    let column = rows.column_by_name(name).and_then(|column| column.as_dictionary_opt::<UInt32Type>()).ok_or_else(other_type)?;
    let values = column.values().as_string_opt::<i32>().ok_or_else(other_type)?;
    let mut is_used = vec![false; values.len()];
    for key in column.keys().iter().flatten() {
        if let Some(is_used) = is_used.get_mut(key as usize) {
            *is_used = true;
        }
    }
    let used = values.iter().zip(is_used).filter_map(|(text, is_used)| text.filter(|_| is_used));
    for text in used {
        if !texts.contains(text) {
            texts.insert(text.to_owned());
        }
    }
    Ok(())
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
