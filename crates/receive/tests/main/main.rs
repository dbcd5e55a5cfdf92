//! The doors from the outside: bytes and HTTP in, rows and answers out.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, ask where their data lies, and say aloud that it is missing"
)]

mod brief;
mod differential;
mod elastic;
mod forward;
mod gelf;
mod golden;
mod hostile;
mod influx;
mod influx_corpus;
mod jaeger;
mod json_lines;
mod loki;
mod messages;
mod otlp_grpc;
mod otlp_http;
mod otlp_metrics;
mod random;
mod remote_write;
mod requirements;
mod rows;
mod socket;
mod splunk;
mod support;
mod syslog;
mod thrift;
mod through_the_store;
mod trace_links;
mod transform;
mod zipkin;
