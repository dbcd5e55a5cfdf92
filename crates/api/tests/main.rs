//! Every dialect over a small world: answers against golden files, and hostile parameters.
//!
//! `BLESS=1 cargo test -p signalbox-api` rewrites the golden files; read the difference before it is committed.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests read whether they may rewrite golden files")]

mod admin;
mod brief;
mod cardinality;
mod chunk;
mod doors;
mod elastic;
mod export;
mod federate;
mod golden;
mod hostile;
mod jaeger;
mod log_search;
mod loki;
mod metrics;
mod openapi;
mod prometheus;
mod remote_read;
mod ruler;
mod rules;
mod search;
mod service_map;
mod sql;
mod targets;
mod tempo;
mod tenants;
mod web;
mod world;
