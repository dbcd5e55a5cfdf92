//! How each column is written.

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use signalbox_model::schema;

use super::layout::{Kind, Layout};

/// Rows of a page: what a reader decompresses of a column to get at one row. Pages of
/// columns that are no lists or maps begin at the same rows, but for bodies.
/// Tests reach several with few rows.
pub(super) const PAGE_ROWS: usize = if cfg!(test) { 256 } else { 8 << 10 };
/// Rows of a row group at most. A writer holds one encoded in memory, some tens of bytes a row. Groups twice as large are no
/// smaller a row, and their dictionaries are larger to read.
pub(super) const GROUP_ROWS: usize = if cfg!(test) { 2 << 10 } else { 192 << 10 };
/// Only the rows of a page should end it; a page of large rows still has an end.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// Of bodies, which are most of what is decompressed to get at a few rows: about those of a page of the index of text. Bodies of L1 take
/// 11.9 bytes a row in pages of 256 KiB, 12.4 in pages of 128.
const BODY_PAGE_BYTES_MAX: usize = if cfg!(test) { 2 << 10 } else { 192 << 10 };
/// The texts of a dictionary column in a row group, before compression. Beyond it the rest of the group is written plainly.
const DICTIONARY_BYTES_MAX: usize = 8 << 20;
/// The same for values of attributes and for traces, which may be as many as the rows: whoever reads one page reads the dictionary too.
const VALUES_BYTES_MAX: usize = 1 << 20;

/// The same for numbers that are attributes: states repeat, measurements do not.
const FEW_BYTES_MAX: usize = 64 << 10;

/// Of times, sequences and durations: they are packed before, and higher levels find nothing more in them.
const NUMBERS_ZSTD_LEVEL: i32 = 1;

/// Columns with statistics of each page: what rows are looked for by.
const OF_PAGES: [&str; 5] = [schema::TIMESTAMP, schema::SERVICE, schema::traces::DURATION_NS, schema::traces::STATUS_CODE, schema::traces::KIND];

/// The first leaf of a column of the table, by its name.
pub(crate) fn column_of(parquet: &SchemaDescriptor, name: &str) -> Option<usize> {
    parquet.columns().iter().position(|column| column.path().parts().first().is_some_and(|part| part == name))
}

/// The properties of a file of a table.
pub(super) fn properties(layout: &Layout, arrow: &SchemaRef, zstd_level: i32) -> Result<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(zstd_level)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for column in ArrowSchemaConverter::new().convert(arrow)?.columns() {
        let path = column.path().clone();
        properties = match form_of(layout, column) {
            Form::Plain => properties.set_column_dictionary_enabled(path, false),
            Form::Encoded(encoding) => properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding),
            Form::Dictionary => properties,
            Form::Limited(bytes_max, encoding) => properties.set_column_dictionary_page_size_limit(path.clone(), bytes_max).set_column_encoding(path, encoding),
        };
        if column.physical_type() == Type::INT64 {
            properties = properties.set_column_compression(column.path().clone(), Compression::ZSTD(ZstdLevel::try_new(NUMBERS_ZSTD_LEVEL)?));
        }
        if column.path().parts() == [schema::logs::BODY] {
            properties = properties.set_column_data_page_size_limit(column.path().clone(), BODY_PAGE_BYTES_MAX);
        }
        let statistics = match column.path().parts() {
            [name] if OF_PAGES.contains(&name.as_str()) => EnabledStatistics::Page,
            [_] if matches!(column.physical_type(), Type::INT32 | Type::INT64) => EnabledStatistics::Chunk,
            // How many rows have one.
            [name] if name.starts_with(schema::ATTRIBUTE_PREFIX) => EnabledStatistics::Chunk,
            _ => EnabledStatistics::None,
        };
        properties = properties.set_column_statistics_enabled(column.path().clone(), statistics);
    }
    Ok(properties.build())
}

enum Form {
    Plain,
    Encoded(Encoding),
    Dictionary,
    /// A dictionary of at most so many bytes, an encoding behind that.
    Limited(usize, Encoding),
}

/// Values of attributes: their lengths apart, since they are short.
const VALUES: Form = Form::Limited(VALUES_BYTES_MAX, Encoding::DELTA_LENGTH_BYTE_ARRAY);

fn form_of(layout: &Layout, column: &ColumnDescriptor) -> Form {
    let parts = column.path().parts();
    let (root, leaf) = (parts.first().map_or("", String::as_str), parts.last().map_or("", String::as_str));
    if let Some(key) = root.strip_prefix(schema::ATTRIBUTE_PREFIX) {
        let kind = layout.promoted().iter().find(|own| own.key == key).map(|own| own.kind);
        return match kind {
            Some(Kind::Plain) => Form::Plain,
            Some(Kind::Int) => Form::Limited(FEW_BYTES_MAX, Encoding::DELTA_BINARY_PACKED),
            Some(Kind::Double) => Form::Limited(FEW_BYTES_MAX, Encoding::PLAIN),
            Some(Kind::Bool) => Form::Plain,
            Some(Kind::Text) | None => VALUES,
        };
    }
    match column.physical_type() {
        // A collector has few of them, or as many as rows.
        Type::INT64 if root == schema::logs::OBSERVED_DELAY => Form::Limited(FEW_BYTES_MAX, Encoding::DELTA_BINARY_PACKED),
        // Times, sequences, durations.
        Type::INT64 => Form::Encoded(Encoding::DELTA_BINARY_PACKED),
        // Version 1 of Parquet's writer knows no dictionaries of these.
        Type::FIXED_LEN_BYTE_ARRAY => Form::Plain,
        // The compressor makes more of lengths between the texts than of texts and lengths apart.
        Type::BYTE_ARRAY if root == schema::logs::BODY => Form::Plain,
        Type::BYTE_ARRAY if leaf == "value" => VALUES,
        _ => Form::Dictionary,
    }
}
