//! Relabelling: rules that change, keep and drop sets of labels, of targets before they are scraped and of series after.
//!
//! The contract is Prometheus' `relabel_config`: the rules run in order, the first that drops ends it.

use std::borrow::Cow;
use std::fmt;

use md5::{Digest, Md5};
use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use signalbox_model::labels::LabelsBuilder;
use signalbox_model::{Labels, re2};

use crate::config::{NameScheme, from_text};

/// Bytes that one compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelabelConfig {
    /// Labels whose values are joined to what the rule looks at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_labels: Vec<String>,
    /// What stands between the values.
    pub separator: String,
    /// What the joined values are matched against, as a whole.
    pub regex: Pattern,
    /// Divisor of `hashmod`.
    #[serde(skip_serializing_if = "is_zero")]
    pub modulus: u64,
    /// The label that is written; for `replace` groups of the match are filled in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_label: String,
    /// The value that is written, with groups of the match filled in.
    pub replacement: String,
    /// What the rule does.
    pub action: Action,
    /// Which names of labels are valid; set when the configuration is checked.
    #[serde(skip)]
    pub names: NameScheme,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: DEFAULT_SEPARATOR.to_owned(),
            regex: Pattern::default(),
            modulus: 0,
            target_label: String::new(),
            replacement: DEFAULT_REPLACEMENT.to_owned(),
            action: Action::Replace,
            names: NameScheme::Utf8,
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Writes the replacement to the target if the values match.
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops what is not equal to the target.
    KeepEqual,
    /// Drops what is equal to the target.
    DropEqual,
    /// Writes a hash of the values modulo the modulus to the target.
    HashMod,
    /// Copies labels whose name matches to the name in the replacement.
    LabelMap,
    /// Removes labels whose name matches.
    LabelDrop,
    /// Removes labels whose name does not match.
    LabelKeep,
    /// Writes the values in lower case to the target.
    Lowercase,
    /// Writes the values in upper case to the target.
    Uppercase,
}

impl Action {
    const ALL: [(&str, Self); 11] = [
        ("replace", Self::Replace),
        ("keep", Self::Keep),
        ("drop", Self::Drop),
        ("keepequal", Self::KeepEqual),
        ("dropequal", Self::DropEqual),
        ("hashmod", Self::HashMod),
        ("labelmap", Self::LabelMap),
        ("labeldrop", Self::LabelDrop),
        ("labelkeep", Self::LabelKeep),
        ("lowercase", Self::Lowercase),
        ("uppercase", Self::Uppercase),
    ];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        if written.is_empty() {
            return Err(de::Error::custom("relabel action cannot be empty"));
        }
        let lower = written.to_lowercase();
        let known = Self::ALL.iter().find(|(name, _)| *name == lower).map(|(_, action)| *action);
        known.ok_or_else(|| de::Error::custom(format!("unknown relabel action {written:?}")))
    }
}

