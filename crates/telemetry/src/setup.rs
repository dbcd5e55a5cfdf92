//! Turns `tracing` into log lines on stderr and into own telemetry.

use std::io::IsTerminal as _;
use std::sync::Arc;

use signalbox_model::{Clock, Error, Result};
use tracing::{Level, Metadata, Span};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::collect::{Collector, QUIET};
use crate::queue::Queue;
use crate::settings::{LogFormat, Settings};

/// Installs the log of this process: lines on stderr, and, if Signalbox watches itself, records and spans in the queue.
/// Panics are logged as errors. Call it once, first thing.
///
/// # Errors
/// `Invalid` if the log level does not parse, `Internal` if the process has a log already.
pub fn install(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<Queue>> {
    let level = &settings.log_level;
    let lines_wanted = EnvFilter::builder()
        .parse(level)
        .map_err(|source| Error::invalid(format!("cannot use log level {level:?}: want error, warn, info, debug or trace")).with_source(source))?;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match settings.log_format {
        LogFormat::Plain => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let queue = Arc::new(Queue::default());
    let collector =
        settings.self_watch.then(|| Collector::new(Arc::clone(&queue), clock, settings.traces_per_second_max).with_filter(filter_fn(is_worth_keeping)));
    tracing_subscriber::registry()
        .with(lines.with_filter(lines_wanted))
        .with(collector)
        .try_init()
        .map_err(|source| Error::internal("cannot install the log: there is one already").with_source(source))?;
    log_panics();
    Ok(queue)
}

/// A span in which nothing becomes own telemetry: for the code that stores own telemetry, which would otherwise feed itself.
pub fn quiet() -> Span {
    tracing::info_span!(target: "signalbox", QUIET)
}

/// Ours from `info` on, libraries' from `warn` on.
fn is_worth_keeping(metadata: &Metadata<'_>) -> bool {
    let least = if metadata.target().starts_with("signalbox") { Level::INFO } else { Level::WARN };
    *metadata.level() <= least
}

fn log_panics() {
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        tracing::error!(target: "signalbox_telemetry", place, "panicked: {message}");
        earlier(panic);
    }));
}
