//! Which format a scraper takes, by its `Accept`.

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Text format 0.0.4.
    Text,
    /// Families in protobuf, each behind its length.
    Protobuf,
}

/// What becomes of names that are not plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escaping {
    /// They stay.
    AllowUtf8,
    /// Each character that is not plain becomes `_`.
    Underscores,
    /// `.` becomes `_dot_`, `_` becomes `__`, others `__`.
    Dots,
    /// `U__` and the codes of the characters.
    Values,
}

impl Escaping {
    const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    fn word(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// A name as it is written.
    pub(super) fn escape(self, name: &str) -> String {
        let is_escaped = match self {
            Self::AllowUtf8 => false,
            Self::Dots => true,
            Self::Underscores | Self::Values => !is_plain(name),
        };
        if !is_escaped {
            return name.to_owned();
        }
        let mut escaped = String::from(if self == Self::Values { "U__" } else { "" });
        for (index, character) in name.char_indices() {
            match (self, character) {
                (Self::Values | Self::Dots, '_') => escaped.push_str("__"),
                (Self::Dots, '.') => escaped.push_str("_dot_"),
                _ if is_plain_at(character, index) => escaped.push(character),
                (Self::Dots, _) => escaped.push_str("__"),
                (Self::Values, _) => escaped.push_str(&format!("_{:x}_", u32::from(character))),
                _ => escaped.push('_'),
            }
        }
        escaped
    }
}

/// Whether a name needs no quotes in the text format.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(index, character)| is_plain_at(character, index))
}

fn is_plain_at(character: char, index: usize) -> bool {
    character.is_ascii_alphabetic() || character == '_' || character == ':' || (character.is_ascii_digit() && index > 0)
}

/// A format that was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) encoding: Encoding,
    pub(super) escaping: Escaping,
}

impl Format {
    /// The first format of an `Accept` that is spoken here, best first; text otherwise.
    pub(super) fn of(accept: &str) -> Self {
        let mut escaping = Escaping::Underscores;
        for clause in clauses(accept) {
            if let Some(wanted) = clause.parameter("escaping").and_then(|word| Escaping::ALL.into_iter().find(|known| known.word() == word)) {
                escaping = wanted;
            }
            if let Some(encoding) = clause.encoding() {
                return Self { encoding, escaping };
            }
        }
        Self { encoding: Encoding::Text, escaping }
    }

    pub(super) fn content_type(&self) -> String {
        let base = match self.encoding {
            Encoding::Text => "text/plain; version=0.0.4; charset=utf-8",
            Encoding::Protobuf => "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        };
        format!("{base}; escaping={}", self.escaping.word())
    }
}

struct Clause<'a> {
    kind: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// Thousandths, so that they have an order.
    quality: u32,
}

impl Clause<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| *value)
    }

    fn encoding(&self) -> Option<Encoding> {
        match self.kind {
            "application/vnd.google.protobuf"
                if self.parameter("proto") == Some("io.prometheus.client.MetricFamily") && self.parameter("encoding") == Some("delimited") =>
            {
                Some(Encoding::Protobuf)
            }
            "text/plain" | "text/*" | "*/*" if matches!(self.parameter("version"), None | Some("" | "0.0.4")) => Some(Encoding::Text),
            _ => None,
        }
    }
}

/// The clauses, best first; of equal ones those with a star last.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = accept.split(',').filter_map(parse).collect();
    clauses.sort_by_key(|clause| (std::cmp::Reverse(clause.quality), clause.kind.contains('*')));
    clauses
}

fn parse(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().filter(|kind| !kind.is_empty())?;
    let parameters: Vec<(&str, &str)> =
        parts.filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim().trim_matches('"'))).collect();
    let quality = parameters.iter().find(|(name, _)| *name == "q").and_then(|(_, value)| value.parse::<f64>().ok()).unwrap_or(1.0);
    Some(Clause { kind, parameters, quality: (quality.clamp(0.0, 1.0) * 1_000.0) as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_format_that_is_spoken_wins() {
        use Encoding::{Protobuf, Text};
        use Escaping::{AllowUtf8, Underscores, Values};

        const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        for (accept, encoding, escaping) in [
            ("", Text, Underscores),
            ("*/*", Text, Underscores),
            ("text/html", Text, Underscores),
            (PROTOBUF, Protobuf, Underscores),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", Text, Underscores),
            (&format!("{PROTOBUF};q=0.3,text/plain;version=0.0.4;q=0.5"), Text, Underscores),
            (&format!("{PROTOBUF};escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5"), Protobuf, AllowUtf8),
            ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.5;escaping=values", Text, Values),
            ("text/plain;version=1.0.0, text/plain;version=0.0.4;q=0.1;escaping=nonsense", Text, Underscores),
        ] {
            assert_eq!(Format::of(accept), Format { encoding, escaping }, "{accept}");
        }
        let format = Format::of("text/plain;escaping=allow-utf-8");
        assert_eq!(format.content_type(), "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8");
    }

    #[test]
    fn names_are_escaped_as_by_prometheus() {
        use signalbox_testkit::conformance;

        let Some(facts) = conformance::facts("exposition/utf8-name-escaping.jsonl") else { return };
        let mut failures = Vec::new();
        for fact in &facts {
            let text = |key: &str| fact[key].as_str().unwrap();
            let name = text("input");
            for (escaping, want) in [
                (Escaping::AllowUtf8, name),
                (Escaping::Underscores, text("expectedUnderscores")),
                (Escaping::Dots, text("expectedDots")),
                (Escaping::Values, text("expectedValue")),
            ] {
                let got = escaping.escape(name);
                if got != want {
                    failures.push(format!("{name:?} {}: got {got:?}: want {want:?}", escaping.word()));
                }
            }
        }
        conformance::report("escaped names", facts.len(), &failures);
    }

    #[test]
    fn names_are_escaped_as_asked() {
        let all = |name| Escaping::ALL.map(|escaping| escaping.escape(name));
        assert_eq!(all("a_b:c1"), ["a_b:c1", "a_b:c1", "a__b:c1", "a_b:c1"]);
        assert_eq!(all("http.ms_\u{e9}"), ["http.ms_\u{e9}", "http_ms__", "http_dot_ms____", "U__http_2e_ms___e9_"]);
        assert_eq!(all("1a"), ["1a", "_a", "__a", "U___31_a"]);
    }
}
