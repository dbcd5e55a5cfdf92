//! `prometheus.yml`, whole: read strictly, checked in Prometheus' words, with the path and line of what is wrong.
//!
//! Two questions, two answers. Whether a file is a valid configuration of Prometheus is what [`PrometheusConfig::load`] says.
//! Whether Signalbox can do all that it asks for is what [`PrometheusConfig::unsupported`] says: a section that would have no
//! effect is named, never passed over.

mod check;
mod complaint;
mod decode;
mod discover;
mod document;
mod files;
mod http;
mod render;
mod scrape;
mod sections;
mod support;
pub(crate) mod values;

use std::path::Path;

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};

pub(crate) use complaint::Complaint;
pub(crate) use decode::from_text;
pub use http::{Authorization, BasicAuth, Header, HttpClientConfig, OAuth2, ProxyConfig, ProxyUrl, TlsConfig, TlsVersion};
pub use scrape::{GlobalConfig, ScrapeConfig};
pub use sections::{
    AlertingConfig, AlertmanagerConfig, ExemplarsConfig, OtlpConfig, QueueConfig, RemoteReadConfig, RemoteWriteConfig, RetentionConfig, RuntimeConfig,
    StorageConfig, TracingConfig, TsdbConfig,
};
pub use support::{Effect, Unsupported};
pub use values::{EscapingScheme, NameScheme, ScrapeProtocol, Secret, parse_bytes, parse_duration, show_bytes, show_duration};

/// The grant of OAuth 2 that signs a JSON web token.
const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The keys of a configuration of Prometheus.
const SECTIONS: [&str; 11] =
    ["global", "runtime", "alerting", "rule_files", "scrape_config_files", "scrape_configs", "storage", "tracing", "remote_write", "remote_read", "otlp"];

/// A configuration of Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// What holds for every job.
    pub global: GlobalConfig,
    /// Settings of Go's runtime.
    #[serde(skip_serializing_if = "RuntimeConfig::is_default")]
    pub runtime: RuntimeConfig,
    /// Where alerts are sent.
    #[serde(skip_serializing_if = "AlertingConfig::is_default")]
    pub alerting: AlertingConfig,
    /// Patterns of files with rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule_files: Vec<String>,
    /// Patterns of files with further jobs. Once loaded, their jobs are among [`PrometheusConfig::scrape_configs`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scrape_config_files: Vec<String>,
    /// The jobs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scrape_configs: Vec<ScrapeConfig>,
    /// How samples are stored.
    #[serde(skip_serializing_if = "StorageConfig::is_default")]
    pub storage: StorageConfig,
    /// Where traces of the server itself are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingConfig>,
    /// Where samples are sent on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_write: Vec<RemoteWriteConfig>,
    /// Where further samples are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_read: Vec<RemoteReadConfig>,
    /// How samples that come in by OTLP are named.
    #[serde(skip_serializing_if = "OtlpConfig::is_default")]
    pub otlp: OtlpConfig,
}

impl PrometheusConfig {
    /// Reads a file and the files with further jobs that it names. Paths in a file are taken from its folder. `environment` gives
    /// the value of a variable in an external label.
    ///
    /// Files that are only read when they are needed, such as certificates, tokens, rules and groups of targets, are not looked
    /// at.
    ///
    /// # Errors
    /// `Invalid` if the file cannot be read or is no valid configuration of Prometheus, with file, line and path of the option.
    pub fn load(file: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let text = files::read(file)?;
        let mut config = Self::parse_for(&file.display().to_string(), &text, environment)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        files::resolve(&mut config, folder);
        files::add_jobs(&mut config)?;
        Ok(config)
    }

    /// Reads a text. Paths stay as they are, and files with further jobs are not read.
    ///
    /// # Errors
    /// `Invalid` if it is no valid configuration of Prometheus, with line and path of the option.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        Self::parse_for("", text, environment)
    }

    fn parse_for(file: &str, text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let named = |complaint: Complaint| Error::invalid(if file.is_empty() { complaint.to_string() } else { format!("cannot use {file}: {complaint}") });
        let (mut config, document) = from_text::<Self>(text).map_err(named)?;
        check::whole(&mut config).map_err(|complaint| named(complaint.located(&document)))?;
        for value in config.global.external_labels.values_mut() {
            *value = expand(value, &environment);
        }
        Ok(config)
    }

    /// Whether a text means to be a configuration of Prometheus: one of its sections starts a line.
    pub fn is_meant_by(text: &str) -> bool {
        text.lines().any(|line| SECTIONS.iter().any(|key| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))))
    }

    /// The configuration as YAML with everything that is in force; secrets show as `<secret>`.
    pub fn to_yaml(&self) -> String {
        render::yaml(self)
    }

    /// What this configuration asks for and Signalbox does not do, each by its path.
    pub fn unsupported(&self) -> Vec<Unsupported> {
        support::unsupported(self)
    }

    /// What of it keeps the configuration from being used, as one error.
    ///
    /// # Errors
    /// `Invalid`, one line for each section that would be missing.
    pub fn ensure_supported(&self) -> Result<()> {
        let refused: Vec<String> = self.unsupported().iter().filter(|unsupported| unsupported.effect == Effect::Refused).map(ToString::to_string).collect();
        if refused.is_empty() { Ok(()) } else { Err(Error::invalid(format!("not supported by signalbox:\n  {}", refused.join("\n  ")))) }
    }
}

/// Fills in `$NAME` and `${NAME}` as Go's `os.Expand` does; `$$` is a dollar, what is not set is empty.
fn expand(text: &str, environment: &impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let word = |text: &str| text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        rest = if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            after
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            expanded.push_str(&if name == "$" { "$".to_owned() } else { environment(name).unwrap_or_default() });
            after
        } else if word(after) > 0 {
            let (name, after) = after.split_at(word(after));
            expanded.push_str(&environment(name).unwrap_or_default());
            after
        } else {
            // A dollar in front of anything else is text.
            expanded.push('$');
            after
        };
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests;
