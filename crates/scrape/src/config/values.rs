//! The scalars of `prometheus.yml`: durations, sizes, secrets, names of schemes and protocols.
//!
//! Each reads and writes Prometheus' own notation. They say what is wrong with a text, the reader of YAML adds where.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What stands in place of a secret wherever a configuration is shown.
pub(crate) const SECRET_SHOWN: &str = "<secret>";

/// A text that is never shown: not by `Debug`, not in a rendered configuration, not in an error.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { SECRET_SHOWN })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { SECRET_SHOWN })
    }
}

/// Units of Prometheus' durations from long to short, in milliseconds.
const DURATION_UNITS: [(&str, u64); 7] =
    [("y", 365 * 86_400_000), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads `1h30m`, `15s`, `0`: units from long to short, each at most once. The empty text is zero: the option is not set.
///
/// # Errors
/// What is wrong, in Prometheus' words.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" || text.is_empty() {
        return Ok(Duration::ZERO);
    }
    let bad = || format!("not a valid duration string: {text:?}");
    let (mut rest, mut units, mut sum_ms) = (text, DURATION_UNITS.iter(), 0u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (_, unit_ms) = units.find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(bad)?;
        rest = &rest[letters..];
        let add_ms = number.checked_mul(*unit_ms);
        sum_ms = add_ms.and_then(|add_ms| sum_ms.checked_add(add_ms)).ok_or("duration out of range")?;
    }
    // Prometheus counts in 64 bits of nanoseconds.
    if sum_ms > i64::MAX as u64 / 1_000_000 {
        return Err("duration out of range".to_owned());
    }
    Ok(Duration::from_millis(sum_ms))
}

/// Writes a duration as Prometheus does: `1h30m`, `0s`.
pub fn show_duration(duration: Duration) -> String {
    let mut rest_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest_ms == 0 {
        return "0s".to_owned();
    }
    let mut shown = String::new();
    for (unit, unit_ms) in DURATION_UNITS {
        // Years and weeks only where nothing shorter is left: 90d is not 12w6d.
        let is_exact_only = matches!(unit, "y" | "w");
        if rest_ms < unit_ms || (is_exact_only && !rest_ms.is_multiple_of(unit_ms)) {
            continue;
        }
        shown.push_str(&format!("{}{unit}", rest_ms / unit_ms));
        rest_ms %= unit_ms;
    }
    shown
}

/// For `#[serde(with = ...)]`: a duration in Prometheus' notation.
pub(crate) mod duration {
    use super::{Deserialize, Deserializer, Duration, Serializer, de, parse_duration, show_duration};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show_duration(*duration))
    }
}

/// Reads `15MB`, `1.5GiB`, `0`: every unit is a power of 1024, and there must be one.
///
/// # Errors
/// What is wrong, in Prometheus' words.
pub fn parse_bytes(text: &str) -> Result<i64, String> {
    if text == "0" || text.is_empty() {
        return Ok(0);
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (-1.0, unsigned),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mut rest, mut sum) = (unsigned, 0.0);
    loop {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let number: f64 = rest[..digits].parse().map_err(|_| format!("units: invalid {text}"))?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = &rest[..letters];
        let power = ["B", "KB", "MB", "GB", "TB", "PB", "EB"].iter().position(|known| unit.replacen('i', "", 1) == **known || unit == *known);
        let power = power.ok_or_else(|| format!("units: unknown unit {unit} in {text}"))?;
        rest = &rest[letters..];
        sum += number * 1024f64.powi(i32::try_from(power).unwrap_or(0));
        if rest.is_empty() {
            break;
        }
    }
    if sum >= i64::MAX as f64 {
        return Err(format!("units: {text} is out of range"));
    }
    Ok((sign * sum) as i64)
}

