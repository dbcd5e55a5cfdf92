//! One folder per outbound dialect: HTTP to query to rendered answer.
//!
//! Each dialect is a folder with `router(state)`; `app` decides under which prefixes the routers are mounted. A dialect knows
//! the engine and its own wire format, never another dialect, never the store.

use std::sync::Arc;

use signalbox_meta::{AlertBoard, Meta};
use signalbox_model::Result;
use signalbox_query::Engine;

pub mod alerting;
pub mod alertmanager;
pub mod elastic;
pub mod http;
pub mod jaeger;
pub mod log_deletion;
pub mod loki;
pub mod native;
pub mod prometheus;
pub mod ruler;
pub mod settings;
pub mod tempo;
pub mod zipkin;

mod grpc;
mod instant;
mod otlp;
mod surroundings;
mod trace_search;

pub use settings::Settings;
pub use surroundings::Surroundings;

/// What every dialect needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// Answers questions.
    pub engine: Arc<Engine>,
    /// When the server began to answer, in nanoseconds since the Unix epoch.
    pub(crate) started_ns: i64,
    /// How rules and alerts are.
    pub(crate) alerts: AlertBoard,
    /// Where the process runs.
    pub(crate) surroundings: Arc<Surroundings>,
    /// What Prometheus' dialect needs besides.
    pub(crate) prometheus: Arc<prometheus::Desk>,
    /// What Loki's dialect needs besides.
    pub(crate) loki: Arc<loki::Desk>,
    /// What Jaeger's dialect needs besides.
    pub(crate) jaeger: Arc<jaeger::Settings>,
    /// Who keeps traces that are archived.
    pub(crate) archive: Arc<dyn jaeger::Archive>,
    /// Who scrapes.
    pub(crate) targets: Arc<dyn prometheus::TargetSource>,
    /// Who keeps alerts and silences.
    pub(crate) alert_desk: Arc<dyn alertmanager::AlertDesk>,
    /// Who reads and tries rules.
    pub(crate) rule_desk: Arc<dyn alerting::RuleDesk>,
    /// Who keeps rules that are set over HTTP.
    pub(crate) ruler: Arc<dyn ruler::Ruler>,
    /// Where alerting and deletion write down what happened; a server without rules has none.
    pub(crate) meta: Option<Arc<Meta>>,
    /// Who writes down what becomes of deletions.
    pub(crate) turns: Arc<log_deletion::Turns>,
}

impl ApiState {
    /// The state of all dialects, without rules, with default settings.
    pub fn new(engine: Arc<Engine>) -> Self {
        let started_ns = engine.clock().now_ns();
        let prometheus = Arc::new(prometheus::Desk::with_defaults(started_ns));
        let loki = Arc::new(loki::Desk::new(loki::Settings::default()));
        let targets = Arc::new(prometheus::NoTargets);
        let (alerts, surroundings, jaeger, alert_desk) = (AlertBoard::default(), Arc::default(), Arc::default(), Arc::new(alertmanager::NoAlerts));
        let (rule_desk, ruler, archive) = (Arc::new(alerting::NoRules), Arc::new(ruler::NoRuler), Arc::new(jaeger::NoArchive));
        Self {
            engine,
            started_ns,
            alerts,
            surroundings,
            prometheus,
            loki,
            jaeger,
            archive,
            targets,
            alert_desk,
            rule_desk,
            ruler,
            meta: None,
            turns: Arc::default(),
        }
    }

    /// With the board on which rules and alerts are shown.
    #[must_use]
    pub fn with_alerts(self, alerts: AlertBoard) -> Self {
        Self { alerts, ..self }
    }

    /// With where the process runs.
    #[must_use]
    pub fn with_surroundings(self, surroundings: Surroundings) -> Self {
        Self { surroundings: Arc::new(surroundings), ..self }
    }

    /// With who keeps traces that are archived.
    #[must_use]
    pub fn with_archive(self, archive: Arc<dyn jaeger::Archive>) -> Self {
        Self { archive, ..self }
    }

    /// With what is scraped.
    #[must_use]
    pub fn with_targets(self, targets: Arc<dyn prometheus::TargetSource>) -> Self {
        Self { targets, ..self }
    }

    /// With who keeps alerts and silences.
    #[must_use]
    pub fn with_alert_desk(self, alert_desk: Arc<dyn alertmanager::AlertDesk>) -> Self {
        Self { alert_desk, ..self }
    }

