//! What only Signalbox tells of its alerts, below `/api/v1/alerting`: their history, who was told what, rules that are not in force
//! read and tried.
//!
//! Answers are `{"status":"success","data":…}`, refusals `{"status":"error","errorType":…,"error":…}`. Times in answers are RFC 3339
//! with milliseconds; parameters take what Prometheus' `time` takes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use signalbox_meta::Meta;
use signalbox_model::{Error, ErrorKind};

use crate::ApiState;

mod answer;
mod explain;
mod export;
mod history;
mod notifications;
mod params;
mod receivers;
mod routes;
mod rule_desk;
mod rules;

pub use rule_desk::{
    Backtest, BacktestFiring, BacktestNotification, BacktestRequest, BacktestRule, CheckedGroup, CheckedRule, NoRules, RuleCheck, RuleDesk, RuleRemark,
};

/// The API, with full paths, to be mounted at the root.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/v1/alerting/explain", get(explain::explain))
        .route("/api/v1/alerting/history", get(history::list))
        .route("/api/v1/alerting/notifications", get(notifications::list))
        .route("/api/v1/alerting/rules/export", get(export::export))
        .route("/api/v1/alerting/rules/check", post(rules::check))
        .route("/api/v1/alerting/rules/backtest", post(rules::backtest))
        .route("/api/v1/alerting/routes", get(routes::tree))
        .route("/api/v1/alerting/routes/test", post(routes::test))
        .route("/api/v1/alerting/receivers", get(receivers::list))
        .route("/api/v1/alerting/receivers/test", post(receivers::test))
        .with_state(state)
}

/// Where alerting writes down what happened.
fn meta(state: &ApiState) -> Result<&Arc<Meta>, answer::Refusal> {
    state.meta.as_ref().ok_or_else(|| Error::new(ErrorKind::Unavailable, "this server keeps no alerts").into())
}
