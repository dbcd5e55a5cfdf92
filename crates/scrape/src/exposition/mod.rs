//! What targets answer with: pages of samples, in three formats.
//!
//! | format | where | specification |
//! |---|---|---|
//! | text 0.0.4 and 1.0.0 | [`text`] | <https://prometheus.io/docs/instrumenting/exposition_formats/> |
//! | OpenMetrics 0.0.1 and 1.0 | [`text`] | <https://prometheus.io/docs/specs/om/open_metrics_spec/> |
//! | protobuf, delimited | [`protobuf`] | `io.prometheus.client.MetricFamily` |
//!
//! A page is read the way today's Prometheus reads it: what it takes is taken, what fails a scrape there fails it here. The
//! stricter reading of the OpenMetrics specification is in [`strict`], for people who write exporters.
//!
//! The text of a series (`name{label="value"}`) is found, not understood: a scrape mostly repeats the one before it, so the
//! caller says which series it expects next ([`text::Page::next_event`]), and only texts it has never seen become labels
//! ([`text::labels`]).

pub mod classic;
pub mod number;
pub mod protobuf;
pub mod strict;
pub mod text;

use signalbox_model::{Error, Result};

/// Format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format.
    Text,
    /// OpenMetrics' text format.
    OpenMetrics,
    /// Length-delimited `io.prometheus.client.MetricFamily` messages.
    Protobuf,
}

impl Format {
    /// The format that a content type names, if it is one of ours. Versions do not matter: each format reads all of its own.
    pub fn of_media_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let known = [("text/plain", Self::Text), ("application/openmetrics-text", Self::OpenMetrics), ("application/vnd.google.protobuf", Self::Protobuf)];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(media_type)).map(|(_, format)| format)
    }

    /// The format of an answer, `fallback` (`fallback_scrape_protocol`) where its content type says nothing that is known.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] when nothing is known and there is no fallback.
    pub fn of_answer(content_type: Option<&str>, fallback: Option<Self>) -> Result<Self> {
        let content_type = content_type.unwrap_or_default();
        if let Some(format) = Self::of_media_type(content_type).or(fallback) {
            return Ok(format);
        }
        Err(Error::invalid(if content_type.is_empty() {
            "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target".to_owned()
        } else {
            format!("received unsupported Content-Type {content_type:?} and no fallback_scrape_protocol specified for target")
        }))
    }
}

/// An example observation of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct ExemplarText {
    /// Labels in the order of the page, `trace_id` and `span_id` among them.
    pub labels: Vec<(String, String)>,
    /// Observed value.
    pub value: f64,
    /// Milliseconds since the Unix epoch, if the page says when it was.
    pub ts_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_formats() {
        let cases = [
            (Some("text/plain; version=0.0.4; charset=utf-8"), None, Some(Format::Text)),
            (Some("text/plain"), Some(Format::Protobuf), Some(Format::Text)),
            (Some("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8"), None, Some(Format::OpenMetrics)),
            (Some("application/openmetrics-text;version=0.0.1"), None, Some(Format::OpenMetrics)),
            (Some("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"), None, Some(Format::Protobuf)),
            (Some("text/html"), None, None),
            (Some("text/html"), Some(Format::Text), Some(Format::Text)),
            (Some("application/openmetrics-protobuf;version=1.0.0"), None, None),
            (None, None, None),
            (Some(""), Some(Format::OpenMetrics), Some(Format::OpenMetrics)),
        ];
        for (content_type, fallback, want) in cases {
            assert_eq!(Format::of_answer(content_type, fallback).ok(), want, "{content_type:?}");
        }
    }
}