/// Writes a size as Prometheus does: `15MiB`, `1GiB512MiB`, `0B`.
pub fn show_bytes(bytes: i64) -> String {
    let (sign, mut rest) = (if bytes < 0 { "-" } else { "" }, bytes.unsigned_abs());
    if rest == 0 {
        return "0B".to_owned();
    }
    let mut shown = String::from(sign);
    for (power, unit) in ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].iter().enumerate().rev() {
        let size = 1u64 << (10 * power);
        if rest >= size {
            shown.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    shown
}

/// For `#[serde(with = ...)]`: a size in Prometheus' notation.
pub(crate) mod bytes {
    use super::{Deserialize, Deserializer, Serializer, de, parse_bytes, show_bytes};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        parse_bytes(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(crate) fn serialize<S: Serializer>(bytes: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show_bytes(*bytes))
    }
}

/// Which names of metrics and labels are valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameScheme {
    /// Any text but the empty one.
    #[default]
    Utf8,
    /// `[a-zA-Z_][a-zA-Z0-9_]*`, and colons in names of metrics.
    Legacy,
}

impl NameScheme {
    /// Whether a label may have this name.
    pub fn accepts_label(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_legacy_label(name),
        }
    }

    /// Whether a metric may have this name.
    pub fn accepts_metric(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => {
                let is_start = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':');
                let mut bytes = name.bytes();
                bytes.next().is_some_and(is_start) && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
            }
        }
    }
}

impl<'de> Deserialize<'de> for NameScheme {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "" | "utf8" => Ok(Self::Utf8),
            "legacy" => Ok(Self::Legacy),
            other => Err(de::Error::custom(format!("unrecognized ValidationScheme: {other:?}: want 'legacy' or 'utf8'"))),
        }
    }
}

fn is_legacy_label(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = name.bytes();
    bytes.next().is_some_and(is_start) && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
}

/// How a target is asked to write names that are not `[a-zA-Z_:][a-zA-Z0-9_:]*`: the parameter `escaping` of the header `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum EscapingScheme {
    /// As they are, quoted.
    #[serde(rename = "allow-utf-8")]
    AllowUtf8,
    /// Every other character is an underscore.
    #[serde(rename = "underscores")]
    Underscores,
    /// Dots become `_dot_`.
    #[serde(rename = "dots")]
    Dots,
    /// Every other character becomes `_<hex>_` behind a `U__`.
    #[serde(rename = "values")]
    Values,
}

impl EscapingScheme {
    /// The name in configurations and in the header `Accept`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

/// A format of what a target says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrapeProtocol {
    /// Delimited protobuf messages.
    PrometheusProto,
    /// Prometheus' text format, names quoted where they must be.
    PrometheusText1_0_0,
    /// Prometheus' text format.
    PrometheusText0_0_4,
    /// OpenMetrics, first draft.
    OpenMetricsText0_0_1,
    /// OpenMetrics 1.0.
    OpenMetricsText1_0_0,
}

impl ScrapeProtocol {
    /// What is asked for when nothing is configured, best first.
    pub const DEFAULT: [Self; 4] = [Self::OpenMetricsText1_0_0, Self::OpenMetricsText0_0_1, Self::PrometheusText1_0_0, Self::PrometheusText0_0_4];
    /// What is asked for when native histograms are wanted: only protobuf carries them.
    pub const PROTO_FIRST: [Self; 5] =
        [Self::PrometheusProto, Self::OpenMetricsText1_0_0, Self::OpenMetricsText0_0_1, Self::PrometheusText1_0_0, Self::PrometheusText0_0_4];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::PrometheusProto => "PrometheusProto",
            Self::PrometheusText1_0_0 => "PrometheusText1.0.0",
            Self::PrometheusText0_0_4 => "PrometheusText0.0.4",
            Self::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            Self::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
        }
    }

    /// The media type with its parameters, for the header `Accept`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::PrometheusProto => "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            Self::PrometheusText1_0_0 => "text/plain;version=1.0.0",
            Self::PrometheusText0_0_4 => "text/plain;version=0.0.4",
            Self::OpenMetricsText0_0_1 => "application/openmetrics-text;version=0.0.1",
            Self::OpenMetricsText1_0_0 => "application/openmetrics-text;version=1.0.0",
        }
    }
}

impl<'de> Deserialize<'de> for ScrapeProtocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::PROTO_FIRST.into_iter().find(|protocol| protocol.name() == name);
        known.ok_or_else(|| {
            let mut names = Self::PROTO_FIRST.map(Self::name);
            names.sort_unstable();
            de::Error::custom(format!("unknown scrape protocol {name}, supported: [{}]", names.join(" ")))
        })
    }
}

impl Serialize for ScrapeProtocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