/// A regular expression as Go reads it, matched against the whole text; a dot means any character.
#[derive(Clone)]
pub struct Pattern {
    written: String,
    regex: Regex,
    /// Whether nobody wrote it: some actions refuse any expression, even this one.
    is_default: bool,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(written: &str) -> Result<Self, String> {
        let translated = re2::translate(written).map_err(|problem| format!("error parsing regexp {written:?}: {problem}"))?;
        let anchored = format!("^(?s:{translated})$");
        let regex = regex::RegexBuilder::new(&anchored).size_limit(REGEX_BYTES_MAX).build();
        let regex = regex.map_err(|error| format!("error parsing regexp {written:?}: {}", last_line(&error.to_string())))?;
        Ok(Self { written: written.to_owned(), regex, is_default: false })
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// The crate draws the expression over several lines; what is wrong stands in the last.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ")
}

impl Default for Pattern {
    fn default() -> Self {
        let regex = Regex::new("^(?s:(.*))$").expect("a constant that the tests compile");
        Self { written: DEFAULT_REGEX.to_owned(), regex, is_default: true }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.written)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl RelabelConfig {
    /// Checks that the fields fit the action, in Prometheus' order and words. Keeps which names are valid.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&mut self, names: NameScheme) -> Result<(), String> {
        use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace, Uppercase};
        self.names = names;
        let (action, name) = (self.action, self.action.name());
        let is_template = self.target_label.contains('$');
        if action == HashMod && self.modulus == 0 {
            return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
        }
        let writes_target = matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
        if writes_target && self.target_label.is_empty() {
            return Err(format!("relabel configuration for {name} action requires 'target_label' value"));
        }
        let is_valid_target =
            if action == Replace && is_template { accepts_template(names, &self.target_label) } else { names.accepts_label(&self.target_label) };
        if writes_target && !is_valid_target {
            return Err(format!("{:?} is invalid 'target_label' for {name} action", self.target_label));
        }
        if matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual) && self.replacement != DEFAULT_REPLACEMENT {
            return Err(format!("'replacement' can not be set for {name} action"));
        }
        if action == LabelMap && !accepts_template(names, &self.replacement) {
            return Err(format!("{:?} is invalid 'replacement' for {name} action", self.replacement));
        }
        let has_other_fields = self.modulus != 0 || self.separator != DEFAULT_SEPARATOR || self.replacement != DEFAULT_REPLACEMENT;
        if matches!(action, DropEqual | KeepEqual) && (!self.regex.is_default || has_other_fields) {
            return Err(format!("{name} action requires only 'source_labels' and `target_label`, and no other fields"));
        }
        let has_labels = !self.source_labels.is_empty() || !self.target_label.is_empty();
        if matches!(action, LabelDrop | LabelKeep) && (has_labels || has_other_fields) {
            return Err(format!("{name} action requires only 'regex', and no other fields"));
        }
        Ok(())
    }

    /// Runs the rule; `false` means dropped.
    fn run(&self, labels: &mut LabelsBuilder) -> bool {
        match self.action {
            Action::Keep => return self.regex.regex.is_match(&self.value(labels)),
            Action::Drop => return !self.regex.regex.is_match(&self.value(labels)),
            Action::KeepEqual => return labels.get(&self.target_label).unwrap_or("") == self.value(labels),
            Action::DropEqual => return labels.get(&self.target_label).unwrap_or("") != self.value(labels),
            Action::Replace => self.replace(labels),
            Action::Lowercase => {
                let value = map_case(&self.value(labels), |letter| only(letter.to_lowercase()));
                labels.set(&self.target_label, &value);
            }
            Action::Uppercase => {
                let value = map_case(&self.value(labels), |letter| only(letter.to_uppercase()));
                labels.set(&self.target_label, &value);
            }
            Action::HashMod => {
                let value = hash(&self.value(labels)).checked_rem(self.modulus).unwrap_or(0);
                labels.set(&self.target_label, &value.to_string());
            }
            Action::LabelMap => self.map(labels),
            Action::LabelDrop => labels.retain(|name| !self.regex.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name| self.regex.regex.is_match(name)),
        }
        true
    }

    /// The values of the source labels with the separator between them.
    fn value<'a>(&self, labels: &'a LabelsBuilder) -> Cow<'a, str> {
        let get = |name: &String| labels.get(name).unwrap_or("");
        match self.source_labels.as_slice() {
            [] => Cow::Borrowed(""),
            [name] => Cow::Borrowed(get(name)),
            names => Cow::Owned(names.iter().map(get).collect::<Vec<_>>().join(&self.separator)),
        }
    }

    fn replace(&self, labels: &mut LabelsBuilder) {
        let value = self.value(labels);
        let Some(captures) = self.regex.regex.captures(&value) else { return };
        let (mut target, mut replacement) = (String::new(), String::new());
        captures.expand(&self.target_label, &mut target);
        if !self.names.accepts_label(&target) {
            return;
        }
        captures.expand(&self.replacement, &mut replacement);
        if replacement.is_empty() {
            labels.remove(&target);
        } else {
            labels.set(&target, &replacement);
        }
    }

    fn map(&self, labels: &mut LabelsBuilder) {
        let mapped: Vec<(String, String)> = labels
            .iter()
            .filter_map(|(name, value)| {
                let mut target = String::new();
                self.regex.regex.captures(name)?.expand(&self.replacement, &mut target);
                Some((target, value.to_owned()))
            })
            .collect();
        for (name, value) in mapped {
            labels.set(&name, &value);
        }
    }
}

/// Whether a name with `$1` or `${name}` in it can become a valid name of a label.
fn accepts_template(names: NameScheme, template: &str) -> bool {
    if names == NameScheme::Utf8 {
        return !template.is_empty();
    }
    let mut rest = template;
    let mut is_start = true;
    while let Some(first) = rest.chars().next() {
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let words = |text: &str| text.chars().take_while(|character| is_word(*character)).count();
        let taken = match first {
            '$' if rest[1..].starts_with('{') => {
                let name = words(&rest[2..]);
                if name == 0 || !rest[2 + name..].starts_with('}') {
                    return false;
                }
                name + 3
            }
            '$' => match words(&rest[1..]) {
                0 => return false,
                name => name + 1,
            },
            '0'..='9' if is_start => return false,
            _ if is_word(first) => 1,
            _ => return false,
        };
        is_start = false;
        rest = &rest[taken..];
    }
    !is_start
}

/// Maps letter by letter, as Go does: a letter whose other case is several letters stays as it is.
fn map_case(text: &str, map: impl Fn(char) -> Option<char>) -> String {
    text.chars().map(|letter| map(letter).unwrap_or(letter)).collect()
}

/// The one element of an iterator that has one.
fn only<T>(mut elements: impl Iterator<Item = T>) -> Option<T> {
    elements.next().filter(|_| elements.next().is_none())
}

/// The last eight bytes of the MD5 of a text: what Prometheus has hashed with since its first versions.
fn hash(text: &str) -> u64 {
    let digest = Md5::digest(text.as_bytes());
    digest[8..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Reads a list of rules, YAML, and checks them.
///
/// # Errors
/// What is wrong, with the line where the text itself is wrong.
pub fn parse(yaml: &str, names: NameScheme) -> Result<Vec<RelabelConfig>, String> {
    let (mut rules, _) = from_text::<Vec<RelabelConfig>>(yaml).map_err(|complaint| complaint.to_string())?;
    rules.iter_mut().try_for_each(|rule| rule.check(names))?;
    Ok(rules)
}

/// Runs rules over labels; `None` means dropped.
pub fn apply(rules: &[RelabelConfig], labels: &Labels) -> Option<Labels> {
    if rules.is_empty() {
        return Some(labels.clone());
    }
    let mut builder = labels.to_builder();
    apply_to(rules, &mut builder).then(|| builder.build())
}

/// Runs rules over labels in place; `false` means dropped, and the labels are then half done.
#[must_use]
pub fn apply_to(rules: &[RelabelConfig], labels: &mut LabelsBuilder) -> bool {
    rules.iter().all(|rule| rule.run(labels))
}

#[cfg(test)]
mod tests;
