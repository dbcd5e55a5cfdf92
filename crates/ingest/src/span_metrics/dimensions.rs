//! Attributes of spans, or else of their resources, that become labels of metrics.

use hashbrown::HashMap;

use super::columns::{Lengths, Spans};

/// Bytes of a label's value: names that differ only behind them are one.
pub(super) const VALUE_BYTES_MAX: usize = 1024;

/// An attribute, and the label that it becomes.
#[derive(Debug, Clone)]
pub(super) struct Dimension {
    attribute: String,
    pub(super) label: String,
}

impl Dimension {
    /// The label has letters, digits and `_`, and is none of others.
    pub(super) fn new(attribute: &str, others: &[&str]) -> Self {
        let mut label: String = attribute.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
        if label.starts_with(|char: char| char.is_ascii_digit()) || others.contains(&label.as_str()) || label.is_empty() {
            label.insert_str(0, "__");
        }
        Self { attribute: attribute.to_owned(), label }
    }
}

/// Dimensions of the spans of one batch, each set of texts once.
pub(super) struct Dimensions {
    resources: HashMap<u32, Box<[Box<str>]>>,
    codes: HashMap<Box<[Box<str>]>, u32>,
    sets: Vec<Box<[Box<str>]>>,
    lengths: Lengths,
}

impl Dimensions {
    pub(super) fn new(dimensions: &[Dimension]) -> Self {
        let empty: Box<[Box<str>]> = dimensions.iter().map(|_| Box::from("")).collect();
        Self {
            resources: HashMap::new(),
            codes: HashMap::from_iter([(empty.clone(), 0)]),
            sets: vec![empty],
            lengths: Lengths::of(dimensions.iter().map(|dimension| dimension.attribute.as_str())),
        }
    }

    pub(super) fn texts(&self, code: u32) -> &[Box<str>] {
        self.sets.get(code as usize).map_or(&[], |set| set)
    }

    pub(super) fn code(&mut self, dimensions: &[Dimension], spans: &Spans<'_>, row: usize) -> u32 {
        let resource = spans.resources.codes[row];
        let of_resource = self.resources.entry(resource).or_insert_with(|| resource_texts(dimensions, spans.resources.text(resource)));
        let mut texts = of_resource.clone();
        for (key, value) in spans.attributes(row, self.lengths) {
            if let Some(at) = dimensions.iter().position(|dimension| dimension.attribute == key) {
                texts[at] = clipped(value).into();
            }
        }
        if let Some(code) = self.codes.get(&texts) {
            return *code;
        }
        let code = self.sets.len() as u32;
        self.sets.push(texts.clone());
        self.codes.insert(texts, code);
        code
    }
}

/// What a resource says of the dimensions.
fn resource_texts(dimensions: &[Dimension], json: &str) -> Box<[Box<str>]> {
    let resource: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let text = |dimension: &Dimension| {
        let value = resource.get(&dimension.attribute).map(|value| signalbox_model::attributes::AttributeValue::from_json(value).to_text());
        Box::from(clipped(&value.unwrap_or_default()))
    };
    dimensions.iter().map(text).collect()
}

/// The beginning of a text that a label may have.
pub(super) fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(VALUE_BYTES_MAX)]
}
