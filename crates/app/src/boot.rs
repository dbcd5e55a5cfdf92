//! Builds the house, floor by floor, and takes it down again. Reads like the floor plan.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use signalbox_alert::{Alerting, Parts};
use signalbox_api::prometheus::Notices;
use signalbox_api::{ApiState, Surroundings, log_deletion};
use signalbox_ingest::Ingester;
use signalbox_meta::{AlertBoard, Meta};
use signalbox_model::{Clock, Result, Tenant};
use signalbox_query::Engine;
use signalbox_query::admin::Companion;
use signalbox_receive::files::{Files, Sources};
use signalbox_receive::socket::Listening;
use signalbox_receive::transform::Transform;
use signalbox_receive::{Budget, Entry};
use signalbox_scrape::{Alertmanagers, Scraping};
use signalbox_store::Store;
use signalbox_store::disk::RealDisk;
use signalbox_telemetry::Queue;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::compression::CompressionLayer;

use crate::admin::{self, Admin};
use crate::alert_desk::OwnAlerts;
use crate::archive;
use crate::config::{self, Config};
use crate::doors::{self, Address, Doors, Gates, Questions};
use crate::front::{Front, Side};
use crate::peers;
use crate::pull::{self, Targets};
use crate::reload::Reloader;
use crate::rule_watch;
use crate::ruler::OwnRuler;
use crate::rules::desk::OwnRules;
use crate::selfwatch::{Identity, SelfWatch};
use crate::serve::{self, Gate, Listener};
use crate::shutdown::{Phase, Stand};
use crate::web;

/// The state database in the data folder.
const STATE_FILE: &str = "state.db";

/// A server whose addresses are bound: it answers that it is not ready.
#[derive(Debug)]
pub struct Bound {
    config: Config,
    clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
    admin: Admin,
    addresses: Vec<(&'static str, SocketAddr)>,
    gates: Gates,
    sockets: Vec<Listening>,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

/// A server that serves.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<(&'static str, SocketAddr)>,
    store: Store,
    meta: Arc<Meta>,
    ingester: Arc<Ingester>,
    files: Option<Files>,
    reloader: Arc<Reloader>,
    notices: Notices,
    phase: Phase,
    stop: CancellationToken,
    serving: JoinSet<()>,
    writes: TaskTracker,
    drain: Duration,
    stop_watching: CancellationToken,
    watching: Option<JoinHandle<()>>,
    rule_watch: JoinHandle<()>,
    following: JoinHandle<()>,
    deleting: JoinHandle<()>,
}

impl Bound {
    /// Binds all addresses. `queue` is where own log records and spans wait, see [`signalbox_telemetry::install`].
    ///
    /// # Errors
    /// If an address cannot be had; the message names the flag that changes it.
    pub async fn bind(config: Config, clock: Arc<dyn Clock>, queue: Arc<Queue>) -> Result<Self> {
        let admin = Admin { phase: Phase::default(), start_ns: clock.now_ns() };
        let mut listeners = Vec::new();
        for Address { door, listen, flag } in doors::addresses(&config) {
            let gate = Gate::closed(admin::router_before_the_store(admin.clone()));
            listeners.push((Listener::bind(door, listen, flag).await?, gate));
        }
        let sockets = signalbox_receive::listen(&config.receive).await?;
        let gates = Gates(listeners.iter().map(|(listener, gate)| (listener.door, gate.clone())).collect());
        let (stop, mut serving) = (CancellationToken::new(), JoinSet::new());
        let http_addresses = listeners.iter().map(|(listener, _)| (listener.door, listener.address));
        let addresses = http_addresses.chain(sockets.iter().map(|socket| (socket.door(), socket.address()))).collect();
        for (listener, gate) in listeners {
            serving.spawn(serve::serve(listener, gate, config.http.clone(), stop.clone()));
        }
        Ok(Self { config, clock, queue, admin, addresses, gates, sockets, stop, serving })
    }

