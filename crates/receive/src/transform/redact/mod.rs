//! Secrets and personal data made unreadable: replaced, hashed or cut out.
//!
//! A detector looks for candidates with an expression and checks what expressions cannot: Luhn's digit of cards, addresses by
//! the parser of the standard library.

mod detect;

use std::borrow::Cow;

use glob::Pattern;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, Result};
use signalbox_telemetry::{Counter, names, registry};

use super::edit::patterns;
use super::field::Field;
use super::limits::compile;
use super::step::{Redact, RedactAction};
use crate::logs::Record;
use detect::Detector;

/// Patterns of one step.
const PATTERNS_MAX: usize = 64;

/// Makes unreadable what its detectors find.
#[derive(Debug)]
pub(super) struct Redactor {
    detectors: Vec<(Detector, Counter)>,
    names: Vec<Pattern>,
    fields: Vec<Field>,
    action: RedactAction,
    replacement: String,
    key: ring::hmac::Key,
}

impl Redactor {
    pub(super) fn new(settings: &Redact, place: &str) -> Result<Self> {
        let mut detectors = Vec::new();
        for (number, name) in settings.detect.iter().enumerate() {
            let found = Detector::named(name)
                .ok_or_else(|| Error::invalid(format!("{place}.detect[{number}]: no detector {name:?}: want one of {}", detect::NAMES.join(", "))))?;
            detectors.push(found);
        }
        if settings.patterns.len() > PATTERNS_MAX {
            return Err(Error::invalid(format!("{place}.patterns: {} patterns: want at most {PATTERNS_MAX}", settings.patterns.len())));
        }
        for (number, pattern) in settings.patterns.iter().enumerate() {
            let place = format!("{place}.patterns[{number}]");
            if pattern.name.is_empty() {
                return Err(Error::invalid(format!("{place}.name: want a word for what it finds")));
            }
            let regex = compile(&pattern.pattern, &format!("{place}.pattern"))?;
            if regex.is_match("") {
                return Err(Error::invalid(format!("{place}.pattern: {:?} matches the empty text", pattern.pattern)));
            }
            detectors.push(Detector::own(&pattern.name, regex));
        }
        let names = patterns(&settings.names, &format!("{place}.names"))?;
        if detectors.is_empty() && names.is_empty() {
            return Err(Error::invalid(format!("{place}: want detect, patterns or names")));
        }
        if settings.action == RedactAction::Hash && settings.hash_key.is_empty() {
            return Err(Error::invalid(format!("{place}.hash_key: want a key: without one whoever guesses a value can prove it")));
        }
        // A word of a configuration, so the set is small and closed.
        let counted = |detector: Detector| {
            let counter = registry().counter(names::RECEIVE_REDACTIONS_TOTAL, &[("detector", detector.name())]);
            (detector, counter)
        };
        Ok(Self {
            detectors: detectors.into_iter().map(counted).collect(),
            names,
            fields: settings.fields.iter().map(|name| Field::named(name)).collect(),
            action: settings.action,
            replacement: settings.replacement.clone(),
            key: ring::hmac::Key::new(ring::hmac::HMAC_SHA256, settings.hash_key.as_bytes()),
        })
    }

    pub(super) fn run(&self, record: &mut Record<'_>) {
        if !self.names.is_empty() {
            self.by_name(record);
        }
        if self.detectors.is_empty() {
            return;
        }
        if self.fields.is_empty() {
            if let Some(text) = record.body.as_deref()
                && let Some(changed) = self.text(text)
            {
                record.body = Some(Cow::Owned(changed));
            }
            for (_, value) in &mut record.attributes {
                self.value(value);
            }
            return;
        }
        for field in &self.fields {
            let Some(changed) = field.text(record).and_then(|text| self.text(&text)) else { continue };
            // The field is there, so there is room for it.
            let _is_put = field.put(record, AttributeValue::String(changed));
        }
    }

    fn by_name(&self, record: &mut Record<'_>) {
        let is_named = |name: &str| self.names.iter().any(|pattern| pattern.matches(name));
        if self.action == RedactAction::Drop {
            record.attributes.retain(|(name, _)| !is_named(name));
            return;
        }
        for (name, value) in &mut record.attributes {
            if is_named(name) {
                *value = AttributeValue::String(self.instead("secret", &value.to_text()));
            }
        }
    }

    fn value(&self, value: &mut AttributeValue) {
        match value {
            AttributeValue::String(text) => {
                if let Some(changed) = self.text(text) {
                    *text = changed;
                }
            }
            // A card may be a number.
            AttributeValue::Int(number) => {
                if let Some(changed) = self.text(&number.to_string()) {
                    *value = AttributeValue::String(changed);
                }
            }
            AttributeValue::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            AttributeValue::Map(entries) => entries.iter_mut().for_each(|(_, item)| self.value(item)),
            _ => {}
        }
    }

    /// The text without what is found in it; `None` if that is nothing.
    fn text(&self, text: &str) -> Option<String> {
        let mut current: Option<String> = None;
        for (detector, counter) in &self.detectors {
            let source = current.as_deref().unwrap_or(text);
            let found = detector.find(source);
            if found.is_empty() {
                continue;
            }
            counter.add(found.len() as u64);
            let mut out = String::with_capacity(source.len());
            let mut end = 0;
            for range in found {
                out.push_str(&source[end..range.start]);
                out.push_str(&self.instead(detector.name(), &source[range.clone()]));
                end = range.end;
            }
            out.push_str(&source[end..]);
            current = Some(out);
        }
        current
    }

    fn instead(&self, name: &str, secret: &str) -> String {
        match self.action {
            RedactAction::Replace if self.replacement.is_empty() => format!("[{name}]"),
            RedactAction::Replace => self.replacement.clone(),
            RedactAction::Hash => {
                let digest = ring::hmac::sign(&self.key, secret.as_bytes());
                format!("[{name}:{}]", hex::encode(&digest.as_ref()[..12]))
            }
            RedactAction::Drop => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
