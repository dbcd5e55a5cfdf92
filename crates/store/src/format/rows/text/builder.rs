//! Makes the index of text of rows as they are written, in one pass over their bytes.

use std::fmt::Write as _;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt32Type};
use bytes::Bytes;
use signalbox_model::attributes::double_text;
use signalbox_model::text::{self, Marks, Word};
use signalbox_model::{Error, Result, schema};
use xxhash_rust::xxh3::xxh3_64;

use super::dictionary::Dictionary;
use super::grams::GramsBuilder;
use super::index::{Summary, TextIndex};
use super::kind::{self, LENGTH_MAX, Letters, UUID_HEAD, UUID_TAIL};
use super::prints::PrintsBuilder;
use super::table::{Seen, WordTable};

/// Rows of a page of the index: what has to be looked at for one word. A line is found by decompressing the page of bodies that it is on, and
/// these hold about as many.
pub(super) const PAGE_ROWS: usize = if cfg!(test) { 256 } else { 2 << 10 };

/// The blobs of a segment.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) index: Bytes,
    pub(crate) prints: Bytes,
    pub(crate) grams: Bytes,
}

/// Columns of text that people search, besides those of one attribute.
const OF_TEXT: [&str; 7] = [
    schema::logs::BODY,
    schema::logs::EVENT_NAME,
    schema::traces::NAME,
    schema::traces::STATUS_MESSAGE,
    schema::ATTRIBUTES,
    schema::traces::EVENTS,
    schema::traces::LINKS,
];

/// Whether a column of the table is text that people search.
pub(crate) fn is_text(column: &str) -> bool {
    OF_TEXT.contains(&column) || column.starts_with(schema::ATTRIBUTE_PREFIX)
}

/// Collects the text of rows.
#[derive(Debug, Default)]
pub(crate) struct TextBuilder {
    rows_on_page: usize,
    /// Values of attributes that were on the page.
    values: Seen,
    page: Page,
    summaries: Vec<Summary>,
}

/// The page that is being written, and what is kept of those before it.
#[derive(Debug, Default)]
struct Page {
    summary: Summary,
    words: WordTable,
    prints: PrintsBuilder,
    grams: GramsBuilder,
    identifiers: Seen,
    folded: Vec<u8>,
}

