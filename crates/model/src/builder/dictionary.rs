//! A dictionary column whose current value is announced once and then repeated row by row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, DictionaryArray, UInt32Array};

/// Builds a `Dictionary(UInt32, Utf8)` column.
#[derive(Debug, Default)]
pub struct DictionaryBuilder {
    keys: Vec<u32>,
    codes: HashMap<Box<str>, u32>,
    values: StringBuilder,
}

impl DictionaryBuilder {
    /// The code of a text, for [`DictionaryBuilder::push`]. Valid until [`DictionaryBuilder::finish`].
    pub fn intern(&mut self, text: &str) -> u32 {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        let code = self.codes.len() as u32;
        self.codes.insert(text.into(), code);
        self.values.append_value(text);
        code
    }

    /// Appends a row with the text of a code.
    pub fn push(&mut self, code: u32) {
        self.keys.push(code);
    }

    /// Appends a row.
    pub fn push_text(&mut self, text: &str) {
        let code = self.intern(text);
        self.push(code);
    }

    /// The column; the builder is empty again.
    pub fn finish(&mut self) -> ArrayRef {
        self.codes.clear();
        let keys = UInt32Array::from(std::mem::take(&mut self.keys));
        let values = Arc::new(self.values.finish());
        Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, values).expect("every key is a code that intern gave out"))
    }
}
