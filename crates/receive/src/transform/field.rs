//! Fields of a record by the names that rules give them.

use std::borrow::Cow;
use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;

use super::limits::ATTRIBUTES_MAX;
use crate::logs::Record;

/// Prefix of the names of resource attributes.
const RESOURCE: &str = "resource.";

/// A place in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The body.
    Body,
    /// Severity as the source spells it.
    SeverityText,
    /// Name of the event.
    EventName,
    /// An attribute of the resource.
    Resource(String),
    /// An attribute of the record.
    Attribute(String),
}

impl Field {
    /// The field that a name means.
    pub fn named(name: &str) -> Self {
        match name {
            "body" => Self::Body,
            "severity_text" => Self::SeverityText,
            "event_name" => Self::EventName,
            _ => match name.strip_prefix(RESOURCE) {
                Some(name) => Self::Resource(name.to_owned()),
                None => Self::Attribute(name.strip_prefix("attributes.").unwrap_or(name).to_owned()),
            },
        }
    }

    /// The text of the field; `None` when it is missing.
    pub fn text<'r>(&self, record: &'r Record<'_>) -> Option<Cow<'r, str>> {
        match self {
            Self::Body => record.body.as_deref().map(Cow::Borrowed),
            Self::SeverityText => (!record.severity_text.is_empty()).then(|| Cow::Borrowed(&*record.severity_text)),
            Self::EventName => (!record.event_name.is_empty()).then(|| Cow::Borrowed(&*record.event_name)),
            Self::Resource(name) => record.origin.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| text_of(value)),
            Self::Attribute(name) => record.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| text_of(value)),
        }
    }

    /// Takes the field out of the record.
    pub fn take(&self, record: &mut Record<'_>) -> Option<AttributeValue> {
        let of_text = |text: &mut Cow<'_, str>| Some(std::mem::take(text).into_owned()).filter(|text| !text.is_empty()).map(AttributeValue::String);
        match self {
            Self::Body => record.body.take().map(|text| AttributeValue::String(text.into_owned())),
            Self::SeverityText => of_text(&mut record.severity_text),
            Self::EventName => of_text(&mut record.event_name),
            Self::Resource(name) => {
                let at = record.origin.attributes.iter().position(|(known, _)| known == name)?;
                Some(Arc::make_mut(&mut record.origin).attributes.remove(at).1)
            }
            Self::Attribute(name) => {
                let at = record.attributes.iter().position(|(known, _)| known == name)?;
                Some(record.attributes.remove(at).1)
            }
        }
    }

    /// Writes the field.
    ///
    /// # Errors
    /// If the record has as many attributes as it may have.
    pub fn put(&self, record: &mut Record<'_>, value: AttributeValue) -> Result<(), String> {
        match self {
            Self::Body => record.body = Some(Cow::Owned(value.to_text())),
            Self::SeverityText => record.severity_text = Cow::Owned(value.to_text()),
            Self::EventName => record.event_name = Cow::Owned(value.to_text()),
            Self::Resource(name) => {
                if record.origin.attributes.iter().any(|(known, present)| known == name && *present == value) {
                    return Ok(());
                }
                let origin = Arc::make_mut(&mut record.origin);
                let is_full = origin.attributes.len() >= ATTRIBUTES_MAX;
                match origin.attributes.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = value,
                    None if is_full => return Err(too_many()),
                    None => origin.attributes.push((name.clone(), value)),
                }
            }
            Self::Attribute(name) => put_attribute(record, name, value)?,
        }
        Ok(())
    }
}

/// Writes an attribute of the record.
pub(super) fn put_attribute(record: &mut Record<'_>, name: &str, value: AttributeValue) -> Result<(), String> {
    let is_full = record.attributes.len() >= ATTRIBUTES_MAX;
    match record.attributes.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None if is_full => return Err(too_many()),
        None => record.attributes.push((Cow::Owned(name.to_owned()), value)),
    }
    Ok(())
}

fn too_many() -> String {
    format!("the record would have more than {ATTRIBUTES_MAX} attributes")
}

pub(super) fn text_of(value: &AttributeValue) -> Cow<'_, str> {
    match value {
        AttributeValue::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_text()),
    }
}
