//! OpenTelemetry names as Prometheus spells them, by the compatibility specification.
//!
//! Checked against the facts of Prometheus' own translator (`conformance/otlp/prometheus-naming`).

use serde::{Deserialize, Serialize};

/// How names are translated. The words are Prometheus' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Strategy {
    /// Discouraged characters become `_`; unit and type become suffixes.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Discouraged characters become `_`; nothing is added.
    UnderscoreEscapingWithoutSuffixes,
    /// Characters are kept; unit and type become suffixes.
    NoUTF8EscapingWithSuffixes,
    /// Names are kept as they are.
    NoTranslation,
}

impl Strategy {
    fn escapes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes)
    }

    fn adds_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUTF8EscapingWithSuffixes)
    }
}

/// How OTLP metrics become series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Translation {
    /// How names are translated: `UnderscoreEscapingWithSuffixes`, `UnderscoreEscapingWithoutSuffixes`,
    /// `NoUTF8EscapingWithSuffixes` or `NoTranslation`. Change it only when dashboards expect the other names.
    pub strategy: Strategy,
    /// A word put before every metric name. Empty: none.
    pub namespace: String,
    /// Whether a label name that begins with one `_` gets `key` in front, as older exporters did.
    pub label_underscore_prefix: bool,
    /// Whether several `_` in a row are kept in label names instead of becoming one.
    pub label_keep_underscores: bool,
    /// Whether scope name, version, schema URL and attributes become `otel_scope_*` labels.
    pub scope_labels: bool,
    /// Whether resource attributes become the labels of a `target_info` series.
    pub target_info: bool,
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            namespace: String::new(),
            label_underscore_prefix: false,
            label_keep_underscores: false,
            scope_labels: true,
            target_info: true,
        }
    }
}

/// What of a metric's type shows in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// Gets `_total`.
    MonotonicSum,
    /// Gets `_ratio` when its unit is 1.
    Gauge,
    /// Gets neither.
    Other,
}

impl Translation {
    /// The name of a metric.
    ///
    /// # Errors
    /// A sentence, when nothing is left of the name.
    pub fn metric_name(&self, name: &str, unit: &str, kind: NameKind) -> Result<String, String> {
        if !self.strategy.escapes() {
            let name = self.unescaped_name(name, unit, kind);
            return if name.is_empty() { Err("metric has no name".into()) } else { Ok(name) };
        }
        let built = if self.strategy.adds_suffixes() { self.suffixed_name(name, unit, kind) } else { self.plain_name(name) };
        if built.is_empty() {
            return Err(format!("normalization for metric {name:?} resulted in empty name"));
        }
        if built != name && built.bytes().all(|byte| byte == b'_') {
            return Err(format!("normalization for metric {name:?} resulted in invalid name {built:?}"));
        }
        Ok(built)
    }

    fn plain_name(&self, name: &str) -> String {
        let escape = |text: &str| {
            let is_kept = |letter: char| is_name_letter(letter) || letter == '_';
            text.split(|letter| !is_kept(letter)).filter(|token| !token.is_empty()).collect::<Vec<_>>().join("_")
        };
        let escaped = escape(name);
        if self.namespace.is_empty() { before_digit(escaped) } else { format!("{}_{escaped}", escape(&self.namespace)) }
    }

    fn suffixed_name(&self, name: &str, unit: &str, kind: NameKind) -> String {
        let mut tokens: Vec<&str> = name.split(|letter| !is_name_letter(letter)).filter(|token| !token.is_empty()).collect();
        let (main, per) = unit_words(unit);
        let (main, per) = (clean_unit(&main), clean_unit(&per));
        let per = if per == "per_" { "" } else { per.strip_suffix('_').unwrap_or(&per) };
        let per = if tokens.contains(&per) { "" } else { per };
        let main = if tokens.contains(&main.as_str()) { "" } else { main.as_str() };
        let main = if per.is_empty() { main } else { main.strip_suffix('_').unwrap_or(main) };
        tokens.extend([main, per].into_iter().filter(|word| !word.is_empty()));
        let last = match kind {
            NameKind::MonotonicSum => Some("total"),
            NameKind::Gauge if unit == "1" => Some("ratio"),
            _ => None,
        };
        if let Some(last) = last {
            tokens.retain(|token| *token != last);
            tokens.push(last);
        }
        if !self.namespace.is_empty() {
            tokens.insert(0, &self.namespace);
        }
        before_digit(tokens.join("_"))
    }