    /// With who reads and tries rules.
    #[must_use]
    pub fn with_rule_desk(self, rule_desk: Arc<dyn alerting::RuleDesk>) -> Self {
        Self { rule_desk, ..self }
    }

    /// With who keeps rules that are set over HTTP.
    #[must_use]
    pub fn with_ruler(self, ruler: Arc<dyn ruler::Ruler>) -> Self {
        Self { ruler, ..self }
    }

    /// With where alerting and deletion write down what happened.
    #[must_use]
    pub fn with_meta(self, meta: Arc<Meta>) -> Self {
        Self { meta: Some(meta), ..self }
    }

    /// With settings.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] names the setting that makes no sense.
    pub fn with_settings(self, settings: &Settings) -> Result<Self> {
        let prometheus = Arc::new(prometheus::Desk::new(settings.prometheus.clone(), self.started_ns)?);
        let (loki, jaeger) = (Arc::new(loki::Desk::new(settings.loki.clone())), Arc::new(settings.jaeger.clone()));
        Ok(Self { prometheus, loki, jaeger, ..self })
    }

    /// What operators should know, for whoever finds it out.
    pub fn notices(&self) -> &prometheus::Notices {
        &self.prometheus.notices
    }
}

/// All dialects under their prefixes.
pub fn router(state: &ApiState) -> axum::Router {
    axum::Router::new()
        .nest("/alertmanager", alertmanager::router(state.clone()))
        .nest("/elastic", elastic::router(state.clone()))
        .nest("/loki", as_loki(state))
        .nest("/jaeger", jaeger::router(state.clone()))
        .nest("/tempo", tempo::router(state.clone()))
        .nest("/zipkin", zipkin::router(state.clone()))
        .merge(jaeger::grpc_router(state.clone()))
        .merge(tempo::streaming_router(state.clone()))
        .merge(prometheus::router(state))
        .merge(native::router(state.clone()))
        .merge(alerting::router(state.clone()))
        .merge(ruler::router(state))
        .layer(axum::middleware::from_fn(native::asker::note))
}

/// Loki's API alone, under its prefix and with what Loki has at the root, for a listener of its own.
pub fn loki_router(state: &ApiState) -> axum::Router {
    let alerts = axum::Router::new().nest("/prometheus/api/v1", prometheus::log_alerts_router(state.clone()));
    let router = axum::Router::new().nest("/loki", as_loki(state)).merge(loki::beside(state.clone())).merge(alerts);
    router.layer(axum::middleware::from_fn(native::asker::note))
}

/// Loki's API, with alerts at the path where its ruler shows them.
fn as_loki(state: &ApiState) -> axum::Router {
    loki::router(state.clone()).nest("/prometheus/api/v1", prometheus::log_alerts_router(state.clone()))
}

/// Jaeger's API alone, HTTP and gRPC, without a prefix, for a listener of its own.
pub fn jaeger_router(state: &ApiState) -> axum::Router {
    jaeger::router(state.clone()).merge(jaeger::grpc_router(state.clone())).layer(axum::middleware::from_fn(native::asker::note))
}

/// Jaeger's remote storage alone, for a listener of its own.
pub fn jaeger_storage_router(state: &ApiState) -> axum::Router {
    jaeger::storage_router(state.clone()).layer(axum::middleware::from_fn(native::asker::note))
}

/// Zipkin's read API alone, without a prefix, for a listener of its own.
pub fn zipkin_router(state: &ApiState) -> axum::Router {
    zipkin::router(state.clone()).layer(axum::middleware::from_fn(native::asker::note))
}

/// Tempo's API alone, over HTTP without a prefix and over gRPC, for a listener of its own.
pub fn tempo_router(state: &ApiState) -> axum::Router {
    let router = tempo::router(state.clone()).merge(tempo::streaming_router(state.clone()));
    router.layer(axum::middleware::from_fn(native::asker::note))
}

/// Alertmanager's API alone, without a prefix, for a listener of its own.
pub fn alertmanager_router(state: &ApiState) -> axum::Router {
    alertmanager::router(state.clone()).layer(axum::middleware::from_fn(native::asker::note))
}

/// Elasticsearch's search API alone, without a prefix, for a listener of its own.
pub fn elastic_router(state: &ApiState) -> axum::Router {
    elastic::router(state.clone()).layer(axum::middleware::from_fn(native::asker::note))
}
