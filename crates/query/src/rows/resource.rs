//! Resources and scopes, from the JSON that they rest in.

use signalbox_model::attributes::{AttributeValue, DROPPED_COUNT, SCHEMA_URL, SCOPE_NAME, SCOPE_VERSION};

/// Attributes in the order they came.
pub type Attributes = Vec<(String, AttributeValue)>;

/// Who sent: a service instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// Attributes.
    pub attributes: Attributes,
    /// Schema of the attributes, the empty text when unknown.
    pub schema_url: String,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

impl Resource {
    pub(crate) fn from_json(json: &str) -> Self {
        let mut resource = Self::default();
        for (key, value) in entries(json) {
            match key.as_str() {
                SCHEMA_URL => resource.schema_url = value.to_text(),
                DROPPED_COUNT => resource.dropped_attributes_count = count(&value),
                _ => resource.attributes.push((key, value)),
            }
        }
        resource
    }

    /// An attribute by name.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// The instrumentation that recorded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope {
    /// Name of the library.
    pub name: String,
    /// Version of the library.
    pub version: String,
    /// Attributes.
    pub attributes: Attributes,
    /// Schema of the rows, the empty text when unknown.
    pub schema_url: String,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

impl Scope {
    pub(crate) fn from_json(json: &str) -> Self {
        let mut scope = Self::default();
        for (key, value) in entries(json) {
            match key.as_str() {
                SCOPE_NAME => scope.name = value.to_text(),
                SCOPE_VERSION => scope.version = value.to_text(),
                SCHEMA_URL => scope.schema_url = value.to_text(),
                DROPPED_COUNT => scope.dropped_attributes_count = count(&value),
                _ => scope.attributes.push((key, value)),
            }
        }
        scope
    }
}

fn entries(json: &str) -> Attributes {
    match serde_json::from_str(json) {
        Ok(serde_json::Value::Object(entries)) => entries.into_iter().map(|(key, value)| (key, AttributeValue::from_json(&value))).collect(),
        // Only builders write this JSON; if it is damaged the row is still worth showing.
        _ => Vec::new(),
    }
}

fn count(value: &AttributeValue) -> u32 {
    match value {
        AttributeValue::Int(count) => u32::try_from(*count).unwrap_or(u32::MAX),
        _ => 0,
    }
}
