//! How long questions take and how they end: counted by language, and as a span of our own telemetry.

use std::fmt;

use signalbox_model::{ErrorKind, Result};
use signalbox_telemetry::{names, registry};
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::Engine;

impl Engine {
    /// Watches a question in a language; `text` is what was asked.
    pub(crate) async fn watched<T>(&self, language: &'static str, text: impl fmt::Display, question: impl Future<Output = Result<T>>) -> Result<T> {
        let span = tracing::info_span!(
            target: "signalbox_query",
            "query",
            otel.name = language,
            otel.status_code = Empty,
            otel.status_description = Empty,
            query.language = language,
            query.text = %text,
        );
        let began = self.clock.monotonic();
        let result = question.instrument(span.clone()).await;
        registry().histogram(names::QUERY_SECONDS, &[("language", language)]).observe(self.clock.monotonic().saturating_sub(began));
        registry().counter(names::QUERY_REQUESTS_TOTAL, &[("language", language), ("outcome", outcome(&result))]).add(1);
        if let Err(error) = &result {
            span.record("otel.status_code", "error");
            span.record("otel.status_description", error.message());
        }
        result
    }
}

fn outcome<T>(result: &Result<T>) -> &'static str {
    match result.as_ref().map_err(signalbox_model::Error::kind) {
        Ok(_) => "ok",
        Err(ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::TooLarge) => "invalid",
        Err(ErrorKind::Limit) => "limit",
        Err(ErrorKind::Timeout) => "timeout",
        Err(ErrorKind::Canceled) => "canceled",
        Err(ErrorKind::Unavailable) => "unavailable",
        Err(ErrorKind::Corrupt | ErrorKind::Internal) => "internal",
    }
}
