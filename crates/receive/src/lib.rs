//! One folder per inbound protocol: bytes to batch to sink to the protocol's own reply.
//!
//! Doors know the sink, the clock and a budget of memory, see [`door::Entry`]; they never see credentials: whoever serves
//! the routes puts the `Tenant` into the request.

pub mod compression;
pub mod door;
pub mod elastic;
pub mod files;
pub mod forward;
pub mod gelf;
mod grpc;
pub mod http;
pub mod influx;
pub mod jaeger;
pub mod json_lines;
pub mod logs;
pub mod loki;
pub mod otlp;
pub mod remote_write;
mod series;
pub mod socket;
pub mod spans;
pub mod splunk;
pub mod syslog;
pub mod thrift;
pub mod transform;
pub mod wire;
pub mod zipkin;

pub use door::{Budget, Context, Decoded, Entry};

use serde::{Deserialize, Serialize};

/// Settings of all doors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// OTLP over HTTP and gRPC.
    pub otlp: otlp::Settings,
    /// Prometheus remote write.
    pub remote_write: remote_write::Settings,
    /// InfluxDB's line protocol.
    pub influx: influx::Settings,
    /// Fluent forward.
    pub forward: forward::Settings,
    /// GELF.
    pub gelf: gelf::Settings,
    /// Syslog.
    pub syslog: syslog::Settings,
    /// What is done to log records between their decoder and the store, of all doors: rules, each with a condition
    /// (`match`) and steps. The keys of rules and steps are in the documentation of `transform`.
    pub transform: Vec<transform::Rule>,
    /// Loki's push API.
    pub loki: loki::Settings,
    /// Elasticsearch's way in: bulk requests and documents.
    pub elastic: elastic::Settings,
    /// Logs as JSON, an object a line.
    pub json_lines: json_lines::Settings,
    /// Splunk's HTTP Event Collector.
    pub splunk: splunk::Settings,
    /// Zipkin's spans.
    pub zipkin: zipkin::Settings,
    /// Jaeger's spans.
    pub jaeger: jaeger::Settings,
    /// Log files that are read where they lie: a list of sources, each with `paths`, `exclude`, `format`, `multiline`,
    /// `attributes`, `service`, `tenant`, `start`, `line_bytes_max` and `transform`, as the documentation of `files` has them.
    pub files: Vec<files::Source>,
    /// A `promtail.yaml`: its files are read, too, and go through its stages. Empty: none.
    pub files_promtail_config: std::path::PathBuf,
    /// Bytes of request bodies that may be in memory at one time, over all doors. Past it, requests are refused at once
    /// with a time to retry. Raise it on machines with memory to spare and many senders.
    pub in_flight_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            otlp: otlp::Settings::default(),
            remote_write: remote_write::Settings::default(),
            influx: influx::Settings::default(),
            forward: forward::Settings::default(),
            gelf: gelf::Settings::default(),
            syslog: syslog::Settings::default(),
            transform: Vec::new(),
            loki: loki::Settings::default(),
            elastic: elastic::Settings::default(),
            json_lines: json_lines::Settings::default(),
            splunk: splunk::Settings::default(),
            zipkin: zipkin::Settings::default(),
            jaeger: jaeger::Settings::default(),
            files: Vec::new(),
            files_promtail_config: std::path::PathBuf::new(),
            in_flight_bytes_max: 512 << 20,
        }
    }
}

/// Every door of the house. Adding a protocol: one folder, one variant here, one golden case.
#[derive(Debug, Clone)]
pub enum Receiver {
    /// OTLP/HTTP.
    Otlp(otlp::Settings),
    /// Prometheus remote write.
    RemoteWrite(remote_write::Settings),
    /// InfluxDB's line protocol.
    Influx(influx::Settings),
    /// GELF over HTTP.
    Gelf(gelf::Settings),
    /// Loki's push API.
    Loki(loki::Settings),
    /// Elasticsearch's bulk requests.
    Elastic(elastic::Settings),
    /// Logs as JSON, an object a line.
    JsonLines(json_lines::Settings),
    /// Splunk's HTTP Event Collector.
    Splunk(splunk::Settings),
    /// Zipkin's spans.
    Zipkin(zipkin::Settings),
    /// Jaeger's collector over HTTP; [`jaeger::routes`] has the others.
    Jaeger(jaeger::Settings),
}

impl Receiver {
    /// The HTTP routes of the door.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] if a setting makes no sense.
    pub fn routes(self, entry: Entry) -> signalbox_model::Result<axum::Router> {
        match self {
            Self::Otlp(settings) => otlp::routes(entry, settings),
            Self::RemoteWrite(settings) => Ok(remote_write::routes(entry, settings)),
            Self::Influx(settings) => Ok(influx::routes(entry, settings)),
            Self::Gelf(settings) => Ok(gelf::routes(entry, settings)),
            Self::Loki(settings) => Ok(loki::routes(entry, settings)),
            Self::Elastic(settings) => Ok(elastic::routes(entry, settings)),
            Self::JsonLines(settings) => Ok(json_lines::routes(entry, settings)),
            Self::Splunk(settings) => Ok(splunk::routes(entry, settings)),
            Self::Zipkin(settings) => Ok(zipkin::routes(entry, settings)),
            Self::Jaeger(settings) => Ok(jaeger::routes(entry, &settings)?.http),
        }
    }
}

/// Binds the addresses of all doors that are no HTTP.
///
/// # Errors
/// If an address cannot be had or a setting makes no sense; the message names it.
pub async fn listen(settings: &Settings) -> signalbox_model::Result<Vec<socket::Listening>> {
    let mut listening = forward::listen(&settings.forward).await?;
    listening.extend(gelf::listen(&settings.gelf).await?);
    listening.extend(syslog::listen(&settings.syslog).await?);
    listening.extend(jaeger::listen(&settings.jaeger).await?);
    Ok(listening)
}