    /// The doors that listen (`http`, `otlp-grpc`, `otlp-http`, `influx`, `syslog`, …) and where they are.
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// Opens the store, which replays its WAL, loads the rules, and then opens the doors.
    ///
    /// # Errors
    /// If the store or the state database cannot be opened, or a setting or a rule makes no sense.
    pub async fn open(self) -> Result<Server> {
        let Self { mut config, clock, queue, admin, addresses, gates, sockets, stop, mut serving } = self;
        let (loaded, own_rule_files) = (pull::load(&config.scrape.config_file, &clock)?, config.alert.rule_files.clone());
        pull::share(&loaded, &mut config);
        // They ask about what nobody writes then.
        config.alert.builtin.enabled &= config.telemetry.self_watch;
        let prometheus = loaded.config;

        // Floor 1: what is kept.
        let disk = Arc::new(RealDisk::new(&config.data_dir));
        let store = Store::open(config.store.clone(), &config.data_dir, disk, Arc::clone(&clock)).await?;
        let meta = Arc::new(Meta::open(config.data_dir.join(STATE_FILE)).await?);

        // Floor 2: the roads.
        let ingester = Arc::new(Ingester::new(store.clone(), config.ingest.clone(), Arc::clone(&clock)));
        ingester.start().await?;
        let engine = Engine::new(store.clone(), Arc::clone(&clock), config.query.clone()).with_companion(Arc::new(StateCopy(Arc::clone(&meta))));
        let engine = Arc::new(engine);

        // Floor 3: the doors.
        let board = AlertBoard::default();
        let transform = Transform::new(&config.receive.transform, "receive.transform")?;
        let budget = Budget::new(config.receive.in_flight_bytes_max);
        let entry = Entry { sink: ingester.clone(), clock: Arc::clone(&clock), budget, transform };
        let sources = Sources::new(&config.receive.files, &config.receive.files_promtail_config)?;
        let around = signalbox_scrape::discovery::Surroundings::new(Arc::clone(&clock), config::environment);
        let alertmanagers = Arc::new(Alertmanagers::new(around.clone()));
        let parts = signalbox_scrape::Parts { sink: ingester.clone(), clock: Arc::clone(&clock), tenant: Tenant::default(), around };
        let scraping = Arc::new(Scraping::new(config.scrape.clone(), parts));
        let surroundings = surroundings(&config);
        let has_config = !config.scrape.config_file.as_os_str().is_empty();
        let targets = Targets { scraping: Arc::clone(&scraping), has_config, hostname: surroundings.hostname.clone() };
        let api = ApiState::new(Arc::clone(&engine)).with_alerts(board.clone()).with_surroundings(surroundings).with_settings(&config.api)?;
        let relabelling = peers::relabelling(&prometheus);
        // What people ask for must not keep rules waiting.
        let parts = Parts { engine: Arc::new(engine.apart()), sink: ingester.clone(), meta: Arc::clone(&meta), board, relabelling, clock: Arc::clone(&clock) };
        let alerting = Arc::new(Alerting::start(config.alert.clone(), &config.notify, parts).await?);
        let rule_desk = OwnRules::new(Arc::clone(&api.engine), Arc::clone(&alerting));
        let desk = OwnAlerts { alerting: Arc::clone(&alerting), alertmanagers: Arc::clone(&alertmanagers), clock: Arc::clone(&clock) };
        let api = api
            .with_targets(Arc::new(targets))
            .with_alert_desk(Arc::new(desk))
            .with_rule_desk(Arc::new(rule_desk))
            .with_meta(Arc::clone(&meta))
            .with_archive(archive::of(&config.store.retention, ingester.clone(), &clock))
            .with_ruler(Arc::new(OwnRuler(Arc::clone(&alerting))));
        log_deletion::settle_at_start(&api).await?;
        let deleting = tokio::spawn(log_deletion::follow(api.clone()));
        let notices = api.notices().clone();
        let writes = TaskTracker::new();
        let front = Front { clock: Arc::clone(&clock), trust_tenant_header: config.http.trust_tenant_header, writes: writes.clone() };
        let loki = api_routes(signalbox_api::loki_router(&api), config.http.body_bytes_max);
        let elastic = api_routes(signalbox_api::elastic_router(&api), config.http.body_bytes_max);
        let jaeger = api_routes(signalbox_api::jaeger_router(&api), config.http.body_bytes_max);
        let alertmanager = api_routes(signalbox_api::alertmanager_router(&api), config.http.body_bytes_max);
        let jaeger_storage = api_routes(signalbox_api::jaeger_storage_router(&api), config.http.body_bytes_max);
        let tempo = api_routes(signalbox_api::tempo_router(&api), config.http.body_bytes_max);
        let zipkin = api_routes(signalbox_api::zipkin_router(&api), config.http.body_bytes_max);
        let questions = Questions { loki, elastic, jaeger, alertmanager, jaeger_storage, tempo, zipkin };
        let doors = Doors::build(&config.receive, &entry, &front, questions)?;
        let api_routes = api_routes(signalbox_api::router(&api), config.http.body_bytes_max);
        scraping.apply(prometheus.clone())?;
        alertmanagers.apply(&prometheus)?;
        peers::tell(&alerting, &alertmanagers);
        let following = peers::follow(Arc::clone(&alerting), Arc::clone(&alertmanagers));
        let reloader = Arc::new(Reloader {
            alerting,
            scraping,
            alertmanagers,
            prometheus_file: config.scrape.config_file.clone(),
            rule_files: own_rule_files,
            at_start: prometheus,
            clock: Arc::clone(&clock),
            notices: notices.clone(),
            one_at_a_time: tokio::sync::Mutex::default(),
        });

        // Floor 4: the roof.
        let own =
            admin::router(admin.clone()).merge(admin::store_router(store.clone())).merge(admin::reload_router(Arc::clone(&reloader))).merge(web::router());
        gates.open(doors::MAIN, doors.main.merge(front.before(Side::Read, api_routes)).merge(front.before(Side::Own, own)));
        for (door, behind) in doors.own {
            gates.open(door, behind);
        }
        for socket in sockets {
            serving.spawn(socket.serve(entry.clone(), stop.clone()));
        }

        let stop_watching = CancellationToken::new();
        let rule_watch = rule_watch::watch(Arc::clone(&reloader), Duration::from_secs(config.alert.rule_files_interval_seconds), stop_watching.clone());
        let watching = config.telemetry.self_watch.then(|| {
            let port = addresses.first().map_or(0, |(_, address)| address.port());
            let watch =
                SelfWatch::new(ingester.clone(), Arc::clone(&clock), queue, Identity::of_port(port), admin.start_ns, config.telemetry.metrics_interval_seconds);
            tokio::spawn(watch.run(stop_watching.clone()))
        });
        admin.phase.enter(Stand::Ready);
        tracing::info!(data_dir = %config.data_dir.display(), "ready");
        let files = sources.start(entry, &config.data_dir);
        let drain = Duration::from_secs(config.http.drain_seconds);
        Ok(Server {
            addresses,
            store,
            meta,
            ingester,
            files,
            reloader,
            notices,
            phase: admin.phase,
            stop,
            serving,
            writes,
            drain,
            stop_watching,
            watching,
            rule_watch,
            following,
            deleting,
        })
    }
}

impl Server {
    /// The doors and where they are.
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// The address of a door.
    pub fn address(&self, door: &str) -> Option<SocketAddr> {
        self.addresses.iter().find(|(candidate, _)| *candidate == door).map(|(_, address)| *address)
    }