    fn unescaped_name(&self, name: &str, unit: &str, kind: NameKind) -> String {
        let mut name = if self.namespace.is_empty() { name.to_owned() } else { format!("{}_{name}", self.namespace) };
        if !self.strategy.adds_suffixes() {
            return name;
        }
        let mut suffixes = Vec::new();
        match kind {
            NameKind::Gauge if unit == "1" => suffixes.push("ratio".to_owned()),
            NameKind::MonotonicSum => suffixes.push("total".to_owned()),
            _ => {}
        }
        let (main, per) = unit_words(unit);
        if !per.is_empty() {
            suffixes.push(per);
        }
        // From the outside in: a suffix that is there already is taken off and put on again behind the inner ones.
        for suffix in &suffixes {
            let keep = name.strip_suffix(suffix.as_str()).filter(|rest| rest.len() > 1).map(|rest| rest.strip_suffix('_').unwrap_or(rest).len());
            if let Some(keep) = keep {
                name.truncate(keep);
            }
        }
        if !main.is_empty() && !name.ends_with(&main) {
            name = format!("{name}_{main}");
        }
        for suffix in suffixes.iter().rev() {
            name = format!("{name}_{suffix}");
        }
        name
    }

    /// The unit as metadata tells it: Prometheus' words.
    pub fn unit_name(&self, unit: &str) -> String {
        let (mut main, mut per) = unit_words(unit);
        if self.strategy.escapes() {
            (main, per) = (clean_unit(&main), clean_unit(&per));
        }
        let joined = if main.is_empty() || per.is_empty() { main + &per } else { format!("{main}_{per}") };
        let joined = joined.strip_prefix('_').unwrap_or(&joined);
        joined.strip_suffix('_').unwrap_or(joined).to_owned()
    }

    /// The name of a label.
    ///
    /// # Errors
    /// A sentence, when nothing is left of the name.
    pub fn label_name(&self, key: &str) -> Result<String, String> {
        if key.is_empty() {
            return Err("normalization for label name \"\" resulted in empty name".into());
        }
        let only_underscores = |name: &str| name.bytes().all(|byte| byte == b'_');
        if !self.strategy.escapes() {
            return if only_underscores(key) { Err(format!("label name {key:?} contains only underscores")) } else { Ok(key.to_owned()) };
        }
        let mut name = self.escaped_label(key);
        if only_underscores(&name) {
            return Err(format!("normalization for label name {key:?} resulted in invalid name {name:?}"));
        }
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            name.insert_str(0, "key_");
        } else if self.label_underscore_prefix && name.starts_with('_') && !name.starts_with("__") {
            name.insert_str(0, "key");
        }
        Ok(name)
    }

    fn escaped_label(&self, key: &str) -> String {
        let mut name = String::with_capacity(key.len());
        for letter in key.chars() {
            let letter = if letter.is_ascii_alphanumeric() { letter } else { '_' };
            if letter != '_' || self.label_keep_underscores || !name.ends_with('_') {
                name.push(letter);
            }
        }
        // `__reserved__` names keep their double underscores.
        if key.len() > 4 && key.starts_with("__") && key.ends_with("__") && !self.label_keep_underscores {
            name.insert(0, '_');
            name.push('_');
        }
        name
    }
}

fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == ':'
}

fn before_digit(name: String) -> String {
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The words of a unit: of what is counted, and of what it is counted per. Parts in braces are annotations and say nothing.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let without_annotation = |part: &str| if part.contains(['{', '}']) { String::new() } else { part.trim().to_owned() };
    let (main, per) = (without_annotation(main), without_annotation(per));
    let main = unit_word(&main).map_or(main, str::to_owned);
    let per = per_word(&per).map_or(per, str::to_owned);
    (main, if per.is_empty() { per } else { format!("per_{per}") })
}

fn clean_unit(unit: &str) -> String {
    let mut clean = String::with_capacity(unit.len());
    for letter in unit.chars() {
        let letter = if is_name_letter(letter) { letter } else { '_' };
        if letter != '_' || !clean.ends_with('_') {
            clean.push(letter);
        }
    }
    clean.strip_prefix('_').map(str::to_owned).unwrap_or(clean)
}

fn unit_word(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

fn per_word(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
