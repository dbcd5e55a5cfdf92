//! Channels against scripted servers, byte by byte; delivery against an outbox in memory.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod aws;
mod client;
mod delivery;
mod email;
mod http_peer;
mod issues;
mod secrets;
mod services;
mod settings;
mod smtp_peer;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use signalbox_notify::message::{Alert, Message, Pairs, Reason, Status, group_key};

/// 2024-02-29T12:34:56.12Z.
pub(crate) const START_NS: i64 = 1_709_210_096_120_000_000;
pub(crate) const MINUTE_NS: i64 = 60_000_000_000;

pub(crate) fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn alert(status: Status, labels: &[(&str, &str)]) -> Alert {
    Alert {
        status,
        labels: pairs(labels),
        annotations: pairs(&[("summary", "Checkout is slow")]),
        starts_at_ns: START_NS,
        ends_at_ns: (status == Status::Resolved).then_some(START_NS + MINUTE_NS),
        generator_url: "http://localhost:4400/metrics?expr=up".into(),
    }
}

/// One alert on, one over, in a group by name.
pub(crate) fn message() -> Message {
    let group_labels = pairs(&[("alertname", "Slow")]);
    Message {
        receiver: "ops".into(),
        reason: Reason::FirstNotification,
        group_key: group_key("{}", &group_labels),
        group_labels,
        alerts: vec![
            alert(Status::Firing, &[("alertname", "Slow"), ("instance", "a"), ("severity", "page")]),
            alert(Status::Resolved, &[("alertname", "Slow"), ("instance", "b"), ("severity", "page")]),
        ],
        external_url: "http://localhost:4400".into(),
        route_labels: Pairs::new(),
        truncated_alerts: 0,
    }
}

pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// What a server for `localhost` needs.
pub(crate) fn server_tls() -> Arc<rustls::ServerConfig> {
    let certificate = CertificateDer::from_pem_file(testdata("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(testdata("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

/// The same for one that asks who the client is.
pub(crate) fn mutual_tls() -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(testdata("tls/client-ca.pem")).unwrap()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let (certificate, key) =
        (CertificateDer::from_pem_file(testdata("tls/server.pem")).unwrap(), PrivateKeyDer::from_pem_file(testdata("tls/server.key")).unwrap());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key).unwrap())
}