    /// Reads `prometheus.yml` and the rule files again.
    ///
    /// # Errors
    /// If one is wrong; then what is in force stays in force.
    pub async fn reload(&self) -> Result<()> {
        self.reloader.reload().await
    }

    /// Stops: says that it is not ready, takes no more connections, finishes what is under way within the time to drain,
    /// ends evaluations and deliveries, writes what it still knows of itself, flushes and closes the store.
    ///
    /// # Errors
    /// If the store cannot flush; nothing is lost then either, the next start replays the WAL.
    pub async fn stop(self) -> Result<()> {
        let Self {
            store,
            meta,
            ingester,
            files,
            reloader,
            notices,
            phase,
            stop,
            mut serving,
            writes,
            drain,
            stop_watching,
            watching,
            rule_watch,
            following,
            deleting,
            ..
        } = self;
        phase.enter(Stand::Draining);
        notices.close();
        stop.cancel();
        while serving.join_next().await.is_some() {}
        writes.close();
        if tokio::time::timeout(drain, writes.wait()).await.is_err() {
            tracing::warn!("cut off {} requests with telemetry whose clients did not wait for them", writes.len());
        }
        if let Some(files) = files {
            files.stop().await;
        }
        // What they put in force must not run when alerting has stopped, nor what they write down when the database is closed.
        for task in [rule_watch, following, deleting] {
            task.abort();
            let _ended = task.await;
        }
        reloader.scraping.stop().await;
        reloader.alerting.shutdown().await;
        stop_watching.cancel();
        if let Some(watching) = watching {
            // A watch that panicked has been logged and has nothing left to write.
            let _ended = watching.await;
        }
        if let Err(error) = ingester.stop().await {
            tracing::warn!(%error, "cannot write metrics of spans, the next start will: {error}");
        }
        meta.close().await;
        store.close().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// The state database as a part of snapshot directories.
#[derive(Debug)]
struct StateCopy(Arc<Meta>);

#[async_trait]
impl Companion for StateCopy {
    async fn copy_into(&self, dir: &Path) -> Result<()> {
        self.0.copy_to(&dir.join(STATE_FILE)).await
    }
}

/// The query APIs: bodies bounded, answers compressed.
fn api_routes(routes: Router, body_bytes_max: usize) -> Router {
    let bounded = move |request: axum::extract::Request| request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, body_bytes_max)));
    routes
        .layer(axum::extract::DefaultBodyLimit::max(body_bytes_max))
        .layer(axum::middleware::map_request(move |request| std::future::ready(bounded(request))))
        .layer(CompressionLayer::new().gzip(true))
}

fn surroundings(config: &Config) -> Surroundings {
    let retention = &config.store.retention.metrics;
    Surroundings {
        // Where the kernel does not say, the name is unknown.
        hostname: std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default(),
        working_dir: std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default(),
        retention_seconds: retention.max_age_seconds,
        retention_bytes: retention.max_bytes,
    }
}
