//! Steps that move, name, add and remove fields.

use std::borrow::Cow;
use std::collections::BTreeMap;

use glob::Pattern;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, Result};

use super::ERROR_ATTRIBUTE;
use super::field::Field;
use super::step;
use crate::logs::{Record, severity};

/// Where a severity is looked for when the step does not say.
const USUAL_FIELDS: [&str; 6] = ["level", "severity", "log.level", "loglevel", "lvl", "severity_text"];

/// A step that needs no parser.
#[derive(Debug)]
pub(super) enum Edit {
    Severity { from: Vec<Field>, words: Vec<(String, i32)>, removes: bool },
    Body(Field),
    Move(Vec<(Field, Field)>),
    Remove(Vec<Pattern>),
    Keep(Vec<Pattern>),
    Add(Vec<(Field, String)>),
    Truncate { body: usize, attribute: usize },
}

impl Edit {
    pub(super) fn severity(settings: &step::Severity, place: &str) -> Result<Self> {
        let from = if settings.from.is_empty() { USUAL_FIELDS.iter().map(|name| Field::named(name)).collect() } else { vec![Field::named(&settings.from)] };
        let word = |(text, usual): (&String, &String)| match severity::of_word(usual) {
            Some(number) => Ok((text.to_lowercase(), number)),
            None => Err(Error::invalid(format!("{place}.words.{text}: {usual:?} is no severity: want a word such as `error`"))),
        };
        Ok(Self::Severity { from, words: settings.words.iter().map(word).collect::<Result<_>>()?, removes: settings.remove })
    }

    pub(super) fn body(name: &str) -> Self {
        Self::Body(Field::named(name))
    }

    pub(super) fn rename(names: &BTreeMap<String, String>) -> Self {
        Self::Move(names.iter().map(|(from, to)| (Field::named(from), Field::named(to))).collect())
    }

    pub(super) fn resource(names: &BTreeMap<String, String>) -> Self {
        Self::Move(names.iter().map(|(from, to)| (Field::named(from), Field::Resource(to.clone()))).collect())
    }

    pub(super) fn remove(names: &[String], place: &str) -> Result<Self> {
        patterns(names, place).map(Self::Remove)
    }

    pub(super) fn keep(names: &[String], place: &str) -> Result<Self> {
        patterns(names, place).map(Self::Keep)
    }

    pub(super) fn add(texts: &BTreeMap<String, String>) -> Self {
        Self::Add(texts.iter().map(|(name, text)| (Field::named(name), text.clone())).collect())
    }

    pub(super) fn truncate(settings: &step::Truncate) -> Self {
        Self::Truncate { body: settings.body_bytes_max, attribute: settings.attribute_bytes_max }
    }

    pub(super) fn run(&self, record: &mut Record<'_>) -> std::result::Result<(), String> {
        match self {
            Self::Severity { from, words, removes } => return set_severity(record, from, words, *removes),
            Self::Body(field) => {
                let value = field.take(record).ok_or("the field is missing")?;
                record.body = Some(Cow::Owned(value.to_text()));
            }
            Self::Move(names) => {
                for (from, to) in names {
                    if let Some(value) = from.take(record)
                        && let Err(problem) = to.put(record, value.clone())
                    {
                        // There was room for it a moment ago.
                        from.put(record, value)?;
                        return Err(problem);
                    }
                }
            }
            Self::Remove(patterns) => record.attributes.retain(|(name, _)| !patterns.iter().any(|pattern| pattern.matches(name))),
            Self::Keep(patterns) => record.attributes.retain(|(name, _)| name == ERROR_ATTRIBUTE || patterns.iter().any(|pattern| pattern.matches(name))),
            Self::Add(texts) => {
                for (field, text) in texts {
                    field.put(record, AttributeValue::String(text.clone()))?;
                }
            }
            Self::Truncate { body, attribute } => truncate(record, *body, *attribute),
        }
        Ok(())
    }
}

/// Patterns of names.
pub(super) fn patterns(names: &[String], place: &str) -> Result<Vec<Pattern>> {
    let pattern = |(number, text): (usize, &String)| {
        Pattern::new(text).map_err(|error| Error::invalid(format!("{place}[{number}]: cannot read pattern {text:?}: {}", error.msg)))
    };
    names.iter().enumerate().map(pattern).collect()
}

fn set_severity(record: &mut Record<'_>, from: &[Field], words: &[(String, i32)], removes: bool) -> std::result::Result<(), String> {
    let field = from.iter().find(|field| field.text(record).is_some()).ok_or("the field is missing")?;
    let text = field.text(record).unwrap_or_default().trim().to_owned();
    let own = words.iter().find(|(word, _)| *word == text.to_lowercase()).map(|(_, number)| *number);
    let number = own.or_else(|| severity::of_word(&text)).ok_or_else(|| format!("{:?} is no severity", &text[..text.floor_char_boundary(64)]))?;
    record.severity_number = number;
    record.severity_text = Cow::Owned(text);
    if removes && *field != Field::SeverityText {
        field.take(record);
    }
    Ok(())
}

fn truncate(record: &mut Record<'_>, body_bytes_max: usize, attribute_bytes_max: usize) {
    if let Some(body) = &mut record.body
        && body_bytes_max > 0
        && body.len() > body_bytes_max
    {
        let end = body.floor_char_boundary(body_bytes_max);
        *body = Cow::Owned(body[..end].to_owned());
    }
    if attribute_bytes_max == 0 {
        return;
    }
    for (_, value) in &mut record.attributes {
        if let AttributeValue::String(text) = value
            && text.len() > attribute_bytes_max
        {
            text.truncate(text.floor_char_boundary(attribute_bytes_max));
        }
    }
}
