//! Pages against the whole of their specification: what every line means beside the others.
//!
//! A scrape takes pages that break these rules, as Prometheus does, because a graph with a flaw is better than none. Who
//! writes an exporter wants to hear of them (`signalbox check metrics`).

mod open_metrics;
mod prometheus;

use signalbox_model::{Error, Result};

use super::text::{Dialect, Page};

pub use open_metrics::EXEMPLAR_CHARS_MAX;

/// Checks a page.
///
/// # Errors
/// `Invalid` with the first rule that the page breaks, and its line.
pub fn check(page: &[u8], dialect: Dialect) -> Result<()> {
    match dialect {
        Dialect::OpenMetrics => open_metrics::check(page),
        Dialect::Prometheus => prometheus::check(page),
    }
}

fn at_line(page: &Page<'_>, why: &str) -> Error {
    Error::invalid(format!("cannot accept line {} of the page: {why}", page.line()))
}

type Verdict = std::result::Result<(), String>;

fn refuse(why: impl Into<String>) -> Verdict {
    Err(why.into())
}
