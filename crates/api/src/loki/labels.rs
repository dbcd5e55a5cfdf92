//! What there is to select: label names, values, series; and who answers.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use signalbox_model::TimeRange;

use super::params::{self, Refusal};
use super::render;
use crate::ApiState;
use crate::http::{Asker, Params};

/// Loki's default: six hours.
const DEFAULT_NS: i64 = 6 * 3_600_000_000_000;

fn range(state: &ApiState, params: &Params) -> Result<TimeRange, Refusal> {
    Ok(params::range(params, state.engine.clock().now_ns(), DEFAULT_NS)?)
}

/// `GET|POST /labels`
pub(super) async fn names(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let names = state.engine.log_label_names(&tenant, params::selectors(&params, &["query"])?, range(&state, &params)?).await?;
    Ok(render::success(json!(names)))
}

/// `GET /label/{name}/values`
pub(super) async fn values(State(state): State<ApiState>, Asker(tenant): Asker, Path(name): Path<String>, params: Params) -> Result<Response, Refusal> {
    let values = state.engine.log_label_values(&tenant, &name, params::selectors(&params, &["query"])?, range(&state, &params)?).await?;
    Ok(render::success(json!(values)))
}

/// `GET|POST /series`
pub(super) async fn series(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let selectors = params::selectors(&params, &["match[]", "match"])?;
    Ok(render::success(json!(state.engine.log_streams(&tenant, selectors, range(&state, &params)?).await?)))
}

/// `GET /status/buildinfo`
pub(super) async fn build_info() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    axum::Json(json!({ "version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "" })).into_response()
}
