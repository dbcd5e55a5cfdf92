//! A column of attributes: a map of text, and beside it the letters of the types.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, MapArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};

use crate::attributes::{AttributeValue, bytes_text, double_text};
use crate::schema;

/// Builds an attribute map column and its column of types. Append the attributes of a row, then close the row.
#[derive(Debug)]
pub struct AttributesBuilder {
    keys: StringBuilder,
    values: StringBuilder,
    offsets: Vec<i32>,
    types: StringBuilder,
    row_types: String,
    is_typed: bool,
}

impl Default for AttributesBuilder {
    fn default() -> Self {
        Self {
            keys: StringBuilder::new(),
            values: StringBuilder::new(),
            offsets: vec![0],
            types: StringBuilder::new(),
            row_types: String::new(),
            is_typed: false,
        }
    }
}

impl AttributesBuilder {
    /// Appends an attribute in its text form under a letter of [`crate::attributes`].
    pub fn append_text(&mut self, key: &str, letter: char, text: &str) {
        self.keys.append_value(key);
        self.values.append_value(text);
        self.row_types.push(letter);
        self.is_typed |= letter != 's';
    }

    /// As [`AttributesBuilder::append_text`], of an attribute whose text may be missing.
    pub fn append_option(&mut self, key: &str, letter: char, text: Option<&str>) {
        self.keys.append_value(key);
        self.values.append_option(text);
        self.row_types.push(letter);
        self.is_typed |= letter != 's';
    }

    /// Appends a string attribute.
    pub fn append_string(&mut self, key: &str, text: &str) {
        self.append_text(key, 's', text);
    }

    /// Appends a bool attribute.
    pub fn append_bool(&mut self, key: &str, value: bool) {
        self.append_text(key, 'b', if value { "true" } else { "false" });
    }

    /// Appends an integer attribute.
    pub fn append_int(&mut self, key: &str, value: i64) {
        use std::fmt::Write as _;
        self.keys.append_value(key);
        // Writing into a growing buffer cannot fail.
        write!(self.values, "{value}").expect("string builders accept every text");
        self.values.append_value("");
        self.row_types.push('i');
        self.is_typed = true;
    }

    /// Appends a floating point attribute.
    pub fn append_double(&mut self, key: &str, value: f64) {
        self.append_text(key, 'd', &double_text(value));
    }

    /// Appends an attribute of bytes.
    pub fn append_bytes(&mut self, key: &str, bytes: &[u8]) {
        self.append_text(key, 'y', &bytes_text(bytes));
    }

    /// Appends any attribute.
    pub fn append(&mut self, key: &str, value: &AttributeValue) {
        self.append_text(key, value.letter(), &value.to_text());
    }

    /// Closes the row; what was appended since the last close is its attributes.
    pub fn close_row(&mut self) {
        self.offsets.push(self.row_end());
        self.types.append_option(self.is_typed.then_some(self.row_types.as_str()));
        self.row_types.clear();
        self.is_typed = false;
    }

    /// Number of attributes appended to the row that is open.
    pub fn open_len(&self) -> usize {
        self.row_types.len()
    }

    /// The map column and the column of types; the builder is empty again.
    pub fn finish(&mut self) -> (ArrayRef, ArrayRef) {
        let offsets = OffsetBuffer::new(std::mem::replace(&mut self.offsets, vec![0]).into());
        let fields = schema::attribute_fields();
        let entries = StructArray::new(fields.clone(), vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())], None);
        let entry_field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        let map = MapArray::new(entry_field, offsets, entries, None, false);
        (Arc::new(map), Arc::new(self.types.finish()))
    }

    fn row_end(&self) -> i32 {
        use arrow_array::builder::ArrayBuilder as _;
        i32::try_from(self.keys.len()).expect("a request has fewer than 2^31 attributes: its size is limited")
    }
}