impl TextBuilder {
    /// Appends the next rows. Columns are found by their names; others are passed over.
    ///
    /// # Errors
    /// `Internal` if a column has a type in which no text was expected.
    pub(crate) fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < rows.num_rows() {
            let to = rows.num_rows().min(from + PAGE_ROWS - self.rows_on_page);
            for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
                if field.name().starts_with(schema::ATTRIBUTE_PREFIX) {
                    self.attribute(column, from..to)?;
                } else if is_text(field.name()) {
                    self.column(column, from..to)?;
                }
            }
            self.rows_on_page += to - from;
            if self.rows_on_page == PAGE_ROWS {
                self.end_page();
            }
            from = to;
        }
        Ok(())
    }

    /// The index of all that was appended.
    pub(crate) fn finish(mut self) -> Encoded {
        if self.rows_on_page > 0 {
            self.end_page();
        }
        let (prints, print_bytes) = self.page.prints.finish();
        let (filters, grams) = self.page.grams.finish();
        let mut index = TextIndex::encode_start(PAGE_ROWS as u64, &self.summaries, &filters, &prints);
        Dictionary::encode(&self.page.words, self.summaries.len() as u32, &mut index);
        Encoded { index: index.into(), prints: print_bytes.into(), grams: grams.into() }
    }

    fn end_page(&mut self) {
        let page = &mut self.page;
        page.words.end_page();
        page.prints.end_page();
        page.grams.end_page(self.rows_on_page);
        page.identifiers.clear();
        self.values.clear();
        self.summaries.push(std::mem::take(&mut page.summary));
        self.rows_on_page = 0;
    }

    fn column(&mut self, column: &ArrayRef, rows: Range<usize>) -> Result<()> {
        let other_type = || Error::internal(format!("cannot index text in a column of {}", column.data_type()));
        match column.data_type() {
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                for row in rows.filter(|row| texts.is_valid(*row)) {
                    self.page.text(texts.value(row));
                }
            }
            DataType::Dictionary(_, _) => {
                let column = column.as_dictionary_opt::<UInt32Type>().ok_or_else(other_type)?;
                let texts = column.values().as_string_opt::<i32>().ok_or_else(other_type)?;
                let mut is_used = vec![false; texts.len()];
                for row in rows.filter(|row| column.is_valid(*row)) {
                    is_used[column.keys().value(row) as usize] = true;
                }
                (0..texts.len()).filter(|number| is_used[*number]).for_each(|number| self.page.text(texts.value(number)));
            }
            DataType::Map(_, _) => {
                let map = column.as_map();
                let (values, offsets) = (map.values().as_string_opt::<i32>().ok_or_else(other_type)?, map.value_offsets());
                self.values(values, offsets[rows.start] as usize..offsets[rows.end] as usize);
            }
            DataType::List(_) => self.items(column.as_list(), rows)?,
            _ => return Err(other_type()),
        }
        Ok(())
    }

    /// Events or links: their names, values, and whom they name.
    fn items(&mut self, lists: &ListArray, rows: Range<usize>) -> Result<()> {
        let other_type = || Error::internal(format!("cannot index text in a list of {}", lists.value_type()));
        let (items, offsets) = (lists.values().as_struct_opt().ok_or_else(other_type)?, lists.value_offsets());
        let entries = offsets[rows.start] as usize..offsets[rows.end] as usize;
        if entries.is_empty() {
            return Ok(());
        }
        for (field, column) in items.fields().iter().zip(items.columns()) {
            match column.data_type() {
                DataType::FixedSizeBinary(_) => {
                    let ids = column.as_fixed_size_binary();
                    entries.clone().for_each(|entry| self.page.id(ids.value(entry)));
                }
                DataType::Utf8 if field.name() == schema::traces::NAME => self.values(column.as_string(), entries.clone()),
                DataType::Map(_, _) => {
                    let map = column.as_map();
                    let (values, offsets) = (map.values().as_string_opt::<i32>().ok_or_else(other_type)?, map.value_offsets());
                    self.values(values, offsets[entries.start] as usize..offsets[entries.end] as usize);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A column of one attribute: its values as they are in the map.
    fn attribute(&mut self, column: &ArrayRef, rows: Range<usize>) -> Result<()> {
        match column.data_type() {
            DataType::Utf8 => self.values(column.as_string(), rows),
            DataType::Int64 => {
                let (column, mut text) = (column.as_primitive::<Int64Type>(), String::new());
                for row in rows.filter(|row| column.is_valid(*row)) {
                    text.clear();
                    write!(text, "{}", column.value(row)).expect("writing into a text cannot fail");
                    self.value(&text);
                }
            }
            DataType::Float64 => {
                let column = column.as_primitive::<Float64Type>();
                rows.filter(|row| column.is_valid(*row)).for_each(|row| self.value(&double_text(column.value(row))));
            }
            DataType::Boolean => {
                let column = column.as_boolean();
                rows.filter(|row| column.is_valid(*row)).for_each(|row| self.value(if column.value(row) { "true" } else { "false" }));
            }
            _ => self.column(column, rows)?,
        }
        Ok(())
    }

    fn value(&mut self, text: &str) {
        if !self.values.note(text.as_bytes()) {
            self.page.text(text);
        }
    }

    fn values(&mut self, values: &StringArray, entries: Range<usize>) {
        for entry in entries.filter(|entry| values.is_valid(*entry)) {
            self.value(values.value(entry));
        }
    }
}

impl Page {
    fn text(&mut self, text: &str) {
        let (bytes, mut words) = (text.as_bytes(), text::words(text));
        // The last three words, as long as a point alone joins them.
        let (mut chain, mut joined) = ([Word { start: 0, end: 0, marks: Marks::NONE }; 3], 0);
        while let Some(word) = words.next() {
            let is_joined = joined > 0 && bytes[chain[2].end] == b'.' && chain[2].end + 1 == word.start;
            if is_joined && joined >= 3 {
                self.quad(bytes, &chain, &word);
            }
            joined = if is_joined { joined + 1 } else { 1 };
            chain = [chain[1], chain[2], word];
            let own = &bytes[word.start..word.end];
            if own.len() == UUID_HEAD && kind::begins_with_uuid(&bytes[word.start..]) && self.uuid(text, word.start) {
                let tail = Word { start: word.start + UUID_TAIL, end: word.start + kind::UUID_BYTES, ..word };
                words.skip_to(tail.end);
                (chain[2], joined) = (tail, 1);
            } else if kind::is_identifier(own, word.marks) || !self.words.push(own) {
                self.identifier(own, word.marks);
            }
        }
    }

    /// An identifier that may stand anywhere: by its fingerprint, its length, its grams.
    fn identifier(&mut self, word: &[u8], marks: Marks) {
        if self.identifiers.note(word) {
            return;
        }
        kind::fold(word, &mut self.folded);
        self.prints.push((xxh3_64(&self.folded) >> 32) as u32);
        self.parts(marks);
    }

    /// An identifier that is looked for as a whole, by the digits that it is written with.
    fn id(&mut self, id: &[u8]) {
        let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
        self.folded.clear();
        self.folded.extend(id.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
        if !self.identifiers.note(&self.folded) {
            self.prints.push((xxh3_64(&self.folded) >> 32) as u32);
        }
    }

    /// Notes what pieces the folded identifier has.
    fn parts(&mut self, marks: Marks) {
        let longest = &mut self.summary.longest[kind::kind_of(marks)];
        *longest = (*longest).max(self.folded.len().min(LENGTH_MAX) as u8);
        self.summary.letters.add(Letters::of(&self.folded));
        self.grams.push(&self.folded);
    }

    /// A UUID if it ends as one; what stands there is a word of eight digits at least.
    fn uuid(&mut self, text: &str, start: usize) -> bool {
        let (head, tail) = (start..start + UUID_HEAD, start + UUID_TAIL..start + kind::UUID_BYTES);
        let is_end = text.get(tail.start..).and_then(|rest| text::words(rest).next()).is_some_and(|word| word.end == tail.len());
        if !is_end {
            return false;
        }
        self.summary.has_uuids = true;
        let (bytes, marks) = (text.as_bytes(), Marks::DIGIT.with(Marks::HEX));
        if !self.identifiers.note(&bytes[start..tail.end]) {
            kind::fold(&bytes[head], &mut self.folded);
            self.parts(marks);
            self.identifier(&bytes[tail], marks);
        }
        true
    }

    /// Four words joined by points: an IPv4 address, or what may be taken for a part of one.
    fn quad(&mut self, bytes: &[u8], chain: &[Word; 3], last: &Word) {
        let of = |word: &Word| &bytes[word.start..word.end];
        if !kind::is_short_number(of(&chain[1])) || !kind::is_short_number(of(&chain[2])) {
            return;
        }
        if kind::is_octet(of(&chain[0])) && kind::is_octet(of(last)) {
            let quad = &bytes[chain[0].start..last.end];
            if !self.identifiers.note(quad) {
                self.prints.push((xxh3_64(quad) >> 32) as u32);
            }
        } else if bytes[chain[0].end - 1].is_ascii_digit() && bytes[last.start].is_ascii_digit() {
            self.summary.has_odd_quads = true;
        }
    }
}
