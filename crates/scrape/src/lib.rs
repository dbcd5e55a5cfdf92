//! Pull: targets are found, asked for their metrics, and what they say goes the way of everything that is pushed.
//!
//! A scrape, from YAML to the sink: `config` reads `prometheus.yml`; `discovery` finds groups of targets; `relabel` decides which are
//! scraped and under which labels; the loop of a target asks over HTTP, `exposition` reads the page, `relabel` decides which of its
//! series are kept, and the samples go to [`signalbox_ingest::Sink`] together with `up` and the `scrape_*` series. `alertmanagers` finds
//! the Alertmanagers of the same file in the same way.

pub mod alertmanagers;
pub mod client;
pub mod config;
pub mod discovery;
pub mod exposition;
pub mod fetch;
pub mod page;
pub mod relabel;
pub mod target;

mod pool;
mod scraper;
mod scraping;

pub use alertmanagers::{Alertmanager, Alertmanagers};
pub use pool::{PoolView, TargetView};
pub use scraper::Health;
pub use scraping::{Parts, RelabelStep, Scraping, Settings};

#[cfg(test)]
mod serve;
