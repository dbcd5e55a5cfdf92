//! The doors: which have an address of their own, and what stands behind each.

use axum::Router;
use axum::body::Body;
use http::{Request, Uri};
use signalbox_model::Result;
use signalbox_receive::{Entry, Receiver, Settings, jaeger, loki, otlp, zipkin};
use tower::util::MapRequest;

use crate::config::Config;
use crate::front::{Front, Side};
use crate::serve::Gate;

/// The door of the main address.
pub(crate) const MAIN: &str = "http";

/// A door that may have an address of its own.
#[derive(Debug)]
pub(crate) struct Address<'c> {
    /// What it is called in output.
    pub door: &'static str,
    /// Where it listens; empty: nowhere.
    pub listen: &'c str,
    /// The flag or key that changes it.
    pub flag: &'static str,
}

/// Every door with an address, the main one first.
pub(crate) fn addresses(config: &Config) -> Vec<Address<'_>> {
    let (receive, jaeger) = (&config.receive, &config.api.jaeger);
    [
        (MAIN, &config.http.listen, "--http-listen"),
        ("otlp-grpc", &receive.otlp.grpc_listen, "--otlp-grpc-listen"),
        ("otlp-http", &receive.otlp.http_listen, "--otlp-http-listen"),
        ("influx", &receive.influx.listen, "receive.influx.listen"),
        ("loki", &receive.loki.listen, "receive.loki.listen"),
        ("elastic", &receive.elastic.listen, "receive.elastic.listen"),
        ("splunk", &receive.splunk.listen, "receive.splunk.listen"),
        ("alertmanager", &config.api.alertmanager.listen, "api.alertmanager.listen"),
        ("jaeger-query", &jaeger.listen, "api.jaeger.listen"),
        ("jaeger-query-grpc", &jaeger.grpc_listen, "api.jaeger.grpc_listen"),
        ("jaeger-storage", &jaeger.storage_listen, "api.jaeger.storage_listen"),
        ("tempo", &config.api.tempo.listen, "api.tempo.listen"),
        ("zipkin", &receive.zipkin.listen, "--zipkin-listen"),
        ("jaeger-grpc", &receive.jaeger.grpc_listen, "receive.jaeger.grpc_listen"),
        ("jaeger-http", &receive.jaeger.http_listen, "receive.jaeger.http_listen"),
        ("jaeger-sampling", &receive.jaeger.sampling_listen, "receive.jaeger.sampling_listen"),
    ]
    .into_iter()
    .filter(|(_, listen, _)| !listen.is_empty())
    .map(|(door, listen, flag)| Address { door, listen, flag })
    .collect()
}

/// The routes that answer questions at the addresses of their own.
#[derive(Debug)]
pub(crate) struct Questions {
    /// Loki's API, below its prefix.
    pub loki: Router,
    /// Elasticsearch's search API.
    pub elastic: Router,
    /// Jaeger's query APIs.
    pub jaeger: Router,
    /// Alertmanager's API.
    pub alertmanager: Router,
    /// Jaeger's storage, as far as it is read.
    pub jaeger_storage: Router,
    /// Tempo's API, over HTTP and gRPC.
    pub tempo: Router,
    /// Zipkin's read API.
    pub zipkin: Router,
}

/// What stands behind the doors.
#[derive(Debug)]
pub(crate) struct Doors {
    /// What the main address takes.
    pub main: Router,
    /// What the addresses of their own do, by door; each behind its front.
    pub own: Vec<(&'static str, Router)>,
}

impl Doors {
    /// Builds all of them.
    ///
    /// # Errors
    /// If a setting makes no sense.
    pub(crate) fn build(settings: &Settings, entry: &Entry, front: &Front, questions: Questions) -> Result<Self> {
        let otlp = Receiver::Otlp(settings.otlp.clone()).routes(entry.clone())?;
        let calls = otlp::grpc::routes(entry.clone(), settings.otlp.clone()).merge(zipkin::grpc_routes(entry.clone(), settings.zipkin.clone()));
        let grpc = otlp::grpc::with_unknown_calls(calls);
        let remote_write = Receiver::RemoteWrite(settings.remote_write.clone()).routes(entry.clone())?;
        let influx = Receiver::Influx(settings.influx.clone()).routes(entry.clone())?;
        let push = Receiver::Loki(settings.loki.clone()).routes(entry.clone())?;
        let gelf = Receiver::Gelf(settings.gelf.clone()).routes(entry.clone())?;
        let json_lines = Receiver::JsonLines(settings.json_lines.clone()).routes(entry.clone())?;
        let splunk = Receiver::Splunk(settings.splunk.clone()).routes(entry.clone())?;
        let elastic = Receiver::Elastic(settings.elastic.clone()).routes(entry.clone())?;
        // What a query service of Jaeger writes to its storage is OTLP.
        let stored = front.before(Side::Write, otlp::grpc::routes(entry.clone(), settings.otlp.clone()));
        let jaeger = front.before_dialect("jaeger", questions.jaeger);
        let spans_of_zipkin = Receiver::Zipkin(settings.zipkin.clone()).routes(entry.clone())?;
        let collector = jaeger::routes(entry.clone(), &settings.jaeger)?;
        let sampling = front.before(Side::Own, collector.sampling);
        let as_loki = front.before(Side::Write, push.clone().merge(otlp::log_routes(entry.clone(), settings.otlp.clone())));
        let own = vec![
            ("otlp-grpc", front.before(Side::Write, grpc)),
            ("otlp-http", front.before(Side::Write, otlp.clone())),
            ("influx", front.before(Side::Write, influx.clone())),
            ("loki", as_loki.merge(front.before_dialect("loki", questions.loki)).merge(front.before(Side::Own, loki::listener_routes()))),
            ("elastic", front.before(Side::Write, elastic.clone()).merge(front.before_dialect("elastic", questions.elastic))),
            ("splunk", front.before(Side::Write, splunk.clone())),
            ("alertmanager", front.before_dialect("alertmanager", questions.alertmanager)),
            ("jaeger-query", jaeger.clone()),
            ("jaeger-query-grpc", jaeger),
            ("jaeger-storage", stored.merge(front.before_dialect("jaeger", questions.jaeger_storage))),
            ("tempo", front.before_dialect("tempo", questions.tempo)),
            ("zipkin", front.before(Side::Write, spans_of_zipkin.clone()).merge(front.before_dialect("zipkin", questions.zipkin))),
            ("jaeger-grpc", front.before(Side::Write, otlp::grpc::with_unknown_calls(collector.grpc))),
            ("jaeger-http", front.before(Side::Write, collector.http.clone()).merge(sampling.clone())),
            ("jaeger-sampling", sampling),
        ];
        let main = otlp.merge(remote_write).merge(influx).merge(gelf).merge(push).merge(json_lines).merge(splunk);
        let main = main.merge(spans_of_zipkin).merge(collector.http).nest("/elastic", elastic.clone());
        // What is nested has no root with a slash at its end, which is what the official clients ask for.
        let root = MapRequest::new(elastic, |mut request: Request<Body>| {
            *request.uri_mut() = Uri::from_static("/");
            request
        });
        let main = main.route_service("/elastic/", root);
        Ok(Self { main: front.before(Side::Write, main), own })
    }
}

/// The gates of the doors that listen.
#[derive(Debug)]
pub(crate) struct Gates(pub Vec<(&'static str, Gate)>);

impl Gates {
    /// Opens the gate of a door, if it listens.
    pub(crate) fn open(&self, door: &str, behind: Router) {
        if let Some((_, gate)) = self.0.iter().find(|(known, _)| *known == door) {
            gate.open(behind);
        }
    }
}
